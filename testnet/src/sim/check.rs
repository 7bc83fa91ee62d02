//! Checks a run: the disks, what clients were told and what nodes did must agree with what was played.
//!
//! [`checks`] checks the disks, as after a run of real processes. What shows only while nodes run is checked here, in
//! their events.

use super::{machine::Machine, record::Seen};
use crate::{
    checks::{self, RunOutcome},
    clients::Promises,
    recompute::State,
};
use shardwire::config::Role;
use shardwire_disk::Survives;
use shardwire_model::{Hash, PeerId, ShardId, life::AbortReason};
use shardwire_operator::events::{JobLeased, JobProven};
use shardwire_peers::events::{Blame, Failing, Overloaded, ProtocolViolated, SessionFailed, SessionLost};
use shardwire_protocols::trace;
use shardwire_prover::events::{GivenUp, JobFailed, JobTaken, ProofDisputed, ProofUnwanted, PullEnded, ReceiptKept};
use shardwire_settler::events::{ShardAborted, ShardStarted};
use shardwire_telemetry as telemetry;
use shardwire_transport::{settings::CONNECTION_WINDOW_BYTES, sim::Counters};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

/// How much later than the World a settler may say that a shard started: it may have lost its power in between.
const LATE_START: Duration = Duration::from_secs(180);
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

    /// Whatever goes wrong, and whatever strangers say: a shard of an honest operator whose starter waits is settled.
    pub(super) fn given_up() -> Self {
        Self::of("no_trouble_ends_a_shard", "a shard was aborted whose starter waits for it")
    }
}

/// Whether what operators send of their runs is what was executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Witnesses {
    /// All operators are honest: no job has a reason to fail.
    Hold,
    /// One of them lies: of its jobs some are no run's.
    MayBeFalse,
}

/// A run that is over.
pub(super) struct FinishedRun<'a> {
    pub(super) machines: &'a [Machine],
    /// What the World began with.
    pub(super) first: &'a State,
    pub(super) promises: &'a Promises,
    /// The settlers of the World.
    pub(super) settlers: BTreeSet<PeerId>,
    /// The peers that lied.
    pub(super) lying: BTreeSet<PeerId>,
    /// Those among them whose jobs no settler has assigned.
    pub(super) inventors: BTreeSet<PeerId>,
    pub(super) witnesses: Witnesses,
    pub(super) events: &'a [Seen],
}

/// Runs every check.
pub(super) async fn all(finished: FinishedRun<'_>, counters: Counters) -> Vec<Failure> {
    let (events, lying, settlers) = (finished.events, finished.lying.clone(), finished.settlers.clone());
    let (inventors, witnesses) = (finished.inventors.clone(), finished.witnesses);
    let mut failures = on_the_disks(finished).await;
    failures.extend(honest_peers_are_not_blamed(&lying, events));
    failures.extend(retries_wait(events));
    failures.extend(buffers_stay_within_bounds(events));
    failures.extend(nothing_floods(counters));
    failures.extend(one_prover_a_job(events));
    failures.extend(no_local_end_is_a_verdict(witnesses, events));
    failures.extend(no_clock_ends_a_shard(events));
    failures.extend(only_settlers_decide(&settlers, events));
    failures.extend(no_made_up_job_is_taken(&inventors, events));
    failures.extend(proofs_of_nodes_hold(events));
    failures
}

async fn on_the_disks(FinishedRun { machines, first, promises, lying, .. }: FinishedRun<'_>) -> Vec<Failure> {
    let (started, receipts) = (promises.started.clone(), promises.receipts.clone());
    let mut outcome = RunOutcome { started, receipts, liars: lying, ..RunOutcome::default() };
    for machine in machines {
        machine.medium.power_on(Survives::All);
        let settles = machine.role() == Role::Settler;
        match shardwire::inspect(&machine.disk(), &machine.paths(), machine.peer(), settles).await {
            Ok(node) => outcome.nodes.push(node),
            Err(error) => return vec![Failure::of("disks_are_whole", format!("{}: {error}", machine.name))],
        }
        if settles {
            outcome.genesis.insert(machine.peer(), first.clone());
        }
    }
    let named = |check: checks::Check| serde_json::to_value(check).ok().and_then(|it| it.as_str().map(str::to_owned));
    checks::all(&outcome)
        .into_iter()
        .map(|violation| Failure { check: named(violation.check).unwrap_or_default(), what: violation.what })
        .collect()
}

