//! A chain whose log is memory alone.

use crate::{Live, LiveError};
use shardwire_model::{
    Clock, ContractId, Felt, Invoke, Key, Stage,
    execution::{Simulate, Simulated},
    sierra::Sierra,
};
use shardwire_native::Native;
use shardwire_rpc::{
    At, Chain, Journal, Refusal,
    chain::{Accepted, Answering, Call},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::{sync::Mutex, task::spawn_blocking};

/// See the [crate](crate).
#[derive(Debug)]
pub struct InMemory {
    live: Arc<Live>,
    /// Whose transaction is executed. Others wait in the order in which they came.
    turn: Arc<Mutex<()>>,
    aborted: AtomicBool,
}

impl InMemory {
    /// A shard before its first transaction.
    #[must_use]
    pub fn new(native: Native, clock: Arc<dyn Clock>) -> Self {
        Self { live: Arc::new(Live::new(native, clock)), turn: Arc::default(), aborted: AtomicBool::new(false) }
    }

    /// Ends the shard without a result: what happened in it is undone for everybody who asks.
    pub fn abort(&self) {
        self.aborted.store(true, Ordering::Relaxed);
    }
}

/// Executes a transaction and takes it in.
fn submit(live: &Live, transaction: Invoke) -> Result<Accepted, Refusal> {
    let change = live.check(&transaction)?;
    live.include(transaction, &change, Vec::new());
    Ok(Accepted { hash: change.receipt().hash, signed: Vec::new() })
}

impl Chain for InMemory {
    fn journal(&self) -> &Journal {
        self.live.journal()
    }

    fn chain_id(&self) -> Felt {
        self.live.now().chain_id()
    }

    fn stage(&self) -> Stage {
        match self.aborted.load(Ordering::Relaxed) {
            true => Stage::Aborted,
            false if self.live.now().ended() => Stage::Ended,
            false => Stage::Executing,
        }
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

    fn submit(&self, transaction: Invoke) -> Answering<'_, Result<Accepted, Refusal>> {
        Box::pin(async move {
            if self.aborted.load(Ordering::Relaxed) {
                return Err(LiveError::Aborted.into());
            }
            let (turn, live) = (self.turn.clone().lock_owned().await, self.live.clone());
            // It goes on if nobody waits for it.
            let submitted = spawn_blocking(move || {
                let accepted = submit(&live, transaction);
                drop(turn);
                accepted
            });
            submitted.await.unwrap_or_else(|error| Err(LiveError::Interrupted(error.to_string()).into()))
        })
    }
}
