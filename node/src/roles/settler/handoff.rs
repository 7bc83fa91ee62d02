//! The settler hands shards to their operators.

use super::{Settler, SettlerError};
use crate::store::records::{HANDOFFS, Handoff};
use shardwire_ledger::Stage as WorldStage;
use shardwire_model::{PeerId, ShardId};
use shardwire_protocols::{
    Cause, Failure, Signed,
    handoff::{Acceptance, Answer, Assign, Closed, Handler, MAX_KNOWN, Outcome},
};
use std::time::Duration;

/// How long an operator may be silent before its shards may be assigned anew: it asks every 15 s.
const LEASE: Duration = Duration::from_secs(120);

impl Settler {
    fn answer(&self, operator: PeerId, known: &[ShardId]) -> Result<Option<Answer>, SettlerError> {
        for shard in known {
            let outcome = match self.is_over(*shard)? {
                None => continue,
                Some(WorldStage::Aborted { .. }) => Outcome::Aborted,
                Some(WorldStage::Settled { proof, .. }) => Outcome::Settled { proof },
                Some(WorldStage::Started) => continue,
            };
            return Ok(Some(Answer::Closed(Closed { shard: *shard, outcome })));
        }
        let open = self.world.open_shards(operator, None, MAX_KNOWN)?;
        let Some(shard) = open.into_iter().find(|shard| !known.contains(shard)) else { return Ok(None) };
        let Some(record) = self.world.shard(shard)? else { return Ok(None) };
        let epoch = self.host.store.get(&HANDOFFS, &shard)?.map_or(1, |handoff| handoff.epoch + 1);
        self.host.store.put(&HANDOFFS, &shard, &Handoff { epoch, accepted: false })?;
        let expires = self.host.clock.now().plus(LEASE);
        Ok(Some(Answer::Assign(Box::new(Assign { start: record.start, values: record.values, epoch, expires }))))
    }
}

impl Handler for Settler {
    async fn next(&self, operator: PeerId, known: &[ShardId]) -> Result<Answer, Failure> {
        Ok(self.changes.until(|| self.answer(operator, known)).await?)
    }

    async fn accepted(&self, operator: PeerId, acceptance: Signed<Acceptance>) -> Result<(), Failure> {
        let Acceptance { shard, epoch } = acceptance.statement;
        self.host.store.put(&HANDOFFS, &shard, &Handoff { epoch, accepted: true })?;
        tracing::info!(shard = %shard.short(), operator = %operator.short(), epoch, "operator accepts the shard");
        Ok(())
    }

    async fn declined(&self, operator: PeerId, shard: ShardId, cause: Cause) -> Result<(), Failure> {
        tracing::warn!(shard = %shard.short(), operator = %operator.short(), "operator declines the shard: {cause}");
        Ok(())
    }
}
