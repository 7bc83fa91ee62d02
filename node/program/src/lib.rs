//! What a shard executes. No network, no storage.
//!
//! The way of a transaction through this room: [`Admission`] refuses what the shard program would not take and gives the rest a
//! place in the sequence; [`execute`](execute()) runs the sequence on the virtual machine, live, and cuts the witness in
//! chunks. At the prover `shardwire_witness` makes the flat witness of the chunks, without this room.
//!
//! - [`program`]: the Cairo program, embedded. What a proof of it means is said at the head of its source.
//! - [`admission`]: the program's rules, natively, and their refusals.
//! - [`execute`](mod@execute): the run.
//!
//! Bounds are the `MAX_…` constants of `shardwire-witness` and of `shardwire-model`.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod admission;
pub mod execute;
pub mod program;

pub use admission::{Admission, Refusal, Verdict};
pub use execute::{ExecuteError, Execution, execute, spawn};
