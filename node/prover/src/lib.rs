//! The prover: fetches witnesses, proves them, and offers the proofs.
//!
//! It consumes `trace` from operators and serves `proof` to settlers. A job is of one segment of a run; the others may be other provers', and its proof waits for theirs. A job's [`Life`] only moves forward: streaming, proving, proven, settled
//! (or failed, or aborted). Each step is repeated alone after a crash: what was fetched is not fetched again, what is proven
//! is never proven again. Work is done under the operator's lease only: when that ends, the worker does, and what was fetched waits for
//! the next lease. A proof needs its operator no longer.
//!
//! That a shard is over ends its job: on the word of the operator, without whose lease nothing could be done, as long as there is no proof; then
//! on the word of a settler that the World lists. Other peers are offered no proof, and their word counts for nothing.
//!
//! **Whose fault.** That there is no proof counts against a job only if the worker says that it is due to the witness. All else (the worker's file, its
//! memory, a signal, a limit, the disk) is a [trouble](trouble) of this machine: the lease is given back at once, the prover waits, says why, and goes on
//! by itself. A job that has failed can be [tried again](Prover::retry) by hand.
//!
//! **Its own proof** it believes as little as a stranger's: nobody is offered one that doesn't [hold](sound) by a settler's checks.
//!
//! **Which job.** One that a settler of the World has [assigned](keeping) to the operator that offers it, and no other. Several of an operator are [in hand](hand) at a time; those that
//! are ready to be proven come first.
//!
//! Bounds: one witness is proven at a time (a proof takes every core and gigabytes); a worker refuses a job's witness [`MAX_ATTEMPTS`] times before
//! the job has failed; those of [`hand`], [`trouble`] and [`keeping`], which says how many jobs are kept, and for how long.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod chunks;
mod error;
#[cfg(test)]
mod error_tests;
pub mod events;
mod fetch;
#[cfg(test)]
mod full_disk_tests;
mod hand;
mod keeping;
#[cfg(test)]
mod keeping_tests;
mod lease;
mod mend;
mod offer;
#[cfg(test)]
mod operator_half;
mod prove;
#[cfg(test)]
mod reads_tests;
mod retry;
#[cfg(test)]
mod segment_tests;
mod services;
mod sound;
#[cfg(test)]
mod sound_tests;
mod status;
#[cfg(test)]
mod tests;
mod trouble;
#[cfg(test)]
mod trouble_tests;
mod workshop;

pub use chunks::kept_chunk;
pub use error::ProverError;
use events::{FetchedLeft, JobEnded, ProofLost};
use hand::Hands;
use lease::Leases;
pub use retry::RetryError;
use shardwire_host::{
    ChangesOf, Host, Turn, Turns,
    history::{Advance as _, Lives as _},
};
use shardwire_model::{
    Hash, PeerId, SegmentId, Stage,
    life::{AbortCause, Life, Part, Step},
};
use shardwire_proving::verify::Verify;
use shardwire_store::{
    Write,
    records::{JOB_LEASES, JOBS, Job, SignedBytes},
};
use shardwire_telemetry::Events;
use shardwire_transport::Backoff;
use sound::ProofFile;
pub use status::JobStatus;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use trouble::Troubles;
pub use workshop::{Answering, Cancelled, Prove, Proving, Workshop};

/// How often a worker refuses the witness of a job before the job has failed: a flipped bit in memory may be it once; three times it isn't.
pub(crate) const MAX_ATTEMPTS: u32 = 3;
/// Between attempts at a witness that was refused.
const RETRY: Backoff = Backoff::between(Duration::from_secs(2), Duration::from_secs(32));

/// What a prover sees of a segment's life, by its job.
const fn part(id: Hash, job: &Job) -> Part {
    Part::of_job(SegmentId { shard: job.start.shard, segment: job.segment }, id)
}

/// A job, and where it stands.
#[derive(Clone, Debug)]
struct Known {
    job: Job,
    life: Life,
    /// How the file of its proof is.
    file: ProofFile,
}

impl Known {
    /// Where it stands. That it has failed is so until it is tried again, and isn't of the life's course; nor is that its proof was lost or dropped.
    fn stage(&self) -> Option<Stage> {
        match self.life.reached() {
            _ if self.has_failed() => Some(Stage::Failed),
            Some(Stage::Proven) if self.is_unproven() && self.job.manifest.is_some() => Some(Stage::Proving),
            Some(Stage::Proven) if self.is_unproven() => Some(Stage::Streaming),
            reached => reached,
        }
    }

