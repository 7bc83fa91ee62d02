//! The shard program's rules, natively: what is refused never enters the sequence, so the program never has to abort a run.
//!
//! [`Admission`] holds the state of a shard after all accepted transactions. [`Admission::accept`] either changes it and says
//! the transaction's place in the sequence, or changes nothing and says why not ([`Refusal`]). Everything accepted is a
//! transaction that the program takes; two rules are only here: an amount is not zero, and the last place in the sequence is
//! kept for the end event.
//!
//! Accepting is idempotent: the same transaction again is a duplicate and keeps its place, whatever its signature.
//! Whoever restarts feeds a new `Admission` the log; the same log gives the same state.

mod refusal;

pub use refusal::Refusal;

use shardwire_model::{
    AccountId, Call, ChainHead, ContractId, Entry, Felt, Key, Kind, MAX_TRANSACTIONS, ShardStart, SignedTransaction,
    Transaction, TransactionError, finished_selector,
};

/// What became of a transaction that isn't refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is now in the sequence.
    Accepted {
        /// Where, from 0.
        sequence: u32,
    },
    /// It was in the sequence already.
    Duplicate {
        /// Where, from 0.
        sequence: u32,
    },
}

/// One account's chain so far.
#[derive(Clone, Debug)]
struct Chain {
    head: ChainHead,
    /// The place in the sequence and the words of each of its transactions, by nonce from 1.
    accepted: Vec<(u32, [u32; 8])>,
}

impl Chain {
    fn next_nonce(&self) -> u32 {
        // As many as transactions, and those are bounded.
        u32::try_from(self.accepted.len()).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// The value of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    /// Of a counter or an escrow.
    Amount(u64),
    /// Of a lock.
    Held(Felt),
    /// The snapshot has none, or one that is out of range.
    Missing,
}

/// What an accepted transaction changes.
#[derive(Clone, Copy, Debug)]
enum Change {
    Set(usize, Value),
    SetTwo((usize, Value), (usize, Value)),
    End,
}

/// The state of a shard, and what may happen next in it.
#[derive(Clone, Debug)]
pub struct Admission {
    start: ShardStart,
    chains: Vec<Chain>,
    values: Vec<Value>,
    accepted: u32,
    ended: bool,
}

impl Admission {
    /// The state before the first transaction. `start` has been validated; where the snapshot has no usable value for an
    /// entry, transactions that touch it are refused (and execution refuses the snapshot).
    #[must_use]
    pub fn new(start: ShardStart, values: &[Felt]) -> Self {
        let commitment = start.commitment();
        let chain = |account: &_| Chain { head: ChainHead::start(commitment, *account), accepted: Vec::new() };
        let value = |(index, entry): (usize, &Entry)| match (entry.kind, values.get(index)) {
            (_, None) => Value::Missing,
            (Kind::Lock, Some(value)) => Value::Held(*value),
            (_, Some(value)) => u64::try_from(*value).map_or(Value::Missing, Value::Amount),
        };
        Self {
            chains: start.accounts.iter().map(chain).collect(),
            values: start.entries.iter().enumerate().map(value).collect(),
            accepted: 0,
            ended: false,
            start,
        }
    }

    /// What the signature of a transaction has to be of, if it is the next one of its account: it can be checked elsewhere then, and
    /// [`accept_checked`](Self::accept_checked) told.
    #[must_use]
    pub fn message(&self, transaction: &Transaction) -> Option<Felt> {
        let chain = self.chains.get(self.start.account_index(transaction.account)?)?;
        let words = transaction.words(&self.start).ok()?;
        (transaction.nonce == chain.next_nonce()).then(|| chain.head.extend(words).message())
    }

    /// As [`accept`](Self::accept), of a transaction whose signature was checked: `good` says whether it is one of
    /// [`message`](Self::message).
    ///
    /// # Errors
    /// [`Refusal`]: the first rule that it breaks.
    pub fn accept_checked(&mut self, signed: &SignedTransaction, good: bool) -> Result<Verdict, Refusal> {
        self.take(signed, |_| good)
    }

