//! ABI 1: start data and outputs as data folders of that time keep them, and what they became.
//!
//! Start data named neither a program nor a deadline, and storage was known by its address alone: an output's updates were those of the
//! settlement list, in its order, which is where their contracts are found. Nothing of ABI 1 is executed, proven or settled any more; these
//! types are read by the migrations of records and of the World, and by nothing else.

use crate::{
    AccountId, ContractId, Entry, EventId, Felt, Key, Kind, PeerId, ShardId, ShardStart, Timestamp, felt, without_terms,
};
use serde::{Deserialize, Serialize};

/// Its number.
pub const VERSION: u64 = 1;

/// Start data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The shard.
    pub shard: ShardId,
    /// Who executed it.
    pub operator: PeerId,
    /// Whitelisted contracts.
    pub contracts: Vec<ContractId>,
    /// Whitelisted accounts.
    pub accounts: Vec<AccountId>,
    /// The event that ended it.
    pub end_event: EventId,
    /// The settlement list.
    pub entries: Vec<Entry>,
}

impl Start {
    /// As start data was after it: no program ([`ShardStart::is_outdated`]), and a deadline that has passed.
    #[must_use]
    pub fn into_next(self) -> without_terms::Start {
        let Self { shard, operator, contracts, accounts, end_event, entries } = self;
        let (program, deadline) = (Felt::ZERO, Timestamp(0));
        without_terms::Start { shard, program, operator, contracts, accounts, end_event, deadline, entries }
    }
}

/// What became of an entry of the settlement list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// Whether it is a counter, an escrow or a lock.
    pub kind: Kind,
    /// The storage address.
    pub key: Key,
    /// As [`crate::Update`] has it.
    #[serde(with = "felt::wire")]
    pub value: Felt,
}

/// The output of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The shard.
    pub shard: ShardId,
    /// Which segment of the shard's run.
    pub segment: u32,
    /// The commitment of the state before.
    #[serde(with = "felt::wire")]
    pub before: Felt,
    /// The commitment of the state after.
    #[serde(with = "felt::wire")]
    pub after: Felt,
    /// The commitment of the transactions.
    #[serde(with = "felt::wire")]
    pub transactions: Felt,
    /// How many transactions were executed.
    pub count: u32,
    /// Whether the end event was emitted.
    pub ended: bool,
    /// What changed.
    pub updates: Vec<Update>,
}

impl Output {
    /// As outputs are today, with the contracts of the settlement list; none if the updates aren't those of the list.
    #[must_use]
    pub fn into_present(self, start: &ShardStart) -> Option<crate::Output> {
        let Self { shard, segment, before, after, transactions, count, ended, updates } = self;
        if updates.len() != start.entries.len() {
            return None;
        }
        let update = |(update, entry): (Update, &Entry)| {
            let Update { kind, key, value } = update;
            let is_listed = (kind, key) == (entry.kind, entry.key);
            is_listed.then_some(crate::Update { kind, contract: entry.contract, key, value })
        };
        let updates = updates.into_iter().zip(&start.entries).map(update).collect::<Option<_>>()?;
        let (program, reads) = (start.program, Felt::ZERO);
        Some(crate::Output { program, shard, segment, before, after, reads, transactions, count, ended, updates })
    }
}
