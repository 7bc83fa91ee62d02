//! What keeps this prover from proving and is no job's fault: its worker, a limit that is too low, its disk.
//!
//! Each ends an attempt, and never a job. The lease is given back at once, so that another prover may have the job meanwhile. This prover takes no
//! job until a wait has passed that is longer after each further trouble in a row ([`WAITS`]), and looks then whether its worker answers. A
//! [limit](DueTo::Limit) that a job exceeds keeps that job away alone, and for longer ([`LIMIT_WAITS`]).
//!
//! A proof that was made and doesn't hold, or a panic of this program or of the prover's library, is taken for this machine's (its memory, its disk, a broken build of the worker), though the witness may be
//! it: a worker proves what it is given. So the job waits as well, longer each time ([`UNSOUND_WAITS`]), and others are tried before it; once one of
//! them is proven, the machine is fit, and what is wrong keeps nothing but that job away.
//!
//! Until the worker has done its work, or the job that it happened with is over, the node isn't ready: [`Troubles::shortfall`] says why. A worker that couldn't
//! be used is forgiven as soon as it answers. Nothing of this is stored: a restarted prover tries again at once.
//!
//! Bounds: one trouble is known at a time; [`MAX_APART`] jobs wait by themselves.

use super::error::ProverError;
use shardwire_host::{Changes, Randomness};
use shardwire_model::{Coded, Hash};
use shardwire_proving::worker::DueTo;
use shardwire_telemetry::Shortfall;
use shardwire_transport::{Backoff, backoff::Waits};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// Between two tries of a machine in trouble.
pub(super) const WAITS: Backoff = Backoff::between(Duration::from_secs(2), Duration::from_secs(60));
/// Between two tries of a job that exceeded a limit: the next one takes as long, and a higher limit needs a restart, which forgets this.
const LIMIT_WAITS: Backoff = Backoff::between(Duration::from_secs(60), Duration::from_secs(60 * 60));
/// Between two tries of a job whose proof didn't hold, or at which this program or the prover's library panicked, beside the machine's own wait: once is a flipped bit, again and again is its witness.
const UNSOUND_WAITS: Backoff = Backoff::between(Duration::from_secs(2), Duration::from_secs(60 * 60));
/// What an operator is told meanwhile.
pub(super) const IN_TROUBLE: &str = "its last attempt failed because of this machine, and the next one is to come";
/// Most jobs that wait by themselves. One that doesn't fit is tried with the others.
const MAX_APART: usize = 256;

/// What happened last.
#[derive(Clone, Debug)]
struct Trouble {
    shortfall: Shortfall,
    /// The job that it happened with; none if the worker couldn't be used at all.
    job: Option<Hash>,
    /// Whether the disk was it, which has a condition of its own.
    of_disk: bool,
}

/// A job that waits by itself.
#[derive(Debug)]
struct Apart {
    waits: Waits,
    until: Instant,
}

#[derive(Debug, Default)]
struct State {
    present: Option<Trouble>,
    /// Of this row of troubles.
    waits: Option<Waits>,
    /// No job is taken before.
    until: Option<Instant>,
    /// Whether somebody waits for that, to look then.
    is_tended: bool,
    apart: BTreeMap<Hash, Apart>,
}

impl State {
    /// Has a job wait by itself, for longer each time; none if there is no room for it.
    fn keep_apart(&mut self, job: Hash, waits: Backoff, randomness: &Randomness) -> Option<Duration> {
        if self.apart.len() >= MAX_APART && !self.apart.contains_key(&job) {
            return None;
        }
        let begin = || Apart { waits: waits.start(randomness.clone()), until: Instant::now() };
        let apart = self.apart.entry(job).or_insert_with(begin);
        let wait = apart.waits.after_failure();
        apart.until = Instant::now() + wait;
        Some(wait)
    }
}

/// See the module's page.
#[derive(Debug)]
pub(super) struct Troubles {
    state: Mutex<State>,
    /// Announced when jobs may be taken again.
    changes: Changes,
}

