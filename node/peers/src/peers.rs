//! Everything that a node knows of its peers' standing, in one place.

use crate::{
    Ticks,
    admission::{ConnectionAdmission, Decision},
    events::{self, LoadNormal, Overloaded, StandingChanged},
    load::{self, Load},
    rules::{ConfiguredPeers, Listings, Rules},
    totals::{Figures, Totals},
};
use shardwire_model::{Clock, PeerId, Timestamp};
use shardwire_reputation::{
    Ban, Change, Components, Event, Listing, MAX_RECORDS, Quota, QuotaLimiter, Quotas, Reason, Record, Records,
    Standing, Tier,
};
use shardwire_telemetry::{Events, Telemetry};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

/// How often changes that come with time are looked for: the longest until one takes effect.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often changed records are handed out to be stored. A crash loses at most this much of them; bans are handed
/// out at once.
const STORE_EVERY: Duration = Duration::from_secs(10);
/// The most changes of standing that are kept to be shown. The log has all.
pub const MAX_CHANGES: usize = 256;

/// The wait for a peer that the operator denies: it need not come back soon.
pub(crate) const DENIED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// A change of standing, with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedChange {
    /// The node's clock when it changed.
    pub at: Timestamp,
    /// The change.
    pub change: Change,
}

/// What a node knows of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The peer.
    pub peer: PeerId,
    /// Its standing.
    pub standing: Standing,
    /// Its listing, if any.
    pub listing: Option<Listing>,
    /// Its score's components.
    pub components: Components,
    /// Its score.
    pub score: u32,
    /// Its last ban.
    pub ban: Option<Ban>,
    /// The addresses from which it is connected, one for each connection.
    pub connected: Vec<IpAddr>,
}

#[derive(Debug)]
struct Present {
    standing: watch::Sender<Standing>,
    from: Vec<IpAddr>,
}

/// The standing, connections and quotas of a node's peers.
#[derive(Debug)]
pub struct Peers {
    pub(crate) clock: Arc<dyn Clock>,
    records: Mutex<Records>,
    listings: Mutex<Listings>,
    quotas: Quotas,
    pub(crate) limiter: Arc<QuotaLimiter<Ticks>>,
    pub(crate) admission: Arc<ConnectionAdmission>,
    pub(crate) load: Load,
    pub(crate) totals: Totals,
    pub(crate) events: Events<events::Room>,
    /// The connected peers, with their standing as it changes.
    present: Mutex<BTreeMap<PeerId, Present>>,
    changes: Mutex<VecDeque<RecordedChange>>,
    /// Wakes [`maintain`](Self::maintain): a record has to be stored at once.
    urgent: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Peers {
    /// Peers under rules that are [valid](Rules::validate), with the stored records and listings. `telemetry` gets
    /// their events; their numbers, once they are [registered](Self::register).
    #[must_use]
    pub fn new(
        rules: &Rules,
        configured: ConfiguredPeers,
        stored: impl IntoIterator<Item = (PeerId, Record)>,
        run_time: BTreeMap<PeerId, Listing>,
        clock: Arc<dyn Clock>,
        telemetry: &Telemetry,
    ) -> Arc<Self> {
        let now = clock.now();
        let mut records = Records::new(rules.policy, MAX_RECORDS);
        for (peer, record) in stored {
            records.restore(peer, record, now);
        }
        let ticks = Ticks::begin();
        let peers = Arc::new(Self {
            clock,
            records: Mutex::new(records),
            listings: Mutex::default(),
            quotas: rules.quotas.clone(),
            limiter: Arc::new(QuotaLimiter::new(&rules.quotas, ticks)),
            admission: Arc::new(ConnectionAdmission::new(rules.limits, ticks)),
            load: Load::new(rules.watermarks),
            totals: Totals::default(),
            events: telemetry.events(),
            present: Mutex::default(),
            changes: Mutex::default(),
            urgent: Notify::new(),
        });
        lock(&peers.listings).run_time = run_time;
        peers.configure(configured);
        peers
    }

    pub(crate) fn records(&self) -> MutexGuard<'_, Records> {
        lock(&self.records)
    }

    /// Replaces the peers that the configuration names. Takes effect at once.
    pub fn configure(&self, configured: ConfiguredPeers) {
        self.list(|listings| listings.configure(configured));
        self.reserve();
    }

    /// Notes what the name of a configured peer's host stands for now: it comes from there, and has a reserved slot.
    pub fn found(&self, peer: PeerId, at: impl IntoIterator<Item = IpAddr>) {
        lock(&self.listings).found(peer, at);
        self.reserve();
    }

    fn reserve(&self) {
        let hosts = lock(&self.listings).hosts();
        self.admission.configure(hosts.into_iter());
    }

    /// Sets or removes the operator's listing of a peer. Takes effect at once; the caller stores it.
    pub fn set_listing(&self, peer: PeerId, listing: Option<Listing>) {
        self.list(|listings| {
            match listing {
                Some(listing) => listings.run_time.insert(peer, listing),
                None => listings.run_time.remove(&peer),
            };
        });
    }

