//! What a node takes from outside itself: the date, the network and its names, the disk, threads and randomness; and where it tells what happens. The system's in production, a seed's in simulation.
//!
//! They are made where the program begins and passed down; nothing else in the node reads them (clippy.toml says what is
//! forbidden, and each exception says why where it stands). Timers need no argument: they are tokio's, whose time a test or a simulator moves.

use crate::{
    clock::SystemClock,
    names::{Names, SystemNames},
};
use rand::{CryptoRng, RngCore, SeedableRng, rngs::StdRng};
use shardwire_model::Clock;
pub use shardwire_store::Work;
use shardwire_store::{Disk, SystemDisk};
use shardwire_telemetry::Telemetry;
use shardwire_transport::{Network, SystemNetwork};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The date, the network and its names, the disk, threads, randomness and telemetry. Cheap to clone: clones share them.
#[derive(Clone, Debug)]
pub struct Platform {
    /// What the system's clock shows. A running node goes by its [own](crate::clock).
    pub clock: Arc<dyn Clock>,
    /// Where sockets come from.
    pub network: Arc<dyn Network>,
    /// Who knows what the names of hosts stand for.
    pub names: Arc<dyn Names>,
    /// Where files and databases are.
    pub disk: Arc<dyn Disk>,
    /// How work is done that would hold up the async threads.
    pub work: Work,
    /// Where keys, ids and seeds come from.
    pub randomness: Randomness,
    /// Where metrics are registered and events observed.
    pub telemetry: Telemetry,
}

impl Platform {
    /// That of the operating system: production's.
    #[must_use]
    pub fn system() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            network: Arc::new(SystemNetwork),
            names: Arc::new(SystemNames::default()),
            disk: Arc::new(SystemDisk),
            work: Work::Beside,
            randomness: Randomness::system(),
            telemetry: Telemetry::default(),
        }
    }
}

/// A source of random numbers. Clones draw from the same one.
#[derive(Clone)]
pub struct Randomness(Arc<Mutex<StdRng>>);

impl Randomness {
    /// Seeded by the system. The only place where its randomness is read.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "this is the source that everything else is given")]
    pub fn system() -> Self {
        Self(Arc::new(Mutex::new(StdRng::from_os_rng())))
    }

    /// The same numbers each time: for tests and simulations. Who knows the seed can guess keys that are made of it.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    fn source(&self) -> MutexGuard<'_, StdRng> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Randomness") // what it will draw is a secret
    }
}

impl RngCore for Randomness {
    fn next_u32(&mut self) -> u32 {
        self.source().next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.source().next_u64()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.source().fill_bytes(bytes);
    }
}

impl CryptoRng for Randomness {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_and_clones_go_on_where_the_other_stopped() {
        let (mut one, mut same) = (Randomness::from_seed(1), Randomness::from_seed(1));
        let mut clone = same.clone();
        assert_eq!([one.next_u64(), one.next_u64()], [same.next_u64(), clone.next_u64()]);
        assert_ne!(Randomness::from_seed(2).next_u64(), Randomness::from_seed(3).next_u64());
        assert_ne!(Randomness::system().next_u64(), Randomness::system().next_u64());
        assert_eq!(format!("{one:?}"), "Randomness");
    }
}
