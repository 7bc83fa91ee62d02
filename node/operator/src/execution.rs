//! The execution of a run: a thread that takes the log's transactions and then those that are fed, and cuts the witness, and the run in [segments](super::segment) where its program says so.
//!
//! It ends with the end event, or when the run is closed and its executor with it. What couldn't be executed on this machine is [tried again](super::interrupted), and
//! so is what stopped by a fault that may be this machine's or the run's; what can't be executed at all stops the run.

use super::{
    error::OperatorError,
    events::{self, ExecutionEnded, ExecutionInterrupted, ExecutionStopped, RunCut},
    executor::Executor,
    run::{Run, State, felts},
    segment::{Segment, Segments},
};
use shardwire_host::{Changes, Host};
use shardwire_model::{Cause, Coded, Logged, ShardId, Timestamp};
use shardwire_program::{ExecuteError, Execution, Program};
use shardwire_store::records::{EXECUTIONS, Executed};
use shardwire_telemetry::{Events, catch};
use shardwire_witness::Chunk;
use std::{
    cell::RefCell,
    io, iter,
    panic::AssertUnwindSafe,
    sync::{Arc, PoisonError},
};

impl Run {
    /// Begins to execute, where nothing is executing: the log first, then what is fed.
    pub(super) fn execute(&self, program: Arc<dyn Program>, log: Vec<Logged>) -> Result<(), OperatorError> {
        let name = format!("shard {}", self.shard.short());
        // Not the run: that has the executor, with which the thread ends.
        let (shard, witnessing) = (self.shard, Witnessing::of(self));
        let (state, further) = (self.state.clone(), self.further.clone());
        let (start, values) = (self.assignment.start.clone(), felts(&self.assignment.values));
        let executor = Executor::start(self.host.work, name, log, move |transactions, superseded| {
            // Who asks for the next transaction has executed those before.
            let mut next = iter::from_fn(|| {
                further.announce();
                transactions.next()
            });
            let at = RefCell::new(At::new(&witnessing));
            let mut sink = |chunk: Chunk| at.borrow().push(&chunk);
            let mut cut = |execution: Execution| at.borrow_mut().cut(&execution);
            let execute = || program.execute_in_segments(&start, &values, &mut next, &mut cut, &mut sink);
            let result = catch(AssertUnwindSafe(execute));
            if superseded.is_cancelled() {
                return;
            }
            let concluded = match result {
                Ok(Ok(last)) => at.borrow().conclude(&last).map_err(Stop::from),
                Ok(Err(error)) => Err(error.into()),
                Err(panic) => Err(Stop::Unclear(Cause::whole(&OperatorError::Panicked { panic }))),
            };
            if let Err(stop) = concluded {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                // A run that is closed loses its executor, and ends for want of transactions: no fault.
                if !state.life.is_over() {
                    note(&mut state, &witnessing.events, shard, stop);
                }
            }
            witnessing.progress.announce();
            witnessing.changes.announce();
        });
        let executor = executor.map_err(OperatorError::Thread)?;
        *self.executor() = Some(Arc::new(executor));
        Ok(())
    }
}

/// Where the witness of an execution goes.
struct Witnessing {
    host: Arc<Host>,
    events: Events<events::Room>,
    segments: Arc<Segments>,
    progress: Arc<Changes>,
    changes: Arc<Changes>,
}

impl Witnessing {
    fn of(run: &Run) -> Self {
        Self {
            host: run.host.clone(),
            events: run.events.clone(),
            segments: run.segments.clone(),
            progress: run.progress.clone(),
            changes: run.changes.clone(),
        }
    }
}

/// The segment that an execution is in.
struct At<'a> {
    witnessing: &'a Witnessing,
    segment: Arc<Segment>,
    began: Timestamp,
}

impl<'a> At<'a> {
    fn new(witnessing: &'a Witnessing) -> Self {
        let segment = witnessing.segments.first().clone();
        Self { witnessing, segment, began: witnessing.host.clock.steady() }
    }

