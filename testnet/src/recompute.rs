//! What the World must hold when the workload is settled, recomputed in plain Rust from the workload alone.
//!
//! This is the judge of the whole path, so it shares no code with it: not with the shard program, not with the operator's admission,
//! not with the merge rules. Whole numbers, maps, and the rules of the game as `docs/workload.md` states them.

use shardwire_model::{AccountId, Call, Coded, Felt, Key, Kind, Slot};
use shardwire_workload::{UnsignedTransaction, Workload, World};
use std::{collections::BTreeMap, fmt};

/// A storage address's kind and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// Whether it is a counter, an escrow or a lock.
    pub kind: Kind,
    /// What is there.
    pub value: Felt,
}

/// The World's storage.
pub type State = BTreeMap<Slot, Value>;

/// What must come out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// What each entry of the settlement list must say, in its order.
    pub updates: Vec<(Kind, Slot, Felt)>,
    /// What the World must hold afterwards.
    pub state: State,
}

/// A workload that no honest operator takes whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The World does not have what the shard takes along.
    #[error("the shard can't start: {0}")]
    Start(String),
    /// A transaction breaks a rule.
    #[error("transaction {number} of {player} would be refused: {reason}")]
    Rule {
        /// Which transaction, from 1.
        number: usize,
        /// The name of the player whose transaction it is.
        player: String,
        /// The rule that it breaks, in words.
        reason: String,
    },
}

impl Coded for Broken {
    fn code(&self) -> &'static str {
        match self {
            Self::Start(_) => "SW-RECOMPUTE-001",
            Self::Rule { .. } => "SW-RECOMPUTE-002",
        }
    }
    fn next_step(&self) -> String {
        match self {
            Self::Start(_) => "Correct world.storage or start.entries in the workload file.".into(),
            Self::Rule { .. } => "Correct the transaction in the workload file, or remove it.".into(),
        }
    }
}

/// The shard's state, kind by kind.
#[derive(Default)]
struct Books {
    grown: BTreeMap<Slot, u128>,
    left: BTreeMap<Slot, (AccountId, u128)>,
    held: BTreeMap<Slot, Felt>,
}

/// What must come out of this workload.
///
/// # Errors
/// [`Broken`] if the shard can't start, or a transaction breaks a rule and would be refused: what comes out is not the workload's then.
pub fn recompute(workload: &Workload) -> Result<Expected, Broken> {
    let mut state: State =
        workload.world.storage.iter().map(|it| (it.slot(), Value { kind: it.kind, value: it.value })).collect();
    let mut books = Books::open(workload, &mut state)?;
    let accounts: BTreeMap<&str, AccountId> =
        workload.players.iter().map(|player| (player.name.as_str(), player.key().id())).collect();
    for (index, transaction) in workload.transactions.iter().enumerate() {
        let account = accounts.get(transaction.player.as_str()).copied().unwrap_or_default();
        let broken = |reason| Broken::Rule { number: index + 1, player: transaction.player.clone(), reason };
        books.apply(account, transaction).map_err(broken)?;
    }
    books.close(workload, state)
}

/// The amount in storage of a kind that has amounts.
fn amount(state: &State, slot: Slot) -> Option<u128> {
    state.get(&slot).and_then(|it| u128::try_from(it.value).ok())
}

impl Books {
    /// Takes out of the World what the shard takes along.
    fn open(workload: &Workload, state: &mut State) -> Result<Self, Broken> {
        let mut books = Self::default();
        for entry in &workload.start.entries {
            let slot = entry.slot();
            let missing = || Broken::Start(format!("the World has no {} {slot}", entry.kind));
            let held = state.get(&slot).filter(|it| it.kind == entry.kind).ok_or_else(missing)?.value;
            match entry.kind {
                Kind::Counter => drop(books.grown.insert(slot, 0)),
                Kind::Lock => drop(books.held.insert(slot, held)),
                Kind::Escrow => {
                    let balance = amount(state, slot).ok_or_else(missing)?;
                    let rest = balance.checked_sub(entry.amount).ok_or_else(|| {
                        Broken::Start(format!("escrow {slot} takes {} of a balance of {balance}", entry.amount))
                    })?;
                    state.insert(slot, Value { kind: Kind::Escrow, value: Felt::from(rest) });
                    books.left.insert(slot, (entry.owner.unwrap_or_default(), entry.amount));
                }
            }
        }
        Ok(books)
    }

