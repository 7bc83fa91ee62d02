//! The thread that executes a run, and how transactions get there.
//!
//! The thread takes the log, then what is fed, and ends when the run does, when its executor is dropped, or when another one [supersedes](Executor::superseded) it.
//! Where a node does [one thing at a time](Work::AtOnce), its caller waits until the thread has nothing to do.

use shardwire_host::platform::Work;
use shardwire_model::Logged;
use std::{
    io, iter,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Transactions that are logged and not yet executed. Execution is a hundred times faster than logging, so this only bridges a pause.
const DEPTH: usize = 256;

/// The way to a run's thread.
#[derive(Debug)]
pub(super) struct Executor {
    /// None when it is being dropped. An element without a transaction only wakes the thread.
    transactions: Option<mpsc::Sender<Option<Logged>>>,
    turn: Option<Arc<Turn>>,
    /// Cancelled when another execution of the same run takes the place of this one: what becomes of this one says nothing then.
    superseded: CancellationToken,
}

/// Whether the thread is at work.
#[derive(Debug, Default)]
struct Turn {
    at_work: Mutex<bool>,
    changed: Condvar,
}

impl Turn {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, at_work: bool) {
        *self.lock() = at_work;
        self.changed.notify_all();
    }

    fn wait(&self) {
        drop(self.changed.wait_while(self.lock(), |at_work| *at_work).unwrap_or_else(PoisonError::into_inner));
    }
}

/// Ends the thread's turn, however the thread ends.
struct Ended(Option<Arc<Turn>>);

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(turn) = &self.0 {
            turn.set(false);
        }
    }
}

impl Executor {
    /// Starts the thread: `run` gets the log's transactions and then those that are fed.
    pub(super) fn start(
        work: Work,
        name: String,
        log: Vec<Logged>,
        run: impl FnOnce(&mut dyn Iterator<Item = Logged>, &CancellationToken) + Send + 'static,
    ) -> io::Result<Self> {
        let (transactions, fed) = mpsc::channel(DEPTH);
        let superseded = CancellationToken::new();
        let by_another = superseded.clone();
        let turn = (work == Work::AtOnce).then(|| Arc::new(Turn { at_work: Mutex::new(true), ..Turn::default() }));
        let ended = Ended(turn.clone());
        thread::Builder::new().name(name).spawn(move || {
            // Dropped in the opposite order: a turn that has ended finds the executor closed.
            let ended = ended;
            let mut fed = fed;
            let next = || {
                if let Some(turn) = &ended.0 {
                    turn.set(false);
                }
                fed.blocking_recv().flatten()
            };
            let all = log.into_iter().chain(iter::from_fn(next));
            run(&mut all.take_while(|_| !by_another.is_cancelled()), &by_another);
        })?;
        if let Some(turn) = &turn {
            turn.wait();
        }
        Ok(Self { transactions: Some(transactions), turn, superseded })
    }

    /// Hands a transaction over. An execution that is gone has noted why.
    pub(super) async fn send(&self, transaction: Logged) {
        self.hand_over(Some(transaction)).await;
    }

    /// Ends the execution, for another one that takes its place, and waits until it has. It takes no further transaction and notes nothing any more.
    pub(super) async fn supersede(&self) {
        self.superseded.cancel();
        self.hand_over(None).await;
        if let Some(transactions) = &self.transactions {
            transactions.closed().await;
        }
    }

    async fn hand_over(&self, transaction: Option<Logged>) {
        let Some(transactions) = &self.transactions else { return };
        let Ok(room) = transactions.reserve().await else { return };
        if let Some(turn) = &self.turn {
            turn.set(true);
            room.send(transaction);
            turn.wait();
        } else {
            room.send(transaction);
        }
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        let Some(turn) = &self.turn else { return };
        // The thread ends for want of transactions, if it hasn't yet; that is part of the turn of the one that dropped the executor.
        let ended = self.transactions.as_ref().is_none_or(mpsc::Sender::is_closed);
        if !ended {
            turn.set(true);
        }
        self.transactions = None;
        if !ended {
            turn.wait();
        }
    }
}
