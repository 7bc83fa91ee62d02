//! One shard at its operator: its rules, its log, its execution, its witness.
//!
//! A transaction is first checked as far as its signature, which is checked beside everything else; the [`Sequencer`] then checks the rules and gives it
//! its place; it is logged in one commit with those that wait as well; then it is fed to the execution and its client told. What is proven is a run's [segments](super::segment). After a commit that failed it is
//! first looked what the disk has of it all the same. What a run does stands in a file each: `submit`, `execution`, `steps`, `job`, `status`.

use super::{
    archive::Archive,
    checks::SignatureChecks,
    error::OperatorError,
    events::{self, ChunksLeft, ExecutionInterrupted, ExecutionStopped, ProgramMissing},
    executor::Executor,
    receipt::receipt,
    segment::Segments,
    sequencer::{Observer, Progress, Sequencer},
    submit::MAX_FETCHES,
    watch::Watch,
};
use shardwire_host::{Changes, Host, signed};
use shardwire_model::{
    Cause, Coded as _, Felt, Logged, Mutation, PeerId, ShardId, Terms, life::Life, state_commitment,
};
use shardwire_program::{Budget, Change, Program, Programs};
use shardwire_protocols::{
    Signed,
    handoff::AssignmentTerms,
    ingress::{Opened, Outcome},
};
use shardwire_store::{
    RecordKey, Store, StoreError,
    records::{ASSIGNED, Assignment, TRANSACTIONS, WireFelt},
};
use shardwire_telemetry::Events;
use shardwire_transport::PeerSignature;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::{sync::Semaphore, time::Instant};

/// One shard at its operator.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) host: Arc<Host>,
    pub(super) events: Events<events::Room>,
    pub(super) shard: ShardId,
    pub(super) assignment: Assignment,
    /// The settler's signature by which provers know that the job is one; none until it has given it.
    assigned: OnceLock<PeerSignature>,
    /// Where transactions enter; none if the shard was over when the node started, its program isn't here, or it couldn't be taken up again yet.
    sequencer: OnceLock<Arc<Sequencer>>,
    /// Held while the execution is fed, so that it gets the log's order.
    pub(super) feeding: tokio::sync::Mutex<()>,
    /// Where the execution takes them from; none once the run has ended or failed.
    executor: Mutex<Option<Arc<Executor>>>,
    /// Where transactions are looked up that come again once the shard is over.
    archive: tokio::sync::OnceCell<Archive>,
    pub(super) segments: Arc<Segments>,
    /// When a settler had found a proof of each segment to hold.
    proven: OnceLock<Instant>,
    pub(super) state: Arc<Mutex<State>>,
    /// Announced when this run has more of its witness, or has ended: who waits for a chunk of it is woken, and nobody else.
    pub(super) progress: Arc<Changes>,
    /// Places for what is read while others are checked.
    pub(super) fetches: Arc<Semaphore>,
    /// Announced when this run's execution has come further in the log.
    pub(super) further: Arc<Changes>,
    /// The operator's: announced when other jobs may be had than before.
    pub(super) changes: Arc<Changes>,
    /// The operator's.
    pub(super) checks: Arc<SignatureChecks>,
}

/// What the runs of an operator share.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) host: Arc<Host>,
    /// What can be executed.
    pub(super) programs: Programs,
    /// Who is told what enters the shards.
    pub(super) watch: Option<Arc<dyn Watch>>,
    /// Announced when other jobs may be had than before.
    pub(super) changes: Arc<Changes>,
    pub(super) checks: Arc<SignatureChecks>,
}

/// The rules after the whole log of a shard, and the log.
pub(super) fn replayed(
    store: &Store,
    program: &dyn Program,
    assignment: &Assignment,
    observer: impl FnOnce() -> Option<Observer>,
) -> Result<(Sequencer, Vec<Logged>), OperatorError> {
    let shard = assignment.start.shard;
    let admission = program.admission(assignment.start.clone(), &felts(&assignment.values))?;
    let log = store.with_prefix(&TRANSACTIONS, &RecordKey::to_bytes(&shard))?;
    let kept = log.len() - usize::from(Mutation::LogCutShort.is_planted() && !log.is_empty());
    let log: Vec<Logged> = log.into_iter().map(|(_, it)| it).take(kept).collect();
    let sequencer = Sequencer::of(admission, &log, observer())
        .map_err(|(sequence, refusal)| OperatorError::not_replayed(shard, sequence, refusal))?;
    Ok((sequencer, log))
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) refused: u32,
    pub(super) life: Life,
    /// Why the run can't go on.
    pub(super) fault: Option<Cause>,
    /// At what its execution stopped last, by nobody's fault that this machine could tell.
    pub(super) stopped_at: Option<Cause>,
    /// Why it has to be executed again: this machine couldn't.
    pub(super) interrupted: Option<Cause>,
    /// Why the last transaction couldn't be looked at on this machine; none if it could.
    pub(super) unable: Option<Cause>,
}

