//! The ends of a shard's life at its settler: it is started, it is settled, it is aborted by somebody or by its deadline.
//!
//! The World decides, and may take minutes to. So what is about to be done there is first noted as an [`Intent`], then submitted, and when it is final it goes into the
//! history, with which the note ends, before anybody is told. While an operation is pending its note stays, and this settler goes on with all other
//! shards. What is pending, or what a crash or a failed disk left, is [caught up with](Settler::catch_up) before anything else happens to the shard: the
//! operation is submitted again, which does it once; an output whose proof was verified is applied without fetching or verifying the proof again.
//!
//! Of a run in [segments](crate::segments) the whole is settled, by the proof that was the last one missing. What the others come to is kept until then; that proof's verdict, the step in the history and the note are one commit, so a
//! crash leaves none of them, and its prover offers the proof again.
//!
//! An output that is proven and that the World refuses to merge would be refused again, and no other proof of that run has another one. So its shard is aborted at once, as
//! [unmergeable](AbortReason::Unmergeable): the note of the settlement becomes one of the abort, in one transaction, and escrow and locks return.
//!
//! Of one shard one change at a time ([`Turns`](shardwire_host::Turns)): that of the World, that of the history and the note are never another's.
//!
//! Bounds: one note a shard; [`MAX_REFUSED`] refusals are remembered, for those who ask later.

mod catching_up;
mod date;
mod outdated;
mod tend;

use super::{
    Settler, SettlerError,
    error::Objection,
    segments::{Run, Whole},
};
use shardwire_host::{
    Turn,
    history::{Advance as _, Lives as _},
};
use shardwire_model::life::{AbortReason, Ended};
use shardwire_model::{
    Output, PeerId, Role, SegmentId, ShardId, ShardStart, Stage, StartRequest, Timestamp,
    life::{Life, MAX_TIMEOUT, Part, Step},
};
use shardwire_store::{
    Write,
    records::{INTENTS, Intent, KeptOutput, KeptVerdict, OUTPUTS, VERDICTS},
};
use shardwire_world::{MAX_SHARD_PAGE, Operation, Refusal, Settlement, ShardStage, ShardState, Ticket, decided};
use std::{
    collections::BTreeSet,
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, timeout};

/// How long a command waits, for the state that a shard is to begin from and the World's decision, before it is told that this is pending. Below what the command line waits for an answer.
const COMMAND_PATIENCE: Duration = Duration::from_secs(20);
/// How long a session with a prover waits for it: other proofs of that prover wait as long.
const PROOF_PATIENCE: Duration = Duration::from_secs(2);
/// Most refusals remembered, some hundred bytes each.
pub(super) const MAX_REFUSED: usize = 256;

/// What became of what was about to be done about a shard.
#[derive(Debug)]
pub(super) enum CaughtUp {
    /// There is nothing more to do.
    Done,
    /// The World hasn't decided.
    Pending,
    /// The World refused, and nothing has changed.
    Refused(Refusal),
}

/// What became of a settlement.
#[derive(Debug)]
pub(super) enum Applied {
    /// The output is in the World.
    Settled(Settlement),
    /// The World hasn't decided.
    Pending,
    /// It is kept until the run's other segments are proven.
    Kept,
    /// Another proof of its segment was first, and waits for those of the others.
    Second,
    /// It isn't, and won't be.
    Not(Objection),
}

/// A settler's part of a shard's life: that of the first segment, which stands for the run, since the World settles that as a whole.
pub(super) fn part(shard: ShardId) -> Part {
    Part::of(SegmentId::first(shard), Role::Settler)
}

impl Settler {
    /// Catches up with what was left, and from then on with what the World decides, and aborts what has timed out.
    pub(super) async fn take_up(self: &Arc<Self>) -> Result<(), SettlerError> {
        self.forget_runs().await?;
        for (SegmentId { shard, .. }, _) in self.host.store.all(&INTENTS)? {
            let turn = self.turns.take(shard).await;
            self.catch_up(&turn).await?;
        }
        let (mut last, mut begun) = (None, Vec::new());
        loop {
            let page = self.world.shards(last, MAX_SHARD_PAGE).await?;
            let Some(end) = page.last() else { break };
            last = Some(end.shard);
            for open in page.iter().filter(|it| it.stage == ShardStage::Started) {
                if self.gives_up(open.shard).await? {
                    continue;
                }
                begun.push(open.shard);
                if let Some(Step::Started { deadline, .. }) = self.life(open.shard)?.step(Stage::Started) {
                    self.deadlines.note_taken_up(open.shard, *deadline);
                }
            }
        }
        self.tend_origins(begun);
        let settler = self.clone();
        self.host.tasks.spawn(async move { settler.tend().await });
        Ok(())
    }

