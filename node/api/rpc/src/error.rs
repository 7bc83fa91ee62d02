//! What a caller is told who can't have what was asked: Starknet's own errors for a wallet's mistakes, JSON-RPC's for a caller's, and a clear one for
//! what a shard doesn't do. Each has, beside Starknet's code, a code of ours and the next step in its data.

use crate::{bounds, chain::Refusal, chain::RefusalKind};
use serde::Serialize;
use serde_json::{Value, json};
use shardwire_model::{Coded, ContractId, Felt, ShardId};
use std::fmt::Write as _;

/// The code of an answer that is refused because it would be too much: what providers of Starknet nodes use.
pub(crate) const LIMIT_EXCEEDED: i64 = -32_005;
/// The code of an answer that can't be given at the moment.
pub(crate) const UNAVAILABLE: i64 = -32_000;

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RpcError {
    /// The body isn't JSON.
    #[error("the request isn't JSON: {0}")]
    Parse(String),
    /// A call isn't one of JSON-RPC 2.0.
    #[error("this is no call of JSON-RPC 2.0: {0}")]
    Request(String),
    /// Too many calls in one batch.
    #[error("a batch has at most {} calls", bounds::MAX_BATCH)]
    Batch,
    /// The arguments don't fit the method.
    #[error("the arguments don't fit {method}: {reason}")]
    Params {
        /// The method.
        method: String,
        /// What the reader of JSON says.
        reason: String,
    },
    /// Starknet has no such method, or none that is a call.
    #[error("there is no method '{0}'")]
    NoMethod(String),
    /// A shard doesn't do this.
    #[error("{method} is not available in a shard: {why}")]
    NotHere {
        /// The method.
        method: String,
        /// What a shard has instead, or why it has none.
        why: &'static str,
    },
    /// The answer would be too long.
    #[error("the answers of this request would exceed {} bytes", bounds::MAX_ANSWER_BYTES)]
    TooLong,
    /// It took too long.
    #[error("the request took longer than {} s", bounds::ANSWER_DEADLINE.as_secs())]
    TooSlow,
    /// A transaction was submitted, and what became of it isn't known yet.
    #[error("the shard didn't answer within {} s: the transaction may still be accepted", bounds::ANSWER_DEADLINE.as_secs())]
    Unanswered,
    /// Something here failed, which says nothing about the call.
    #[error("the node failed to answer: {0}")]
    Internal(String),
    /// No such block.
    #[error("{0}")]
    NoBlock(String),
    /// The shard has no such contract.
    #[error("contract {0} is not one of this shard's")]
    NoContract(ContractId),
    /// The shard has no such class.
    #[error("class {0:#x} is not one of this shard's")]
    NoClass(Felt),
    /// No such transaction in the block.
    #[error("block {number} has {count} transactions")]
    NoIndex {
        /// The block's number.
        number: u64,
        /// How many it has.
        count: u64,
    },
    /// No such transaction.
    #[error("transaction {0:#x} is not in this shard's log")]
    NoTransaction(Felt),
    /// It is there, and the calls that it made aren't kept.
    #[error("the calls of transaction {0:#x} aren't kept: a shard keeps those of its newest transactions")]
    NoTrace(Felt),
    /// It was there, and an abort undid it.
    #[error("the shard was aborted: transaction {0:#x} is undone")]
    Undone(Felt),
    /// A page of events would be too long.
    #[error("a page has at most {} events", bounds::MAX_CHUNK)]
    Page,
    /// Not a token of `getEvents`, or one for another range.
    #[error("the continuation token is not one that this shard gave for this range")]
    Token,
    /// A filter with too many keys.
    #[error("a filter has at most {} keys", bounds::MAX_FILTER_KEYS)]
    FilterKeys,
    /// A transaction of an older version.
    #[error("a shard takes INVOKE transactions of version 3, not {0}")]
    TransactionVersion(String),
    /// A transaction that has what a shard has no use for.
    #[error("{what} of a transaction must be {must} in a shard")]
    Unsupported {
        /// The field.
        what: &'static str,
        /// What it must be.
        must: &'static str,
    },
    /// Not the account's next nonce, because no account's is so high.
    #[error("nonce {0:#x} is not the account's next")]
    Nonce(Felt),
    /// A transaction whose cost is asked for would be reverted.
    #[error("the transaction would be reverted: {0}")]
    Reverted(String),
    /// The shard refuses a transaction.
    #[error("{0}")]
    Submit(Refusal),
    /// The shard refuses to call or to read.
    #[error("{0}")]
    Read(Refusal),
    /// The shard refuses to simulate, or what is to be simulated can't be a transaction.
    #[error("{reason}")]
    Simulate {
        /// The transaction's place in the list.
        place: usize,
        /// The error that the transaction alone would have.
        reason: Box<Self>,
    },
}

