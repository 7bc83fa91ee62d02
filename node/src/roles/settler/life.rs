//! The ends of a shard's life at its settler: it is started, it is settled, it is aborted by somebody or by its deadline.
//!
//! The World decides, in a transaction of its own file; so what is about to be done there is first noted as an [`Intent`], and goes into the
//! history, with which the note ends, before anybody is told. What a crash leaves between the two is [caught up with](Settler::catch_up) before
//! anything else happens to the shard: an output whose proof was verified is applied without fetching or verifying the proof again.
//!
//! One such change at a time: that of the World, that of the history and the note are never another's.

use super::{Settler, SettlerError, error::Objection};
use crate::{
    facts::Ended,
    history::{Advance as _, Lives as _},
};
use shardwire_ledger::{LedgerError, MAX_SHARD_PAGE, Settlement, ShardRecord, ShardState, Stage as WorldStage};
use shardwire_model::{
    Output, PeerId, Role, ShardId, ShardStart, Stage, StartRequest, Timestamp,
    life::{Life, MAX_TIMEOUT, Part, Step, Why},
};
use shardwire_store::{
    Write,
    records::{INTENTS, Intent, SegmentKey, VERDICTS, Verdict},
};
use shardwire_transport::Backoff;
use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError},
    time::Duration,
};
use tokio::time::timeout;

/// How often it is looked whether a deadline has passed, while there is one: the node's clock may be set.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Before what failed is tried again.
const TRY_AGAIN: Backoff = Backoff::between(Duration::from_secs(1), LOOK_EVERY);

/// Of each open shard, when it is aborted. Held while the World or a history changes.
pub(super) type Deadlines = BTreeSet<(Timestamp, ShardId)>;

/// A settler's part of a shard's life.
fn part(shard: ShardId) -> Part {
    Part::of(shard, Role::Settler)
}

impl Settler {
    /// Catches up with what a crash left, and from then on aborts what has timed out.
    pub(super) fn take_up(self: &Arc<Self>) -> Result<(), SettlerError> {
        {
            let mut deadlines = self.deadlines();
            for (SegmentKey { shard, .. }, _) in self.host.store.all(&INTENTS)? {
                self.catch_up(&mut deadlines, shard)?;
            }
            let mut last = None;
            loop {
                let page = self.world.shards(last, MAX_SHARD_PAGE)?;
                let Some(end) = page.last() else { break };
                last = Some(end.shard);
                for open in page.iter().filter(|it| it.stage == WorldStage::Started) {
                    if let Some(Step::Started { deadline, .. }) = self.life(open.shard)?.step(Stage::Started) {
                        deadlines.insert((*deadline, open.shard));
                    }
                }
            }
        }
        let settler = self.clone();
        self.host.tasks.spawn(async move { settler.keep_deadlines().await });
        Ok(())
    }

    pub(super) fn deadlines(&self) -> std::sync::MutexGuard<'_, Deadlines> {
        self.deadlines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a shard stands.
    pub(super) fn life(&self, shard: ShardId) -> Result<Life, SettlerError> {
        Ok(self.host.store.life(part(shard))?)
    }

