//! The vocabulary that messages and domain share: identities, a shard's start, its transactions, its output.
//!
//! Everything here is data and pure functions on data: no I/O, no clock, no randomness. A type is in this crate if a
//! protocol message *and* a room without a network (execution, proving, ledger) both speak of it, or if two rooms do that know nothing of each other
//! (what executes contracts, and what answers wallets).
//!
//! - [`Felt`]s are elements of the Stark field. On the wire a felt is exactly 32 bytes, big-endian and canonical
//!   (below the prime); in JSON it is `0x…`. [`felt`] holds the identities made of one.
//! - [`ShardStart`] is the World's start data: what a shard may touch, and when it ends. It has a
//!   [commitment](ShardStart::commitment) that everything else is bound to. Its [`Terms`] are what shards of one kind have beyond that; [`contracts`] is
//!   the start data of a shard of contracts in its program's order, [`reads`] what its run took from elsewhere.
//! - [`Transaction`] is a signed step of a shard; its [words](Transaction::words) are what is hashed and proven.
//! - [`Invoke`] is a transaction of a shard of contracts, as wallets make it. [`ShardTransaction`] is either.
//!   [`execution`] is what came of it, [`sierra`] a class as it is declared.
//! - [`SessionCall`] is one of the same kind of shard that a key signs which an account allowed to make that call.
//! - [`Role`] and [`Stage`] say what a node does and how far a shard is; [`life`] says what may happen to a shard, and in which order.
//! - [`Cause`] is a [`Coded`] error that goes to somebody else; [`bounded`] reads lists and texts that can't be longer than they may;
//!   [`plain`] is what of a text a person may be shown.
//! - [`Output`] is the public output of the shard program, and all that settlement believes. [`abi_1`] is what older data folders have of both,
//!   [`without_terms`] what later ones have of starts.
//!
//! Bounds are the `MAX_…` constants; [`ShardStart::validate`] refuses what exceeds them.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod abi_1;
mod account;
mod address;
pub mod amount;
pub mod bounded;
mod cause;
mod chain;
mod clock;
mod commitment;
pub mod contracts;
mod entry;
mod error;
pub mod execution;
pub mod felt;
mod hash;
mod invoke;
pub mod life;
mod mutation;
mod output;
mod peer;
pub mod plain;
mod program;
mod proof;
pub mod reads;
mod request;
mod role;
mod segment;
mod session;
pub mod sierra;
mod slot;
mod start;
mod terms;
mod transaction;
mod validity;
pub mod without_terms;

pub use account::{AccountKey, Signature};
pub use address::{Address, MAX_HOST_BYTES, ParseAddressError, is_of_many, socket_address};
pub use cause::{Cause, MAX_CODE, MAX_REASON};
pub use chain::{ChainHead, transactions_commitment};
pub use clock::{Clock, Timestamp, Trust};
pub use commitment::{ABI_VERSION, state_commitment};
pub use entry::{Entry, EventId, Kind, MAX_ACCOUNTS, MAX_CONTRACTS, MAX_ENTRIES, finished_selector};
pub use error::Coded;
pub use felt::{AccountId, ContractId, Felt, Key, Selector, ShardId, starknet_keccak};
pub use hash::Hash;
pub use invoke::{Invoke, MAX_CALLDATA_FELTS, MAX_SIGNATURE_FELTS, ResourceBounds};
pub use life::Stage;
pub use mutation::Mutation;
pub use output::{HEADER_FELTS, Output, OutputError, UPDATE_FELTS, Update};
pub use peer::PeerId;
pub use program::program_hash;
pub use proof::MAX_PROOF_BYTES;
pub use reads::{MAX_READ_SLOTS, MAX_READS, Reads, ReadsError};
pub use request::{EntryRequest, StartRequest};
pub use role::Role;
pub use segment::{MAX_SEGMENTS, SegmentId};
pub use session::{SESSION_GAS, SessionCall, SessionHashes};
pub use slot::{ParseSlotError, Slot};
pub use start::ShardStart;
pub use terms::{ContractTerms, ForkId, Instance, Maximum, OriginId, Terms};
pub use transaction::{
    Action, Call, Logged, MAX_INCREMENT, MAX_TRANSACTIONS, ShardTransaction, SignedTransaction, Transaction,
    TransactionError,
};
pub use validity::StartError;
