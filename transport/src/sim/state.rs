//! The network's state: routes, datagrams under way, sockets, and the record of what happened.

use super::link::{Link, PPM};
use blake2::{Blake2s256, Digest};
use quinn::udp::EcnCodepoint;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shardwire_model::Hash;
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    task::Waker,
    time::Duration,
};
use tokio::time::Instant;

/// The most datagrams that wait for one socket or are under way to it: ten full windows of a busy connection.
pub const MAX_ARRIVALS: usize = 131_072;

/// Counts of what happened on a network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams sent.
    pub sent: u64,
    /// Bytes in the datagrams sent.
    pub bytes: u64,
    /// Datagrams delivered to a socket.
    pub delivered: u64,
    /// Datagrams lost by chance.
    pub lost: u64,
    /// Datagrams sent into a cut.
    pub cut: u64,
    /// Datagrams longer than the link's MTU.
    pub too_long: u64,
    /// Datagrams dropped because they would have waited longer than the link's queue.
    pub overflowed: u64,
    /// Datagrams sent to an address without a socket, or to a socket that closed before they arrived.
    pub unreachable: u64,
    /// Datagrams that arrived twice.
    pub duplicated: u64,
    /// Datagrams that were allowed to overtake or to be overtaken.
    pub reordered: u64,
    /// The most bytes that were under way to one socket or waited in it.
    pub most_waiting: u64,
}

/// What becomes of a datagram, as the hash records it.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Fate {
    UnderWay = 1,
    Lost = 2,
    Cut = 3,
    TooLong = 4,
    Overflowed = 5,
    Unreachable = 6,
    Duplicated = 7,
    Noted = 8,
}

/// One direction between two hosts.
#[derive(Debug, Default)]
pub(super) struct Route {
    /// `None` means the default link.
    pub(super) link: Option<Link>,
    pub(super) cut: bool,
    pub(super) clogged_until: Option<Instant>,
    /// When everything sent so far has passed the bottleneck.
    free_at: Option<Instant>,
    /// When the last datagram that keeps its order arrives.
    last_arrival: Option<Instant>,
}

/// A datagram that is on its way or has arrived.
#[derive(Debug)]
pub(crate) struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) ecn: Option<EcnCodepoint>,
    pub(crate) bytes: Vec<u8>,
}

/// Datagrams on their way to a socket, ordered by arrival and then by sending.
#[derive(Debug, Default)]
struct Arrivals {
    waiting: BTreeMap<(Instant, u64), Datagram>,
    /// Bytes in all of them.
    bytes: u64,
    waker: Option<Waker>,
}

