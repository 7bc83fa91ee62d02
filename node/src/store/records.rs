//! What each role remembers.

use super::{RecordKey, Table};
use serde::{Deserialize, Serialize};
use shardwire_model::{Felt, Hash, PeerId, ShardId, ShardStart, SignedTransaction, Timestamp, felt};

/// Operator: the shards assigned to it.
pub const ASSIGNMENTS: Table<ShardId, Assignment> = Table::new("operator.assignments");
/// Operator: accepted transactions in their sequence. The log *is* the shard: execution is replayed from it.
pub const TRANSACTIONS: Table<LogKey, SignedTransaction> = Table::new("operator.transactions");
/// Operator: the latest trace lease of a shard.
pub const LEASES: Table<ShardId, TraceLease> = Table::new("operator.leases");
/// Prover: its jobs.
pub const JOBS: Table<Hash, Job> = Table::new("prover.jobs");
/// Settler: assignments handed to operators.
pub const HANDOFFS: Table<ShardId, Handoff> = Table::new("settler.handoffs");
/// Settler: verdicts on proofs, by shard.
pub const VERDICTS: Table<ShardId, Verdict> = Table::new("settler.verdicts");

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
    /// How it ended at the settler, once it did.
    pub closed: Option<Closed>,
}

/// How a shard ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Closed {
    /// Settled by the proof of this hash.
    Settled(Hash),
    /// Aborted.
    Aborted,
}

/// The place of a transaction in a shard's sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogKey {
    /// The shard.
    pub shard: ShardId,
    /// From 0.
    pub sequence: u32,
}

/// A lease of a shard's trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceLease {
    /// The fencing epoch: what carries a lower one is refused.
    pub epoch: u64,
    /// Who holds it.
    pub prover: PeerId,
    /// Until when, unless renewed.
    pub expires: Timestamp,
}

/// Where a job stands. Each stage is stored before its effect leaves the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobStage {
    /// Chunks are being fetched.
    Fetching,
    /// All chunks are here; the operator is no longer needed.
    Fetched,
    /// The proof is here.
    Proven,
    /// A settler signed a receipt for it.
    Settled,
    /// It can't be done; `Job::fault` says why.
    Failed,
}

/// A proving job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The shard's start data.
    pub start: ShardStart,
    /// The value of each entry at the start.
    pub values: Vec<WireFelt>,
    /// Which slice.
    pub segment: u32,
    /// Where the trace comes from.
    pub operator: PeerId,
    /// The lease's epoch.
    pub epoch: u64,
    /// Where it stands.
    pub stage: JobStage,
    /// How often proving was tried and failed.
    pub attempts: u32,
    /// The proof's hash; the file is named by it.
    pub proof: Option<Hash>,
    /// What it cost and measured.
    pub figures: Figures,
    /// The settler's signed receipt or dispute, as it came.
    pub verdict: Option<Vec<u8>>,
    /// Why it failed: code and text.
    pub fault: Option<(String, String)>,
}

/// What a job measured, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Steps of the run.
    pub steps: u64,
    /// Chunks received.
    pub chunks: u32,
    /// Their size before compression.
    pub bytes_raw: u64,
    /// Their size as received.
    pub bytes_wire: u64,
    /// From the first chunk asked for to the last received, this process's part.
    pub stream_ms: u64,
    /// The worker's wall time.
    pub prove_ms: u64,
    /// The worker's CPU time.
    pub prove_cpu_ms: u64,
    /// The worker's peak memory.
    pub prove_peak_bytes: u64,
    /// The proof's size.
    pub proof_bytes: u64,
}

/// An assignment that an operator has accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handoff {
    /// The lease's epoch.
    pub epoch: u64,
    /// Whether the operator accepted it.
    pub accepted: bool,
}

/// What a settler found a proof to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The proof.
    pub proof: Hash,
    /// Who made it.
    pub prover: PeerId,
    /// Its size.
    pub bytes: u64,
    /// How long verification took.
    pub verify_us: u64,
    /// `None` if it was accepted, else code and text.
    pub fault: Option<(String, String)>,
}

/// A felt as 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireFelt(#[serde(with = "felt::wire")] pub Felt);

impl RecordKey for ShardId {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes_be().to_vec()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        felt::from_canonical(bytes.try_into().ok()?).map(Self)
    }
}

impl RecordKey for Hash {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.to_vec()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
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
