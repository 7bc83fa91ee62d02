//! Enforces reputation on the transport: which peers may connect, and how much of the node each may use.
//!
//! [`shardwire_reputation`] decides and does nothing; [`shardwire_transport`] acts and judges no peer. This room
//! joins the two, for a node and for benchmarks that measure or attack one. It stores nothing: changed records are
//! [handed out](Peers::take_changed).
//!
//! 1. **Before the handshake** ([`receive`]), [`admission`] counts connections and how fast they come, by host, by
//!    network and in total, and remembers what hosts brought. A peer that isn't admitted costs no handshake
//!    cryptography.
//! 2. **After the handshake** the peer is known. If it is denied or banned, it is told for how long; otherwise it
//!    gets a [`Presence`].
//! 3. **Each session** that the peer opens ([`sessions`]) is counted and metered by its current tier. One too many is
//!    refused with the time to wait, and keeps its turn until then: a peer that floods waits for itself and delays no
//!    other.
//! 4. **What a peer does** is noted ([`Peers::note`]). A change of standing is logged with its cause, applies to open
//!    sessions from the next frame on, and ends the connections of a banned peer.
//! 5. **Load** ([`load`]): above a watermark, newcomers, new sessions and new leases are refused, from the lowest
//!    tier up.
//!
//! Refused: what [`shardwire_reputation`] says. The node's own connections and its administrators' are neither
//! counted nor metered.
//!
//! What happened is an [event](events); what is so now is in the [metrics](shardwire_telemetry).
//!
//! Bounds: records as [`shardwire_reputation::MAX_RECORDS`]; connections as
//! [`Limits`](shardwire_reputation::admission::Limits); remembered hosts as [`admission::MAX_HOSTS`]; sessions of a
//! connection that begin or were refused as [`BEGINNING`]; remembered changes as [`MAX_CHANGES`].
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod admission;
pub mod events;
pub mod load;
mod metrics;
mod peers;
mod presence;
mod rules;
mod serve;
mod session_event;
mod totals;

pub use admission::ConnectionSlot;
pub use peers::{MAX_CHANGES, Peers, RecordedChange, View};
pub use presence::Presence;
pub use rules::{ConfiguredPeers, Rules};
pub use serve::{BEGINNING, LAST_WORDS, receive, sessions};
pub use session_event::session_event;
pub use totals::{AdmissionCounts, Figures, TierCounts};

use tokio::time::{Duration, Instant};

/// The clock for governor: the runtime's, so that quotas run in simulated time.
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