    /// Gives a transaction its place in the sequence, or refuses it.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn accept(&mut self, signed: &SignedTransaction) -> Result<Verdict, Refusal> {
        self.take(signed, |message| signed.signature.verifies(signed.transaction.account, message))
    }

    fn take(&mut self, signed: &SignedTransaction, good: impl FnOnce(Felt) -> bool) -> Result<Verdict, Refusal> {
        let transaction = &signed.transaction;
        let account = transaction.account;
        let index = self.start.account_index(account).ok_or(Refusal::UnknownAccount(account))?;
        let chain = self.chains.get(index).ok_or(Refusal::UnknownAccount(account))?;
        let words = transaction.words(&self.start);

        let (expected, got) = (chain.next_nonce(), transaction.nonce);
        let before = got.checked_sub(1).and_then(|place| chain.accepted.get(place as usize));
        if let Some((sequence, known)) = before {
            return match words {
                Ok(words) if words == *known => Ok(Verdict::Duplicate { sequence: *sequence }),
                _ => Err(Refusal::UsedNonce { account, expected, got }),
            };
        }
        if self.ended {
            return Err(Refusal::Ended);
        }
        if got != expected {
            return Err(Refusal::BadNonce { account, expected, got });
        }
        let words = words.map_err(|error| match error {
            TransactionError::Contract(contract) => Refusal::UnknownContract(contract),
            TransactionError::Entry(key) => Refusal::UnknownEntry(key),
            TransactionError::Account(account) => Refusal::UnknownReceiver(account),
        })?;
        let change = self.change(transaction)?;
        if self.accepted >= MAX_TRANSACTIONS - u32::from(!matches!(change, Change::End)) {
            return Err(Refusal::Full);
        }
        // Last, because it costs the most.
        let head = chain.head.extend(words);
        if !good(head.message()) {
            return Err(Refusal::BadSignature(account));
        }

        let sequence = self.accepted;
        if let Some(chain) = self.chains.get_mut(index) {
            chain.head = head;
            chain.accepted.push((sequence, words));
        }
        self.accepted += 1;
        match change {
            Change::Set(entry, value) => self.set(entry, value),
            Change::SetTwo((first, a), (second, b)) => {
                self.set(first, a);
                self.set(second, b);
            }
            Change::End => self.ended = true,
        }
        Ok(Verdict::Accepted { sequence })
    }

    /// Transactions in the sequence.
    #[must_use]
    pub const fn accepted(&self) -> u32 {
        self.accepted
    }

    /// Whether the end event is in the sequence.
    #[must_use]
    pub const fn ended(&self) -> bool {
        self.ended
    }

    /// The nonce that each account's next transaction has, in the whitelist's order.
    #[must_use]
    pub fn next_nonces(&self) -> Vec<u32> {
        self.chains.iter().map(Chain::next_nonce).collect()
    }

    /// The value of each entry now, in the settlement list's order; zero where the snapshot had none.
    #[must_use]
    pub fn values(&self) -> Vec<Felt> {
        let felt = |value: &Value| match value {
            Value::Amount(amount) => Felt::from(*amount),
            Value::Held(felt) => *felt,
            Value::Missing => Felt::ZERO,
        };
        self.values.iter().map(felt).collect()
    }

    /// The start data.
    #[must_use]
    pub const fn start(&self) -> &ShardStart {
        &self.start
    }

    fn set(&mut self, index: usize, value: Value) {
        if let Some(place) = self.values.get_mut(index) {
            *place = value;
        }
    }