    /// Where a shard stands.
    pub(super) fn life(&self, shard: ShardId) -> Result<Life, SettlerError> {
        Ok(self.host.store.life(part(shard))?)
    }

    /// Takes a step, with the other changes that belong to it.
    pub(super) async fn advance(
        &self,
        shard: ShardId,
        step: Step,
        with: impl FnOnce(&mut Write<'_>) -> Result<(), SettlerError> + Send + 'static,
    ) -> Result<(), SettlerError> {
        self.advance_at(shard, step, self.host.clock.now(), with).await
    }

    /// Notes what is about to be done in the World, with what belongs to that. From then on it is done, also if nobody waits for it any more; nobody else has the turn
    /// before the note is durable.
    async fn intend(
        self: &Arc<Self>,
        turn: &Turn<ShardId>,
        intent: &Intent,
        with: impl FnOnce(&mut Write<'_>) -> Result<(), SettlerError> + Send + 'static,
    ) -> Result<(), SettlerError> {
        let (it, intent, noted) = (self.clone(), intent.clone(), intent.clone());
        let (has_turn, shard) = (turn.clone(), turn.of());
        let changes = move |write: &mut Write<'_>| {
            with(write)?;
            Ok::<_, SettlerError>(write.put(&INTENTS, &SegmentId::first(shard), &noted)?)
        };
        let notes = async move {
            it.host.store.commit(changes).await?;
            if let Intent::Start { deadline, .. } = intent {
                it.note_deadline(shard, deadline);
            }
            it.changes.announce();
            drop(has_turn);
            Ok(())
        };
        self.host.see_through(notes).await
    }

    /// Starts a shard: escrow moves, locks are taken, its operator is told. Without a time-out the configured one counts.
    ///
    /// # Errors
    /// [`SettlerError::Refused`] if the World refuses, [`SettlerError::Timeout`] if the time-out is none, [`SettlerError::Date`] or
    /// [`SettlerError::Unconfirmed`] if this settler's date is not to be relied on, [`SettlerError::Origin`] or [`SettlerError::Opening`] if the state that the shard is to begin from can't be opened, or
    /// not yet; then nothing has moved.
    /// [`SettlerError::Pending`] if the World hasn't decided yet: it will.
    pub async fn start(
        self: &Arc<Self>,
        request: &StartRequest,
        by: PeerId,
        timeout_s: Option<u64>,
    ) -> Result<ShardStart, SettlerError> {
        let timeout = match timeout_s {
            None => self.timeout,
            Some(seconds) if (1..=MAX_TIMEOUT.as_secs()).contains(&seconds) => Duration::from_secs(seconds),
            Some(seconds) => return Err(SettlerError::Timeout { seconds }),
        };
        self.has_a_date().await?;
        let deadline = self.host.clock.now().plus(timeout);
        let start = request.validate(self.network(), deadline).map_err(Refusal::from)?;
        let shard = start.shard;
        let asked = Instant::now();
        self.can_begin(start, COMMAND_PATIENCE).await?;
        let turn = self.ready(shard).await?;
        if self.world.shard(shard).await?.is_some() {
            return Err(Refusal::AlreadyStarted { shard }.into());
        }
        let intent = Intent::Start { by, request: request.clone(), deadline };
        self.intend(&turn, &intent, |_| Ok(())).await?;
        self.conclude(turn, &intent, COMMAND_PATIENCE.saturating_sub(asked.elapsed())).await?;
        let record = self.world.shard(shard).await?.ok_or(Refusal::UnknownShard { shard })?;
        Ok(record.start)
    }

    pub(super) fn network(&self) -> &str {
        self.world.identity().network()
    }

    /// The turn to change a shard about which nothing is pending.
    async fn ready(self: &Arc<Self>, shard: ShardId) -> Result<Turn<ShardId>, SettlerError> {
        let turn = self.turns.take(shard).await;
        match self.catch_up(&turn).await? {
            CaughtUp::Pending => Err(SettlerError::Pending { shard }),
            CaughtUp::Done | CaughtUp::Refused(_) => Ok(turn),
        }
    }

    /// Has the World do what was noted, and waits at most this long for its decision.
    async fn conclude(
        self: &Arc<Self>,
        turn: Turn<ShardId>,
        intent: &Intent,
        patience: Duration,
    ) -> Result<(), SettlerError> {
        let shard = turn.of();
        let mut caught = self.catch_up(&turn).await?;
        drop(turn);
        if matches!(caught, CaughtUp::Pending) && !patience.is_zero() {
            let ticket = operation(intent, shard).ticket(self.network());
            if let Ok(standing) = timeout(patience, decided(&*self.world, ticket)).await {
                standing?;
                let turn = self.turns.take(shard).await;
                caught = match self.catch_up(&turn).await? {
                    // It was caught up with already.
                    CaughtUp::Done => self.refusal(ticket).map_or(CaughtUp::Done, CaughtUp::Refused),
                    caught => caught,
                };
            }
        }
        self.changes.announce();
        match caught {
            CaughtUp::Done => Ok(()),
            CaughtUp::Pending => Err(SettlerError::Pending { shard }),
            CaughtUp::Refused(refusal) => Err(refusal.into()),
        }
    }

    fn refusal(&self, ticket: Ticket) -> Option<Refusal> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.iter().find(|(_, known, _)| *known == ticket).map(|(.., refusal)| refusal.clone())
    }

