//! Counter, escrow and lock: how updates of parallel shards merge. Pure rules on data, no I/O.
//!
//! The World keeps a [`Cell`] for each storage slot. A shard that starts [claims](Cell::claim) what it will settle and gets a
//! [`Claim`] for each entry of its settlement list; what it brings back is turned into a [`Delta`] for each by [`settlement`] (or
//! by [`undo`], if it is aborted), and [`Cell::merge`] takes the delta in.
//!
//! | kind | at the start | while it runs | at the settlement |
//! |---|---|---|---|
//! | counter | nothing moves; there is room for what all open shards may add | any number of shards | the increments of all shards add up |
//! | escrow | an amount leaves the balance | each shard has its own amount, any number of shards | what is left returns, the rest is spent |
//! | lock | one shard takes it, with a fencing number | nobody else gets it | its value is the shard's, and it is free |
//!
//! What holds:
//! - **Order does not matter.** Deltas of different shards commute: addition for counters and escrows, and of a lock there is
//!   only ever one outstanding. So parallel shards converge whatever order they settle in.
//! - **Value is conserved.** Within a shard, escrows of one contract may pass value to each other, so one may return more than
//!   went in; all of a contract together may not. What is missing was spent.
//! - **Once.** A claim is good for one delta. A lock refuses a second by itself (its fencing number is used up); for counters and
//!   escrows the ledger closes the shard in the transaction that merges.
//!
//! What is refused (see [`MergeError`]): a balance that does not suffice, a lock that another shard holds, a kind that is not the
//! cell's, updates that are not exactly the settlement list, values out of range, a counter without [room](Cell::room) for another shard or
//! beyond 2^128 - 1, value out of nothing.
//! All functions take values and return new ones, so that a refusal leaves nothing half done.
//!
//! ```
//! use shardwire_crdt::{Cell, Delta, Escrow, MergeError};
//! use shardwire_model::{Kind, ShardId, Slot};
//!
//! # fn main() -> Result<(), MergeError> {
//! let (slot, shard) = (Slot::default(), ShardId::default());
//! let gold = Cell::Escrow(Escrow::new(100)).claim(slot, Kind::Escrow, shard, 30)?.cell;
//! assert_eq!((gold.value(), gold.in_escrow()), (70.into(), 30));
//! // The shard spent 10.
//! let gold = gold.merge(slot, Delta::Escrow { deposited: 30, returned: 20 })?;
//! assert_eq!((gold.value(), gold.in_escrow()), (90.into(), 0));
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod cell;
mod counter;
mod error;
mod escrow;
mod lock;
mod settlement;

pub use cell::{Cell, Claim, Claimed, Delta};
pub use counter::Counter;
pub use error::{MergeError, Sum};
pub use escrow::Escrow;
pub use lock::Lock;
pub use settlement::{settlement, undo};
