//! One shard at its operator: its rules, its log, its execution, its witness.
//!
//! A transaction passes the desk one at a time: the rules are checked, the log is written, then the execution is fed. The execution is
//! a thread that takes the log's transactions and then waits for further ones; it ends with the end event, or when the run is closed
//! and its feed with it.

use super::{
    OperatorError,
    feed::Feed,
    lease::Leases,
    spool::{Extent, Spool},
};
use crate::{
    roles::{Changes, Host},
    store::{
        RecordKey, StoreError,
        records::{ASSIGNMENTS, Assignment, Closed, EXECUTIONS, Executed, LogKey, TRANSACTIONS, WireFelt},
    },
};
use shardwire_model::{Felt, Hash, Mutation, ShardId, ShardStart, SignedTransaction, Timestamp, state_commitment};
use shardwire_protocols::{
    Cause,
    control::{Role, ShardStatus, Stage},
    ingress::{Opened, Outcome},
    trace::{JobOffer, Part, job_id},
};
use shardwire_shard::{
    admission::{Admission, Verdict},
    execute::{self, ExecuteError, Execution},
};
use std::sync::{Arc, Mutex, PoisonError};

/// One shard at its operator.
#[derive(Debug)]
pub(super) struct Run {
    host: Arc<Host>,
    pub(super) shard: ShardId,
    pub(super) job: Hash,
    assignment: Assignment,
    /// Where transactions enter, one at a time.
    desk: tokio::sync::Mutex<Admission>,
    /// Where the execution takes them from; none once the run has ended or failed.
    feed: Mutex<Option<Arc<Feed>>>,
    pub(super) leases: Leases,
    spool: Arc<Spool>,
    state: Arc<Mutex<State>>,
    changes: Arc<Changes>,
}

#[derive(Debug, Default)]
struct State {
    accepted: u32,
    refused: u32,
    ended: bool,
    closed: Option<Closed>,
    /// Why the run can't go on.
    fault: Option<Cause>,
}

impl Run {
    /// A shard that is over.
    pub(super) fn closed(host: &Arc<Host>, assignment: Assignment, changes: Arc<Changes>) -> Self {
        let closed = assignment.closed;
        let run = Self::new(host, assignment, changes);
        run.state().closed = closed;
        run
    }

    /// A shard that goes on where its log ends.
    pub(super) fn open(host: &Arc<Host>, assignment: Assignment, changes: Arc<Changes>) -> Result<Self, OperatorError> {
        let mut run = Self::new(host, assignment, changes);
        let shard = run.shard;
        run.leases.restore(&host.store)?;
        let log: Vec<SignedTransaction> = host
            .store
            .with_prefix(&TRANSACTIONS, &RecordKey::to_bytes(&shard))?
            .into_iter()
            .map(|(_, it)| it)
            .collect();
        let kept = log.len() - usize::from(Mutation::LogCutShort.is_planted() && !log.is_empty());
        let log: Vec<SignedTransaction> = log.into_iter().take(kept).collect();
        let desk = run.desk.get_mut();
        for (transaction, sequence) in log.iter().zip(0..) {
            desk.accept(transaction).map_err(|refusal| OperatorError::Log {
                shard,
                sequence,
                cause: refusal.into(),
            })?;
        }
        let ended = desk.ended();
        {
            let mut state = run.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.accepted = u32::try_from(log.len()).unwrap_or(u32::MAX);
            state.ended = ended;
        }
        match host.store.get(&EXECUTIONS, &shard)? {
            Some(executed) if run.spool.is_whole(&executed) => run.spool.end(executed),
            _ => run.execute(log)?,
        }
        Ok(run)
    }