    /// Who started a shard, if this settler did.
    pub fn starter(&self, shard: ShardId) -> Option<PeerId> {
        match self.life(shard).ok()?.step(Stage::Started) {
            Some(Step::Started { by, .. }) => Some(*by),
            _ => None,
        }
    }

    /// Aborts a shard: escrow and locks return. Doing so again changes nothing; since when it is aborted.
    ///
    /// # Errors
    /// [`SettlerError::Refused`] if the World doesn't know it, has settled it, or its deadline is still to come; then nothing has moved.
    /// [`SettlerError::Pending`] if the World hasn't decided yet: it will.
    pub async fn abort(self: &Arc<Self>, shard: ShardId, reason: AbortReason) -> Result<Timestamp, SettlerError> {
        // A proof that was verified before comes first.
        self.abort_in(self.ready(shard).await?, reason, COMMAND_PATIENCE).await
    }

    async fn abort_in(
        self: &Arc<Self>,
        turn: Turn<ShardId>,
        reason: AbortReason,
        patience: Duration,
    ) -> Result<Timestamp, SettlerError> {
        let shard = turn.of();
        let record = self.world.shard(shard).await?.ok_or(Refusal::UnknownShard { shard })?;
        match record.state {
            ShardState::Aborted { at, .. } => return Ok(at),
            ShardState::Settled(settlement) => {
                return Err(Refusal::AlreadySettled { shard, proof: settlement.proof }.into());
            }
            ShardState::Started => {}
        }
        let intent = Intent::Abort { reason };
        self.intend(&turn, &intent, |_| Ok(())).await?;
        self.conclude(turn, &intent, patience).await?;
        match self.world.shard(shard).await?.map(|record| record.state) {
            Some(ShardState::Aborted { at, .. }) => Ok(at),
            _ => Err(Refusal::UnknownShard { shard }.into()),
        }
    }

