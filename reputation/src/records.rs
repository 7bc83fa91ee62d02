//! The records of all peers, bounded, and the changes of standing that they cause.

use crate::{Components, Event, Policy, Record, Tier};
use serde::{Deserialize, Serialize};
use shardwire_model::{PeerId, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// The most records: about 15 MB of memory.
pub const MAX_RECORDS: usize = 65_536;

/// How the operator lists a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listing {
    /// Never admitted.
    Denied,
    /// A peer to work with: at least in tier normal, unless it is banned.
    Configured,
    /// At least in tier normal, and never banned.
    Allowed,
}

/// How a peer stands with this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Not admitted, because the operator denies it.
    Denied,
    /// Not admitted until the ban ends.
    Banned {
        /// When the ban ends.
        until: Timestamp,
    },
    /// Admitted, with the quotas of its tier.
    Admitted(Tier),
}

/// Why a standing changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The peer did or cost something.
    Event(Event),
    /// Time has passed, and something is forgotten.
    Time,
    /// The operator changed a listing or a ban.
    Operator,
}

/// A change of standing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The peer.
    pub peer: PeerId,
    /// The standing before.
    pub from: Standing,
    /// The standing now.
    pub to: Standing,
    /// The reason for the change.
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
            Self::Operator => f.write_str("the node's operator says so"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Known {
    record: Record,
    /// The standing that was last reported.
    reported: Standing,
}

/// The records of all peers.
#[derive(Debug)]
pub struct Records {
    policy: Policy,
    capacity: usize,
    known: BTreeMap<PeerId, Known>,
    listed: BTreeMap<PeerId, Listing>,
    /// Peers whose record has changed since it was last [taken](Self::take_changed).
    changed: BTreeSet<PeerId>,
}

impl Records {
    /// No records, with room for `capacity` of them (at least 8).
    #[must_use]
    pub fn new(policy: Policy, capacity: usize) -> Self {
        let capacity = capacity.max(8);
        Self { policy, capacity, known: BTreeMap::new(), listed: BTreeMap::new(), changed: BTreeSet::new() }
    }

    /// The policy for scores and bans.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Restores a stored record, which a clock that was ahead may have [dated](Record::taken_up).
    pub fn restore(&mut self, peer: PeerId, record: Record, now: Timestamp) {
        let record = record.taken_up(now);
        if self.known.contains_key(&peer) || self.has_room(now) {
            let reported = Standing::of(&record, self.listing(peer), now, &self.policy);
            self.known.insert(peer, Known { record, reported });
        }
    }

    /// The records that changed since the last call, to be stored; `None` for a peer that is forgotten.
    pub fn take_changed(&mut self) -> Vec<(PeerId, Option<Record>)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|peer| (peer, self.known.get(&peer).map(|known| known.record))).collect()
    }

    /// The operator's listing of this peer, if any.
    #[must_use]
    pub fn listing(&self, peer: PeerId) -> Option<Listing> {
        self.listed.get(&peer).copied()
    }

    /// The record of a peer; a blank one for a stranger.
    #[must_use]
    pub fn record(&self, peer: PeerId) -> Record {
        self.known.get(&peer).map(|known| known.record).unwrap_or_default()
    }

    /// Every peer with a record or a listing.
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

    /// The standing of a peer.
    #[must_use]
    pub fn standing(&self, peer: PeerId, now: Timestamp) -> Standing {
        Standing::of(&self.record(peer), self.listing(peer), now, &self.policy)
    }

    /// Notes what a peer did. Returns the change if its standing changes.
    pub fn note(&mut self, peer: PeerId, event: &Event, now: Timestamp) -> Option<Change> {
        let before = self.record(peer);
        let after = before.after(event, now, &self.policy);
        self.change(peer, after, now, || Reason::Event(event.clone()))
    }

    /// Bans a peer until a date.
    pub fn ban(&mut self, peer: PeerId, until: Timestamp, now: Timestamp) -> Option<Change> {
        let banned = self.record(peer).banned(until, now, &self.policy);
        self.change(peer, banned, now, || Reason::Operator)
    }

    /// Ends a peer's ban and forgives what led to it.
    pub fn unban(&mut self, peer: PeerId, now: Timestamp) -> Option<Change> {
        self.change(peer, self.record(peer).unbanned(), now, || Reason::Operator)
    }

    /// Replaces the listings of all peers.
    pub fn list(&mut self, listed: BTreeMap<PeerId, Listing>, now: Timestamp) -> Vec<Change> {
        let mut concerned: BTreeSet<PeerId> = listed.keys().chain(self.listed.keys()).copied().collect();
        concerned.retain(|peer| listed.get(peer) != self.listed.get(peer));
        let before: Vec<_> = concerned.into_iter().map(|peer| (peer, self.standing(peer, now))).collect();
        self.listed = listed;
        before.into_iter().filter_map(|(peer, from)| self.report(peer, from, now, || Reason::Operator)).collect()
    }

    /// Returns the changes of these (connected) peers whose standing differs from the one last reported, because
    /// something is forgotten by now.
    pub fn look_at(&mut self, peers: impl IntoIterator<Item = PeerId>, now: Timestamp) -> Vec<Change> {
        let reported = |book: &Self, peer| book.known.get(&peer).map(|known| known.reported);
        peers
            .into_iter()
            .filter_map(|peer| reported(self, peer).and_then(|from| self.report(peer, from, now, || Reason::Time)))
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
        let from = self.known.get(&peer).map_or_else(fresh, |known| known.reported);
        let to = Standing::of(&record, self.listing(peer), now, &self.policy);
        if self.known.contains_key(&peer) || (!record.is_blank(now, &self.policy) && self.has_room(now)) {
            self.known.insert(peer, Known { record, reported: to });
            self.changed.insert(peer);
        }
        (from != to).then(|| Change { peer, from, to, reason: reason() })
    }

    fn report(
        &mut self,
        peer: PeerId,
        from: Standing,
        now: Timestamp,
        reason: impl FnOnce() -> Reason,
    ) -> Option<Change> {
        let to = self.standing(peer, now);
        if let Some(known) = self.known.get_mut(&peer) {
            known.reported = to;
        }
        (from != to).then(|| Change { peer, from, to, reason: reason() })
    }

    /// Makes room for one more record if need be; `false` if it can't. A peer with a point of work is never forgotten
    /// for another. Of the others, those banned longest and with most harm are kept longest. An eighth of the records
    /// is cleared at a time, so a flood of identities pays for sorting once in thousands.
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
            self.changed.insert(peer);
        }
        self.known.len() < self.capacity
    }
}
