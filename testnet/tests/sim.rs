//! Whole networks in virtual time: they settle whatever goes wrong, and the same seed is the same run everywhere.
#![allow(missing_docs)]

use std::{process::Command, time::Duration};
use testnet::sim::{Fault, Plan, Seeds, campaign, run};

/// Enough seeds to meet every kind of fault; `testnet sim` runs more.
const SEEDS: &str = "0..12";

fn object(arguments: &[&str]) -> serde_json::Value {
    let output = Command::new(env!("CARGO_BIN_EXE_testnet")).arg("sim").args(arguments).arg("--json").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

#[test]
fn a_network_without_faults_settles_every_shard() {
    for seed in 0..3 {
        let plan = Plan::without_faults(seed);
        let outcome = run(seed, &plan, false);
        assert_eq!(outcome.failures, []);
        assert_eq!(outcome.settled, plan.shards as u64);
    }
}

#[test]
fn a_network_without_faults_settles_shards_of_contracts() {
    for seed in 0..2 {
        let plan = Plan { contracts: true, ..Plan::without_faults(seed) };
        let outcome = run(seed, &plan, false);
        assert_eq!(outcome.failures, [], "seed {seed}");
        assert_eq!((outcome.settled, outcome.contracts_settled), (plan.shards as u64 + 1, 1), "seed {seed}");
    }
}

/// An operator that crashes executes its log again, clocks jump between two transactions, and a prover forges runs.
#[test]
fn shards_of_contracts_are_settled_whatever_goes_wrong() {
    for seed in 0..4 {
        let faults = vec![Fault::Crash, Fault::CrashAtWrite, Fault::Restart, Fault::ClockJump, Fault::ReadErrors];
        let quiet = Duration::from_secs(4);
        let plan = Plan { contracts: true, lying_prover: true, faults, quiet, ..Plan::without_faults(seed) };
        let outcome = run(seed, &plan, false);
        assert_eq!(outcome.failures, [], "seed {seed}");
        assert_eq!(outcome.contracts_settled, 1, "seed {seed}");
    }
}

#[test]
fn a_network_settles_every_shard_whatever_goes_wrong() {
    let mut said = Vec::new();
    let totals = campaign(SEEDS.parse().unwrap(), false, &mut |line| said.push(line.to_owned()));
    assert_eq!(totals.failures, [], "{said:#?}");
    assert_eq!(totals.seeds, 12);
    assert!(totals.crashes > 0 && totals.partitions > 0 && totals.shards_settled > 12, "{totals:?}");
}

/// A fixed bug: the World had aborted a shard after its deadline, and the settler, its clock set back meanwhile, signed an earlier date.
#[test]
fn a_settler_whose_clock_was_set_back_dates_an_abort_by_the_world() {
    assert_eq!(run(101, &Plan::of(101), false).failures, []);
}

/// A fixed bug: it did what it had noted again and again without a pause, so the run never ended.
#[test]
fn a_settler_whose_disk_is_full_waits_before_it_tries_again() {
    assert_eq!(run(227, &Plan::of(227), false).failures, []);
}

/// A fixed bug: the prover gave the job up, because it knew that it had all chunks, and they were gone.
#[test]
fn a_prover_that_lost_its_chunks_in_a_crash_fetches_them_again() {
    for seed in [0, 1, 2, 3, 4, 5] {
        let faults = vec![Fault::Crash, Fault::CrashAtWrite];
        let quiet = Duration::from_secs(4);
        let plan = Plan { provers: 1, faults, quiet, proof: Duration::from_secs(9), ..Plan::without_faults(seed) };
        assert_eq!(run(seed, &plan, false).failures, [], "seed {seed}");
    }
}

#[test]
fn the_same_seed_is_the_same_run_here_and_in_another_process() {
    // The last one has a shard of contracts.
    let contracts = (0..).find(|seed| Plan::of(*seed).contracts).unwrap();
    for seed in [3, 4, contracts] {
        let here = || campaign(Seeds::one(seed), false, &mut |_| {}).hash;
        let hash = here();
        assert_eq!(hash, here(), "seed {seed}, twice in one process");
        let number = seed.to_string();
        for _ in 0..2 {
            assert_eq!(object(&["--seed", &number])["hash"], hash.as_str(), "seed {seed}, in another process");
        }
    }
    let of = |seed| run(seed, &Plan::of(seed), false).hash;
    assert_ne!(of(1), of(2));
}

#[test]
fn the_last_line_is_an_object_with_all_that_came_out() {
    let object = object(&["--seeds", "0..2"]);
    let fields: Vec<&String> = object.as_object().unwrap().keys().collect();
    let expected = [
        "contracts_settled",
        "crashes",
        "failures",
        "hash",
        "partitions",
        "seeds",
        "seeds_per_minute",
        "shards_aborted",
        "shards_settled",
        "virtual_hours",
    ];
    assert_eq!(fields, expected);
    assert_eq!(object["seeds"], 2);
}

#[test]
fn misuse_says_what_is_expected() {
    for seeds in ["5..5", "7", "a..b"] {
        let output = Command::new(env!("CARGO_BIN_EXE_testnet")).args(["sim", "--seeds", seeds]).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains("expected FIRST..END, with an end above the first"), "{text}");
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn processes_that_stop_and_go_on_settle_every_shard() {
    for seed in 0..4 {
        let (faults, quiet) = (vec![Fault::Pause], Duration::from_secs(8));
        let plan = Plan { provers: 2, faults, quiet, safety: Duration::from_secs(60), ..Plan::without_faults(seed) };
        assert_eq!(run(seed, &plan, false).failures, [], "seed {seed}");
    }
}

#[test]
fn clocks_that_jump_by_days_end_no_shard_and_settle_every_one() {
    for seed in 0..6 {
        let (faults, quiet) = (vec![Fault::ClockJump, Fault::Restart, Fault::Crash], Duration::from_secs(3));
        let plan = Plan { faults, quiet, safety: Duration::from_secs(60), ..Plan::without_faults(seed) };
        let outcome = run(seed, &plan, false);
        assert_eq!(outcome.failures, [], "seed {seed}");
        assert_eq!(outcome.settled, plan.shards as u64, "seed {seed}");
    }
}

/// A fixed bug: three failures of a full disk ended a job for good.
#[test]
fn a_prover_whose_disk_is_full_for_long_proves_when_it_has_room_again() {
    for seed in 0..4 {
        let (faults, quiet) = (vec![Fault::FullDisk], Duration::from_secs(5));
        let plan = Plan { provers: 1, faults, quiet, safety: Duration::from_secs(60), ..Plan::without_faults(seed) };
        assert_eq!(run(seed, &plan, false).failures, [], "seed {seed}");
    }
}

/// Fixed bugs: three ends of a worker of whatever cause were a verdict, and a disk that was full once was so until a restart.
#[test]
fn workers_that_end_for_local_reasons_and_disks_that_are_freed_make_no_job_fail() {
    for seed in 0..6 {
        let (faults, quiet) = (vec![Fault::Worker, Fault::FullDisk], Duration::from_secs(4));
        let plan = Plan { provers: 1, faults, quiet, safety: Duration::from_secs(60), ..Plan::without_faults(seed) };
        assert_eq!(run(seed, &plan, false).failures, [], "seed {seed}");
    }
}

/// Fixed bugs: a receipt of anybody kept the World's settler from a proof, and signs of life held a job for ever.
#[test]
fn strangers_that_settle_and_hold_jobs_keep_no_shard_from_being_settled() {
    for seed in 0..4 {
        let (faults, quiet) = (vec![Fault::Worker, Fault::Restart], Duration::from_secs(4));
        let strangers = Plan { presumed_settler: true, holder: true, ..Plan::without_faults(seed) };
        let plan = Plan { provers: 1, faults, quiet, safety: Duration::from_secs(60), ..strangers };
        let outcome = run(seed, &plan, false);
        assert_eq!(outcome.failures, [], "seed {seed}");
        assert_eq!(outcome.settled, plan.shards as u64, "seed {seed}");
    }
}

/// A fixed bug: a client whose last receipt was lost asked for it for ever if its shard had settled meanwhile.
#[test]
fn a_receipt_that_was_lost_is_given_again_when_the_shard_is_over() {
    assert_eq!(run(1127, &Plan::of(1127), false).failures, []);
}

#[test]
fn shards_that_are_given_up_and_those_of_a_liar_are_aborted() {
    let mut aborted = 0;
    for seed in 0..4 {
        let plan = Plan { shards: 3, lying_operator: true, impatient: true, ..Plan::without_faults(seed) };
        let outcome = run(seed, &plan, false);
        assert_eq!(outcome.failures, [], "seed {seed}");
        aborted += outcome.aborted;
    }
    assert!(aborted > 2, "{aborted}");
}