impl Coded for RpcError {
    fn code(&self) -> &'static str {
        match self {
            Self::Parse(_) => "SW-RPC-101",
            Self::Request(_) => "SW-RPC-102",
            Self::Batch => "SW-RPC-103",
            Self::Params { .. } => "SW-RPC-104",
            Self::NoMethod(_) => "SW-RPC-105",
            Self::NotHere { .. } => "SW-RPC-106",
            Self::TooLong => "SW-RPC-107",
            Self::TooSlow => "SW-RPC-108",
            Self::Internal(_) => "SW-RPC-109",
            Self::NoBlock(_) => "SW-RPC-110",
            Self::NoContract(_) => "SW-RPC-111",
            Self::NoClass(_) => "SW-RPC-112",
            Self::NoIndex { .. } => "SW-RPC-113",
            Self::NoTransaction(_) => "SW-RPC-114",
            Self::Undone(_) => "SW-RPC-115",
            Self::Page => "SW-RPC-116",
            Self::Token => "SW-RPC-117",
            Self::FilterKeys => "SW-RPC-118",
            Self::TransactionVersion(_) => "SW-RPC-119",
            Self::Unsupported { .. } => "SW-RPC-120",
            Self::Nonce(_) => "SW-RPC-121",
            Self::Reverted(_) => "SW-RPC-122",
            Self::Unanswered => "SW-RPC-123",
            Self::NoTrace(_) => "SW-RPC-124",
            Self::Submit(refusal) | Self::Read(refusal) => refusal.code(),
            Self::Simulate { reason, .. } => reason.code(),
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Parse(_) | Self::Request(_) => {
                r#"Send {"jsonrpc":"2.0","id":1,"method":"starknet_blockNumber","params":[]}, or a list of such."#
                    .into()
            }
            Self::Batch => "Send several batches.".into(),
            Self::Params { method, .. } if method.starts_with("shardwire_") => {
                "Give the arguments of the page of crate shardwire-rpc, by name or in order.".into()
            }
            Self::Params { .. } => "Give the arguments of Starknet's JSON-RPC 0.9 or 0.10, by name or in order.".into(),
            Self::NoMethod(_) => "Call a method of Starknet's JSON-RPC; websocket subscriptions are not served.".into(),
            Self::NotHere { .. } => "Do this on the chain, before the shard starts or after it has settled.".into(),
            Self::TooLong | Self::TooSlow => "Ask for less in one request.".into(),
            Self::Unanswered => "Ask for the transaction's status before you submit it again.".into(),
            Self::Internal(_) => "Try again; if this lasts, read the operator's log.".into(),
            Self::NoBlock(_) => "Ask for 'latest', or for a number from starknet_blockNumber downwards.".into(),
            Self::NoContract(_) | Self::NoClass(_) => "Use what the shard was started with.".into(),
            Self::NoIndex { .. } => "Each transaction is a block of its own: ask for index 0.".into(),
            Self::NoTransaction(_) => "Submit it, or ask the shard to which it was submitted.".into(),
            Self::NoTrace(_) => "Read its receipt, or what its block changed with starknet_getStateUpdate.".into(),
            Self::Undone(_) => "Read the balances on the chain: escrow and locks went back.".into(),
            Self::Page => "Ask for a smaller chunk_size, and follow the continuation token.".into(),
            Self::Token => "Begin again without a token.".into(),
            Self::FilterKeys => "Ask with fewer keys, or with none and choose from what comes.".into(),
            Self::TransactionVersion(_) => "Sign the transaction as INVOKE of version 3.".into(),
            Self::Unsupported { .. } => "A shard takes no fee: sign the transaction again without it.".into(),
            Self::Nonce(_) => "Ask for the account's nonce at 'pre_confirmed', and sign the transaction again.".into(),
            Self::Reverted(_) => "Correct the calls, or set l2_gas.max_amount and submit it as it is.".into(),
            Self::Submit(refusal) | Self::Read(refusal) => refusal.next_step(),
            Self::Simulate { reason, .. } => reason.next_step(),
        }
    }
}

