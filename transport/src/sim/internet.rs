//! The network as a test steers it: links, cuts, partitions, counts.

use super::{
    link::Link,
    state::{Counters, State},
};
use shardwire_model::Hash;
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