    /// Takes a step, with the other changes that belong to it.
    pub(super) fn advance(
        &self,
        shard: ShardId,
        step: Step,
        with: impl FnOnce(&mut Write<'_>) -> Result<(), SettlerError>,
    ) -> Result<(), SettlerError> {
        self.host.store.write(|write| {
            with(write)?;
            write.advance::<SettlerError>(&self.host.identity, self.host.clock.now(), part(shard), step).map(drop)
        })
    }

    /// Starts a shard: escrow moves, locks are taken, its operator is told. Without a time-out the configured one counts.
    ///
    /// # Errors
    /// If the World refuses, or the time-out is none; then nothing has moved.
    pub(crate) fn start(
        &self,
        request: &StartRequest,
        by: PeerId,
        timeout_s: Option<u64>,
    ) -> Result<(ShardStart, Timestamp), SettlerError> {
        let timeout = match timeout_s {
            None => self.timeout,
            Some(seconds) if (1..=MAX_TIMEOUT.as_secs()).contains(&seconds) => Duration::from_secs(seconds),
            Some(seconds) => return Err(SettlerError::Timeout { seconds }),
        };
        let now = self.host.clock.now();
        let deadline = now.plus(timeout);
        let shard = request.validate(self.world.network(), deadline).map_err(LedgerError::from)?.shard;
        let mut deadlines = self.deadlines();
        self.catch_up(&mut deadlines, shard)?;
        if self.world.shard(shard)?.is_some() {
            return Err(LedgerError::AlreadyStarted { shard }.into());
        }
        self.host.store.put(&INTENTS, &SegmentKey::first(shard), &Intent::Start { by, deadline })?;
        let started = self.world.start(request, deadline, now);
        // Also if the World refused: then there is nothing to catch up with.
        self.catch_up(&mut deadlines, shard)?;
        let start = started?.start;
        drop(deadlines);
        tracing::info!(shard = %shard.short(), operator = %start.operator.short(), timeout_s = timeout.as_secs(), "shard started");
        self.changes.announce();
        Ok((start, deadline))
    }

    /// Who started a shard, if this settler did.
    pub(crate) fn starter(&self, shard: ShardId) -> Option<PeerId> {
        match self.life(shard).ok()?.step(Stage::Started) {
            Some(Step::Started { by, .. }) => Some(*by),
            _ => None,
        }
    }

    /// Aborts a shard: escrow and locks return. Doing so again changes nothing; since when it is aborted.
    ///
    /// # Errors
    /// If the World doesn't know it, or has settled it; then nothing has moved.
    pub(crate) fn abort(&self, shard: ShardId, why: Why) -> Result<Timestamp, SettlerError> {
        let mut deadlines = self.deadlines();
        // A proof that was verified before comes first.
        self.catch_up(&mut deadlines, shard)?;
        let record = self.world.shard(shard)?.ok_or(LedgerError::UnknownShard { shard })?;
        match record.state {
            ShardState::Aborted { at } => return Ok(at),
            ShardState::Settled(settlement) => {
                return Err(LedgerError::AlreadySettled { shard, proof: settlement.proof }.into());
            }
            ShardState::Started => {}
        }
        self.host.store.put(&INTENTS, &SegmentKey::first(shard), &Intent::Abort { why })?;
        let aborted = self.world.abort(shard, self.host.clock.now());
        self.catch_up(&mut deadlines, shard)?;
        drop(deadlines);
        let at = aborted?.at;
        tracing::warn!(shard = %shard.short(), ?why, "shard aborted");
        self.changes.announce();
        Ok(at)
    }

    /// Applies the output of a proof that was verified, once.
    ///
    /// # Errors
    /// In the outer result, if this settler can't: it will as soon as it can. In the inner one, if the World refuses.
    pub(super) fn settle(
        &self,
        shard: ShardId,
        output: Output,
        verdict: &Verdict,
    ) -> Result<Result<Settlement, Objection>, SettlerError> {
        let mut deadlines = self.deadlines();
        self.catch_up(&mut deadlines, shard)?;
        if let Some(ended) = self.ended(shard)? {
            // While the proof was fetched.
            return Ok(Err(Objection::Ended(ended)));
        }
        let Verdict { proof, prover, .. } = *verdict;
        let verified = self.advance(shard, Step::Verified { proof, prover }, |write| {
            write.put(&VERDICTS, &SegmentKey::first(shard), verdict)?;
            Ok(write.put(&INTENTS, &SegmentKey::first(shard), &Intent::Settle { proof, output })?)
        });
        match verified {
            // Another proof was verified before, and the World refused its output, which is this one's as well.
            Err(SettlerError::Life(refusal)) => return Ok(Err(Objection::Life(refusal))),
            verified => verified?,
        }
        if let Some(refusal) = self.catch_up(&mut deadlines, shard)? {
            return Ok(Err(Objection::World(refusal)));
        }
        drop(deadlines);
        self.changes.announce();
        match self.world.shard(shard)?.map(|record| record.state) {
            Some(ShardState::Settled(settlement)) => Ok(Ok(*settlement)),
            _ => Err(LedgerError::UnknownShard { shard }.into()),
        }
    }

    /// How a shard ended, if it did: as the history says it, which is what others may be told.
    pub(super) fn ended(&self, shard: ShardId) -> Result<Option<Ended>, SettlerError> {
        let life = self.life(shard)?;
        Ok(match life.steps().last() {
            Some(Step::Settled { proof: Some(proof) }) => Some(Ended::Settled { proof: *proof }),
            Some(Step::Aborted { .. }) => Some(Ended::Aborted),
            _ => None,
        })
    }

    /// Brings the history to where the World is, and applies what was verified and isn't applied yet; why not, if the World refuses that for good.
    ///
    /// # Errors
    /// If this settler can't: the note stays, and this is tried again.
    pub(super) fn catch_up(
        &self,
        deadlines: &mut Deadlines,
        shard: ShardId,
    ) -> Result<Option<LedgerError>, SettlerError> {
        let Some(intent) = self.host.store.get(&INTENTS, &SegmentKey::first(shard))? else { return Ok(None) };
        let forget = |write: &mut Write<'_>| -> Result<(), SettlerError> {
            Ok(write.remove(&INTENTS, &SegmentKey::first(shard))?)
        };
        let record = self.world.shard(shard)?;
        match (intent, record) {
            (Intent::Start { by, deadline }, Some(ShardRecord { start, .. })) => {
                self.advance(shard, Step::Started { commitment: start.commitment(), by, deadline }, forget)?;
                deadlines.insert((deadline, shard));
            }
            (Intent::Settle { proof, output }, Some(_)) => {
                match self.world.settle(&output, proof, self.host.clock.now()) {
                    Ok(_) => {
                        self.advance(shard, Step::Settled { proof: Some(proof) }, forget)?;
                        deadlines.retain(|(_, it)| *it != shard);
                    }
                    Err(error) if is_ours(&error) => return Err(error.into()),
                    Err(refusal) => {
                        self.host.store.write(forget)?;
                        return Ok(Some(refusal));
                    }
                }
            }
            (Intent::Abort { why }, Some(ShardRecord { state: ShardState::Aborted { .. }, .. })) => {
                self.advance(shard, Step::Aborted { why }, forget)?;
                deadlines.retain(|(_, it)| *it != shard);
            }
            // The crash, or a refusal, was before the World's transaction.
            _ => self.host.store.write(forget)?,
        }
        Ok(None)
    }

