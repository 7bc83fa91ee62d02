//! How long to wait before the next attempt: longer each time, within bounds, and never in step with others.
//!
//! A [`Backoff`] names the bounds; [`Backoff::start`] gives the [`Waits`] of one thing that is tried. The first wait is the shortest, each
//! further one is about twice as long, up to the longest. Each is drawn from what lies within the jitter around it, so that peers which failed
//! together don't come back together. What is drawn comes from the caller's randomness: in a simulation the same seed waits the same.
//! [`Waits::reset`] begins again, after a success.
//!
//! It only counts: the caller waits, on tokio's clock. It refuses nothing. Bounds: no wait is shorter than `first`, none longer than `longest`. How often
//! something is tried is the caller's to bound.

use rand::{Rng as _, RngCore, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// The jitter unless another is named, in percent.
pub const JITTER_PERCENT: u32 = 25;

/// The bounds of the waits between attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The shortest wait, and about the first.
    pub first: Duration,
    /// The longest wait. One below `first` counts as `first`.
    pub longest: Duration,
    /// How far a wait may lie from what doubling gives, in percent of that.
    pub jitter_percent: u32,
}

impl Backoff {
    /// Waits between these bounds, with the usual jitter.
    #[must_use]
    pub const fn between(first: Duration, longest: Duration) -> Self {
        Self { first, longest, jitter_percent: JITTER_PERCENT }
    }

    /// The waits of one thing that is tried. Draws a seed from `randomness`, and nothing after that.
    #[must_use]
    pub fn start(self, mut randomness: impl RngCore) -> Waits {
        Waits { bounds: self, next: self.first, random: ChaCha8Rng::seed_from_u64(randomness.next_u64()) }
    }
}

/// The waits between the attempts at one thing.
#[derive(Clone, Debug)]
pub struct Waits {
    bounds: Backoff,
    /// The next one, without jitter.
    next: Duration,
    random: ChaCha8Rng,
}

impl Waits {
    /// How long to wait before the next attempt, after one that failed.
    #[must_use = "it is to be waited"]
    pub fn after_failure(&mut self) -> Duration {
        let Backoff { first, longest, jitter_percent } = self.bounds;
        let longest = longest.max(first);
        let middle = self.next.min(longest);
        let jitter = middle.saturating_mul(jitter_percent) / 100;
        let (low, high) = (middle.saturating_sub(jitter).max(first), middle.saturating_add(jitter).min(longest));
        self.next = middle.saturating_mul(2);
        let spread = u64::try_from((high - low).as_nanos()).unwrap_or(u64::MAX);
        low + Duration::from_nanos(self.random.random_range(0..=spread))
    }

    /// Begins with the shortest wait again, after a success.
    pub fn reset(&mut self) {
        self.next = self.bounds.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bounds() -> impl Strategy<Value = Backoff> {
        (0_u64..100_000, 0_u64..10_000_000, 0_u32..300).prop_map(|(first, longest, jitter_percent)| Backoff {
            first: Duration::from_millis(first),
            longest: Duration::from_millis(longest),
            jitter_percent,
        })
    }

    proptest! {
        #[test]
        fn no_wait_is_shorter_than_the_first_or_longer_than_the_longest(bounds in bounds(), seed: u64, resets: u8) {
            let mut waits = bounds.start(ChaCha8Rng::seed_from_u64(seed));
            for attempt in 0..64_u32 {
                let wait = waits.after_failure();
                prop_assert!(wait >= bounds.first && wait <= bounds.longest.max(bounds.first), "{wait:?}");
                if attempt % 8 == u32::from(resets) % 8 {
                    waits.reset();
                }
            }
        }

        #[test]
        fn waits_double_begin_again_after_a_success_and_are_the_seeds(bounds in bounds(), seed: u64) {
            let start = || bounds.start(ChaCha8Rng::seed_from_u64(seed));
            let (mut waits, mut same) = (start(), start());
            let plain = Backoff { jitter_percent: 0, ..bounds };
            let mut exact = plain.start(ChaCha8Rng::seed_from_u64(seed));
            let mut expected = bounds.first;
            for _ in 0..12 {
                prop_assert_eq!(waits.after_failure(), same.after_failure());
                prop_assert_eq!(exact.after_failure(), expected);
                expected = (expected * 2).min(bounds.longest.max(bounds.first));
            }
            exact.reset();
            prop_assert_eq!(exact.after_failure(), bounds.first);
        }
    }

    #[test]
    fn those_who_failed_together_come_back_apart() {
        let bounds = Backoff::between(Duration::from_millis(250), Duration::from_secs(15));
        let waits: std::collections::BTreeSet<Duration> = (0..100)
            .map(|seed| {
                let mut waits = bounds.start(ChaCha8Rng::seed_from_u64(seed));
                for _ in 0..9 {
                    let _ = waits.after_failure();
                }
                waits.after_failure()
            })
            .collect();
        assert_eq!(waits.len(), 100);
        let (least, most) = (*waits.first().unwrap(), *waits.last().unwrap());
        assert!(least < Duration::from_secs(12) && most > Duration::from_secs(14), "{least:?} to {most:?}");
    }
}
