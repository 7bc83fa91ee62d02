//! Checks a run: the disks, what clients were told and what nodes logged must agree with what was played.
//!
//! [`checks`] checks the disks, as after a run of real processes. What shows only while nodes run is checked here, in
//! their logs.

use super::{machine::Machine, record::Line};
use crate::{
    checks::{self, RunOutcome},
    clients::{Game, Promises},
};
use shardwire::config::Role;
use shardwire_disk::Survives;
use shardwire_model::PeerId;
use shardwire_protocols::trace;
use shardwire_transport::{settings::CONNECTION_WINDOW_BYTES, sim::Counters};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};
use tracing::Level;

/// Codes for silence, which may be the network's fault.
const UNCLEAR: [&str; 2] = ["SW-SESSION-004", "SW-SESSION-005"];
/// The code of a node that makes more requests at once than its pipeline holds.
const PIPELINE_FULL: &str = "SW-SESSION-031";
/// The most failed sessions of one protocol with one peer in [`WINDOW`]: four other nodes, and a pause of half a
/// second after each failure. More means a retry that doesn't wait.
const MAX_FAILURES: usize = 44;
/// The length of the window, in milliseconds.
const WINDOW: u64 = 5000;
/// The most bytes that wait for a socket: what one connection may leave unread, since a run never sends more than a
/// few megabytes.
const MOST_WAITING: u64 = CONNECTION_WINDOW_BYTES as u64;

/// A check that failed.
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

/// A run that is over.
pub(super) struct Played<'a> {
    pub(super) machines: &'a [Machine],
    pub(super) game: &'a Game,
    pub(super) promises: &'a Promises,
    /// The peers that lied.
    pub(super) lying: BTreeSet<PeerId>,
    pub(super) lines: &'a [Line],
}

/// Runs every check.
pub(super) async fn all(played: Played<'_>, counters: Counters) -> Vec<Failure> {
    let lines = played.lines;
    let lying: Vec<String> = played.lying.iter().map(|peer| peer.short()).collect();
    let mut failures = on_the_disks(played).await;
    failures.extend(honest_peers_are_not_blamed(&lying, lines));
    failures.extend(retries_wait(lines));
    failures.extend(buffers_stay_within_bounds(lines));
    failures.extend(nothing_floods(counters));
    failures.extend(one_prover_a_job(lines));
    failures
}

async fn on_the_disks(Played { machines, game, promises, lying, .. }: Played<'_>) -> Vec<Failure> {
    let (started, receipts) = (promises.started.clone(), promises.receipts.clone());
    let mut facts = RunOutcome { started, receipts, liars: lying, ..RunOutcome::default() };
    for machine in machines {
        machine.medium.power_on(Survives::All);
        let settles = machine.role() == Role::Settler;
        match shardwire::inspect(&machine.disk(), &machine.paths(), machine.peer(), settles).await {
            Ok(node) => facts.nodes.push(node),
            Err(error) => return vec![Failure::of("disks_are_whole", format!("{}: {error}", machine.name))],
        }
        if settles {
            facts.genesis.insert(machine.peer(), game.first.clone());
        }
    }
    let named = |check: checks::Check| serde_json::to_value(check).ok().and_then(|it| it.as_str().map(str::to_owned));
    checks::all(&facts)
        .into_iter()
        .map(|violation| Failure { check: named(violation.check).unwrap_or_default(), what: violation.what })
        .collect()
}

/// Only a liar is accused of what no other than the accused can have done.
fn honest_peers_are_not_blamed(lying: &[String], lines: &[Line]) -> Option<Failure> {
    let blamed = lines.iter().find(|line| {
        let accused = line.field("peer").is_some_and(|peer| lying.iter().all(|it| it != peer));
        let clear = line.code.as_deref().is_some_and(|code| !UNCLEAR.contains(&code));
        accused && clear && line.level == Level::WARN && line.text.starts_with("violation")
    });
    blamed.map(|line| Failure::of("honest_peers_are_not_blamed", line.text.clone()))
}

/// A node that fails waits before it tries again.
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

