//! A shard network on one machine, from start to settled: three processes of the real node, a workload, and a judge.
//!
//! [`dungeon`] makes the workload, [`recompute`] says what must come out, [`network`] runs the processes, [`run`] leads the shard through its life,
//! [`progress`] and [`report`] tell people and machines, [`command`] puts it together. [`faults`] are for tests.
//!
//! [`sim`] runs whole networks in virtual time, [`chaos`] kills real ones; [`checks`] say what must hold of both.
#![forbid(unsafe_code)]

pub mod chaos;
pub mod checks;
pub mod cli;
pub mod command;
mod dice;
pub mod dungeon;
pub mod error;
pub mod faults;
pub mod figures;
pub mod network;
mod play;
pub mod progress;
pub mod recompute;
pub mod report;
pub mod run;
pub mod sim;
pub mod units;
