//! What an operator remembers.

use super::WireFelt;
use crate::RecordKey;
use serde::{Deserialize, Serialize};
use shardwire_model::{Hash, Output, PeerId, SegmentId, ShardId, ShardStart, SignedTransaction, Timestamp};

tables! {
    /// The shards assigned to it.
    ASSIGNMENTS: ShardId => Assignment = ("operator.assignments", 1);
    /// Accepted transactions in their sequence. The log *is* the shard: execution is replayed from it.
    TRANSACTIONS: LogKey => SignedTransaction = ("operator.transactions", 1);
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
