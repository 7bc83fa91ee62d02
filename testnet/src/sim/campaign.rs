//! Many runs, one after the other, and their totals.

use super::{Plan, run};
use serde::Serialize;
use shardwire_model::Hash;
use std::{fmt, str::FromStr, time::Duration};

/// The most failed runs that are listed; further ones are only counted.
const MAX_LISTED: usize = 1000;

/// A range of seeds: the end isn't included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeds {
    first: u64,
    end: u64,
}

/// A text that isn't a range of seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected FIRST..END, with an end above the first")]
pub struct SeedsError;

impl Seeds {
    /// A single seed.
    #[must_use]
    pub fn one(seed: u64) -> Self {
        Self { first: seed, end: seed.saturating_add(1) }
    }
}

impl FromStr for Seeds {
    type Err = SeedsError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (first, end) = text.split_once("..").ok_or(SeedsError)?;
        let number = |text: &str| text.parse().map_err(|_| SeedsError);
        let seeds = Self { first: number(first)?, end: number(end)? };
        if seeds.first < seeds.end { Ok(seeds) } else { Err(SeedsError) }
    }
}

/// A run that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// The run's seed.
    pub seed: u64,
    /// The first check that failed.
    pub check: String,
}

/// The totals of all runs.
#[derive(Clone, Debug, Serialize)]
pub struct Totals {
    /// How many runs there were.
    pub seeds: u64,
    /// The failed runs; at most a thousand are listed.
    pub failures: Vec<Failed>,
    /// Runs a minute of real time.
    pub seeds_per_minute: u64,
    /// Virtual time of all runs, in hours.
    pub virtual_hours: f64,
    /// Machines that lost their power.
    pub crashes: u64,
    /// Partitions, total or one way.
    pub partitions: u64,
    /// Shards that settled.
    pub shards_settled: u64,
    /// Those among them that were of contracts.
    pub contracts_settled: u64,
    /// Shards that were given up.
    pub shards_aborted: u64,
    /// A hash of everything that happened in all runs.
    pub hash: String,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seeds,
            seeds_per_minute,
            virtual_hours,
            crashes,
            partitions,
            shards_settled,
            contracts_settled,
            shards_aborted,
            ..
        } = self;
        writeln!(f, "{seeds} runs, {} failed, {seeds_per_minute} a minute", self.failures.len())?;
        writeln!(f, "{virtual_hours:.1} hours of virtual time, {crashes} crashes, {partitions} partitions")?;
        writeln!(
            f,
            "{shards_settled} shards settled, {contracts_settled} of them of contracts; {shards_aborted} aborted"
        )?;
        write!(f, "hash {}", self.hash)
    }
}

/// Runs all seeds. `say` receives a line for each that failed.
pub fn campaign(seeds: Seeds, aloud: bool, say: &mut dyn FnMut(&str)) -> Totals {
    let began = std::time::Instant::now();
    let mut totals = Totals {
        seeds: 0,
        failures: Vec::new(),
        seeds_per_minute: 0,
        virtual_hours: 0.0,
        crashes: 0,
        partitions: 0,
        shards_settled: 0,
        contracts_settled: 0,
        shards_aborted: 0,
        hash: String::new(),
    };
    let mut hash = Hash::of(b"");
    let mut passed = Duration::ZERO;
    for seed in seeds.first..seeds.end {
        let outcome = run(seed, &Plan::of(seed), aloud);
        totals.seeds += 1;
        totals.crashes += outcome.crashes;
        totals.partitions += outcome.partitions;
        totals.shards_settled += outcome.settled;
        totals.contracts_settled += outcome.contracts_settled;
        totals.shards_aborted += outcome.aborted;
        passed += outcome.virtual_time;
        hash = Hash::of_parts("shardwire simulation 1", &[&hash.0, &outcome.hash.0]);
        if let Some(failure) = outcome.failures.first() {
            say(&format!(
                "seed {seed} failed: {failure}\n  replay: cargo run --release -p testnet -- sim --seed {seed} --trace"
            ));
            if totals.failures.len() < MAX_LISTED {
                totals.failures.push(Failed { seed, check: failure.check.clone() });
            }
        }
    }
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a figure for people"
    )]
    {
        totals.seeds_per_minute = (totals.seeds as f64 * 60.0 / began.elapsed().as_secs_f64().max(1e-9)) as u64;
    }
    totals.virtual_hours = (passed.as_secs_f64() / 36.0).round() / 100.0;
    totals.hash = hash.to_string();
    totals
}
