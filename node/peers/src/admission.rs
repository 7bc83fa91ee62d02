//! Admission of connections: counts them by host and network, limits how fast they come, and remembers the hosts that
//! peers come from.
//!
//! [`admission`] decides from these counts. A connection takes its [`ConnectionSlot`] before its handshake and gives
//! it back when it ends. Handshakes have rates as well, because a peer that comes and goes is never many at a time
//! and costs as much as a crowd. Strangers have a rate for each host, for each network and in total. Beyond it a
//! stranger is asked for a token first, then refused. Answers to peers that aren't admitted have a rate in total;
//! beyond it there is no answer.
//!
//! Before all of this, first datagrams have a rate for each network ([`ConnectionAdmission::hears`]): those beyond it aren't even decrypted. Configured hosts and those of peers in
//! good standing are heard in any case. Networks are counted in [`NETWORKS`] places, so that a flood from many addresses takes no memory. Of the others that are heard, the rates of
//! [`MAX_RATED`] hosts and as many networks are kept; those beyond share one.
//!
//! The best tier seen at a host is remembered for [`REMEMBERED`], for at most [`MAX_HOSTS`] hosts: peers in good
//! standing are admitted under load. When a peer is banned, its host is shut for as long, and for twice as long each
//! further time: an identity costs nothing, so the next one would come from there. A host of peers in good standing,
//! or of a configured peer, is never shut.

use crate::{Ticks, totals};
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
    hash::{DefaultHasher, Hash as _, Hasher as _},
    iter::repeat_with,
    net::IpAddr,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long a host is remembered after a peer was seen there.
pub const REMEMBERED: Duration = Duration::from_secs(10 * 60);
/// The most hosts remembered: about 1 MB. When the table is full, those that have been silent longest are forgotten,
/// an eighth at a time.
pub const MAX_HOSTS: usize = 8192;
/// Places in which the first datagrams of networks are counted, some 250 kB in all. Two networks in one share its rate.
const NETWORKS: usize = 4096;
/// Most hosts, and networks, whose rates are kept, some 1 MB: a hundred times what strangers may come in a second, so more only where addresses are made up.
const MAX_RATED: usize = 8192;
/// The longest time that a host is shut: by then other peers may use its address.
pub const LONGEST_SHUT: Duration = Duration::from_secs(60 * 60);

type Keyed = RateLimiter<AddressRange, HashMapStateStore<AddressRange>, Ticks, NoOpMiddleware<Duration>>;
type Direct = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>;

/// What to do with a peer that wants to connect.
#[derive(Debug)]
pub enum Decision {
    /// Perform the handshake, after a delay.
    Admit {
        /// How long to wait before the handshake.
        after: Duration,
        /// The connection's slot.
        slot: ConnectionSlot,
    },
    /// Ask it to come back with a token.
    Retry,
    /// Refuse it and tell it so.
    Refuse,
    /// Don't answer: it costs least.
    Ignore,
}

/// The slot of a connection, given back when this is dropped.
#[derive(Debug)]
pub struct ConnectionSlot {
    admission: Arc<ConnectionAdmission>,
    address: IpAddr,
    reserved: bool,
}

impl ConnectionSlot {
    /// Whether the slot is reserved for configured peers.
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
    /// When the host opens again, and how often it was shut.
    shut: Option<(Instant, u32)>,
    at: Instant,
}

impl Seen {
    fn is_shut(&self) -> bool {
        self.shut.is_some_and(|(until, _)| Instant::now() < until)
    }

    /// Whether there is nothing left to remember.
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
    did: totals::AdmissionCounts,
}

/// The rates of strangers and of answers.
#[derive(Debug)]
struct Rates {
    host: Keyed,
    network: Keyed,
    all: Direct,
    answers: Direct,
    /// Of first datagrams, by the network's place.
    arrivals: Box<[Direct]>,
}

/// Counts connections and decides about new ones.
#[derive(Debug)]
pub(crate) struct ConnectionAdmission {
    limits: Limits,
    rates: Rates,
    counts: Mutex<Counts>,
}

/// Who pays for a caller from here: itself, or one for all while there are too many.
fn rated(rates: &Keyed, from: AddressRange) -> AddressRange {
    if rates.len() < MAX_RATED { from } else { AddressRange::host(IpAddr::from([0; 4])) }
}

fn per_second(count: u32) -> Quota {
    Quota::per_second(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN))
}

