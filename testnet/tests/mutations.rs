//! The simulator finds bugs: each of those that can be planted shows within [`SEEDS`] runs.
//!
//! `cargo test --release -p testnet --features mutations --test mutations -- --nocapture` says after how many.
#![cfg(feature = "mutations")]
#![allow(missing_docs)]

use shardwire_model::Mutation;
use testnet::sim::{Plan, run};

/// In how many runs a bug has to show.
const SEEDS: u64 = 500;

#[test]
fn every_planted_bug_is_found() {
    let mut missed = Vec::new();
    for mutation in Mutation::ALL {
        mutation.plant();
        let found =
            (0..SEEDS).find_map(|seed| Some((seed, run(seed, &Plan::of(seed), false).failures.first()?.clone())));
        match found {
            Some((seed, failure)) => println!("{}: found after {} runs, {failure}", mutation.name(), seed + 1),
            None => missed.push(mutation.name()),
        }
    }
    assert_eq!(missed, [""; 0]);
}
