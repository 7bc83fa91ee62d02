//! One shard at its operator: its rules, its log, its execution, its witness.
//!
//! A transaction is first checked as far as its signature, which is checked beside everything else; the [`Sequencer`] then checks the rules and gives it
//! its place; it is logged in one commit with those that wait as well; then it is fed to the execution and its client told. After a commit that failed it is
//! first looked what the disk has of it all the same. The execution is a thread that takes the log's transactions and then waits for further ones; it ends
//! with the end event, or when the run is closed and its executor with it.

use super::{
    OperatorError,
    archive::Archive,
    checks::SignatureChecks,
    chunk_store::{ChunkStore, Extent, Found},
    events::{self, ExecutionEnded, ExecutionInterrupted, ExecutionStopped},
    executor::Executor,
    lease::{Leases, Work},
    sequencer::{Progress, Sequencer},
    steps::let_go,
};
use shardwire_host::{Changes, Host};
use shardwire_model::{
    Cause, Coded as _, Felt, Hash, Mutation, PeerId, Role, SegmentId, ShardId, ShardStart, SignedTransaction, Stage,
    Timestamp,
    life::{Life, Step},
    state_commitment,
};
use shardwire_program::{ExecuteError, Execution, Program, Programs};
use shardwire_protocols::{
    administration::ShardStatus,
    ingress::Opened,
    trace::{ChunkAnswer, JobOffer, job_id},
};
use shardwire_store::{
    ArtefactError, DiskError, RecordKey, Store, StoreError,
    records::{Assignment, EXECUTIONS, Executed, StoredChunk, TRANSACTIONS, WireFelt},
};
use shardwire_telemetry::Events;
use shardwire_witness::Chunk;
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

/// One shard at its operator.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) host: Arc<Host>,
    pub(super) events: Events<events::Room>,
    pub(super) shard: ShardId,
    pub(super) job: Hash,
    pub(super) assignment: Assignment,
    /// Where transactions enter; none if the shard was over when the node started, or its program isn't here.
    sequencer: Option<Arc<Sequencer>>,
    /// Held while the execution is fed, so that it gets the log's order.
    pub(super) feeding: tokio::sync::Mutex<()>,
    /// Where the execution takes them from; none once the run has ended or failed.
    executor: Mutex<Option<Arc<Executor>>>,
    /// Where transactions are looked up that come again once the shard is over.
    archive: tokio::sync::OnceCell<Archive>,
    pub(super) leases: Leases,
    chunk_store: Arc<ChunkStore>,
    state: Arc<Mutex<State>>,
    /// Announced when this run has more of its witness, or has ended: who waits for a chunk of it is woken, and nobody else.
    pub(super) progress: Arc<Changes>,
    /// The operator's: announced when other jobs may be had than before.
    pub(super) changes: Arc<Changes>,
    /// The operator's.
    pub(super) checks: Arc<SignatureChecks>,
}

/// The rules after the whole log of a shard, and the log.
pub(super) fn replayed(
    store: &Store,
    program: &dyn Program,
    assignment: &Assignment,
) -> Result<(Sequencer, Vec<SignedTransaction>), OperatorError> {
    let shard = assignment.start.shard;
    let admission = program.admission(assignment.start.clone(), &felts(&assignment.values));
    let log = store.with_prefix(&TRANSACTIONS, &RecordKey::to_bytes(&shard))?;
    let kept = log.len() - usize::from(Mutation::LogCutShort.is_planted() && !log.is_empty());
    let log: Vec<SignedTransaction> = log.into_iter().map(|(_, it)| it).take(kept).collect();
    let sequencer = Sequencer::of(admission, &log)
        .map_err(|(sequence, refusal)| OperatorError::not_replayed(shard, sequence, refusal))?;
    Ok((sequencer, log))
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) accepted: u32,
    pub(super) refused: u32,
    pub(super) life: Life,
    /// Why the run can't go on.
    fault: Option<Cause>,
    /// Why it has to be executed again: this machine couldn't.
    pub(super) interrupted: Option<Cause>,
}

impl Run {
    /// A shard that is over.
    pub(super) fn closed(
        host: &Arc<Host>,
        assignment: Assignment,
        life: Life,
        changes: Arc<Changes>,
        checks: Arc<SignatureChecks>,
    ) -> Self {
        let run = Self::new(host, assignment, life, changes, checks);
        // A crash may have been faster.
        let_go(&run.host.artefacts, run.shard);
        run
    }