    /// Given up by this prover: the witness was refused, or nobody wants the proof.
    fn has_failed(&self) -> bool {
        self.job.attempts >= MAX_ATTEMPTS && !self.life.is_over()
    }

    /// Whether settlers are offered its proof, as far as the file is there.
    fn is_on_offer(&self) -> bool {
        self.job.proof.is_some() && !self.has_failed() && !self.life.is_over()
    }

    /// Whether the whole witness is here, and no proof.
    fn is_fetched(&self) -> bool {
        self.stage() == Some(Stage::Proving) && self.job.manifest.is_some()
    }
}

/// Removes what was fetched of a job, which is of no use any more. Nobody waits for that.
fn let_go(host: &Arc<Host>, id: Hash) {
    let (artefacts, work, events) = (host.artefacts.clone(), host.work, host.telemetry.events());
    host.tasks.spawn(async move {
        let removed = work.run(move || artefacts.remove(&artefacts.job(id))).await;
        if let Some(Err(error)) = removed {
            events.emit(FetchedLeft { job: id, error: error.to_string() });
        }
    });
}

/// Ends a job of an older layout: what was fetched is of another ABI, and no settler takes such a proof. Before the prover is at work.
#[allow(clippy::disallowed_methods, reason = "before anything is served")]
fn end_outdated(host: &Host, events: &Events<events::Room>, id: Hash, known: Known) -> Result<Known, ProverError> {
    let job = Job { fault: None, ..known.job.clone() };
    let end = Step::Aborted { why: AbortCause::Outdated };
    let (now, step) = (host.clock.now(), end.clone());
    let life = host.store.write(|write| {
        write.put(&JOBS, &id, &job)?;
        write.advance::<ProverError>(&host.identity, now, part(id, &job), step)
    })?;
    events.emit(JobEnded { job: id, end });
    Ok(Known { job, life, ..known })
}

/// A prover: its jobs, and what it does for each.
#[derive(Debug)]
pub struct Prover {
    host: Arc<Host>,
    workshop: Arc<dyn Prove>,
    /// How proofs are believed: as settlers do.
    verifier: Arc<dyn Verify>,
    /// What is durable of them, and what is only shown. Locked to look and to publish, never across a commit.
    jobs: Arc<Mutex<BTreeMap<Hash, Known>>>,
    /// Of each job, the turn to change it.
    changing: Turns<Hash>,
    /// Jobs that a worker is at, or that wait for their turn.
    at_work: Leases,
    /// Proofs that a settler doesn't want, or disputes, and until when if not for good. Forgotten at a restart: then it is asked once more.
    skipped: Mutex<BTreeMap<(PeerId, Hash), Option<Instant>>>,
    /// One proof at a time.
    turn: tokio::sync::Semaphore,
    /// What keeps this machine from proving.
    troubles: Arc<Troubles>,
    hands: Arc<Hands>,
    /// Of each operator, the turn to ask it for a job: in one session at a time.
    job_turns: Turns<PeerId>,
    /// Wakes who waits for a job.
    changes: Arc<ChangesOf<Hash>>,
    /// Wakes the settlers that wait for a proof.
    offers: Arc<ChangesOf<PeerId>>,
    events: Events<events::Room>,
}

