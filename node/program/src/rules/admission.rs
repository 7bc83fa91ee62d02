//! The program's rules, natively: what is refused never enters the sequence, so the program never has to abort a run.
//!
//! Everything accepted is a transaction that the program takes; three rules are only here: an amount is not zero, a shard adds at most
//! [`MAX_INCREMENT`] to a counter, for which the World has room, and the last place in the sequence is kept for the end event.

use crate::{Admission, Change, Checked, Refusal};
use shardwire_model::{
    AccountId, Call, ChainHead, Entry, Felt, Key, Kind, MAX_INCREMENT, MAX_TRANSACTIONS, ShardStart, ShardTransaction,
    Slot, Transaction, TransactionError, finished_selector,
};
use std::sync::Arc;

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

/// What a transaction changes.
#[derive(Debug)]
struct RulesChange {
    /// Its account's place in the whitelist.
    account: usize,
    /// The account's chain with it.
    head: ChainHead,
    /// What the chain was extended by.
    words: [u32; 8],
    /// The new values of entries, by their place in the settlement list.
    values: Vec<(usize, Felt)>,
}

/// The value of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    /// Of a counter or an escrow.
    Amount(u128),
    /// Of a lock.
    Holder(Felt),
    /// The snapshot has none, or one that is out of range.
    Missing,
}

/// The state of a shard of this program.
#[derive(Clone, Debug)]
pub struct RulesAdmission {
    start: ShardStart,
    chains: Vec<Chain>,
    values: Vec<Value>,
    /// The values of the snapshot.
    first: Vec<Value>,
    accepted: u32,
    ended: bool,
}

impl RulesAdmission {
    /// The state before the first transaction. `start` has been validated; where the snapshot has no usable value for an
    /// entry, transactions that touch it are refused (and execution refuses the snapshot).
    #[must_use]
    pub fn new(start: ShardStart, values: &[Felt]) -> Self {
        let commitment = start.commitment();
        let chain = |account: &_| Chain { head: ChainHead::start(commitment, *account), accepted: Vec::new() };
        let value = |(index, entry): (usize, &Entry)| match (entry.kind, values.get(index)) {
            (_, None) => Value::Missing,
            (Kind::Lock, Some(value)) => Value::Holder(*value),
            (_, Some(value)) => u128::try_from(*value).map_or(Value::Missing, Value::Amount),
        };
        let values: Vec<Value> = start.entries.iter().enumerate().map(value).collect();
        Self {
            chains: start.accounts.iter().map(chain).collect(),
            first: values.clone(),
            values,
            accepted: 0,
            ended: false,
            start,
        }
    }

    /// The new values of entries; none for the transaction that ends the shard.
    fn change(&self, transaction: &Transaction) -> Result<Option<Vec<(usize, Felt)>>, Refusal> {
        let Transaction { account, contract, call, .. } = *transaction;
        let slot = |key: Key| Slot::new(contract, key);
        match call {
            Call::Add { counter, amount } => {
                let (index, _) = self.entry(slot(counter), Kind::Counter)?;
                self.grows(slot(counter), index, amount)?;
                Ok(Some(vec![self.more(slot(counter), index, amount)?]))
            }
            Call::Spend { escrow, amount } => {
                let (index, entry) = self.entry(slot(escrow), Kind::Escrow)?;
                owned(&entry, account)?;
                Ok(Some(vec![self.less(slot(escrow), index, amount)?]))
            }
            Call::Pass { from, to, amount } => {
                let (payer, entry) = self.entry(slot(from), Kind::Escrow)?;
                owned(&entry, account)?;
                let (receiver, _) = self.entry(slot(to), Kind::Escrow)?;
                if payer == receiver {
                    return Err(Refusal::SameEscrow(slot(from)));
                }
                let less = self.less(slot(from), payer, amount)?;
                Ok(Some(vec![less, self.more(slot(to), receiver, amount)?]))
            }
            Call::Give { lock, to } => {
                let (index, entry) = self.entry(slot(lock), Kind::Lock)?;
                // A validated start has only locks that the shard holds; the program asserts it too.
                let held =
                    entry.guard == self.start.shard.0 && self.values.get(index) == Some(&Value::Holder(account.0));
                if held { Ok(Some(vec![(index, to.0)])) } else { Err(Refusal::NotHolder { slot: slot(lock), account }) }
            }
            Call::Finish => {
                let (event, selector) = (self.start.end_event, finished_selector());
                if event.from == contract && event.selector == selector {
                    Ok(None)
                } else {
                    Err(Refusal::WrongEvent { contract, selector })
                }
            }
        }
    }

    fn entry(&self, slot: Slot, needed: Kind) -> Result<(usize, Entry), Refusal> {
        let listed = self.start.entry_index(slot).and_then(|index| Some((index, *self.start.entries.get(index)?)));
        let Some((index, entry)) = listed else { return Err(self.unlisted(slot)) };
        if entry.kind != needed {
            return Err(Refusal::WrongKind { slot, got: entry.kind, needed });
        }
        Ok((index, entry))
    }

    /// Why this slot isn't in the settlement list: its key may be another contract's.
    fn unlisted(&self, slot: Slot) -> Refusal {
        let Slot { contract: called, key } = slot;
        match self.start.entries.iter().find(|entry| entry.key == key) {
            Some(Entry { contract: owner, .. }) => Refusal::OtherContract { key, owner: *owner, called },
            None => Refusal::UnknownEntry(slot),
        }
    }

    fn amount(&self, slot: Slot, index: usize, amount: u128) -> Result<u128, Refusal> {
        match self.values.get(index) {
            Some(Value::Amount(_)) if amount == 0 => Err(Refusal::ZeroAmount),
            Some(Value::Amount(value)) => Ok(*value),
            _ => Err(Refusal::NoValue(slot)),
        }
    }

