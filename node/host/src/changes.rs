//! How tasks learn that a state has changed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use tokio::sync::{Notify, futures::Notified};

/// Wakes those who wait for a state to change, in the order in which they began to wait (tokio's `watch` wakes in a random one). A waiter asks
/// for the next change *before* it looks, so that none is missed.
#[derive(Debug)]
pub struct Changes(Notify);

impl Changes {
    /// A state that nobody waits for yet.
    #[allow(clippy::new_without_default, reason = "a state has one, made once, where it is made")]
    pub fn new() -> Self {
        Self(Notify::new())
    }

    /// Wakes everybody who waits.
    pub fn announce(&self) {
        self.0.notify_waiters();
    }

    /// Completes at the first change after this call.
    pub fn next(&self) -> Notified<'_> {
        self.0.notified()
    }

    /// Looks again at each change until `look` finds something.
    pub async fn until<T, E>(&self, mut look: impl FnMut() -> Result<Option<T>, E>) -> Result<T, E> {
        loop {
            let changed = self.next();
            if let Some(found) = look()? {
                return Ok(found);
            }
            changed.await;
        }
    }
}

/// [`Changes`] of many things, by what they are about: who waits for one is woken by its changes only.
///
/// Bound: an entry for each key that somebody waits for.
#[derive(Debug)]
pub struct ChangesOf<K>(Mutex<BTreeMap<K, Weak<Changes>>>);

impl<K: Ord> ChangesOf<K> {
    /// Nobody waits yet.
    #[allow(clippy::new_without_default, reason = "a state has one, made once, where it is made")]
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    fn waited_for(&self) -> std::sync::MutexGuard<'_, BTreeMap<K, Weak<Changes>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The changes of one thing: waits on them are woken for as long as they are held.
    pub fn of(&self, key: K) -> Arc<Changes> {
        let mut waited_for = self.waited_for();
        waited_for.retain(|_, changes| changes.strong_count() > 0);
        if let Some(changes) = waited_for.get(&key).and_then(Weak::upgrade) {
            return changes;
        }
        let changes = Arc::new(Changes::new());
        waited_for.insert(key, Arc::downgrade(&changes));
        changes
    }

    /// Wakes everybody who waits for this thing.
    pub fn announce(&self, key: &K) {
        let changes = self.waited_for().get(key).and_then(Weak::upgrade);
        changes.into_iter().for_each(|changes| changes.announce());
    }

    /// Wakes everybody who waits for anything.
    pub fn announce_all(&self) {
        let all: Vec<_> = self.waited_for().values().filter_map(Weak::upgrade).collect();
        all.into_iter().for_each(|changes| changes.announce());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future as _;

    fn is_woken(waits: &mut std::pin::Pin<&mut Notified<'_>>) -> bool {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        waits.as_mut().poll(&mut context).is_ready()
    }

    #[test]
    fn who_waits_for_one_thing_is_woken_by_its_changes_only() {
        let changes = ChangesOf::new();
        let (one, other) = (changes.of(1), changes.of(2));
        let (mut for_one, mut for_other) = (std::pin::pin!(one.next()), std::pin::pin!(other.next()));
        assert!(!is_woken(&mut for_one) && !is_woken(&mut for_other));
        changes.announce(&1);
        assert!(is_woken(&mut for_one) && !is_woken(&mut for_other));
        changes.announce(&3);
        assert!(!is_woken(&mut for_other));
        changes.announce_all();
        assert!(is_woken(&mut for_other));
    }

    #[test]
    fn waiters_for_one_thing_share_its_changes_and_what_nobody_waits_for_is_forgotten() {
        let changes = ChangesOf::new();
        let held = changes.of(1);
        assert!(Arc::ptr_eq(&held, &changes.of(1)));
        drop(held);
        let _other = changes.of(2);
        assert_eq!(changes.waited_for().len(), 1);
    }
}
