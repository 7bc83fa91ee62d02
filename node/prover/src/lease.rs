//! The jobs that this prover works at, and until when it may.
//!
//! A worker runs only under a lease of its job: each of the operator's answers extends it, and losing it to another prover ends it at
//! once. What an ended lease leaves is the fetched witness, so that a new one costs the proof only.

use shardwire_model::{Hash, Mutation};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// Of each job that is worked at, when its lease ends.
#[derive(Debug, Default)]
pub(super) struct Leases(Mutex<BTreeMap<Hash, watch::Sender<Instant>>>);

/// The lease of one job, as its worker sees it.
#[derive(Clone, Debug)]
pub(super) struct Lease(watch::Receiver<Instant>);

impl Leases {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Hash, watch::Sender<Instant>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Extends a job's lease; the lease itself if nobody works at the job yet, who is the caller then.
    pub(super) fn take(&self, job: Hash, until: Instant) -> Option<Lease> {
        match self.lock().entry(job) {
            Entry::Occupied(held) => {
                held.get().send_replace(until);
                None
            }
            Entry::Vacant(free) => Some(Lease(free.insert(watch::Sender::new(until)).subscribe())),
        }
    }

    /// Changes when the lease of a job that is worked at ends: later, or now.
    pub(super) fn set(&self, job: Hash, until: Instant) {
        if Mutation::TimerNotCancelled.is_planted() {
            return;
        }
        if let Some(held) = self.lock().get(&job) {
            held.send_replace(until);
        }
    }

    pub(super) fn is_held(&self, job: Hash) -> bool {
        self.lock().contains_key(&job)
    }

    /// Nobody works at the job any more.
    pub(super) fn release(&self, job: Hash) {
        self.lock().remove(&job);
    }

    /// As [`release`](Self::release), unless the lease was given again since it ended: `false` then.
    pub(super) fn release_ended(&self, job: Hash) -> bool {
        let mut held = self.lock();
        let over = held.get(&job).is_none_or(|until| *until.borrow() <= Instant::now());
        if over {
            held.remove(&job);
        }
        over
    }
}

impl Lease {
    /// Waits until the lease has ended.
    pub(super) async fn ended(mut self) {
        loop {
            let until = *self.0.borrow_and_update();
            tokio::select! {
                biased;
                changed = self.0.changed() => if changed.is_err() { return },
                () = sleep_until(until) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    const JOB: Hash = Hash([7; 32]);
    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_lease_ends_a_minute_after_it_was_last_extended() {
        let leases = Leases::default();
        let began = Instant::now();
        let lease = leases.take(JOB, began + MINUTE).unwrap();
        assert!(leases.take(JOB, began + MINUTE).is_none(), "somebody works at it");
        assert!(timeout(MINUTE / 2, lease.clone().ended()).await.is_err());
        leases.set(JOB, Instant::now() + MINUTE);
        lease.ended().await;
        assert_eq!(began.elapsed(), MINUTE * 3 / 2);
        assert!(leases.release_ended(JOB) && !leases.is_held(JOB));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_lease_ends_at_once_and_one_given_again_goes_on() {
        let leases = Leases::default();
        let began = Instant::now();
        let lease = leases.take(JOB, began + MINUTE).unwrap();
        leases.set(JOB, began);
        lease.clone().ended().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        // The operator leases the job again before the worker is gone.
        assert!(leases.take(JOB, began + MINUTE).is_none());
        assert!(!leases.release_ended(JOB) && leases.is_held(JOB));
        lease.ended().await;
        assert_eq!(began.elapsed(), MINUTE);
    }
}