    fn apply(&mut self, account: AccountId, transaction: &UnsignedTransaction) -> Result<(), String> {
        // A call touches what is the called contract's.
        let slot = |key: Key| Slot::new(transaction.contract, key);
        match transaction.call {
            Call::Add { counter, amount } => {
                let grown = self.grown.get_mut(&slot(counter)).ok_or("no such counter")?;
                *grown = grown.checked_add(amount).ok_or("the counter grows beyond 2^128")?;
            }
            Call::Spend { escrow, amount } => self.withdraw(account, slot(escrow), amount)?,
            Call::Pass { from, to, amount } => {
                self.withdraw(account, slot(from), amount)?;
                let (_, left) = self.left.get_mut(&slot(to)).ok_or("no such escrow")?;
                *left = left.checked_add(amount).ok_or("the escrow grows beyond 2^128")?;
            }
            Call::Give { lock, to } => {
                let holder = self.held.get_mut(&slot(lock)).ok_or("no such lock")?;
                if *holder != account.0 {
                    return Err(format!("{} holds what it gives away", AccountId(*holder)));
                }
                *holder = to.0;
            }
            Call::Finish => {}
        }
        Ok(())
    }

    fn withdraw(&mut self, account: AccountId, escrow: Slot, amount: u128) -> Result<(), String> {
        let (owner, left) = self.left.get_mut(&escrow).ok_or("no such escrow")?;
        if *owner != account {
            return Err(format!("escrow {escrow} belongs to {owner}"));
        }
        *left = left.checked_sub(amount).ok_or(format!("{left} are left in escrow, {amount} are needed"))?;
        Ok(())
    }

    /// Puts back into the World what the shard leaves.
    fn close(self, workload: &Workload, mut state: State) -> Result<Expected, Broken> {
        let mut updates = Vec::new();
        for entry in &workload.start.entries {
            let (kind, slot) = (entry.kind, entry.slot());
            let lost = || Broken::Start(format!("{kind} {slot} exceeds 2^128 when it is settled"));
            let (update, value) = match kind {
                Kind::Lock => {
                    let holder = self.held.get(&slot).copied().unwrap_or_default();
                    (holder, holder)
                }
                Kind::Counter | Kind::Escrow => {
                    let change = match kind {
                        Kind::Counter => self.grown.get(&slot).copied(),
                        _ => self.left.get(&slot).map(|(_, left)| *left),
                    };
                    let change = change.unwrap_or_default();
                    let sum = amount(&state, slot).and_then(|it| it.checked_add(change)).ok_or_else(lost)?;
                    (Felt::from(change), Felt::from(sum))
                }
            };
            updates.push((kind, slot, update));
            state.insert(slot, Value { kind, value });
        }
        Ok(Expected { updates, state })
    }
}

/// How the settled World differs from the recomputation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The storage slot that differs.
    pub slot: Slot,
    /// What people call it, if it has a name.
    pub name: Option<String>,
    /// What is settled.
    pub settled: Option<Value>,
    /// What was recomputed.
    pub recomputed: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let say =
            |it: Option<Value>| it.map_or_else(|| "nothing".into(), |it| format!("{} {}", it.kind, number(it.value)));
        if let Some(name) = &self.name {
            write!(f, "{name} ")?;
        }
        write!(f, "({}): settled {}, recomputed {}", self.slot, say(self.settled), say(self.recomputed))
    }
}

fn number(value: Felt) -> String {
    u128::try_from(value).map_or_else(|_| format!("{value:#x}"), |amount| amount.to_string())
}

/// Every difference between the settled World and the recomputation, by storage address.
#[must_use]
pub fn differences(world: &World, recomputed: &State, settled: &State) -> Vec<Difference> {
    let names: BTreeMap<Slot, String> = world
        .storage
        .iter()
        .filter_map(|it| match (&it.name, &it.of) {
            (Some(name), Some(of)) => Some((it.slot(), format!("{name} of {of}"))),
            (Some(name), None) => Some((it.slot(), name.clone())),
            _ => None,
        })
        .collect();
    let mut slots: Vec<Slot> = recomputed.keys().chain(settled.keys()).copied().collect();
    slots.sort_unstable();
    slots.dedup();
    let compare = |slot: Slot| {
        let (settled, recomputed) = (settled.get(&slot).copied(), recomputed.get(&slot).copied());
        let name = names.get(&slot).cloned();
        (settled != recomputed).then_some(Difference { slot, name, settled, recomputed })
    };
    slots.into_iter().filter_map(compare).collect()
}

#[cfg(test)]
mod tests;
