//! What operators declined lately. Such a shard is assigned again after a wait, since the cause may pass (no room, no program yet), and meanwhile it stands in the way of no other
//! shard of that operator.
//!
//! Bounds: [`WAITS`]; [`MAX_DECLINED`] are remembered, and to one more the one whose wait ends first gives way. Nothing is stored: a restarted settler assigns once more.

use shardwire_host::Randomness;
use shardwire_model::{PeerId, ShardId};
use shardwire_transport::{Backoff, backoff::Waits};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long a declined shard isn't assigned again, longer after each further time.
pub(super) const WAITS: Backoff = Backoff::between(Duration::from_secs(15), Duration::from_secs(5 * 60));
/// Most declined shards remembered, of all operators together: about 500 bytes each.
const MAX_DECLINED: usize = 4096;

#[derive(Debug)]
struct Wait {
    waits: Waits,
    until: Instant,
}

/// See the module's page.
#[derive(Debug, Default)]
pub(super) struct Declined(Mutex<BTreeMap<(PeerId, ShardId), Wait>>);

impl Declined {
    fn waits(&self) -> MutexGuard<'_, BTreeMap<(PeerId, ShardId), Wait>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that an operator declined a shard; how long it isn't assigned again.
    pub(super) fn note(&self, operator: PeerId, shard: ShardId, randomness: &Randomness) -> Duration {
        let (waits, key) = (&mut *self.waits(), (operator, shard));
        if waits.len() >= MAX_DECLINED && !waits.contains_key(&key) {
            let first = waits.iter().min_by_key(|(_, wait)| wait.until).map(|(key, _)| *key);
            first.and_then(|first| waits.remove(&first));
        }
        let begin = || Wait { waits: WAITS.start(randomness.clone()), until: Instant::now() };
        let of_shard = waits.entry(key).or_insert_with(begin);
        let wait = of_shard.waits.after_failure();
        of_shard.until = Instant::now() + wait;
        wait
    }

    /// The operator accepted the shard: if it declines it later, the waits begin anew.
    pub(super) fn forget(&self, operator: PeerId, shard: ShardId) {
        self.waits().remove(&(operator, shard));
    }

    /// Whether a shard isn't assigned now.
    pub(super) fn waits_for(&self, operator: PeerId, shard: ShardId) -> bool {
        self.waits().get(&(operator, shard)).is_some_and(|wait| Instant::now() < wait.until)
    }

    /// When the next wait of this operator's shards ends.
    pub(super) fn next_of(&self, operator: PeerId) -> Option<Instant> {
        let (waits, now) = (self.waits(), Instant::now());
        let its = waits.iter().filter(|((of, _), wait)| *of == operator && now < wait.until);
        its.map(|(_, wait)| wait.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::Felt;

    #[tokio::test(start_paused = true)]
    async fn waits_are_longer_each_time_within_bounds_and_begin_anew_after_an_acceptance() {
        let (declined, randomness) = (Declined::default(), Randomness::from_seed(1));
        let (operator, shard) = (PeerId([1; 32]), ShardId(Felt::ONE));
        let waits: Vec<_> = (0..8).map(|_| declined.note(operator, shard, &randomness)).collect();
        assert!(waits[0] < 2 * WAITS.first && waits[7] > WAITS.longest / 2, "{waits:?}");
        assert!(waits.iter().all(|wait| (WAITS.first..=WAITS.longest).contains(wait)), "{waits:?}");
        assert_eq!(declined.next_of(operator), Some(Instant::now() + waits[7]));
        assert!(declined.waits_for(operator, shard) && !declined.waits_for(PeerId([2; 32]), shard));
        tokio::time::sleep(waits[7]).await;
        assert!(!declined.waits_for(operator, shard) && declined.next_of(operator).is_none());
        declined.forget(operator, shard);
        assert!(declined.note(operator, shard, &randomness) < 2 * WAITS.first);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_remembered_than_the_bound_and_the_first_that_ends_gives_way() {
        let (declined, randomness) = (Declined::default(), Randomness::from_seed(1));
        let operator = PeerId([1; 32]);
        declined.note(operator, ShardId(Felt::ZERO), &randomness);
        tokio::time::sleep(WAITS.first).await;
        for shard in 1..=MAX_DECLINED as u64 {
            declined.note(operator, ShardId(Felt::from(shard)), &randomness);
        }
        assert_eq!(declined.waits().len(), MAX_DECLINED);
        assert!(!declined.waits().contains_key(&(operator, ShardId(Felt::ZERO))));
    }
}