    /// Aborts shards whose deadline has passed, for as long as the node runs.
    async fn keep_deadlines(self: Arc<Self>) {
        let mut waits = TRY_AGAIN.start(self.host.randomness.clone());
        loop {
            let changed = self.changes.next();
            let behind = self.catch_up_all();
            let mut failed = behind;
            for shard in self.due() {
                match self.abort(shard, Why::TimedOut) {
                    // It settled meanwhile, or is aborted: it has no deadline any more.
                    Ok(_) | Err(SettlerError::Ledger(LedgerError::AlreadySettled { .. })) => {
                        self.deadlines().retain(|(_, it)| *it != shard);
                    }
                    Err(error) => {
                        failed = true;
                        let code = shardwire_model::Coded::code(&error);
                        tracing::error!(shard = %shard.short(), code, "can't abort what has timed out, trying again: {error}");
                    }
                }
            }
            let next = self.deadlines().first().map(|(deadline, _)| deadline.since(self.host.clock.now()));
            if failed {
                drop(timeout(waits.after_failure(), changed).await);
                continue;
            }
            waits.reset();
            match next {
                None => changed.await,
                Some(left) => drop(timeout(left.min(LOOK_EVERY), changed).await),
            }
        }
    }

    /// Catches up with what a failed disk left; whether there is still something.
    fn catch_up_all(&self) -> bool {
        let mut deadlines = self.deadlines();
        let Ok(behind) = self.host.store.all(&INTENTS) else { return true };
        let failed = behind.iter().filter(|(key, _)| self.catch_up(&mut deadlines, key.shard).is_err()).count();
        if failed < behind.len() {
            // Others wait for what is done now.
            self.changes.announce();
        }
        failed > 0
    }

    /// The shards whose deadline has passed.
    fn due(&self) -> Vec<ShardId> {
        let now = self.host.clock.now();
        self.deadlines().iter().take_while(|(deadline, _)| *deadline <= now).map(|(_, shard)| *shard).collect()
    }
}

/// Whether a refusal is this settler's own trouble, and says nothing about the proof.
fn is_ours(error: &LedgerError) -> bool {
    matches!(error, LedgerError::Disk { .. } | LedgerError::Damaged { .. } | LedgerError::InUse { .. })
}
