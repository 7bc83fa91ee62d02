//! A simulated network under the real endpoint: quinn and rustls as they are, sockets in memory, time as tokio's paused clock counts it.
//!
//! An [`Internet`] is made from a seed. Its [`Host`]s are given to [`Endpoint::open`](crate::Endpoint::open) in place of the system's network. What
//! a [`Link`] does is set per pair of hosts and direction, and may change while datagrams fly: latency, bandwidth, loss, duplication,
//! reordering, MTU. A direction can be [cut](Internet::cut), hosts can be [partitioned](Internet::partition), a direction
//! [clogged](Internet::clog): what is sent there arrives late and in order. A host can be [paused](Host::begin_pause) and can [lose its power](Host::power_off).
//!
//! **The same seed gives the same run**, on a current-thread runtime with paused time: when which datagram of which length goes from where to where, and
//! what becomes of it. [`Internet::hash`] is over exactly that, and over what the test [notes](Internet::note). The bytes in the datagrams
//! are not in it: TLS draws its keys from the system (see the module `socket::seeded`), and nothing in a schedule depends on them.
//!
//! Datagrams arrive in order unless a link reorders: jitter that reorders would make QUIC see losses that no network shows. Timers tick in
//! milliseconds, so that is the finest time there is.
//!
//! Bounds: a host's arrivals hold at most [`MAX_ARRIVALS`] datagrams; more are dropped and counted. A wrong use (a host that is not there,
//! an address that is taken) is an error of the socket, as the system's would be.

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
    /// A network in which nothing goes wrong, yet. Must be called within a runtime whose time is paused.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State::new(seed))))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A panic in one simulated host is the test's failure; the lock holds no half-made change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A host at this address. Hosts are told apart by their addresses alone: two at the same one are the same machine's sockets.
    #[must_use]
    pub fn host(&self, ip: IpAddr) -> Host {
        Host::new(self.clone(), ip)
    }

    /// Gives all links these properties, except those that were or will be set by themselves.
    pub fn set_links(&self, link: Link) {
        self.state().default = link;
    }

    /// Gives one direction these properties.
    pub fn set_link(&self, from: IpAddr, to: IpAddr, link: Link) {
        self.state().route(from, to).link = Some(link);
    }

    /// Nothing that is sent in this direction arrives, until it is [mended](Self::mend).
    pub fn cut(&self, from: IpAddr, to: IpAddr) {
        self.state().route(from, to).cut = true;
    }

    /// Takes a cut back.
    pub fn mend(&self, from: IpAddr, to: IpAddr) {
        self.state().route(from, to).cut = false;
    }

    /// Cuts these hosts off from those, both ways.
    pub fn partition(&self, these: &[IpAddr], those: &[IpAddr]) {
        self.each_way(these, those, Self::cut);
    }

    /// Takes a partition back.
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

    /// What is sent in this direction from now on arrives no earlier than after this time, then all at once and in order.
    pub fn clog(&self, from: IpAddr, to: IpAddr, duration: Duration) {
        self.state().route(from, to).clogged_until = Some(Instant::now() + duration);
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.state().counters
    }

    /// A hash of all that happened so far, in order.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.state().hash()
    }

    /// Puts something else that happened into the [hash](Self::hash), with its time.
    pub fn note(&self, what: &[u8]) {
        self.state().note(what);
    }

    pub(crate) fn send(&self, from: SocketAddr, to: SocketAddr, ecn: Option<quinn::udp::EcnCodepoint>, bytes: &[u8]) {
        self.state().send(from, to, ecn, bytes);
    }
}
