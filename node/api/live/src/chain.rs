//! A live shard as the door's chain. Its log is an operator's or one in memory: [`Log`](crate::Log) is what the two have in common.

use crate::Live;
use shardwire_model::{
    ContractId, Felt, Key, Stage,
    execution::{Sent, Simulate, Simulated},
    sierra::Sierra,
};
use shardwire_rpc::{
    At, Chain, Journal, Refusal,
    chain::{Accepted, Answering, Call, Session},
};
use std::sync::Arc;

/// Keeps the log of a live shard.
pub trait Log: Send + Sync + 'static {
    /// How far the shard is.
    fn stage(&self, live: &Live) -> Stage;

    /// Executes a transaction, as [`Chain::submit`] says.
    ///
    /// # Errors
    /// [`Refusal`]: it isn't in the log.
    fn submit<'a>(&'a self, live: &'a Arc<Live>, transaction: Sent) -> Answering<'a, Result<Accepted, Refusal>>;
}

/// A live shard and its log.
#[derive(Debug)]
pub struct LiveChain<L> {
    live: Arc<Live>,
    pub(crate) log: L,
}

impl<L> LiveChain<L> {
    /// This shard, with this log.
    #[must_use]
    pub const fn with_log(live: Arc<Live>, log: L) -> Self {
        Self { live, log }
    }
}

impl<L: Log> Chain for LiveChain<L> {
    fn journal(&self) -> &Journal {
        self.live.journal()
    }

    fn chain_id(&self) -> Felt {
        self.live.now().chain_id()
    }

    fn stage(&self) -> Stage {
        self.log.stage(&self.live)
    }

    fn first_storage(&self, contract: ContractId, key: Key) -> Result<Felt, Refusal> {
        self.live.first_storage(contract, key)
    }

    fn nonce(&self, contract: ContractId) -> Result<Felt, Refusal> {
        self.live.nonce(contract)
    }

    fn class_hash(&self, contract: ContractId) -> Result<Option<Felt>, Refusal> {
        self.live.class_hash(contract)
    }

    fn class(&self, hash: Felt) -> Result<Option<Arc<Sierra>>, Refusal> {
        self.live.class(hash)
    }

    fn call(&self, call: &Call, at: At) -> Result<Vec<Felt>, Refusal> {
        self.live.call(call, at)
    }

    fn simulate(&self, transactions: &[Simulate], at: At) -> Result<Vec<Simulated>, (usize, Refusal)> {
        self.live.simulate(transactions, at)
    }

    fn trace(&self, place: u32) -> Option<Simulated> {
        self.live.trace(place)
    }

    fn session(&self, key: Felt) -> Result<Session, Refusal> {
        self.live.session(key)
    }

    fn submit(&self, transaction: Sent) -> Answering<'_, Result<Accepted, Refusal>> {
        self.log.submit(&self.live, transaction)
    }
}
