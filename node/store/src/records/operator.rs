//! What an operator remembers.

use super::{SignedBytes, WireFelt};
use crate::{Migration, RecordKey};
use serde::{Deserialize, Serialize};
use shardwire_model::{
    Hash, Logged, Output, PeerId, SegmentId, ShardId, ShardStart, SignedTransaction, Timestamp, without_terms,
};

tables! {
    /// The shards assigned to it.
    ASSIGNMENTS: ShardId => Assignment = ("operator.assignments", 2);
    /// By what each was assigned, as its settler signed it. A shard that was assigned before that was signed has none yet.
    ASSIGNED: ShardId => SignedBytes = ("operator.assigned", 1);
    /// Accepted transactions in their sequence. The log *is* the shard: execution is replayed from it.
    TRANSACTIONS: LogKey => Logged = ("operator.transactions", 2);
    /// How a run's execution ended, once it did.
    EXECUTIONS: SegmentId => Executed = ("operator.executions", 1);
    /// The latest trace lease of a segment.
    LEASES: SegmentId => TraceLease = ("operator.leases", 1);
}

/// A shard that this operator accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The World's start data.
    pub start: ShardStart,
    /// The value of each entry at the start.
    pub values: Vec<WireFelt>,
    /// Who assigned it.
    pub settler: PeerId,
    /// The handoff lease's epoch.
    pub epoch: u64,
}

/// An assignment of version 1: start data had no terms.
#[derive(Serialize, Deserialize)]
pub(super) struct AssignmentOf1 {
    pub(super) start: without_terms::Start,
    pub(super) values: Vec<WireFelt>,
    pub(super) settler: PeerId,
    pub(super) epoch: u64,
}

/// All shards were of the fixed rules.
pub(super) const ASSIGNMENTS_FROM_1: Migration = Migration {
    table: "operator.assignments",
    from: 1,
    run: |rows| {
        let table = "operator.assignments";
        for (key, record) in rows.all(table)? {
            let AssignmentOf1 { start, values, settler, epoch } = crate::table::read(table, &record)?;
            rows.put_record(table, &key, &Assignment { start: start.into_present(), values, settler, epoch })?;
        }
        Ok(())
    },
};

/// Version 1 had transactions of the fixed rules, and not when they were accepted.
pub(super) const TRANSACTIONS_FROM_1: Migration = Migration {
    table: "operator.transactions",
    from: 1,
    run: |rows| {
        let table = "operator.transactions";
        for (key, record) in rows.all(table)? {
            let signed: SignedTransaction = crate::table::read(table, &record)?;
            rows.put_record(table, &key, &Logged { transaction: signed.into(), time: 0, reverted: false })?;
        }
        Ok(())
    },
};

/// The place of a transaction in a shard's sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogKey {
    /// The shard whose log it is in.
    pub shard: ShardId,
    /// Its place in the log, from 0.
    pub sequence: u32,
}

/// A witness chunk in the data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredChunk {
    /// The hash of its body.
    pub hash: Hash,
    /// The length of its body, in bytes.
    pub raw_bytes: u32,
    /// Its length when compressed, in bytes.
    pub wire_bytes: u32,
}

/// A finished execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executed {
    /// All chunks of its witness.
    pub chunks: Vec<StoredChunk>,
    /// Steps of the virtual machine.
    pub steps: u64,
    /// The output of the shard program.
    pub output: Output,
    /// From its beginning to its end, in milliseconds; waiting for transactions is included.
    pub execute_ms: u64,
}

/// A lease of a shard's trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceLease {
    /// The fencing epoch: what carries a lower one is refused.
    pub epoch: u64,
    /// Who holds it.
    pub prover: PeerId,
    /// The date at which it ends unless it is renewed.
    pub expires: Timestamp,
    /// The proof that it led to.
    pub proof: Option<Hash>,
}

impl RecordKey for LogKey {
    fn to_bytes(&self) -> Vec<u8> {
        [&self.shard.0.to_bytes_be()[..], &self.sequence.to_be_bytes()].concat()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (shard, sequence) = bytes.split_at_checked(32)?;
        Some(Self { shard: ShardId::from_bytes(shard)?, sequence: u32::from_be_bytes(sequence.try_into().ok()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::Felt;

    #[test]
    fn log_keys_sort_by_shard_then_sequence() {
        let id = |n: u64| ShardId(Felt::from(n));
        let key = |shard, sequence| LogKey { shard: id(shard), sequence }.to_bytes();
        assert!(key(1, 255) < key(1, 256));
        assert!(key(1, u32::MAX) < key(2, 0));
        assert_eq!(LogKey::from_bytes(&key(7, 300)), Some(LogKey { shard: id(7), sequence: 300 }));
        assert_eq!(LogKey::from_bytes(&[0; 35]), None);
    }
}
