//! What a node thinks of its peers, held in one place.

use crate::{
    Ticks,
    door::{Door, Knock, Place},
    load::{self, Load},
    named::{Named, Rules, Words},
    presence::{BUSY_FOR, DENIED_FOR, Presence},
    totals::{Figures, Totals},
};
use shardwire_model::{Clock, Coded as _, PeerId, Timestamp};
use shardwire_reputation::{
    Ban, Book, Change, Components, Event, Gate, Listing, MAX_RECORDS, Quota, Quotas, Reason, Record, Standing, Tier,
    admission::{self, TurnedAway},
};
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

/// How often what time has changed is looked for: the longest until a change takes effect.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often records are handed out to be kept: a crash forgets at most so much of who did what; bans are handed out at once.
const KEEP_EVERY: Duration = Duration::from_secs(10);
/// Most changes of standing that are remembered to be shown. The log has all.
pub const MAX_CHANGES: usize = 256;

/// A change of standing that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// What.
    pub change: Change,
}

/// What a node thinks of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Who.
    pub peer: PeerId,
    /// How it stands.
    pub standing: Standing,
    /// The word on it.
    pub listing: Option<Listing>,
    /// Its score's components.
    pub components: Components,
    /// Its score.
    pub score: u32,
    /// Its last ban.
    pub ban: Option<Ban>,
    /// From where it is connected.
    pub connected: Vec<IpAddr>,
}

#[derive(Debug)]
struct Present {
    standing: watch::Sender<Standing>,
    from: Vec<IpAddr>,
}

