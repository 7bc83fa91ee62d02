//! The World: where shards start and settle. One trait, [`World`], and an embedded ledger behind it, [`EmbeddedLedger`].
//!
//! A World keeps a set of storage addresses, each a counter, an escrow (a balance that shards take amounts out of) or a lock, and
//! a record of each shard. Three transitions change it, each whole or not at all, each durable when the call returns:
//!
//! ```text
//!            start                    settle
//! (nothing) ───────▶ started ───────────────────────▶ settled
//!                       │  abort
//!                       └──────────▶ aborted
//! ```
//!
//! - [`start`](World::start) validates the request, moves escrow from balances, takes locks, and fixes what the shard begins with.
//!   The same request is the same shard, and starts once.
//! - [`settle`](World::settle) takes the output of a run *whose proof the caller has verified*, checks that it is one of this shard
//!   from the state that it began with, and merges its updates. Once: the same output with the same proof again is answered with the
//!   first settlement and changes nothing, another one is refused.
//! - [`abort`](World::abort) returns escrows and locks. A settlement that comes later is refused.
//!
//! How updates merge is `shardwire-crdt`'s business; this crate adds persistence. It knows no network and reads no clock:
//! the time of each transition is an argument.
//!
//! Bounds: a page of storage has at most [`MAX_STORAGE_PAGE`] entries, one of shards at most [`MAX_SHARD_PAGE`]; a genesis at most
//! [`MAX_GENESIS`] storage addresses; what a shard may list is bounded by the model. The number of shards is bounded by the disk.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod embedded;
mod error;
mod genesis;
mod world;

pub use embedded::{Audit, EmbeddedLedger, SCHEMA};
pub use error::LedgerError;
pub use genesis::{Genesis, GenesisEntry, GenesisError, GenesisValue, MAX_GENESIS, MAX_GENESIS_BYTES};
pub use redb::StorageBackend;
pub use shardwire_crdt::MergeError;
pub use world::{
    Aborted, MAX_SHARD_PAGE, MAX_STORAGE_PAGE, Settled, Settlement, ShardRecord, ShardState, ShardSummary, Stage,
    Started, StorageEntry, World,
};
