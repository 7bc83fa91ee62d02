//! Wall time as an argument. Timers are the runtime's business; this is for dates: leases, receipts, time-outs that
//! survive a restart.

use serde::{Deserialize, Serialize};
use std::{
    future::{Future, pending},
    pin::Pin,
    time::Duration,
};

/// Milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This time and `duration` more; stops at the largest representable time.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// How many milliseconds this is after `other`; negative if it is before.
    #[must_use]
    pub fn ahead_of(self, other: Self) -> i64 {
        let ahead = i128::from(self.0) - i128::from(other.0);
        i64::try_from(ahead).unwrap_or(if ahead < 0 { i64::MIN } else { i64::MAX })
    }

    /// This time, so many milliseconds later, or earlier if they are negative; stops at the ends of what is representable.
    #[must_use]
    pub const fn moved(self, by_ms: i64) -> Self {
        Self(self.0.saturating_add_signed(by_ms))
    }
}

/// Where the date comes from: the system in production, the simulator in simulation.
///
/// A clock that only says [`now`](Self::now) is believed as it is. A node's own clock (`shardwire_host::clock`) tells apart what the system's clock shows
/// from what the node goes by.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The date now, as far as this clock is believed: what is signed and stored is dated by it.
    fn now(&self) -> Timestamp;

    /// A date that goes on as timers do, whatever clocks are set to: for what has a length, such as a lease or a ban. It may be apart from
    /// [`now`](Self::now), and is another one after a restart.
    fn steady(&self) -> Timestamp {
        self.now()
    }

    /// What the system's clock shows, whether it is believed or not: what peers are told, so that they notice one that is wrong.
    fn wall(&self) -> Timestamp {
        self.now()
    }

    /// How far [`now`](Self::now) is to be relied on for what can't be taken back.
    fn trust(&self) -> Trust {
        Trust::Confirmed
    }

    /// Completes when [`trust`](Self::trust) changes after this call; never if it doesn't.
    fn trust_changed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(pending())
    }
}

/// How far a date is to be relied on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Peers have the same date, or there was nobody to ask for long enough.
    #[default]
    Confirmed,
    /// Nobody has been asked yet.
    Unconfirmed,
    /// Most peers have another date.
    Contradicted,
}
