//! Each shard of contracts as a Starknet JSON-RPC endpoint of its operator, over HTTP: what wallets, indexers and tools speak.
//!
//! | path | answer |
//! |---|---|
//! | `/shard/<id>/rpc/v0_10` | the shard, in version 0.10 of Starknet's specification |
//! | `/shard/<id>/rpc/v0_9` | the same in version 0.9 |
//! | `/`, `/rpc`, `/rpc/v0_10`, `/rpc/v0_9` | the only shard, if there is one; without a version 0.10 |
//!
//! POST of JSON-RPC 2.0, also in batches; OPTIONS for browsers (CORS: any page may ask, since nothing here depends on who asks).
//!
//! A shard is a chain of its own. **Each transaction is a block at once**; the block before the first is the state that the shard began from. Hashes of
//! blocks derive from the log ([`Journal`]). Roots and commitments of blocks are 0: a shard keeps no tries. Fees and prices are 0, amounts of gas are real.
//! `ACCEPTED_ON_L2` means accepted by this shard, durable in its operator's log; the field `shardwire` beside it has the operator's signed receipt and
//! the shard's stage. An abort undoes all of it: then only the first block is left.
//!
//! What a door needs of a shard is the trait [`Chain`]; this crate has no virtual machine and no storage.
//!
//! Refused: transactions that aren't INVOKE v3 or that offer a price; declaring and deploying; storage proofs, traces of what is past, messages of L1,
//! websockets. Everything is bounded by [`bounds`] and, by address, by [`Settings`]; a stranger can slow down others of the same address only.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod answer;
mod block;
pub mod bounds;
pub mod chain;
mod door;
mod envelope;
mod error;
mod events;
mod http;
pub mod journal;
mod methods;
mod params;
#[cfg(test)]
mod sample;
mod settings;
mod version;
mod visitors;

pub use chain::{At, Chain, Refusal, RefusalKind, Shards};
pub use door::{Door, DoorError};
pub use journal::Journal;
pub use settings::Settings;
pub use version::Version;
