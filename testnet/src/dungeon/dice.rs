//! Randomness from a seed, the same for ever: ChaCha8, and our own way to make numbers of it, because the `rand` crate
//! keeps the right to change its.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};

pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub(super) fn of(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(ChaCha8Rng::from_seed(bytes))
    }

    /// A number below `bound`; zero if there is none. The bias of at most `bound`/2^64 is nobody's advantage here.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        // The upper half of the product: below `bound`, so it fits.
        #[allow(clippy::cast_possible_truncation)]
        let drawn = ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64;
        drawn
    }

    /// A number from `low` to `high`.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// An index into something of this length.
    pub(super) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    /// 32 bytes for a player's key.
    pub(super) fn secret(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}
