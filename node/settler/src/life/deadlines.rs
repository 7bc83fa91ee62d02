//! When open shards are aborted for being late, and by which clock that is so.
//!
//! A shard that this process started has its time on the timers, whatever clocks are set to, and isn't aborted before the date in its start data either. One
//! that was taken up from the disk has nothing but that date, and an abort can't be taken back: so it waits until the node's date is
//! [confirmed](Trust::Confirmed). Who asks for an abort doesn't wait.
//!
//! A wrong date would be in a shard's start data for ever, so none starts by one that is contradicted, or that nobody has confirmed yet though the configuration names peers who
//! could: in the moment after a node began a start waits for the first peer's date, [`FIRST_WORD`] at most, and is refused then.

use crate::{Settler, SettlerError};
use shardwire_model::{Mutation, ShardId, Timestamp, Trust};
use std::{
    collections::BTreeSet,
    sync::{MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, timeout};

/// How long a start waits for the first peer's date: two connected peers tell each other at once, and a dial takes no longer.
const FIRST_WORD: Duration = Duration::from_secs(5);

/// When an open shard is late. Ordered by when it is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline {
    /// Not before the timers say so.
    passes: Instant,
    /// Nor before this date.
    date: Timestamp,
    pub(super) shard: ShardId,
    /// Whether it was taken up from the disk.
    taken_up: bool,
}

/// Of each open shard, when it is aborted.
pub(crate) type Deadlines = BTreeSet<Deadline>;

impl Settler {
    /// Held for as long as it takes to look or to note, never across a wait.
    pub(super) fn deadlines(&self) -> MutexGuard<'_, Deadlines> {
        self.deadlines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the deadline of a shard that this process starts.
    pub(super) fn expect(&self, shard: ShardId, date: Timestamp) {
        let passes = Instant::now() + date.since(self.host.clock.now());
        self.deadlines().insert(Deadline { passes, date, shard, taken_up: false });
    }

    /// Notes the deadline of an open shard, unless this process started it.
    pub(super) fn expect_taken_up(&self, shard: ShardId, date: Timestamp) {
        let mut deadlines = self.deadlines();
        if deadlines.iter().all(|it| it.shard != shard) {
            deadlines.insert(Deadline { passes: Instant::now(), date, shard, taken_up: true });
        }
    }

    /// Lets go of a shard that is over.
    pub(super) fn expect_no_more(&self, shard: ShardId) {
        self.deadlines().retain(|it| it.shard != shard);
    }

    /// The shards that are late.
    pub(super) fn due(&self) -> Vec<ShardId> {
        let (now, is_confirmed) = (self.host.clock.now(), self.host.clock.trust() == Trust::Confirmed);
        let passed = Instant::now();
        let deadlines = self.deadlines();
        let alone = Mutation::WallClockDecides.is_planted();
        let due = deadlines.iter().take_while(|it| alone || it.passes <= passed);
        due.filter(|it| it.date <= now && (alone || is_confirmed || !it.taken_up)).map(|it| it.shard).collect()
    }

    /// How long nothing can become late; none if there is no deadline. The date may be set, and confirmed, meanwhile: a caller looks earlier.
    pub(super) fn left(&self) -> Option<Duration> {
        let (now, passed) = (self.host.clock.now(), Instant::now());
        let deadlines = self.deadlines();
        let left = |it: &Deadline| it.passes.saturating_duration_since(passed).max(it.date.since(now));
        let next = deadlines.iter().map(left).filter(|left| !left.is_zero()).min();
        (!deadlines.is_empty()).then(|| next.unwrap_or(Duration::MAX))
    }

    /// Whether a deadline may be fixed by the date that this node has.
    ///
    /// # Errors
    /// [`SettlerError::Date`] if most peers have another one, [`SettlerError::Unconfirmed`] if none has told its own that could.
    pub(super) async fn has_a_date(&self) -> Result<(), SettlerError> {
        let heard = async {
            loop {
                let changed = self.host.clock.trust_changed();
                match self.host.clock.trust() {
                    Trust::Contradicted => return Err(SettlerError::Date),
                    Trust::Unconfirmed if self.host.peers.names_any() => changed.await,
                    Trust::Unconfirmed | Trust::Confirmed => return Ok(()),
                }
            }
        };
        timeout(FIRST_WORD, heard).await.unwrap_or(Err(SettlerError::Unconfirmed))
    }
}
