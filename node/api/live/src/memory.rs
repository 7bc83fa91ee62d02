//! A chain whose log is memory alone.

use crate::{Live, LiveChain, LiveError, Log};
use shardwire_model::{Clock, Stage, execution::Sent};
use shardwire_native::Native;
use shardwire_rpc::{
    Refusal,
    chain::{Accepted, Answering},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::{sync::Mutex, task::spawn_blocking};

/// See the [crate](crate).
pub type InMemory = LiveChain<Memory>;

/// A log that is memory alone.
#[derive(Debug, Default)]
pub struct Memory {
    /// Whose transaction is executed. Others wait in the order in which they came.
    turn: Arc<Mutex<()>>,
    aborted: AtomicBool,
}

impl InMemory {
    /// A shard before its first transaction.
    #[must_use]
    pub fn new(native: Native, clock: Arc<dyn Clock>) -> Self {
        Self::with_log(Arc::new(Live::new(native, clock)), Memory::default())
    }

    /// Ends the shard without a result: what happened in it is undone for everybody who asks.
    pub fn abort(&self) {
        self.log.aborted.store(true, Ordering::Relaxed);
    }
}

/// Executes a transaction and takes it in.
fn submit(live: &Live, transaction: Sent) -> Result<Accepted, Refusal> {
    let change = live.check(&transaction)?;
    live.include(transaction, &change, Vec::new());
    Ok(Accepted { hash: change.receipt().hash, signed: Vec::new() })
}

impl Log for Memory {
    fn stage(&self, live: &Live) -> Stage {
        match self.aborted.load(Ordering::Relaxed) {
            true => Stage::Aborted,
            false if live.now().ended() => Stage::Ended,
            false => Stage::Executing,
        }
    }

    fn submit<'a>(&'a self, live: &'a Arc<Live>, transaction: Sent) -> Answering<'a, Result<Accepted, Refusal>> {
        Box::pin(async move {
            if self.aborted.load(Ordering::Relaxed) {
                return Err(LiveError::Aborted.into());
            }
            let (turn, live) = (self.turn.clone().lock_owned().await, live.clone());
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
