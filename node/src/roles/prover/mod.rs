//! The prover: fetches witnesses, proves them, and offers the proofs.
//!
//! It consumes `trace` from operators and serves `proof` to settlers. A job is a record in the store that only moves forward: fetching,
//! fetched, proven, settled (or failed). Each step is repeated alone after a crash: what was fetched is not fetched again, what is proven
//! is never proven again. Work is done under the operator's lease only: when that ends, the worker does, and what was fetched waits for
//! the next lease. A proof needs its operator no longer.
//!
//! Bounds: one witness is proven at a time (a proof takes every core and gigabytes); a job is tried [`MAX_ATTEMPTS`] times.

mod chunks;
mod error;
mod fetch;
mod lease;
mod offer;
mod prove;
#[cfg(test)]
mod tests;

use super::{Changes, Host};
use crate::{
    proofs::Prove,
    store::{
        StoreError,
        records::{JOBS, Job, JobStage},
    },
};
pub(crate) use error::ProverError;
use lease::Leases;
use shardwire_model::{Hash, PeerId};
use shardwire_protocols::{
    Cause,
    control::{Role, ShardStatus, Stage},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How often a job is tried before it has failed: a crash may be memory that another process held; three are not.
pub(crate) const MAX_ATTEMPTS: u32 = 3;
/// How long the second attempt waits; each further one twice as long as the one before.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The prover's state.
#[derive(Debug)]
pub(crate) struct Prover {
    host: Arc<Host>,
    workshop: Arc<dyn Prove>,
    jobs: Mutex<BTreeMap<Hash, Job>>,
    /// Jobs that a worker is at, or that wait for their turn.
    at_work: Leases,
    /// Proofs that a settler doesn't want, or disputes. Forgotten at a restart: then it is asked once more.
    skipped: Mutex<BTreeSet<(PeerId, Hash)>>,
    /// One proof at a time.
    turn: tokio::sync::Semaphore,
    changes: Changes,
}

impl Prover {
    /// Reads every job; each goes on when its operator leases it again.
    ///
    /// # Errors
    /// If the store can't be read.
    pub(crate) fn resume(host: Arc<Host>, workshop: Arc<dyn Prove>) -> Result<Arc<Self>, StoreError> {
        let jobs: BTreeMap<Hash, Job> = host.store.all(&JOBS)?.into_iter().collect();
        Ok(Arc::new(Self {
            host,
            workshop,
            jobs: Mutex::new(jobs),
            at_work: Leases::default(),
            skipped: Mutex::default(),
            turn: tokio::sync::Semaphore::new(1),
            changes: Changes::new(),
        }))
    }

    fn jobs(&self) -> std::sync::MutexGuard<'_, BTreeMap<Hash, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn job(&self, id: Hash) -> Option<Job> {
        self.jobs().get(&id).cloned()
    }

    /// Changes a job's record: durable first, then seen.
    fn update(&self, id: Hash, change: impl FnOnce(&mut Job)) -> Result<(), StoreError> {
        {
            let mut jobs = self.jobs();
            let Some(mut job) = jobs.get(&id).cloned() else { return Ok(()) };
            change(&mut job);
            self.host.store.put(&JOBS, &id, &job)?;
            jobs.insert(id, job);
        }
        self.changes.announce();
        Ok(())
    }

    /// Changes what is only shown.
    fn show(&self, id: Hash, change: impl FnOnce(&mut Job)) {
        if let Some(job) = self.jobs().get_mut(&id) {
            change(job);
        }
    }

    /// How each shard is.
    pub(crate) fn shards(&self) -> Vec<ShardStatus> {
        let jobs: Vec<(Hash, Job)> = self.jobs().iter().map(|(id, job)| (*id, job.clone())).collect();
        jobs.into_iter().map(|(id, job)| self.status(id, &job)).collect()
    }

    fn status(&self, id: Hash, job: &Job) -> ShardStatus {
        let figures = &job.figures;
        ShardStatus {
            stage: match job.stage {
                JobStage::Fetching => Stage::Streaming,
                JobStage::Fetched if self.at_work.is_held(id) => Stage::Proving,
                JobStage::Fetched => Stage::Ended,
                JobStage::Proven => Stage::Proven,
                JobStage::Settled => Stage::Settled,
                JobStage::Failed => Stage::Failed,
            },
            prover: Some(self.host.identity.peer()),
            steps: figures.steps,
            chunks: figures.chunks,
            witness_bytes_raw: figures.bytes_raw,
            witness_bytes_wire: figures.bytes_wire,
            stream_ms: figures.stream_ms,
            prove_ms: figures.prove_ms,
            prove_cpu_ms: figures.prove_cpu_ms,
            prove_peak_bytes: figures.prove_peak_bytes,
            proof: job.proof,
            proof_bytes: figures.proof_bytes,
            program_hash: Some(self.host.program),
            error: job.fault.as_ref().map(|(code, reason)| Cause::new(code, reason)),
            ..ShardStatus::new(job.start.shard, Role::Prover, job.operator)
        }
    }
}
