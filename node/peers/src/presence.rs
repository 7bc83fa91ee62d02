//! A connected peer: its standing, live, and what its sessions may use.

use crate::{peers::Peers, totals::count};
use shardwire_model::PeerId;
use shardwire_reputation::{Debt, Event, Permit, Standing, Tier};
use shardwire_transport::Meter;
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};
use tokio::sync::watch;

/// What a peer is told to wait that this node's operator denies: nobody comes back for a moment's sake.
pub(crate) const DENIED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// What a peer is told to wait while this node is overloaded, or has no room for it.
pub(crate) const BUSY_FOR: Duration = Duration::from_secs(5);
/// Bytes after which they are put on a peer's account, at the latest: what a point of cost is.
const ACCOUNT_EVERY: u64 = 16 << 20;

/// That a peer is connected.
#[derive(Debug)]
pub struct Presence {
    pub(crate) peers: Arc<Peers>,
    pub(crate) peer: PeerId,
    pub(crate) address: IpAddr,
    pub(crate) standing: watch::Receiver<Standing>,
}

impl Presence {
    /// Who it is.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// How it stands now.
    #[must_use]
    pub fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    /// Waits until the peer is not admitted any more. Says how long it should stay away.
    pub async fn shut_out(&self) -> Duration {
        let mut standing = self.standing.clone();
        let shut = standing.wait_for(|standing| standing.tier().is_none()).await.map(|standing| *standing);
        match shut {
            Ok(standing) => self.peers.stay_away(standing),
            // Its sender lives as long as this does.
            Err(_) => std::future::pending().await,
        }
    }

    /// Takes up a session that the peer opens, and the meter that it is held to; none if it is one of the node's own.
    ///
    /// # Errors
    /// If it may open none now: how long it should wait.
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
        let permit = self.peers.gate.open(self.peer, tier, protocol).map_err(|refused| {
            count(&counts.refused);
            refused.0
        })?;
        count(&counts.sessions);
        let (peers, peer, standing) = (self.peers.clone(), self.peer, self.standing.clone());
        Ok(Some(Arc::new(Held { peers, peer, permit, standing, account: Mutex::default() })))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.peers.leaves(self);
    }
}

/// What is still to be paid, and what was spent and isn't on the peer's account yet.
#[derive(Debug, Default)]
struct Account {
    debt: Debt,
    spent: u64,
}

/// A session that is held to its peer's quota.
#[derive(Debug)]
struct Held {
    peers: Arc<Peers>,
    peer: PeerId,
    permit: Permit<crate::Ticks>,
    standing: watch::Receiver<Standing>,
    account: Mutex<Account>,
}

impl Held {
    fn put_on_account(&self, bytes: u64) {
        if bytes > 0 {
            self.peers.note(self.peer, &Event::Spent { bytes, cpu: Duration::ZERO });
        }
    }
}

impl Meter for Held {
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

impl Drop for Held {
    fn drop(&mut self) {
        let account = self.account.get_mut().unwrap_or_else(PoisonError::into_inner);
        let due = std::mem::take(&mut account.spent);
        self.put_on_account(due);
    }
}
