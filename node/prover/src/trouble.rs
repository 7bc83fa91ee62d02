//! What keeps this prover from proving and is no job's fault: its worker, a limit that is too low, its disk.
//!
//! Each ends an attempt, and never a job. The lease is given back at once, so that another prover may have the job meanwhile. This prover takes no
//! job until a wait has passed that is longer after each further trouble in a row ([`WAITS`]), and looks then whether its worker answers. A
//! [limit](DueTo::Limit) that a job exceeds keeps that job away alone, and for longer ([`LIMIT_WAITS`]).
//!
//! Until the worker has done its work, or the job that it happened with is over, the node isn't ready: [`Troubles::shortfall`] says why. A worker that couldn't
//! be used is forgiven as soon as it answers. Nothing of this is stored: a restarted prover tries again at once.
//!
//! Bounds: one trouble is known at a time; [`MAX_LIMITED`] jobs wait.

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
/// What an operator is told meanwhile.
pub(super) const IN_TROUBLE: &str = "its last attempt failed because of this machine, and the next one is to come";
/// Most jobs that wait because of a limit. One that doesn't fit is tried with the others.
const MAX_LIMITED: usize = 256;

/// What happened last.
#[derive(Clone, Debug)]
struct Trouble {
    shortfall: Shortfall,
    /// The job that it happened with; none if the worker couldn't be used at all.
    job: Option<Hash>,
    /// Whether the disk was it, which has a condition of its own.
    of_disk: bool,
}

#[derive(Debug)]
struct Limited {
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
    limited: BTreeMap<Hash, Limited>,
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
        if let (DueTo::Limit, Some(job)) = (trouble.due_to(), job)
            && (state.limited.len() < MAX_LIMITED || state.limited.contains_key(&job))
        {
            let limited = state
                .limited
                .entry(job)
                .or_insert_with(|| Limited { waits: LIMIT_WAITS.start(randomness.clone()), until: Instant::now() });
            let wait = limited.waits.after_failure();
            limited.until = Instant::now() + wait;
            return wait;
        }
        let wait = state.waits.get_or_insert_with(|| WAITS.start(randomness.clone())).after_failure();
        state.until = Some(Instant::now() + wait);
        wait
    }

    /// The worker has done its work at a job, whether there is a proof of it or not: whatever was in its way is over.
    pub(super) fn worked(&self, job: Hash) {
        let state = &mut *self.state();
        state.limited.remove(&job);
        (state.present, state.waits) = (None, None);
    }

    /// A job is over: what happened with it is forgotten. Whether something had.
    pub(super) fn forget(&self, job: Hash) -> bool {
        let state = &mut *self.state();
        let limited = state.limited.remove(&job).is_some();
        let of_job = state.present.take_if(|trouble| trouble.job == Some(job)).is_some();
        if of_job {
            (state.waits, state.until) = (None, None);
        }
        self.changes.announce();
        limited || of_job
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

    /// Whether this job waits because it exceeded a limit.
    pub(super) fn is_limited(&self, job: Hash) -> bool {
        self.state().limited.get(&job).is_some_and(|limited| Instant::now() < limited.until)
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
        assert!(troubles.is_fit() && troubles.is_limited(JOBS[0]) && !troubles.is_limited(JOBS[1]));
        let shown = troubles.shortfall().unwrap();
        assert_eq!(
            (shown.code.as_str(), shown.why.as_str()),
            ("SW-PROVE-006", "the prover worker wasn't done within 2 s")
        );
        assert!(shown.next_step.contains("raise worker.deadline_s"), "{}", shown.next_step);
        tokio::time::sleep(wait).await;
        assert!(!troubles.is_limited(JOBS[0]), "it is tried again");
        assert!(troubles.forget(JOBS[0]) && troubles.shortfall().is_none(), "its shard is over");
        assert!(!troubles.forget(JOBS[0]));
    }
}
