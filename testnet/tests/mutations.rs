//! The simulator finds bugs: each of those that can be planted shows within [`SEEDS`] runs.
//!
//! `cargo test --release -p testnet --features mutations --test mutations -- --nocapture` says which run shows which. A run that is known to show a
//! bug is tried first, so that this takes a minute; where it doesn't any more, because what seeds decide has changed, all are searched. With
//! `SHARDWIRE_SEARCH=1` all are searched anyway; with `SHARDWIRE_PLANT=NAME` one bug alone is planted.
#![cfg(feature = "mutations")]
#![allow(missing_docs)]

use shardwire_model::Mutation;
use std::time::Duration;
use testnet::sim::{Failure, Fault, Plan, run};

/// The runs within which a bug has to show.
const SEEDS: u64 = 500;

/// A run that has shown each bug; it is tried first, so that this takes a moment.
const KNOWN: [(Mutation, u64); 17] = [
    (Mutation::EffectBeforeRecord, 18),
    (Mutation::EpochUnchecked, 50),
    (Mutation::CreditUnbounded, 0),
    (Mutation::AppliedTwice, 0),
    (Mutation::LockKept, 33),
    (Mutation::ResumedOffByOne, 428),
    (Mutation::NoBackOff, 0),
    (Mutation::TimerNotCancelled, 12),
    (Mutation::LocalEndCounts, 27),
    (Mutation::LogCutShort, 0),
    (Mutation::WallClockDecides, 12),
    (Mutation::ClaimBelieved, 4),
    (Mutation::AnybodySettles, 0),
    (Mutation::AnybodyOperates, 0),
    (Mutation::OwnProofBelieved, 5),
    (Mutation::LeaseUnbounded, 1),
    (Mutation::DiskErrorStays, 1),
];

/// What a run has to be like for this bug. Where there are several provers, another one makes up for what one fetched wrongly. A stranger gets a job
/// that the only prover gave back, because its worker had ended.
fn plan(mutation: Mutation, seed: u64) -> Option<Plan> {
    let plan = Plan::of(seed);
    match mutation {
        Mutation::ResumedOffByOne => plan.long.then_some(Plan { provers: 1, lying_prover: false, ..plan }),
        // A stranger claims, and it stays when faults end.
        Mutation::ClaimBelieved => {
            let (faults, quiet) = (vec![Fault::Worker, Fault::Restart], Duration::from_secs(3));
            let safety = Duration::from_secs(60);
            Some(Plan { provers: 1, holder: true, faults, quiet, safety, ..Plan::without_faults(seed) })
        }
        Mutation::AnybodySettles => Some(Plan { presumed_settler: true, ..plan }),
        Mutation::AnybodyOperates => Some(Plan { inventor: true, ..plan }),
        Mutation::OwnProofBelieved => {
            let (faults, quiet) = (vec![Fault::Worker], Duration::from_secs(3));
            Some(Plan { faults, quiet, ..Plan::without_faults(seed) })
        }
        Mutation::LeaseUnbounded => {
            let (faults, quiet) = (vec![Fault::Worker, Fault::Restart], Duration::from_secs(3));
            let safety = Duration::from_secs(60);
            Some(Plan { provers: 1, holder: true, faults, quiet, safety, ..Plan::without_faults(seed) })
        }
        Mutation::DiskErrorStays => {
            let (faults, quiet) = (vec![Fault::FullDisk], Duration::from_secs(4));
            Some(Plan { faults, quiet, ..Plan::without_faults(seed) })
        }
        Mutation::UndoForgets | Mutation::ClosedSlotUnchecked => Some(Plan { contracts: true, ..plan }),
        Mutation::ReadNotCompared => Some(Plan { contracts: true, lying_prover: true, ..plan }),
        Mutation::TimeRunsBack => {
            let (faults, quiet) = (vec![Fault::ClockJump, Fault::Restart, Fault::Crash], Duration::from_secs(2));
            let safety = Duration::from_secs(60);
            Some(Plan { contracts: true, faults, quiet, safety, ..Plan::without_faults(seed) })
        }
        _ => Some(plan),
    }
}

fn shows(mutation: Mutation, seed: u64) -> Option<(u64, Failure)> {
    Some((seed, run(seed, &plan(mutation, seed)?, false).failures.into_iter().next()?))
}

#[test]
fn every_planted_bug_is_found() {
    let search = std::env::var_os("SHARDWIRE_SEARCH").is_some();
    let only = std::env::var("SHARDWIRE_PLANT").ok();
    let mut missed = Vec::new();
    for mutation in Mutation::ALL.iter().filter(|it| only.as_ref().is_none_or(|only| only == it.name())) {
        mutation.plant();
        let known = KNOWN.iter().find(|(it, _)| !search && it == mutation).map(|(_, seed)| *seed);
        match known
            .and_then(|seed| shows(*mutation, seed))
            .or_else(|| (0..SEEDS).find_map(|seed| shows(*mutation, seed)))
        {
            Some((seed, failure)) => println!("{}: found by seed {seed}, {failure}", mutation.name()),
            None => missed.push(mutation.name()),
        }
    }
    assert_eq!(missed, [""; 0]);
}
