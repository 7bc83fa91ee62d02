//! A connected peer: its current standing, and what its sessions may use.

use crate::{
    admission::ConnectionSlot,
    events::TurnedAway,
    peers::{DENIED_FOR, Peers},
    totals::count,
};
use shardwire_model::PeerId;
use shardwire_reputation::{
    Debt, Event, Permit, Standing, Tier,
    admission::{self, NotAdmitted},
};
use shardwire_transport::Meter;
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};
use tokio::sync::watch;

/// The wait for a peer while this node is overloaded or has no slot for it.
const BUSY_FOR: Duration = Duration::from_secs(5);
/// Bytes after which they are charged to a peer's record at the latest: those of one point of cost.
const ACCOUNT_EVERY: u64 = 16 << 20;

/// A connected peer. Dropped when its connection ends.
#[derive(Debug)]
pub struct Presence {
    pub(crate) peers: Arc<Peers>,
    pub(crate) peer: PeerId,
    pub(crate) address: IpAddr,
    pub(crate) standing: watch::Receiver<Standing>,
}

impl Peers {
    /// Decides after the handshake, when the peer is known.
    ///
    /// # Errors
    /// The time for which the peer should stay away, as a [`Duration`], if it isn't admitted.
    pub fn after_handshake(self: &Arc<Self>, peer: PeerId, slot: &ConnectionSlot) -> Result<Presence, Duration> {
        let now = self.clock.now();
        let (standing, listing) = {
            let records = self.records();
            (records.standing(peer, now), records.listing(peer))
        };
        self.admission.saw(slot.address(), standing);
        // The node's own command line is its owner's.
        let open = if self.is_own(peer) { 0 } else { self.connections(peer) };
        let limits = self.admission.limits();
        match admission::after_handshake(standing, listing, slot.reserved(), open, limits, self.load.refused()) {
            Ok(_) => Ok(self.present(peer, standing, slot.address())),
            Err(away) => {
                self.events.emit(TurnedAway { peer, why: away });
                self.admission.turned_away();
                let wait = match away {
                    NotAdmitted::Denied | NotAdmitted::Banned { .. } => self.stay_away(standing),
                    NotAdmitted::Full | NotAdmitted::Overloaded | NotAdmitted::TooMany { .. } => BUSY_FOR,
                };
                if standing.tier().is_none() {
                    self.admission.shut(slot.address(), wait);
                }
                Err(wait)
            }
        }
    }

    /// Notes a peer that this node dialled. A banned peer is not dialled, and not kept if it was.
    ///
    /// # Errors
    /// The time for which to stay away from the peer, as a [`Duration`], if it isn't admitted.
    pub fn dialled(self: &Arc<Self>, peer: PeerId, address: IpAddr) -> Result<Presence, Duration> {
        let standing = self.standing(peer);
        match standing {
            Standing::Admitted(_) => Ok(self.present(peer, standing, address)),
            _ => Err(self.stay_away(standing)),
        }
    }

    fn present(self: &Arc<Self>, peer: PeerId, standing: Standing, address: IpAddr) -> Presence {
        Presence { standing: self.arrives(peer, standing, address), peers: self.clone(), peer, address }
    }
}

impl Presence {
    /// The peer's id.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// The peer's current standing.
    #[must_use]
    pub fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    /// Waits until the peer is no longer admitted. Returns how long it should stay away.
    pub async fn shut_out(&self) -> Duration {
        let mut standing = self.standing.clone();
        let shut = standing.wait_for(|standing| standing.tier().is_none()).await.map(|standing| *standing);
        match shut {
            Ok(standing) => self.peers.stay_away(standing),
            // The sender lives as long as this.
            Err(_) => std::future::pending().await,
        }
    }

    /// Counts a session that the peer opens, and returns its meter; `None` if the peer is one of the node's own.
    ///
    /// # Errors
    /// The time for which the peer should wait, as a [`Duration`], if it may open no session now.
    pub fn session(&self, protocol: &str) -> Result<Option<Arc<dyn Meter>>, Duration> {
        if self.peers.is_own(self.peer) {
            return Ok(None);
        }
        let Some(tier) = self.standing().tier() else { return Err(DENIED_FOR) };
        let counts = self.peers.totals.of(tier);
        if self.peers.is_shed(self.peer, tier) {
            count(&counts.refused);
            return Err(BUSY_FOR);
        }
        let permit = self.peers.limiter.open(self.peer, tier, protocol).map_err(|refused| {
            count(&counts.refused);
            refused.0
        })?;
        count(&counts.sessions);
        let (peers, peer, standing) = (self.peers.clone(), self.peer, self.standing.clone());
        Ok(Some(Arc::new(MeteredSession { peers, peer, permit, standing, account: Mutex::default() })))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.peers.leaves(self.peer, self.address);
    }
}

/// Use that isn't paid for yet, and bytes that aren't charged to the peer's record yet.
#[derive(Debug, Default)]
struct Account {
    debt: Debt,
    spent: u64,
}

/// A session that is metered by its peer's quota.
#[derive(Debug)]
struct MeteredSession {
    peers: Arc<Peers>,
    peer: PeerId,
    permit: Permit<crate::Ticks>,
    standing: watch::Receiver<Standing>,
    account: Mutex<Account>,
}

impl MeteredSession {
    fn put_on_account(&self, bytes: u64) {
        if bytes > 0 {
            self.peers.note(self.peer, &Event::Spent { bytes, cpu: Duration::ZERO });
        }
    }
}

impl Meter for MeteredSession {
    fn used(&self, frames: u32, bytes: u64) -> Duration {
        let tier = self.standing.borrow().tier().unwrap_or(Tier::Low);
        let counts = self.peers.totals.of(tier);
        counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        account.debt.frames = account.debt.frames.saturating_add(frames);
        account.debt.bytes = account.debt.bytes.saturating_add(bytes);
        account.spent = account.spent.saturating_add(bytes);
        let wait = self.permit.pay(tier, &mut account.debt).err().map_or(Duration::ZERO, |refused| refused.0);
        let due = if account.spent >= ACCOUNT_EVERY { std::mem::take(&mut account.spent) } else { 0 };
        drop(account);
        self.put_on_account(due);
        if !wait.is_zero() {
            count(&counts.waits);
        }
        wait
    }
}

impl Drop for MeteredSession {
    fn drop(&mut self) {
        let account = self.account.get_mut().unwrap_or_else(PoisonError::into_inner);
        let due = std::mem::take(&mut account.spent);
        self.put_on_account(due);
    }
}