    /// A shard that goes on where its log ends.
    pub(super) fn open(
        host: &Arc<Host>,
        programs: &Programs,
        assignment: Assignment,
        life: Life,
        changes: Arc<Changes>,
        checks: Arc<SignatureChecks>,
    ) -> Result<Self, OperatorError> {
        let mut run = Self::new(host, assignment, life, changes, checks);
        let shard = run.shard;
        run.leases.restore(host)?;
        let program = match programs.get(run.assignment.start.program) {
            Ok(program) => program.clone(),
            Err(unknown) => {
                // A release before this one took it. Others go on.
                tracing::error!(shard = %shard.short(), "the shard can't be taken up again: {unknown}");
                run.state().fault = Some(unknown.into());
                return Ok(run);
            }
        };
        let (sequencer, log) = replayed(&host.store, &*program, &run.assignment)?;
        run.sequencer = Some(Arc::new(sequencer));
        run.state().accepted = u32::try_from(log.len()).unwrap_or(u32::MAX);
        match host.store.get(&EXECUTIONS, &run.segment())? {
            Some(executed) if run.chunk_store.is_whole(&executed) => run.chunk_store.end(executed),
            _ => run.execute(program, log)?,
        }
        Ok(run)
    }

    fn new(
        host: &Arc<Host>,
        assignment: Assignment,
        life: Life,
        changes: Arc<Changes>,
        checks: Arc<SignatureChecks>,
    ) -> Self {
        let start = assignment.start.clone();
        let values = felts(&assignment.values);
        let before = state_commitment(start.commitment(), &values);
        let shard = start.shard;
        let segment = SegmentId::first(shard);
        Self {
            host: host.clone(),
            events: host.telemetry.events(),
            shard,
            job: job_id(start.program, start.commitment(), before, segment.segment),
            sequencer: None,
            feeding: tokio::sync::Mutex::default(),
            executor: Mutex::default(),
            archive: tokio::sync::OnceCell::new(),
            leases: Leases::new(segment),
            chunk_store: Arc::new(ChunkStore::new(host.artefacts.clone(), segment)),
            state: Arc::new(Mutex::new(State { accepted: 0, refused: 0, life, fault: None, interrupted: None })),
            assignment,
            progress: Arc::new(Changes::new()),
            changes,
            checks,
        }
    }

    pub(super) fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn executor(&self) -> std::sync::MutexGuard<'_, Option<Arc<Executor>>> {
        self.executor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The part that takes transactions.
    pub(super) fn sequencer(&self) -> Result<&Arc<Sequencer>, OperatorError> {
        let over = || self.stopped().unwrap_or(OperatorError::Over { shard: self.shard });
        self.sequencer.as_ref().ok_or_else(over)
    }

    /// Begins to execute: the log first, then what is fed.
    pub(super) fn execute(&self, program: Arc<dyn Program>, log: Vec<SignedTransaction>) -> Result<(), OperatorError> {
        let (start, values) = (self.assignment.start.clone(), felts(&self.assignment.values));
        let (chunk_store, progress, changes) = (self.chunk_store.clone(), self.progress.clone(), self.changes.clone());
        let mut sink = {
            let (chunk_store, progress) = (chunk_store.clone(), progress.clone());
            move |chunk: Chunk| {
                chunk_store.push(&chunk)?;
                progress.announce();
                Ok(())
            }
        };
        let (host, state, began) = (self.host.clone(), self.state.clone(), self.host.clock.steady());
        let (events, segment) = (self.events.clone(), self.segment());
        let executor =
            Executor::start(self.host.work, format!("shard {}", self.shard.short()), log, move |transactions| {
                let result = program.execute(&start, &values, &mut transactions.into_iter(), &mut sink);
                if let Err(stop) = conclude(&host, &events, &chunk_store, segment, began, result) {
                    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                    // A run that is closed loses its executor, and ends for want of transactions: no fault.
                    if !state.life.is_over() {
                        let shard = start.shard;
                        match stop {
                            Stop::OfRun(cause) => {
                                let (code, error) = (cause.code.clone(), cause.reason.clone());
                                events.emit(ExecutionStopped { shard, code, error });
                                state.fault = Some(cause);
                            }
                            Stop::OfMachine(cause) => {
                                let (code, error) = (cause.code.clone(), cause.reason.clone());
                                events.emit(ExecutionInterrupted { shard, code, error });
                                state.interrupted = Some(cause);
                            }
                        }
                    }
                }
                progress.announce();
                changes.announce();
            });
        let executor = executor.map_err(OperatorError::Thread)?;
        // What was there has ended; it is dropped unlocked.
        let before = self.executor().replace(Arc::new(executor));
        drop(before);
        Ok(())
    }

    pub(super) fn chunk_store(&self) -> &ChunkStore {
        &self.chunk_store
    }

    pub(super) fn is_open(&self) -> bool {
        !self.state().life.is_over()
    }

    /// How the shard ended, if it did, for a prover of it.
    pub(super) fn over(&self) -> Option<OperatorError> {
        let shard = self.shard;
        match self.state().life.stage() {
            Some(Stage::Settled) => Some(OperatorError::Settled { shard }),
            Some(Stage::Aborted) => Some(OperatorError::Aborted { shard }),
            _ => None,
        }
    }

    /// Renews a prover's lease, at a pull of this chunk if it is one; the epoch that is valid instead if it isn't its own. With the shard every lease has ended.
    pub(super) fn renew(&self, prover: PeerId, epoch: u64, pulled: Option<u32>) -> Result<(), u64> {
        if self.is_open() { self.leases.renew(prover, epoch, pulled) } else { Err(epoch.saturating_add(1)) }
    }

