//! What this node thinks of its peers, and what follows from it: reputation, on the node's clock, in its store, at its door.
//!
//! - What sessions and roles see of a peer is noted ([`Peers::note`]). Violations are translated here ([`seen`]); what is this
//!   node's own fault is no event at all.
//! - A connected peer has a [`Presence`]: its standing, live. A change of tier concerns its open sessions with the next frame, a ban
//!   ends its connection.
//! - Each session that a peer opens is counted and metered ([`Peers::session`]). The node's own sessions with itself, and those of its command
//!   line and administrators, are neither.
//! - Who wants to connect is decided on at the [`door`].
//! - Records are kept in the store every [`KEEP_EVERY`], and bans at once.
//!
//! Refused: what [`shardwire_reputation`] says. Bounds: its, and those of the [`door`].

mod door;
mod seen;

pub(crate) use door::{Knock, Place};
pub(crate) use seen::seen;

use crate::{
    config::Config,
    roles::Host,
    store::{Store, StoreError, records::PEERS},
};
use door::Door;
use shardwire_model::{Clock, Coded as _, PeerId};
use shardwire_reputation::{
    Book, Change, Debt, Event, Gate, Listing, MAX_RECORDS, Permit, Policy, Quotas, Reason, Standing, Tier, admission,
};
use shardwire_transport::Meter;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

/// How often what time has changed is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often records are kept: a crash forgets at most so much of who did what; bans are kept at once.
const KEEP_EVERY: Duration = Duration::from_secs(10);
/// What a peer is told to wait that this node's operator denies: nobody comes back for a moment's sake.
const DENIED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// What a peer is told to wait for which there is no room.
const FULL_FOR: Duration = Duration::from_secs(10);

/// governor's clock: the runtime's, so that quotas run in simulated time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticks(Instant);

