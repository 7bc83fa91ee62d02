//! Catching up: the World is asked to do what was noted, and what it decides is taken in.
//!
//! The World is asked by the session or task that has the turn, which may go away meanwhile: the note stays. What it has decided ends the note, so that is
//! seen through, in a task of its own that has the turn as well.

use super::{
    CaughtUp, operation,
    outdated::{noted_reason, older_settlement},
    part,
};
use crate::{
    Settler, SettlerError,
    error::Objection,
    events::{ShardAborted, ShardSettled, ShardStarted},
    segments,
};
use shardwire_host::{Turn, history::Advance as _};
use shardwire_model::{
    Coded as _, SegmentId, ShardId, Timestamp,
    life::{AbortCause, AbortReason, Step},
};
use shardwire_store::{
    RecordKey as _, Write,
    records::{INTENTS, Intent, KeptCause, KeptVerdict, VERDICTS},
};
use shardwire_transport::Identity;
use shardwire_world::events::{Kind, OperationFinal, OperationPending, OperationRefused, OperationSubmitted};
use shardwire_world::{MergeError, Receipt, Refusal, Standing, Ticket};
use std::sync::Arc;

impl Settler {
    /// Has the World do what was noted about a shard, and brings the history to where the World is then.
    ///
    /// # Errors
    /// [`SettlerError::World`] or [`SettlerError::Store`] if this settler can't: the note stays, and this is tried again.
    pub(crate) async fn catch_up(self: &Arc<Self>, turn: &Turn<ShardId>) -> Result<CaughtUp, SettlerError> {
        let shard = turn.of();
        let Some(intent) = self.host.store.get(&INTENTS, &SegmentId::first(shard))? else { return Ok(CaughtUp::Done) };
        let operation = operation(&intent, shard);
        let (ticket, kind) = (operation.ticket(self.network()), Kind::from(&operation));
        let is_known = self.submitted().contains(&ticket);
        let standing = match is_known {
            true => self.world.standing(ticket).await?,
            false => Standing::Unknown,
        };
        let standing = match standing {
            Standing::Unknown => {
                self.operations.emit(OperationSubmitted { shard, ticket, operation: kind });
                self.world.submit(operation).await?
            }
            standing => standing,
        };
        if matches!(standing, Standing::Pending | Standing::Unknown) {
            if self.submitted().insert(ticket) {
                self.operations.emit(OperationPending { shard, ticket, operation: kind });
            }
            return Ok(CaughtUp::Pending);
        }
        // The note ends with what the World decided, so what follows from that is seen through, also if nobody waits for it any more; nobody else has the turn meanwhile.
        let (it, has_turn) = (self.clone(), turn.clone());
        let decided = async move {
            let ends = matches!(&standing, Standing::Refused(refusal) if is_unsettleable(&intent, refusal));
            let caught = it.take_in(shard, ticket, kind, standing, intent).await;
            drop(has_turn);
            caught.map(|caught| (caught, ends))
        };
        let (caught, ends) = self.host.see_through(decided).await?;
        if ends {
            // If that fails, or takes its time, the note is caught up with later.
            Box::pin(self.catch_up(turn)).await?;
        }
        Ok(caught)
    }

