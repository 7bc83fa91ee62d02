//! The state of the moment and the journal.

use crate::{
    LiveError,
    error::{refused, unreadable},
    traces::Traces,
};
use shardwire_model::{
    Clock, ContractId, Felt, Key, Trust,
    execution::{Sent, Simulate, Simulated},
    sierra::Sierra,
};
use shardwire_native::{Change, Checked, Native, Outcome, Refusal as Rule, starknet_version};
use shardwire_rpc::{
    At, Journal, Refusal,
    chain::{Call, Session},
    journal::{Entry, Origin},
};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// See the [crate](crate).
#[derive(Debug)]
pub struct Live {
    now: RwLock<Arc<Native>>,
    journal: Journal,
    traces: Mutex<Traces<Outcome>>,
    clock: Arc<dyn Clock>,
}

impl Live {
    /// A shard before its first transaction.
    #[must_use]
    pub fn new(native: Native, clock: Arc<dyn Clock>) -> Self {
        let start = native.start();
        let journal = Journal::new(Origin {
            shard: start.shard,
            commitment: start.commitment(),
            first_block: native.first_block(),
            begins: start.begins,
            sequencer: start.sequencer,
            starknet_version: starknet_version(),
        });
        Self { now: RwLock::new(Arc::new(native)), journal, traces: Mutex::default(), clock }
    }

    /// The state of the moment. It stays as it is while it is held.
    #[must_use]
    pub fn now(&self) -> Arc<Native> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What has happened.
    #[must_use]
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Executes a transaction on the state of the moment, by the clock. Nothing changes.
    ///
    /// # Errors
    /// [`Refusal`]: it can't be in the log, or it is ([`LiveError::Duplicate`]).
    pub fn check(&self, transaction: &Sent) -> Result<Change, Refusal> {
        let native = self.now();
        let time = self.time(&native);
        let checked = match transaction {
            Sent::Invoke(invoke) => native.check(invoke, time),
            Sent::Session(call) => native.check_session(call, time),
        };
        match checked.map_err(|refusal| refused(&refusal))? {
            Checked::New(change) => Ok(change),
            Checked::Duplicate { index } => Err(LiveError::Duplicate { index }.into()),
        }
    }

    /// Takes in a transaction that is durable. It was checked where this is: transactions come one after the other.
    pub fn include(&self, transaction: Sent, change: &Change, signed: Vec<u8>) {
        let outcome = change.outcome();
        // All readers wait for what comes under the lock.
        let felts = outcome.felts();
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        // Who asked has its state; otherwise nothing is copied.
        Arc::make_mut(&mut now).apply(change);
        let mut traces = self.traces.lock().unwrap_or_else(PoisonError::into_inner);
        traces.keep(change.receipt().index, felts, outcome.clone());
        drop(traces);
        // Under the lock: the journal never shows more than the state.
        self.journal.push(Entry { transaction, receipt: change.receipt().clone(), signed });
    }

    /// The value of a slot before the first transaction.
    ///
    /// # Errors
    /// [`Refusal`] if it can't be read at the moment.
    pub fn first_storage(&self, contract: ContractId, key: Key) -> Result<Felt, Refusal> {
        self.now().first_storage_at(contract, key).map_err(unreadable)
    }

    /// The nonce that a contract has now.
    ///
    /// # Errors
    /// [`Refusal`] if it can't be read at the moment.
    pub fn nonce(&self, contract: ContractId) -> Result<Felt, Refusal> {
        self.now().nonce_at(contract).map(Felt::from).map_err(unreadable)
    }

    /// How far the chain of a session key is.
    ///
    /// # Errors
    /// [`Refusal`] if the shard has no contract that keeps sessions.
    pub fn session(&self, key: Felt) -> Result<Session, Refusal> {
        let native = self.now();
        let keeper = native.sessions().ok_or_else(|| refused(&Rule::NoSessions))?;
        let (link, calls) = native.last_link(key);
        Ok(Session { keeper, link, calls })
    }

    /// The class of a contract of the shard.
    ///
    /// # Errors
    /// [`Refusal`] if it can't be read at the moment.
    pub fn class_hash(&self, contract: ContractId) -> Result<Option<Felt>, Refusal> {
        self.now().class_hash_at(contract).map_err(unreadable)
    }

    /// A class of the shard, as it is declared.
    ///
    /// # Errors
    /// [`Refusal`] if it can't be read at the moment.
    pub fn class(&self, hash: Felt) -> Result<Option<Arc<Sierra>>, Refusal> {
        let class = self.now().class(hash).map_err(unreadable)?;
        Ok(class.map(|class| class.sierra().clone()))
    }

    /// Calls an entry point. Nothing changes.
    ///
    /// # Errors
    /// [`Refusal`]: the call fails, or that state isn't kept ([`LiveError::Past`]).
    pub fn call(&self, call: &Call, at: At) -> Result<Vec<Felt>, Refusal> {
        let native = self.at(at)?;
        let Call { contract, selector, calldata } = call;
        native.call(*contract, *selector, calldata, self.time(&native)).map_err(|refusal| refused(&refusal))
    }

    /// What transactions would do if they came next, one after the other. Nothing changes.
    ///
    /// # Errors
    /// The place in the list and the [`Refusal`] of the first that would be refused, or that state isn't kept ([`LiveError::Past`]).
    pub fn simulate(&self, transactions: &[Simulate], at: At) -> Result<Vec<Simulated>, (usize, Refusal)> {
        let native = self.at(at).map_err(|refusal| (0, refusal))?;
        let simulated = native.simulate(transactions, self.time(&native));
        simulated.map_err(|(place, refusal)| (place, refused(&refusal)))
    }

    /// What the transaction at a place in the log did, call by call, if that is kept.
    #[must_use]
    pub fn trace(&self, place: u32) -> Option<Simulated> {
        let outcome = self.traces.lock().unwrap_or_else(PoisonError::into_inner).get(place)?;
        Some(outcome.simulated())
    }

    fn at(&self, at: At) -> Result<Arc<Native>, Refusal> {
        let native = self.now();
        let accepted = native.accepted();
        match at {
            At::After(after) if after != accepted => Err(LiveError::Past { after, accepted }.into()),
            At::After(_) | At::Now => Ok(native),
        }
    }

    /// The time in seconds, which never runs back. A date that peers contradict isn't the shard's: nothing is logged by it.
    fn time(&self, native: &Native) -> u64 {
        if self.clock.trust() == Trust::Contradicted {
            return native.time();
        }
        native.time().max(self.clock.now().0 / 1_000)
    }
}
