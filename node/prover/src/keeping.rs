//! Which jobs are worked at, of those that are offered, and for how long all of them are kept.
//!
//! **Whose job.** Anybody can say that it is an operator, and make up start data. So a job is taken only with the signature by which a settler that the
//! World lists has assigned the run, from the state that the World has, to the peer that offers it ([`Prover::is_assigned`]). Another one is declined, and is an offence of the peer that offers it: an
//! honest operator is of the same World, or there would be no connection, and offers no job whose signature it hasn't verified, or whose settler that World doesn't list.
//! With what state a later segment of the run begins is that operator's word alone: if it isn't how the segment before ended, the proof settles nothing.
//!
//! **How many.** What is left then are segments of runs that settlers have assigned, of which an operator could make up any number. Of one operator [`MAX_OPEN`] jobs are kept that aren't over, those that are proven and wait
//! for the others of their run included, and what was fetched of
//! [`MAX_FETCHED`]: a further one makes room, since what is removed can be fetched again. What was fetched of a job that is over goes at once.
//!
//! **How long.** A job is forgotten (its record, its lease, its history, its proof and what was fetched) [`KEPT_FOR`] after the deadline of its shard, however it ended, and
//! also if it didn't: the World has settled or aborted the shard by then. One that is in hand stays. It is looked for such jobs whenever one is
//! taken for the first time, so what is here grows only when this happens; a date that isn't confirmed forgets nothing. An offer of a shard whose deadline is
//! as long past is declined, so nothing forgotten is done again.

use super::{
    Known, Prover, ProverError,
    events::{FetchedDropped, JobForgotten, JobLeft, JobTaken, JobUnassigned},
    part,
};
use shardwire_model::{Coded as _, Hash, Mutation, PeerId, ShardStart, Timestamp, Trust, life::MAX_TIMEOUT};
use shardwire_protocols::trace::JobOffer;
use shardwire_reputation::{Blame, Breach, Event};
use shardwire_store::{
    Write,
    records::{HISTORY, JOB_LEASES, JOBS, history_of},
};
use std::time::Duration;

/// Most jobs of an operator that aren't over: of four times as many shards as it executes at a time, or of four runs with as many segments as a run may have.
pub(super) const MAX_OPEN: usize = 256;
/// Most jobs of an operator of which chunks are kept without being in hand.
pub(super) const MAX_FETCHED: usize = 16;
/// How long after the deadline of its shard a job is kept: as long as the longest time of a shard, for people who look what became of it.
pub(super) const KEPT_FOR: Duration = MAX_TIMEOUT;

/// Whether the deadline of a shard is long past at this date.
pub(super) fn is_long_past(start: &ShardStart, now: Timestamp) -> bool {
    start.deadline.plus(KEPT_FOR) < now
}

impl Prover {
    /// Whether a settler of the World has assigned the job to the peer that offers it.
    pub(super) fn is_assigned(&self, operator: PeerId, offer: &JobOffer) -> bool {
        let listed = self.host.world.is_settler(offer.settler);
        (listed && offer.is_assigned_to(operator)) || Mutation::AnybodyOperates.is_planted()
    }

    /// Whether a job is kept that a settler of the World has assigned to this operator.
    pub fn has_job_of(&self, operator: PeerId) -> bool {
        self.jobs().values().any(|known| known.job.operator == operator)
    }

    /// Notes against a peer that it offers a job which nobody has assigned to it. That may end the connection.
    pub(super) fn note_unassigned(&self, operator: PeerId, offer: &JobOffer) {
        self.events.emit(JobUnassigned { job: offer.job, operator, settler: offer.settler });
        self.host.peers.note(operator, &Event::Broke { breach: Breach::Job, blame: Blame::Peer });
    }

    /// Whether as many jobs of this operator are kept as may be.
    pub(super) fn has_many(&self, operator: PeerId) -> bool {
        let open = |known: &&Known| known.job.operator == operator && !known.life.is_over();
        self.jobs().values().filter(open).count() >= MAX_OPEN
    }

    /// A job was taken for the first time: makes room for it, and forgets what is long past.
    pub(super) async fn taken(&self, id: Hash, operator: PeerId) -> Result<(), ProverError> {
        self.events.emit(JobTaken { job: id, operator });
        let fetched = |(id, known): (&Hash, &Known)| {
            let idle = known.is_unproven() && known.job.figures.chunks > 0 && !self.is_busy(*id);
            (idle && known.job.operator == operator).then_some((known.is_fetched(), *id))
        };
        let mut idle: Vec<(bool, Hash)> = self.jobs().iter().filter_map(fetched).collect();
        // Whole witnesses last: they wait for nothing but a turn.
        idle.sort_unstable();
        for (_, job) in idle.iter().take(idle.len().saturating_sub(MAX_FETCHED)) {
            self.drop_fetched(*job, operator).await?;
        }
        self.forget_old().await;
        Ok(())
    }

    fn is_busy(&self, id: Hash) -> bool {
        self.hands.has(id) || self.at_work.is_held(id)
    }

    async fn drop_fetched(&self, id: Hash, operator: PeerId) -> Result<(), ProverError> {
        let artefacts = self.host.artefacts.clone();
        let removed = self.host.work.run(move || artefacts.remove(&artefacts.job(id))).await;
        removed.ok_or(ProverError::Panicked)??;
        self.events.emit(FetchedDropped { job: id, operator });
        self.update(id, None, |job| {
            job.manifest = None;
            job.figures.chunks = 0;
        })
        .await
    }

    async fn forget_old(&self) {
        if self.host.clock.trust() != Trust::Confirmed {
            return;
        }
        let now = self.host.clock.now();
        let past =
            |(id, known): (&Hash, &Known)| (is_long_past(&known.job.start, now) && !self.is_busy(*id)).then_some(*id);
        let past: Vec<Hash> = self.jobs().iter().filter_map(past).collect();
        for id in past {
            if let Err(error) = self.forget(id).await {
                let (code, error) = (error.code(), error.to_string());
                self.events.emit(JobLeft { job: id, code, error });
            }
        }
    }

    /// Removes all of a job: its files first, so that none is left of which nobody knows.
    async fn forget(&self, id: Hash) -> Result<(), ProverError> {
        let turn = self.changing.take(id).await;
        let Some(Known { job, .. }) = self.job(id) else { return Ok(()) };
        let (artefacts, proof, part) = (self.host.artefacts.clone(), job.proof, part(id, &job));
        let remove = move || {
            artefacts.remove(&artefacts.job(id))?;
            proof.map_or(Ok(()), |proof| artefacts.remove(&artefacts.proof(proof)))
        };
        self.host.work.run(remove).await.ok_or(ProverError::Panicked)??;
        let reserved = self.host.store.reserve().await?;
        let changes = move |write: &mut Write<'_>| {
            for (entry, _) in write.with_prefix(&HISTORY, &history_of(&part))? {
                write.remove(&HISTORY, &entry)?;
            }
            write.remove(&JOB_LEASES, &id)?;
            write.remove(&JOBS, &id)?;
            Ok::<_, ProverError>(())
        };
        let jobs = self.jobs.clone();
        let seen = move |removed: &Result<(), ProverError>| {
            if removed.is_ok() {
                jobs.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&id);
            }
            drop(turn);
        };
        reserved.enqueue_then(changes, seen).await?;
        self.troubles.forget(id);
        self.events.emit(JobForgotten { job: id });
        Ok(())
    }
}
