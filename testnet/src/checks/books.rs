//! What shards did, recomputed from their logs with whole numbers. No merge rule, no output and no claim is trusted.

use super::dungeon;
use crate::recompute::{State, Value};
use shardwire::contents::{WorldContents, WorldShard};
use shardwire_model::{Call, Felt, Key, Kind, Logged, ShardTransaction, SignedTransaction, Slot, Terms};
use std::collections::BTreeMap;

/// A felt as a whole number; one that doesn't fit is larger than every amount.
pub(super) fn amount(value: Felt) -> u128 {
    u128::try_from(value).unwrap_or(u128::MAX >> 1)
}

/// A log's transactions of the fixed rules.
fn of_rules(log: &[Logged]) -> impl Iterator<Item = &SignedTransaction> {
    log.iter().filter_map(|logged| match &logged.transaction {
        ShardTransaction::Rules(signed) => Some(signed),
        ShardTransaction::Invoke(_) | ShardTransaction::Session(_) => None,
    })
}

/// The total that the transactions of a log spent.
pub(super) fn spent(log: &[Logged]) -> u128 {
    let spent = |it: &SignedTransaction| if let Call::Spend { amount, .. } = it.transaction.call { amount } else { 0 };
    of_rules(log).map(spent).sum()
}

/// The storage that a World should have.
pub(super) struct Books {
    storage: BTreeMap<Slot, Value>,
    /// What open shards took along.
    away: BTreeMap<Slot, u128>,
}

impl Books {
    pub(super) fn open(genesis: &State) -> Self {
        Self { storage: genesis.clone(), away: BTreeMap::new() }
    }

    /// Applies a shard's transactions. Returns what each entry of its settlement list must say.
    pub(super) fn settle(&mut self, shard: &WorldShard, log: &[Logged]) -> Result<Vec<(Kind, Felt)>, String> {
        let now = match shard.start.terms {
            Terms::Rules => played(shard, log)?,
            Terms::Contracts(_) => dungeon::updates(shard, log)?,
        };
        let mut updates = Vec::new();
        for (entry, first) in shard.start.entries.iter().zip(&shard.values) {
            let Some(cell) = self.storage.get_mut(&entry.slot()) else {
                return Err(format!("the World began without {}", entry.slot()));
            };
            let update = now.get(&entry.slot()).copied().unwrap_or_default();
            cell.value = match entry.kind {
                Kind::Counter => cell.value + update,
                Kind::Escrow => cell.value + update - first.0,
                Kind::Lock => update,
            };
            updates.push((entry.kind, update));
        }
        Ok(updates)
    }

    /// Takes out what an open shard took along.
    pub(super) fn take(&mut self, shard: &WorldShard) {
        for (entry, value) in shard.start.entries.iter().zip(&shard.values) {
            if entry.kind == Kind::Escrow {
                *self.away.entry(entry.slot()).or_default() += amount(value.0);
            }
        }
    }

    /// The differences between the World's storage and what it should be.
    pub(super) fn compare(&self, world: &WorldContents) -> Vec<String> {
        let mut differences = Vec::new();
        let mut there = BTreeMap::new();
        for cell in &world.storage {
            there.insert(cell.slot(), (cell.kind, cell.value));
        }
        for (key, Value { kind, value }) in &self.storage {
            let away = self.away.get(key).copied().map_or(Felt::ZERO, Felt::from);
            let wanted = (*kind, *value - away);
            match there.remove(key) {
                Some(found) if found == wanted => {}
                found => differences.push(format!(
                    "{kind} {key} is {}, and should be {}",
                    described(found),
                    described(Some(wanted))
                )),
            }
        }
        differences.extend(there.keys().map(|key| format!("{key} is in the World, and wasn't when it began")));
        differences
    }
}

/// What a log of the fixed rules makes of each entry of its shard's settlement list.
fn played(shard: &WorldShard, log: &[Logged]) -> Result<BTreeMap<Slot, Felt>, String> {
    let mut grown = BTreeMap::<Slot, u128>::new();
    let mut purse = BTreeMap::<Slot, u128>::new();
    let mut given = BTreeMap::<Slot, Felt>::new();
    for (entry, value) in shard.start.entries.iter().zip(&shard.values) {
        match entry.kind {
            Kind::Counter => drop(grown.insert(entry.slot(), 0)),
            Kind::Escrow => drop(purse.insert(entry.slot(), amount(value.0))),
            Kind::Lock => drop(given.insert(entry.slot(), value.0)),
        }
    }
    let mut ended = false;
    for (signed, number) in of_rules(log).zip(1..) {
        if ended {
            return Err(format!("transaction {number} comes after the end"));
        }
        let slot = |key: Key| Slot::new(signed.transaction.contract, key);
        let lacks = |key: Key| format!("transaction {number} names {key}, which the shard doesn't have");
        match signed.transaction.call {
            Call::Add { counter, amount } => {
                *grown.get_mut(&slot(counter)).ok_or_else(|| lacks(counter))? += amount;
            }
            Call::Spend { escrow, amount } => {
                withdraw(&mut purse, slot(escrow), amount).ok_or_else(|| lacks(escrow))?
            }
            Call::Pass { from, to, amount } => {
                withdraw(&mut purse, slot(from), amount).ok_or_else(|| lacks(from))?;
                *purse.get_mut(&slot(to)).ok_or_else(|| lacks(to))? += amount;
            }
            Call::Give { lock, to } => *given.get_mut(&slot(lock)).ok_or_else(|| lacks(lock))? = to.0,
            Call::Finish => ended = true,
        }
    }
    if !ended {
        return Err("it is settled, and its log has no end".into());
    }
    let amounts = grown.into_iter().chain(purse).map(|(slot, amount)| (slot, Felt::from(amount)));
    Ok(amounts.chain(given).collect())
}

fn withdraw(purse: &mut BTreeMap<Slot, u128>, escrow: Slot, amount: u128) -> Option<()> {
    let left = purse.get_mut(&escrow)?;
    *left = left.checked_sub(amount)?;
    Some(())
}

fn described(value: Option<(Kind, Felt)>) -> String {
    value.map_or_else(|| "missing".into(), |(kind, value)| format!("{kind} {value:#x}"))
}
