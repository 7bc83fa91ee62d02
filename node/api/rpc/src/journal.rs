//! What has happened in a shard, as a chain of blocks: a transaction is a block.
//!
//! The room that executes pushes an [`Entry`] once its transaction is durable. Nothing is ever taken out: a shard has at most
//! [`MAX_TRANSACTIONS`](shardwire_model::MAX_TRANSACTIONS). The block before the first transaction is the state that the shard began from. Hashes of blocks
//! derive from the log, so a journal that is made again from the log has the same.

use shardwire_model::{
    ContractId, Felt, Key, ShardId, Slot,
    execution::{Event, Receipt, Sent},
};
use starknet_types_core::hash::{Poseidon, StarkHash as _};
use std::{
    collections::HashMap,
    num::NonZeroU64,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

/// What makes the hash of a block another than that of anything else.
const DOMAIN: &[u8] = b"SHARDWIRE_BLOCK_1";

/// What a shard began from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The shard.
    pub shard: ShardId,
    /// Its start commitment: what the first block's hash derives from.
    pub commitment: Felt,
    /// The number of the first transaction's block. The state that the shard began from is the block before.
    pub first_block: NonZeroU64,
    /// When it began, in seconds since the Unix epoch.
    pub begins: u64,
    /// What contracts are told as the sequencer's address.
    pub sequencer: Felt,
    /// The version of Starknet whose rules execute.
    pub starknet_version: String,
}

/// A transaction in the log, and what became of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The transaction.
    pub transaction: Sent,
    /// What became of it.
    pub receipt: Arc<Receipt>,
    /// The operator's signed receipt; empty if there is none.
    pub signed: Vec<u8>,
}

impl Entry {
    /// Whether it uses a nonce of its account.
    pub(crate) const fn uses_nonce(&self) -> bool {
        matches!(self.transaction, Sent::Invoke(_))
    }

    /// Felts of the transaction and of all that it did: what an answer about it costs.
    pub(crate) fn felts(&self) -> usize {
        let events: usize = self.receipt.events.iter().map(Event::felts).sum();
        self.transaction.felts() + events + 2 * self.receipt.diff.storage.len()
    }
}

/// See the [module](self).
#[derive(Debug)]
pub struct Journal {
    origin: Origin,
    begin: Felt,
    log: RwLock<Log>,
}

#[derive(Debug, Default)]
struct Log {
    /// The entries, each with its block's hash.
    entries: Vec<(Felt, Arc<Entry>)>,
    /// Places of transactions by hash.
    places: HashMap<Felt, u32>,
    /// Heights by block hash.
    heights: HashMap<Felt, u32>,
    /// The values of each slot, with the place of the transaction that wrote it, ascending.
    values: HashMap<Slot, Vec<(u32, Felt)>>,
    /// Places of the transactions of each account that used a nonce, ascending.
    sent: HashMap<ContractId, Vec<u32>>,
}

/// What a slot held at a height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// A transaction wrote it, at this place.
    Written(u32, Felt),
    /// What it held before the first transaction.
    First,
}

/// What an account's nonce was at a height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// The nonce of its next transaction then.
    Nonce(u64),
    /// What it was before the first transaction, and still is.
    First,
}

