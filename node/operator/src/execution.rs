//! The execution of a run: a thread that takes the log's transactions and then those that are fed, and cuts the witness.
//!
//! It ends with the end event, or when the run is closed and its executor with it. What couldn't be executed on this machine is [tried again](super::interrupted), and
//! so is what stopped by a fault that may be this machine's or the run's; what can't be executed at all stops the run.

use super::{
    chunk_store::ChunkStore,
    error::OperatorError,
    events::{self, ExecutionEnded, ExecutionInterrupted, ExecutionStopped},
    executor::Executor,
    run::{Run, State, felts},
};
use shardwire_host::Host;
use shardwire_model::{Cause, Logged, SegmentId, ShardId, Timestamp};
use shardwire_program::{ExecuteError, Execution, Program};
use shardwire_store::records::{EXECUTIONS, Executed};
use shardwire_telemetry::{Events, catch};
use shardwire_witness::Chunk;
use std::{
    iter,
    panic::AssertUnwindSafe,
    sync::{Arc, PoisonError},
};

impl Run {
    /// Begins to execute, where nothing is executing: the log first, then what is fed.
    pub(super) fn execute(&self, program: Arc<dyn Program>, log: Vec<Logged>) -> Result<(), OperatorError> {
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
        let (events, segment, further) = (self.events.clone(), self.segment(), self.further.clone());
        let name = format!("shard {}", self.shard.short());
        let executor = Executor::start(self.host.work, name, log, move |transactions, superseded| {
            // Who asks for the next transaction has executed those before.
            let mut next = iter::from_fn(|| {
                further.announce();
                transactions.next()
            });
            let execute = || program.execute(&start, &values, &mut next, &mut sink);
            let result = catch(AssertUnwindSafe(execute));
            if superseded.is_cancelled() {
                return;
            }
            let concluded = match result {
                Ok(result) => conclude(&host, &events, &chunk_store, segment, began, result),
                Err(panic) => Err(Stop::Unclear(Cause::whole(&OperatorError::Panicked { panic }))),
            };
            if let Err(stop) = concluded {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                // A run that is closed loses its executor, and ends for want of transactions: no fault.
                if !state.life.is_over() {
                    note(&mut state, &events, start.shard, stop);
                }
            }
            progress.announce();
            changes.announce();
        });
        let executor = executor.map_err(OperatorError::Thread)?;
        *self.executor() = Some(Arc::new(executor));
        Ok(())
    }
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

/// Makes the end of an execution durable, or says why there is none.
#[allow(clippy::disallowed_methods, reason = "on the execution's own thread")]
fn conclude(
    host: &Host,
    events: &Events<events::Room>,
    chunk_store: &ChunkStore,
    segment: SegmentId,
    began: Timestamp,
    result: Result<Execution, ExecuteError>,
) -> Result<(), Stop> {
    let execution = result?;
    chunk_store.keep_reads(&execution.reads).map_err(|error| Stop::OfMachine(Cause::whole(&error)))?;
    let executed = Executed {
        chunks: chunk_store.chunks(),
        steps: execution.steps,
        output: execution.output,
        execute_ms: u64::try_from(host.clock.steady().since(began).as_millis()).unwrap_or(u64::MAX),
    };
    host.store.put(&EXECUTIONS, &segment, &executed).map_err(|error| Stop::OfMachine(Cause::whole(&error)))?;
    let (steps, chunks) = (executed.steps, executed.chunks.len());
    events.emit(ExecutionEnded { shard: segment.shard, steps, chunks });
    chunk_store.end(executed);
    Ok(())
}
