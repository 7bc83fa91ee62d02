//! When open shards are late, and by which clock that is so.
//!
//! A shard that this process started has its time on the timers, whatever clocks are set to, and isn't late before the date in its start data either. One that was taken
//! up from the disk has nothing but that date, and an abort can't be taken back: so it isn't late before the node's date is confirmed. Bound: the World's open shards.

use shardwire_model::{Mutation, ShardId, Timestamp};
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// When an open shard is late. Ordered by when it is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Deadline {
    /// Not before the timers say so.
    passes: Instant,
    /// Nor before this date.
    date: Timestamp,
    shard: ShardId,
    /// Whether it was taken up from the disk.
    taken_up: bool,
}

/// Of each open shard, when it is late. Locked to look or to note, never across a wait.
#[derive(Debug, Default)]
pub(super) struct Deadlines(Mutex<BTreeSet<Deadline>>);

impl Deadlines {
    fn locked(&self) -> MutexGuard<'_, BTreeSet<Deadline>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the deadline of a shard that this process starts, whose date is now this.
    pub(super) fn note(&self, shard: ShardId, date: Timestamp, now: Timestamp) {
        let passes = Instant::now() + date.since(now);
        self.locked().insert(Deadline { passes, date, shard, taken_up: false });
    }

    /// Notes the deadline of an open shard, unless this process started it.
    pub(super) fn note_taken_up(&self, shard: ShardId, date: Timestamp) {
        let mut deadlines = self.locked();
        if deadlines.iter().all(|it| it.shard != shard) {
            deadlines.insert(Deadline { passes: Instant::now(), date, shard, taken_up: true });
        }
    }

    /// Forgets a shard that is over.
    pub(super) fn forget(&self, shard: ShardId) {
        self.locked().retain(|it| it.shard != shard);
    }

    /// The shards that are late at this date, which is confirmed or isn't.
    pub(super) fn due(&self, now: Timestamp, is_confirmed: bool) -> Vec<ShardId> {
        let passed = Instant::now();
        let deadlines = self.locked();
        let alone = Mutation::WallClockDecides.is_planted();
        let due = deadlines.iter().take_while(|it| alone || it.passes <= passed);
        due.filter(|it| it.date <= now && (alone || is_confirmed || !it.taken_up)).map(|it| it.shard).collect()
    }

    /// How long nothing can become late; none if there is no deadline. The date may be set, and confirmed, meanwhile: a caller looks earlier.
    pub(super) fn left(&self, now: Timestamp) -> Option<Duration> {
        let passed = Instant::now();
        let deadlines = self.locked();
        let left = |it: &Deadline| it.passes.saturating_duration_since(passed).max(it.date.since(now));
        let next = deadlines.iter().map(left).filter(|left| !left.is_zero()).min();
        (!deadlines.is_empty()).then(|| next.unwrap_or(Duration::MAX))
    }
}