impl Prover {
    /// Reads every job; each goes on when its operator leases it again.
    ///
    /// # Errors
    /// [`ProverError::Store`] if the store can't be read or written, [`ProverError::Life`] if a job's history contradicts its record.
    pub fn resume(
        host: Arc<Host>,
        workshop: Arc<dyn Prove>,
        verifier: Arc<dyn Verify>,
    ) -> Result<Arc<Self>, ProverError> {
        let events = host.telemetry.events();
        let mut jobs = BTreeMap::new();
        for (id, job) in host.store.all(&JOBS)? {
            let life = host.store.life(part(id, &job))?;
            let mut known = Known { job, life, file: ProofFile::There };
            if known.job.start.is_outdated() && !known.stage().is_some_and(Stage::is_final) {
                known = end_outdated(&host, &events, id, known)?;
            }
            if let Some(proof) = known.job.proof.filter(|_| !known.life.is_over())
                && host.artefacts.is_there(&host.artefacts.proof(proof)).is_ok_and(|there| !there)
            {
                events.emit(ProofLost { job: id, proof });
                known.lose();
            }
            if !known.is_unproven() {
                // A crash may have been faster.
                let_go(&host, id);
            }
            jobs.insert(id, known);
        }
        let prover = Self {
            events,
            host,
            workshop,
            verifier,
            jobs: Arc::new(Mutex::new(jobs)),
            changing: Turns::default(),
            at_work: Leases::default(),
            skipped: Mutex::default(),
            turn: tokio::sync::Semaphore::new(1),
            troubles: Troubles::new(),
            hands: Hands::new(),
            job_turns: Turns::default(),
            changes: Arc::new(ChangesOf::new()),
            offers: Arc::new(ChangesOf::new()),
        };
        let troubles = prover.troubles.clone();
        prover.host.telemetry.condition("worker", move || troubles.shortfall());
        Ok(Arc::new(prover))
    }

    fn jobs(&self) -> std::sync::MutexGuard<'_, BTreeMap<Hash, Known>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn job(&self, id: Hash) -> Option<Known> {
        self.jobs().get(&id).cloned()
    }

    /// Changes a job's record, and takes a step with it: durable first, then seen, also if who waits for it goes away.
    async fn update(
        &self,
        id: Hash,
        step: Option<Step>,
        change: impl FnOnce(&mut Job) + Send,
    ) -> Result<(), ProverError> {
        self.update_known(id, step, |known| change(&mut known.job)).await
    }

    /// The same, with what is known of it beside the record.
    async fn update_known(
        &self,
        id: Hash,
        step: Option<Step>,
        change: impl FnOnce(&mut Known) + Send,
    ) -> Result<(), ProverError> {
        let turn = self.changing.take(id).await;
        let Some(mut known) = self.job(id) else { return Ok(()) };
        change(&mut known);
        self.keep(turn, known, step, None).await
    }

    /// Makes a job's record durable, with a step and a lease if there are such; then it is seen. The turn ends with that.
    async fn keep(
        &self,
        turn: Turn<Hash>,
        Known { job, life, file }: Known,
        step: Option<Step>,
        lease: Option<SignedBytes>,
    ) -> Result<(), ProverError> {
        let reserved = self.host.store.reserve().await?;
        let (id, stored) = (turn.of(), job.clone());
        let (host, ended, now) = (self.host.clone(), self.host.clone(), self.host.clock.now());
        let changes = move |write: &mut Write<'_>| {
            write.put(&JOBS, &id, &stored)?;
            if let Some(lease) = lease {
                write.put(&JOB_LEASES, &id, &lease)?;
            }
            match step {
                Some(step) => write.advance::<ProverError>(&host.identity, now, part(id, &stored), step),
                None => Ok(life),
            }
        };
        let (jobs, changed, offers) = (self.jobs.clone(), self.changes.clone(), self.offers.clone());
        let seen = move |life: &Result<Life, ProverError>| {
            if let Ok(life) = life {
                if life.is_over() {
                    let_go(&ended, id);
                }
                let known = Known { job, life: life.clone(), file };
                let is_on_offer = known.is_on_offer();
                jobs.lock().unwrap_or_else(PoisonError::into_inner).insert(id, known);
                changed.announce(&id);
                if is_on_offer {
                    offers.announce_all();
                }
            }
            drop(turn);
        };
        reserved.enqueue_then(changes, seen).await.map(drop)
    }

    /// Ends a job whose shard is over. What was fetched of it is of no use any more.
    async fn end(&self, id: Hash, end: Step) -> Result<(), ProverError> {
        self.events.emit(JobEnded { job: id, end: end.clone() });
        self.troubles.forget(id);
        self.update(id, Some(end), |job| job.fault = None).await
    }

    /// Changes what is only shown.
    async fn show(&self, id: Hash, change: impl FnOnce(&mut Job) + Send) {
        // What is being made durable is seen after that, and would hide the change.
        let _turn = self.changing.take(id).await;
        if let Some(known) = self.jobs().get_mut(&id) {
            change(&mut known.job);
        }
    }
}
