//! What a World is, whatever keeps it.

use crate::LedgerError;
use serde::{Deserialize, Serialize};
use shardwire_model::{
    ContractId, Felt, Hash, Key, Kind, Output, PeerId, ShardId, ShardStart, Slot, StartRequest, Timestamp,
};
use std::fmt;

/// Most storage addresses in one answer: with about 100 bytes each, what a control message holds.
pub const MAX_STORAGE_PAGE: usize = 1024;
/// Most shards in one answer.
pub const MAX_SHARD_PAGE: usize = 1024;

/// Where shards start and settle. See the crate's page for the rules.
///
/// Synchronous: a call returns when its effect is durable, so run it where blocking is allowed.
pub trait World: Send + Sync + fmt::Debug {
    /// The network that this World belongs to. It is part of every shard's id.
    fn network(&self) -> &str;

    /// Starts a shard, which may not be aborted for being late before its deadline.
    ///
    /// # Errors
    /// If the request contradicts itself, names storage that doesn't exist or is of another kind, asks for more than a balance, for a
    /// lock that is held, or was started before. Nothing has changed then.
    fn start(&self, request: &StartRequest, deadline: Timestamp, now: Timestamp) -> Result<Started, LedgerError>;

    /// Applies the output of a shard, once. `proof` is the content hash of the proof that the caller *verified*.
    ///
    /// # Errors
    /// If the shard is unknown, settled with another proof, or aborted; if the output is of another segment or state, not ended, or its
    /// updates can't be merged. Nothing has changed then.
    fn settle(&self, output: &Output, proof: Hash, now: Timestamp) -> Result<Settled, LedgerError>;

    /// Gives up a shard: escrows and locks return. Doing so again changes nothing.
    ///
    /// # Errors
    /// If the shard is unknown or settled. Nothing has changed then.
    fn abort(&self, shard: ShardId, now: Timestamp) -> Result<Aborted, LedgerError>;

    /// Everything about a shard.
    ///
    /// # Errors
    /// If the World can't be read.
    fn shard(&self, shard: ShardId) -> Result<Option<ShardRecord>, LedgerError>;

    /// Shards in the order of their ids, from after the given one; at most `limit` and [`MAX_SHARD_PAGE`].
    ///
    /// # Errors
    /// If the World can't be read.
    fn shards(&self, after: Option<ShardId>, limit: usize) -> Result<Vec<ShardSummary>, LedgerError>;

    /// The started and not yet closed shards of an operator, in the order of their ids, from after the given one; at most `limit` and
    /// [`MAX_SHARD_PAGE`].
    ///
    /// # Errors
    /// If the World can't be read.
    fn open_shards(&self, operator: PeerId, after: Option<ShardId>, limit: usize) -> Result<Vec<ShardId>, LedgerError>;

    /// Storage in the order of its addresses, from after the given one; at most `limit` and [`MAX_STORAGE_PAGE`].
    ///
    /// # Errors
    /// If the World can't be read.
    fn storage(&self, after: Option<Slot>, limit: usize) -> Result<Vec<StorageEntry>, LedgerError>;
}

/// A shard that just started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// What the World fixed.
    pub start: ShardStart,
    /// The value of each entry of the settlement list when it started.
    pub values: Vec<Felt>,
    /// The commitment to both, which the shard's output has to name.
    pub before: Felt,
    /// When.
    pub at: Timestamp,
}

/// The record of a settlement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// What was applied.
    pub output: Output,
    /// The content hash of its proof.
    pub proof: Hash,
    /// When.
    pub at: Timestamp,
}

/// The answer to a settlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The record, of this settlement or of the earlier one.
    pub settlement: Settlement,
    /// Whether the shard had been settled with this proof before, so that nothing changed.
    pub repeated: bool,
}

/// The answer to an abort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aborted {
    /// When the shard was aborted.
    pub at: Timestamp,
    /// Whether that was before, so that nothing changed.
    pub repeated: bool,
}

/// Everything about a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardRecord {
    /// What it was started with.
    pub start: ShardStart,
    /// The value of each entry of the settlement list when it started.
    pub values: Vec<Felt>,
    /// The commitment to both.
    pub before: Felt,
    /// When it started.
    pub started_at: Timestamp,
    /// What became of it.
    pub state: ShardState,
}

/// What became of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardState {
    /// It may settle.
    Started,
    /// It has.
    Settled(Box<Settlement>),
    /// It never will.
    Aborted {
        /// When.
        at: Timestamp,
    },
}

/// Where a shard stands, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It may settle.
    Started,
    /// It has.
    Settled {
        /// The content hash of its proof.
        proof: Hash,
        /// When.
        at: Timestamp,
    },
    /// It never will.
    Aborted {
        /// When.
        at: Timestamp,
    },
}

/// A shard in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardSummary {
    /// Its name.
    pub shard: ShardId,
    /// Who executes it.
    pub operator: PeerId,
    /// When it started.
    pub started_at: Timestamp,
    /// Where it stands.
    pub stage: Stage,
}

/// A storage address of the World.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageEntry {
    /// The contract whose storage it is.
    pub contract: ContractId,
    /// The address in it.
    pub key: Key,
    /// How it merges.
    pub kind: Kind,
    /// Where the counter stands, the balance (without what is in escrow), the lock's value.
    #[serde(with = "shardwire_model::felt::wire")]
    pub value: Felt,
    /// What running shards hold of the balance.
    #[serde(with = "shardwire_model::amount")]
    pub in_escrow: u128,
    /// The shard that holds the lock.
    pub held_by: Option<ShardId>,
}

impl StorageEntry {
    /// Which storage slot it is of.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        Slot::new(self.contract, self.key)
    }
}
