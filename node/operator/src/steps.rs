//! The steps of a shard's life at its operator: each is durable before it is seen.
//!
//! What may follow is decided where it is written, by the history as it is then: steps of different sessions go through one queue, so none needs a lock that
//! is held across a commit. What is seen here is only ever what the history has.

use super::{error::OperatorError, run::Run};
use shardwire_host::history::{Advance as _, Lives as _};
use shardwire_model::{
    Hash, Role, SegmentId, ShardId, Stage,
    life::{Life, Part, Step},
};
use shardwire_store::Write;
use shardwire_witness::witness_hash;
use std::sync::Arc;

/// An operator's part of a shard's life.
pub(super) fn part(shard: ShardId) -> Part {
    Part::of(SegmentId::first(shard), Role::Operator)
}

/// Whether a step that provers report changes a life. That another prover was further, or had another proof, is no fault; what is said of a run that goes on
/// counts for nothing, since a prover may lie, and its witness isn't whole.
fn counts(life: &Life, step: &Step) -> bool {
    life.has_reached(Stage::Ended) && changes(life, step)
}

/// Whether a step follows and is a new one.
fn changes(life: &Life, step: &Step) -> bool {
    life.after(step).is_ok_and(|after| after != *life)
}

impl Run {
    /// Takes the steps that follow from the life as it is when its turn comes: durable first, then seen, also if who waits for it goes away.
    async fn advance(
        self: &Arc<Self>,
        steps: impl FnOnce(&Life) -> Vec<Step> + Send + 'static,
    ) -> Result<(), OperatorError> {
        let reserved = self.host.store.reserve().await?;
        let (run, then, now) = (self.clone(), self.clone(), self.host.clock.now());
        let changes = move |write: &mut Write<'_>| {
            let mut life = write.life(part(run.shard))?;
            for step in steps(&life) {
                life = write.advance::<OperatorError>(&run.host.identity, now, part(run.shard), step)?;
            }
            Ok::<_, OperatorError>(life)
        };
        let seen = move |taken: &Result<Life, OperatorError>| {
            if let Ok(life) = taken {
                then.state().lives(life);
            }
        };
        reserved.enqueue_then(changes, seen).await.map(drop)
    }

    /// Takes a step that provers report, if it [counts].
    pub(super) async fn reached(self: &Arc<Self>, step: Step) -> Result<(), OperatorError> {
        if !counts(&self.state().life, &step) {
            return Ok(());
        }
        self.advance(|life| if counts(life, &step) { vec![step] } else { vec![] }).await
    }

    /// Notes that a prover fetches the witness of a segment. If the run goes on, the life says so when it ends.
    pub(super) async fn streams(self: &Arc<Self>, job: Hash) -> Result<(), OperatorError> {
        self.reached(Step::Streaming { job }).await
    }

    /// Notes that a prover has the whole witness of a segment, once there is that of the run: all chunks of all segments.
    pub(super) async fn proves(self: &Arc<Self>) -> Result<(), OperatorError> {
        let segments = self.segments.all();
        if segments.len() > 1 && !self.segments.are_whole() {
            return Ok(());
        }
        let chunks = segments.into_iter().flat_map(|segment| segment.chunk_store.chunks());
        let chunks: Vec<Hash> = chunks.map(|chunk| chunk.hash).collect();
        self.reached(Step::Proving { witness: witness_hash(&chunks) }).await
    }

    /// Notes how the shard ended, and lets go of what it held. To be seen through.
    pub(super) async fn close(self: &Arc<Self>, end: Step) -> Result<(), OperatorError> {
        let proven = match &end {
            Step::Settled { proof: Some(proof) } => Some(Step::Proven { proof: *proof }),
            _ => None,
        };
        self.advance(|life| proven.filter(|step| changes(life, step)).into_iter().chain([end]).collect()).await?;
        // The execution, if it goes on, ends for want of transactions.
        let executor = self.executor().take();
        drop(executor);
        let run = self.clone();
        self.host.work.run(move || run.let_go()).await;
        self.progress.announce();
        Ok(())
    }
}