impl RpcError {
    /// Starknet's code and message, or JSON-RPC's.
    fn code_and_message(&self) -> (i64, &'static str) {
        match self {
            Self::Parse(_) => (-32_700, "Parse error"),
            Self::Request(_) | Self::Batch => (-32_600, "Invalid Request"),
            Self::Params { .. } => (-32_602, "Invalid params"),
            Self::NoMethod(_) => (-32_601, "Method not found"),
            Self::NotHere { .. } => (-32_601, "Method not available in a shard"),
            Self::TooLong => (LIMIT_EXCEEDED, "Limit exceeded"),
            Self::TooSlow | Self::Unanswered => (UNAVAILABLE, "Unavailable at the moment"),
            Self::Internal(_) => (-32_603, "Internal error"),
            Self::NoBlock(_) => (24, "Block not found"),
            Self::NoContract(_) => (20, "Contract not found"),
            Self::NoClass(_) => (28, "Class hash not found"),
            Self::NoIndex { .. } => (27, "Invalid transaction index in a block"),
            Self::NoTransaction(_) | Self::Undone(_) => (29, "Transaction hash not found"),
            Self::NoTrace(_) => (10, "No trace available for transaction"),
            Self::Page => (31, "Requested page size is too big"),
            Self::Token => (33, "The supplied continuation token is invalid or unknown"),
            Self::FilterKeys => (34, "Too many keys provided in a filter"),
            Self::TransactionVersion(_) => (61, "The transaction version is not supported"),
            Self::Unsupported { .. } => (63, "An unexpected error occurred"),
            Self::Nonce(_) => (52, "Invalid transaction nonce"),
            Self::Reverted(_) => (41, "Transaction execution error"),
            Self::Submit(refusal) => submit(refusal.kind()),
            Self::Read(refusal) => read(refusal.kind()),
            Self::Simulate { reason, .. } => match &**reason {
                Self::Submit(refusal) if refusal.kind() == RefusalKind::Unavailable => submit(refusal.kind()),
                Self::Submit(refusal) if refusal.kind() == RefusalKind::Past => read(refusal.kind()),
                _ => (41, "Transaction execution error"),
            },
        }
    }

    /// What went wrong, with our code and the next step.
    fn text(&self) -> String {
        let reason: String = self.to_string().chars().take(bounds::MAX_REASON_CHARS).collect();
        let reason = reason.trim_end_matches('.');
        format!("{reason} ({}). {}", self.code(), self.next_step())
    }

    /// The error object of JSON-RPC, for a call to this shard.
    pub(crate) fn object(&self, shard: Option<ShardId>) -> ErrorObject {
        let (code, message) = self.code_and_message();
        let text = self.text();
        let data = match (code, self) {
            // Starknet has two words for it, and the transaction is certainly received.
            (10, _) => json!({ "status": "RECEIVED", "reason": text }),
            (40, _) => json!({ "revert_error": text }),
            (41, Self::Simulate { place, .. }) => json!({ "transaction_index": place, "execution_error": text }),
            _ => Value::String(text),
        };
        let refusal = match self {
            Self::Submit(refusal) if !refusal.signed().is_empty() => {
                shard.map(|shard| SignedRefusal { shard, receipt: format!("0x{}", hex::encode(refusal.signed())) })
            }
            _ => None,
        };
        ErrorObject { code, message, data, shardwire: refusal }
    }
}

/// What a wallet is told of a refused transaction.
const fn submit(kind: RefusalKind) -> (i64, &'static str) {
    match kind {
        RefusalKind::Duplicate => (59, "A transaction with the same hash already exists in the mempool"),
        RefusalKind::Nonce => (52, "Invalid transaction nonce"),
        RefusalKind::Validation => (55, "Account validation failed"),
        RefusalKind::Gas => (53, "The transaction's resources don't cover validation or the minimal transaction fee"),
        RefusalKind::NoAccount => (58, "Sender address is not an account contract"),
        RefusalKind::Unavailable => (UNAVAILABLE, "Unavailable at the moment"),
        _ => (63, "An unexpected error occurred"),
    }
}

/// What a reader is told.
const fn read(kind: RefusalKind) -> (i64, &'static str) {
    match kind {
        RefusalKind::NoContract | RefusalKind::NoAccount => (20, "Contract not found"),
        RefusalKind::NoEntryPoint => (21, "Requested entry point does not exist in the contract"),
        RefusalKind::Past => (24, "Block not found"),
        RefusalKind::Unavailable => (UNAVAILABLE, "Unavailable at the moment"),
        _ => (40, "Contract error"),
    }
}

