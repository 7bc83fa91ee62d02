//! How shards and the World's storage are, for people.

use super::{Settler, SettlerError, proofs::verifies, segments::Run};
use shardwire_model::{
    Cause, Felt, PeerId, SegmentId, ShardId, Slot, Stage,
    life::{AbortCause, Step},
};
use shardwire_store::{
    RecordKey as _,
    records::{INTENTS, Intent, KeptCause, KeptVerdict, VERDICTS},
};
use shardwire_world::{Refusal, Settlement, ShardState, StorageEntry};
use std::{collections::BTreeSet, sync::PoisonError};

/// How a shard is at the settler that started it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettlementStatus {
    /// The shard.
    pub shard: ShardId,
    /// How far it is.
    pub stage: Stage,
    /// Who executes it; nobody's id if the World refused the start.
    pub operator: PeerId,
    /// The program that is to be proven, once the World has started the shard.
    pub program: Option<Felt>,
    /// The verdict on the proof of it that holds, if its run is verified; of several segments that on the last one's. Anybody can send one that doesn't: that is its sender's, and not told of the shard.
    pub verdict: Option<KeptVerdict>,
    /// Of how many segments of its run a proof holds.
    pub proven_segments: u32,
    /// How often its operator has cut the run, as far as it has said so; none any more when the shard is over.
    pub cuts: u32,
    /// What the World settled.
    pub settlement: Option<Settlement>,
    /// What it waits for, or what went wrong last.
    pub error: Option<Cause>,
}

impl Settler {
    /// How each shard is, at most this many; only one if it is named.
    ///
    /// # Errors
    /// [`SettlerError::World`] or [`SettlerError::Store`] if the World or the store can't be read.
    pub async fn shards(&self, only: Option<ShardId>, limit: usize) -> Result<Vec<SettlementStatus>, SettlerError> {
        let shards = match only {
            Some(shard) => vec![shard],
            None => {
                let page = self.world.shards(None, limit).await?;
                let starting = self.host.store.all(&INTENTS)?.into_iter();
                let starting =
                    starting.filter(|(_, intent)| matches!(intent, Intent::Start { .. })).map(|it| it.0.shard);
                let shards: BTreeSet<ShardId> = page.into_iter().map(|it| it.shard).chain(starting).collect();
                shards.into_iter().take(limit).collect()
            }
        };
        let mut statuses = Vec::with_capacity(shards.len());
        for shard in shards {
            statuses.extend(self.status(shard).await?);
        }
        Ok(statuses)
    }

    pub(super) async fn status(&self, shard: ShardId) -> Result<Option<SettlementStatus>, SettlerError> {
        let intent = self.host.store.get(&INTENTS, &SegmentId::first(shard))?;
        let pending = intent.as_ref().map(|_| Cause::from(SettlerError::Pending { shard }));
        let Some(record) = self.world.shard(shard).await? else {
            let starting = match intent {
                Some(Intent::Start { request, .. }) => Some((request.operator, pending)),
                _ => self.refused(shard).map(|refusal| (PeerId([0; 32]), Some(Cause::from(refusal)))),
            };
            return Ok(starting.map(|(operator, error)| SettlementStatus {
                shard,
                stage: Stage::default(),
                operator,
                program: None,
                verdict: None,
                proven_segments: 0,
                cuts: 0,
                settlement: None,
                error,
            }));
        };
        let life = self.life(shard)?;
        let verdicts = self.host.store.with_prefix(&VERDICTS, &shard.to_bytes())?.into_iter().map(|it| it.1);
        let verdicts: Vec<KeptVerdict> = verdicts.collect();
        let proven = verdicts.iter().filter(|verdict| verdict.fault.is_none()).count();
        let verdict = verdicts.into_iter().find(|verdict| verifies(&life, verdict.proof));
        // What was wrong with a proof is of no interest once the shard is over, unless that ended it.
        let ended_it = matches!(life.step(Stage::Aborted), Some(Step::Aborted { why: AbortCause::Unmergeable }));
        let tells = ended_it || !life.is_over();
        let fault = verdict.as_ref().and_then(|verdict| verdict.fault.as_ref()).filter(|_| tells);
        Ok(Some(SettlementStatus {
            shard,
            stage: life.stage().unwrap_or_default(),
            operator: record.start.operator,
            program: Some(record.start.program),
            proven_segments: u32::try_from(proven).unwrap_or(u32::MAX),
            cuts: Run::read(&self.host.store, shard)?.count_cuts(),
            error: pending.or_else(|| fault.map(KeptCause::cause)),
            verdict,
            settlement: match record.state {
                ShardState::Settled(settlement) => Some(*settlement),
                ShardState::Started | ShardState::Aborted { .. } => None,
            },
        }))
    }

    /// Why the World refused what was last asked about a shard, if it did lately.
    fn refused(&self, shard: ShardId) -> Option<Refusal> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.iter().rev().find(|(known, ..)| *known == shard).map(|(.., refusal)| refusal.clone())
    }

    /// A page of the World's storage: at most so many entries after a slot.
    ///
    /// # Errors
    /// [`SettlerError::World`] if the World can't be read.
    pub async fn storage(&self, after: Option<Slot>, limit: usize) -> Result<Vec<StorageEntry>, SettlerError> {
        Ok(self.world.storage(after, limit).await?)
    }
}