impl State {
    /// The history has this life, or a later one.
    pub(super) fn lives(&mut self, life: &Life) {
        // Another step may have been taken since.
        if life.steps().len() > self.life.steps().len() {
            self.life = life.clone();
        }
    }

    /// This machine couldn't execute, or has lost what came of it: that is done again, unless the shard is over.
    pub(super) fn interrupt(&mut self, why: Cause) {
        if !self.life.is_over() {
            self.interrupted = Some(why);
        }
    }
}

impl Run {
    /// A shard that was assigned: over, or going on where its log ends. Waits for the disk.
    pub(super) fn of(context: &Context, assignment: Assignment, life: Life) -> Result<Self, OperatorError> {
        let is_over = life.is_over();
        let signed = context.host.store.get(&ASSIGNED, &assignment.start.shard)?;
        let run = Self::new(context, assignment, life);
        // One that doesn't hold is asked for again.
        if let Some(signed) = signed.and_then(|it| signed::read(&it).ok()).filter(|it| run.is_assigned_by(it)) {
            run.assigned(&signed);
        }
        if is_over {
            // Who has worked at one of its jobs may ask for it; runs of the fixed rules have one.
            if run.assignment.start.terms != Terms::Rules {
                run.segments.recall()?;
            }
            // A crash may have been faster.
            run.let_go();
        } else {
            run.segments.first().leases.restore(&run.host)?;
            run.go_on(context)?;
        }
        Ok(run)
    }

    /// Goes on where the log ends, if this machine can. Nothing is fed meanwhile.
    fn go_on(&self, Context { programs, watch, .. }: &Context) -> Result<(), OperatorError> {
        let (host, shard) = (self.host.clone(), self.shard);
        let program = match programs.get(self.assignment.start.program) {
            Ok(program) => program.clone(),
            Err(unknown) => {
                // A release before this one took it. Others go on.
                let (code, error) = (unknown.code(), unknown.to_string());
                self.events.emit(ProgramMissing { shard, code, error });
                self.state().fault = Some(Cause::whole(&unknown));
                return Ok(());
            }
        };
        let observer = || watch.as_ref().and_then(|watch| self.observer(&**watch));
        let (sequencer, log) = match replayed(&host.store, &*program, &self.assignment, observer) {
            Err(error) if error.is_of_this_machine() => {
                let cause = Cause::whole(&error);
                self.events.emit(ExecutionInterrupted { shard, code: cause.code.clone(), error: cause.reason.clone() });
                let mut state = self.state();
                state.fault = None;
                state.interrupt(cause);
                return Ok(());
            }
            Err(error @ OperatorError::Execution(_)) => {
                let cause = Cause::whole(&error);
                self.events.emit(ExecutionStopped { shard, code: cause.code.clone(), error: cause.reason.clone() });
                // It could be executed when it was accepted: a file is gone, say.
                let mut state = self.state();
                (state.interrupted, state.stopped_at, state.fault) = (None, Some(cause.clone()), Some(cause));
                return Ok(());
            }
            replayed => replayed?,
        };
        // There is none yet: one turn at a time goes on.
        let _ = self.sequencer.set(Arc::new(sequencer));
        {
            let mut state = self.state();
            (state.interrupted, state.fault) = (None, None);
        }
        if !self.segments.restore()? {
            self.execute(program, log)?;
        }
        Ok(())
    }

    /// Tells the shard's watcher what is logged, if it has one.
    fn observer(&self, watch: &dyn Watch) -> Option<Observer> {
        let (shard, identity) = (self.shard, self.host.identity.clone());
        let watcher = watch.shard(&self.assignment.start, &felts(&self.assignment.values))?;
        Some(Box::new(move |logged: &Logged, change: &Change| {
            let outcome =
                Outcome::Accepted { sequence: change.sequence(), duplicate: false, reverted: change.reverted() };
            watcher.logged(logged, change, receipt(&identity, shard, &logged.transaction, outcome));
        }))
    }

    fn new(Context { host, changes, checks, .. }: &Context, assignment: Assignment, life: Life) -> Self {
        let start = assignment.start.clone();
        let values = felts(&assignment.values);
        let before = state_commitment(start.commitment(), &values);
        let shard = start.shard;
        Self {
            host: host.clone(),
            events: host.telemetry.events(),
            shard,
            segments: Arc::new(Segments::new(host.clone(), &start, before)),
            proven: OnceLock::new(),
            sequencer: OnceLock::new(),
            feeding: tokio::sync::Mutex::default(),
            executor: Mutex::default(),
            archive: tokio::sync::OnceCell::new(),
            state: Arc::new(Mutex::new(State {
                refused: 0,
                life,
                fault: None,
                stopped_at: None,
                interrupted: None,
                unable: None,
            })),
            assignment,
            assigned: OnceLock::new(),
            progress: Arc::new(Changes::new()),
            fetches: Arc::new(Semaphore::new(MAX_FETCHES)),
            further: Arc::new(Changes::new()),
            changes: changes.clone(),
            checks: checks.clone(),
        }
    }

