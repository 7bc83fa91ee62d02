//! How a job is, for people.

use super::{Known, Prover};
use shardwire_model::{Cause, Felt, Hash, PeerId, ShardId, Stage};
use shardwire_store::records::{Figures, KeptCause};

/// How a job is at its prover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobStatus {
    /// The shard whose run is proven.
    pub shard: ShardId,
    /// Which segment of the run, from 0.
    pub segment: u32,
    /// How far the job is.
    pub stage: Stage,
    /// Who leased it.
    pub operator: PeerId,
    /// Who proves it: this node.
    pub prover: PeerId,
    /// What was measured.
    pub figures: Figures,
    /// The proof's hash, once there is one.
    pub proof: Option<Hash>,
    /// The program of the run.
    pub program: Felt,
    /// What went wrong last.
    pub error: Option<Cause>,
}

impl Prover {
    /// How the job of each shard is.
    pub fn shards(&self) -> Vec<JobStatus> {
        let prover = self.host.identity.peer();
        self.jobs().values().map(|known| status(prover, known)).collect()
    }
}

fn status(prover: PeerId, known: &Known) -> JobStatus {
    let job = &known.job;
    JobStatus {
        shard: job.start.shard,
        segment: job.segment,
        stage: known.stage().unwrap_or_default(),
        operator: job.operator,
        prover,
        figures: job.figures.clone(),
        proof: job.proof,
        program: job.start.program,
        error: job.fault.as_ref().map(KeptCause::cause),
    }
}
