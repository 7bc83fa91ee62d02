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
//! **Session calls** are the shard's own: a call in an account's name, signed by a key that the account allowed, with an INVOKE to the contract that keeps
//! sessions, to make it ([`SessionCall`](shardwire_model::SessionCall)). Two methods are for them; both take their arguments by name or in order.
//!
//! | method | arguments | answer |
//! |---|---|---|
//! | `shardwire_addSessionCall` | `session_call`: `account`, `key`, `previous`, `contract`, `selector`, `calldata` (a list), `signature` (`r`, `s`), all felts | `transaction_hash`, the call's link, and `shardwire`. The same call again is answered so again |
//! | `shardwire_sessionLink` | `session_key`, a felt | `sessions`, the contract that keeps them; `link`, that of the key's last call, or the first; `calls`, how many there were; `shardwire` |
//!
//! A client **never signs on a link that a node told it**: who signs a link vouches for all links before it, also for calls that the node made up. It keeps
//! those that it signed; what a node says is good for seeing that they are the same.
//!
//! Readers that know nothing of them see a session call as an INVOKE of version 3 of its account that makes this one call: `calldata` is that of `__execute__`,
//! `nonce` is how many calls the key made before, `signature` is empty, `resource_bounds` are the fixed ones. That is also what contracts are told. The hash is
//! the link, not that of such an INVOKE. The field `shardwire.session` of the transaction has the rest: key, link before, the key's signature. The
//! account's nonce stays as it is: what `starknet_getNonce` says counts INVOKEs alone.
//!
//! What a door needs of a shard is the trait [`Chain`]; this crate has no virtual machine and no storage.
//!
//! Refused: transactions that are neither INVOKE v3 nor session calls, or that offer a price; declaring and deploying; storage proofs, traces of older transactions, messages of L1,
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
