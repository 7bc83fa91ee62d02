//! Random choices from a seed.

use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// Chances are in parts per million: whole numbers are the same on every machine.
pub(crate) use shardwire_transport::sim::PPM;

/// A source of random choices.
#[derive(Clone, Debug)]
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of one purpose: more draws for one purpose leave the others unchanged.
    pub(crate) fn of(seed: u64, purpose: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(purpose);
        Self(rng)
    }

    /// A number below `bound`, which is not zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0.random_range(0..bound)
    }

    /// As [`below`](Self::below), for places in lists.
    pub(crate) fn index(&mut self, bound: usize) -> usize {
        self.0.random_range(0..bound)
    }

    /// `true` this many times in a million.
    pub(crate) fn chance(&mut self, in_a_million: u32) -> bool {
        self.0.random_range(0..PPM) < in_a_million
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    pub(crate) fn secret(&mut self) -> [u8; 32] {
        self.0.random()
    }

    /// A time between these two, in whole milliseconds.
    pub(crate) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.0.random_range(milliseconds(least)..=milliseconds(most)))
    }
}
