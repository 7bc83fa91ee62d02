//! Those who come, by address: how many connections and executions each has, and how many calls it made.
//!
//! This machine's own addresses aren't counted: what runs here may use what is here, and a proxy that stands in front counts by itself. An IPv6 network of 64
//! bits is one address, because anybody has one.

use crate::{Settings, bounds};
use governor::{Quota, RateLimiter, clock::Clock, middleware::NoOpMiddleware, state::keyed::HashMapStateStore};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    sync::Semaphore,
    time::{Duration, Instant},
};

/// How often addresses are forgotten that have made no call for a while.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The clock for governor: the runtime's, so that a test moves it.
#[derive(Clone, Copy, Debug)]
struct Ticks(Instant);

impl Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Visitors {
    clock: Ticks,
    calls: RateLimiter<IpAddr, HashMapStateStore<IpAddr>, Ticks, NoOpMiddleware<Duration>>,
    /// When addresses are forgotten again.
    sweep: Mutex<Duration>,
    here: Mutex<HashMap<IpAddr, Here>>,
}

/// An address that has connections.
#[derive(Debug)]
struct Here {
    connections: usize,
    executions: Arc<Semaphore>,
}

/// A connection of an address, counted for as long as this lives.
#[derive(Debug)]
pub(crate) struct Visit {
    visitors: Arc<Visitors>,
    address: IpAddr,
    executions: Arc<Semaphore>,
}

/// Calls that an address may not make yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limited {
    /// It may after a while.
    Wait(Duration),
    /// They are more than it may ever make at once.
    Never,
}

impl Visitors {
    pub(crate) fn new(settings: &Settings) -> Arc<Self> {
        let clock = Ticks(Instant::now());
        let quota = Quota::per_second(settings.calls_per_s).allow_burst(settings.burst_calls);
        let calls = RateLimiter::hashmap_with_clock(quota, clock);
        Arc::new(Self { clock, calls, sweep: Mutex::new(SWEEP_EVERY), here: Mutex::default() })
    }

    /// Counts a connection, unless its address has too many.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Visit> {
        let address = counted(address);
        let (connections, executions) = if address.is_loopback() {
            (bounds::MAX_CONNECTIONS, bounds::MAX_EXECUTIONS)
        } else {
            (bounds::MAX_ADDRESS_CONNECTIONS, bounds::MAX_ADDRESS_EXECUTIONS)
        };
        let mut all = self.here();
        let here = all
            .entry(address)
            .or_insert_with(|| Here { connections: 0, executions: Arc::new(Semaphore::new(executions)) });
        if here.connections >= connections {
            return None;
        }
        here.connections += 1;
        Some(Visit { visitors: self.clone(), address, executions: here.executions.clone() })
    }

    fn here(&self) -> MutexGuard<'_, HashMap<IpAddr, Here>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address that pays: those beyond the bound share one.
    fn payer(&self, address: IpAddr) -> IpAddr {
        let mut sweep = self.sweep.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        if now >= *sweep {
            self.calls.retain_recent();
            *sweep = now + SWEEP_EVERY;
        }
        if self.calls.len() < bounds::MAX_ADDRESSES { address } else { Ipv6Addr::UNSPECIFIED.into() }
    }
}

impl Visit {
    /// Counts calls, unless they are too many.
    pub(crate) fn charge(&self, calls: NonZeroU32) -> Result<(), Limited> {
        if self.address.is_loopback() {
            return Ok(());
        }
        let payer = self.visitors.payer(self.address);
        match self.visitors.calls.check_key_n(&payer, calls) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => Err(Limited::Wait(not_until.wait_time_from(self.visitors.clock.now()))),
            Err(_) => Err(Limited::Never),
        }
    }

    /// This address' places for executions.
    pub(crate) fn executions(&self) -> Arc<Semaphore> {
        self.executions.clone()
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut all = self.visitors.here();
        if let Some(here) = all.get_mut(&self.address) {
            here.connections -= 1;
            if here.connections == 0 {
                all.remove(&self.address);
            }
        }
    }
}

/// The address that is counted.
fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn calls(count: u32) -> NonZeroU32 {
        NonZeroU32::new(count).unwrap()
    }

    fn visitors() -> Arc<Visitors> {
        let settings = Settings { calls_per_s: calls(10), burst_calls: calls(20), ..Settings::recommended() };
        Visitors::new(&settings)
    }

    const FAR: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    #[tokio::test(start_paused = true)]
    async fn an_address_makes_so_many_calls_and_waits_for_more() {
        let visitors = visitors();
        let visit = visitors.enter(FAR).unwrap();
        assert_eq!(visit.charge(calls(20)), Ok(()));
        assert_eq!(visit.charge(calls(5)), Err(Limited::Wait(Duration::from_millis(500))));
        // A new connection is no new address.
        drop(visit);
        let visit = visitors.enter(FAR).unwrap();
        assert_eq!(visit.charge(calls(5)), Err(Limited::Wait(Duration::from_millis(500))));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(visit.charge(calls(5)), Ok(()));
        assert_eq!(visit.charge(calls(21)), Err(Limited::Never));
        let other = visitors.enter([192, 0, 2, 2].into()).unwrap();
        assert_eq!(other.charge(calls(20)), Ok(()));
        let own = visitors.enter([127, 0, 0, 1].into()).unwrap();
        assert_eq!(own.charge(calls(1_000_000)), Ok(()));
    }

    #[test]
    fn connections_are_counted_by_address_and_given_back() {
        let visitors = visitors();
        let mut visits: Vec<_> = (0..bounds::MAX_ADDRESS_CONNECTIONS).filter_map(|_| visitors.enter(FAR)).collect();
        assert_eq!(visits.len(), bounds::MAX_ADDRESS_CONNECTIONS);
        assert!(visitors.enter(FAR).is_none());
        assert!(visitors.enter([192, 0, 2, 2].into()).is_some());
        visits.pop();
        assert!(visitors.enter(FAR).is_some());
        drop(visits);
        assert!(visitors.here().is_empty());
    }

    #[test]
    fn a_network_of_64_bits_is_one_address() {
        let counted = |text: &str| counted(text.parse().unwrap()).to_string();
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(counted("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(counted("::1"), "::1");
    }

    #[test]
    fn addresses_beyond_the_bound_share_one() {
        let visitors = visitors();
        let number = |i: u32| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + i));
        for i in 0..u32::try_from(bounds::MAX_ADDRESSES).unwrap() + 10 {
            let _ = visitors.enter(number(i)).unwrap().charge(calls(20));
        }
        assert!(visitors.calls.len() <= bounds::MAX_ADDRESSES + 1);
        let late = visitors.enter(number(99_999)).unwrap();
        assert!(matches!(late.charge(calls(20)), Err(Limited::Wait(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_crowd_has_gone_each_address_is_counted_by_itself_again() {
        let visitors = visitors();
        let number = |i: u32| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + i));
        for i in 0..u32::try_from(bounds::MAX_ADDRESSES).unwrap() + 10 {
            let _ = visitors.enter(number(i)).unwrap().charge(calls(20));
        }
        let late = visitors.enter(number(99_999)).unwrap();
        assert!(matches!(late.charge(calls(20)), Err(Limited::Wait(_))));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(late.charge(calls(20)), Ok(()));
        assert_eq!(visitors.enter(FAR).unwrap().charge(calls(20)), Ok(()));
    }
}
