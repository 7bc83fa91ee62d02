//! The door: how many are in, how fast they come, from where, and what is remembered of the places that peers come from.
//!
//! What follows from how many there are is [`admission`]'s to say; this counts. A connection takes its [`Place`] before its handshake and
//! gives it back when it ends. Handshakes have rates as well: whoever comes and goes is never many at a time, and costs as much as
//! a crowd. Strangers have one rate for each host and network and one in all; what exceeds it is asked for a token first, then
//! refused. Answers to those who aren't let in have a rate in all; beyond it nobody is answered.
//!
//! Of a host is remembered what its best peer was, for [`REMEMBERED`], of at most [`MAX_HOSTS`] hosts: who stands well is let in under load.
//! When a peer is banned its host is shut for as long, and twice as long each time that this happens again: an identity costs nothing, so
//! the next one would come from there. A host of peers that stand well is never shut, nor that of a configured peer.

use crate::{Ticks, peers::Peers, totals};
use governor::{
    Quota, RateLimiter,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed, keyed::HashMapStateStore},
};
use shardwire_reputation::{
    AddressRange, Standing, Tier,
    admission::{self, Caller, Limits, Load},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long a host is remembered after a peer was seen there.
pub const REMEMBERED: Duration = Duration::from_secs(10 * 60);
/// Most hosts remembered: about 1 MB. When it is full, those who have been silent longest are forgotten, an eighth at a time.
pub const MAX_HOSTS: usize = 8192;
/// The longest that a host is shut: others may live there by then.
pub const LONGEST_SHUT: Duration = Duration::from_secs(60 * 60);

type Keyed = RateLimiter<AddressRange, HashMapStateStore<AddressRange>, Ticks, NoOpMiddleware<Duration>>;
type Direct = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>;

/// What to do with somebody who wants to connect.
#[derive(Debug)]
pub enum Knock {
    /// Perform the handshake, after a delay.
    Admit {
        /// The delay.
        after: Duration,
        /// Its place.
        place: Place,
    },
    /// Ask it to come again with a token.
    Retry,
    /// Tell it that it isn't admitted.
    Refuse,
    /// Tell it nothing.
    Ignore,
}

/// A connection's place, given back when this is dropped.
#[derive(Debug)]
pub struct Place {
    peers: Arc<Peers>,
    address: IpAddr,
    reserved: bool,
}

impl Place {
    /// Whether it is for configured peers alone.
    #[must_use]
    pub fn reserved(&self) -> bool {
        self.reserved
    }

    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    best: Option<Tier>,
    /// Until when it is shut, and how often it was.
    shut: Option<(Instant, u32)>,
    at: Instant,
}

impl Seen {
    fn is_shut(&self) -> bool {
        self.shut.is_some_and(|(until, _)| Instant::now() < until)
    }

    /// When there is nothing left to remember.
    fn forgotten(&self) -> bool {
        self.at.elapsed() >= REMEMBERED && !self.is_shut()
    }
}

#[derive(Debug, Default)]
struct Counts {
    open: usize,
    reserved: usize,
    from: BTreeMap<AddressRange, usize>,
    seen: BTreeMap<AddressRange, Seen>,
    configured: BTreeSet<AddressRange>,
    did: totals::Door,
}

/// How fast strangers may come.
#[derive(Debug)]
struct Rates {
    host: Keyed,
    network: Keyed,
    all: Direct,
    answers: Direct,
}

/// Counts who is in.
#[derive(Debug)]
pub(crate) struct Door {
    limits: Limits,
    rates: Rates,
    counts: Mutex<Counts>,
}

fn per_second(count: u32) -> Quota {
    Quota::per_second(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN))
}

