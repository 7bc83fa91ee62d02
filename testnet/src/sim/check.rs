//! The verdict over a run: what is on the disks, what clients were told and what nodes said must agree with what was played.
//!
//! What is on the disks is checked by [`checks`], as after a run of real processes. What only shows while nodes run is checked here, in their logs.

use super::{
    client::Words,
    game::Game,
    machine::{Machine, NETWORK},
    record::Line,
};
use crate::checks::{self, Facts};
use shardwire::config::Role;
use shardwire_disk::Survives;
use std::{collections::BTreeMap, fmt};
use tracing::Level;

/// Silence: the network's fault as well as anybody's.
const UNCLEAR: [&str; 2] = ["SW-SESSION-004", "SW-SESSION-005"];
/// What a node says that asks for more at once than it may.
const PIPELINE_FULL: &str = "SW-SESSION-031";
/// Most failed sessions of one protocol that the others may have with one peer in [`WINDOW`]: four others, and a pause of half a second after each
/// failure. More is a retry that doesn't wait.
const MAX_FAILURES: usize = 44;
/// In milliseconds.
const WINDOW: u64 = 5000;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which check failed.
    pub check: String,
    /// What it found.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.what)
    }
}

impl Failure {
    fn of(check: &str, what: impl Into<String>) -> Self {
        Self { check: check.to_owned(), what: what.into() }
    }

    pub(super) fn late(late: usize, of: usize) -> Self {
        Self::of("every_shard_ends", format!("{late} of {of} shards are not over"))
    }
}

/// Every check.
pub(super) fn all(machines: &[Machine], game: &Game, told: &Words, lines: &[Line]) -> Vec<Failure> {
    let mut failures = on_the_disks(machines, game, told);
    failures.extend(honest_peers_are_not_blamed(machines, lines));
    failures.extend(retries_wait(lines));
    failures.extend(buffers_stay_within_bounds(lines));
    failures.extend(one_prover_a_job(lines));
    failures
}

fn on_the_disks(machines: &[Machine], game: &Game, told: &Words) -> Vec<Failure> {
    let mut facts = Facts { started: told.started.clone(), receipts: told.receipts.clone(), ..Facts::default() };
    for machine in machines {
        machine.medium.power_on(Survives::All);
        let network = (machine.role() == Role::Settler).then_some(NETWORK);
        match shardwire::inspect(&machine.disk(), &machine.paths(), machine.peer(), network) {
            Ok(node) => facts.nodes.push(node),
            Err(error) => return vec![Failure::of("disks_are_whole", format!("{}: {error}", machine.name))],
        }
        if network.is_some() {
            facts.genesis.insert(machine.peer(), game.first.clone());
        }
    }
    let named = |check: checks::Check| serde_json::to_value(check).ok().and_then(|it| it.as_str().map(str::to_owned));
    checks::all(&facts)
        .into_iter()
        .map(|violation| Failure { check: named(violation.check).unwrap_or_default(), what: violation.what })
        .collect()
}

/// Nobody but a liar is accused of what only the accused can have done.
fn honest_peers_are_not_blamed(machines: &[Machine], lines: &[Line]) -> Option<Failure> {
    let honest: Vec<String> = machines.iter().map(|machine| machine.peer().short()).collect();
    let blamed = lines.iter().find(|line| {
        let accused = line.field("peer").is_some_and(|peer| honest.iter().any(|it| it == peer));
        let clear = line.code.as_deref().is_some_and(|code| !UNCLEAR.contains(&code));
        accused && clear && line.level == Level::WARN && line.text.starts_with("violation")
    });
    blamed.map(|line| Failure::of("honest_peers_keep_their_score", line.text.clone()))
}

/// Whoever fails waits before it tries again.
fn retries_wait(lines: &[Line]) -> Option<Failure> {
    let mut recent: BTreeMap<(&str, &str), Vec<u64>> = BTreeMap::new();
    let failing = ["session lost", "session failed"];
    for line in lines.iter().filter(|line| failing.iter().any(|start| line.text.starts_with(start))) {
        let (Some(peer), Some(protocol)) = (line.field("peer"), line.field("protocol")) else { continue };
        let times = recent.entry((peer, protocol)).or_default();
        times.retain(|at| at + WINDOW > line.at);
        times.push(line.at);
        if times.len() > MAX_FAILURES {
            return Some(Failure::of(
                "retries_wait",
                format!("{} failures of {protocol} with peer {peer} within {WINDOW} ms", times.len()),
            ));
        }
    }
    None
}

/// No node runs into a bound of its own: it keeps them by asking for no more.
fn buffers_stay_within_bounds(lines: &[Line]) -> Option<Failure> {
    let full = lines.iter().find(|line| line.code.as_deref() == Some(PIPELINE_FULL));
    full.map(|line| Failure::of("buffers_stay_within_bounds", line.text.clone()))
}

/// Only who has the latest lease of a job may say that it has the proof.
fn one_prover_a_job(lines: &[Line]) -> Option<Failure> {
    let mut leased: BTreeMap<&str, &str> = BTreeMap::new();
    for line in lines {
        let (Some(job), Some(prover)) = (line.field("job"), line.field("prover")) else { continue };
        if line.text.starts_with("job leased") {
            leased.insert(job, prover);
        } else if line.text.starts_with("prover has the proof") && leased.get(job).is_some_and(|it| *it != prover) {
            return Some(Failure::of("one_prover_a_job", line.text.clone()));
        }
    }
    None
}
