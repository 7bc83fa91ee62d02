//! Enforces quotas.
//!
//! [`QuotaLimiter`] counts with governor: one keyed limiter for each tier, protocol and kind of use. The clock is an
//! argument, so it runs in simulated time, and nothing here sleeps. A peer that is refused learns how long to wait
//! ([`RetryAfter`]).
//!
//! The peer's tier is passed with each call, so a change of tier takes effect on open sessions, too: a peer that
//! waits for a quota asks again after at most [`LONGEST_WAIT`].
//!
//! Bounds: a bucket fills up within a second, and [`QuotaLimiter::tidy`] drops full ones. So there are only as many
//! buckets as peers that did something within the last second or two.

use crate::{
    Tier,
    quota::{BYTES_A_UNIT, Quota, Quotas},
};
use governor::{RateLimiter, clock::Clock, middleware::NoOpMiddleware, state::keyed::HashMapStateStore};
use shardwire_model::{Coded, PeerId};
use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The longest wait before asking again. A change of tier takes effect on open sessions within this time.
pub const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// The wait for a peer that has all the sessions it may have: they end when the peer ends them.
const UNTIL_A_SESSION_ENDS: Duration = LONGEST_WAIT;

/// The peer has used all that it may use now. It may try again after this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than is allowed now; to be tried again after {0:?}")]
pub struct RetryAfter(pub Duration);

impl Coded for RetryAfter {
    fn code(&self) -> &'static str {
        "SW-REPUTATION-010"
    }

    fn next_step(&self) -> String {
        "Wait that long, then go on; a peer that has worked may use more.".to_owned()
    }
}

/// The protocol under which use is counted; `None` for all protocols without a quota of their own.
type Name = Option<Box<str>>;
type Limiter<C> = RateLimiter<PeerId, HashMapStateStore<PeerId>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// The limiters of a protocol, by tier.
#[derive(Debug)]
struct Tiers<C: Clock> {
    low: Limits<C>,
    normal: Limits<C>,
    high: Limits<C>,
}

impl<C: Clock> Tiers<C> {
    fn of(&self, tier: Tier) -> &Limits<C> {
        match tier {
            Tier::Low => &self.low,
            Tier::Normal => &self.normal,
            Tier::High => &self.high,
        }
    }
}

/// The limiters of a tier and protocol.
#[derive(Debug)]
struct Limits<C: Clock> {
    quota: Quota,
    frames: Limiter<C>,
    units: Limiter<C>,
    sessions: Limiter<C>,
}

impl<C: Clock + Clone> Limits<C> {
    fn new(quota: Quota, clock: &C) -> Self {
        let limiter =
            |per_s: u32| RateLimiter::hashmap_with_clock(governor::Quota::per_second(nonzero(per_s)), clock.clone());
        Self {
            quota,
            frames: limiter(quota.frames_per_s),
            units: limiter(quota.kib_per_s),
            sessions: limiter(quota.sessions_per_s),
        }
    }
}

fn nonzero(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

/// Enforces quotas on the clock `C`.
#[derive(Debug)]
pub struct QuotaLimiter<C: Clock> {
    clock: C,
    named: BTreeMap<Box<str>, Arc<Tiers<C>>>,
    others: Arc<Tiers<C>>,
    /// Open sessions of each peer and protocol.
    open: Mutex<BTreeMap<(PeerId, Name), u32>>,
}

/// Use that isn't paid for yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Debt {
    /// Frames to pay for.
    pub frames: u32,
    /// Bytes to pay for.
    pub bytes: u64,
}

/// An open session. It is counted until this is dropped.
#[derive(Debug)]
#[must_use = "the session is counted for as long as this lives"]
pub struct Permit<C: Clock> {
    limiter: Arc<QuotaLimiter<C>>,
    tiers: Arc<Tiers<C>>,
    counted: (PeerId, Name),
}

fn wait<C: Clock>(clock: &C, refused: &governor::NotUntil<C::Instant>) -> RetryAfter {
    // A timer that fires a moment early would only have to ask again.
    RetryAfter(refused.wait_time_from(clock.now()).max(Duration::from_millis(1)))
}