impl Journal {
    /// A shard without a transaction.
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        let begin = Poseidon::hash_array(&[Felt::from_bytes_be_slice(DOMAIN), origin.shard.0, origin.commitment]);
        let log = Log { heights: HashMap::from([(begin, 0)]), ..Log::default() };
        Self { origin, begin, log: RwLock::new(log) }
    }

    /// Takes in the next transaction of the log.
    pub fn push(&self, entry: Entry) {
        let mut log = self.log.write().unwrap_or_else(PoisonError::into_inner);
        let parent = log.entries.last().map_or(self.begin, |(hash, _)| *hash);
        let receipt = &entry.receipt;
        let felts = [Felt::from_bytes_be_slice(DOMAIN), parent, receipt.hash, receipt.time.into()];
        let (hash, place) = (Poseidon::hash_array(&felts), length(&log.entries));
        log.places.insert(receipt.hash, place);
        log.heights.insert(hash, place + 1);
        for (slot, value) in &receipt.diff.storage {
            log.values.entry(*slot).or_default().push((place, *value));
        }
        if let Sent::Invoke(invoke) = &entry.transaction {
            log.sent.entry(invoke.sender).or_default().push(place);
        }
        log.entries.push((hash, Arc::new(entry)));
    }

    /// What the shard began from.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// How many transactions there are.
    #[must_use]
    pub fn height(&self) -> u32 {
        length(&self.read().entries)
    }

    /// The transaction at a place, from 0.
    #[must_use]
    pub fn entry(&self, place: u32) -> Option<Arc<Entry>> {
        self.read().entries.get(index(place)).map(|(_, entry)| entry.clone())
    }

    /// The place of the transaction with this hash.
    #[must_use]
    pub fn place(&self, hash: Felt) -> Option<u32> {
        self.read().places.get(&hash).copied()
    }

    /// The hash of the block after so many transactions.
    #[must_use]
    pub fn block_hash(&self, height: u32) -> Option<Felt> {
        match height.checked_sub(1) {
            None => Some(self.begin),
            Some(place) => self.read().entries.get(index(place)).map(|(hash, _)| *hash),
        }
    }

    /// How many transactions there were at the block with this hash.
    pub(crate) fn height_of(&self, block: Felt) -> Option<u32> {
        self.read().heights.get(&block).copied()
    }

    /// The number of the block after so many transactions.
    #[must_use]
    pub fn number(&self, height: u32) -> u64 {
        (self.origin.first_block.get() - 1).saturating_add(height.into())
    }

    /// What a slot held after so many transactions.
    pub(crate) fn value(&self, contract: ContractId, key: Key, height: u32) -> Held {
        let log = self.read();
        let Some(values) = log.values.get(&Slot::new(contract, key)) else { return Held::First };
        let until = values.partition_point(|(place, _)| *place < height);
        match until.checked_sub(1).and_then(|last| values.get(last)) {
            Some((place, value)) => Held::Written(*place, *value),
            None => Held::First,
        }
    }

    /// What a contract's nonce was after so many transactions.
    pub(crate) fn nonce(&self, contract: ContractId, height: u32) -> Counted {
        let log = self.read();
        let Some(sent) = log.sent.get(&contract) else { return Counted::First };
        let nonce = |place: u32| log.entries.get(index(place)).map(|(_, entry)| entry.receipt.nonce);
        let until = sent.partition_point(|place| *place < height);
        // The nonce of the next transaction, or one more than that of the last.
        match sent.get(until).copied().and_then(nonce) {
            Some(next) => Counted::Nonce(next),
            None => sent.last().copied().and_then(nonce).map_or(Counted::First, |last| Counted::Nonce(last + 1)),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Log> {
        // What a thread pushes is whole or, if it panicked before the last line, not counted.
        self.log.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn length<T>(entries: &[T]) -> u32 {
    u32::try_from(entries.len()).unwrap_or(u32::MAX) // At most MAX_TRANSACTIONS.
}

fn index(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn the_same_log_has_the_same_hashes_and_another_has_others() {
        let hashes = |times: &[u64]| {
            let journal = Journal::new(sample::origin());
            for (i, time) in (0..).zip(times) {
                let mut entry = sample::entry(1, i, Vec::new());
                Arc::make_mut(&mut entry.receipt).time = *time;
                journal.push(entry);
            }
            (0..=journal.height()).filter_map(|height| journal.block_hash(height)).collect::<Vec<_>>()
        };
        let first = hashes(&[7, 8, 9]);
        assert_eq!(first, hashes(&[7, 8, 9]));
        assert_eq!(first.len(), 4);
        let second = hashes(&[7, 9, 9]);
        assert_eq!(first[..2], second[..2]);
        assert!(first.iter().skip(2).all(|hash| !second.contains(hash)));
        let other = Journal::new(Origin { commitment: Felt::TWO, ..sample::origin() });
        assert_ne!(other.block_hash(0), Some(first[0]));
    }

    #[test]
    fn a_session_call_uses_no_nonce_of_its_account() {
        let journal = Journal::new(sample::origin());
        for entry in [sample::entry(9, 5, Vec::new()), sample::session(9, 6), sample::entry(9, 6, Vec::new())] {
            journal.push(entry);
        }
        journal.push(sample::session(8, 8));
        let nonce = |account: u64, height| journal.nonce(ContractId(account.into()), height);
        assert_eq!([0, 1, 2, 3, 4].map(|height| nonce(9, height)), [5, 6, 6, 7, 7].map(Counted::Nonce));
        assert_eq!(nonce(8, 4), Counted::First);
    }

    #[test]
    fn what_was_written_is_found_at_each_height() {
        let journal = Journal::new(sample::origin());
        let (contract, key) = (ContractId(Felt::ONE), Key(Felt::TWO));
        for (nonce, value) in [(5, Some(10u64)), (6, None), (7, Some(30))] {
            let mut entry = sample::entry(9, nonce, Vec::new());
            let storage = value.map(|value| (Slot::new(contract, key), value.into()));
            Arc::make_mut(&mut entry.receipt).diff.storage = storage.into_iter().collect();
            journal.push(entry);
        }
        let at = |height| journal.value(contract, key, height);
        assert_eq!(
            [at(0), at(1), at(2), at(3)],
            [Held::First, Held::Written(0, 10.into()), Held::Written(0, 10.into()), Held::Written(2, 30.into())]
        );
        assert_eq!(journal.value(contract, Key(Felt::ONE), 3), Held::First);
        let nonce = |height| journal.nonce(ContractId(9.into()), height);
        assert_eq!([nonce(0), nonce(1), nonce(2), nonce(3)], [5, 6, 7, 8].map(Counted::Nonce));
        assert_eq!(journal.nonce(contract, 3), Counted::First);
        assert_eq!([journal.number(0), journal.number(3)], [99, 102]);
        let known = journal.block_hash(2).and_then(|hash| journal.height_of(hash));
        assert_eq!(known, Some(2));
    }
}
