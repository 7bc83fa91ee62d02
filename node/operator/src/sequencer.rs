//! Where transactions enter a shard, in the order of its log.
//!
//! Two states of the rules are kept: after the whole log, and after those transactions, too, that are on their way to the log. A transaction
//! is checked against the second one, so that many of a shard go into one commit; what is told outside comes from the first one. If a
//! commit fails, the second state becomes the first one again, and what was checked against it is refused: its round is over. The sequencer is
//! in doubt then, because the disk may have got all of it the same: nothing enters until [`Sequencer::take_in`] was told what the log has.
//!
//! Bound: as many transactions are on their way as the store has room for ([`MAX_WAITING`](shardwire_store::MAX_WAITING)).

use shardwire_host::Changes;
use shardwire_model::{AccountId, Felt, Hash, SignedTransaction, Transaction};
use shardwire_program::{Admission, Change, Checked, Refusal};
use shardwire_protocols::ingress::transaction_hash;
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
pub(super) struct Sequencer {
    rules: Mutex<Rules>,
    /// Counts the commits that failed.
    round: AtomicU64,
    changes: Changes,
}

#[derive(Debug)]
struct Rules {
    /// After the whole log.
    logged: Box<dyn Admission>,
    /// The log's hash.
    log: Hash,
    /// After those, too, that are on their way to it.
    ahead: Box<dyn Admission>,
    /// Those that are on their way, in their order.
    under_way: VecDeque<UnderWay>,
    /// Those that are logged and that the execution hasn't got yet.
    unfed: VecDeque<SignedTransaction>,
    /// A commit failed, and may have been done all the same.
    in_doubt: bool,
}

/// A transaction on its way to the log.
#[derive(Debug)]
struct UnderWay {
    transaction: SignedTransaction,
    /// The change that it makes to the rules' state.
    change: Change,
    /// The hash of the log that ends with it.
    log: Hash,
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
    /// It was on its way already; the sequencer changes when that is decided.
    UnderWay,
    /// Its signature wasn't checked, or its account's chain has changed since.
    Unchecked,
    /// A commit has failed: what the log has is looked at first.
    InDoubt,
}

/// A transaction's place in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// The transaction's place in the log, from 0.
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

impl Sequencer {
    /// The sequencer of a shard whose log these transactions are.
    ///
    /// # Errors
    /// The place of the first transaction that the rules refuse, and the [`Refusal`].
    pub(super) fn of(
        mut logged: Box<dyn Admission>,
        transactions: &[SignedTransaction],
    ) -> Result<Self, (u32, Refusal)> {
        let mut log = Hash::default();
        for (transaction, sequence) in transactions.iter().zip(0..) {
            logged.accept(transaction).map_err(|refusal| (sequence, refusal))?;
            log = extended(log, transaction);
        }
        let ahead = logged.fork();
        let rules = Rules { logged, log, ahead, under_way: VecDeque::new(), unfed: VecDeque::new(), in_doubt: false };
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

    /// The nonce that an account's next transaction must have; none if it has no say in the shard, or the end event was emitted.
    pub(super) fn due(&self, account: AccountId) -> Option<u32> {
        let rules = self.rules();
        let index = rules.ahead.start().account_index(account)?;
        if rules.ahead.ended() { None } else { rules.ahead.next_nonces().get(index).copied() }
    }

    /// What the signature of a transaction has to be of; none if it isn't new, or something else is wrong with it.
    pub(super) fn message(&self, transaction: &Transaction) -> Option<Felt> {
        match self.rules().ahead.check_rules(transaction) {
            Ok(Checked::New(change)) => Some(change.message()),
            Ok(Checked::Duplicate { .. }) | Err(_) => None,
        }
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
        if rules.in_doubt {
            return Ok(Entered::InDoubt);
        }
        let change = match rules.ahead.check_rules(&transaction.transaction)? {
            Checked::Duplicate { sequence } if sequence >= rules.logged.accepted() => return Ok(Entered::UnderWay),
            Checked::Duplicate { sequence } => return Ok(Entered::Duplicate { sequence }),
            Checked::New(change) => change,
        };
        if message != Some(change.message()) {
            return Ok(Entered::Unchecked);
        }
        if !good {
            return Err(Refusal::BadSignature(transaction.transaction.account));
        }
        let (sequence, ends) = (change.sequence(), change.ends());
        let before = rules.under_way.back().map_or(rules.log, |before| before.log);
        let log = extended(before, transaction);
        rules.ahead.apply(change.clone());
        rules.under_way.push_back(UnderWay { transaction: *transaction, change, log });
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
        if let Some(UnderWay { transaction, change, log }) = rules.under_way.pop_front() {
            rules.logged.apply(change);
            rules.log = log;
            rules.unfed.push_back(transaction);
        }
        drop(rules);
        self.changes.announce();
    }

    /// What was on its way in this round isn't known to be in the log: the rules go back to where the log is, and the sequencer is in doubt.
    pub(super) fn failed(&self, round: u64) {
        let mut rules = self.rules();
        if self.round.compare_exchange(round, round + 1, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            rules.ahead = rules.logged.fork();
            rules.under_way.clear();
            rules.in_doubt = true;
        }
        drop(rules);
        self.changes.announce();
    }

    /// From which place on it isn't known what the log has, while that is so. Nothing of this shard is written meanwhile.
    pub(super) fn doubt(&self) -> Option<u32> {
        let rules = self.rules();
        rules.in_doubt.then(|| rules.logged.accepted())
    }

    /// Takes in what the log has from a place of [`doubt`](Self::doubt) on. Does nothing if there is no such doubt any more.
    ///
    /// # Errors
    /// The place of the first transaction that the rules refuse, and the [`Refusal`]; the sequencer stays in doubt.
    pub(super) fn take_in(&self, from: u32, transactions: &[SignedTransaction]) -> Result<(), (u32, Refusal)> {
        let mut rules = self.rules();
        if !rules.in_doubt || rules.logged.accepted() != from {
            return Ok(());
        }
        for (transaction, sequence) in transactions.iter().zip(from..) {
            rules.logged.accept(transaction).map_err(|refusal| (sequence, refusal))?;
            rules.log = extended(rules.log, transaction);
            rules.unfed.push_back(*transaction);
        }
        rules.ahead = rules.logged.fork();
        rules.in_doubt = false;
        drop(rules);
        self.changes.announce();
        Ok(())
    }

    /// The execution begins again with the log: how long that is now, and whether it has its end. What the log has, isn't fed besides.
    pub(super) fn replayed(&self) -> (u32, bool) {
        let mut rules = self.rules();
        rules.unfed.clear();
        (rules.logged.accepted(), rules.logged.ended())
    }

    /// Whether the end event is in the log.
    pub(super) fn ended(&self) -> bool {
        self.rules().logged.ended()
    }

    /// The next transaction that the execution has to get.
    pub(super) fn next_unfed(&self) -> Option<SignedTransaction> {
        self.rules().unfed.pop_front()
    }
}

/// The hash of a log with one more transaction.
pub fn extended(log: Hash, transaction: &SignedTransaction) -> Hash {
    Hash::of_parts("shardwire log 1", &[&log.0, &transaction_hash(transaction).0])
}
