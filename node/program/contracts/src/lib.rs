//! The program `contracts`: real Starknet contracts, executed natively elsewhere, replayed and checked here in a Cairo program whose run can be
//! proven. No network, no storage, no native execution.
//!
//! `program/contracts.cairo` is the program. Its head says what a proof of it means, what is assumed of the contracts' code, and why no guess
//! of its prover can lie. `game/` has a dungeon as contracts, with their compiled forms, for tests.
//!
//! - [`replay`](replay()): runs the program on cairo-vm over what native execution found, to the end event.
//! - [`Carried`]: what a segment of a run hands to the next one; [`replay_segment`] begins from it.
//! - [`tree`]: what native execution found, call by call. [`Start`]: what the shard was started with. [`Class`]: compiled code.
//! - [`sessions`]: the contract in which accounts allow keys to call in their name.
//! - [`cost`]: what a run costs its prover, and how much one proof can take; [`Spent`] is what a replay has counted so far.
//! - [`places`]: which of its functions an address belongs to, to see what steps are for.
//! - [`Reads`]: what the run took from the state that it was forked from; a settler compares it.
//!
//! What is proven: INVOKE v3 at zero prices (hash, nonce, `__validate__`, `__execute__`, REVERTED), session calls (one signature a key), calls and library calls with their failures
//! undone, the syscalls StorageRead, StorageWrite, GetExecutionInfo, EmitEvent, CallContract, LibraryCall, GetClassHashAt with the gas of
//! Starknet's versioned constants 0.14.4, closed contracts after each transaction, time that goes on, the end event. What is refused: every other
//! syscall, and classes with builtins other than those of [`class::BUILTINS`].
//!
//! Of a class that its compiler cut in segments, only those that were used stay in memory and are hashed; of the others, their hash. Which they are is known
//! when the last transaction has run.
//!
//! Bounds are the `MAX_…` constants of [`start`](mod@start) and [`class`].
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod carried;
mod cells;
mod chains;
pub mod class;
mod compiled;
pub mod cost;
mod given;
mod hints;
mod loading;
pub mod places;
mod replay;
pub mod sessions;
mod spent;
mod syscalls;
#[cfg(test)]
mod tests;
pub mod tree;

pub use carried::{Carried, Size};
pub use class::{Class, ClassError};
pub use compiled::{COMPILED, data, gas, hash};
pub use replay::{Replay, ReplayError, Segment, replay, replay_counted, replay_segment};
pub use shardwire_model::{
    Reads,
    contracts::{self as start, Start, StartError},
};
pub use spent::{Opening, Spent};
