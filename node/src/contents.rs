//! What a node's data folder says, without the files' layout: for people, for programs and for those who check a network.
//!
//! Plain data. A node that runs knows more (who is connected, how far a worker is); what is here is what it has made durable, and
//! all that is left of it after a crash. The lists are as long as the folder's: a reader bounds that.

use serde::{Deserialize, Serialize};
use shardwire_model::{
    Felt, Hash, Logged, Output, PeerId, ShardId, ShardStart, Timestamp, felt,
    life::{Ended, HistoryEntry, Part},
};
use shardwire_protocols::{Signed, proof};
use shardwire_reputation::{Ban, Components};
use shardwire_world::StorageEntry;

/// A node, by its data folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeContents {
    /// The node's or the peer's id.
    pub peer: PeerId,
    /// The World, if it settles.
    pub world: Option<WorldContents>,
    /// The shards that it operates, in the order of their ids.
    pub operated: Vec<OperatedShard>,
    /// The jobs that it proves, in the order of their ids.
    pub jobs: Vec<ProverJob>,
    /// What its peers have earned with it, in the order of their ids.
    pub peers: Vec<PeerScore>,
    /// What it has signed of the lives of shards, in the order of shard, role, job and number: a history each.
    pub histories: Vec<Signed<HistoryEntry>>,
}

impl NodeContents {
    /// The histories, one by one.
    pub fn parts(&self) -> impl Iterator<Item = (Part, &[Signed<HistoryEntry>])> {
        let chunks = self.histories.chunk_by(|a, b| a.statement.part == b.statement.part);
        chunks.filter_map(|entries| Some((entries.first()?.statement.part, entries)))
    }
}

/// A World, by its file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorldContents {
    /// Its storage, in the order of the keys.
    pub storage: Vec<StorageEntry>,
    /// Every shard ever started in it, in the order of the ids.
    pub shards: Vec<WorldShard>,
}

/// A shard in a World.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorldShard {
    /// What the World fixed.
    pub start: ShardStart,
    /// The value of each entry of the settlement list when it started; of an escrow, how much the shard took.
    pub values: Vec<Value>,
    /// When it started.
    pub started_at: Timestamp,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(clippy::large_enum_variant, reason = "one a shard, read once")]
pub enum Fate {
    /// It runs, or waits for its proof.
    Open,
    /// Its output was applied.
    Settled {
        /// The output that was applied.
        output: Output,
        /// The proof that was accepted.
        proof: Hash,
        /// The date of the World's transaction.
        at: Timestamp,
    },
    /// It was given up.
    Aborted {
        /// The date of the World's transaction.
        at: Timestamp,
    },
}

/// A shard at its operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatedShard {
    /// The World's start data.
    pub start: ShardStart,
    /// Every accepted transaction, in its sequence.
    pub log: Vec<Logged>,
    /// How it ended at its settler, if the operator has heard of an end.
    pub ended: Option<Ended>,
}

/// A job at its prover.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProverJob {
    /// The job's id.
    pub job: Hash,
    /// The shard that it proves.
    pub shard: ShardId,
    /// The segment of its run.
    pub segment: u32,
    /// The proof, once there is one.
    pub proof: Option<Hash>,
    /// The settler's receipt for the proof.
    pub receipt: Option<proof::Receipt>,
}

/// What a peer has earned with a node, as the node last kept it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerScore {
    /// The node's or the peer's id.
    pub peer: PeerId,
    /// What its score is made of, when it was kept.
    pub components: Components,
    /// Its last ban, if it ever had one.
    pub ban: Option<Ban>,
}

/// A felt in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Value(#[serde(with = "felt::wire")] pub Felt);