    /// Takes in what the World decided: durable first, then seen and told.
    async fn take_in(
        &self,
        shard: ShardId,
        ticket: Ticket,
        kind: Kind,
        standing: Standing,
        intent: Intent,
    ) -> Result<CaughtUp, SettlerError> {
        let forget = move |write: &mut Write<'_>| -> Result<(), SettlerError> {
            Ok(write.remove(&INTENTS, &SegmentId::first(shard))?)
        };
        let caught = match (standing, intent) {
            (Standing::Refused(refusal), intent) => {
                let (code, why) = (refusal.code(), refusal.clone());
                self.operations.emit(OperationRefused { shard, operation: kind, code, refusal: why });
                self.note_refused(shard, &intent, &refusal).await?;
                if matches!(intent, Intent::Start { .. }) && !matches!(refusal, Refusal::AlreadyStarted { .. }) {
                    self.deadlines.forget(shard);
                }
                self.remember(shard, ticket, refusal.clone());
                CaughtUp::Refused(refusal)
            }
            (Standing::Final(Receipt::Started(started)), Intent::Start { by, .. }) => {
                let (commitment, deadline) = (started.start.commitment(), started.start.deadline);
                self.advance_at(shard, Step::Started { commitment, by, deadline }, started.at, forget).await?;
                self.deadlines.note_taken_up(shard, deadline);
                let (operator, timeout) = (started.start.operator, deadline.since(started.at));
                self.events.emit(ShardStarted { shard, operator, timeout });
                CaughtUp::Done
            }
            (Standing::Final(Receipt::Settled(settled)), _) => {
                self.advance_at(shard, Step::Settled { proof: Some(settled.proof) }, settled.at, forget).await?;
                self.deadlines.forget(shard);
                self.events.emit(ShardSettled { shard, updates: settled.output.updates.len() });
                CaughtUp::Done
            }
            (Standing::Final(Receipt::Aborted(_)), Intent::OlderStart { by, deadline }) => {
                self.give_up_start(shard, by, deadline).await?;
                self.events.emit(ShardAborted { shard, reason: AbortReason::Outdated });
                CaughtUp::Done
            }
            (Standing::Final(Receipt::Aborted(aborted)), intent) => {
                let why = why(noted_reason(&intent, aborted.reason));
                self.advance_at(shard, Step::Aborted { why }, aborted.at, forget).await?;
                self.deadlines.forget(shard);
                self.events.emit(ShardAborted { shard, reason: aborted.reason });
                CaughtUp::Done
            }
            // A receipt of something else than what was asked for.
            (Standing::Final(Receipt::Started(_)), _) => return Err(SettlerError::Receipt { shard }),
            (Standing::Pending | Standing::Unknown, _) => return Ok(CaughtUp::Pending),
        };
        // Either way the operator is told: of the end, or that what was verified is disputed.
        self.wake_operator(shard).await;
        if matches!(caught, CaughtUp::Done) {
            self.operations.emit(OperationFinal { shard, ticket, operation: kind });
        }
        self.submitted().remove(&ticket);
        Ok(caught)
    }

    /// As [`advance`](Self::advance), with the date of the World's transaction: what it decided isn't dated by a clock that was set meanwhile.
    pub(super) async fn advance_at(
        &self,
        shard: ShardId,
        step: Step,
        at: Timestamp,
        with: impl FnOnce(&mut Write<'_>) -> Result<(), SettlerError> + Send + 'static,
    ) -> Result<(), SettlerError> {
        let host = self.host.clone();
        let changes = move |write: &mut Write<'_>| {
            with(write)?;
            steps(write, &host.identity, at, shard, step)
        };
        self.host.store.commit(changes).await
    }

    /// Ends the note of what the World refused, or makes it one of an abort if no proof of the shard can be settled.
    async fn note_refused(&self, shard: ShardId, intent: &Intent, refusal: &Refusal) -> Result<(), SettlerError> {
        let segment = SegmentId::first(shard);
        let ends = is_unsettleable(intent, refusal);
        let disputed = match intent {
            Intent::Settle { proof, .. } => Some((*proof, KeptCause::of(&Objection::World(refusal.clone())))),
            Intent::Start { .. } | Intent::Abort { .. } | Intent::OlderStart { .. } => None,
        };
        let (host, now, settled) = (self.host.clone(), self.host.clock.now(), older_settlement(intent, refusal));
        let changes = move |write: &mut Write<'_>| {
            if let Some(step) = settled {
                steps(write, &host.identity, now, shard, step)?;
            }
            if let Some((proof, fault)) = disputed {
                // That of the segment with which the run ended.
                let verdicts = write.with_prefix(&VERDICTS, &shard.to_bytes())?;
                if let Some((of, verdict)) = verdicts.into_iter().find(|(_, verdict)| verdict.proof == proof) {
                    write.put(&VERDICTS, &of, &KeptVerdict { fault: Some(fault), ..verdict })?;
                }
            }
            match ends {
                true => write.put(&INTENTS, &segment, &Intent::Abort { reason: AbortReason::Unmergeable })?,
                false => write.remove(&INTENTS, &segment)?,
            }
            Ok(())
        };
        self.host.store.commit(changes).await
    }

    /// Wakes the operator of a shard whose history has changed, and no other.
    pub(crate) async fn wake_operator(&self, shard: ShardId) {
        match self.world.shard(shard).await {
            Ok(Some(record)) => self.assignments.announce(&record.start.operator),
            // To look once more costs an operator nothing but that.
            Ok(None) | Err(_) => self.assignments.announce_all(),
        }
    }
}

/// Takes a step of a shard's life. With the one that ends it goes what was kept for its run.
fn steps(
    write: &mut Write<'_>,
    identity: &Identity,
    at: Timestamp,
    shard: ShardId,
    step: Step,
) -> Result<(), SettlerError> {
    let life = write.advance::<SettlerError>(identity, at, part(shard), step)?;
    if life.is_over() {
        segments::forget(write, shard)?;
    }
    Ok(())
}

fn why(reason: AbortReason) -> AbortCause {
    match reason {
        AbortReason::Asked { by } => AbortCause::Asked { by },
        AbortReason::Deadline => AbortCause::TimedOut,
        AbortReason::Outdated => AbortCause::Outdated,
        AbortReason::Unmergeable => AbortCause::Unmergeable,
    }
}

/// Whether it is an output that the World refuses for good: its shard ends then.
fn is_unsettleable(intent: &Intent, refusal: &Refusal) -> bool {
    matches!(intent, Intent::Settle { .. }) && is_unmergeable(refusal)
}

/// Whether the World, which has refused an output that is proven, would refuse it again: no other proof of the run could settle its shard either. A ledger that
/// contradicts itself is trouble of this machine, and ends nothing.
fn is_unmergeable(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Merge(MergeError::Unbalanced { .. }) => false,
        Refusal::Merge(_) | Refusal::Program { .. } => true,
        // The proof was compared with the World's own record of the shard before it came here.
        Refusal::Segment { .. } | Refusal::Before { .. } | Refusal::NotEnded { .. } => false,
        // It is over, or unknown here: there is nothing to abort.
        Refusal::UnknownShard { .. }
        | Refusal::AlreadySettled { .. }
        | Refusal::OtherOutput { .. }
        | Refusal::Aborted { .. } => false,
        // What the ledger should have, and hasn't.
        Refusal::UnknownStorage { .. } => false,
        // Of starts and aborts.
        Refusal::AlreadyStarted { .. }
        | Refusal::Start(_)
        | Refusal::DeadlinePassed { .. }
        | Refusal::DeadlineFar { .. }
        | Refusal::AboveMaximum { .. }
        | Refusal::NotOutdated { .. }
        | Refusal::TooEarly { .. } => false,
    }
}
