//! What an execution did.

use blockifier::execution::call_info::CallInfo;
use shardwire_contracts::tree::CallKind;
use shardwire_model::{ContractId, Felt, Key};

/// Whether what a transaction did stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Succeeded,
    /// `__execute__` panicked or ran out of gas: all that it did is undone, its nonce is used.
    Reverted {
        /// What the contracts say, at most [`MAX_REASON_CHARS`](crate::bounds::MAX_REASON_CHARS).
        reason: String,
    },
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The contract that emitted it.
    pub from: ContractId,
    /// Its keys; the first is the selector of its name.
    pub keys: Vec<Felt>,
    /// Its data.
    pub data: Vec<Felt>,
}

/// L2 gas that was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gas {
    /// By `__validate__`.
    pub validate: u64,
    /// By `__execute__`.
    pub execute: u64,
}

impl Gas {
    /// By both: what a receipt says.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.validate.saturating_add(self.execute)
    }
}

/// What a transaction changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    /// The slots whose value is another, by contract and key, with their new values.
    pub storage: Vec<(ContractId, Key, Felt)>,
    /// The transaction's account.
    pub account: ContractId,
    /// The account's next nonce.
    pub nonce: u64,
}

/// All that an execution found.
#[derive(Debug)]
pub struct Outcome {
    /// Whether it stands.
    pub status: Status,
    /// The events of what stands, in order.
    pub events: Vec<Event>,
    /// What `__execute__` returned, or what it panicked with.
    pub returned: Vec<Felt>,
    /// The gas.
    pub gas: Gas,
    /// What changed.
    pub diff: Diff,
    /// The calls of `__validate__`, unless it was left out.
    pub(crate) validate: Option<CallInfo>,
    /// The calls of `__execute__`, whether it stands or not.
    pub(crate) execute: CallInfo,
}

/// One call, with its events and the calls that it made: for people and their tools. What a failed call emitted isn't in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// How it came about.
    pub kind: CallKind,
    /// The contract whose storage it worked on.
    pub contract: ContractId,
    /// The class whose code ran.
    pub class: Felt,
    /// The entry point.
    pub selector: Felt,
    /// Who called; zero for the first call of a transaction.
    pub caller: ContractId,
    /// Its arguments.
    pub calldata: Vec<Felt>,
    /// What it returned, or what it panicked with.
    pub returned: Vec<Felt>,
    /// Whether it panicked.
    pub failed: bool,
    /// The L2 gas that it used.
    pub gas: u64,
    /// Its events, each with its place among the transaction's.
    pub events: Vec<(usize, Event)>,
    /// The calls that it made, in order.
    pub calls: Vec<Self>,
}

/// What became of a transaction in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its place in the log, from 0.
    pub index: u32,
    /// The number of its block.
    pub block: u64,
    /// When it happened, in seconds since the Unix epoch, as the operator logged it.
    pub time: u64,
    /// Its hash.
    pub hash: Felt,
    /// Whether what it did stands.
    pub status: Status,
    /// Its events, in order.
    pub events: Vec<Event>,
    /// What `__execute__` returned, or what it panicked with.
    pub returned: Vec<Felt>,
    /// The gas that it used.
    pub gas: Gas,
    /// What it changed.
    pub diff: Diff,
    /// Whether it ended the shard.
    pub ends: bool,
}
