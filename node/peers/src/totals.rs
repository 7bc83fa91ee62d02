//! Counts of what was done with peers, by tier, for a node to show.

use serde::{Deserialize, Serialize};
use shardwire_reputation::Tier;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of a tier's peers since the node began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierCounts {
    /// Peers connected now.
    pub connected: u64,
    /// Sessions that they opened.
    pub sessions: u64,
    /// Sessions refused for now: above their quota, or the node was overloaded.
    pub refused: u64,
    /// How often a session had to wait for its quota.
    pub waits: u64,
    /// Bytes that their sessions received and sent.
    pub bytes: u64,
}

/// Counts of [`admission`](crate::admission) since the node began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdmissionCounts {
    /// Handshakes performed.
    pub admitted: u64,
    /// Callers asked to come back with a token.
    pub retried: u64,
    /// Callers refused before their handshake.
    pub refused: u64,
    /// Callers ignored.
    pub ignored: u64,
    /// Peers turned away after their handshake: banned, denied, no free slot, or too much load.
    pub turned_away: u64,
}

/// Counts of all tiers, and of admission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Counts of peers in tier low.
    pub low: TierCounts,
    /// Counts of peers in tier normal.
    pub normal: TierCounts,
    /// Counts of peers in tier high.
    pub high: TierCounts,
    /// Admission of connections.
    pub admission: AdmissionCounts,
}

impl Figures {
    /// The counts of a tier.
    pub fn tier_mut(&mut self, tier: Tier) -> &mut TierCounts {
        match tier {
            Tier::Low => &mut self.low,
            Tier::Normal => &mut self.normal,
            Tier::High => &mut self.high,
        }
    }
}

/// Counts for [`TierCounts`].
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sessions: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) waits: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

/// Counts one more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The counts of each tier.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    low: Counts,
    normal: Counts,
    high: Counts,
}

impl Totals {
    pub(crate) fn of(&self, tier: Tier) -> &Counts {
        match tier {
            Tier::Low => &self.low,
            Tier::Normal => &self.normal,
            Tier::High => &self.high,
        }
    }

    pub(crate) fn figures(&self, admission: AdmissionCounts) -> Figures {
        let of = |counts: &Counts| TierCounts {
            connected: 0,
            sessions: counts.sessions.load(Ordering::Relaxed),
            refused: counts.refused.load(Ordering::Relaxed),
            waits: counts.waits.load(Ordering::Relaxed),
            bytes: counts.bytes.load(Ordering::Relaxed),
        };
        Figures { low: of(&self.low), normal: of(&self.normal), high: of(&self.high), admission }
    }
}
