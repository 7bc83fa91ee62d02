//! What native execution finds and the program checks: the words between the two. Plain values, no virtual machine.
//!
//! CASM goes on right after a `call_contract`, so what a call answers must be known before the callee has run in the proving machine. So
//! a transaction is executed natively first, and what came of it is a tree of [`Call`]s. The program runs every call of the tree and
//! asserts each value in it that it can't compute before; what the program can compute (a contract's class, an old value in storage, the
//! gas that is left after a syscall) isn't in the tree, or only so that a test or a message can name it.

use shardwire_model::{Felt, SessionCall, SessionHashes};
pub use shardwire_model::{ResourceBounds, execution::CallKind, felt::short};
use std::collections::BTreeMap;

/// One call of an entry point, and all that happened in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// How it came about.
    pub kind: CallKind,
    /// The contract whose storage it works on.
    pub contract: Felt,
    /// The class whose code runs.
    pub class_hash: Felt,
    /// The entry point. They are all of the type EXTERNAL.
    pub selector: Felt,
    /// Who calls, as the contract is told; zero for the first call of a transaction.
    pub caller: Felt,
    /// Its arguments.
    pub calldata: Vec<Felt>,
    /// The gas it was given, the entry point's initial budget included.
    pub initial_gas: u64,
    /// What `StorageRead` answered, in the order of the syscalls; one that ran out of gas has no answer here.
    pub reads: Vec<Felt>,
    /// What it returned; for a failed call the reason, without the `ENTRYPOINT_FAILED` that a caller finds appended.
    pub retdata: Vec<Felt>,
    /// Whether it panicked, has no such entry point (`ENTRYPOINT_NOT_FOUND`), or lacked the gas to begin (`Out of gas`).
    pub failed: bool,
    /// What it used of its gas; zero if no code of it ran.
    pub gas_consumed: u64,
    /// The calls that it made, in the order of the syscalls.
    pub calls: Vec<Self>,
}

impl Call {
    /// How many calls it is, with those that it made.
    #[must_use]
    pub fn count(&self) -> u64 {
        1 + self.calls.iter().map(Self::count).sum::<u64>()
    }
}

/// A transaction in the log, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// One that its account validates.
    Invoke(Invoke),
    /// One that a key signed which its account allowed to make this call.
    Session(Session),
}

/// An INVOKE of version 3 as a wallet made it, and what came of it. Tip, paymaster data, account deployment data and proof facts are
/// empty; both data availability modes are L1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoke {
    /// The account.
    pub sender: Felt,
    /// Its number among the account's transactions.
    pub nonce: Felt,
    /// What both entry points of the account are called with.
    pub calldata: Vec<Felt>,
    /// What the account checks.
    pub signature: Vec<Felt>,
    /// The most that it may use.
    pub bounds: ResourceBounds,
    /// Its hash. The program computes it anew.
    pub hash: Felt,
    /// When it was accepted, in seconds since the Unix epoch.
    pub time: u64,
    /// `__validate__`, which returned `VALID`.
    pub validate: Call,
    /// `__execute__`. If it failed, the transaction is reverted: nothing of it remains but the nonce that it used.
    pub execute: Call,
}

/// A session call as a client made it, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What was signed.
    pub call: SessionCall,
    /// Its permission and its link. The program computes both anew.
    pub hashes: SessionHashes,
    /// When it was accepted, in seconds since the Unix epoch.
    pub time: u64,
    /// The call. If it failed, the transaction is reverted: nothing of it remains but its link.
    pub execute: Call,
}

impl Transaction {
    /// Its hash.
    #[must_use]
    pub const fn hash(&self) -> Felt {
        match self {
            Self::Invoke(invoke) => invoke.hash,
            Self::Session(session) => session.hashes.link,
        }
    }

    /// When it was accepted, in seconds since the Unix epoch.
    #[must_use]
    pub const fn time(&self) -> u64 {
        match self {
            Self::Invoke(invoke) => invoke.time,
            Self::Session(session) => session.time,
        }
    }

    /// The call that its account wanted: `__execute__`, or that of the session.
    #[must_use]
    pub const fn execute(&self) -> &Call {
        match self {
            Self::Invoke(invoke) => &invoke.execute,
            Self::Session(session) => &session.execute,
        }
    }

    /// Whether it counts as REVERTED.
    #[must_use]
    pub const fn reverted(&self) -> bool {
        self.execute().failed
    }

    /// How many calls it is.
    #[must_use]
    pub fn calls(&self) -> u64 {
        let validate = match self {
            Self::Invoke(invoke) => invoke.validate.count(),
            Self::Session(_) => 0,
        };
        validate + self.execute().count()
    }
}

/// The state that a shard was forked from, as far as its run looks at it.
pub trait Snapshot {
    /// What a contract has under a key; zero if nothing was ever written there.
    fn storage(&self, contract: Felt, key: Felt) -> Felt;
    /// The next nonce of an account.
    fn nonce(&self, account: Felt) -> Felt;
}

/// A state that is in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// By (contract, key).
    pub storage: BTreeMap<(Felt, Felt), Felt>,
    /// By account.
    pub nonces: BTreeMap<Felt, Felt>,
}

impl Snapshot for State {
    fn storage(&self, contract: Felt, key: Felt) -> Felt {
        self.storage.get(&(contract, key)).copied().unwrap_or_default()
    }

    fn nonce(&self, account: Felt) -> Felt {
        self.nonces.get(&account).copied().unwrap_or_default()
    }
}
