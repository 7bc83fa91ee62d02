//! Networks at a block, as the states that shards of contracts begin from.
//!
//! [`Pinned::find`] asks a Starknet node which block that is, and fixes it by its hash. A [`Fork`] is the [`Ground`](shardwire_native::Ground) of a shard then: what a
//! transaction touches is asked for when it is touched, once, and kept: in memory, and by [`Answers`], so that a shard that
//! is executed again begins from the same state although the network goes on, or the node is gone. A class is kept as the network gave it, compiled here, and
//! must hash to its name. [`Forks`] are those of a node, which is told in its configuration who knows which network.
//!
//! Questions wait for the network, so they belong on threads of their own, as executions do. Who must not wait has a view of what is here ([`Forked::here`](shardwire_native::Forked::here)), and is told what is absent;
//! a shard's visitors have one that leaves room for shards and for other visitors ([`shown`](shardwire_native::Forked::shown)); who is about to say that somebody is wrong has one that asks each node anew
//! ([`again`](shardwire_native::Forked::again)). A question is asked up to [`ATTEMPTS`] times of each node, with waits between; then the state "can't be read at the moment" ([`ForkError`]), which is no
//! verdict about the transaction that asked. What had no answer is asked again by itself ([`Forks::try_again`]).
//!
//! A node is asked first which network it is of and whether it has the block; all answers are of the block's hash. That something isn't there is never kept, and of
//! a contract that has a class it isn't believed: a node that prunes says so of what it has dropped; where there are several nodes, the others are asked then. Beyond that the node is believed here. Who must not
//! believe it asks a node of his own: the reads of a run are in its proof's commitment.
//!
//! Refused: a block that isn't accepted yet; a class that isn't what its hash says, or that a shard can't run. Bounds: [`MAX_FORKS`] blocks,
//! [`MAX_ANSWERS`] that are kept of each, [`MAX_VISITORS`], [`PATIENCE`], and those of [`shardwire_starknet`].
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod answers;
mod error;
mod fork;
mod forks;
mod pinned;
mod question;
mod source;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod trouble;
mod views;

pub use answers::{Answered, Answers, InMemory};
pub use error::ForkError;
pub use fork::{Compile, Fork, MAX_ANSWERS};
pub use forks::{Forks, Keeper, MAX_FORKS};
pub use pinned::{PinError, Pinned, Wanted};
pub use question::Question;
pub use source::{ATTEMPTS, Network, PATIENCE, Source};
pub use views::MAX_VISITORS;