impl ConnectionAdmission {
    pub(crate) fn new(limits: Limits, ticks: Ticks) -> Self {
        let rates = Rates {
            host: Keyed::hashmap_with_clock(per_second(limits.host_per_s), ticks),
            network: Keyed::hashmap_with_clock(per_second(limits.network_per_s), ticks),
            all: Direct::direct_with_clock(per_second(limits.strangers_per_s), ticks),
            answers: Direct::direct_with_clock(per_second(limits.answers_per_s), ticks),
            arrivals: repeat_with(|| Direct::direct_with_clock(per_second(limits.arrivals_per_s), ticks))
                .take(NETWORKS)
                .collect(),
        };
        Self { limits, rates, counts: Mutex::default() }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the hosts of configured peers.
    pub(crate) fn configure(&self, hosts: impl Iterator<Item = IpAddr>) {
        self.counts().configured = hosts.map(AddressRange::host).collect();
    }

    pub(crate) fn did(&self) -> totals::AdmissionCounts {
        self.counts().did
    }

    /// The connections in ordinary slots and in reserved ones.
    pub(crate) fn open(&self) -> (usize, usize) {
        let counts = self.counts();
        (counts.open, counts.reserved)
    }

    /// Whether a first datagram from this address is looked at.
    pub(crate) fn hears(&self, address: IpAddr) -> bool {
        let mut hasher = DefaultHasher::new();
        AddressRange::network(address).hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % NETWORKS as u64).unwrap_or_default();
        if self.rates.arrivals.get(place).is_none_or(|rate| rate.check().is_ok()) {
            return true;
        }
        let (host, mut counts) = (AddressRange::host(address), self.counts());
        let seen = counts.seen.get(&host).filter(|seen| !seen.forgotten());
        let known = counts.configured.contains(&host) || seen.is_some_and(|seen| seen.best >= Some(Tier::Normal));
        if !known {
            counts.did.ignored += 1;
        }
        known
    }

    pub(crate) fn before_handshake(self: &Arc<Self>, address: IpAddr, validated: bool, shed: Option<Tier>) -> Decision {
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
        let mut decided = admission::before_handshake(&self.limits, &load, &caller);
        let stranger = !caller.configured && caller.best < Some(Tier::Normal);
        if matches!(decided, admission::Decision::Admit { .. }) && stranger && self.hasty(host, network) {
            decided = if validated { admission::Decision::Refuse } else { admission::Decision::Retry };
        }
        let answered = matches!(decided, admission::Decision::Retry | admission::Decision::Refuse);
        if answered && self.rates.answers.check().is_err() {
            decided = admission::Decision::Ignore;
        }
        match decided {
            admission::Decision::Admit { after, reserved } => {
                *if reserved { &mut counts.reserved } else { &mut counts.open } += 1;
                for range in [host, network] {
                    *counts.from.entry(range).or_default() += 1;
                }
                counts.did.admitted += 1;
                Decision::Admit { after, slot: ConnectionSlot { admission: self.clone(), address, reserved } }
            }
            admission::Decision::Retry => {
                counts.did.retried += 1;
                Decision::Retry
            }
            admission::Decision::Refuse => {
                counts.did.refused += 1;
                Decision::Refuse
            }
            admission::Decision::Ignore => {
                counts.did.ignored += 1;
                Decision::Ignore
            }
        }
    }

    /// Whether strangers come too fast, from this host, from this network or in total.
    fn hasty(&self, host: AddressRange, network: AddressRange) -> bool {
        self.rates.host.check_key(&rated(&self.rates.host, host)).is_err()
            || self.rates.network.check_key(&rated(&self.rates.network, network)).is_err()
            || self.rates.all.check().is_err()
    }

    /// Remembers that a peer of this standing came from this address.
    pub(crate) fn saw(&self, address: IpAddr, standing: Standing) {
        let mut counts = self.counts();
        let seen = counts.remember(address);
        seen.best = seen.best.max(standing.tier());
    }

    /// Counts a peer that was turned away after its handshake.
    pub(crate) fn turned_away(&self) {
        self.counts().did.turned_away += 1;
    }

    /// Shuts the host of a peer that was banned or denied for this time.
    pub(crate) fn shut(&self, address: IpAddr, wait: Duration) {
        let mut counts = self.counts();
        let seen = counts.remember(address);
        let now = Instant::now();
        // A peer with two connections shuts its host once.
        if !seen.is_shut() {
            let times = seen.shut.map_or(0, |(_, times)| times).saturating_add(1);
            let wait = wait.saturating_mul(1 << (times - 1).min(16)).min(LONGEST_SHUT);
            seen.shut = Some((now + wait, times));
        }
    }

    /// Forgets old rates. Call it every second or so.
    pub(crate) fn tidy(&self) {
        for limiter in [&self.rates.host, &self.rates.network] {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }

    fn leave(&self, slot: &ConnectionSlot) {
        let mut counts = self.counts();
        let count = if slot.reserved { &mut counts.reserved } else { &mut counts.open };
        *count = count.saturating_sub(1);
        for range in [AddressRange::host(slot.address), AddressRange::network(slot.address)] {
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
    /// The entry of a host, which was seen just now.
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

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.admission.leave(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    #[tokio::test(start_paused = true)]
    async fn addresses_that_are_made_up_fill_no_memory() {
        let admission = Arc::new(ConnectionAdmission::new(Limits::default(), Ticks::begin()));
        let made_up = (0..).map(|number: u32| IpAddr::from((0x0100_0001 + (number << 8)).to_be_bytes()));
        for address in made_up.take(4 * MAX_RATED) {
            drop(admission.before_handshake(address, false, None));
        }
        let kept = || [&admission.rates.host, &admission.rates.network].map(Keyed::len);
        assert!(kept().iter().all(|kept| (MAX_RATED..=MAX_RATED + 1).contains(kept)), "{:?}", kept());
        sleep(Duration::from_secs(2)).await;
        admission.tidy();
        assert_eq!(kept(), [0, 0]);
    }
}
