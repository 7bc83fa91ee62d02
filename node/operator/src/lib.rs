//! The operator: executes shards.
//!
//! It holds a `handoff` session to each settler and gets assignments there; serves `ingress`, where clients submit transactions, and
//! `trace`, where provers take jobs and pull witnesses. Each shard is a [`Run`].
//!
//! **Jobs are signed for.** A prover works for nobody who only says that it is an operator: each job that is offered carries what the shard's settler signed when it
//! assigned it. It is kept beside the assignment; a shard without it, or of a settler that the World doesn't list any more, is offered to nobody.
//!
//! The order of things, for every shard: the assignment is durable before it is accepted; a transaction is durable before its
//! receipt is signed; a lease's epoch is durable before the lease is signed; and each step of the shard's life with what makes it. All else
//! (execution, chunks) is made again from the log.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod archive;
#[cfg(test)]
mod assigned_tests;
#[cfg(test)]
mod budget_tests;
mod checks;
mod chunk_store;
#[cfg(test)]
mod clock_tests;
#[cfg(test)]
mod contracts_tests;
mod error;
#[cfg(test)]
mod error_tests;
pub mod events;
mod execution;
mod executor;
#[cfg(test)]
mod forked_tests;
mod handoff;
mod ingress;
mod interrupted;
mod job;
mod lease;
#[cfg(test)]
mod lease_tests;
#[cfg(test)]
mod life_tests;
#[cfg(test)]
mod local_trouble_tests;
mod receipt;
mod run;
mod segment;
#[cfg(test)]
mod segments_tests;
mod sequencer;
#[cfg(test)]
mod sequencer_tests;
mod services;
mod status;
mod steps;
mod submit;
#[cfg(test)]
mod tests;
mod trace;
mod waiting;
mod watch;

use self::{
    checks::SignatureChecks,
    events::{ShardAssigned, ShardOutdated, ShardResumed},
    interrupted::Interrupted,
    job::Job,
    run::{Context, Run},
    steps::part,
    waiting::{NewcomersOffers, WaitingProvers},
};
pub use chunk_store::{Extent, chunk_is_whole};
pub use error::OperatorError;
use shardwire_host::history::{Advance as _, Lives as _};
use shardwire_host::{Changes, Host, Turns, dated, signed};
use shardwire_model::{
    Hash, PeerId, ShardId,
    life::{AbortCause, Step},
};
use shardwire_program::Programs;
use shardwire_protocols::{Signed, handoff::AssignmentTerms};
use shardwire_store::{
    RecordKey as _, Store, Write,
    records::{ASSIGNED, ASSIGNMENTS, Assignment, LEASES},
};
use shardwire_telemetry::Events;
pub use status::RunStatus;
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
pub use submit::NotIncluded;
pub use watch::{Watch, Watcher};

/// Most shards that run at a time: each has a thread and holds its memory (about 100 MB for 1,000,000 steps).
const MAX_RUNS: usize = 64;

/// An operator: the shards that it executes, and the provers that wait for their jobs.
#[derive(Debug)]
pub struct Operator {
    host: Arc<Host>,
    runs: Mutex<BTreeMap<ShardId, Arc<Run>>>,
    changes: Arc<Changes>,
    /// What its runs share.
    context: Context,
    /// Provers that wait for a job.
    waiting: WaitingProvers,
    /// Jobs that newcomers among them are offered.
    newcomers: NewcomersOffers,
    /// Of each prover, the turn to claim a job.
    claiming: Turns<PeerId>,
    /// Held while a shard is taken on, so that no two take the last place.
    assigning: tokio::sync::Mutex<()>,
    interrupted: Interrupted,
    events: Events<events::Room>,
}

/// Whether an open shard can be taken up: its lease is read, its program is here, and the rules take its log again. Nothing is changed or executed.
/// [`Operator::resume`] begins with the same.
///
/// # Errors
/// [`OperatorError::Store`] if the store can't be read, [`OperatorError::Program`] if the program isn't here, [`OperatorError::Execution`] if it can't execute the shard, [`OperatorError::Log`] if the log doesn't replay.
pub fn examine(store: &Store, programs: &Programs, assignment: &Assignment) -> Result<(), OperatorError> {
    store.with_prefix(&LEASES, &assignment.start.shard.to_bytes())?;
    let program = programs.get(assignment.start.program)?;
    run::replayed(store, &**program, assignment, || None).map(drop)
}

impl Operator {
    /// Takes up every shard that is not closed, replaying its log. Those of an older layout are aborted: nothing executes or proves them any more.
    ///
    /// # Errors
    /// [`OperatorError::Store`] if the store can't be read, [`OperatorError::Log`] if a log doesn't replay.
    pub fn resume(host: Arc<Host>, programs: Programs) -> Result<Self, OperatorError> {
        Self::resume_watched(host, programs, None)
    }