    /// Applies the output of a proof that was verified, once: that of the whole run, if its other segments are proven. Else it is kept until they are. All that follows from the last one that was missing is noted
    /// in one commit, the verdict on it as well.
    ///
    /// # Errors
    /// [`SettlerError::World`] or [`SettlerError::Store`] if this settler can't: it will as soon as it can.
    pub(super) async fn settle(
        self: &Arc<Self>,
        shard: ShardId,
        output: Output,
        verdict: &KeptVerdict,
    ) -> Result<Applied, SettlerError> {
        let turn = match self.ready(shard).await {
            Err(SettlerError::Pending { .. }) => return Ok(Applied::Pending),
            turn => turn?,
        };
        if let Some(ended) = self.ended(shard)? {
            // While the proof was fetched.
            return Ok(Applied::Not(Objection::Ended(ended)));
        }
        let segment = SegmentId { shard, segment: output.segment };
        let kept = KeptOutput { proof: verdict.proof, prover: verdict.prover, output };
        let is_all = segment.is_first() && kept.output.ended;
        let whole = if is_all {
            let KeptOutput { proof, prover, output } = kept.clone();
            Some(Whole { output, proof, prover })
        } else {
            let run = Run::read(&self.host.store, shard)?;
            if run.has(segment.segment) {
                return Ok(Applied::Second);
            }
            let record = self.world.shard(shard).await?.ok_or(Refusal::UnknownShard { shard })?;
            match run.with(&record, kept.clone()) {
                Ok(whole) => whole,
                Err(error) => return Ok(Applied::Not(error.into())),
            }
        };
        let (host, now, verdict) = (self.host.clone(), self.host.clock.now(), verdict.clone());
        let completes = verdict.proof;
        let keep = move |write: &mut Write<'_>| {
            write.put(&VERDICTS, &segment, &verdict)?;
            if is_all { Ok(()) } else { write.put(&OUTPUTS, &segment, &kept) }
        };
        let Some(Whole { output, proof, prover }) = whole else {
            let keeps = async move {
                host.store.commit(keep).await?;
                drop(turn);
                Ok::<_, SettlerError>(())
            };
            self.host.see_through(keeps).await?;
            return Ok(Applied::Kept);
        };
        let intent = Intent::Settle { proof, output };
        let verified = self.intend(&turn, &intent, move |write| {
            keep(write)?;
            let step = Step::Verified { proof, prover };
            write.advance::<SettlerError>(&host.identity, now, part(shard), step).map(drop)
        });
        match verified.await {
            // Another proof was verified before, and the World refused its output, which is this one's as well.
            Err(SettlerError::Life(refusal)) => return Ok(Applied::Not(Objection::Life(refusal))),
            verified => verified?,
        }
        match self.conclude(turn, &intent, PROOF_PATIENCE).await {
            Err(SettlerError::Pending { .. }) => return Ok(Applied::Pending),
            // With several segments the dispute is about the last one's proof, as the history has it.
            Err(SettlerError::Refused(_)) if completes != proof => {
                return Ok(self.ended(shard)?.map_or(Applied::Pending, |ended| Applied::Not(Objection::Ended(ended))));
            }
            Err(SettlerError::Refused(refusal)) => return Ok(Applied::Not(Objection::World(refusal))),
            concluded => concluded?,
        }
        match self.world.shard(shard).await?.map(|record| record.state) {
            Some(ShardState::Settled(settlement)) => Ok(Applied::Settled(*settlement)),
            _ => Err(Refusal::UnknownShard { shard }.into()),
        }
    }

    /// How a shard ended, if it did: as the history says it, which is what others may be told.
    pub(super) fn ended(&self, shard: ShardId) -> Result<Option<Ended>, SettlerError> {
        Ok(self.life(shard)?.ended())
    }

    fn submitted(&self) -> MutexGuard<'_, BTreeSet<Ticket>> {
        self.submitted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, shard: ShardId, ticket: Ticket, refusal: Refusal) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.retain(|(_, known, _)| *known != ticket);
        if refused.len() >= MAX_REFUSED {
            refused.pop_front();
        }
        refused.push_back((shard, ticket, refusal));
    }
}

/// What the World is asked for by an intent.
fn operation(intent: &Intent, shard: ShardId) -> Operation {
    match intent.clone() {
        Intent::Start { request, deadline, .. } => Operation::Start { request, deadline },
        Intent::Settle { proof, output } => Operation::Settle { output, proof },
        Intent::Abort { reason } => Operation::Abort { shard, reason },
        Intent::OlderStart { .. } => Operation::Abort { shard, reason: AbortReason::Outdated },
    }
}