    /// What there is to do for a prover.
    pub(super) fn work(&self) -> Work {
        self.chunk_store.work()
    }

    /// When a prover's lease ends unless there is another sign of life.
    pub(super) fn expires(&self, prover: PeerId) -> Timestamp {
        let tier = self.host.peers.standing(prover).tier();
        self.host.clock.steady().plus(self.leases.lasts(tier, self.work()))
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

    /// What is executed here: the run's only segment.
    pub(super) const fn segment(&self) -> SegmentId {
        SegmentId::first(self.shard)
    }

    /// The job that proving this run is.
    pub(super) fn offer(&self) -> JobOffer {
        JobOffer {
            job: self.job,
            shard: self.shard,
            segment: self.segment().segment,
            start: self.assignment.start.clone(),
            values: felts(&self.assignment.values),
            program: self.assignment.start.program,
            ended: self.has_ended(),
        }
    }

    /// Whether it is executed to its end, and its witness whole.
    pub(super) fn has_ended(&self) -> bool {
        self.chunk_store.has_ended()
    }

    /// Whether a prover may be offered the job, as far as the run goes.
    pub(super) fn is_provable(&self) -> bool {
        self.stopped().is_none()
    }

    /// Whether there is a chunk, or how the run ended; `None` if there is neither yet.
    pub(super) fn find(&self, index: u32) -> Result<Option<Found>, OperatorError> {
        match self.stopped() {
            Some(stopped) => Err(stopped),
            None => Ok(self.chunk_store.find(index)),
        }
    }

    /// A chunk that was found, read off the async threads.
    pub(super) async fn chunk(&self, index: u32, stored: StoredChunk) -> Result<ChunkAnswer, OperatorError> {
        let chunk_store = self.chunk_store.clone();
        let read = self.host.work.run(move || chunk_store.chunk(index, stored)).await.ok_or(OperatorError::Reader)?;
        if let Err(error @ ArtefactError::Disk(DiskError { reason, .. })) = &read
            && reason.kind() == io::ErrorKind::NotFound
        {
            // It is made again, with all others.
            self.state().interrupted = Some(Cause::new(error.code(), &error.to_string()));
            self.progress.announce();
        }
        Ok(read?)
    }

    pub(super) fn settler(&self) -> PeerId {
        self.assignment.settler
    }

    /// How the shard is.
    pub(super) fn status(&self) -> ShardStatus {
        let Extent { chunks, steps, bytes_raw, bytes_wire, execute_ms } = self.chunk_store.extent();
        let lease = self.leases.present();
        let state = self.state();
        let start: &ShardStart = &self.assignment.start;
        let stage = match &state.fault {
            Some(_) if !state.life.is_over() => Stage::Failed,
            _ => state.life.stage().unwrap_or_default(),
        };
        let proof = match state.life.steps().last() {
            Some(Step::Settled { proof }) => *proof,
            _ => lease.as_ref().and_then(|lease| lease.proof),
        };
        ShardStatus {
            stage,
            prover: lease.map(|lease| lease.prover),
            transactions: state.accepted,
            refused: state.refused,
            steps,
            chunks,
            witness_bytes_raw: bytes_raw,
            witness_bytes_wire: bytes_wire,
            execute_ms,
            proof,
            program_hash: Some(start.program),
            error: state.fault.clone().or_else(|| state.interrupted.clone()),
            ..ShardStatus::new(self.shard, Role::Operator, start.operator)
        }
    }
}

/// Why there is no end of an execution.
enum Stop {
    /// The run itself can't be executed: doing so again fails the same way.
    OfRun(Cause),
    /// This machine couldn't.
    OfMachine(Cause),
}

impl From<ExecuteError> for Stop {
    fn from(error: ExecuteError) -> Self {
        if error.is_of_this_machine() { Self::OfMachine(error.into()) } else { Self::OfRun(error.into()) }
    }
}

/// Makes the end of an execution durable, or says why there is none.
fn conclude(
    host: &Host,
    events: &Events<events::Room>,
    chunk_store: &ChunkStore,
    segment: SegmentId,
    began: Timestamp,
    result: Result<Execution, ExecuteError>,
) -> Result<(), Stop> {
    let execution = result?;
    let executed = Executed {
        chunks: chunk_store.chunks(),
        steps: execution.steps,
        output: execution.output,
        execute_ms: u64::try_from(host.clock.steady().since(began).as_millis()).unwrap_or(u64::MAX),
    };
    host.store.put(&EXECUTIONS, &segment, &executed).map_err(|error| Stop::OfMachine(error.into()))?;
    let (steps, chunks) = (executed.steps, executed.chunks.len());
    events.emit(ExecutionEnded { shard: segment.shard, steps, chunks });
    chunk_store.end(executed);
    Ok(())
}

pub(super) fn felts(values: &[WireFelt]) -> Vec<Felt> {
    values.iter().map(|it| it.0).collect()
}