    fn change(&self, transaction: &Transaction) -> Result<Change, Refusal> {
        let Transaction { account, contract, call, .. } = *transaction;
        match call {
            Call::Add { counter, amount } => {
                let (index, _) = self.entry(counter, contract, Kind::Counter)?;
                Ok(Change::Set(index, self.more(counter, index, amount)?))
            }
            Call::Spend { escrow, amount } => {
                let (index, entry) = self.entry(escrow, contract, Kind::Escrow)?;
                owned(&entry, account)?;
                Ok(Change::Set(index, self.less(escrow, index, amount)?))
            }
            Call::Pass { from, to, amount } => {
                let (payer, entry) = self.entry(from, contract, Kind::Escrow)?;
                owned(&entry, account)?;
                let (receiver, _) = self.entry(to, contract, Kind::Escrow)?;
                if payer == receiver {
                    return Err(Refusal::SameEscrow(from));
                }
                let less = self.less(from, payer, amount)?;
                Ok(Change::SetTwo((payer, less), (receiver, self.more(to, receiver, amount)?)))
            }
            Call::Give { lock, to } => {
                let (index, entry) = self.entry(lock, contract, Kind::Lock)?;
                // A validated start has only locks that the shard holds; the program asserts it too.
                let held = entry.guard == self.start.shard.0 && self.values.get(index) == Some(&Value::Held(account.0));
                if held {
                    Ok(Change::Set(index, Value::Held(to.0)))
                } else {
                    Err(Refusal::NotHolder { key: lock, account })
                }
            }
            Call::Finish => {
                let (event, selector) = (self.start.end_event, finished_selector());
                if event.from == contract && event.selector == selector {
                    Ok(Change::End)
                } else {
                    Err(Refusal::WrongEvent { contract, selector })
                }
            }
        }
    }

    fn entry(&self, key: Key, called: ContractId, needed: Kind) -> Result<(usize, Entry), Refusal> {
        let index = self.start.entry_index(key).ok_or(Refusal::UnknownEntry(key))?;
        let entry = *self.start.entries.get(index).ok_or(Refusal::UnknownEntry(key))?;
        if entry.kind != needed {
            return Err(Refusal::WrongKind { key, got: entry.kind, needed });
        }
        if entry.contract != called {
            return Err(Refusal::OtherContract { key, owner: entry.contract, called });
        }
        Ok((index, entry))
    }

    fn amount(&self, key: Key, index: usize, amount: u64) -> Result<u64, Refusal> {
        match self.values.get(index) {
            Some(Value::Amount(_)) if amount == 0 => Err(Refusal::ZeroAmount),
            Some(Value::Amount(value)) => Ok(*value),
            _ => Err(Refusal::NoValue(key)),
        }
    }

    fn more(&self, key: Key, index: usize, amount: u64) -> Result<Value, Refusal> {
        let value = self.amount(key, index, amount)?;
        value.checked_add(amount).map(Value::Amount).ok_or(Refusal::Overflow { key, value, amount })
    }

    fn less(&self, key: Key, index: usize, amount: u64) -> Result<Value, Refusal> {
        let value = self.amount(key, index, amount)?;
        value.checked_sub(amount).map(Value::Amount).ok_or(Refusal::Insufficient { key, value, amount })
    }
}

fn owned(entry: &Entry, account: AccountId) -> Result<(), Refusal> {
    if entry.guard == account.0 { Ok(()) } else { Err(Refusal::NotOwner { key: entry.key, account }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Player, workload};

    #[test]
    fn the_last_place_is_kept_for_the_end_event() {
        let work = workload(1, 1, 1);
        let (start, game) = (&work.start, work.start.contracts[1]);
        let mut admission = Admission::new(start.clone(), &work.values);
        let add = Call::Add { counter: start.entries[0].key, amount: 1 };
        let mut player = Player::new(start, &work.keys[0]);
        admission.accepted = MAX_TRANSACTIONS - 2;
        assert!(admission.accept(&player.sign(start, game, add)).is_ok());
        let refusal = admission.accept(&player.clone().sign(start, game, add)).expect_err("full");
        assert_eq!(
            refusal.to_string(),
            "the shard is full: of its 65536 transactions only the one that ends it is left"
        );
        assert!(admission.accept(&player.sign(start, game, Call::Finish)).is_ok());
        assert_eq!(admission.accepted(), MAX_TRANSACTIONS);
    }
}
