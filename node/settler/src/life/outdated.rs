//! Shards of an older layout, which nothing executes, proves or settles any more: those that are open are aborted through the World when the settler
//! starts, and what was about to be done in it comes to its end.
//!
//! The older World noted no reasons of aborts, the settler did. Its notes were less: a start without its request, which can't be submitted again; a
//! settlement becomes a note of an abort when it is migrated, which the World refuses if it had settled the shard before the settler was killed.

use super::{CaughtUp, part};
use crate::{Settler, SettlerError};
use shardwire_host::history::Advance as _;
use shardwire_model::{
    PeerId, SegmentId, ShardId, Timestamp,
    life::{AbortCause, AbortReason, Step},
};
use shardwire_store::{
    Write,
    records::{INTENTS, Intent},
};
use shardwire_world::Refusal;
use std::sync::Arc;

impl Settler {
    /// Gives a shard up that is of an older layout; whether it is. The World decides; until then there is a note.
    pub(super) async fn gives_up(self: &Arc<Self>, shard: ShardId) -> Result<bool, SettlerError> {
        let Some(record) = self.world.shard(shard).await? else { return Ok(false) };
        if !record.start.is_outdated() {
            return Ok(false);
        }
        let turn = self.turns.take(shard).await;
        if matches!(self.catch_up(&turn).await?, CaughtUp::Pending) {
            return Ok(true);
        }
        let intent = Intent::Abort { reason: AbortReason::Outdated };
        self.intend(&turn, &intent, |_| Ok(())).await?;
        self.catch_up(&turn).await?;
        Ok(true)
    }

    /// The history of a shard whose start an older layout had noted, and which is given up: both steps.
    pub(super) async fn give_up_start(
        &self,
        shard: ShardId,
        by: PeerId,
        deadline: Timestamp,
    ) -> Result<(), SettlerError> {
        let record = self.world.shard(shard).await?.ok_or(Refusal::UnknownShard { shard })?;
        let commitment = record.start.commitment();
        let (host, now) = (self.host.clone(), self.host.clock.now());
        let started = move |write: &mut Write<'_>| {
            let step = Step::Started { commitment, by, deadline };
            write.advance::<SettlerError>(&host.identity, now, part(shard), step)?;
            Ok(write.remove(&INTENTS, &SegmentId::first(shard))?)
        };
        self.advance(shard, Step::Aborted { why: AbortCause::Outdated }, started).await
    }
}

/// The step that brings the history to where the World was before the settler was killed, if that is what the refusal shows.
pub(super) fn older_settlement(intent: &Intent, refusal: &Refusal) -> Option<Step> {
    match (intent, refusal) {
        (Intent::Abort { reason: AbortReason::Outdated }, Refusal::AlreadySettled { proof, .. }) => {
            Some(Step::Settled { proof: Some(*proof) })
        }
        _ => None,
    }
}

/// Why a shard is aborted: what the settler noted, if the World didn't.
pub(super) fn noted_reason(intent: &Intent, of_world: AbortReason) -> AbortReason {
    match (of_world, intent) {
        (AbortReason::Outdated, Intent::Abort { reason }) => *reason,
        (reason, _) => reason,
    }
}
