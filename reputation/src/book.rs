//! The records of all peers, within a bound, and who has to be told when one changes its standing.

use crate::{Components, Event, Policy, Record, Tier};
use serde::{Deserialize, Serialize};
use shardwire_model::{PeerId, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Most records: about 15 MB of memory.
pub const MAX_RECORDS: usize = 65_536;

/// The word on a peer of whoever runs the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listing {
    /// Never admitted.
    Denied,
    /// A peer to work with: in tier normal at least, unless it is banned.
    Configured,
    /// In tier normal at least, and never banned.
    Allowed,
}

/// How a peer stands with this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Not admitted, by the word of whoever runs the node.
    Denied,
    /// Not admitted until a date.
    Banned {
        /// The date.
        until: Timestamp,
    },
    /// May use what its tier may.
    Admitted(Tier),
}

/// Why a standing changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// What the peer did or cost.
    Event(Event),
    /// Something is forgotten by now.
    Time,
    /// The word of whoever runs the node.
    Word,
}

/// A change of standing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub peer: PeerId,
    /// What it was.
    pub from: Standing,
    /// What it is.
    pub to: Standing,
    /// Why.
    pub reason: Reason,
}

impl Standing {
    fn of(record: &Record, listing: Option<Listing>, now: Timestamp, policy: &Policy) -> Self {
        let tier = Tier::of(record.score(now, policy));
        match (listing, record.ban().filter(|ban| ban.holds(now))) {
            (Some(Listing::Denied), _) => Self::Denied,
            (Some(Listing::Allowed), _) | (Some(Listing::Configured), None) => Self::Admitted(tier.max(Tier::Normal)),
            (_, Some(ban)) => Self::Banned { until: ban.until },
            (None, None) => Self::Admitted(tier),
        }
    }