    pub(super) fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn executor(&self) -> std::sync::MutexGuard<'_, Option<Arc<Executor>>> {
        self.executor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes its chunks, and lets go of what it began from: neither is of use any more. Waits for the disk.
    pub(super) fn let_go(&self) {
        if let Some(sequencer) = self.sequencer.get() {
            sequencer.let_go();
        }
        if let Err(error) = self.segments.first().chunk_store.remove() {
            self.events.emit(ChunksLeft { shard: self.shard, error: error.to_string() });
        }
    }

    /// Whether it was taken up again since the node started.
    pub(super) fn is_taken_up(&self) -> bool {
        self.sequencer.get().is_some()
    }

    /// Takes up what couldn't be yet.
    pub(super) async fn take_up(self: &Arc<Self>, context: &Context) -> Result<(), OperatorError> {
        // Nothing is fed meanwhile.
        let _turn = self.feeding.lock().await;
        let (run, context) = (self.clone(), context.clone());
        self.host.work.run(move || run.go_on(&context)).await.unwrap_or(Err(StoreError::Closed.into()))
    }

    /// The part that takes transactions.
    pub(super) fn sequencer(&self) -> Result<&Arc<Sequencer>, OperatorError> {
        let why = || {
            let not_yet = |cause| OperatorError::NotYet { shard: self.shard, cause };
            let waits = || self.state().interrupted.clone().map(not_yet);
            self.stopped().or_else(waits).unwrap_or(OperatorError::Over { shard: self.shard })
        };
        self.sequencer.get().ok_or_else(why)
    }

    /// How many transactions are in the log.
    pub(super) fn accepted(&self) -> u32 {
        self.sequencer.get().map_or(0, |sequencer| sequencer.progress().accepted)
    }

    /// How much of what one proof can take the log uses.
    pub(super) fn budget(&self) -> Option<Budget> {
        self.sequencer.get()?.budget()
    }

    pub(super) fn is_open(&self) -> bool {
        !self.state().life.is_over()
    }

    /// Why no transaction or prover is served any more, if so.
    pub(super) fn stopped(&self) -> Option<OperatorError> {
        let state = self.state();
        let shard = self.shard;
        if state.life.is_over() {
            return Some(OperatorError::Over { shard });
        }
        state.fault.clone().map(|cause| OperatorError::Stopped { shard, cause })
    }

    pub(super) async fn archive(&self) -> Result<&Archive, StoreError> {
        let read = async || {
            let (store, start) = (self.host.store.clone(), self.assignment.start.clone());
            self.host.work.run(move || Archive::of(&store, &start)).await.unwrap_or(Err(StoreError::Closed))
        };
        self.archive.get_or_try_init(read).await
    }

    /// Where the shard stands for a client.
    pub(super) async fn opened(self: &Arc<Self>) -> Result<Opened, OperatorError> {
        let start = self.assignment.start.clone();
        match self.stopped() {
            Some(OperatorError::Over { .. }) => {
                let archive = self.archive().await?;
                return Ok(Opened { start, nonces: archive.next_nonces(), accepted: archive.accepted(), ended: true });
            }
            Some(stopped) => return Err(stopped),
            None => {}
        }
        self.certain().await?;
        let Progress { next_nonces, accepted, ended } = self.sequencer()?.progress();
        Ok(Opened { start, nonces: next_nonces, accepted, ended })
    }

    pub(super) fn settler(&self) -> PeerId {
        self.assignment.settler
    }

    /// Whether this is what the shard's settler signs of the assignment.
    pub(super) fn is_assigned_by(&self, signed: &Signed<AssignmentTerms>) -> bool {
        let Assignment { start, values, settler, .. } = &self.assignment;
        signed.statement == AssignmentTerms::of(start, &felts(values)) && signed.verify(settler).is_ok()
    }

    /// Takes in what its settler signed.
    pub(super) fn assigned(&self, signed: &Signed<AssignmentTerms>) {
        // It is there at most once: who takes it in has looked.
        let _ = self.assigned.set(signed.signature);
    }

    /// The settler's signature, if that settler is one of the World: without it no prover takes the job.
    pub(super) fn signature(&self) -> Option<PeerSignature> {
        self.assigned.get().copied().filter(|_| self.host.world.is_settler(self.settler()))
    }

    /// When each segment was known to have a proof that holds.
    pub(super) fn proven_at(&self) -> Option<Instant> {
        self.proven.get().copied()
    }

    /// Notes that each segment has a proof that holds.
    pub(super) fn note_proven(&self) {
        let _ = self.proven.set(Instant::now());
    }

    /// Whether provers can be shown that the job is this operator's.
    pub(super) fn is_assigned(&self) -> bool {
        self.signature().is_some()
    }
}

pub(super) fn felts(values: &[WireFelt]) -> Vec<Felt> {
    values.iter().map(|it| it.0).collect()
}
