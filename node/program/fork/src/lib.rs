//! A network at a block, as the state that a shard of contracts begins from.
//!
//! [`Pinned::find`] asks a Starknet node which block that is, and fixes it by its hash. A [`Fork`] is the [`Ground`](shardwire_native::Ground) of a shard then: what a
//! transaction touches is asked for when it is touched, once, and kept: in memory, and by [`Answers`] for as long as the shard lives, so that a shard that
//! is executed again begins from the same state although the network goes on, or the node is gone. A class is kept as the network gave it, compiled here, and
//! must hash to its name.
//!
//! Questions wait for the network, so they belong on threads of their own, as executions do. A question is asked up to [`ATTEMPTS`] times, with
//! waits between; then the state "can't be read at the moment", which is no verdict about the transaction that asked.
//!
//! The node that is asked is believed here. Who must not believe it asks a node of his own: the reads of a run are in its proof's commitment.
//!
//! Refused: a block that isn't accepted yet; a class that isn't what its hash says, or that a shard can't run. Bounds: [`MAX_ANSWERS`] a shard, and those of
//! [`shardwire_starknet`].
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod answers;
mod fork;
mod pinned;
mod source;

pub use answers::{Answers, InMemory};
pub use fork::{Fork, MAX_ANSWERS};
pub use pinned::{PinError, Pinned, Wanted};
pub use source::{ATTEMPTS, Network, Question, Source};