/// Only a liar is accused of what no other than the accused can have done.
fn honest_peers_are_not_blamed(lying: &BTreeSet<PeerId>, events: &[Seen]) -> Option<Failure> {
    let violations = events.iter().filter_map(|seen| seen.event.get::<ProtocolViolated>());
    let blamed = violations.filter(|it| it.blame == Blame::Peer).find(|it| !lying.contains(&it.peer));
    blamed.map(|violation| Failure::of("honest_peers_are_not_blamed", format!("{violation:?}")))
}

/// The peer and the protocol of a session that this node couldn't go on with.
fn failed(event: &telemetry::Seen) -> Option<(PeerId, &str)> {
    let lost = event.get::<SessionLost>().map(|it| (it.peer, it.protocol.as_str()));
    lost.or_else(|| event.get::<SessionFailed>().map(|it| (it.peer, it.protocol.as_str())))
}

/// What ends a worker on its machine, or fails on its disk, makes no job fail, whatever it is taken for: where no operator lies, a job that fails for any reason was given up for a local one.
fn no_local_end_is_a_verdict(witnesses: Witnesses, events: &[Seen]) -> Option<Failure> {
    let is_local =
        |failed: &&JobFailed| witnesses == Witnesses::Hold || matches!(failed.why, GivenUp::Machine | GivenUp::Limit);
    let blamed = events.iter().filter_map(|seen| seen.event.get::<JobFailed>()).find(is_local)?;
    Some(Failure::of("no_local_end_is_a_verdict", format!("{blamed:?}")))
}

/// A node that fails waits before it tries again.
fn retries_wait(events: &[Seen]) -> Option<Failure> {
    let mut recent: BTreeMap<(PeerId, &str), Vec<u64>> = BTreeMap::new();
    for seen in events {
        let Some((peer, protocol)) = failed(&seen.event) else { continue };
        let times = recent.entry((peer, protocol)).or_default();
        times.retain(|at| at + WINDOW > seen.at);
        times.push(seen.at);
        if times.len() > MAX_FAILURES {
            let (count, peer) = (times.len(), peer.short());
            let what = format!("{count} failures of {protocol} with peer {peer} within {WINDOW} ms");
            return Some(Failure::of("retries_wait", what));
        }
    }
    None
}

/// No node runs into a bound of its own, because it asks for no more. No prover had more chunks under way than the
/// protocol allows, and no node was so busy that it turned its peers away.
fn buffers_stay_within_bounds(events: &[Seen]) -> Option<Failure> {
    let too_much = |event: &telemetry::Seen| {
        event.get::<SessionFailed>().is_some_and(|it| it.failing == Failing::Pipeline)
            || event.get::<PullEnded>().is_some_and(|it| it.most_outstanding > trace::DEPTH)
            || event.get::<Overloaded>().is_some()
    };
    let found = events.iter().find(|seen| too_much(&seen.event));
    found.map(|seen| Failure::of("buffers_stay_within_bounds", format!("{:?}", seen.event)))
}

/// What is under way to a socket, or waits in it because its machine is paused, is never more than a few connections may have unread.
fn nothing_floods(counters: Counters) -> Option<Failure> {
    let most = counters.most_waiting;
    (most > MOST_WAITING)
        .then(|| Failure::of("buffers_stay_within_bounds", format!("{most} bytes waited for one socket")))
}

/// Only the holder of a job's latest lease may say that it has the proof.
fn one_prover_a_job(events: &[Seen]) -> Option<Failure> {
    let mut leased: BTreeMap<Hash, PeerId> = BTreeMap::new();
    for Seen { event, .. } in events {
        if let Some(JobLeased { job, prover, .. }) = event.get() {
            leased.insert(*job, *prover);
        } else if let Some(JobProven { job, prover, .. }) = event.get()
            && leased.get(job).is_some_and(|holder| holder != prover)
        {
            return Some(Failure::of("one_prover_a_job", format!("{event:?}")));
        }
    }
    None
}

/// What becomes of a proof is what a settler of the World says of it.
fn only_settlers_decide(settlers: &BTreeSet<PeerId>, events: &[Seen]) -> Option<Failure> {
    let said_by = |event: &telemetry::Seen| {
        let kept = event.get::<ReceiptKept>().map(|it| it.settler);
        let disputed = || event.get::<ProofDisputed>().map(|it| it.settler);
        kept.or_else(disputed).or_else(|| event.get::<ProofUnwanted>().map(|it| it.settler))
    };
    let presumed = events.iter().find(|seen| said_by(&seen.event).is_some_and(|peer| !settlers.contains(&peer)))?;
    Some(Failure::of("only_settlers_decide", format!("{:?}", presumed.event)))
}