impl<C: Clock + Clone> QuotaLimiter<C> {
    /// A limiter for quotas that are [valid](Quotas::validate).
    #[must_use]
    pub fn new(quotas: &Quotas, clock: C) -> Self {
        let tiers = |quota: &dyn Fn(Tier) -> Quota| {
            let limits = |tier| Limits::new(quota(tier), &clock);
            Arc::new(Tiers { low: limits(Tier::Low), normal: limits(Tier::Normal), high: limits(Tier::High) })
        };
        let named = quotas.named().map(|name| (name.into(), tiers(&|tier| *quotas.of(tier, name)))).collect();
        let others = tiers(&|tier| quotas.tier(tier).others);
        Self { clock, named, others, open: Mutex::default() }
    }

    /// Counts a session that a peer in this tier opens.
    ///
    /// # Errors
    /// [`RetryAfter`] if the peer has as many sessions as it may have, or opens them too fast.
    pub fn open(self: &Arc<Self>, peer: PeerId, tier: Tier, protocol: &str) -> Result<Permit<C>, RetryAfter> {
        let named = self.named.get_key_value(protocol);
        let counted = (peer, named.map(|(name, _)| name.clone()));
        let tiers = named.map_or(&self.others, |(_, tiers)| tiers).clone();
        let limits = tiers.of(tier);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let have = open.get(&counted).copied().unwrap_or(0);
        if have >= limits.quota.sessions {
            return Err(RetryAfter(UNTIL_A_SESSION_ENDS));
        }
        limits.sessions.check_key(&peer).map_err(|refused| wait(&self.clock, &refused))?;
        open.insert(counted.clone(), have + 1);
        drop(open);
        Ok(Permit { limiter: self.clone(), tiers, counted })
    }

    /// Forgets idle peers. Call it every second or so.
    pub fn tidy(&self) {
        for limiter in self.limiters() {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }

    /// The number of buckets.
    #[must_use]
    pub fn buckets(&self) -> usize {
        self.limiters().map(Limiter::len).sum()
    }

    fn limiters(&self) -> impl Iterator<Item = &Limiter<C>> {
        let all = self.named.values().chain([&self.others]);
        all.flat_map(|tiers| [&tiers.low, &tiers.normal, &tiers.high])
            .flat_map(|limits| [&limits.frames, &limits.units, &limits.sessions])
    }
}

impl<C: Clock + Clone> Permit<C> {
    /// Pays for use, in the peer's current tier. What can be paid is taken off `debt`; the rest needs a wait of at
    /// most [`LONGEST_WAIT`].
    ///
    /// # Errors
    /// [`RetryAfter`] if some of the debt is left.
    pub fn pay(&self, tier: Tier, debt: &mut Debt) -> Result<(), RetryAfter> {
        let limits = self.tiers.of(tier);
        self.pay_at(&limits.frames, limits.quota.frames_per_s, &mut debt.frames)?;
        let mut units = u32::try_from(debt.bytes / BYTES_A_UNIT).unwrap_or(u32::MAX);
        let owed = units;
        let paid = self.pay_at(&limits.units, limits.quota.kib_per_s, &mut units);
        // The remainder below a unit stays owed.
        debt.bytes -= u64::from(owed - units) * BYTES_A_UNIT;
        paid
    }

    /// Pays in parts as large as a bucket.
    fn pay_at(&self, limiter: &Limiter<C>, bucket: u32, owed: &mut u32) -> Result<(), RetryAfter> {
        while let Some(piece) = NonZeroU32::new((*owed).min(bucket)) {
            match limiter.check_key_n(&self.counted.0, piece) {
                Ok(Ok(())) => *owed -= piece.get(),
                Ok(Err(refused)) => return Err(RetryAfter(wait(&self.limiter.clock, &refused).0.min(LONGEST_WAIT))),
                // A part is never larger than a bucket.
                Err(_) => return Err(RetryAfter(LONGEST_WAIT)),
            }
        }
        Ok(())
    }
}

impl<C: Clock> Drop for Permit<C> {
    fn drop(&mut self) {
        let mut open = self.limiter.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.counted) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.counted);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;

    const PEER: PeerId = PeerId([1; 32]);

    fn limiter() -> (Arc<QuotaLimiter<FakeRelativeClock>>, FakeRelativeClock) {
        let quota = |times: u32| Quota {
            frames_per_s: 10 * times,
            kib_per_s: 100 * times,
            sessions_per_s: 4 * times,
            sessions: 2 * times,
            leases: 1,
        };
        let tier = |times| crate::TierQuotas {
            others: quota(times),
            protocols: BTreeMap::from([("trace".to_owned(), quota(times))]),
        };
        let (quotas, clock) = (Quotas { low: tier(1), normal: tier(2), high: tier(4) }, FakeRelativeClock::default());
        quotas.validate().unwrap();
        (Arc::new(QuotaLimiter::new(&quotas, clock.clone())), clock)
    }

