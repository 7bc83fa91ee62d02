//! Where transactions enter a shard, in the order of its log.
//!
//! Two states of the rules are kept: after the whole log, and after those transactions, too, that are on their way to the log. A transaction
//! is checked against the second one, so that many of a shard go into one commit; what is told outside comes from the first one. If a
//! commit fails, the second state becomes the first one again, and what was checked against it is refused: its round is over.
//!
//! Bound: as many transactions are on their way as the store has places ([`MAX_WAITING`](shardwire_store::MAX_WAITING)).

use super::run::extended;
use crate::roles::Changes;
use shardwire_model::{Felt, Hash, SignedTransaction, Transaction};
use shardwire_shard::admission::{Admission, Refusal, Verdict};
use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::futures::Notified;

/// See the module's page.
#[derive(Debug)]
pub(super) struct Desk {
    rules: Mutex<Rules>,
    /// Counts the commits that failed.
    round: AtomicU64,
    changes: Changes,
}

#[derive(Debug)]
struct Rules {
    /// After the whole log.
    logged: Admission,
    /// The log's hash.
    log: Hash,
    /// After those, too, that are on their way to it.
    ahead: Admission,
    /// Those that are on their way, in their order, with the hash of the log that ends with them.
    under_way: VecDeque<(SignedTransaction, Hash)>,
    /// Those that are logged and that the execution hasn't got yet.
    unfed: VecDeque<SignedTransaction>,
}

/// What became of a transaction that isn't refused.
pub(super) enum Entered<P> {
    /// It is on its way to the log.
    New(P),
    /// It was in the log already.
    Duplicate {
        /// Its place, from 0.
        sequence: u32,
    },
    /// It was on its way already; the desk changes when that is decided.
    UnderWay,
    /// Its account's chain has changed since its signature was checked.
    Unchecked,
}

/// A transaction's place in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// From 0.
    pub(super) sequence: u32,
    /// The hash of the log that ends with it.
    pub(super) log: Hash,
    /// Whether it ends the shard.
    pub(super) ends: bool,
    /// Good for this round.
    pub(super) round: u64,
}

/// How far a log is, as clients are told.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) next_nonces: Vec<u32>,
    pub(super) accepted: u32,
    pub(super) ended: bool,
}

impl Desk {
    /// The desk of a shard whose log these transactions are.
    ///
    /// # Errors
    /// The place of the first transaction that the rules refuse, and why.
    pub(super) fn of(mut logged: Admission, transactions: &[SignedTransaction]) -> Result<Self, (u32, Refusal)> {
        let mut log = Hash::default();
        for (transaction, sequence) in transactions.iter().zip(0..) {
            logged.accept(transaction).map_err(|refusal| (sequence, refusal))?;
            log = extended(log, transaction);
        }
        let ahead = logged.clone();
        let rules = Rules { logged, log, ahead, under_way: VecDeque::new(), unfed: VecDeque::new() };
        Ok(Self { rules: Mutex::new(rules), round: AtomicU64::new(0), changes: Changes::new() })
    }

    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the log is.
    pub(super) fn progress(&self) -> Progress {
        let rules = self.rules();
        let Rules { logged, .. } = &*rules;
        Progress { next_nonces: logged.next_nonces(), accepted: logged.accepted(), ended: logged.ended() }
    }

    /// What the signature of a transaction has to be of; none if it isn't the next one of its account.
    pub(super) fn message(&self, transaction: &Transaction) -> Option<Felt> {
        self.rules().ahead.message(transaction)
    }

    /// Completes when what was on its way is decided, after this call.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changes.next()
    }

    /// Gives a transaction its place, and hands it to `queue` in the order of the places. `good` says whether its signature is one of `message`.
    ///
    /// # Errors
    /// [`Refusal`]: the first rule that it breaks.
    pub(super) fn enter<P>(
        &self,
        transaction: &SignedTransaction,
        message: Option<Felt>,
        good: bool,
        queue: impl FnOnce(Taken) -> P,
    ) -> Result<Entered<P>, Refusal> {
        let mut rules = self.rules();
        let needed = rules.ahead.message(&transaction.transaction);
        if needed.is_some() && needed != message {
            return Ok(Entered::Unchecked);
        }
        let sequence = match rules.ahead.accept_checked(transaction, good)? {
            Verdict::Duplicate { sequence } if sequence >= rules.logged.accepted() => return Ok(Entered::UnderWay),
            Verdict::Duplicate { sequence } => return Ok(Entered::Duplicate { sequence }),
            Verdict::Accepted { sequence } => sequence,
        };
        let before = rules.under_way.back().map_or(rules.log, |(_, log)| *log);
        let log = extended(before, transaction);
        rules.under_way.push_back((*transaction, log));
        let ends = rules.ahead.ended();
        let round = self.round();
        // Still locked: the queue has the order of the places.
        Ok(Entered::New(queue(Taken { sequence, log, ends, round })))
    }

    /// Which round it is.
    pub(super) fn round(&self) -> u64 {
        self.round.load(Ordering::SeqCst)
    }

    /// The first transaction that was on its way is in the log.
    pub(super) fn logged(&self) {
        let mut rules = self.rules();
        if let Some((transaction, log)) = rules.under_way.pop_front() {
            // It is what was accepted before, so it is accepted again.
            let _ = rules.logged.accept_checked(&transaction, true);
            rules.log = log;
            rules.unfed.push_back(transaction);
        }
        drop(rules);
        self.changes.announce();
    }

    /// What was on its way in this round isn't in the log: the rules go back to where the log is.
    pub(super) fn failed(&self, round: u64) {
        let mut rules = self.rules();
        if self.round.compare_exchange(round, round + 1, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            rules.ahead = rules.logged.clone();
            rules.under_way.clear();
        }
        drop(rules);
        self.changes.announce();
    }

    /// The next transaction that the execution has to get.
    pub(super) fn next_unfed(&self) -> Option<SignedTransaction> {
        self.rules().unfed.pop_front()
    }
}
