//! A peer's record and the score that it makes. [The crate's page](crate#the-score) says what each component is.

use crate::{Ban, Blame, Breach, Event, Policy, Work, decay};
use serde::{Deserialize, Serialize};
use shardwire_model::Timestamp;
use std::{fmt, time::Duration};

/// Most points of work: two thirds of what a breach takes, so that a breach takes everything for a while.
pub const MAX_WORK: u32 = 1000;
/// Most points of harm: what can be proven to others takes all at once.
pub const MAX_HARM: u32 = 4000;
/// Most points for leases broken: with it a peer with a full record is in tier normal, not in tier high.
pub const MAX_BROKEN: u32 = 500;
/// Most points for what is perhaps not the peer's fault.
pub const MAX_LATE: u32 = 200;
/// Most points for what a peer costs: nobody is put down for using what he may use.
pub const MAX_COST: u32 = 100;
/// The largest score.
pub const MAX_SCORE: u32 = MAX_WORK;
/// The score from which a peer is in tier normal: two proofs, or six leases kept.
pub const NORMAL_AT: u32 = 300;
/// The score from which a peer is in tier high.
pub const HIGH_AT: u32 = 700;
/// In how many half-lives of faults a peer that did wrong once and works at 550 points or more is back in tier normal:
/// 4000 points of harm, halved four times, are 250.
pub const RECOVERY_HALF_LIVES: u32 = 4;

/// Units of a point: work comes in small pieces, and nothing of it gets lost.
pub(crate) const POINT: u64 = 1 << 20;

/// A breach of protocol, in points: half of it, a half-life later, still keeps a full record below [`NORMAL_AT`].
const VIOLATION: u32 = 1500;
/// What can be proven to others, in points.
const PROVABLE: u32 = MAX_HARM;
/// A lease broken.
const LEASE_BROKEN: u32 = 150;
/// A deadline missed by the peer's own fault.
const DEADLINE_MISSED: u32 = 100;
/// Anything bad that may not be the peer's fault.
const UNCLEAR: u32 = 25;
/// A valid proof.
const PROOF: u32 = 250;
/// A lease kept.
const LEASE_KEPT: u32 = 50;
/// Useful bytes that make a point: a few witness chunks.
const BYTES_A_POINT: u64 = 256 << 10;
/// Valid transactions that make a point.
const TRANSACTIONS_A_POINT: u64 = 4;
/// Bytes sent that cost a point.
const BYTES_SPENT_A_POINT: u64 = 16 << 20;
/// Processor time that costs a point.
const CPU_SPENT_A_POINT: Duration = Duration::from_millis(100);

/// How much of the node a peer may use. The order is that of esteem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Newcomers, and whoever has lost what it had.
    Low,
    /// Peers that have worked.
    Normal,
    /// Peers that have worked much.
    High,
}

impl Tier {
    /// All, the lowest first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Normal, Self::High];

    /// The tier of a score.
    #[must_use]
    pub fn of(score: u32) -> Self {
        match score {
            HIGH_AT.. => Self::High,
            NORMAL_AT.. => Self::Normal,
            _ => Self::Low,
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        })
    }
}

/// What is remembered of a peer: the components as they were at a time, in units, and its last ban.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When the components were as they stand here, in seconds since the epoch.
    at: u64,
    work: u64,
    harm: u64,
    broken: u64,
    late: u64,
    cost: u64,
    ban: Option<Ban>,
}

/// The components at a time, in whole points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Components {
    /// Useful work.
    pub work: u32,
    /// Breaches.
    pub harm: u32,
    /// Leases broken.
    pub broken: u32,
    /// Deadlines missed, and other things that are perhaps not its fault.
    pub late: u32,
    /// What it cost.
    pub cost: u32,
}

impl Components {
    /// Work less everything else, at least 0.
    #[must_use]
    pub fn score(&self) -> u32 {
        [self.harm, self.broken, self.late, self.cost].into_iter().fold(self.work, u32::saturating_sub)
    }
}

