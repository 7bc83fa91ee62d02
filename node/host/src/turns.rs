//! Whose turn it is: of one thing (a shard, a job, a peer) one change at a time; different things don't wait for each other.
//!
//! A turn is held across commits and other waits, so it is no lock of a thread. What is only looked at or published for a moment has a short lock of
//! its own.
//!
//! Bound: an entry for each thing that something is being done about, so as many as sessions and tasks that do it. What nobody holds goes with the next turn.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Mutex as Lock, OwnedMutexGuard};

/// A lock for each thing that somebody works at.
#[derive(Debug)]
pub struct Turns<K>(Mutex<BTreeMap<K, Arc<Lock<()>>>>);

/// The right to change one thing, until this and its clones are dropped.
#[derive(Clone, Debug)]
pub struct Turn<K> {
    of: K,
    _guard: Arc<OwnedMutexGuard<()>>,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Copy + Ord> Turns<K> {
    fn locks(&self) -> MutexGuard<'_, BTreeMap<K, Arc<Lock<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self, of: K) -> Arc<Lock<()>> {
        let mut locks = self.locks();
        // What nobody holds is as good as new.
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        locks.entry(of).or_default().clone()
    }

    /// Waits for the turn, first come first served.
    pub async fn take(&self, of: K) -> Turn<K> {
        Turn { of, _guard: Arc::new(self.lock(of).lock_owned().await) }
    }

    /// The turn, if nobody has it.
    pub fn try_take(&self, of: K) -> Option<Turn<K>> {
        Some(Turn { of, _guard: Arc::new(self.lock(of).try_lock_owned().ok()?) })
    }
}

impl<K: Copy> Turn<K> {
    /// Whose turn it is.
    pub const fn of(&self) -> K {
        self.of
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn one_thing_has_one_turn_and_others_do_not_wait_for_it() {
        let turns = Turns::default();
        let first = turns.take(1).await;
        let same = first.clone();
        assert!(turns.try_take(1).is_none());
        assert_eq!(turns.take(2).await.of(), 2);
        let second = turns.take(1);
        tokio::pin!(second);
        assert!(timeout(Duration::ZERO, &mut second).await.is_err());
        drop(first);
        assert!(timeout(Duration::ZERO, &mut second).await.is_err(), "a clone holds it");
        drop(same);
        drop(second.await);
    }

    #[tokio::test]
    async fn what_nobody_holds_is_forgotten_also_if_who_waited_went_away() {
        let turns = Turns::default();
        let first = turns.take(1).await;
        assert!(timeout(Duration::ZERO, turns.take(1)).await.is_err());
        drop(first);
        drop(turns.take(2).await);
        assert_eq!(turns.locks().len(), 1);
    }
}
