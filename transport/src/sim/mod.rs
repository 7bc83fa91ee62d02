//! A simulated network under the real endpoint: quinn and rustls unchanged, sockets in memory, time as tokio's paused
//! clock counts it.
//!
//! An [`Internet`] is made from a seed. Give its [`Host`]s to [`Endpoint::open`](crate::Endpoint::open) in place of
//! the system's network. A [`Link`] is set for each pair of hosts and direction, and may change while datagrams are
//! under way: latency, bandwidth, loss, duplication, reordering, MTU. A direction can be [cut](Internet::cut), hosts
//! can be [partitioned](Internet::partition), a direction can be [clogged](Internet::clog) so that datagrams arrive
//! late and in order. A host can be [paused](Host::begin_pause) or [lose its power](Host::power_off).
//!
//! **The same seed gives the same run** on a current-thread runtime with paused time: which datagram of which length
//! goes from where to where at which time, and what becomes of it. [`Internet::hash`] covers exactly that and what
//! the test [notes](Internet::note). It doesn't cover the bytes in the datagrams: TLS draws its keys from the system
//! (see the module `socket::seeded`), and no schedule depends on them.
//!
//! Datagrams arrive in order unless a link reorders: jitter that reorders would make QUIC see losses that no network
//! shows. Timers tick in milliseconds, the finest time there is.
//!
//! Bounds: a host's arrivals hold at most [`MAX_ARRIVALS`] datagrams; more are dropped and counted. Wrong use (a host
//! that doesn't exist, an address that is taken) is an error of the socket, as on a real system.

mod host;
mod link;
mod state;

pub use host::Host;
pub(crate) use host::Machine;
pub use link::{Link, PPM};
pub use state::{Counters, MAX_ARRIVALS};

use shardwire_model::Hash;
use state::State;
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// A simulated network. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Internet(Arc<Mutex<State>>);

impl Internet {
    /// A network in which nothing goes wrong yet. Must be called within a runtime whose time is paused.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State::new(seed))))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A panic in one simulated host is the test's failure; the lock protects no half-made change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A host at this address. The address alone identifies a host: two at the same address share one machine's
    /// sockets.
    #[must_use]
    pub fn host(&self, ip: IpAddr) -> Host {
        Host::new(self.clone(), ip)
    }

    /// Sets the properties of all links, except those that are set individually, before or after.
    pub fn set_links(&self, link: Link) {
        self.state().default = link;
    }

    /// Sets the properties of one direction.
    pub fn set_link(&self, from: IpAddr, to: IpAddr, link: Link) {
        self.state().route(from, to).link = Some(link);
    }

    /// Cuts this direction until it is [mended](Self::mend): nothing that is sent arrives.
    pub fn cut(&self, from: IpAddr, to: IpAddr) {
        self.state().route(from, to).cut = true;
    }

    /// Ends a cut.
    pub fn mend(&self, from: IpAddr, to: IpAddr) {
        self.state().route(from, to).cut = false;
    }

    /// Cuts these hosts off from those, in both directions.
    pub fn partition(&self, these: &[IpAddr], those: &[IpAddr]) {
        self.each_way(these, those, Self::cut);
    }

    /// Ends a partition.
    pub fn heal(&self, these: &[IpAddr], those: &[IpAddr]) {
        self.each_way(these, those, Self::mend);
    }

    fn each_way(&self, these: &[IpAddr], those: &[IpAddr], act: fn(&Self, IpAddr, IpAddr)) {
        for &this in these {
            for &that in those.iter().filter(|that| **that != this) {
                act(self, this, that);
                act(self, that, this);
            }
        }
    }

    /// Clogs this direction: what is sent from now on arrives after this time at the earliest, then all at once and
    /// in order.
    pub fn clog(&self, from: IpAddr, to: IpAddr, duration: Duration) {
        self.state().route(from, to).clogged_until = Some(Instant::now() + duration);
    }

    /// The counts so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.state().counters
    }

    /// A hash of everything that happened so far, in order.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.state().hash()
    }

    /// Adds an event of the test to the [hash](Self::hash), with its time.
    pub fn note(&self, what: &[u8]) {
        self.state().note(what);
    }

    pub(crate) fn send(&self, from: SocketAddr, to: SocketAddr, ecn: Option<quinn::udp::EcnCodepoint>, bytes: &[u8]) {
        self.state().send(from, to, ecn, bytes);
    }
}