impl Record {
    /// The record after an event. A clock that went backwards stands still.
    #[must_use]
    pub fn after(self, event: &Event, now: Timestamp, policy: &Policy) -> Self {
        let mut record = self.decayed(now, policy);
        match event {
            Event::Broke { blame: Blame::Local, .. } => return self,
            Event::Broke { blame: Blame::Unclear, .. } => add(&mut record.late, points(UNCLEAR), MAX_LATE),
            Event::Broke { breach, blame: Blame::Peer } => match breach {
                Breach::Violation { .. } => record.harmed(VIOLATION, now, policy),
                Breach::Proof | Breach::Presumption | Breach::Contradiction => record.harmed(PROVABLE, now, policy),
                Breach::Lease => add(&mut record.broken, points(LEASE_BROKEN), MAX_BROKEN),
                Breach::Deadline { .. } => add(&mut record.late, points(DEADLINE_MISSED), MAX_LATE),
            },
            Event::Worked(work) => add(&mut record.work, earned(*work), MAX_WORK),
            Event::Spent { bytes, cpu } => {
                let cpu_us = u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX);
                let cpu_us_a_point = u64::try_from(CPU_SPENT_A_POINT.as_micros()).unwrap_or(u64::MAX);
                let spent = share(*bytes, BYTES_SPENT_A_POINT).saturating_add(share(cpu_us, cpu_us_a_point));
                add(&mut record.cost, spent, MAX_COST);
            }
        }
        record
    }

    /// What it comes to at a time.
    #[must_use]
    pub fn components(&self, now: Timestamp, policy: &Policy) -> Components {
        let record = self.decayed(now, policy);
        let whole = |units: u64| u32::try_from(units / POINT).unwrap_or(u32::MAX);
        // What is bad is rounded up, so that a small remainder is not nothing.
        let begun = |units: u64| u32::try_from(units.div_ceil(POINT)).unwrap_or(u32::MAX);
        Components {
            work: whole(record.work),
            harm: begun(record.harm),
            broken: begun(record.broken),
            late: begun(record.late),
            cost: begun(record.cost),
        }
    }

    /// The score at a time.
    #[must_use]
    pub fn score(&self, now: Timestamp, policy: &Policy) -> u32 {
        self.components(now, policy).score()
    }

    /// The last ban, whether it holds or not.
    #[must_use]
    pub fn ban(&self) -> Option<Ban> {
        self.ban
    }

    /// Shuts the peer out until a date, by the word of whoever runs the node.
    #[must_use]
    pub fn banned(mut self, until: Timestamp) -> Self {
        self.ban = Some(Ban { until, times: self.ban.map_or(1, |ban| ban.times) });
        self
    }

    /// Ends the ban and forgives what led to it: the next breach is the first.
    #[must_use]
    pub fn unbanned(mut self) -> Self {
        (self.ban, self.harm) = (None, 0);
        self
    }

    /// Whether forgetting it changes nothing: it is as good as fresh.
    #[must_use]
    pub fn is_blank(&self, now: Timestamp, policy: &Policy) -> bool {
        let remembered = |ban: &Ban| now.since(ban.until) < crate::FORGIVEN_AFTER;
        self.components(now, policy) == Components::default() && !self.ban.as_ref().is_some_and(remembered)
    }

    fn decayed(mut self, now: Timestamp, policy: &Policy) -> Self {
        let seconds = now.0 / 1000;
        let elapsed = seconds.saturating_sub(self.at);
        self.at = self.at.max(seconds);
        self.work = decay::after(self.work, elapsed, policy.work_half_life.as_secs());
        for bad in [&mut self.harm, &mut self.broken, &mut self.late, &mut self.cost] {
            *bad = decay::after(*bad, elapsed, policy.fault_half_life.as_secs());
        }
        self
    }

    fn harmed(&mut self, by: u32, now: Timestamp, policy: &Policy) {
        add(&mut self.harm, points(by), MAX_HARM);
        // While it is banned nothing is accepted of it; what was still under way is not a repetition.
        if Ban::due(self.harm) && !self.ban.is_some_and(|ban| ban.holds(now)) {
            self.ban = Some(Ban::following(self.ban, now, policy));
        }
    }
}

fn points(points: u32) -> u64 {
    u64::from(points) * POINT
}

/// Adds, up to a bound in points.
fn add(component: &mut u64, units: u64, max: u32) {
    *component = component.saturating_add(units).min(points(max));
}

/// Units for `amount`, of which so much makes a point.
fn share(amount: u64, a_point: u64) -> u64 {
    u64::try_from(u128::from(amount) * u128::from(POINT) / u128::from(a_point)).unwrap_or(u64::MAX)
}

fn earned(work: Work) -> u64 {
    match work {
        Work::Proof => points(PROOF),
        Work::Lease => points(LEASE_KEPT),
        Work::Bytes(bytes) => share(bytes, BYTES_A_POINT),
        Work::Transactions(count) => share(count, TRANSACTIONS_A_POINT),
    }
}
