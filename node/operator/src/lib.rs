//! The operator: executes shards.
//!
//! It holds a `handoff` session to each settler and gets assignments there; serves `ingress`, where clients submit transactions, and
//! `trace`, where provers take jobs and pull witnesses. Each shard is a [`Run`].
//!
//! The order of things, for every shard: the assignment is durable before it is accepted; a transaction is durable before its
//! receipt is signed; a lease's epoch is durable before the lease is signed; and each step of the shard's life with what makes it. All else
//! (execution, chunks) is made again from the log.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod archive;
mod checks;
mod chunk_store;
mod error;
#[cfg(test)]
mod error_tests;
pub mod events;
mod executor;
mod handoff;
mod ingress;
mod interrupted;
mod lease;
#[cfg(test)]
mod lease_tests;
#[cfg(test)]
mod life_tests;
mod run;
mod sequencer;
#[cfg(test)]
mod sequencer_tests;
mod services;
mod submit;
#[cfg(test)]
mod tests;
mod trace;
mod waiting;

use self::{
    checks::SignatureChecks,
    events::{ShardAssigned, ShardClosed, ShardResumed},
    interrupted::Interrupted,
    run::Run,
    waiting::{NewcomersOffers, WaitingProvers},
};
pub use chunk_store::chunk_is_whole;
pub use error::OperatorError;
pub use sequencer::extended;
use shardwire_host::history::{Advance as _, Lives as _};
use shardwire_host::{Changes, Host};
use shardwire_model::{
    Hash, Role, SegmentId, ShardId,
    life::{AbortCause, Life, Step},
};
use shardwire_program::Programs;
use shardwire_protocols::administration::ShardStatus;
use shardwire_reputation::{Event, Work};
use shardwire_store::{
    Store,
    records::{ASSIGNMENTS, Assignment, LEASES},
};
use shardwire_telemetry::Events;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Most shards that run at a time: each has a thread and holds its memory (about 100 MB for 1,000,000 steps).
pub(crate) const MAX_RUNS: usize = 64;

/// An operator: the shards that it executes, and the provers that wait for their jobs.
#[derive(Debug)]
pub struct Operator {
    host: Arc<Host>,
    /// What it can execute.
    programs: Programs,
    runs: Mutex<BTreeMap<ShardId, Arc<Run>>>,
    changes: Arc<Changes>,
    checks: Arc<SignatureChecks>,
    /// Provers that wait for a job.
    waiting: WaitingProvers,
    /// Jobs that newcomers among them are offered.
    newcomers: NewcomersOffers,
    /// Held while a lease is granted.
    granting: Mutex<()>,
    interrupted: Interrupted,
    events: Events<events::Room>,
}

/// Whether an open shard can be taken up: its lease is read, its program is here, and the rules take its log again. Nothing is changed or executed.
/// [`Operator::resume`] begins with the same.
///
/// # Errors
/// [`OperatorError::Store`] if the store can't be read, [`OperatorError::Program`] if the program isn't here, [`OperatorError::Log`] if the log doesn't replay.
pub fn examine(store: &Store, programs: &Programs, assignment: &Assignment) -> Result<(), OperatorError> {
    store.get(&LEASES, &SegmentId::first(assignment.start.shard))?;
    let program = programs.get(assignment.start.program)?;
    run::replayed(store, &**program, assignment).map(drop)
}