impl Troubles {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), changes: Changes::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that an attempt ended by no fault of the job; how long the prover, or the job, waits now.
    pub(super) fn note(&self, job: Option<Hash>, trouble: &ProverError, randomness: &Randomness) -> Duration {
        let shortfall =
            Shortfall { code: trouble.code().to_owned(), why: trouble.to_string(), next_step: trouble.next_step() };
        let state = &mut *self.state();
        // That the worker can't be used at all has nothing to do with the job.
        let with = job.filter(|_| !trouble.is_of_the_worker_itself());
        state.present = Some(Trouble { shortfall, job: with, of_disk: trouble.is_of_disk() });
        let waits = match trouble {
            _ if trouble.due_to() == DueTo::Limit => Some(LIMIT_WAITS),
            _ if trouble.is_anybodys() => Some(UNSOUND_WAITS),
            _ => None,
        };
        let of_job = job.zip(waits).and_then(|(job, waits)| state.keep_apart(job, waits, randomness));
        if let Some(wait) = of_job.filter(|_| trouble.due_to() == DueTo::Limit) {
            return wait;
        }
        let wait = state.waits.get_or_insert_with(|| WAITS.start(randomness.clone())).after_failure();
        state.until = Some(Instant::now() + wait);
        of_job.map_or(wait, |of_job| of_job.max(wait))
    }

    /// The worker has done its work at a job, whether there is a proof of it or not: whatever was in its way is over.
    pub(super) fn worked(&self, job: Hash) {
        let state = &mut *self.state();
        state.apart.remove(&job);
        (state.present, state.waits) = (None, None);
    }

    /// A job is over: what happened with it is forgotten. Whether something had.
    pub(super) fn forget(&self, job: Hash) -> bool {
        let state = &mut *self.state();
        let was_apart = state.apart.remove(&job).is_some();
        let of_job = state.present.take_if(|trouble| trouble.job == Some(job)).is_some();
        if of_job {
            (state.waits, state.until) = (None, None);
        }
        self.changes.announce();
        was_apart || of_job
    }

    /// A person wants a job tried again: no wait stands in its way. Whether one did.
    pub(super) fn end_waits(&self, job: Hash) -> bool {
        let forgotten = self.forget(job);
        let state = &mut *self.state();
        state.waits = None;
        let waited = state.until.take().is_some();
        self.changes.announce();
        forgotten || waited
    }

    /// Whether jobs are taken now, as far as this machine goes.
    pub(super) fn is_fit(&self) -> bool {
        self.state().until.is_none()
    }

    /// Waits until jobs may be taken again.
    pub(super) async fn fit(&self) {
        let look = || Ok::<_, std::convert::Infallible>(self.is_fit().then_some(()));
        let Ok(()) = self.changes.until(look).await;
    }

    /// Whether this job waits by itself: it exceeded a limit, or a proof of it didn't hold.
    pub(super) fn is_apart(&self, job: Hash) -> bool {
        self.state().apart.get(&job).is_some_and(|apart| Instant::now() < apart.until)
    }

    /// Whether somebody has to look after the worker from now on, and nobody does yet.
    pub(super) fn is_to_be_tended(&self) -> bool {
        let mut state = self.state();
        state.until.is_some() && !std::mem::replace(&mut state.is_tended, true)
    }

    /// Waits until it is time to look whether the worker answers.
    pub(super) async fn wait(&self) {
        loop {
            let changed = self.changes.next();
            let Some(until) = self.state().until else { return };
            tokio::select! { biased;
                () = changed => {}
                () = sleep_until(until) => return,
            }
        }
    }

    /// The worker answers: jobs are taken again, unless another trouble came while it was asked. Whether they are.
    pub(super) fn end(&self) -> bool {
        let state = &mut *self.state();
        if state.until.is_some_and(|until| Instant::now() < until) {
            return false;
        }
        (state.until, state.is_tended) = (None, false);
        // The worker itself was it, and it is here.
        state.present.take_if(|trouble| trouble.job.is_none());
        self.changes.announce();
        true
    }

    /// What isn't told by another condition.
    pub(super) fn shortfall(&self) -> Option<Shortfall> {
        let state = self.state();
        state.present.as_ref().filter(|trouble| !trouble.of_disk).map(|trouble| trouble.shortfall.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_proving::worker::ProveError;

    const JOBS: [Hash; 2] = [Hash([1; 32]), Hash([2; 32])];

    fn note(troubles: &Troubles, job: Hash, error: ProveError) -> Duration {
        let error = ProverError::Worker(error);
        troubles.note(Some(job), &error, &Randomness::from_seed(1))
    }

    fn killed() -> ProveError {
        ProveError::Killed { signal: 9, reason: "it gave no reason".into() }
    }

    #[tokio::test(start_paused = true)]
    async fn troubles_in_a_row_are_tried_again_less_often_within_bounds_until_a_proof_is_made() {
        let troubles = Troubles::new();
        assert!(troubles.is_fit() && troubles.shortfall().is_none());
        let waits: Vec<_> = (0..8).map(|_| note(&troubles, JOBS[0], killed())).collect();
        assert!(waits[0] < Duration::from_secs(3) && waits[7] > Duration::from_secs(40), "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= WAITS.longest));
        assert!(!troubles.is_fit());
        assert_eq!(troubles.shortfall().unwrap().code, "SW-PROVE-005");
        troubles.worked(JOBS[1]);
        assert!(troubles.shortfall().is_none());
        assert!(note(&troubles, JOBS[0], killed()) < Duration::from_secs(3), "it begins anew");
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_is_too_low_keeps_its_job_away_and_no_other_and_is_shown() {
        let troubles = Troubles::new();
        let wait = note(&troubles, JOBS[0], ProveError::TimedOut { limit: Duration::from_secs(2) });
        assert!(wait >= LIMIT_WAITS.first);
        assert!(troubles.is_fit() && troubles.is_apart(JOBS[0]) && !troubles.is_apart(JOBS[1]));
        let shown = troubles.shortfall().unwrap();
        assert_eq!(
            (shown.code.as_str(), shown.why.as_str()),
            ("SW-PROVE-006", "the prover worker wasn't done within 2 s")
        );
        assert!(shown.next_step.contains("raise worker.deadline_s"), "{}", shown.next_step);
        tokio::time::sleep(wait).await;
        assert!(!troubles.is_apart(JOBS[0]), "it is tried again");
        assert!(troubles.forget(JOBS[0]) && troubles.shortfall().is_none(), "its shard is over");
        assert!(!troubles.forget(JOBS[0]));
    }

    /// A worker proves what it is given, so a witness that is no run's gives such a proof as well: that must not keep a machine that is sound from working.
    #[tokio::test(start_paused = true)]
    async fn a_proof_that_does_not_hold_keeps_its_job_away_longer_each_time_and_the_machine_until_another_is_proven() {
        let troubles = Troubles::new();
        let unsound = || ProverError::OtherProof;
        let note = || troubles.note(Some(JOBS[0]), &unsound(), &Randomness::from_seed(1));
        let waits: Vec<_> = (0..16).map(|_| note()).collect();
        assert!(waits[0] < Duration::from_secs(3) && waits[15] > Duration::from_secs(40 * 60), "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= UNSOUND_WAITS.longest));
        assert!(!troubles.is_fit() && troubles.is_apart(JOBS[0]) && !troubles.is_apart(JOBS[1]));
        assert_eq!(troubles.shortfall().unwrap().code, "SW-PROVER-016");
        tokio::time::sleep(WAITS.longest).await;
        assert!(troubles.end() && troubles.is_fit() && troubles.is_apart(JOBS[0]));
        assert_eq!(troubles.shortfall().unwrap().code, "SW-PROVER-016", "nothing was proven since");
        troubles.worked(JOBS[1]);
        assert!(troubles.shortfall().is_none() && troubles.is_apart(JOBS[0]), "the machine is sound");
        troubles.worked(JOBS[0]);
        assert!(!troubles.is_apart(JOBS[0]));
    }
}
