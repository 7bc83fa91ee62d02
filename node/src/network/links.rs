//! Which peers there are, and the one connection to each.
//!
//! Bounds: the admission bounds who is connected, the configuration who is dialled. Of the others, who came and went, [`MAX_GONE`] are remembered: keys cost nothing.

use super::twin::{Seen, Twin};
use shardwire_host::Changes;
use shardwire_model::{Address, PeerId, Role, bounded};
use shardwire_protocols::{
    administration::PeerStatus,
    handshake::{Agreed, Instance, MAX_NAME, SKEW_NOTICED},
    keepalive::Measured,
};
use shardwire_transport::Connection;
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Within this time of each other, two connections between the same peers are taken to be made at once, by both. A later one
/// means that the peer has lost the earlier one, by a crash say.
const AT_ONCE: Duration = Duration::from_secs(5);

/// How long a connection with a peer that names no run stays once it has replaced another one that was open: such a peer may have lost that one, but two nodes with one key would
/// replace each other's without end. As long as one that yields stays away at least.
const REPLACED: Duration = Duration::from_secs(30);

/// Most peers that are remembered though they aren't connected and this node doesn't dial them; then the one that went first is forgotten. They and all that may be connected
/// fit in an answer of `status`. Who fills this gains that a start of a shard names such an operator as one that was never met.
const MAX_GONE: usize = 128;

#[derive(Debug)]
struct Link {
    connection: Connection,
    agreed: Agreed,
    dialled: bool,
    since: Instant,
    /// Whether it has replaced one that was open, of a peer that names no run.
    has_replaced: bool,
    measured: Option<Measured>,
    number: u64,
}

#[derive(Debug, Default)]
struct Known {
    /// Where it is dialled.
    address: Option<Address>,
    link: Option<Link>,
    /// The roles that it had when it was connected last.
    roles: BTreeSet<String>,
    /// That its key, or this node's, has two nodes.
    twin: Option<Seen>,
    /// When it was noted last, among all notes.
    noted: u64,
}

impl Known {
    fn is_gone(&self) -> bool {
        self.address.is_none() && self.link.is_none()
    }
}

/// How a node knows a peer in a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    /// It is connected, and has the role.
    Connected,
    /// It is connected, and has other roles.
    AsAnother,
    /// It was connected with that role since this node began, not long ago, or is known by name.
    Before,
    /// Not at all.
    Never,
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Adopted {
    /// It is the peer's, under this number.
    Taken(u64),
    /// Both sides have made one at once, and the other one is kept.
    Redundant,
    /// The peer's key has another node, which began later or doesn't say when, and that one has the connection.
    Yields,
}

#[derive(Debug, Default)]
struct Table {
    peers: BTreeMap<PeerId, Known>,
    next: u64,
}

impl Table {
    /// The row of a peer about which there is news.
    fn note(&mut self, peer: PeerId) -> &mut Known {
        self.next += 1;
        let known = self.peers.entry(peer).or_default();
        known.noted = self.next;
        known
    }

    /// Forgets the peer that went first, if more are gone than are remembered. To be called whenever one may have become one that is gone.
    fn forget(&mut self) {
        let gone = || self.peers.iter().filter(|(_, known)| known.is_gone());
        if gone().count() > MAX_GONE
            && let Some((_, first)) = gone().map(|(peer, known)| (known.noted, *peer)).min()
        {
            self.peers.remove(&first);
        }
    }
}

/// The peers that are connected, one connection each.
#[derive(Debug)]
pub(crate) struct Links {
    me: PeerId,
    table: Mutex<Table>,
    changes: Changes,
}