impl Door {
    pub(crate) fn new(limits: Limits, ticks: Ticks) -> Self {
        let rates = Rates {
            host: Keyed::hashmap_with_clock(per_second(limits.host_per_s), ticks),
            network: Keyed::hashmap_with_clock(per_second(limits.network_per_s), ticks),
            all: Direct::direct_with_clock(per_second(limits.strangers_per_s), ticks),
            answers: Direct::direct_with_clock(per_second(limits.answers_per_s), ticks),
        };
        Self { limits, rates, counts: Mutex::default() }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names the hosts of configured peers.
    pub(crate) fn configure(&self, hosts: impl Iterator<Item = IpAddr>) {
        self.counts().configured = hosts.map(AddressRange::host).collect();
    }

    pub(crate) fn did(&self) -> totals::Door {
        self.counts().did
    }

    /// How many are in: in ordinary places and in reserved ones.
    pub(crate) fn open(&self) -> (usize, usize) {
        let counts = self.counts();
        (counts.open, counts.reserved)
    }

    pub(crate) fn knock(&self, peers: &Arc<Peers>, address: IpAddr, validated: bool, shed: Option<Tier>) -> Knock {
        let (host, network) = (AddressRange::host(address), AddressRange::network(address));
        let mut counts = self.counts();
        let from = |range| counts.from.get(&range).copied().unwrap_or(0);
        let load = Load {
            open: counts.open,
            reserved: counts.reserved,
            from_host: from(host),
            from_network: from(network),
            shed,
        };
        let seen = counts.seen.get(&host).filter(|seen| !seen.forgotten());
        let caller = Caller {
            validated,
            configured: counts.configured.contains(&host),
            best: seen.and_then(|seen| seen.best),
            banned: seen.is_some_and(Seen::is_shut),
        };
        let mut decided = admission::knock(&self.limits, &load, &caller);
        let stranger = !caller.configured && caller.best < Some(Tier::Normal);
        if matches!(decided, admission::Knock::Admit { .. }) && stranger && self.hasty(host, network) {
            decided = if validated { admission::Knock::Refuse } else { admission::Knock::Retry };
        }
        let answered = matches!(decided, admission::Knock::Retry | admission::Knock::Refuse);
        if answered && self.rates.answers.check().is_err() {
            decided = admission::Knock::Ignore;
        }
        match decided {
            admission::Knock::Admit { after, reserved } => {
                *if reserved { &mut counts.reserved } else { &mut counts.open } += 1;
                for range in [host, network] {
                    *counts.from.entry(range).or_default() += 1;
                }
                counts.did.admitted += 1;
                Knock::Admit { after, place: Place { peers: peers.clone(), address, reserved } }
            }
            admission::Knock::Retry => {
                counts.did.retried += 1;
                Knock::Retry
            }
            admission::Knock::Refuse => {
                counts.did.refused += 1;
                Knock::Refuse
            }
            admission::Knock::Ignore => {
                counts.did.ignored += 1;
                Knock::Ignore
            }
        }
    }

    /// Whether strangers come too fast: from there, or in all.
    fn hasty(&self, host: AddressRange, network: AddressRange) -> bool {
        self.rates.host.check_key(&host).is_err()
            || self.rates.network.check_key(&network).is_err()
            || self.rates.all.check().is_err()
    }

    /// Remembers that a peer of this standing came from there.
    pub(crate) fn saw(&self, address: IpAddr, standing: Standing) {
        let mut counts = self.counts();
        let seen = counts.remember(address);
        seen.best = seen.best.max(standing.tier());
    }

    /// A peer was turned away after its handshake.
    pub(crate) fn turned_away(&self) {
        self.counts().did.turned_away += 1;
    }

    /// A peer from there was shut out for so long.
    pub(crate) fn shut(&self, address: IpAddr, wait: Duration) {
        let mut counts = self.counts();
        let seen = counts.remember(address);
        let now = Instant::now();
        // Whoever was connected twice is shut out once.
        if !seen.is_shut() {
            let times = seen.shut.map_or(0, |(_, times)| times).saturating_add(1);
            let wait = wait.saturating_mul(1 << (times - 1).min(16)).min(LONGEST_SHUT);
            seen.shut = Some((now + wait, times));
        }
    }

    /// Forgets who came a while ago. To be called every second or so.
    pub(crate) fn tidy(&self) {
        for limiter in [&self.rates.host, &self.rates.network] {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }

    fn leave(&self, place: &Place) {
        let mut counts = self.counts();
        let count = if place.reserved { &mut counts.reserved } else { &mut counts.open };
        *count = count.saturating_sub(1);
        for range in [AddressRange::host(place.address), AddressRange::network(place.address)] {
            if let Some(count) = counts.from.get_mut(&range) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    counts.from.remove(&range);
                }
            }
        }
    }
}

impl Counts {
    /// What is known of a host, which was seen now.
    fn remember(&mut self, address: IpAddr) -> &mut Seen {
        if self.seen.len() >= MAX_HOSTS {
            let mut silent: Vec<_> = self.seen.iter().map(|(host, seen)| (seen.is_shut(), seen.at, *host)).collect();
            silent.sort_unstable();
            for (.., host) in silent.into_iter().take(MAX_HOSTS / 8) {
                self.seen.remove(&host);
            }
        }
        let fresh = Seen { best: None, shut: None, at: Instant::now() };
        let seen = self.seen.entry(AddressRange::host(address)).or_insert(fresh);
        if seen.forgotten() {
            *seen = fresh;
        }
        seen.at = fresh.at;
        seen
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.peers.door.leave(self);
    }
}
