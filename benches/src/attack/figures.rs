//! What the slices come to.

use super::{honest::Tally, hostile::Deeds, neighbour::Share, victim::Counts};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// What honest peers keep of their jobs, at least.
const JOBS_BAR: f64 = 0.9;
/// What part of their core victims and honest provers use alone, at least: with less they wait for something else, and attackers could take from what nobody uses.
const CAPACITY_BAR: f64 = 0.9;
/// How many times as long their leases may take, the slowest hundredth of them.
const LEASE_BAR: f64 = 2.0;

/// What was done in a slice of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Slice {
    pub(super) length: Duration,
    pub(super) tally: Tally,
    /// The victim's processor time.
    pub(super) cpu: Duration,
    /// The honest provers'.
    pub(super) honest_cpu: Duration,
    /// That of those on the other core: the attackers, or a neighbour that touches nobody.
    pub(super) neighbour_cpu: Duration,
}

impl Slice {
    pub(super) fn jobs_per_s(&self) -> f64 {
        f64::from(self.tally.jobs) / self.length.as_secs_f64()
    }

    /// Milliseconds of the victim's processor time.
    fn cpu_ms_a_job(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e3 / f64::from(self.tally.jobs.max(1))
    }

    fn busy(&self) -> f64 {
        self.cpu.as_secs_f64() / self.length.as_secs_f64()
    }

    /// What part of the other core was used.
    pub(super) fn neighbour(&self) -> Share {
        Share::of(self.neighbour_cpu, self.length)
    }

    fn core_busy(&self) -> f64 {
        (self.cpu + self.honest_cpu).as_secs_f64() / self.length.as_secs_f64()
    }
}

/// All slices: one alone after each that is attacked.
#[derive(Clone, Debug, Default)]
pub(super) struct Slices {
    pub(super) alone: Vec<Slice>,
    pub(super) attacked: Vec<Slice>,
}

/// What attackers of a kind did, and how they stood in the end.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Fate {
    pub(super) kind: &'static str,
    pub(super) peers: u8,
    #[serde(flatten)]
    pub(super) deeds: Deeds,
    /// How many stood how; nothing of those that came with a new key each time.
    pub(super) standings: BTreeMap<String, usize>,
}

/// What the victims need, whatever the slices.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Prices {
    pub(super) peak_bytes: u64,
    pub(super) peak_bound_bytes: u64,
    pub(super) refused_handshake_cpu_us: f64,
}

/// What the bench says.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figures {
    pub(super) jobs_per_s_alone: f64,
    pub(super) jobs_per_s_attacked: f64,
    pub(super) jobs_ratio: f64,
    pub(super) jobs_ratio_min: f64,
    pub(super) jobs_ratio_max: f64,
    pub(super) lease_p50_ms_alone: f64,
    pub(super) lease_p50_ms_attacked: f64,
    pub(super) lease_p99_ms_alone: f64,
    pub(super) lease_p99_ms_attacked: f64,
    pub(super) lease_p99_ratio: f64,
    pub(super) victim_cpu_ms_a_job_alone: f64,
    pub(super) victim_cpu_ms_a_job_attacked: f64,
    /// What part of its core the victim used.
    pub(super) victim_busy_alone: f64,
    pub(super) victim_busy_attacked: f64,
    /// What part of it victim and honest provers used.
    pub(super) core_busy_alone: f64,
    pub(super) core_busy_attacked: f64,
    /// What part of the other core a neighbour used that touches nobody, and the attackers.
    pub(super) neighbour_busy_alone: f64,
    pub(super) neighbour_busy_attacked: f64,
    /// Leases that honest provers lost to others before they were done.
    pub(super) honest_leases_lost: u32,
    /// What the victims counted while attacked.
    #[serde(flatten)]
    pub(super) did: Counts,
    #[serde(flatten)]
    pub(super) prices: Prices,
    pub(super) attackers: Vec<Fate>,
    /// Whether that was nearly all of it, alone: else the figures say nothing.
    pub(super) at_capacity: bool,
    /// Whether both bars are met.
    pub(super) ok: bool,
}