    /// The operator's listing of a peer, as set at run time.
    #[must_use]
    pub fn run_time_listing(&self, peer: PeerId) -> Option<Listing> {
        lock(&self.listings).run_time.get(&peer).copied()
    }

    fn list(&self, change: impl FnOnce(&mut Listings)) {
        let listed = {
            let mut listings = lock(&self.listings);
            change(&mut listings);
            listings.listed()
        };
        let changes = self.records().list(listed, self.clock.now());
        changes.iter().for_each(|change| self.apply(change));
    }

    /// Whether the configuration names peers to work with.
    #[must_use]
    pub fn names_any(&self) -> bool {
        !lock(&self.listings).configured.configured.is_empty()
    }

    /// Whether the peer is the node itself or one of its administrators.
    #[must_use]
    pub fn is_own(&self, peer: PeerId) -> bool {
        lock(&self.listings).configured.own.contains(&peer)
    }

    /// Notes what a peer did.
    pub fn note(&self, peer: PeerId, event: &Event) {
        let change = self.records().note(peer, event, self.clock.now());
        change.into_iter().for_each(|change| self.apply(&change));
    }

    /// Bans a peer for this time.
    pub fn ban(&self, peer: PeerId, length: Duration) {
        let now = self.clock.now();
        let change = self.records().ban(peer, now.plus(length), now);
        change.into_iter().for_each(|change| self.apply(&change));
        self.urgent.notify_one();
    }

    /// Ends a peer's ban and forgives what led to it.
    pub fn unban(&self, peer: PeerId) {
        let change = self.records().unban(peer, self.clock.now());
        change.into_iter().for_each(|change| self.apply(&change));
        self.urgent.notify_one();
    }

    /// Logs a change of standing and makes it take effect.
    fn apply(&self, change: &Change) {
        let Change { peer, from, to, reason } = change;
        let by_time = matches!(reason, Reason::Time);
        let cause = reason.to_string();
        self.events.emit(StandingChanged { peer: *peer, from: *from, to: *to, cause, by_time });
        if to.tier().is_none() {
            self.urgent.notify_one();
        }
        {
            let mut changes = lock(&self.changes);
            if changes.len() == MAX_CHANGES {
                changes.pop_front();
            }
            changes.push_back(RecordedChange { at: self.clock.now(), change: change.clone() });
        }
        let mut from = Vec::new();
        if let Some(present) = lock(&self.present).get(peer) {
            present.standing.send_replace(*to);
            from.clone_from(&present.from);
        }
        if to.tier().is_none() {
            let wait = self.stay_away(*to);
            from.into_iter().for_each(|address| self.admission.shut(address, wait));
        }
    }

    /// How long a peer of this standing should stay away.
    pub(crate) fn stay_away(&self, standing: Standing) -> Duration {
        match standing {
            Standing::Banned { until } => until.since(self.clock.now()),
            Standing::Denied => DENIED_FOR,
            Standing::Admitted(_) => Duration::ZERO,
        }
    }

    /// Whether a datagram from this address that would begin a connection is looked at. Called for each.
    #[must_use]
    pub fn hears(&self, address: IpAddr) -> bool {
        self.admission.hears(address)
    }

    /// Decides about a peer that wants to connect, before its handshake.
    pub fn before_handshake(&self, address: IpAddr, validated: bool) -> Decision {
        self.admission.before_handshake(address, validated, self.load.refused())
    }

    /// Counts one more connection of a peer, and returns its standing as it changes.
    pub(crate) fn arrives(&self, peer: PeerId, standing: Standing, address: IpAddr) -> watch::Receiver<Standing> {
        let mut present = lock(&self.present);
        let here =
            present.entry(peer).or_insert_with(|| Present { standing: watch::Sender::new(standing), from: Vec::new() });
        here.from.push(address);
        here.standing.subscribe()
    }

    /// How many connections a peer has.
    pub(crate) fn connections(&self, peer: PeerId) -> usize {
        lock(&self.present).get(&peer).map_or(0, |here| here.from.len())
    }

    /// An address that a peer is connected from.
    #[must_use]
    pub fn address(&self, peer: PeerId) -> Option<IpAddr> {
        lock(&self.present).get(&peer).and_then(|here| here.from.first().copied())
    }

    /// Counts one connection of a peer less.
    pub(crate) fn leaves(&self, peer: PeerId, from: IpAddr) {
        let mut present = lock(&self.present);
        if let Some(here) = present.get_mut(&peer) {
            if let Some(at) = here.from.iter().position(|address| *address == from) {
                here.from.swap_remove(at);
            }
            if here.from.is_empty() {
                present.remove(&peer);
            }
        }
    }

