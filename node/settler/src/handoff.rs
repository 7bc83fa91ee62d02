//! The settler hands shards to their operators.

use super::{
    Settler, SettlerError,
    events::{ShardAccepted, ShardDeclined},
};
use shardwire_model::{
    Cause, PeerId, SegmentId, ShardId, Stage,
    life::{Ended, Life, Step},
};
use shardwire_protocols::{
    Failure, Signed,
    handoff::{
        Acceptance, Answer, Assign, AssignmentTerms, Closed, Cut, Handler, KnownVerdict, MAX_KNOWN, Outcome,
        ProofVerdict, Verdict,
    },
};
use shardwire_store::{
    RecordKey as _, Write,
    records::{HANDOFFS, Handoff, KeptCause, KeptVerdict, VERDICTS},
};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::timeout_at;

/// How many shards an operator may name that aren't noted as its own; after that no further one is looked at, because each costs a reading of its history. A few
/// are honest: it has accepted them, and this settler hasn't noted that yet.
pub(super) const MAX_FOREIGN: usize = 16;
/// How long an operator may be silent before its shards may be assigned anew: it asks every 15 s.
const LEASE: Duration = Duration::from_secs(120);

impl Settler {
    async fn answer(
        &self,
        operator: PeerId,
        known: &[ShardId],
        verdicts: &[KnownVerdict],
    ) -> Result<Option<Answer>, SettlerError> {
        let (mut news, mut foreign) = (None, 0);
        for shard in known.iter().collect::<BTreeSet<_>>() {
            let life = self.life(*shard)?;
            if let Some(ended) = life.ended() {
                let outcome = match ended {
                    Ended::Aborted => Outcome::Aborted,
                    Ended::Settled { proof } => Outcome::Settled { proof },
                };
                return Ok(Some(Answer::Closed(Closed { shard: *shard, outcome })));
            }
            foreign += usize::from(!is_of(&life, operator));
            if foreign > MAX_FOREIGN {
                break;
            }
            if news.is_none() {
                news = self.verdicts(*shard)?.into_iter().find(|news| !verdicts.contains(&news.known()));
            }
        }
        if let Some(news) = news {
            return Ok(Some(Answer::Verdict(news)));
        }
        let open = self.world.open_shards(operator, None, MAX_KNOWN).await?;
        if !open.is_empty() {
            self.worked_with.note(operator);
        }
        // What the World has started, and the history doesn't say yet, nobody is told.
        let is_new = |shard: &ShardId| {
            !known.contains(shard) && !self.declined.waits_for(operator, *shard) && self.is_started(*shard)
        };
        let Some(shard) = open.into_iter().find(is_new) else { return Ok(None) };
        let Some(record) = self.world.shard(shard).await? else { return Ok(None) };
        let epoch = self.epoch_for(operator, shard).await?;
        let expires = self.host.clock.now().plus(LEASE);
        let (start, values) = (record.start, record.values);
        let signature = Signed::by(&self.host.identity, AssignmentTerms::of(&start, &values)).signature;
        Ok(Some(Answer::Assign(Box::new(Assign { start, values, epoch, expires, signature }))))
    }

    /// Under which epoch a shard is assigned: the next one, made durable, if it was accepted under the last. Nobody holds one that wasn't, so that is assigned again, and nothing is written.
    async fn epoch_for(&self, operator: PeerId, shard: ShardId) -> Result<u64, SettlerError> {
        let last = self.host.store.get(&HANDOFFS, &shard)?;
        if let Some(Handoff { epoch }) = last
            && !is_of(&self.life(shard)?, operator)
        {
            return Ok(epoch);
        }
        let next = move |write: &mut Write<'_>| {
            let epoch = write.get(&HANDOFFS, &shard)?.map_or(1, |handoff| handoff.epoch + 1);
            write.put(&HANDOFFS, &shard, &Handoff { epoch })?;
            Ok::<_, SettlerError>(epoch)
        };
        self.host.store.commit(next).await
    }

    /// The verdicts on the latest proofs of a shard's segments, of which there are jobs for [`MAX_SEGMENTS`](shardwire_model::MAX_SEGMENTS) at most.
    fn verdicts(&self, shard: ShardId) -> Result<Vec<ProofVerdict>, SettlerError> {
        let kept = self.host.store.with_prefix(&VERDICTS, &shard.to_bytes())?;
        let told = |(SegmentId { shard, segment }, kept): (SegmentId, KeptVerdict)| {
            let disputed = |fault: KeptCause| Verdict::Disputed { cause: fault.cause() };
            let verdict = kept.fault.map_or(Verdict::Verified, disputed);
            ProofVerdict { shard, segment, proof: kept.proof, verdict }
        };
        Ok(kept.into_iter().map(told).collect())
    }

    fn is_started(&self, shard: ShardId) -> bool {
        self.life(shard).is_ok_and(|life| life.stage().is_some())
    }

    /// Notes who executes a shard. If it is further already, or over, that came too late to matter.
    pub(super) async fn assigned(&self, operator: PeerId, shard: ShardId) -> Result<(), SettlerError> {
        let life = self.life(shard)?;
        let Some(Step::Started { commitment, .. }) = life.step(Stage::Started) else { return Ok(()) };
        let step = Step::Assigned { commitment: *commitment, peer: operator };
        match self.advance(shard, step, |_| Ok(())).await {
            Err(SettlerError::Life(_)) => Ok(()),
            taken => taken,
        }
    }
}

/// Whether the operator of a shard with this life is this peer, as far as that is noted.
fn is_of(life: &Life, operator: PeerId) -> bool {
    matches!(life.step(Stage::Assigned), Some(Step::Assigned { peer, .. }) if *peer == operator)
}

impl Handler for Settler {
    async fn next(&self, operator: PeerId, known: &[ShardId], verdicts: &[KnownVerdict]) -> Result<Answer, Failure> {
        let changes = self.assignments.of(operator);
        loop {
            let changed = changes.next();
            if let Some(answer) = self.answer(operator, known, verdicts).await? {
                return Ok(answer);
            }
            match self.declined.next_of(operator) {
                Some(due) => drop(timeout_at(due, changed).await),
                None => changed.await,
            }
        }
    }

    async fn cut(&self, operator: PeerId, cuts: &[Cut]) -> Result<(), Failure> {
        Ok(self.take_cuts(operator, cuts).await?)
    }

    async fn accepted(&self, operator: PeerId, acceptance: Signed<Acceptance>) -> Result<(), Failure> {
        let Acceptance { shard, epoch } = acceptance.statement;
        self.assigned(operator, shard).await?;
        self.declined.forget(operator, shard);
        self.events.emit(ShardAccepted { shard, operator, epoch });
        Ok(())
    }

    async fn declined(&self, operator: PeerId, shard: ShardId, cause: Cause) -> Result<(), Failure> {
        let wait = self.declined.note(operator, shard, &self.host.randomness);
        self.events.emit(ShardDeclined { shard, operator, cause: cause.to_string(), wait });
        Ok(())
    }
}