impl governor::clock::Clock for Ticks {
    type Instant = Duration;
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// What this node thinks of its peers.
#[derive(Debug)]
pub(crate) struct Peers {
    clock: Arc<dyn Clock>,
    book: Mutex<Book>,
    gate: Arc<Gate<Ticks>>,
    door: Door,
    /// The connected ones' standing, live, by how many connections they have.
    present: Mutex<BTreeMap<PeerId, (watch::Sender<Standing>, usize)>>,
    /// Neither counted nor metered: this node itself and those who may control it.
    own: BTreeSet<PeerId>,
    /// A record is to be kept at once.
    urgent: Notify,
}

/// That a peer is connected.
#[derive(Debug)]
pub(crate) struct Presence {
    peers: Arc<Peers>,
    peer: PeerId,
    standing: watch::Receiver<Standing>,
}

impl Peers {
    /// With what the store remembers.
    ///
    /// # Errors
    /// If the store can't be read.
    pub(crate) fn recall(
        config: &Config,
        own: PeerId,
        clock: Arc<dyn Clock>,
        store: &Store,
    ) -> Result<Self, StoreError> {
        let now = clock.now();
        let mut book = Book::new(Policy::default(), MAX_RECORDS);
        for (peer, record) in store.all(&PEERS)? {
            book.restore(peer, record, now);
        }
        let own: BTreeSet<PeerId> = config.admins.iter().copied().chain([own]).collect();
        let configured = config.peers.iter().map(|peer| (peer.id, Listing::Configured));
        book.list(configured.chain(own.iter().map(|peer| (*peer, Listing::Allowed))).collect(), now);
        // The node's command line comes from this machine.
        let here = [config.listen.ip(), Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let hosts = config.peers.iter().filter_map(|peer| Some(peer.addr?.ip())).chain(here);
        Ok(Self {
            clock,
            book: Mutex::new(book),
            gate: Arc::new(Gate::new(&Quotas::default(), Ticks(Instant::now()))),
            door: Door::new(admission::Limits::default(), hosts),
            present: Mutex::default(),
            own,
            urgent: Notify::new(),
        })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a peer did.
    pub(crate) fn note(&self, peer: PeerId, event: &Event) {
        let change = self.book().note(peer, event, self.clock.now());
        change.into_iter().for_each(|change| self.tell(&change));
    }

    /// Tells of a change, and makes it felt.
    fn tell(&self, change: &Change) {
        let Change { peer, from, to, reason } = change;
        let cause = reason.to_string();
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
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((standing, _)) = present.get(peer) {
            standing.send_replace(*to);
        }
    }

    /// Somebody wants to connect; nothing has been paid for yet.
    pub(crate) fn knock(self: &Arc<Self>, address: IpAddr, validated: bool) -> Knock {
        self.door.knock(self, address, validated)
    }

    /// The handshake has shown who came.
    ///
    /// # Errors
    /// If it isn't admitted: how long it should stay away.
    pub(crate) fn enter(self: &Arc<Self>, peer: PeerId, place: &Place) -> Result<Presence, Duration> {
        let now = self.clock.now();
        let (standing, listing) = {
            let book = self.book();
            (book.standing(peer, now), book.listing(peer))
        };
        self.door.saw(place, standing);
        match admission::enter(standing, listing, place.reserved(), None) {
            Ok(_) => Ok(self.present(peer, standing)),
            Err(away) => {
                tracing::info!(peer = %peer.short(), "turned away: {away}");
                Err(match away {
                    admission::TurnedAway::Denied => DENIED_FOR,
                    admission::TurnedAway::Banned { until } => until.since(now),
                    admission::TurnedAway::Full | admission::TurnedAway::Overloaded => FULL_FOR,
                })
            }
        }
    }

    /// A peer that this node dialled. One that is banned is not dialled, nor is it kept if it was.
    ///
    /// # Errors
    /// If it isn't admitted: how long to stay away from it.
    pub(crate) fn dialled(self: &Arc<Self>, peer: PeerId) -> Result<Presence, Duration> {
        let now = self.clock.now();
        let standing = self.book().standing(peer, now);
        match standing {
            Standing::Admitted(_) => Ok(self.present(peer, standing)),
            Standing::Banned { until } => Err(until.since(now)),
            Standing::Denied => Err(DENIED_FOR),
        }
    }

    fn present(self: &Arc<Self>, peer: PeerId, standing: Standing) -> Presence {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let (sender, connections) = present.entry(peer).or_insert_with(|| (watch::Sender::new(standing), 0));
        *connections += 1;
        Presence { peers: self.clone(), peer, standing: sender.subscribe() }
    }

    /// Sees to what time changes, and keeps records, for as long as the node runs.
    pub(crate) async fn tend(host: Arc<Host>) {
        let mut kept = Instant::now();
        loop {
            let urgent = tokio::time::timeout(LOOK_EVERY, host.peers.urgent.notified()).await.is_ok();
            host.peers.look();
            if urgent || kept.elapsed() >= KEEP_EVERY {
                kept = Instant::now();
                host.peers.keep(&host.store);
            }
        }
    }

    /// Looks for what time has changed.
    fn look(&self) {
        let connected: Vec<PeerId> =
            self.present.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect();
        let changes = self.book().look_at(connected, self.clock.now());
        changes.iter().for_each(|change| self.tell(change));
        // A change while a peer came in may have been told before it was there to be told.
        let now = self.clock.now();
        for (peer, (told, _)) in &*self.present.lock().unwrap_or_else(PoisonError::into_inner) {
            let standing = self.book().standing(*peer, now);
            told.send_if_modified(|told| std::mem::replace(told, standing) != standing);
        }
        self.gate.tidy();
    }

    /// Keeps the records that changed.
    pub(crate) fn keep(&self, store: &Store) {
        let unkept = self.book().take_unkept();
        if unkept.is_empty() {
            return;
        }
        let kept = store.write(|write| {
            unkept.iter().try_for_each(|(peer, record)| match record {
                Some(record) => write.put(&PEERS, peer, record),
                None => write.remove(&PEERS, peer),
            })
        });
        if let Err(error) = kept {
            let error: StoreError = error;
            // What follows is kept again with the next change of each; the node goes on with what it has in memory.
            tracing::error!(code = error.code(), "what is known of peers can't be kept: {error}");
        }
    }
}

impl Presence {
    /// Waits until the peer is not admitted any more. Says how long it should stay away.
    pub(crate) async fn shut_out(&self) -> Duration {
        let mut standing = self.standing.clone();
        let shut = standing.wait_for(|standing| standing.tier().is_none()).await.map(|standing| *standing);
        match shut {
            Ok(Standing::Banned { until }) => until.since(self.peers.clock.now()),
            Ok(_) => DENIED_FOR,
            // Its sender lives as long as this does.
            Err(_) => std::future::pending().await,
        }
    }

    /// Takes up a session that the peer opens, and the meter that it is held to; none if it is one of the node's own.
    ///
    /// # Errors
    /// If it may open none now: how long it should wait.
    pub(crate) fn session(&self, protocol: &str) -> Result<Option<Arc<dyn Meter>>, Duration> {
        if self.peers.own.contains(&self.peer) {
            return Ok(None);
        }
        let Some(tier) = self.standing.borrow().tier() else { return Err(DENIED_FOR) };
        let permit = self.peers.gate.open(self.peer, tier, protocol).map_err(|refused| refused.0)?;
        Ok(Some(Arc::new(Held { permit, standing: self.standing.clone(), debt: Mutex::default() })))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut present = self.peers.present.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, connections)) = present.get_mut(&self.peer) {
            *connections -= 1;
            if *connections == 0 {
                present.remove(&self.peer);
            }
        }
    }
}

/// A session that is held to its peer's quota.
#[derive(Debug)]
struct Held {
    permit: Permit<Ticks>,
    standing: watch::Receiver<Standing>,
    debt: Mutex<Debt>,
}

impl Meter for Held {
    fn used(&self, frames: u32, bytes: u64) -> Duration {
        let tier = self.standing.borrow().tier().unwrap_or(Tier::Low);
        let mut debt = self.debt.lock().unwrap_or_else(PoisonError::into_inner);
        debt.frames = debt.frames.saturating_add(frames);
        debt.bytes = debt.bytes.saturating_add(bytes);
        self.permit.pay(tier, &mut debt).err().map_or(Duration::ZERO, |refused| refused.0)
    }
}

#[cfg(test)]
mod tests;