    fn push(&self, chunk: &Chunk) -> io::Result<()> {
        // What was executed before, and is there, stays.
        if !self.segment.chunk_store.has_ended() {
            self.segment.chunk_store.push(chunk)?;
            self.witnessing.progress.announce();
        }
        Ok(())
    }

    /// Makes the end of a segment durable, and goes on in the next one, with which another job begins.
    #[allow(clippy::disallowed_methods, reason = "on the execution's own thread")]
    fn cut(&mut self, execution: &Execution) -> Result<(), ExecuteError> {
        self.conclude(execution)?;
        let (ended, after) = (self.segment.id, execution.output.after);
        let next = self.witnessing.segments.after(ended, after).map_err(of_disk)?;
        let next = next.filter(|next| next.before == after);
        self.segment = next.ok_or_else(|| ExecuteError::Vm(format!("nothing follows on segment {}", ended.segment)))?;
        self.began = self.witnessing.host.clock.steady();
        self.witnessing.progress.announce();
        self.witnessing.changes.announce();
        Ok(())
    }

    /// Makes the end of the segment durable.
    #[allow(clippy::disallowed_methods, reason = "on the execution's own thread")]
    fn conclude(&self, execution: &Execution) -> Result<(), ExecuteError> {
        let Self { witnessing: Witnessing { host, events, .. }, segment, began } = self;
        match segment.was_executed_like(execution) {
            Some(true) => return Ok(()),
            Some(false) => {
                let what = format!("segment {} isn't what it was before", segment.id.segment);
                return Err(ExecuteError::Vm(what));
            }
            None => {}
        }
        let chunk_store = &segment.chunk_store;
        chunk_store.keep_reads(&execution.reads).map_err(of_disk)?;
        let executed = Executed {
            chunks: chunk_store.chunks(),
            steps: execution.steps,
            output: execution.output.clone(),
            execute_ms: u64::try_from(host.clock.steady().since(*began).as_millis()).unwrap_or(u64::MAX),
        };
        host.store.put(&EXECUTIONS, &segment.id, &executed).map_err(of_disk)?;
        let (shard, number) = (segment.id.shard, segment.id.segment);
        let (steps, chunks) = (executed.steps, executed.chunks.len());
        if executed.output.ended {
            events.emit(ExecutionEnded { shard, steps, chunks });
        } else {
            events.emit(RunCut { shard, segment: number, steps, chunks });
        }
        chunk_store.end(executed);
        Ok(())
    }
}

/// What this machine couldn't store.
fn of_disk(error: impl Coded + Send + Sync + 'static) -> ExecuteError {
    ExecuteError::Unable(Box::new(error))
}

/// Why there is no end of an execution.
enum Stop {
    /// The run itself can't be executed: doing so again fails the same way.
    OfRun(Cause),
    /// Nobody can tell whose fault it is, so it is no verdict on the run.
    Unclear(Cause),
    /// This machine couldn't.
    OfMachine(Cause),
}

impl From<ExecuteError> for Stop {
    fn from(error: ExecuteError) -> Self {
        let cause = Cause::whole(&error);
        match error {
            _ if error.is_of_this_machine() => Self::OfMachine(cause),
            ExecuteError::Dry | ExecuteError::Broken { .. } | ExecuteError::Vm(_) => Self::Unclear(cause),
            _ => Self::OfRun(cause),
        }
    }
}

/// Notes why there is no end of an execution.
fn note(state: &mut State, events: &Events<events::Room>, shard: ShardId, stop: Stop) {
    let (cause, is_of_run) = match stop {
        Stop::OfRun(cause) => (cause, true),
        Stop::OfMachine(cause) => (cause, false),
        // At the same twice there is no run to prove for now, be it the program's fault or this machine's.
        Stop::Unclear(cause) => {
            let before = state.stopped_at.replace(cause.clone());
            let again = before.as_ref() == Some(&cause);
            (cause, again)
        }
    };
    let (code, error) = (cause.code.clone(), cause.reason.clone());
    if is_of_run {
        events.emit(ExecutionStopped { shard, code, error });
        state.fault = Some(cause);
    } else {
        events.emit(ExecutionInterrupted { shard, code, error });
        state.interrupted = Some(cause);
    }
}
