//! Whose turn it is: of one shard, one change at a time; shards don't wait for each other.
//!
//! Bound: there is a turn for each shard that something is being done about, so as many as sessions that do it.

use shardwire_model::ShardId;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Mutex as Lock, OwnedMutexGuard};

/// A lock for each shard that somebody works at.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<BTreeMap<ShardId, Arc<Lock<()>>>>);

/// The right to change a shard, until dropped.
#[derive(Debug)]
pub(super) struct Turn<'t> {
    turns: &'t Turns,
    pub(super) shard: ShardId,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    fn locks(&self) -> MutexGuard<'_, BTreeMap<ShardId, Arc<Lock<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self, shard: ShardId) -> Arc<Lock<()>> {
        self.locks().entry(shard).or_default().clone()
    }

    /// Waits for the turn, first come first served.
    pub(super) async fn take(&self, shard: ShardId) -> Turn<'_> {
        let guard = Some(self.lock(shard).lock_owned().await);
        Turn { turns: self, shard, guard }
    }

    /// The turn, if nobody has it.
    pub(super) fn try_take(&self, shard: ShardId) -> Option<Turn<'_>> {
        let guard = Some(self.lock(shard).try_lock_owned().ok()?);
        Some(Turn { turns: self, shard, guard })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        drop(self.guard.take());
        let mut locks = self.turns.locks();
        if locks.get(&self.shard).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            locks.remove(&self.shard);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::Felt;

    #[tokio::test]
    async fn one_shard_has_one_turn_and_shards_do_not_wait_for_each_other() {
        let (turns, [a, b]) = (Turns::default(), [Felt::ONE, Felt::TWO].map(ShardId));
        let first = turns.take(a).await;
        assert!(turns.try_take(a).is_none());
        drop(turns.take(b).await);
        let second = turns.take(a);
        tokio::pin!(second);
        assert!(tokio::time::timeout(std::time::Duration::ZERO, &mut second).await.is_err());
        drop(first);
        drop(second.await);
        assert!(turns.locks().is_empty());
    }
}
