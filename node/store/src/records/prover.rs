//! What a prover remembers.

use super::{SignedBytes, WireFelt};
use serde::{Deserialize, Serialize};
use shardwire_model::{Hash, Output, PeerId, ShardStart};
use std::collections::BTreeMap;

tables! {
    /// Its jobs. A job's name is the hash of what it is about, its segment included.
    JOBS: Hash => Job = ("prover.jobs", 1);
    /// The latest lease of a job, as its operator signed it.
    JOB_LEASES: Hash => SignedBytes = ("prover.leases", 1);
}

/// Most disputes kept of one job. A settler that no longer fits is offered the proof again after a restart.
pub const MAX_DISPUTES: usize = 16;

/// A proving job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The shard's start data.
    pub start: ShardStart,
    /// The value of each entry at the start.
    pub values: Vec<WireFelt>,
    /// The segment of the shard's run, from 0.
    pub segment: u32,
    /// Where the trace comes from.
    pub operator: PeerId,
    /// The lease's epoch.
    pub epoch: u64,
    /// The whole witness, while it is here.
    pub manifest: Option<Manifest>,
    /// How often a worker failed at it.
    pub attempts: u32,
    /// The proof's hash; the file is named by it.
    pub proof: Option<Hash>,
    /// What it cost and measured.
    pub figures: Figures,
    /// A settler's signed receipt, as it came.
    pub receipt: Option<Vec<u8>>,
    /// Signed disputes, as they came: who disputes is not offered the proof again. At most [`MAX_DISPUTES`].
    pub disputes: BTreeMap<PeerId, Vec<u8>>,
    /// What went wrong last, or what the last dispute says: code and text.
    pub fault: Option<(String, String)>,
}

/// All chunks of a finished run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The hash of each chunk's body, in order.
    pub chunks: Vec<Hash>,
    /// The steps of the run.
    pub steps: u64,
    /// The output of the run.
    pub output: Output,
}

/// What a job measured, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Steps of the run.
    pub steps: u64,
    /// How many chunks were received.
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