/// A prover takes no job that no settler has assigned to the peer that offers it.
fn no_made_up_job_is_taken(inventors: &BTreeSet<PeerId>, events: &[Seen]) -> Option<Failure> {
    let taken = events.iter().filter_map(|seen| seen.event.get::<JobTaken>());
    let made_up = taken.into_iter().find(|taken| inventors.contains(&taken.operator))?;
    Some(Failure::of("no_made_up_job_is_taken", format!("{made_up:?}")))
}

/// Whatever a worker writes, what a prover offers holds: no settler disputes it.
fn proofs_of_nodes_hold(events: &[Seen]) -> Option<Failure> {
    let disputed = events.iter().find_map(|seen| seen.event.get::<ProofDisputed>())?;
    Some(Failure::of("proofs_of_nodes_hold", format!("{disputed:?}")))
}

/// Every shard has its time, whatever clocks are set to.
fn no_clock_ends_a_shard(events: &[Seen]) -> Option<Failure> {
    let mut started: BTreeMap<ShardId, (u64, Duration)> = BTreeMap::new();
    for Seen { at, event } in events {
        if let Some(ShardStarted { shard, timeout, .. }) = event.get() {
            started.entry(*shard).or_insert((*at, *timeout));
        } else if let Some(ShardAborted { shard, reason: AbortReason::Deadline }) = event.get()
            && let Some((began, timeout)) = started.get(shard)
        {
            let lasted = Duration::from_millis(at - began);
            if lasted + LATE_START < *timeout {
                let what = format!("shard {} timed out after {lasted:?}, of {timeout:?}", shard.short());
                return Some(Failure::of("no_clock_ends_a_shard", what));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::Felt;
    use shardwire_reputation::Tier;
    use shardwire_telemetry::Event;

    fn seen<E: Event>(at: u64, event: E) -> Seen {
        Seen { at, event: telemetry::Seen::of(event) }
    }

    const ONE: PeerId = PeerId([1; 32]);
    const JOB: Hash = Hash([7; 32]);
    const OTHER: PeerId = PeerId([2; 32]);

    #[track_caller]
    fn fires(failure: Option<Failure>, check: &str) {
        assert_eq!(failure.map(|failure| failure.check).as_deref(), Some(check));
    }

    #[test]
    fn an_honest_peer_that_is_blamed() {
        let violation = |blame| {
            let (protocol, code, error) = ("trace".to_owned(), "SW-SESSION-002", String::new());
            [seen(1, ProtocolViolated { peer: ONE, protocol, blame, code, error })]
        };
        let (blamed, silent) = (violation(Blame::Peer), violation(Blame::Unclear));
        fires(honest_peers_are_not_blamed(&[OTHER].into(), &blamed), "honest_peers_are_not_blamed");
        assert_eq!(honest_peers_are_not_blamed(&[ONE].into(), &blamed), None, "it lied");
        assert_eq!(honest_peers_are_not_blamed(&BTreeSet::new(), &silent), None, "that may be the network");
    }

    fn failed_with(failing: Failing) -> SessionFailed {
        let (protocol, code, error) = ("trace".to_owned(), "SW-SESSION-002", String::new());
        SessionFailed { peer: ONE, protocol, failing, code, error }
    }

    #[test]
    fn a_retry_that_does_not_wait() {
        let lost =
            || SessionLost { peer: ONE, protocol: "trace".to_owned(), code: "SW-SESSION-001", error: String::new() };
        let failures = |every: u64| -> Vec<Seen> {
            let pair = |number| [seen(number * every, lost()), seen(number * every, failed_with(Failing::Handler))];
            (0..30).flat_map(pair).collect()
        };
        fires(retries_wait(&failures(40)), "retries_wait");
        assert_eq!(retries_wait(&failures(1000)), None);
    }

    #[test]
    fn a_buffer_that_is_overrun() {
        let check = "buffers_stay_within_bounds";
        fires(buffers_stay_within_bounds(&[seen(1, failed_with(Failing::Pipeline))]), check);
        assert_eq!(buffers_stay_within_bounds(&[seen(1, failed_with(Failing::Handler))]), None);
        let overloaded = Overloaded { tier: Tier::Low, waiting: 9, late: Duration::ZERO, memory: 1 };
        fires(buffers_stay_within_bounds(&[seen(1, overloaded)]), check);
        let pulled = |most_outstanding| [seen(1, PullEnded { job: JOB, most_outstanding })];
        fires(buffers_stay_within_bounds(&pulled(trace::DEPTH + 1)), check);
        assert_eq!(buffers_stay_within_bounds(&pulled(trace::DEPTH)), None);
        let waited = |most_waiting| nothing_floods(Counters { most_waiting, ..Counters::default() });
        fires(waited(MOST_WAITING + 1), check);
        assert_eq!(waited(MOST_WAITING), None);
    }

    #[test]
    fn a_job_that_failed_because_of_the_machine() {
        let failed =
            |why| [seen(1, JobFailed { job: JOB, why, code: "SW-PROVE-005".to_owned(), error: String::new() })];
        for why in [GivenUp::Machine, GivenUp::Limit, GivenUp::Job, GivenUp::Unwanted] {
            fires(no_local_end_is_a_verdict(Witnesses::Hold, &failed(why)), "no_local_end_is_a_verdict");
        }
        for why in [GivenUp::Machine, GivenUp::Limit] {
            fires(no_local_end_is_a_verdict(Witnesses::MayBeFalse, &failed(why)), "no_local_end_is_a_verdict");
        }
        for why in [GivenUp::Job, GivenUp::Unwanted] {
            assert_eq!(no_local_end_is_a_verdict(Witnesses::MayBeFalse, &failed(why)), None);
        }
    }

    #[test]
    fn a_prover_that_says_it_has_the_proof_under_a_lease_that_is_over() {
        let leased = |prover, epoch| seen(epoch, JobLeased { job: JOB, prover, epoch });
        let proven = |prover| seen(3, JobProven { job: JOB, prover, proof: Hash([9; 32]) });
        fires(one_prover_a_job(&[leased(ONE, 1), leased(OTHER, 2), proven(ONE)]), "one_prover_a_job");
        assert_eq!(one_prover_a_job(&[leased(ONE, 1), leased(OTHER, 2), proven(OTHER)]), None);
    }

    #[test]
    fn a_shard_that_a_clock_ended() {
        let (shard, timeout) = (ShardId(Felt::ONE), Duration::from_secs(3600));
        let aborted = |at, reason| {
            [seen(5, ShardStarted { shard, operator: ONE, timeout }), seen(at, ShardAborted { shard, reason })]
        };
        let early = aborted(3_000_000, AbortReason::Deadline);
        fires(no_clock_ends_a_shard(&early), "no_clock_ends_a_shard");
        assert_eq!(no_clock_ends_a_shard(&aborted(3_600_000, AbortReason::Deadline)), None);
        assert_eq!(no_clock_ends_a_shard(&aborted(10, AbortReason::Asked { by: ONE })), None);
    }

    #[test]
    fn a_receipt_of_who_is_no_settler() {
        let kept = [seen(1, ReceiptKept { job: JOB, settler: ONE })];
        fires(only_settlers_decide(&[OTHER].into(), &kept), "only_settlers_decide");
        assert_eq!(only_settlers_decide(&[ONE].into(), &kept), None);
        let skipped =
            ProofUnwanted { shard: ShardId(Felt::ONE), settler: ONE, cause: "SW-SETTLER-001: it is over".to_owned() };
        fires(only_settlers_decide(&[OTHER].into(), &[seen(1, skipped)]), "only_settlers_decide");
        let disputed = ProofDisputed { job: JOB, settler: ONE, cause: "SW-VERIFY-001: no".to_owned() };
        fires(only_settlers_decide(&[OTHER].into(), &[seen(1, disputed)]), "only_settlers_decide");
    }

    #[test]
    fn a_job_that_was_made_up_and_is_taken() {
        let taken = [seen(1, JobTaken { job: JOB, operator: ONE })];
        fires(no_made_up_job_is_taken(&[ONE].into(), &taken), "no_made_up_job_is_taken");
        assert_eq!(no_made_up_job_is_taken(&[OTHER].into(), &taken), None);
    }

    #[test]
    fn a_proof_of_a_node_that_does_not_hold() {
        let disputed = ProofDisputed { job: JOB, settler: ONE, cause: "SW-VERIFY-001: no".to_owned() };
        fires(proofs_of_nodes_hold(&[seen(1, disputed)]), "proofs_of_nodes_hold");
    }

    #[test]
    fn a_shard_that_is_given_up_though_its_starter_waits() {
        assert_eq!(
            Failure::given_up().to_string(),
            "no_trouble_ends_a_shard: a shard was aborted whose starter waits for it"
        );
    }

    #[test]
    fn a_shard_that_is_not_over_in_time() {
        assert_eq!(Failure::late(1, 3).to_string(), "every_shard_ends: 1 of 3 shards are not over");
    }
}