    /// Refuses to let a counter grow by more than a shard may add.
    fn grows(&self, slot: Slot, index: usize, amount: u128) -> Result<(), Refusal> {
        let (Some(Value::Amount(first)), Some(Value::Amount(value))) = (self.first.get(index), self.values.get(index))
        else {
            return Ok(()); // which is refused as such
        };
        let added = value.saturating_sub(*first);
        match added.checked_add(amount) {
            Some(0..=MAX_INCREMENT) => Ok(()),
            _ => Err(Refusal::Increment { slot, added, amount }),
        }
    }

    fn more(&self, slot: Slot, index: usize, amount: u128) -> Result<(usize, Felt), Refusal> {
        let value = self.amount(slot, index, amount)?;
        let sum = value.checked_add(amount).ok_or(Refusal::Overflow { slot, value, amount })?;
        Ok((index, Felt::from(sum)))
    }

    fn less(&self, slot: Slot, index: usize, amount: u128) -> Result<(usize, Felt), Refusal> {
        let value = self.amount(slot, index, amount)?;
        let rest = value.checked_sub(amount).ok_or(Refusal::Insufficient { slot, value, amount })?;
        Ok((index, Felt::from(rest)))
    }
}

impl Admission for RulesAdmission {
    fn check_rules(&self, transaction: &ShardTransaction, _: u64) -> Result<Checked, Refusal> {
        let ShardTransaction::Rules(signed) = transaction else { return Err(Refusal::OtherForm) };
        let transaction = &signed.transaction;
        let account = transaction.account;
        let index = self.start.account_index(account).ok_or(Refusal::UnknownAccount(account))?;
        let chain = self.chains.get(index).ok_or(Refusal::UnknownAccount(account))?;
        let words = transaction.words(&self.start);

        let (expected, got) = (chain.next_nonce(), transaction.nonce);
        let before = got.checked_sub(1).and_then(|place| chain.accepted.get(place as usize));
        if let Some((sequence, known)) = before {
            return match words {
                Ok(words) if words == *known => Ok(Checked::Duplicate { sequence: *sequence }),
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
            TransactionError::Entry(slot) => self.unlisted(slot),
            TransactionError::Account(account) => Refusal::UnknownReceiver(account),
        })?;
        let change = self.change(transaction)?;
        let ends = change.is_none();
        if self.accepted >= MAX_TRANSACTIONS - u32::from(!ends) {
            return Err(Refusal::Full);
        }
        let head = chain.head.extend(words);
        let values = change.unwrap_or_default();
        let inside = Arc::new(RulesChange { account: index, head, words, values });
        Ok(Checked::New(Change::new(self.accepted, ends, Some(head.message()), inside)))
    }

    fn executes(&self) -> bool {
        false
    }

    fn apply(&mut self, change: Change) {
        let sequence = change.sequence();
        debug_assert_eq!(sequence, self.accepted, "a change is good for the state that it was checked against");
        let inside = change.inside::<RulesChange>();
        debug_assert!(inside.is_some(), "a change is good for the program that it is of");
        let Some(RulesChange { account, head, words, values }) = inside else { return };
        if let Some(chain) = self.chains.get_mut(*account) {
            chain.head = *head;
            chain.accepted.push((sequence, *words));
        }
        self.accepted = sequence.saturating_add(1);
        self.ended |= change.ends();
        for (index, felt) in values {
            if let Some(value) = self.values.get_mut(*index) {
                *value = match value {
                    Value::Holder(_) => Value::Holder(*felt),
                    Value::Amount(_) | Value::Missing => u128::try_from(*felt).map_or(Value::Missing, Value::Amount),
                };
            }
        }
    }

    fn fork(&self) -> Box<dyn Admission> {
        Box::new(self.clone())
    }

    fn accepted(&self) -> u32 {
        self.accepted
    }

    fn ended(&self) -> bool {
        self.ended
    }

    fn next_nonces(&self) -> Vec<u64> {
        self.chains.iter().map(|chain| chain.next_nonce().into()).collect()
    }

    fn values(&self) -> Vec<Felt> {
        let felt = |value: &Value| match value {
            Value::Amount(amount) => Felt::from(*amount),
            Value::Holder(felt) => *felt,
            Value::Missing => Felt::ZERO,
        };
        self.values.iter().map(felt).collect()
    }

    fn start(&self) -> &ShardStart {
        &self.start
    }
}

fn owned(entry: &Entry, account: AccountId) -> Result<(), Refusal> {
    if entry.guard == account.0 { Ok(()) } else { Err(Refusal::NotOwner { slot: entry.slot(), account }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_sample::{Player, workload};

    #[test]
    fn the_last_place_is_kept_for_the_end_event() {
        let work = workload(1, 1, 1);
        let (start, game) = (&work.start, work.start.contracts[1]);
        let mut admission = RulesAdmission::new(start.clone(), &work.values);
        let add = Call::Add { counter: start.entries[0].key, amount: 1 };
        let mut player = Player::new(start, &work.keys[0]);
        admission.accepted = MAX_TRANSACTIONS - 2;
        assert!(admission.accept(&player.sign(start, game, add).into(), 0).is_ok());
        let refusal = admission.accept(&player.clone().sign(start, game, add).into(), 0).expect_err("full");
        assert_eq!(
            refusal.to_string(),
            "the shard is full: of its 65536 transactions only the one that ends it is left"
        );
        assert!(admission.accept(&player.sign(start, game, Call::Finish).into(), 0).is_ok());
        assert_eq!(admission.accepted(), MAX_TRANSACTIONS);
    }
}
