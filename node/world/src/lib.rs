//! The World: where shards start and settle. One asynchronous trait, [`World`], and an embedded ledger behind it, [`EmbeddedWorld`].
//!
//! A World keeps a set of storage addresses, each a counter, an escrow (a balance that shards take amounts out of) or a lock, and
//! a record of each shard. Three operations change it, each whole or not at all:
//!
//! ```text
//!            start                    settle
//! (nothing) ───────▶ started ───────────────────────▶ settled
//!                       │  abort
//!                       └──────────▶ aborted
//! ```
//!
//! - [`Start`](Operation::Start) moves escrow from balances, takes locks, and fixes what the shard begins with, the program that it runs and the
//!   deadline that it has. The same request is the same shard, and starts once. Refused: a program that the [identity](WorldIdentity) doesn't list, a
//!   deadline in the past or more than [`MAX_TIMEOUT`] ahead, a counter without room for what each open shard and this one
//!   [may add](shardwire_model::MAX_INCREMENT): so an honest output is never refused because a counter is full.
//! - [`Settle`](Operation::Settle) takes the output of a run *whose proof the submitter has verified*, checks that it is one of this shard
//!   from the state that it began with, and merges its updates. Once: the same output with the same proof again is answered with the
//!   first settlement and changes nothing, another one is refused. It is taken until somebody has aborted the shard, also after the deadline.
//! - [`Abort`](Operation::Abort) returns escrows and locks, and says why: somebody asked, or the deadline has passed, before which that is refused,
//!   or the shard is of an older layout, whose outputs are of an ABI that nothing settles any more. A settlement that comes later is refused.
//!
//! # Finality
//!
//! An operation is *submitted*, which makes a durable note of it, and may then be *pending*, for minutes where many must agree or a chain must
//! include it. In the end it is *final* or *refused* with a reason ([`Standing`]). Asking never guesses: what is pending is said to be pending, and
//! nothing of it shows in the World's records. Its [`Ticket`] is a hash of its content, so submitting it again, after a crash or because an
//! answer was lost, does it once. A refusal binds nobody: the same operation may be submitted again later and is judged anew (an abort by deadline, say).
//! Time is the World's own: an operation carries dates, and the World compares them with its clock.
//!
//! # Whose word counts
//!
//! A World has an [identity](WorldIdentity): its network, its genesis, its settlers, its programs. Every node has it, and peers compare its hash.
//!
//! How updates merge is `shardwire-crdt`'s business; this crate adds persistence. It knows no network. Clock and threads are arguments.
//!
//! Bounds: a page of storage has at most [`MAX_STORAGE_PAGE`] entries, one of shards at most [`MAX_SHARD_PAGE`]; a genesis at most
//! [`MAX_GENESIS`] storage addresses; what a shard may list is bounded by the model. The number of shards is bounded by the disk.
//!
//! With the feature `suite`, [`suite`] holds every implementation to the same vectors and random histories.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod embedded;
mod error;
pub mod events;
mod genesis;
mod identity;
mod operation;
#[cfg(feature = "suite")]
pub mod suite;
mod world;

pub use embedded::{EmbeddedLedger, EmbeddedWorld, MAX_REFUSALS, SCHEMA};
pub use error::{Refusal, WorldError};
pub use genesis::{Genesis, GenesisEntry, GenesisError, GenesisValue, MAX_GENESIS, MAX_GENESIS_BYTES};
pub use identity::{IdentityError, MAX_IDENTITY_BYTES, MAX_NETWORK_BYTES, MAX_PROGRAMS, MAX_SETTLERS, WorldIdentity};
pub use operation::{Aborted, Operation, Receipt, Settlement, Standing, Started, Ticket};
pub use redb::StorageBackend;
pub use shardwire_crdt::MergeError;
pub use shardwire_model::life::MAX_TIMEOUT;
pub use world::{
    Answering, Audit, MAX_SHARD_PAGE, MAX_STORAGE_PAGE, ShardRecord, ShardStage, ShardState, ShardSummary,
    StorageEntry, World, decided,
};
