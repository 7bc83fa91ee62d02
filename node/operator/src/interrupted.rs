//! An execution that this machine has interrupted (its disk was full, it had no thread) begins again from the log, by itself, until it gets through.
//!
//! **A run that stops.** That the program stopped at a transaction that the rules had taken, or the virtual machine failed, may be this machine's memory, and may be the run
//! itself: nobody can tell. So that is an interruption as well, and the run is executed again. If it stops at the same once more the shard shows as failed, and neither
//! transactions nor provers are served; it is still tried again, after longer waits ([`STOPPED_WAITS`]). What says of itself that no execution can do it (a run longer than a
//! witness) is the run's, and not tried again.
//!
//! **A shard that can't be taken up** at a node's start, because this machine can't read what it begins from, is taken up later in the same way; one whose genesis is gone,
//! say, shows as failed meanwhile. What this program doesn't have, another release may: that takes a start.
//!
//! Nothing is lost by it: the log is durable, and where a witness is cut depends on the run alone, so a prover that has the first chunks gets the same
//! ones again. Transactions are taken meanwhile as far as the log can be written. The node isn't ready while a run waits: the condition `execution`.
//!
//! Bounds: [`WAITS`] or [`STOPPED_WAITS`] between two tries.

use super::{
    error::OperatorError,
    run::{Context, Run},
};
use shardwire_model::{Cause, Logged, ShardId};
use shardwire_store::{RecordKey as _, StoreError, records::TRANSACTIONS};
use shardwire_telemetry::Shortfall;
use shardwire_transport::{Backoff, backoff::Waits};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use tokio::time::{Duration, sleep};

/// Between two tries.
const WAITS: Backoff = Backoff::between(Duration::from_secs(1), Duration::from_secs(30));

/// Between two tries of a run that has stopped at the same twice: each may take minutes.
const STOPPED_WAITS: Backoff = Backoff::between(Duration::from_secs(60), Duration::from_secs(60 * 60));

/// The runs that wait to be executed again, and why.
#[derive(Clone, Debug, Default)]
pub(super) struct Interrupted(Arc<Mutex<BTreeMap<ShardId, Cause>>>);

impl Interrupted {
    fn set(&self, shard: ShardId, cause: Option<Cause>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match cause {
            Some(cause) => drop(waiting.insert(shard, cause)),
            None => drop(waiting.remove(&shard)),
        }
    }

    pub(super) fn shortfall(&self) -> Option<Shortfall> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (shard, Cause { code, reason }) = waiting.first_key_value()?;
        let others = match waiting.len() {
            1 => String::new(),
            all => format!(", and so do {} others", all - 1),
        };
        Some(Shortfall {
            code: code.clone(),
            why: format!("shard {} waits to be executed again{others}: {reason}", shard.short()),
            next_step: "Mend what it names; execution goes on from the log by itself.".to_owned(),
        })
    }
}

/// Executes a run again whenever this machine has interrupted it, until it is over. Holds it only while it is at it.
pub(super) async fn tend(run: Weak<Run>, context: Context, interrupted: Interrupted) {
    let (mut waits, mut stopped_waits): (Option<Waits>, Option<Waits>) = (None, None);
    let Some(progress) = run.upgrade().map(|run| run.progress.clone()) else { return };
    loop {
        let changed = progress.next();
        let Some(now) = run.upgrade() else { return };
        let (shard, over) = (now.shard, !now.is_open());
        let why = now.state().interrupted.clone().filter(|_| !over);
        let has_stopped = now.has_stopped_at_something();
        let randomness = now.host.randomness.clone();
        drop(now);
        interrupted.set(shard, why.clone());
        if over {
            return;
        }
        let wait = match (why, has_stopped) {
            (Some(_), _) => waits.get_or_insert_with(|| WAITS.start(randomness)).after_failure(),
            (None, true) => stopped_waits.get_or_insert_with(|| STOPPED_WAITS.start(randomness)).after_failure(),
            (None, false) => {
                changed.await;
                continue;
            }
        };
        sleep(wait).await;
        let Some(now) = run.upgrade().filter(|run| run.is_open()) else { continue };
        let again = if now.is_taken_up() { now.execute_again(&context).await } else { now.take_up(&context).await };
        if let Err(error) = again {
            now.state().interrupt(Cause::whole(&error));
        }
    }
}

impl Run {
    /// Whether it has failed by what another execution may not meet with.
    fn has_stopped_at_something(&self) -> bool {
        let state = self.state();
        !state.life.is_over() && state.fault.is_some() && state.fault == state.stopped_at
    }

    async fn execute_again(&self, context: &Context) -> Result<(), OperatorError> {
        let program = context.programs.get(self.assignment.start.program)?.clone();
        let sequencer = self.sequencer()?;
        // Nothing is fed meanwhile.
        let _turn = self.feeding.lock().await;
        // What is logged from here on is fed after it, whether the log that is read has it already or not.
        let (length, has_ended) = sequencer.replayed();
        let (store, shard) = (self.host.store.clone(), self.shard);
        let read = self.host.work.run(move || store.with_prefix(&TRANSACTIONS, &shard.to_bytes())).await;
        let log = read.unwrap_or(Err(StoreError::Closed))?;
        let log: Vec<Logged> = log.into_iter().map(|(_, entry)| entry).take(length as usize).collect();
        // It may still run: what it lost, such as a chunk's file, is no end of it.
        let before = self.executor().take();
        if let Some(before) = before {
            before.supersede().await;
        }
        {
            let mut state = self.state();
            (state.interrupted, state.fault) = (None, None);
        }
        self.segments.begin_again();
        self.execute(program, log)?;
        if has_ended || !self.is_open() {
            // It gets nothing more. A shard that was closed meanwhile had no executor to let go of, or the one before.
            let executor = self.executor().take();
            drop(executor);
        }
        Ok(())
    }
}
