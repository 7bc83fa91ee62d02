//! What the door asks of a shard. The room that executes implements it; this crate has no virtual machine.

use crate::Journal;
use shardwire_model::{
    Coded, ContractId, Felt, Key, ShardId, Stage,
    execution::{Sent, Simulate, Simulated},
    sierra::Sierra,
};
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
    fn class(&self, hash: Felt) -> Result<Option<Arc<Sierra>>, Refusal>;

    /// Calls an entry point. Nothing changes.
    ///
    /// # Errors
    /// [`Refusal`]: the call fails, or that state isn't kept ([`RefusalKind::Past`]).
    fn call(&self, call: &Call, at: At) -> Result<Vec<Felt>, Refusal>;

    /// What transactions would do if they came next, one after the other. Nothing changes.
    ///
    /// # Errors
    /// The place in the list and the [`Refusal`] of the first that would be refused.
    fn simulate(&self, transactions: &[Simulate], at: At) -> Result<Vec<Simulated>, (usize, Refusal)>;

    /// What the transaction at a place in the log did, call by call; none if that isn't kept.
    fn trace(&self, place: u32) -> Option<Simulated>;

    /// How far the chain of a session key is here.
    ///
    /// # Errors
    /// [`Refusal`] if the shard has no sessions.
    fn session(&self, key: Felt) -> Result<Session, Refusal>;

    /// Executes a transaction. Once this answers, it is durable and in the journal. Transactions that are submitted one after the other are
    /// taken in that order. What was submitted goes on if nobody waits for the answer.
    ///
    /// # Errors
    /// [`Refusal`]: it isn't in the log.
    fn submit(&self, transaction: Sent) -> Answering<'_, Result<Accepted, Refusal>>;
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

/// How far the chain of a session key is, as this shard's log has it. A client keeps the links that it signed itself, and signs on no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The contract that keeps sessions: where accounts allow keys.
    pub keeper: ContractId,
    /// The link of the key's last call, or the first link.
    pub link: Felt,
    /// How many calls it made.
    pub calls: u64,
}

/// Which state is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// That of the moment at which it is asked, whatever came meanwhile.
    Now,
    /// That after so many transactions.
    After(u32),
}

/// A transaction that is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its hash.
    pub hash: Felt,
    /// The operator's signed receipt; empty if there is none.
    pub signed: Vec<u8>,
}

/// What kind of refusal it is: which of Starknet's errors a wallet gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The transaction is in the log already.
    Duplicate,
    /// Not the account's next nonce; not the next link of the session key.
    Nonce,
    /// The account doesn't accept the transaction; the session key didn't sign it.
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
    signed: Vec<u8>,
}

impl Refusal {
    /// What an error of the room that executes is to a wallet: as others are told it.
    pub fn new(kind: RefusalKind, error: &impl Coded) -> Self {
        Self { kind, code: error.code(), reason: error.told(), next_step: error.next_step(), signed: Vec::new() }
    }

    /// The same with the operator's signed refusal.
    #[must_use]
    pub fn with_signed(mut self, signed: Vec<u8>) -> Self {
        self.signed = signed;
        self
    }

    /// What kind it is.
    #[must_use]
    pub const fn kind(&self) -> RefusalKind {
        self.kind
    }

    /// The operator's signed refusal; empty if there is none.
    #[must_use]
    pub fn signed(&self) -> &[u8] {
        &self.signed
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
