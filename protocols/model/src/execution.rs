//! What a shard of contracts executes, and what that did, as plain values: what executes says it, what proves and what shows it to wallets take it.

use crate::{ContractId, Felt, Invoke, SessionCall, ShardTransaction, Slot};

/// A transaction of a shard of contracts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// One that its account validates.
    Invoke(Invoke),
    /// A call that a key signed which the account allowed to make it.
    Session(SessionCall),
}

impl Sent {
    /// The one that is in a log; none of the fixed rules.
    #[must_use]
    pub fn of(logged: &ShardTransaction) -> Option<Self> {
        match logged {
            ShardTransaction::Invoke(invoke) => Some(Self::Invoke(invoke.clone())),
            ShardTransaction::Session(call) => Some(Self::Session(call.clone())),
            ShardTransaction::Rules(_) => None,
        }
    }

    /// Whose it is.
    #[must_use]
    pub const fn account(&self) -> ContractId {
        match self {
            Self::Invoke(invoke) => invoke.sender,
            Self::Session(call) => call.account,
        }
    }

    /// Felts of its calldata and its signature.
    #[must_use]
    pub fn felts(&self) -> usize {
        match self {
            Self::Invoke(invoke) => invoke.calldata.len().saturating_add(invoke.signature.len()),
            Self::Session(call) => call.calldata.len().saturating_add(2),
        }
    }
}

impl From<Invoke> for Sent {
    fn from(invoke: Invoke) -> Self {
        Self::Invoke(invoke)
    }
}

impl From<SessionCall> for Sent {
    fn from(call: SessionCall) -> Self {
        Self::Session(call)
    }
}

impl From<Sent> for ShardTransaction {
    fn from(sent: Sent) -> Self {
        match sent {
            Sent::Invoke(invoke) => Self::Invoke(invoke),
            Sent::Session(call) => Self::Session(call),
        }
    }
}

/// Whether what a transaction did stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Succeeded,
    /// `__execute__`, or the call of a session, panicked or ran out of gas: all that it did is undone, its nonce, or its link, is used.
    Reverted {
        /// What the contracts say.
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

impl Event {
    /// Felts of its keys and data.
    #[must_use]
    pub fn felts(&self) -> usize {
        self.keys.len().saturating_add(self.data.len())
    }
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
    /// The slots whose value is another, ascending, with their new values.
    pub storage: Vec<(Slot, Felt)>,
    /// The transaction's account.
    pub account: ContractId,
    /// The account's next nonce.
    pub nonce: u64,
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
    /// Its hash; of a session call its link.
    pub hash: Felt,
    /// The nonce that contracts were told: the account's, or how many calls the session key had made before.
    pub nonce: u64,
    /// Whether what it did stands.
    pub status: Status,
    /// The events of what stands, in order.
    pub events: Vec<Event>,
    /// What `__execute__`, or the call of a session, returned, or what it panicked with.
    pub returned: Vec<Felt>,
    /// The gas that it used.
    pub gas: Gas,
    /// What it changed.
    pub diff: Diff,
    /// Whether it ended the shard.
    pub ends: bool,
}

/// How a call came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// A contract's own code, on its own storage: `call_contract`, or the first call of a transaction.
    Call,
    /// Another class's code on the storage, address and caller of the frame that calls: `library_call`.
    Library,
}

/// One call, with its events and the calls that it made: for people and their tools. What a failed call emitted isn't in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
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
    /// The L2 gas that it used, with the calls that it made.
    pub gas: u64,
    /// Its events, each with its place among the transaction's.
    pub events: Vec<(usize, Event)>,
    /// The calls that it made, in order.
    pub calls: Vec<Self>,
}

/// A transaction that is asked what it would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulate {
    /// The transaction.
    pub transaction: Invoke,
    /// The account doesn't validate it: its signature may be missing.
    pub skip_validate: bool,
    /// It is signed as a query, which can't be submitted.
    pub only_query: bool,
}

/// What a simulated transaction does.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// Whether it would stand.
    pub status: Status,
    /// The gas that it would use.
    pub gas: Gas,
    /// What it would change.
    pub diff: Diff,
    /// The calls of `__validate__`, unless it is left out.
    pub validate: Option<Invocation>,
    /// The calls of `__execute__`, whether it would stand or not.
    pub execute: Invocation,
}