/// What this node thinks of its peers.
#[derive(Debug)]
pub struct Peers {
    clock: Arc<dyn Clock>,
    book: Mutex<Book>,
    words: Mutex<Words>,
    quotas: Quotas,
    pub(crate) gate: Arc<Gate<Ticks>>,
    pub(crate) door: Door,
    pub(crate) load: Load,
    pub(crate) totals: Totals,
    /// The connected ones' standing, live.
    present: Mutex<BTreeMap<PeerId, Present>>,
    changes: Mutex<VecDeque<Told>>,
    /// A record is to be kept at once.
    urgent: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Peers {
    /// By rules that are [valid](Rules::validate), with the records and words that were kept.
    #[must_use]
    pub fn new(
        rules: &Rules,
        named: Named,
        records: impl IntoIterator<Item = (PeerId, Record)>,
        said: BTreeMap<PeerId, Listing>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let now = clock.now();
        let mut book = Book::new(rules.policy, MAX_RECORDS);
        for (peer, record) in records {
            book.restore(peer, record, now);
        }
        let ticks = Ticks::begin();
        let peers = Self {
            clock,
            book: Mutex::new(book),
            words: Mutex::default(),
            quotas: rules.quotas.clone(),
            gate: Arc::new(Gate::new(&rules.quotas, ticks)),
            door: Door::new(rules.limits, ticks),
            load: Load::new(rules.watermarks),
            totals: Totals::default(),
            present: Mutex::default(),
            changes: Mutex::default(),
            urgent: Notify::new(),
        };
        lock(&peers.words).said = said;
        peers.name(named);
        peers
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }

    /// Replaces whom the configuration names; what changes by it holds at once.
    pub fn name(&self, named: Named) {
        let hosts = named.configured.values().flatten().chain(&named.hosts).copied();
        self.door.configure(hosts.collect::<Vec<_>>().into_iter());
        self.list(|words| words.named = named);
    }

    /// Takes or withdraws the operator's word on a peer; it holds at once. It is the caller's to keep it.
    pub fn say(&self, peer: PeerId, word: Option<Listing>) {
        self.list(|words| {
            match word {
                Some(word) => words.said.insert(peer, word),
                None => words.said.remove(&peer),
            };
        });
    }

    /// The operator's word on a peer, as given at run time.
    #[must_use]
    pub fn said(&self, peer: PeerId) -> Option<Listing> {
        lock(&self.words).said.get(&peer).copied()
    }

    fn list(&self, change: impl FnOnce(&mut Words)) {
        let listed = {
            let mut words = lock(&self.words);
            change(&mut words);
            words.listed()
        };
        let changes = self.book().list(listed, self.clock.now());
        changes.iter().for_each(|change| self.tell(change));
    }

    /// Whether it is the node itself or who may control it.
    #[must_use]
    pub fn is_own(&self, peer: PeerId) -> bool {
        lock(&self.words).named.own.contains(&peer)
    }

    /// Notes what a peer did.
    pub fn note(&self, peer: PeerId, event: &Event) {
        let change = self.book().note(peer, event, self.clock.now());
        change.into_iter().for_each(|change| self.tell(&change));
    }

    /// Shuts a peer out for so long.
    pub fn ban(&self, peer: PeerId, length: Duration) {
        let now = self.clock.now();
        let change = self.book().ban(peer, now.plus(length), now);
        change.into_iter().for_each(|change| self.tell(&change));
        self.urgent.notify_one();
    }

    /// Ends a peer's ban and forgives what led to it.
    pub fn unban(&self, peer: PeerId) {
        let change = self.book().unban(peer, self.clock.now());
        change.into_iter().for_each(|change| self.tell(&change));
        self.urgent.notify_one();
    }

    /// Tells of a change, and makes it felt.
    fn tell(&self, change: &Change) {
        let Change { peer, from, to, reason } = change;
        let cause = reason.to_string();
        self.totals.changed(*from, *to);
        match (to, reason) {
            (Standing::Banned { .. } | Standing::Denied, _) => {
                tracing::warn!(peer = %peer.short(), %from, %to, cause, "standing");
                self.urgent.notify_one();
            }
            (Standing::Admitted(_), Reason::Time) => {
                tracing::debug!(peer = %peer.short(), %from, %to, cause, "standing");
            }
            (Standing::Admitted(_), _) => tracing::info!(peer = %peer.short(), %from, %to, cause, "standing"),
        }
        {
            let mut changes = lock(&self.changes);
            if changes.len() == MAX_CHANGES {
                changes.pop_front();
            }
            changes.push_back(Told { at: self.clock.now(), change: change.clone() });
        }
        let mut from = Vec::new();
        if let Some(present) = lock(&self.present).get(peer) {
            present.standing.send_replace(*to);
            from.clone_from(&present.from);
        }
        if to.tier().is_none() {
            let wait = self.stay_away(*to);
            from.into_iter().for_each(|address| self.door.shut(address, wait));
        }
    }

    /// How long a peer that stands so should stay away.
    pub(crate) fn stay_away(&self, standing: Standing) -> Duration {
        match standing {
            Standing::Banned { until } => until.since(self.clock.now()),
            Standing::Denied => DENIED_FOR,
            Standing::Admitted(_) => Duration::ZERO,
        }
    }

    /// Somebody wants to connect; nothing has been paid for yet.
    pub fn knock(self: &Arc<Self>, address: IpAddr, validated: bool) -> Knock {
        self.door.knock(self, address, validated, self.load.refused())
    }

    /// The handshake has shown who came.
    ///
    /// # Errors
    /// If it isn't admitted: how long it should stay away.
    pub fn enter(self: &Arc<Self>, peer: PeerId, place: &Place) -> Result<Presence, Duration> {
        let now = self.clock.now();
        let (standing, listing) = {
            let book = self.book();
            (book.standing(peer, now), book.listing(peer))
        };
        self.door.saw(place.address(), standing);
        match admission::enter(standing, listing, place.reserved(), self.load.refused()) {
            Ok(_) => Ok(self.present(peer, standing, place.address())),
            Err(away) => {
                tracing::debug!(peer = %peer.short(), code = away.code(), "turned away: {away}");
                self.door.turned_away();
                let wait = match away {
                    TurnedAway::Denied | TurnedAway::Banned { .. } => self.stay_away(standing),
                    TurnedAway::Full | TurnedAway::Overloaded => BUSY_FOR,
                };
                if standing.tier().is_none() {
                    self.door.shut(place.address(), wait);
                }
                Err(wait)
            }
        }
    }

    /// A peer that this node dialled. One that is banned is not dialled, nor is it kept if it was.
    ///
    /// # Errors
    /// If it isn't admitted: how long to stay away from it.
    pub fn dialled(self: &Arc<Self>, peer: PeerId, address: IpAddr) -> Result<Presence, Duration> {
        let standing = self.standing(peer);
        match standing {
            Standing::Admitted(_) => Ok(self.present(peer, standing, address)),
            _ => Err(self.stay_away(standing)),
        }
    }

    fn present(self: &Arc<Self>, peer: PeerId, standing: Standing, address: IpAddr) -> Presence {
        let mut present = lock(&self.present);
        let here =
            present.entry(peer).or_insert_with(|| Present { standing: watch::Sender::new(standing), from: Vec::new() });
        here.from.push(address);
        Presence { peers: self.clone(), peer, address, standing: here.standing.subscribe() }
    }

    pub(crate) fn leaves(&self, presence: &Presence) {
        let mut present = lock(&self.present);
        if let Some(here) = present.get_mut(&presence.peer) {
            if let Some(at) = here.from.iter().position(|address| *address == presence.address) {
                here.from.swap_remove(at);
            }
            if here.from.is_empty() {
                present.remove(&presence.peer);
            }
        }
    }

    /// Sees to what time changes and to load, for as long as it is polled. Records to be kept are given to `keep`, `memory_bytes` says
    /// how much is in use.
    pub async fn tend(&self, keep: impl Fn(Vec<(PeerId, Option<Record>)>), memory_bytes: impl Fn() -> u64) {
        let (mut looked, mut kept) = (Instant::now(), Instant::now());
        loop {
            let urgent = tokio::select! { biased;
                () = self.urgent.notified() => true,
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
            if urgent || kept.elapsed() >= KEEP_EVERY {
                kept = Instant::now();
                let unkept = self.take_unkept();
                if !unkept.is_empty() {
                    keep(unkept);
                }
            }
        }
    }

    fn tell_load(&self, refused: Option<Tier>) {
        let (gauges, _) = self.load.gauges();
        let (waiting, late, memory) = (gauges.queue_depth, gauges.loop_delay, gauges.memory_bytes);
        match refused {
            Some(tier) => tracing::warn!(waiting, ?late, memory, "overloaded: peers up to tier {tier} are refused"),
            None => tracing::info!(waiting, ?late, memory, "load is back to normal: nobody is refused for it"),
        }
    }

    /// Looks for what time has changed.
    fn look(&self) {
        let connected: Vec<PeerId> = lock(&self.present).keys().copied().collect();
        let changes = self.book().look_at(connected, self.clock.now());
        changes.iter().for_each(|change| self.tell(change));
        // A change while a peer came in may have been told before it was there to be told.
        let now = self.clock.now();
        for (peer, here) in &*lock(&self.present) {
            let standing = self.book().standing(*peer, now);
            here.standing.send_if_modified(|told| std::mem::replace(told, standing) != standing);
        }
        self.gate.tidy();
        self.door.tidy();
    }

    /// The records that changed since the last call; none for a peer that is forgotten. Each is to be kept.
    #[must_use]
    pub fn take_unkept(&self) -> Vec<(PeerId, Option<Record>)> {
        self.book().take_unkept()
    }

    /// How a peer stands.
    #[must_use]
    pub fn standing(&self, peer: PeerId) -> Standing {
        self.book().standing(peer, self.clock.now())
    }

    /// Whether work of a peer in this tier is refused now because of load. That of peers the operator names never is, but at the last.
    #[must_use]
    pub fn is_shed(&self, peer: PeerId, tier: Tier) -> bool {
        self.load.refused().is_some_and(|shed| {
            let listing = self.book().listing(peer);
            let listed = matches!(listing, Some(Listing::Configured | Listing::Allowed));
            tier <= shed && !listed
        })
    }

    /// What a peer may use in a protocol now; none if it isn't admitted.
    #[must_use]
    pub fn quota(&self, peer: PeerId, protocol: &str) -> Option<Quota> {
        self.standing(peer).tier().map(|tier| *self.quotas.of(tier, protocol))
    }

    /// All quotas.
    #[must_use]
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// How loaded the node is.
    #[must_use]
    pub fn load(&self) -> &Load {
        &self.load
    }

    /// What was done so far, and how many are connected.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let mut figures = self.totals.figures(self.door.did());
        for here in lock(&self.present).values() {
            if let Some(tier) = here.standing.borrow().tier() {
                figures.tier_mut(tier).connected += 1;
            }
        }
        figures
    }

    /// How often a standing changed since the node began: from, to, and how often, if ever.
    #[must_use]
    pub fn counted_changes(&self) -> Vec<(&'static str, &'static str, u64)> {
        self.totals.changes()
    }

    /// Connections in ordinary places and in reserved ones.
    #[must_use]
    pub fn open(&self) -> (usize, usize) {
        self.door.open()
    }

    /// What is thought of a peer.
    #[must_use]
    pub fn view(&self, peer: PeerId) -> View {
        let connected = lock(&self.present).get(&peer).map(|here| here.from.clone()).unwrap_or_default();
        let (book, now) = (self.book(), self.clock.now());
        View {
            peer,
            standing: book.standing(peer, now),
            listing: book.listing(peer),
            components: book.components(peer, now),
            score: book.score(peer, now),
            ban: book.record(peer).ban(),
            connected,
        }
    }

    /// Everybody who is connected, has a record or is named: the next ones after this one, in the order of their ids.
    #[must_use]
    pub fn after(&self, after: Option<PeerId>, most: usize) -> Vec<PeerId> {
        let present: Vec<PeerId> = lock(&self.present).keys().copied().collect();
        let known: BTreeSet<PeerId> = self.book().peers().chain(present).collect();
        known.into_iter().filter(|peer| after.is_none_or(|after| *peer > after)).take(most).collect()
    }

    /// The changes of a peer's standing that are remembered, the oldest first.
    #[must_use]
    pub fn changes(&self, peer: PeerId) -> Vec<Told> {
        lock(&self.changes).iter().filter(|told| told.change.peer == peer).cloned().collect()
    }
}
