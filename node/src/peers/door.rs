//! The door: how many are in, from where, and what is remembered of the places that peers come from.
//!
//! Decisions are [`admission`]'s; this counts. A connection takes its [`Place`] before its handshake and gives it back when it ends.
//! Of a host is remembered what its best and its worst peer was, for [`REMEMBERED`], of at most [`MAX_HOSTS`] hosts: whoever stands well is
//! let in again under load, and from where banned peers came nobody is shaken hands with.

use super::Peers;
use shardwire_reputation::{
    AddressRange, Standing, Tier,
    admission::{self, Caller, Limits, Load},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long a host is remembered after a peer was seen there: longer than a first ban.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);
/// Most hosts remembered: about 1 MB. When it is full, those who have been silent longest are forgotten, an eighth at a time.
const MAX_HOSTS: usize = 8192;

/// What to do with somebody who wants to connect.
#[derive(Debug)]
pub(crate) enum Knock {
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
pub(crate) struct Place {
    peers: Arc<Peers>,
    address: IpAddr,
    reserved: bool,
}

impl Place {
    /// Whether it is for configured peers alone.
    pub(crate) fn reserved(&self) -> bool {
        self.reserved
    }
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    best: Option<Tier>,
    banned: bool,
    at: Instant,
}

#[derive(Debug, Default)]
struct Counts {
    open: usize,
    reserved: usize,
    from: BTreeMap<AddressRange, usize>,
    seen: BTreeMap<AddressRange, Seen>,
}

/// Counts who is in.
#[derive(Debug)]
pub(super) struct Door {
    limits: Limits,
    configured: BTreeSet<AddressRange>,
    counts: Mutex<Counts>,
}

impl Door {
    /// With the hosts of configured peers.
    pub(super) fn new(limits: Limits, configured: impl Iterator<Item = IpAddr>) -> Self {
        Self { limits, configured: configured.map(AddressRange::host).collect(), counts: Mutex::default() }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn knock(&self, peers: &Arc<Peers>, address: IpAddr, validated: bool) -> Knock {
        let (host, network) = (AddressRange::host(address), AddressRange::network(address));
        let mut counts = self.counts();
        let from = |range| counts.from.get(&range).copied().unwrap_or(0);
        let load = Load {
            open: counts.open,
            reserved: counts.reserved,
            from_host: from(host),
            from_network: from(network),
            shed: None,
        };
        let seen = counts.seen.get(&host).filter(|seen| seen.at.elapsed() < REMEMBERED);
        let caller = Caller {
            validated,
            configured: self.configured.contains(&host),
            best: seen.and_then(|seen| seen.best),
            banned: seen.is_some_and(|seen| seen.banned),
        };
        match admission::knock(&self.limits, &load, &caller) {
            admission::Knock::Admit { after, reserved } => {
                *if reserved { &mut counts.reserved } else { &mut counts.open } += 1;
                for range in [host, network] {
                    *counts.from.entry(range).or_default() += 1;
                }
                Knock::Admit { after, place: Place { peers: peers.clone(), address, reserved } }
            }
            admission::Knock::Retry => Knock::Retry,
            admission::Knock::Refuse => Knock::Refuse,
            admission::Knock::Ignore => Knock::Ignore,
        }
    }

    /// Remembers that a peer of this standing came to this place.
    pub(super) fn saw(&self, place: &Place, standing: Standing) {
        let mut counts = self.counts();
        if counts.seen.len() >= MAX_HOSTS {
            let mut silent: Vec<_> = counts.seen.iter().map(|(host, seen)| (seen.at, *host)).collect();
            silent.sort_unstable();
            for (_, host) in silent.into_iter().take(MAX_HOSTS / 8) {
                counts.seen.remove(&host);
            }
        }
        let now = Instant::now();
        let seen =
            counts.seen.entry(AddressRange::host(place.address)).or_insert(Seen { best: None, banned: false, at: now });
        if seen.at.elapsed() >= REMEMBERED {
            (seen.best, seen.banned) = (None, false);
        }
        seen.at = now;
        seen.best = seen.best.max(standing.tier());
        seen.banned |= standing.tier().is_none();
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

impl Drop for Place {
    fn drop(&mut self) {
        self.peers.door.leave(self);
    }
}