    fn new(host: &Arc<Host>, assignment: Assignment, changes: Arc<Changes>) -> Self {
        let start = assignment.start.clone();
        let values = felts(&assignment.values);
        let before = state_commitment(start.commitment(), &values);
        let shard = start.shard;
        Self {
            host: host.clone(),
            shard,
            job: job_id(host.program, start.commitment(), before, 0),
            desk: tokio::sync::Mutex::new(Admission::new(start, &values)),
            feed: Mutex::default(),
            leases: Leases::new(shard),
            spool: Arc::new(Spool::new(host.artefacts.clone(), shard)),
            state: Arc::default(),
            assignment,
            changes,
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn feed(&self) -> std::sync::MutexGuard<'_, Option<Arc<Feed>>> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to execute: the log first, then what is fed.
    fn execute(&mut self, log: Vec<SignedTransaction>) -> Result<(), OperatorError> {
        let (start, values) = (self.assignment.start.clone(), felts(&self.assignment.values));
        let (spool, changes) = (self.spool.clone(), self.changes.clone());
        let sink = {
            let (spool, changes) = (spool.clone(), changes.clone());
            move |chunk| {
                spool.push(&chunk)?;
                changes.announce();
                Ok(())
            }
        };
        let (host, state, began) = (self.host.clone(), self.state.clone(), self.host.clock.now());
        let feed = Feed::start(self.host.work, format!("shard {}", self.shard.short()), log, move |transactions| {
            let result = execute::execute(&start, &values, transactions, sink);
            if let Err(cause) = conclude(&host, &spool, start.shard, began, result) {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                // A run that is closed loses its feed, and ends for want of transactions: no fault.
                if state.closed.is_none() {
                    tracing::error!(shard = %start.shard.short(), code = cause.code, "execution stopped: {}", cause.reason);
                    state.fault = Some(cause);
                }
            }
            changes.announce();
        });
        let feed = feed.map_err(OperatorError::Thread)?;
        *self.feed.get_mut().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(feed));
        Ok(())
    }

    pub(super) fn is_open(&self) -> bool {
        self.state().closed.is_none()
    }

    /// Why no transaction or prover is served any more, if so.
    fn stopped(&self) -> Option<OperatorError> {
        let state = self.state();
        let shard = self.shard;
        if state.closed.is_some() {
            return Some(OperatorError::Over { shard });
        }
        state.fault.clone().map(|cause| OperatorError::Stopped { shard, cause })
    }

    /// Where the shard stands for a client.
    pub(super) async fn opened(&self) -> Result<Opened, OperatorError> {
        if let Some(stopped) = self.stopped() {
            return Err(stopped);
        }
        let desk = self.desk.lock().await;
        Ok(Opened {
            start: self.assignment.start.clone(),
            nonces: desk.next_nonces(),
            accepted: desk.accepted(),
            ended: desk.ended(),
        })
    }

    /// Checks a transaction, logs it, and feeds it to the execution.
    pub(super) async fn submit(&self, transaction: SignedTransaction) -> Result<Outcome, OperatorError> {
        let mut desk = self.desk.lock().await;
        if let Some(stopped) = self.stopped() {
            return Err(stopped);
        }
        let verdict = match desk.accept(&transaction) {
            Ok(verdict) => verdict,
            Err(refusal) => {
                self.state().refused += 1;
                return Ok(Outcome::Refused(refusal.into()));
            }
        };
        let sequence = match verdict {
            Verdict::Duplicate { sequence } => return Ok(Outcome::Accepted { sequence, duplicate: true }),
            Verdict::Accepted { sequence } => sequence,
        };
        let key = LogKey { shard: self.shard, sequence };
        if Mutation::EffectBeforeRecord.is_planted() {
            let host = self.host.clone();
            self.host.tasks.spawn(async move {
                tokio::time::sleep(std::time::Duration::from_secs(2)).await;
                drop(host.store.put(&TRANSACTIONS, &key, &transaction));
            });
        } else if let Err(error) = self.host.store.put(&TRANSACTIONS, &key, &transaction) {
            // The rules are ahead of the log now. Nothing more is taken until a restart replays the log.
            self.state().fault = Some(Cause::new(shardwire_model::Coded::code(&error), &error.to_string()));
            return Err(error.into());
        }
        let ended = desk.ended();
        {
            let mut state = self.state();
            state.accepted = sequence + 1;
            state.ended = ended;
        }
        let feed = self.feed().clone();
        if let Some(feed) = feed {
            feed.send(transaction).await;
        }
        if ended {
            *self.feed() = None;
            tracing::info!(shard = %self.shard.short(), transactions = sequence + 1, "end event: the shard takes no further transaction");
            self.changes.announce();
        }
        Ok(Outcome::Accepted { sequence, duplicate: false })
    }

    /// The job that proving this run is.
    pub(super) fn offer(&self) -> JobOffer {
        JobOffer {
            job: self.job,
            shard: self.shard,
            segment: 0,
            start: self.assignment.start.clone(),
            values: felts(&self.assignment.values),
            program: self.host.program,
        }
    }

    /// Whether a prover may be offered the job, as far as the run goes.
    pub(super) fn is_provable(&self) -> bool {
        self.stopped().is_none()
    }

    /// A chunk, or how the run ended; `None` if there is neither yet.
    pub(super) fn part(&self, index: u32) -> Result<Option<Part>, OperatorError> {
        match self.stopped() {
            Some(stopped) => Err(stopped),
            None => Ok(self.spool.part(index)?),
        }
    }

    /// Notes how the shard ended, and lets go of what it held.
    pub(super) fn close(&self, closed: Closed) -> Result<(), StoreError> {
        let assignment = Assignment { closed: Some(closed), ..self.assignment.clone() };
        self.host.store.put(&ASSIGNMENTS, &self.shard, &assignment)?;
        self.state().closed = Some(closed);
        // The execution, if it goes on, ends for want of transactions.
        *self.feed() = None;
        if let Err(error) = self.spool.remove() {
            tracing::warn!(shard = %self.shard.short(), "chunks can't be removed: {error}");
        }
        Ok(())
    }

    pub(super) fn settler(&self) -> shardwire_model::PeerId {
        self.assignment.settler
    }

    /// How the shard is.
    pub(super) fn status(&self) -> ShardStatus {
        let Extent { chunks, steps, bytes_raw, bytes_wire, execute_ms, ended: executed } = self.spool.extent();
        let lease = self.leases.present();
        let state = self.state();
        let start: &ShardStart = &self.assignment.start;
        let stage = match (&state.closed, &state.fault) {
            (Some(Closed::Settled(_)), _) => Stage::Settled,
            (Some(Closed::Aborted), _) => Stage::Aborted,
            (None, Some(_)) => Stage::Failed,
            _ if lease.as_ref().is_some_and(|lease| lease.proof.is_some()) => Stage::Proven,
            _ if executed && lease.is_some() => self.leases.stage(),
            _ if state.ended => Stage::Ended,
            _ => Stage::Executing,
        };
        let proof = match state.closed {
            Some(Closed::Settled(proof)) => Some(proof),
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
            program_hash: Some(self.host.program),
            error: state.fault.clone(),
            ..ShardStatus::new(self.shard, Role::Operator, start.operator)
        }
    }
}

/// Makes the end of an execution durable, or says why there is none.
fn conclude(
    host: &Host,
    spool: &Spool,
    shard: ShardId,
    began: Timestamp,
    result: Result<Execution, ExecuteError>,
) -> Result<(), Cause> {
    let execution = result?;
    let executed = Executed {
        chunks: spool.chunks(),
        steps: execution.steps,
        output: execution.output,
        execute_ms: u64::try_from(host.clock.now().since(began).as_millis()).unwrap_or(u64::MAX),
    };
    host.store.put(&EXECUTIONS, &shard, &executed)?;
    tracing::info!(shard = %shard.short(), steps = executed.steps, chunks = executed.chunks.len(), "execution ended");
    spool.end(executed);
    Ok(())
}

pub(super) fn felts(values: &[WireFelt]) -> Vec<Felt> {
    values.iter().map(|it| it.0).collect()
}