impl Links {
    pub(crate) fn new(me: PeerId) -> Self {
        Self { me, table: Mutex::default(), changes: Changes::new() }
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a peer that there should be a connection to.
    pub(super) fn expect(&self, peer: PeerId, address: Address) {
        self.table().peers.entry(peer).or_default().address = Some(address);
    }

    /// Takes up a connection, unless it is to give way to the one there is. Two that were made at once, one by each side, are told apart by
    /// who dialled, so that both sides keep the same one: that of the peer with the lower id. Of two nodes with one key the one that began later has it; where they don't
    /// say, one replaces the other for a [while](REPLACED).
    pub(super) fn adopt(&self, connection: &Connection, agreed: &Agreed, dialled: bool) -> Adopted {
        let peer = connection.peer();
        let mut table = self.table();
        let known = table.note(peer);
        let number = known.noted;
        let mut has_replaced = false;
        if let Some(link) = known.link.as_ref().filter(|link| !link.connection.is_closed()) {
            let run = Instance::of(&agreed.capabilities);
            match run.cmp(&Instance::of(&link.agreed.capabilities)) {
                Ordering::Less => {
                    known.twin = Some(Seen::now(Twin::Met));
                    return Adopted::Yields;
                }
                Ordering::Equal => {
                    let mine_wins = self.me < peer;
                    let at_once = link.since.elapsed() < AT_ONCE && link.dialled != dialled;
                    if at_once && link.dialled == mine_wins {
                        return Adopted::Redundant;
                    }
                    if link.has_replaced && link.since.elapsed() < REPLACED {
                        known.twin = Some(Seen::now(Twin::Met));
                        return Adopted::Yields;
                    }
                    has_replaced = run.is_none() && !at_once;
                    link.connection.close();
                }
                // Usually what is left of its last run, which nobody hears any more.
                Ordering::Greater => link.connection.supersede(),
            }
        }
        known.roles.clone_from(&agreed.roles);
        let (connection, agreed) = (connection.clone(), agreed.clone());
        let since = Instant::now();
        known.link = Some(Link { connection, agreed, dialled, since, has_replaced, measured: None, number });
        drop(table);
        self.changes.announce();
        Adopted::Taken(number)
    }

    /// Which run of this key is connected.
    pub(super) fn instance(&self, peer: PeerId) -> Option<Instance> {
        let table = self.table();
        let link = table.peers.get(&peer)?.link.as_ref().filter(|link| !link.connection.is_closed())?;
        Instance::of(&link.agreed.capabilities)
    }

    /// Notes that a key has two nodes, as seen at this peer.
    pub(super) fn twin(&self, peer: PeerId, twin: Twin) {
        let mut table = self.table();
        table.note(peer).twin = Some(Seen::now(twin));
        table.forget();
    }

    /// Lets go of a connection, if it is still the peer's.
    pub(super) fn release(&self, peer: PeerId, number: u64) {
        let mut table = self.table();
        if table.peers.get(&peer).and_then(|known| known.link.as_ref()).is_some_and(|link| link.number == number) {
            table.note(peer).link = None;
            table.forget();
        }
        drop(table);
        self.changes.announce();
    }

    /// Waits until there is no connection to the peer.
    pub(super) async fn gone(&self, peer: PeerId) {
        loop {
            let changed = self.changes.next();
            if self.table().peers.get(&peer).is_none_or(|known| known.link.is_none()) {
                return;
            }
            changed.await;
        }
    }

    /// Whether a peer with this role is connected that counts.
    pub(super) fn has(&self, role: Role, counts: impl Fn(PeerId) -> bool) -> bool {
        let name = role.to_string();
        let table = self.table();
        let mut linked = table.peers.iter().filter_map(|(peer, known)| Some((peer, known.link.as_ref()?)));
        linked.any(|(peer, link)| link.agreed.roles.contains(&name) && counts(*peer))
    }

    /// Whether this peer is connected.
    pub(super) fn is_connected(&self, peer: PeerId) -> bool {
        self.table().peers.get(&peer).is_some_and(|known| known.link.is_some())
    }

    /// Notes a measurement; whether the two clocks are further apart than goes without saying, and weren't when it was measured before.
    pub(super) fn measured(&self, peer: PeerId, measured: Measured) -> bool {
        let mut table = self.table();
        let Some(link) = table.peers.get_mut(&peer).and_then(|known| known.link.as_mut()) else { return false };
        let is_apart = |it: &Measured| u128::from(it.skew_ms.unsigned_abs()) >= SKEW_NOTICED.as_millis();
        let before = link.measured.replace(measured);
        is_apart(&measured) && !before.as_ref().is_some_and(is_apart)
    }

    /// How this node has met a peer in a role since it began.
    pub(crate) fn met(&self, peer: PeerId, role: Role) -> Met {
        let table = self.table();
        let Some(known) = table.peers.get(&peer) else { return Met::Never };
        let has_role = known.roles.contains(&role.to_string());
        match (&known.link, has_role) {
            (Some(_), true) => Met::Connected,
            (Some(_), false) => Met::AsAnother,
            (None, true) => Met::Before,
            (None, false) => Met::Never,
        }
    }

    /// Completes once a peer is connected in this role.
    pub(crate) async fn meets(&self, peer: PeerId, role: Role) {
        loop {
            let changed = self.changes.next();
            if self.met(peer, role) == Met::Connected {
                return;
            }
            changed.await;
        }
    }

    /// How each peer is.
    pub(crate) fn status(&self) -> Vec<PeerStatus> {
        let table = self.table();
        let news = |known: &Known| known.twin.as_ref().and_then(Seen::shown);
        let is_listed = |known: &Known| known.address.is_some() || known.link.is_some() || news(known).is_some();
        let peers = table.peers.iter().filter(|(_, known)| is_listed(known));
        peers
            .map(|(peer, known)| {
                let link = known.link.as_ref();
                let address = link.map(|link| link.connection.address().to_string());
                let address = address.or_else(|| known.address.as_ref().map(ToString::to_string));
                let measured = link.and_then(|link| link.measured);
                PeerStatus {
                    peer: *peer,
                    addr: bounded::cut(&address.unwrap_or_default(), MAX_NAME),
                    roles: link.map(|link| link.agreed.roles.iter().cloned().collect()).unwrap_or_default(),
                    connected: link.is_some(),
                    round_trip_us: measured.map(|it| u64::try_from(it.round_trip.as_micros()).unwrap_or(u64::MAX)),
                    skew_ms: measured.map(|it| it.skew_ms),
                    trouble: news(known),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_host::Randomness;
    use shardwire_transport::{Endpoint, Identity, Settings, SystemNetwork};

    fn endpoint(identity: &Identity, seed: u64) -> Endpoint {
        let (here, mut random) = (([127, 0, 0, 1], 0).into(), Randomness::from_seed(seed));
        Endpoint::open(&SystemNetwork, here, identity.clone(), &Settings::default(), &mut random).unwrap()
    }

    /// A connection from another node with this key; what it has of it, and what this node has.
    async fn comes(here: &Endpoint, identity: &Identity, seed: u64) -> (Endpoint, [Connection; 2]) {
        let there = endpoint(identity, seed);
        let accepted = async { here.accept().await.unwrap().admit().await.unwrap() };
        let (theirs, ours) = tokio::join!(there.connect(here.address(), None), accepted);
        (there, [theirs.unwrap(), ours])
    }

    /// A fixed bug: two nodes with one key that don't name their runs displaced each other as fast as they could shake hands, and nobody was told.
    #[tokio::test]
    async fn of_two_nodes_with_one_key_that_name_no_run_one_replaces_the_other_once_in_a_while_and_it_is_said() {
        let [me, foreign] = [1, 2].map(|secret| Identity::from_secret(&[secret; 32]));
        let (here, links) = (endpoint(&me, 0), Links::new(me.peer()));
        let agreed = Agreed {
            peer: foreign.peer(),
            agent: "foreign".into(),
            roles: [Role::Prover.to_string()].into(),
            opens: BTreeMap::new(),
            serves: BTreeMap::new(),
            capabilities: BTreeSet::new(),
            skew_ms: 0,
        };
        let adopt = |connection: &Connection| links.adopt(connection, &agreed, false);
        let trouble = || links.status()[0].trouble.as_ref().map(|cause| cause.code.to_string());
        let (_first, [_theirs, ours]) = comes(&here, &foreign, 1).await;
        assert!(matches!(adopt(&ours), Adopted::Taken(_)));
        // It may have lost the one before.
        let (_second, [_theirs, again]) = comes(&here, &foreign, 2).await;
        assert!(matches!(adopt(&again), Adopted::Taken(_)));
        assert_eq!((ours.is_closed(), trouble()), (true, None));
        // But it is still there.
        for seed in 3..6 {
            let (_more, [_theirs, more]) = comes(&here, &foreign, seed).await;
            assert_eq!(adopt(&more), Adopted::Yields);
        }
        assert_eq!((again.is_closed(), trouble().as_deref()), (false, Some("SW-NETWORK-003")));
        links.table().peers.get_mut(&foreign.peer()).unwrap().link.as_mut().unwrap().since -= REPLACED;
        let (_later, [_theirs, later]) = comes(&here, &foreign, 6).await;
        assert!(matches!(adopt(&later), Adopted::Taken(_)));
        assert!(again.is_closed());
        // One that names its run is greater than any that doesn't.
        let named = Instance { since: shardwire_model::Timestamp(1), nonce: 1 };
        let named = Agreed { capabilities: [named.capability()].into(), ..agreed.clone() };
        let (_named, [_theirs, says]) = comes(&here, &foreign, 7).await;
        assert!(matches!(links.adopt(&says, &named, false), Adopted::Taken(_)));
        assert_eq!(adopt(&later), Adopted::Yields);
    }

    fn peer(number: usize) -> PeerId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_le_bytes());
        PeerId(id)
    }

    #[test]
    fn of_strangers_that_came_and_went_the_last_ones_are_remembered() {
        let (links, dialled) = (Links::new(peer(0)), peer(1));
        links.expect(dialled, "127.0.0.1:1".parse().unwrap());
        let strangers = 100..100 + 10 * MAX_GONE;
        for stranger in strangers.clone() {
            let mut table = links.table();
            table.note(peer(stranger)).roles = [Role::Operator.to_string()].into();
            table.forget();
        }
        assert_eq!(links.table().peers.len(), MAX_GONE + 1);
        let met = |stranger| links.met(peer(stranger), Role::Operator);
        assert_eq!([met(strangers.end - 1), met(strangers.end - MAX_GONE)], [Met::Before; 2]);
        assert_eq!([met(strangers.start), met(strangers.end - MAX_GONE - 1)], [Met::Never; 2]);
        // So it is with those of whose key there are two nodes, and nobody's place is taken that is dialled.
        for stranger in strangers {
            links.twin(peer(stranger), Twin::Met);
        }
        assert_eq!(links.table().peers.len(), MAX_GONE + 1);
        assert!(links.status().iter().any(|it| it.peer == dialled));
        assert!(links.status().len() <= MAX_GONE + 1);
    }
}
