//! What the door asks of a shard. The room that executes implements it; this crate has no virtual machine.

use crate::{Journal, journal::Diff, journal::Event};
use shardwire_model::{Coded, ContractId, Felt, Key, ShardId, Stage};
use std::{future::Future, pin::Pin, sync::Arc};

/// The shards of a node that have a door.
pub trait Shards: Send + Sync + 'static {
    /// The shard with this id.
    fn shard(&self, id: ShardId) -> Option<Arc<dyn Chain>>;

    /// All of them, for the default path and for telling those who ask for another.
    fn ids(&self) -> Vec<ShardId>;
}

/// An answer that takes a while: the log has to be durable first.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A shard, as a chain of its own. What has happened is in its [`Journal`]; the rest is asked here. All but [`submit`](Self::submit) may block for as
/// long as an execution takes, so the door asks on a thread for that.
pub trait Chain: Send + Sync + 'static {
    /// What happened, as far as it is durable.
    fn journal(&self) -> &Journal;

    /// The chain id: a short string.
    fn chain_id(&self) -> Felt;

    /// How far the shard is.
    fn stage(&self) -> Stage;

    /// The value of a slot before the first transaction.
    ///
    /// # Errors
    /// [`Refusal`] if it can't be read at the moment.
    fn first_storage(&self, contract: ContractId, key: Key) -> Result<Felt, Refusal>;

    /// The nonce that a contract has now. Asked for contracts from which no transaction came.
    ///
    /// # Errors
    /// [`Refusal`] if it can't be read at the moment.
    fn nonce(&self, contract: ContractId) -> Result<Felt, Refusal>;

    /// The class of a contract of the shard. It never changes.
    ///
    /// # Errors
    /// [`Refusal`] if it can't be read at the moment.
    fn class_hash(&self, contract: ContractId) -> Result<Option<Felt>, Refusal>;

    /// A class of the shard.
    ///
    /// # Errors
    /// [`Refusal`] if it can't be read at the moment.
    fn class(&self, hash: Felt) -> Result<Option<Arc<Class>>, Refusal>;

    /// Calls an entry point on the state after so many transactions. Nothing changes.
    ///
    /// # Errors
    /// [`Refusal`]: the call fails, or that state isn't kept ([`RefusalKind::Past`]).
    fn call(&self, call: &Call, after: u32) -> Result<Vec<Felt>, Refusal>;

    /// What transactions would do if they came next, one after the other, after so many that are there. Nothing changes.
    ///
    /// # Errors
    /// The place in the list and the [`Refusal`] of the first that would be refused.
    fn simulate(&self, transactions: &[Simulate], after: u32) -> Result<Vec<Simulated>, (usize, Refusal)>;

    /// Executes a transaction. Once this answers, it is durable and in the journal. Transactions that are submitted one after the other are
    /// taken in that order. What was submitted goes on if nobody waits for the answer.
    ///
    /// # Errors
    /// [`Refusal`]: it isn't in the log.
    fn submit(&self, transaction: Invoke) -> Answering<'_, Result<Accepted, Refusal>>;
}

/// The most that a transaction may use of each resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// L1 gas.
    pub l1_gas: u64,
    /// L2 gas: what limits an execution.
    pub l2_gas: u64,
    /// L1 data gas.
    pub l1_data_gas: u64,
}

/// An INVOKE v3. Prices, tip, paymaster and the like are zero or empty in a shard; the door refuses the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoke {
    /// The account.
    pub sender: ContractId,
    /// The account's nonce.
    pub nonce: u64,
    /// What `__execute__` is given: the calls.
    pub calldata: Vec<Felt>,
    /// What the account contract checks.
    pub signature: Vec<Felt>,
    /// What it may use.
    pub amounts: Amounts,
}

/// A read-only call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The contract.
    pub contract: ContractId,
    /// The selector of the entry point's name.
    pub selector: Felt,
    /// Its arguments.
    pub calldata: Vec<Felt>,
}

/// A transaction to be simulated.
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
    /// L2 gas that it used.
    pub gas: u64,
    /// The call of `__validate__`, unless it was left out.
    pub validate: Option<Invocation>,
    /// The call of `__execute__`, or why it is reverted.
    pub execute: Result<Invocation, String>,
    /// What it changes.
    pub diff: Diff,
}

/// A call that was made, with those that it made.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// What was called.
    pub call: Call,
    /// Who called it; zero for the first call of a transaction.
    pub caller: Felt,
    /// The class whose code ran.
    pub class_hash: Felt,
    /// It was a library call: that class' code on the caller's storage.
    pub library: bool,
    /// What it returned, or what it panicked with.
    pub result: Vec<Felt>,
    /// The calls that it made.
    pub calls: Vec<Self>,
    /// Its own events, each with its place among all of the transaction.
    pub events: Vec<(u64, Event)>,
    /// L2 gas that it used, with the calls that it made.
    pub gas: u64,
    /// It panicked.
    pub failed: bool,
}

/// A Sierra class, as it is declared.
#[derive(Clone, Debug, Default)]
pub struct Class {
    /// The program.
    pub sierra_program: Vec<Felt>,
    /// The version of the class' format.
    pub version: String,
    /// Entry points that can be called: selector, and place of the function.
    pub external: Vec<(Felt, usize)>,
    /// The constructor.
    pub constructor: Vec<(Felt, usize)>,
    /// Entry points for messages from L1.
    pub l1_handler: Vec<(Felt, usize)>,
    /// The ABI's text.
    pub abi: String,
}

/// A transaction that is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its hash.
    pub hash: Felt,
    /// Its place in the log, from 0.
    pub index: u32,
    /// The operator's signed receipt.
    pub receipt: Vec<u8>,
}

/// What kind of refusal it is: which of Starknet's errors a wallet gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The transaction is in the log already.
    Duplicate,
    /// Not the account's next nonce.
    Nonce,
    /// The account doesn't accept the transaction.
    Validation,
    /// The transaction may use no gas, or not enough to be validated.
    Gas,
    /// The sender is no account of the shard.
    NoAccount,
    /// The shard has no such contract.
    NoContract,
    /// The contract has no such entry point.
    NoEntryPoint,
    /// A read-only call panics, or the machine stops it.
    Failed,
    /// The state at that block isn't kept.
    Past,
    /// This machine can't at the moment, which says nothing about what was asked.
    Unavailable,
    /// A rule of the shard.
    Rule,
}

/// Why something isn't done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    kind: RefusalKind,
    code: &'static str,
    reason: String,
    next_step: String,
    receipt: Vec<u8>,
}

impl Refusal {
    /// What an error of the room that executes is to a wallet.
    pub fn new(kind: RefusalKind, error: &impl Coded) -> Self {
        Self { kind, code: error.code(), reason: error.to_string(), next_step: error.next_step(), receipt: Vec::new() }
    }

    /// The same with the operator's signed refusal.
    #[must_use]
    pub fn with_receipt(mut self, receipt: Vec<u8>) -> Self {
        self.receipt = receipt;
        self
    }

    /// What kind it is.
    #[must_use]
    pub const fn kind(&self) -> RefusalKind {
        self.kind
    }

    /// The operator's signed refusal; empty if there is none.
    #[must_use]
    pub fn receipt(&self) -> &[u8] {
        &self.receipt
    }
}

impl Coded for Refusal {
    fn code(&self) -> &'static str {
        self.code
    }

    fn next_step(&self) -> String {
        self.next_step.clone()
    }
}
