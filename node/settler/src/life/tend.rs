//! What a settler does on its own: it catches up with what the World decides, and aborts shards that are [late](crate::deadlines).

use super::CaughtUp;
use crate::{
    Settler, SettlerError,
    events::{AbortFailed, CatchUpFailed},
};
use shardwire_model::{Coded as _, SegmentId, ShardId, life::AbortReason};
use shardwire_store::records::INTENTS;
use shardwire_transport::Backoff;
use shardwire_world::Refusal;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// How often it is looked whether a deadline has passed, or what failed can be done, while there is such a thing: the node's date may be confirmed or corrected.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Before what failed is tried again.
const TRY_AGAIN: Backoff = Backoff::between(Duration::from_secs(1), LOOK_EVERY);

impl Settler {
    /// Catches up with what the World decides and aborts shards whose deadline has passed, for as long as the node runs.
    pub(super) async fn tend(self: Arc<Self>) {
        let mut waits = TRY_AGAIN.start(self.host.randomness.clone());
        loop {
            let revision = self.world.revision();
            let changed = self.changes.next();
            let mut failed = self.catch_up_all().await;
            // A World that didn't answer is asked again, also if nobody else does.
            failed |= self.reachable.is_silent() && self.world.shards(None, 1).await.is_err();
            for shard in self.due() {
                failed |= !self.expire(shard).await;
            }
            let wake = async {
                tokio::select! { biased;
                    () = changed => {}
                    () = self.world.changed(revision) => {}
                }
            };
            if failed {
                drop(timeout(waits.after_failure(), wake).await);
                continue;
            }
            waits.reset();
            match self.deadlines.left(self.host.clock.now()) {
                None => wake.await,
                Some(left) => drop(timeout(left.min(LOOK_EVERY), wake).await),
            }
        }
    }

    /// Aborts what has timed out, unless somebody is at it; whether it has no deadline any more.
    async fn expire(self: &Arc<Self>, shard: ShardId) -> bool {
        let Some(turn) = self.turns.try_take(shard) else { return false };
        let aborted = match self.catch_up(&turn).await {
            Ok(CaughtUp::Pending) => return false,
            Ok(_) => self.abort_in(turn, AbortReason::Deadline, Duration::ZERO).await,
            Err(error) => Err(error),
        };
        match aborted {
            // It settled meanwhile, or is aborted.
            Ok(_) | Err(SettlerError::Refused(Refusal::AlreadySettled { .. })) => {
                self.deadlines.forget(shard);
                true
            }
            Err(SettlerError::Pending { .. }) => false,
            Err(error) => {
                self.events.emit(AbortFailed { shard, code: error.code(), error: error.to_string() });
                false
            }
        }
    }

    /// Catches up with what is pending, or was left by a failed disk; whether there is still something.
    async fn catch_up_all(self: &Arc<Self>) -> bool {
        let Ok(behind) = self.host.store.all(&INTENTS) else { return true };
        let mut left = 0;
        for (SegmentId { shard, .. }, _) in &behind {
            // Who has the turn is at it.
            let Some(turn) = self.turns.try_take(*shard) else {
                left += 1;
                continue;
            };
            match self.catch_up(&turn).await {
                Ok(CaughtUp::Done | CaughtUp::Refused(_)) => {}
                Ok(CaughtUp::Pending) => left += 1,
                Err(error) => {
                    left += 1;
                    let (code, error) = (error.code(), error.to_string());
                    self.events.emit(CatchUpFailed { shard: *shard, code, error });
                }
            }
        }
        left > 0
    }
}
