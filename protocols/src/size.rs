//! How many bytes postcard needs at most: the building blocks from which each message's limit is computed.
//!
//! Limits are derived from the model's bounds instead of being typed in, so that a limit is never smaller than a legal
//! message; `tests` in each protocol encode the largest legal value of each message to prove it.

use shardwire_model::{
    MAX_ACCOUNTS, MAX_CODE, MAX_CONTRACTS, MAX_ENTRIES, MAX_REASON,
    contracts::{MAX_CLASSES, MAX_SCRATCH},
};

/// A tag of an enum or an option, a bool.
pub(crate) const TAG: u32 = 1;
/// A varint of 16 bits.
pub(crate) const U16: u32 = 3;
/// A varint of 32 bits.
pub(crate) const U32: u32 = 5;
/// A varint of 64 bits; a timestamp.
pub(crate) const U64: u32 = 10;
/// A varint of 128 bits: an amount.
pub(crate) const U128: u32 = 19;
/// A felt and every identity made of one.
pub(crate) const FELT: u32 = 32;
/// A content hash.
pub(crate) const HASH: u32 = 32;
/// A peer's id.
pub(crate) const PEER: u32 = 32;
/// An ed25519 signature.
pub(crate) const SIGNATURE: u32 = 64;

/// The larger of two.
pub(crate) const fn max(a: u32, b: u32) -> u32 {
    if a > b { a } else { b }
}

/// A list of at most `max` elements of at most `each` bytes. Our bounds are far below what a `u32` holds.
#[allow(clippy::cast_possible_truncation)]
pub(crate) const fn list(max: usize, each: u32) -> u32 {
    U32 + max as u32 * each
}

/// A text of at most `max` bytes.
pub(crate) const fn text(max: usize) -> u32 {
    list(max, 1)
}

/// [`Terms`](shardwire_model::Terms), of contracts: genesis, or chain, number and hash of a block; begins, first block, sequencer, classes (two hashes), instances (class, rule),
/// maxima, scratch keys (contract, key).
const TERMS: u32 = TAG
    + max(HASH, 2 * FELT + U64)
    + 2 * U64
    + FELT
    + list(MAX_CLASSES, 2 * FELT)
    + list(MAX_CONTRACTS, FELT + TAG)
    + list(MAX_ENTRIES, U128)
    + list(MAX_SCRATCH, 2 * FELT);
/// A [`ShardStart`](shardwire_model::ShardStart): shard, program, operator, contracts, accounts, end event, deadline,
/// entries (kind, contract, key, guard), terms.
pub(crate) const SHARD_START: u32 = 2 * FELT
    + PEER
    + list(MAX_CONTRACTS, FELT)
    + list(MAX_ACCOUNTS, FELT)
    + 2 * FELT
    + U64
    + list(MAX_ENTRIES, TAG + 3 * FELT)
    + TERMS;
/// The value of each entry of the settlement list.
pub(crate) const VALUES: u32 = list(MAX_ENTRIES, FELT);
/// A [`Cause`](shardwire_model::Cause).
pub(crate) const CAUSE: u32 = text(MAX_CODE) + text(MAX_REASON);
/// A [`StartRequest`](shardwire_model::StartRequest): salt, program, operator, contracts, accounts, end event, entries (kind,
/// contract, key, owner, amount), terms.
pub(crate) const START_REQUEST: u32 = U64
    + FELT
    + PEER
    + list(MAX_CONTRACTS, FELT)
    + list(MAX_ACCOUNTS, FELT)
    + 2 * FELT
    + list(MAX_ENTRIES, TAG + 2 * FELT + (TAG + FELT) + U128)
    + TERMS;
