//! What a client and the operator say about transactions.

use crate::{
    signed::{Signed, Statement},
    size, timing,
};
use serde::{Deserialize, Serialize};
use shardwire_model::{
    AccountId, Cause, Hash, MAX_ACCOUNTS, MAX_CALLDATA_FELTS, MAX_SIGNATURE_FELTS, ShardId, ShardStart,
    ShardTransaction, bounded,
};
use shardwire_transport::message;

/// Which shard the client wants to send transactions to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The shard.
    pub shard: ShardId,
}

/// Why an operator takes no transactions for a shard: what a client acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// It runs no such shard; perhaps it isn't assigned yet, and asking again later helps.
    Unknown,
    /// The shard is over.
    Over,
    /// The operator can't go on with it.
    Stopped,
    /// The operator takes nothing now, because of its own machine: its disk is full, say. Asking again later helps.
    Later,
}

/// The operator takes no transactions for that shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What the client acts on.
    pub reason: RefusalReason,
    /// The same for a person.
    pub cause: Cause,
}

/// Where the shard stands.
///
/// It says each account's next nonce, not its chain's head: an account signs over the head, so one that took it from the
/// operator would authorise whatever the operator says came before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The World's start data. The client compares its commitment with what it knows from the World.
    pub start: ShardStart,
    /// The nonce that each account's next transaction has, in the order of the whitelist.
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_ACCOUNTS>")]
    pub nonces: Vec<u64>,
    /// Transactions accepted so far.
    pub accepted: u32,
    /// Whether no further transaction is accepted, because the end event was emitted or the shard is over. What was accepted before is
    /// answered as before.
    pub ended: bool,
}

/// A transaction for the shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submit {
    /// The transaction, with its account's signature.
    pub transaction: ShardTransaction,
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is in the shard's sequence, durably.
    Accepted {
        /// Where, from 0.
        sequence: u32,
        /// It was there already: the same transaction was submitted before.
        duplicate: bool,
        /// What it did is undone, because `__execute__`, or the call of a session, failed: its nonce, or its link, is used. Never of the fixed rules.
        reverted: bool,
    },
    /// It breaks a rule and is not in the sequence. It has used up no nonce: the account's later transactions have to be signed anew from the one that is due.
    /// So have the later session calls of a key, from the last link of its that is in the sequence, which its client knows.
    Refused {
        /// The rule: a stable code, and words for a person.
        cause: Cause,
        /// The nonce that the account's next transaction must have, session calls aside; none if the shard takes no more of it.
        due: Option<u64>,
    },
}

/// What the operator signs for each transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptContent {
    /// The shard.
    pub shard: ShardId,
    /// The transaction, by its [hash](ShardTransaction::hash): an account may have asked for several with one nonce. Its signature isn't in it.
    pub transaction: Hash,
    /// Its account.
    pub account: AccountId,
    /// Its nonce; none of a session call.
    pub nonce: Option<u64>,
    /// What became of it.
    pub outcome: Outcome,
}

impl Statement for ReceiptContent {
    const CONTEXT: &'static str = "shardwire ingress receipt 2";
}

/// The receipt of a transaction, signed by the shard's operator.
pub type Receipt = Signed<ReceiptContent>;

/// The client has no further transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {}

/// Account, nonce, contract, call (its tag, two keys, an amount), signature.
const SIGNED_TRANSACTION: u32 =
    size::FELT + size::U32 + size::FELT + (size::TAG + 2 * size::FELT + size::U128) + 2 * size::FELT;
/// Sender, nonce, calldata, signature, bounds of three resources.
const INVOKE: u32 = size::FELT
    + size::U64
    + size::list(MAX_CALLDATA_FELTS, size::FELT)
    + size::list(MAX_SIGNATURE_FELTS, size::FELT)
    + 3 * size::U64;
/// Account, key, link before, contract, selector, calldata, signature.
const SESSION_CALL: u32 = 5 * size::FELT + size::list(MAX_CALLDATA_FELTS, size::FELT) + 2 * size::FELT;
const TRANSACTION: u32 = size::TAG + size::max(SIGNED_TRANSACTION, size::max(INVOKE, SESSION_CALL));
const CONTENT: u32 =
    size::FELT + size::HASH + size::FELT + (size::TAG + size::U64) + size::TAG + size::CAUSE + size::TAG + size::U64;

message!(Open, max_bytes = size::FELT, deadline = timing::GREETING);
message!(Refused, max_bytes = size::TAG + size::CAUSE, deadline = timing::ANSWER);
message!(
    Opened,
    max_bytes = size::SHARD_START + size::list(MAX_ACCOUNTS, size::U64) + size::U32 + size::TAG,
    deadline = timing::ANSWER
);
message!(Submit, max_bytes = TRANSACTION, deadline = timing::IDLE, pipeline_depth = super::DEPTH);
message!(Receipt, max_bytes = CONTENT + size::SIGNATURE, deadline = timing::ANSWER);
message!(Bye, max_bytes = 0, deadline = timing::IDLE);