    /// The tier, if it is admitted.
    #[must_use]
    pub fn tier(self) -> Option<Tier> {
        if let Self::Admitted(tier) = self { Some(tier) } else { None }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied => f.write_str("denied"),
            Self::Banned { .. } => f.write_str("banned"),
            Self::Admitted(tier) => tier.fmt(f),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(event) => event.fmt(f),
            Self::Time => f.write_str("time has passed"),
            Self::Word => f.write_str("the node's operator says so"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Known {
    record: Record,
    /// The standing last told.
    told: Standing,
}

/// The records of all peers.
#[derive(Debug)]
pub struct Book {
    policy: Policy,
    capacity: usize,
    known: BTreeMap<PeerId, Known>,
    listed: BTreeMap<PeerId, Listing>,
    /// Whose record isn't as it was when last [kept](Self::take_unkept).
    unkept: BTreeSet<PeerId>,
}

impl Book {
    /// An empty one, for at most so many records (and no fewer than 8).
    #[must_use]
    pub fn new(policy: Policy, capacity: usize) -> Self {
        let capacity = capacity.max(8);
        Self { policy, capacity, known: BTreeMap::new(), listed: BTreeMap::new(), unkept: BTreeSet::new() }
    }

    /// By which rules it goes.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Takes up a record that was kept.
    pub fn restore(&mut self, peer: PeerId, record: Record, now: Timestamp) {
        if self.known.contains_key(&peer) || self.has_room(now) {
            let told = Standing::of(&record, self.listing(peer), now, &self.policy);
            self.known.insert(peer, Known { record, told });
        }
    }

    /// The records that changed since the last call; none for a peer that is forgotten. Each is to be kept.
    pub fn take_unkept(&mut self) -> Vec<(PeerId, Option<Record>)> {
        let unkept = std::mem::take(&mut self.unkept);
        unkept.into_iter().map(|peer| (peer, self.known.get(&peer).map(|known| known.record))).collect()
    }

    /// The word on this peer.
    #[must_use]
    pub fn listing(&self, peer: PeerId) -> Option<Listing> {
        self.listed.get(&peer).copied()
    }

    /// The record of a peer; a blank one for a stranger.
    #[must_use]
    pub fn record(&self, peer: PeerId) -> Record {
        self.known.get(&peer).map(|known| known.record).unwrap_or_default()
    }

    /// Every peer with a record or a word on it.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.known.keys().chain(self.listed.keys().filter(|peer| !self.known.contains_key(peer))).copied()
    }

    /// The components of a peer's score.
    #[must_use]
    pub fn components(&self, peer: PeerId, now: Timestamp) -> Components {
        self.record(peer).components(now, &self.policy)
    }

    /// The score of a peer.
    #[must_use]
    pub fn score(&self, peer: PeerId, now: Timestamp) -> u32 {
        self.record(peer).score(now, &self.policy)
    }

    /// How a peer stands.
    #[must_use]
    pub fn standing(&self, peer: PeerId, now: Timestamp) -> Standing {
        Standing::of(&self.record(peer), self.listing(peer), now, &self.policy)
    }

    /// Notes what a peer did. Says so if its standing changes by it.
    pub fn note(&mut self, peer: PeerId, event: &Event, now: Timestamp) -> Option<Change> {
        let before = self.record(peer);
        let after = before.after(event, now, &self.policy);
        self.change(peer, after, now, || Reason::Event(event.clone()))
    }

    /// Shuts a peer out until a date.
    pub fn ban(&mut self, peer: PeerId, until: Timestamp, now: Timestamp) -> Option<Change> {
        self.change(peer, self.record(peer).banned(until), now, || Reason::Word)
    }

    /// Ends a peer's ban and forgives what led to it.
    pub fn unban(&mut self, peer: PeerId, now: Timestamp) -> Option<Change> {
        self.change(peer, self.record(peer).unbanned(), now, || Reason::Word)
    }

    /// Replaces the word on all peers.
    pub fn list(&mut self, listed: BTreeMap<PeerId, Listing>, now: Timestamp) -> Vec<Change> {
        let mut concerned: BTreeSet<PeerId> = listed.keys().chain(self.listed.keys()).copied().collect();
        concerned.retain(|peer| listed.get(peer) != self.listed.get(peer));
        let before: Vec<_> = concerned.into_iter().map(|peer| (peer, self.standing(peer, now))).collect();
        self.listed = listed;
        before.into_iter().filter_map(|(peer, from)| self.tell(peer, from, now, || Reason::Word)).collect()
    }

    /// Which of these peers (those that are connected) stand differently than was last told: something is forgotten by now.
    pub fn look_at(&mut self, peers: impl IntoIterator<Item = PeerId>, now: Timestamp) -> Vec<Change> {
        let told = |book: &Self, peer| book.known.get(&peer).map(|known| known.told);
        peers
            .into_iter()
            .filter_map(|peer| told(self, peer).and_then(|from| self.tell(peer, from, now, || Reason::Time)))
            .collect()
    }

    fn change(
        &mut self,
        peer: PeerId,
        record: Record,
        now: Timestamp,
        reason: impl FnOnce() -> Reason,
    ) -> Option<Change> {
        let fresh = || Standing::of(&Record::default(), self.listing(peer), now, &self.policy);
        let from = self.known.get(&peer).map_or_else(fresh, |known| known.told);
        let to = Standing::of(&record, self.listing(peer), now, &self.policy);
        if self.known.contains_key(&peer) || (!record.is_blank(now, &self.policy) && self.has_room(now)) {
            self.known.insert(peer, Known { record, told: to });
            self.unkept.insert(peer);
        }
        (from != to).then(|| Change { peer, from, to, reason: reason() })
    }

    fn tell(
        &mut self,
        peer: PeerId,
        from: Standing,
        now: Timestamp,
        reason: impl FnOnce() -> Reason,
    ) -> Option<Change> {
        let to = self.standing(peer, now);
        if let Some(known) = self.known.get_mut(&peer) {
            known.told = to;
        }
        (from != to).then(|| Change { peer, from, to, reason: reason() })
    }

    /// Makes room for one more record, if need be and if that can be. Whoever has a point of work is never forgotten for
    /// another's sake; of the others, those who stay banned longest and did most harm are remembered longest. An eighth of the book is cleared
    /// at a time, so that a flood of identities pays for sorting once in thousands.
    fn has_room(&mut self, now: Timestamp) -> bool {
        if self.known.len() < self.capacity {
            return true;
        }
        let mut idle: Vec<_> = self
            .known
            .iter()
            .filter_map(|(peer, known)| {
                let components = known.record.components(now, &self.policy);
                let until = known.record.ban().filter(|ban| ban.holds(now)).map(|ban| ban.until);
                (components.work == 0).then_some((until, components.harm, *peer))
            })
            .collect();
        idle.sort_unstable();
        for (_, _, peer) in idle.into_iter().take(self.capacity / 8) {
            self.known.remove(&peer);
            self.unkept.insert(peer);
        }
        self.known.len() < self.capacity
    }
}