#[derive(Debug)]
pub(crate) struct State {
    rng: ChaCha8Rng,
    began: Instant,
    pub(super) default: Link,
    routes: BTreeMap<(IpAddr, IpAddr), Route>,
    sockets: BTreeMap<SocketAddr, Arrivals>,
    pub(super) counters: Counters,
    number: u64,
    record: Blake2s256,
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            began: Instant::now(),
            default: Link::default(),
            routes: BTreeMap::new(),
            sockets: BTreeMap::new(),
            counters: Counters::default(),
            number: 0,
            record: Blake2s256::new(),
        }
    }

    pub(super) fn route(&mut self, from: IpAddr, to: IpAddr) -> &mut Route {
        self.routes.entry((from, to)).or_default()
    }

    pub(super) fn hash(&self) -> Hash {
        Hash(self.record.clone().finalize().into())
    }

    fn stamp(&mut self, fate: Fate) {
        let micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.record.update(micros.to_le_bytes());
        self.record.update([fate as u8]);
    }

    pub(super) fn note(&mut self, what: &[u8]) {
        self.stamp(Fate::Noted);
        self.record.update((what.len() as u64).to_le_bytes());
        self.record.update(what);
    }

    fn remember(&mut self, fate: Fate, from: SocketAddr, to: SocketAddr, ecn: Option<EcnCodepoint>, length: usize) {
        self.stamp(fate);
        for address in [from, to] {
            match address.ip() {
                IpAddr::V4(ip) => self.record.update(ip.octets()),
                IpAddr::V6(ip) => self.record.update(ip.octets()),
            }
            self.record.update(address.port().to_le_bytes());
        }
        self.record.update([ecn.map_or(0, |ecn| ecn as u8)]);
        self.record.update((length as u64).to_le_bytes());
    }

    fn happens(&mut self, chance: u32) -> bool {
        chance > 0 && self.rng.random_range(0..PPM) < chance
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        if most.is_zero() { most } else { self.rng.random_range(Duration::ZERO..=most) }
    }

    /// Decides what becomes of a datagram.
    pub(super) fn send(&mut self, from: SocketAddr, to: SocketAddr, ecn: Option<EcnCodepoint>, bytes: &[u8]) {
        self.counters.sent += 1;
        self.counters.bytes += bytes.len() as u64;
        let (default, now) = (self.default, Instant::now());
        let route = self.route(from.ip(), to.ip());
        let link = route.link.unwrap_or(default);
        let (cut, clogged_until) = (route.cut, route.clogged_until.filter(|until| *until > now));
        // What is lost behind the queue passes it, too.
        let mut departs = now;
        let mut overflows = false;
        if let Some(rate) = link.bytes_per_second {
            let begins = route.free_at.map_or(now, |at| at.max(now));
            overflows = begins.duration_since(now) > link.queue;
            departs = begins + Duration::from_nanos((bytes.len() as u64).saturating_mul(1_000_000_000) / rate.max(1));
            if !overflows && !cut {
                route.free_at = Some(departs);
            }
        }
        let lost = self.happens(link.lost);
        let fate = if cut {
            self.counters.cut += 1;
            Fate::Cut
        } else if bytes.len() > usize::from(link.mtu) {
            self.counters.too_long += 1;
            Fate::TooLong
        } else if overflows {
            self.counters.overflowed += 1;
            Fate::Overflowed
        } else if lost {
            self.counters.lost += 1;
            Fate::Lost
        } else {
            Fate::UnderWay
        };
        self.remember(fate, from, to, ecn, bytes.len());
        if !matches!(fate, Fate::UnderWay) {
            return;
        }
        let jitter = self.up_to(link.jitter);
        let mut arrives = departs.max(clogged_until.unwrap_or(departs)) + link.latency + jitter;
        if self.happens(link.reordered) {
            self.counters.reordered += 1;
            arrives += self.up_to(link.reordered_by);
        } else {
            let route = self.route(from.ip(), to.ip());
            arrives = route.last_arrival.map_or(arrives, |last| last.max(arrives));
            route.last_arrival = Some(arrives);
        }
        self.arrive(arrives, to, Datagram { from, ecn, bytes: bytes.to_vec() });
        if self.happens(link.duplicated) {
            self.counters.duplicated += 1;
            self.remember(Fate::Duplicated, from, to, ecn, bytes.len());
            let later = arrives + self.up_to(link.reordered_by);
            self.arrive(later, to, Datagram { from, ecn, bytes: bytes.to_vec() });
        }
    }

    fn arrive(&mut self, at: Instant, to: SocketAddr, datagram: Datagram) {
        self.number += 1;
        let number = self.number;
        match self.sockets.get_mut(&to) {
            Some(arrivals) if arrivals.waiting.len() < MAX_ARRIVALS => {
                arrivals.bytes += datagram.bytes.len() as u64;
                self.counters.most_waiting = self.counters.most_waiting.max(arrivals.bytes);
                arrivals.waiting.insert((at, number), datagram);
                if let Some(waker) = arrivals.waker.take() {
                    waker.wake();
                }
            }
            Some(_) => {
                self.counters.overflowed += 1;
                self.remember(Fate::Overflowed, datagram.from, to, datagram.ecn, datagram.bytes.len());
            }
            None => {
                self.counters.unreachable += 1;
                self.remember(Fate::Unreachable, datagram.from, to, datagram.ecn, datagram.bytes.len());
            }
        }
    }

    /// Opens a socket; `false` if the address has one.
    pub(super) fn open(&mut self, at: SocketAddr) -> bool {
        let vacant = !self.sockets.contains_key(&at);
        if vacant {
            self.sockets.insert(at, Arrivals::default());
        }
        vacant
    }

    /// Closes a socket. Datagrams on their way to it are lost.
    pub(super) fn close(&mut self, at: SocketAddr) {
        if let Some(arrivals) = self.sockets.remove(&at) {
            self.counters.unreachable += arrivals.waiting.len() as u64;
        }
    }

    /// The next datagram that has arrived at a socket.
    pub(crate) fn receive(&mut self, at: SocketAddr, room: usize) -> Option<Datagram> {
        let arrivals = self.sockets.get_mut(&at)?;
        let first = arrivals.waiting.first_entry()?;
        if first.key().0 > Instant::now() {
            return None;
        }
        let mut datagram = first.remove();
        arrivals.bytes = arrivals.bytes.saturating_sub(datagram.bytes.len() as u64);
        // A buffer that is too small truncates the datagram, as on a real system.
        datagram.bytes.truncate(room);
        self.counters.delivered += 1;
        Some(datagram)
    }

    /// When the next datagram arrives at a socket. Wakes `waker` if another one is sent meanwhile.
    pub(crate) fn next_arrival(&mut self, at: SocketAddr, waker: &Waker) -> Option<Instant> {
        let arrivals = self.sockets.get_mut(&at)?;
        arrivals.waker = Some(waker.clone());
        arrivals.waiting.first_key_value().map(|((at, _), _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AT: [SocketAddr; 2] = [
        SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)), 1),
        SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2)), 1),
    ];

    fn links() -> impl Strategy<Value = Link> {
        let chance = 0..=PPM / 2;
        (0..50u64, 0..50u64, proptest::option::of(1_000..1_000_000u64), chance.clone(), chance.clone(), chance)
            .prop_map(|(latency, jitter, bytes_per_second, lost, duplicated, reordered)| Link {
                latency: Duration::from_millis(latency),
                jitter: Duration::from_millis(jitter),
                bytes_per_second,
                lost,
                duplicated,
                reordered,
                ..Link::default()
            })
    }

    /// Sends numbered datagrams, waits, and says which came.
    fn numbers(seed: u64, link: Link, lengths: &[usize]) -> (Vec<u32>, Counters, Hash) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut state = State::new(seed);
            state.default = link;
            assert!(state.open(AT[1]) && !state.open(AT[1]));
            for (length, number) in lengths.iter().zip(0u32..) {
                let mut bytes = number.to_le_bytes().to_vec();
                bytes.resize(4 + length, 0);
                state.send(AT[0], AT[1], None, &bytes);
                tokio::time::advance(Duration::from_millis(1)).await;
            }
            tokio::time::advance(Duration::from_secs(60)).await;
            let mut came = Vec::new();
            while let Some(datagram) = state.receive(AT[1], 4) {
                came.push(u32::from_le_bytes(datagram.bytes.try_into().unwrap()));
            }
            (came, state.counters, state.hash())
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_datagram_is_accounted_for(seed: u64, link in links(), lengths in proptest::collection::vec(0..2_000usize, 0..200)) {
            let (came, counted, hash) = numbers(seed, link, &lengths);
            let vanished = counted.lost + counted.too_long + counted.overflowed;
            prop_assert_eq!(counted.sent, lengths.len() as u64);
            prop_assert_eq!(counted.delivered, came.len() as u64);
            prop_assert_eq!(counted.sent + counted.duplicated, counted.delivered + vanished);
            prop_assert_eq!((came, counted, hash), numbers(seed, link, &lengths));
        }

        #[test]
        fn what_is_not_reordered_arrives_in_order(seed: u64, link in links(), lengths in proptest::collection::vec(0..1_000usize, 0..200)) {
            let (came, ..) = numbers(seed, Link { reordered: 0, duplicated: 0, ..link }, &lengths);
            prop_assert!(came.is_sorted(), "{:?}", came);
        }
    }
}
