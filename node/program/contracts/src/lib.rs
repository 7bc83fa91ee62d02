//! The program `contracts`: real Starknet contracts, executed natively elsewhere, replayed and checked here in a Cairo program that is proven.
//! No network, no storage, no native execution.
//!
//! `program/contracts.cairo` is the program; its head says what a proof of it means and why each guess of whoever runs it can't lie.
//!
//! - [`replay`](replay()): runs it on cairo-vm over what native execution found.
//! - [`tree`]: what native execution found, call by call. [`Start`]: what the shard was started with. [`Class`]: compiled code.
//!
//! Bounds are the `MAX_…` constants of [`start`], which is of the vocabulary, and of [`class`].
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod class;
mod compiled;
mod hints;
mod reads;
mod replay;
mod syscalls;
#[cfg(test)]
mod tests;
pub mod tree;

pub use class::{Class, ClassError};
pub use compiled::{COMPILED, data, hash};
pub use reads::Reads;
pub use replay::{Replay, ReplayError, replay};
pub use shardwire_model::contracts::{self as start, Start, StartError};