/// The error object of JSON-RPC.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorObject {
    pub(crate) code: i64,
    message: &'static str,
    data: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    shardwire: Option<SignedRefusal>,
}

#[derive(Debug, Serialize)]
struct SignedRefusal {
    shard: ShardId,
    receipt: String,
}

/// A few of many ids, for a person.
pub(crate) fn listed(ids: &[ShardId]) -> String {
    const SHOWN: usize = 4;
    let mut text = String::new();
    for id in ids.iter().take(SHOWN) {
        let _ = write!(text, " /shard/{id}");
    }
    if ids.len() > SHOWN {
        let _ = write!(text, " and {} more", ids.len() - SHOWN);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the shard says why.")]
    struct Why;

    impl Coded for Why {
        fn code(&self) -> &'static str {
            "SW-X-1"
        }
        fn next_step(&self) -> String {
            "Mend it.".into()
        }
    }

    fn object(error: &RpcError) -> (i64, &'static str, Value) {
        let ErrorObject { code, message, data, .. } = error.object(None);
        (code, message, data)
    }

    #[test]
    fn every_error_of_the_door_has_its_text() {
        let call =
            "Send {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"starknet_blockNumber\",\"params\":[]}, or a list of such.";
        let params = "Give the arguments of Starknet's JSON-RPC 0.9 or 0.10, by name or in order.";
        let method = || "starknet_x".to_owned();
        for (error, code, text) in [
            (RpcError::Parse("why".into()), -32_700, format!("the request isn't JSON: why (SW-RPC-101). {call}")),
            (RpcError::Request("why".into()), -32_600, format!("this is no call of JSON-RPC 2.0: why (SW-RPC-102). {call}")),
            (RpcError::Batch, -32_600, "a batch has at most 1024 calls (SW-RPC-103). Send several batches.".into()),
            (
                RpcError::Params { method: method(), reason: "why".into() },
                -32_602,
                format!("the arguments don't fit starknet_x: why (SW-RPC-104). {params}"),
            ),
            (
                RpcError::Params { method: "shardwire_x".into(), reason: "why".into() },
                -32_602,
                "the arguments don't fit shardwire_x: why (SW-RPC-104). Give the arguments of the page of crate shardwire-rpc, by name or in order.".into(),
            ),
            (
                RpcError::NoMethod(method()),
                -32_601,
                "there is no method 'starknet_x' (SW-RPC-105). Call a method of Starknet's JSON-RPC; websocket subscriptions are not served.".into(),
            ),
            (
                RpcError::NotHere { method: method(), why: "it has none" },
                -32_601,
                "starknet_x is not available in a shard: it has none (SW-RPC-106). Do this on the chain, before the shard starts or after it has settled.".into(),
            ),
            (
                RpcError::TooLong,
                -32_005,
                "the answers of this request would exceed 25165824 bytes (SW-RPC-107). Ask for less in one request.".into(),
            ),
            (RpcError::TooSlow, -32_000, "the request took longer than 30 s (SW-RPC-108). Ask for less in one request.".into()),
            (
                RpcError::Unanswered,
                -32_000,
                "the shard didn't answer within 30 s: the transaction may still be accepted (SW-RPC-123). Ask for the transaction's status before you submit it again.".into(),
            ),
            (
                RpcError::Internal("why".into()),
                -32_603,
                "the node failed to answer: why (SW-RPC-109). Try again; if this lasts, read the operator's log.".into(),
            ),
            (
                RpcError::NoBlock("there is no block 7".into()),
                24,
                "there is no block 7 (SW-RPC-110). Ask for 'latest', or for a number from starknet_blockNumber downwards.".into(),
            ),
            (
                RpcError::NoContract(ContractId(Felt::TWO)),
                20,
                "contract 0x2 is not one of this shard's (SW-RPC-111). Use what the shard was started with.".into(),
            ),
            (
                RpcError::NoClass(Felt::TWO),
                28,
                "class 0x2 is not one of this shard's (SW-RPC-112). Use what the shard was started with.".into(),
            ),
            (
                RpcError::NoIndex { number: 7, count: 1 },
                27,
                "block 7 has 1 transactions (SW-RPC-113). Each transaction is a block of its own: ask for index 0.".into(),
            ),
            (
                RpcError::NoTransaction(Felt::TWO),
                29,
                "transaction 0x2 is not in this shard's log (SW-RPC-114). Submit it, or ask the shard to which it was submitted.".into(),
            ),
            (
                RpcError::Undone(Felt::TWO),
                29,
                "the shard was aborted: transaction 0x2 is undone (SW-RPC-115). Read the balances on the chain: escrow and locks went back.".into(),
            ),
            (
                RpcError::Page,
                31,
                "a page has at most 1024 events (SW-RPC-116). Ask for a smaller chunk_size, and follow the continuation token.".into(),
            ),
            (
                RpcError::Token,
                33,
                "the continuation token is not one that this shard gave for this range (SW-RPC-117). Begin again without a token.".into(),
            ),
            (
                RpcError::FilterKeys,
                34,
                "a filter has at most 1024 keys (SW-RPC-118). Ask with fewer keys, or with none and choose from what comes.".into(),
            ),
            (
                RpcError::TransactionVersion("DECLARE of version 0x3".into()),
                61,
                "a shard takes INVOKE transactions of version 3, not DECLARE of version 0x3 (SW-RPC-119). Sign the transaction as INVOKE of version 3.".into(),
            ),
            (
                RpcError::Unsupported { what: "tip", must: "0" },
                63,
                "tip of a transaction must be 0 in a shard (SW-RPC-120). A shard takes no fee: sign the transaction again without it.".into(),
            ),
            (
                RpcError::Nonce(Felt::TWO),
                52,
                "nonce 0x2 is not the account's next (SW-RPC-121). Ask for the account's nonce at 'pre_confirmed', and sign the transaction again.".into(),
            ),
        ] {
            let (found, _, data) = object(&error);
            assert_eq!((found, data), (code, Value::String(text)));
        }
    }

    #[test]
    fn calls_that_are_not_kept_have_the_status_that_the_specification_asks_for() {
        let reason = "the calls of transaction 0x2 aren't kept: a shard keeps those of its newest transactions (SW-RPC-124). Read its receipt, or what its block \
                      changed with starknet_getStateUpdate.";
        let (code, _, data) = object(&RpcError::NoTrace(Felt::TWO));
        assert_eq!((code, data), (10, json!({ "status": "RECEIVED", "reason": reason })));
    }

    #[test]
    fn what_would_be_reverted_has_no_estimate() {
        let reason = Box::new(RpcError::Reverted("no gold".into()));
        let (code, _, data) = object(&RpcError::Simulate { place: 1, reason });
        let text = "the transaction would be reverted: no gold (SW-RPC-122). Correct the calls, or set l2_gas.max_amount and submit it as it is.";
        assert_eq!((code, data), (41, json!({ "transaction_index": 1, "execution_error": text })));
    }

    #[test]
    fn a_refusal_of_the_shard_is_starknets_own_error() {
        use RefusalKind::*;
        let text = "the shard says why (SW-X-1). Mend it.";
        for (kind, submitted, read) in [
            (Duplicate, 59, 40),
            (Nonce, 52, 40),
            (Validation, 55, 40),
            (Gas, 53, 40),
            (NoAccount, 58, 20),
            (NoContract, 63, 20),
            (NoEntryPoint, 63, 21),
            (Failed, 63, 40),
            (Past, 63, 24),
            (Unavailable, -32_000, -32_000),
            (Rule, 63, 40),
        ] {
            let refusal = Refusal::new(kind, &Why);
            let (code, _, data) = object(&RpcError::Submit(refusal.clone()));
            assert_eq!((code, data), (submitted, Value::String(text.into())), "{kind:?}");
            let (code, _, data) = object(&RpcError::Read(refusal.clone()));
            let wanted = if read == 40 { json!({ "revert_error": text }) } else { Value::String(text.into()) };
            assert_eq!((code, data), (read, wanted), "{kind:?}");
            let (code, _, data) = object(&RpcError::Simulate { place: 3, reason: Box::new(RpcError::Submit(refusal)) });
            match kind {
                Unavailable => assert_eq!(code, -32_000),
                Past => assert_eq!(code, 24),
                _ => assert_eq!((code, data), (41, json!({ "transaction_index": 3, "execution_error": text }))),
            }
        }
    }

    #[test]
    fn a_signed_refusal_comes_with_the_error() {
        let refusal = Refusal::new(RefusalKind::Nonce, &Why).with_signed(vec![0xab, 0xcd]);
        let object = RpcError::Submit(refusal).object(Some(ShardId(7.into())));
        let value = serde_json::to_value(&object).unwrap();
        assert_eq!(value["shardwire"], json!({ "shard": "0x7", "receipt": "0xabcd" }));
    }
}