impl Slices {
    /// What the slices come to, beside what was counted.
    pub(super) fn figures(&self, did: Counts, attackers: Vec<Fate>, prices: Prices) -> Figures {
        let ratios = self.attacked.iter().enumerate().map(|(at, attacked)| {
            // Before the first attack nobody was alone.
            let around = self.alone.iter().skip(at.saturating_sub(1)).take(if at == 0 { 1 } else { 2 });
            let around: Vec<_> = around.map(Slice::jobs_per_s).collect();
            let alone = around.iter().sum::<f64>() / around.len().max(1) as f64;
            attacked.jobs_per_s() / alone.max(f64::MIN_POSITIVE)
        });
        let ratios = sorted(ratios.collect());
        let of = |slices: &[Slice], figure: fn(&Slice) -> f64| median(&sorted(slices.iter().map(figure).collect()));
        let (alone, attacked) = (leases_ms(&self.alone), leases_ms(&self.attacked));
        let [alone_p50, alone_p99] = [0.5, 0.99].map(|share| percentile(&alone, share));
        let [attacked_p50, attacked_p99] = [0.5, 0.99].map(|share| percentile(&attacked, share));
        let (jobs_ratio, lease_p99_ratio) = (median(&ratios), attacked_p99 / alone_p99.max(f64::MIN_POSITIVE));
        let core_busy_alone = of(&self.alone, Slice::core_busy);
        Figures {
            jobs_per_s_alone: of(&self.alone, Slice::jobs_per_s),
            jobs_per_s_attacked: of(&self.attacked, Slice::jobs_per_s),
            jobs_ratio,
            jobs_ratio_min: ratios.first().copied().unwrap_or_default(),
            jobs_ratio_max: ratios.last().copied().unwrap_or_default(),
            lease_p50_ms_alone: alone_p50,
            lease_p50_ms_attacked: attacked_p50,
            lease_p99_ms_alone: alone_p99,
            lease_p99_ms_attacked: attacked_p99,
            lease_p99_ratio,
            victim_cpu_ms_a_job_alone: of(&self.alone, Slice::cpu_ms_a_job),
            victim_cpu_ms_a_job_attacked: of(&self.attacked, Slice::cpu_ms_a_job),
            victim_busy_alone: of(&self.alone, Slice::busy),
            victim_busy_attacked: of(&self.attacked, Slice::busy),
            core_busy_alone,
            core_busy_attacked: of(&self.attacked, Slice::core_busy),
            neighbour_busy_alone: of(&self.alone, |slice| slice.neighbour().part()),
            neighbour_busy_attacked: of(&self.attacked, |slice| slice.neighbour().part()),
            honest_leases_lost: self.attacked.iter().map(|slice| slice.tally.lost).sum(),
            did,
            prices,
            attackers,
            at_capacity: core_busy_alone >= CAPACITY_BAR,
            ok: jobs_ratio >= JOBS_BAR && !attacked.is_empty() && lease_p99_ratio <= LEASE_BAR,
        }
    }
}

impl Figures {
    /// The figures as a table.
    pub(super) fn lines(&self) -> Vec<String> {
        let row = |name: &str, alone: f64, attacked: f64, rest: String| {
            format!("{name:<28} {alone:>9.2} {attacked:>9.2}  {rest}")
        };
        let Self { jobs_ratio, jobs_ratio_min, jobs_ratio_max, lease_p99_ratio, .. } = *self;
        let mut lines = vec![
            format!("{:<28} {:>9} {:>9}  attacked / alone", "", "alone", "attacked"),
            row(
                "honest jobs a second",
                self.jobs_per_s_alone,
                self.jobs_per_s_attacked,
                format!("{jobs_ratio:.3} ({jobs_ratio_min:.3} to {jobs_ratio_max:.3}), bar {JOBS_BAR:.2}"),
            ),
            row("honest lease, p50, ms", self.lease_p50_ms_alone, self.lease_p50_ms_attacked, String::new()),
            row(
                "honest lease, p99, ms",
                self.lease_p99_ms_alone,
                self.lease_p99_ms_attacked,
                format!("{lease_p99_ratio:.3}, bar {LEASE_BAR:.2}"),
            ),
            row(
                "victim's CPU a job, ms",
                self.victim_cpu_ms_a_job_alone,
                self.victim_cpu_ms_a_job_attacked,
                format!("{:.3}", self.victim_cpu_ms_a_job_attacked / self.victim_cpu_ms_a_job_alone),
            ),
            row("victim's part of its core", self.victim_busy_alone, self.victim_busy_attacked, String::new()),
            row(
                "with the honest provers'",
                self.core_busy_alone,
                self.core_busy_attacked,
                format!(
                    "alone at least {CAPACITY_BAR:.2}, or they waited for something else: {}",
                    if self.at_capacity { "at capacity" } else { "NOT at capacity" }
                ),
            ),
            row(
                "the other core",
                self.neighbour_busy_alone,
                self.neighbour_busy_attacked,
                "busy with nothing of theirs".into(),
            ),
            format!(
                "while attacked: {} callers turned off, {} sessions refused, {} claims refused, {} violations; {} leases given, {} taken back, {} lost by honest provers",
                self.did.refused_callers,
                self.did.refused_sessions,
                self.did.refused_claims,
                self.did.violations,
                self.did.leases,
                self.did.taken_back,
                self.honest_leases_lost
            ),
            format!("peak memory: {} MiB of {} MiB", self.prices.peak_bytes >> 20, self.prices.peak_bound_bytes >> 20),
            format!("a refused handshake: {:.1} us of a processor", self.prices.refused_handshake_cpu_us),
            format!(
                "{:<16} {:>5} {:>9} {:>11} {:>9}  in the end",
                "attackers", "peers", "tries", "connections", "acts"
            ),
        ];
        lines.extend(self.attackers.iter().map(|fate| {
            let Deeds { tries, connections, acts } = fate.deeds;
            let stood: Vec<_> = fate.standings.iter().map(|(standing, peers)| format!("{peers} {standing}")).collect();
            let stood = if stood.is_empty() { "new keys".into() } else { stood.join(", ") };
            format!("{:<16} {:>5} {tries:>9} {connections:>11} {acts:>9}  {stood}", fate.kind, fate.peers)
        }));
        lines.push(format!("both bars are {}", if self.ok { "met" } else { "NOT met" }));
        lines
    }
}

fn leases_ms(slices: &[Slice]) -> Vec<f64> {
    sorted(slices.iter().flat_map(|slice| &slice.tally.leases).map(|lease| lease.as_secs_f64() * 1e3).collect())
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    let at = |place: usize| sorted.get(place).copied().unwrap_or_default();
    f64::midpoint(at(sorted.len().saturating_sub(1) / 2), at(sorted.len() / 2))
}

/// The value below which this share of the values lies.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}