    fn frames(frames: u32) -> Debt {
        Debt { frames, bytes: 0 }
    }

    #[test]
    fn sessions_are_counted_by_peer_and_protocol_and_end_when_they_end() {
        let (limiter, _) = limiter();
        let open = |peer, protocol| limiter.open(peer, Tier::Low, protocol);
        let (first, _second) = (open(PEER, "trace").unwrap(), open(PEER, "trace").unwrap());
        let refused = open(PEER, "trace").unwrap_err();
        assert_eq!(refused, RetryAfter(Duration::from_secs(1)));
        assert_eq!(refused.to_string(), "more than is allowed now; to be tried again after 1s");
        assert_eq!(refused.code(), "SW-REPUTATION-010");
        assert!(refused.next_step().starts_with("Wait that long"));
        let _others = (open(PEER, "proof").unwrap(), open(PEER, "ping").unwrap());
        assert!(open(PEER, "keepalive").is_err(), "protocols without a quota of their own count together");
        let _other_peer = open(PeerId([2; 32]), "trace").unwrap();
        drop(first);
        drop(open(PEER, "trace").unwrap());
    }

    #[test]
    fn sessions_that_are_opened_too_fast_are_told_when() {
        let (limiter, clock) = limiter();
        for _ in 0..4 {
            drop(limiter.open(PEER, Tier::Low, "trace").unwrap());
        }
        assert_eq!(limiter.open(PEER, Tier::Low, "trace").unwrap_err(), RetryAfter(Duration::from_millis(250)));
        clock.advance(Duration::from_millis(250));
        drop(limiter.open(PEER, Tier::Low, "trace").unwrap());
        assert!(limiter.open(PEER, Tier::Low, "trace").is_err());
    }

    #[test]
    fn a_tier_is_looked_up_anew_for_open_sessions() {
        let (limiter, clock) = limiter();
        let permit = limiter.open(PEER, Tier::Normal, "trace").unwrap();
        // In tier normal 20 frames a second, in tier low 10.
        let mut debt = frames(20);
        assert_eq!(permit.pay(Tier::Normal, &mut debt), Ok(()));
        let mut debt = frames(30);
        let RetryAfter(wait) = permit.pay(Tier::Low, &mut debt).unwrap_err();
        assert_eq!((debt, wait), (frames(20), LONGEST_WAIT));
        clock.advance(wait);
        assert_eq!(permit.pay(Tier::Low, &mut debt), Err(RetryAfter(LONGEST_WAIT)));
        assert_eq!(debt, frames(10));
        clock.advance(Duration::from_secs(1));
        assert_eq!(permit.pay(Tier::Normal, &mut debt), Ok(()), "it has risen again");
    }

    #[test]
    fn what_is_larger_than_a_bucket_is_paid_in_pieces_and_small_change_stays_owed() {
        let (limiter, clock) = limiter();
        let permit = limiter.open(PEER, Tier::Low, "trace").unwrap();
        let mut debt = Debt { frames: 0, bytes: 250 * 1024 + 5 };
        let mut waited = Duration::ZERO;
        while let Err(RetryAfter(wait)) = permit.pay(Tier::Low, &mut debt) {
            assert!(wait <= LONGEST_WAIT);
            clock.advance(wait);
            waited += wait;
        }
        assert_eq!(debt, Debt { frames: 0, bytes: 5 });
        // The first 100 KiB are there, the others take a second and a half.
        assert!((1490..=1510).contains(&waited.as_millis()), "{waited:?}");
    }

    #[test]
    fn nobody_is_counted_for_longer_than_his_bucket_fills() {
        let (limiter, clock) = limiter();
        for n in 0..100 {
            let permit = limiter.open(PeerId([n; 32]), Tier::Low, "trace").unwrap();
            permit.pay(Tier::Low, &mut frames(10)).unwrap();
        }
        assert_eq!(limiter.buckets(), 200);
        clock.advance(Duration::from_secs(3));
        limiter.tidy();
        assert_eq!(limiter.buckets(), 0);
    }
}