    /// Applies changes that come with time and watches the load, for as long as it is polled. Gives `store` the
    /// records to store; `memory_bytes` returns the memory in use.
    pub async fn maintain<S: Future<Output = ()>>(
        &self,
        store: impl Fn(Vec<(PeerId, Option<Record>)>) -> S,
        memory_bytes: impl Fn() -> u64,
    ) {
        let (mut looked, mut stored) = (Instant::now(), Instant::now());
        // A disk that is slow holds up nothing else, and no two stores are under way at once.
        let mut storing = None;
        loop {
            let urgent = tokio::select! { biased;
                () = async { if let Some(storing) = &mut storing { storing.await } }, if storing.is_some() => {
                    storing = None;
                    continue;
                }
                () = self.urgent.notified(), if storing.is_none() => true,
                late = load::tick() => {
                    if let Some(refused) = self.load.look(late, memory_bytes()) {
                        self.tell_load(refused);
                    }
                    false
                }
            };
            if looked.elapsed() >= LOOK_EVERY {
                looked = Instant::now();
                self.look();
            }
            if storing.is_none() && (urgent || stored.elapsed() >= STORE_EVERY) {
                stored = Instant::now();
                let changed = self.take_changed();
                storing = (!changed.is_empty()).then(|| Box::pin(store(changed)));
            }
        }
    }

    fn tell_load(&self, refused: Option<Tier>) {
        let (gauges, _) = self.load.gauges();
        let (waiting, late, memory) = (gauges.queue_depth, gauges.loop_delay, gauges.memory_bytes);
        match refused {
            Some(tier) => self.events.emit(Overloaded { tier, waiting, late, memory }),
            None => self.events.emit(LoadNormal { waiting, late, memory }),
        }
    }

    /// Applies changes of standing that come with time.
    fn look(&self) {
        let connected: Vec<PeerId> = lock(&self.present).keys().copied().collect();
        let changes = self.records().look_at(connected, self.clock.now());
        changes.iter().for_each(|change| self.apply(change));
        // A change during a peer's handshake may have been reported before the peer was here to receive it.
        let now = self.clock.now();
        for (peer, here) in &*lock(&self.present) {
            let standing = self.records().standing(*peer, now);
            here.standing.send_if_modified(|recorded| std::mem::replace(recorded, standing) != standing);
        }
        self.limiter.tidy();
        self.admission.tidy();
    }

    /// The records that changed since the last call, to be stored; `None` for a peer that is forgotten.
    #[must_use]
    pub fn take_changed(&self) -> Vec<(PeerId, Option<Record>)> {
        self.records().take_changed()
    }

    /// The standing of a peer.
    #[must_use]
    pub fn standing(&self, peer: PeerId) -> Standing {
        self.records().standing(peer, self.clock.now())
    }

    /// Whether work of a peer in this tier is refused now because of load. A configured or allowed peer's never is.
    #[must_use]
    pub fn is_shed(&self, peer: PeerId, tier: Tier) -> bool {
        self.load.refused().is_some_and(|shed| {
            let listing = self.records().listing(peer);
            let listed = matches!(listing, Some(Listing::Configured | Listing::Allowed));
            tier <= shed && !listed
        })
    }

    /// What a peer may use in a protocol now; `None` if it isn't admitted.
    #[must_use]
    pub fn quota(&self, peer: PeerId, protocol: &str) -> Option<Quota> {
        self.standing(peer).tier().map(|tier| *self.quotas.of(tier, protocol))
    }

    /// All quotas.
    #[must_use]
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// The node's load.
    #[must_use]
    pub fn load(&self) -> &Load {
        &self.load
    }

    /// The counts so far, and how many peers are connected.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let mut figures = self.totals.figures(self.admission.did());
        for here in lock(&self.present).values() {
            if let Some(tier) = here.standing.borrow().tier() {
                figures.tier_mut(tier).connected += 1;
            }
        }
        figures
    }

    /// The connections in ordinary slots and in reserved ones.
    #[must_use]
    pub fn open(&self) -> (usize, usize) {
        self.admission.open()
    }

    /// What the node knows of a peer.
    #[must_use]
    pub fn view(&self, peer: PeerId) -> View {
        let connected = lock(&self.present).get(&peer).map(|here| here.from.clone()).unwrap_or_default();
        let (records, now) = (self.records(), self.clock.now());
        View {
            peer,
            standing: records.standing(peer, now),
            listing: records.listing(peer),
            components: records.components(peer, now),
            score: records.score(peer, now),
            ban: records.record(peer).ban(),
            connected,
        }
    }

    /// Up to `most` peers that are connected, have a record or are listed, in the order of their ids, from the one
    /// after `after` on.
    #[must_use]
    pub fn after(&self, after: Option<PeerId>, most: usize) -> Vec<PeerId> {
        let present: Vec<PeerId> = lock(&self.present).keys().copied().collect();
        let known: BTreeSet<PeerId> = self.records().peers().chain(present).collect();
        known.into_iter().filter(|peer| after.is_none_or(|after| *peer > after)).take(most).collect()
    }

    /// The remembered changes of a peer's standing, the oldest first.
    #[must_use]
    pub fn changes(&self, peer: PeerId) -> Vec<RecordedChange> {
        lock(&self.changes).iter().filter(|recorded| recorded.change.peer == peer).cloned().collect()
    }
}