    /// As [`resume`](Self::resume), and `watch` is told what enters the shards.
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    #[allow(clippy::disallowed_methods, reason = "before anything is served")]
    pub fn resume_watched(
        host: Arc<Host>,
        programs: Programs,
        watch: Option<Arc<dyn Watch>>,
    ) -> Result<Self, OperatorError> {
        let (changes, events) = (Arc::new(Changes::new()), host.telemetry.events());
        let checks = Arc::new(SignatureChecks::of(host.work));
        let context = Context { host: host.clone(), programs, watch, changes: changes.clone(), checks };
        let interrupted = Interrupted::default();
        let mut runs = BTreeMap::new();
        for (shard, assignment) in host.store.all(&ASSIGNMENTS)? {
            let mut life = host.store.life(part(shard))?;
            if assignment.start.is_outdated() && !life.is_over() {
                let (step, now) = (Step::Aborted { why: AbortCause::Outdated }, host.clock.now());
                life =
                    host.store.write(|write| write.advance::<OperatorError>(&host.identity, now, part(shard), step))?;
                events.emit(ShardOutdated { shard });
            }
            if !life.is_over() {
                events.emit(ShardResumed { shard });
            }
            let run = Arc::new(Run::of(&context, assignment, life)?);
            if run.is_open() {
                host.tasks.spawn(interrupted::tend(Arc::downgrade(&run), context.clone(), interrupted.clone()));
            }
            runs.insert(shard, run);
        }
        let waits = interrupted.clone();
        host.telemetry.condition("execution", move || waits.shortfall());
        dated::register(&host);
        Ok(Self {
            host,
            runs: Mutex::new(runs),
            changes,
            context,
            waiting: WaitingProvers::default(),
            newcomers: NewcomersOffers::default(),
            claiming: Turns::default(),
            assigning: tokio::sync::Mutex::default(),
            interrupted,
            events,
        })
    }

    /// Stores an assignment, with what its settler signed, and begins to execute it. An assignment of a shard that runs already is a new lease of it, and what was
    /// signed if that was missing. To be seen through.
    async fn assign(
        self: &Arc<Self>,
        assignment: Assignment,
        signed: Signed<AssignmentTerms>,
    ) -> Result<(), OperatorError> {
        let _turn = self.assigning.lock().await;
        let shard = assignment.start.shard;
        if let Some(run) = self.run(shard) {
            if !run.is_assigned() && run.is_assigned_by(&signed) {
                self.host.store.keep(&ASSIGNED, shard, signed::stored(&signed)).await?;
                run.assigned(&signed);
                self.changes.announce();
            }
            return Ok(());
        }
        if self.runs().iter().filter(|run| run.is_open()).count() >= MAX_RUNS {
            return Err(OperatorError::Full { most: MAX_RUNS });
        }
        let program = self.context.programs.get(assignment.start.program)?.clone();
        let (begun, values) = (assignment.start.clone(), run::felts(&assignment.values));
        let can = self.host.work.run(move || program.admission(begun, &values).map(drop)).await;
        can.ok_or_else(|| OperatorError::Thread(io::Error::other("it ended")))??;
        let (host, stored, now) = (self.host.clone(), assignment.clone(), self.host.clock.now());
        let changes = move |write: &mut Write<'_>| {
            write.put(&ASSIGNMENTS, &shard, &stored)?;
            write.put(&ASSIGNED, &shard, &signed::stored(&signed))?;
            let step = Step::Assigned { commitment: stored.start.commitment(), peer: stored.settler };
            write.advance::<OperatorError>(&host.identity, now, part(shard), step)
        };
        let life = self.host.store.commit(changes).await?;
        let context = self.context.clone();
        let open = move || Run::of(&context, assignment, life);
        let run = Arc::new(
            self.host.work.run(open).await.ok_or_else(|| OperatorError::Thread(io::Error::other("it ended")))??,
        );
        let tended = interrupted::tend(Arc::downgrade(&run), self.context.clone(), self.interrupted.clone());
        self.host.tasks.spawn(tended);
        self.locked().insert(shard, run);
        self.events.emit(ShardAssigned { shard });
        self.changes.announce();
        Ok(())
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<ShardId, Arc<Run>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, shard: ShardId) -> Option<Arc<Run>> {
        self.locked().get(&shard).cloned()
    }

    fn runs(&self) -> Vec<Arc<Run>> {
        self.locked().values().cloned().collect()
    }

    /// The jobs of all runs, those of each in the order of its segments.
    fn jobs(&self) -> Vec<Job> {
        self.runs().iter().flat_map(Job::of).collect()
    }

    fn job(&self, job: Hash) -> Option<Job> {
        self.runs().into_iter().find_map(|run| Some(Job { segment: run.segments.of_job(job)?, run }))
    }
}