impl Operator {
    /// Takes up every shard that is not closed, replaying its log. Those of an older layout are aborted: nothing executes or proves them any more.
    ///
    /// # Errors
    /// [`OperatorError::Store`] if the store can't be read, [`OperatorError::Log`] if a log doesn't replay.
    pub fn resume(host: Arc<Host>, programs: Programs) -> Result<Self, OperatorError> {
        let (changes, events) = (Arc::new(Changes::new()), host.telemetry.events());
        let checks = Arc::new(SignatureChecks::of(host.work));
        let interrupted = Interrupted::default();
        let mut runs = BTreeMap::new();
        for (shard, assignment) in host.store.all(&ASSIGNMENTS)? {
            let mut life = host.store.life(run::part(shard))?;
            if assignment.start.is_outdated() && !life.is_over() {
                tracing::warn!(shard = %shard.short(), "aborting the shard: it is of an older layout");
                let (step, now) = (Step::Aborted { why: AbortCause::Outdated }, host.clock.now());
                life = host
                    .store
                    .write(|write| write.advance::<OperatorError>(&host.identity, now, run::part(shard), step))?;
            }
            let run = if life.is_over() {
                Run::closed(&host, assignment, life, changes.clone(), checks.clone())
            } else {
                events.emit(ShardResumed { shard });
                Run::open(&host, &programs, assignment, life, changes.clone(), checks.clone())?
            };
            let run = Arc::new(run);
            if run.is_open() {
                host.tasks.spawn(interrupted::tend(Arc::downgrade(&run), programs.clone(), interrupted.clone()));
            }
            runs.insert(shard, run);
        }
        let waits = interrupted.clone();
        host.telemetry.condition("execution", move || waits.shortfall());
        Ok(Self {
            host,
            programs,
            runs: Mutex::new(runs),
            changes,
            checks,
            waiting: WaitingProvers::default(),
            newcomers: NewcomersOffers::default(),
            granting: Mutex::default(),
            interrupted,
            events,
        })
    }

    /// Stores an assignment and begins to execute it. An assignment of a shard that runs already is a new lease of it, nothing more.
    fn assign(&self, assignment: Assignment) -> Result<(), OperatorError> {
        let shard = assignment.start.shard;
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if runs.contains_key(&shard) {
            return Ok(());
        }
        if runs.values().filter(|run| run.is_open()).count() >= MAX_RUNS {
            return Err(OperatorError::Full);
        }
        self.programs.get(assignment.start.program)?;
        let mut life = Life::new(Role::Operator);
        self.host.store.write(|write| {
            write.put(&ASSIGNMENTS, &shard, &assignment)?;
            let step = Step::Assigned { commitment: assignment.start.commitment(), peer: assignment.settler };
            let (identity, now) = (&self.host.identity, self.host.clock.now());
            life = write.advance::<OperatorError>(identity, now, run::part(shard), step)?;
            Ok::<_, OperatorError>(())
        })?;
        let (changes, checks) = (self.changes.clone(), self.checks.clone());
        let run = Arc::new(Run::open(&self.host, &self.programs, assignment, life, changes, checks)?);
        self.host.tasks.spawn(interrupted::tend(Arc::downgrade(&run), self.programs.clone(), self.interrupted.clone()));
        runs.insert(shard, run);
        drop(runs);
        self.events.emit(ShardAssigned { shard });
        self.changes.announce();
        Ok(())
    }

    /// Notes how a shard ended at its settler, stops its execution and lets go of its chunks.
    fn close(&self, shard: ShardId, end: Step) -> Result<(), OperatorError> {
        if let Some(run) = self.run(shard) {
            let how = end.stage();
            let kept_by = match end {
                Step::Settled { proof: Some(proof) } => run.leases.claimant(proof),
                _ => None,
            };
            run.close(end)?;
            if let Some(prover) = kept_by {
                self.host.peers.note(prover, &Event::Worked(Work::Lease));
            }
            self.events.emit(ShardClosed { shard, how });
            self.changes.announce();
        }
        Ok(())
    }

    fn run(&self, shard: ShardId) -> Option<Arc<Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).get(&shard).cloned()
    }

    fn runs(&self) -> Vec<Arc<Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn job(&self, job: Hash) -> Option<Arc<Run>> {
        self.runs().into_iter().find(|run| run.job == job)
    }

    /// How each shard is.
    pub fn shards(&self) -> Vec<ShardStatus> {
        self.runs().iter().map(|run| run.status()).collect()
    }
}
