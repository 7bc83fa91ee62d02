//! A shard network on one machine, from start to settled: three processes of the real node, a workload, and a check of the result.
//!
//! [`dungeon`] makes the workload, [`recompute`] computes the expected result, [`network`] runs the processes, [`run`] takes the shard through its life,
//! [`progress`] and [`report`] inform people and machines, [`command`] puts it together. [`crashes`] are for tests.
//!
//! [`contracts`] plays the same game as real Starknet contracts, over an operator's door for wallets.
//!
//! [`sim`] runs whole networks in virtual time, [`chaos`] kills real ones; [`checks`] are what must hold after both.
#![forbid(unsafe_code)]

pub mod chaos;
pub mod checks;
pub mod cli;
mod clients;
pub mod command;
pub mod contracts;
pub mod crashes;
mod dice;
pub mod dungeon;
pub mod error;
pub mod figures;
mod follow;
pub mod limits;
pub mod network;
pub mod progress;
pub mod recompute;
pub mod report;
pub mod run;
pub mod sim;
pub mod units;
mod watch;
