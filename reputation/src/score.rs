//! A peer's record and the score that it makes. [The crate's page](crate#the-score) says what each component is.

use crate::{
    Ban, Blame, Breach, Event, Policy, Work,
    decay::{self, POINT},
};
use serde::{Deserialize, Serialize};
use shardwire_model::Timestamp;
use std::{fmt, time::Duration};

/// The most points of work: two thirds of what a breach takes, so that a breach takes everything for a while.
pub const MAX_WORK: u32 = 1000;
/// The most points of harm: one breach that can be proven takes all at once.
pub const MAX_HARM: u32 = 4000;
/// The most points for broken leases: a peer with a full record is then in tier normal, not high.
pub const MAX_BROKEN: u32 = 500;
/// The most points for what may not be the peer's fault.
pub const MAX_LATE: u32 = 200;
/// The most points for what a peer costs: no peer loses its tier for using what it may use.
pub const MAX_COST: u32 = 100;
/// The largest score.
pub const MAX_SCORE: u32 = MAX_WORK;
/// The score from which a peer is in tier normal: two proofs, or six leases kept.
pub const NORMAL_AT: u32 = 300;
/// The score from which a peer is in tier high.
pub const HIGH_AT: u32 = 700;
/// The number of half-lives of faults after which a peer that did wrong once and works at 550 points or more is back
/// in tier normal: 4000 points of harm, halved four times, are 250.
pub const RECOVERY_HALF_LIVES: u32 = 4;

/// Points for a breach of protocol: half of it, a half-life later, still keeps a full record below [`NORMAL_AT`].
const VIOLATION: u32 = 1500;
/// Points for a breach that can be proven to others.
const PROVABLE: u32 = MAX_HARM;
/// Points for a broken lease.
const LEASE_BROKEN: u32 = 150;
/// Points for a deadline missed by the peer's own fault.
const DEADLINE_MISSED: u32 = 100;
/// Points for anything that may not be the peer's fault.
const UNCLEAR: u32 = 25;
/// Points for a valid proof.
const PROOF: u32 = 250;
/// Points for a lease kept.
const LEASE_KEPT: u32 = 50;
/// Useful bytes that make a point: a few witness chunks.
const BYTES_A_POINT: u64 = 256 << 10;
/// Valid transactions that make a point.
const TRANSACTIONS_A_POINT: u64 = 4;
/// Bytes sent that cost a point.
const BYTES_SPENT_A_POINT: u64 = 16 << 20;
/// Processor time that costs a point.
const CPU_SPENT_A_POINT: Duration = Duration::from_millis(100);

/// How much of the node a peer may use. Ordered from least to most trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Newcomers, and peers that have lost what they had.
    Low,
    /// Peers that have worked.
    Normal,
    /// Peers that have worked much.
    High,
}

impl Tier {
    /// All tiers, the lowest first.
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

/// What is remembered of a peer: its components in units at a time, and its last ban.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The time of the components, in seconds since the epoch.
    at: u64,
    work: u64,
    harm: u64,
    broken: u64,
    late: u64,
    cost: u64,
    ban: Option<Ban>,
}

/// The components of a score at a time, in whole points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Components {
    /// Points for useful work, at most [`MAX_WORK`].
    pub work: u32,
    /// Points for breaches of protocol, at most [`MAX_HARM`].
    pub harm: u32,
    /// Points for broken leases, at most [`MAX_BROKEN`].
    pub broken: u32,
    /// Deadlines missed, and other things that may not be the peer's fault.
    pub late: u32,
    /// What the peer cost.
    pub cost: u32,
}

impl Components {
    /// The score: work less everything else, at least 0.
    #[must_use]
    pub fn score(&self) -> u32 {
        [self.harm, self.broken, self.late, self.cost].into_iter().fold(self.work, u32::saturating_sub)
    }
}

impl Record {
    /// The record after an event. A clock that goes backwards counts as standing still.
    #[must_use]
    pub fn after(self, event: &Event, now: Timestamp, policy: &Policy) -> Self {
        let mut record = self.decayed(now, policy);
        match event {
            Event::Broke { blame: Blame::Local, .. } => return self,
            Event::Broke { blame: Blame::Unclear, .. } => add(&mut record.late, points(UNCLEAR), MAX_LATE),
            Event::Broke { breach, blame: Blame::Peer } => match breach {
                Breach::Violation { .. } => record.harmed(VIOLATION, now, policy),
                Breach::Proof | Breach::Job | Breach::Contradiction => record.harmed(PROVABLE, now, policy),
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

    /// The components at a time.
    #[must_use]
    pub fn components(&self, now: Timestamp, policy: &Policy) -> Components {
        let record = self.decayed(now, policy);
        let whole = |units: u64| u32::try_from(units / POINT).unwrap_or(u32::MAX);
        // Faults are rounded up, so that a small remainder is not nothing.
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

    /// The last ban, current or past.
    #[must_use]
    pub fn ban(&self) -> Option<Ban> {
        self.ban
    }

    /// Bans the peer until a date, on the operator's order.
    #[must_use]
    pub fn banned(self, until: Timestamp, now: Timestamp, policy: &Policy) -> Self {
        let ban = Some(Ban { until, times: self.ban.map_or(1, |ban| ban.times) });
        Self { ban, ..self.decayed(now, policy) }
    }

    /// A stored record, at this date. If it is of a later one the clock was wrong then, or is now: what was left of everything then is left now, so
    /// that a ban isn't longer for it, and what is to be forgotten doesn't wait.
    #[must_use]
    pub fn taken_up(mut self, now: Timestamp) -> Self {
        let seconds = now.0 / 1000;
        let ahead = self.at.saturating_sub(seconds);
        if let Some(ban) = &mut self.ban {
            ban.until.0 = ban.until.0.saturating_sub(ahead.saturating_mul(1000));
        }
        self.at -= ahead;
        self
    }

    /// Ends the ban and forgives what led to it: the next breach counts as the first.
    #[must_use]
    pub fn unbanned(mut self) -> Self {
        (self.ban, self.harm) = (None, 0);
        self
    }

    /// Whether the record is as good as a fresh one, so that forgetting it changes nothing.
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
        // While a peer is banned nothing is accepted from it, so what was still under way is not a repetition.
        if Ban::due(self.harm) && !self.ban.is_some_and(|ban| ban.holds(now)) {
            self.ban = Some(Ban::following(self.ban, now, policy));
        }
    }
}

fn points(points: u32) -> u64 {
    u64::from(points) * POINT
}

/// Adds units up to a bound in points.
fn add(component: &mut u64, units: u64, max: u32) {
    *component = component.saturating_add(units).min(points(max));
}

/// The units for `amount`, where `a_point` of it make a point.
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
