//! Reputation held against transport: who may come in, and how much of the node it may use, live.
//!
//! [`shardwire_reputation`] decides and does nothing; [`shardwire_transport`] does and judges nobody. This room puts the two together, for a
//! node and for whoever measures or attacks one. It keeps nothing itself: records that changed are [handed out](Peers::take_unkept).
//!
//! 1. **Before the handshake** ([`receive`]): the [`door`] counts who is in and how fast they come, by host, network and in all, and
//!    remembers what hosts brought. Whoever isn't let in costs no cryptography of a handshake.
//! 2. **After it** it is known who came. Whoever is denied or banned is told for how long; the others have a [`Presence`].
//! 3. **Each session** that the peer opens ([`sessions`]) is counted and metered by its tier of that moment. One too many is refused with the
//!    time to wait, and takes its turn until then: a peer that floods waits for itself, and nobody else does.
//! 4. **What is seen** of a peer is noted ([`Peers::note`]). A change of standing is told in the log with its cause, concerns open sessions with the
//!    next frame, and ends the connections of who is banned.
//! 5. **Load** ([`load`]): above a watermark newcomers, new sessions and new leases are refused, from the lowest tier up.
//!
//! Refused: what [`shardwire_reputation`] says. A node's own connections, and those of its administrators, are neither counted nor metered.
//!
//! Bounds: records as [`shardwire_reputation::MAX_RECORDS`]; connections as [`Limits`](shardwire_reputation::admission::Limits); hosts remembered
//! as [`door::MAX_HOSTS`]; sessions of a connection that begin or were refused as [`BEGINNING`]; changes remembered as [`MAX_CHANGES`].
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod door;
pub mod load;
mod named;
mod peers;
mod presence;
mod seen;
mod serve;
mod totals;

pub use door::Place;
pub use named::{Named, Rules};
pub use peers::{MAX_CHANGES, Peers, Told, View};
pub use presence::Presence;
pub use seen::seen;
pub use serve::{BEGINNING, LAST_WORDS, receive, sessions};
pub use totals::{Door, Figures, OfTier};

use tokio::time::{Duration, Instant};

/// governor's clock: the runtime's, so that quotas run in simulated time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticks(Instant);

impl Ticks {
    fn begin() -> Self {
        Self(Instant::now())
    }
}

impl governor::clock::Clock for Ticks {
    type Instant = Duration;
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}