/// No node runs into a bound of its own, because it asks for no more. No prover had more chunks under way than the
/// protocol allows, and no node was so busy that it turned its peers away.
fn buffers_stay_within_bounds(lines: &[Line]) -> Option<Failure> {
    let number = |line: &Line, name: &str| line.field(name).and_then(|text| text.parse::<usize>().ok());
    let too_much = |line: &&Line| {
        line.code.as_deref() == Some(PIPELINE_FULL)
            || number(line, "ahead").is_some_and(|ahead| ahead > trace::DEPTH)
            || line.text.starts_with("overloaded")
    };
    let found = lines.iter().find(too_much);
    found.map(|line| Failure::of("buffers_stay_within_bounds", line.text.clone()))
}

/// What is under way to a socket, or waits in it because its machine is paused, is never more than a few connections may have unread.
fn nothing_floods(counters: Counters) -> Option<Failure> {
    let most = counters.most_waiting;
    (most > MOST_WAITING)
        .then(|| Failure::of("buffers_stay_within_bounds", format!("{most} bytes waited for one socket")))
}

/// Only the holder of a job's latest lease may say that it has the proof.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at: u64, text: &str) -> Line {
        let code = text.split(' ').find_map(|word| word.strip_prefix("code=")).map(str::to_owned);
        Line { at, level: Level::WARN, text: text.to_owned(), code }
    }

    #[track_caller]
    fn fires(failure: Option<Failure>, check: &str) {
        assert_eq!(failure.map(|failure| failure.check).as_deref(), Some(check));
    }

    #[test]
    fn an_honest_peer_that_is_blamed() {
        let blamed = [line(1, "violation: an early end peer=aa protocol=trace code=SW-SESSION-002")];
        fires(honest_peers_are_not_blamed(&["bb".to_owned()], &blamed), "honest_peers_are_not_blamed");
        assert_eq!(honest_peers_are_not_blamed(&["aa".to_owned()], &blamed), None, "it lied");
        let silent = [line(1, "violation: no answer peer=aa protocol=trace code=SW-SESSION-004")];
        assert_eq!(honest_peers_are_not_blamed(&[], &silent), None, "that may be the network");
    }

    #[test]
    fn a_retry_that_does_not_wait() {
        let failures = |every: u64| -> Vec<Line> {
            (0..60).map(|number| line(number * every, "session lost: gone peer=aa protocol=trace")).collect()
        };
        fires(retries_wait(&failures(20)), "retries_wait");
        assert_eq!(retries_wait(&failures(500)), None);
    }

    #[test]
    fn a_buffer_that_is_overrun() {
        let check = "buffers_stay_within_bounds";
        fires(buffers_stay_within_bounds(&[line(1, "session failed on our side code=SW-SESSION-031")]), check);
        fires(buffers_stay_within_bounds(&[line(1, "pulled job=aa ahead=13")]), check);
        fires(buffers_stay_within_bounds(&[line(1, "overloaded: peers up to tier low are refused")]), check);
        assert_eq!(buffers_stay_within_bounds(&[line(1, "pulled job=aa ahead=12")]), None);
        let waited = |most_waiting| nothing_floods(Counters { most_waiting, ..Counters::default() });
        fires(waited(MOST_WAITING + 1), check);
        assert_eq!(waited(MOST_WAITING), None);
    }

    #[test]
    fn a_prover_that_says_it_has_the_proof_under_a_lease_that_is_over() {
        let (first, second) =
            (line(1, "job leased job=j prover=aa epoch=1"), line(2, "job leased job=j prover=bb epoch=2"));
        let proven = |prover: &str| line(3, &format!("prover has the proof job=j prover={prover}"));
        fires(one_prover_a_job(&[first.clone(), second.clone(), proven("aa")]), "one_prover_a_job");
        assert_eq!(one_prover_a_job(&[first, second, proven("bb")]), None);
    }

    #[test]
    fn a_shard_that_is_not_over_in_time() {
        assert_eq!(Failure::late(1, 3).to_string(), "every_shard_ends: 1 of 3 shards are not over");
    }
}
