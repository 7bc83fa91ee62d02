//! Where transactions enter a shard, in the order of its log.
//!
//! Two states of the rules are kept: after the whole log, and after those transactions, too, that are on their way to the log. A transaction
//! is checked against the second one, so that many of a shard go into one commit; what is told outside comes from the first one. If a
//! commit fails, the second state becomes the first one again, and what was checked against it is refused: its round is over. The sequencer is
//! in doubt then, because the disk may have got all of it the same: nothing enters until [`Sequencer::take_in`] was told what the log has.
//!
//! Where a check executes the transaction, it is made on a thread that may wait, in [turn](Sequencer::turn): nothing enters between a check and what it led to.
//! The second state has a lock of its own, so that a question how far the log is waits for no execution.
//!
//! What is known of a transaction when it would get its place is whether it breaks a rule, and whether one proof can still take the run with it ([`Admission::affords`]). What is in the log isn't
//! asked the second again.
//!
//! A transaction's time is the operator's when it gets its place, and never before the one before it.
//!
//! Bound: as many transactions are on their way as the store has room for ([`MAX_WAITING`](shardwire_store::MAX_WAITING)).

use shardwire_host::Changes;
use shardwire_model::{AccountId, Felt, Hash, Logged, Mutation, ShardTransaction};
use shardwire_program::{Admission, Budget, Change, Checked, Refusal};
use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::futures::Notified;

/// See the module's page.
pub(super) struct Sequencer {
    rules: Mutex<Rules>,
    /// Whether a check executes the transaction.
    executes: bool,
    /// Whose transaction is executed, until it has its place. Others wait in the order in which they came.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Counts the commits that failed.
    round: AtomicU64,
    changes: Changes,
}

/// The state of the rules after what is on its way, too.
type Speculative = Arc<RwLock<Box<dyn Admission>>>;

/// A fork of the state of the rules after the log.
fn forked(logged: &dyn Admission) -> Speculative {
    Arc::new(RwLock::new(logged.fork()))
}

/// Tells what is logged, in the order of the log, with what it changed.
pub(super) type Observer = Box<dyn Fn(&Logged, &Change) + Send + Sync>;

struct Rules {
    /// After the whole log.
    logged: Box<dyn Admission>,
    /// The log's hash.
    log: Hash,
    /// The time of the log's last transaction.
    time: u64,
    /// After those, too, that are on their way to it.
    speculative: Speculative,
    /// Those that are on their way, in their order.
    under_way: VecDeque<UnderWay>,
    /// Those that are logged and that the execution hasn't got yet.
    unfed: VecDeque<Logged>,
    /// A commit failed, and may have been done all the same.
    in_doubt: bool,
    /// Who is told what is logged.
    observer: Option<Observer>,
}

/// A transaction on its way to the log.
#[derive(Debug)]
struct UnderWay {
    logged: Logged,
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
    /// Whether one proof can take it isn't known before the execution has come further. The turn is kept, so that what came after it stays behind it.
    Behind { refusal: Refusal, turn: Option<Turn> },
}

/// The turn to have a transaction executed.
pub(super) type Turn = tokio::sync::OwnedMutexGuard<()>;

/// What is known of a transaction before it gets its place.
pub(super) enum Examined {
    /// Its rules are looked up now, in seconds since the Unix epoch; its signature was found to be one of this message, or not.
    Signed { now: u64, message: Option<Felt>, good: bool },
    /// It was executed against a state of the rules, for a time, and nothing else was since.
    Executed { checked: Result<Checked, Refusal>, speculative: Speculative, time: u64, turn: Turn },
}

/// What a transaction is executed against.
pub(super) struct Ground {
    speculative: Speculative,
    time: u64,
    turn: Turn,
}

impl Ground {
    /// Executes it. Takes its time: it belongs on a thread that may wait.
    pub(super) fn execute(self, transaction: &ShardTransaction) -> Examined {
        let Self { speculative, time, turn } = self;
        let checked = speculative.read().unwrap_or_else(PoisonError::into_inner).check(transaction, time);
        Examined::Executed { checked, speculative, time, turn }
    }
}

/// A transaction's place in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// The transaction's time, in seconds since the Unix epoch.
    pub(super) time: u64,
    /// Whether what it did is undone.
    pub(super) reverted: bool,
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
    pub(super) next_nonces: Vec<u64>,
    pub(super) accepted: u32,
    pub(super) ended: bool,
}

impl Rules {
    /// The time of a transaction that is checked now.
    fn time(&self, now: u64) -> u64 {
        if Mutation::TimeRunsBack.is_planted() {
            return now;
        }
        now.max(self.under_way.back().map_or(self.time, |before| before.logged.time))
    }
}

impl fmt::Debug for Sequencer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sequencer")
            .field("executes", &self.executes)
            .field("round", &self.round())
            .finish_non_exhaustive()
    }
}

impl Sequencer {
    /// The sequencer of a shard whose log these transactions are.
    ///
    /// # Errors
    /// The place of the first transaction that the rules refuse, and the [`Refusal`].
    pub(super) fn of(
        mut logged: Box<dyn Admission>,
        transactions: &[Logged],
        observer: Option<Observer>,
    ) -> Result<Self, (u32, Refusal)> {
        let (mut log, mut time) = (Hash::default(), 0);
        for (entry, sequence) in transactions.iter().zip(0..) {
            let taken = logged.take_in(&entry.transaction, entry.time).map_err(|refusal| (sequence, refusal))?;
            if let (Some(observer), Checked::New(change)) = (&observer, taken) {
                observer(entry, &change);
            }
            (log, time) = (entry.extend(log), entry.time);
        }
        let executes = logged.executes();
        let (speculative, under_way, unfed) = (forked(&*logged), VecDeque::new(), VecDeque::new());
        let rules = Rules { logged, log, time, speculative, under_way, unfed, in_doubt: false, observer };
        let (turn, round) = (Arc::default(), AtomicU64::new(0));
        Ok(Self { rules: Mutex::new(rules), executes, turn, round, changes: Changes::new() })
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

    /// How much of what one proof can take the log uses; none if its program doesn't count it.
    pub(super) fn budget(&self) -> Option<Budget> {
        self.rules().logged.budget()
    }

    /// The nonce that an account's next transaction must have; none if it has no say in the shard, or the end event was emitted.
    pub(super) fn due(&self, account: AccountId) -> Option<u64> {
        let rules = self.rules();
        let speculative = rules.speculative.read().unwrap_or_else(PoisonError::into_inner);
        let index = speculative.start().account_index(account)?;
        if speculative.ended() { None } else { speculative.next_nonces().get(index).copied() }
    }

    /// What the signature of a transaction that comes now has to be of; none if it isn't new, needs no check, or something else is wrong with it.
    pub(super) fn message(&self, transaction: &ShardTransaction, now: u64) -> Option<Felt> {
        let rules = self.rules();
        let speculative = rules.speculative.read().unwrap_or_else(PoisonError::into_inner);
        match speculative.check_rules(transaction, rules.time(now)) {
            Ok(Checked::New(change)) => change.message(),
            Ok(Checked::Duplicate { .. }) | Err(_) => None,
        }
    }

    /// The turn to have a transaction executed, if that is how it is checked.
    pub(super) async fn turn(&self) -> Option<Turn> {
        if self.executes { Some(self.turn.clone().lock_owned().await) } else { None }
    }

    /// What a transaction is executed against that comes now.
    pub(super) fn ground(&self, turn: Turn, now: u64) -> Ground {
        let rules = self.rules();
        Ground { speculative: rules.speculative.clone(), time: rules.time(now), turn }
    }

    /// Has what the check of a transaction that comes now needs read. Takes its time, in which others enter: it belongs on a thread that may wait.
    ///
    /// # Errors
    /// [`Refusal::Machine`] if it can't be read at the moment.
    pub(super) fn fetch(&self, transaction: &ShardTransaction, now: u64) -> Result<(), Refusal> {
        let (speculative, time) = {
            let rules = self.rules();
            (rules.speculative.clone(), rules.time(now))
        };
        let state = speculative.read().unwrap_or_else(PoisonError::into_inner).fork();
        state.fetch(transaction, time)
    }

    /// The shard is over: nothing is checked any more.
    pub(super) fn let_go(&self) {
        let mut rules = self.rules();
        rules.logged.let_go();
        rules.speculative = forked(&*rules.logged);
    }

    /// Completes when what was on its way is decided, after this call.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changes.next()
    }

    /// Gives a transaction its place, and hands it to `queue` in the order of the places.
    ///
    /// # Errors
    /// [`Refusal`]: the first rule that it breaks.
    pub(super) fn enter<P>(
        &self,
        transaction: &ShardTransaction,
        examined: Examined,
        queue: impl FnOnce(Taken) -> P,
    ) -> Result<Entered<P>, Refusal> {
        let mut rules = self.rules();
        if rules.in_doubt {
            return Ok(Entered::InDoubt);
        }
        let (checked, time, signed, turn) = match examined {
            Examined::Signed { now, message, good } => {
                let time = rules.time(now);
                let speculative = rules.speculative.read().unwrap_or_else(PoisonError::into_inner);
                (speculative.check_rules(transaction, time), time, Some((message, good)), None)
            }
            // A commit has failed since: what it was executed against isn't there any more.
            Examined::Executed { speculative, .. } if !Arc::ptr_eq(&speculative, &rules.speculative) => {
                return Ok(Entered::Unchecked);
            }
            Examined::Executed { checked, time, turn, .. } => (checked, time, None, Some(turn)),
        };
        let change = match checked? {
            Checked::Duplicate { sequence } if sequence >= rules.logged.accepted() => return Ok(Entered::UnderWay),
            Checked::Duplicate { sequence } => return Ok(Entered::Duplicate { sequence }),
            Checked::New(change) => change,
        };
        let affords = rules.speculative.read().unwrap_or_else(PoisonError::into_inner).affords(&change);
        match affords {
            Err(refusal @ Refusal::Later(_)) => return Ok(Entered::Behind { refusal, turn }),
            affords => affords?,
        }
        if let Some((message, good)) = signed {
            if message != change.message() {
                return Ok(Entered::Unchecked);
            }
            if message.is_some() && !good {
                return Err(Refusal::BadSignature(transaction.account()));
            }
        }
        let (sequence, ends) = (change.sequence(), change.ends());
        let before = rules.under_way.back().map_or(rules.log, |before| before.log);
        let (reverted, transaction) = (change.reverted(), transaction.clone());
        let logged = Logged { transaction, time, reverted };
        let log = logged.extend(before);
        rules.speculative.write().unwrap_or_else(PoisonError::into_inner).apply(change.clone());
        rules.under_way.push_back(UnderWay { logged, change, log });
        let round = self.round();
        // Still locked: the queue has the order of the places.
        Ok(Entered::New(queue(Taken { time, reverted, sequence, log, ends, round })))
    }

    /// Which round it is.
    pub(super) fn round(&self) -> u64 {
        self.round.load(Ordering::SeqCst)
    }

    /// The first transaction that was on its way is in the log.
    pub(super) fn logged(&self) {
        let mut rules = self.rules();
        if let Some(UnderWay { logged, change, log }) = rules.under_way.pop_front() {
            if let Some(observer) = &rules.observer {
                observer(&logged, &change);
            }
            rules.logged.apply(change);
            (rules.log, rules.time) = (log, logged.time);
            rules.unfed.push_back(logged);
        }
        drop(rules);
        self.changes.announce();
    }

    /// What was on its way in this round isn't known to be in the log: the rules go back to where the log is, and the sequencer is in doubt.
    pub(super) fn failed(&self, round: u64) {
        let mut rules = self.rules();
        if self.round.compare_exchange(round, round + 1, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            rules.speculative = forked(&*rules.logged);
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
    pub(super) fn take_in(&self, from: u32, transactions: &[Logged]) -> Result<(), (u32, Refusal)> {
        let doubtful = |rules: &Rules| rules.in_doubt && rules.logged.accepted() == from;
        let (mut logged, mut log, mut time) = {
            let rules = self.rules();
            if !doubtful(&rules) {
                return Ok(());
            }
            (rules.logged.fork(), rules.log, rules.time)
        };
        // Unlocked: it may take its time.
        let mut changes = Vec::with_capacity(transactions.len());
        for (entry, sequence) in transactions.iter().zip(from..) {
            let taken = logged.take_in(&entry.transaction, entry.time).map_err(|refusal| (sequence, refusal))?;
            if let Checked::New(change) = taken {
                changes.push((entry, change));
            }
            (log, time) = (entry.extend(log), entry.time);
        }
        let mut rules = self.rules();
        if !doubtful(&rules) {
            return Ok(());
        }
        if let Some(observer) = &rules.observer {
            changes.iter().for_each(|(entry, change)| observer(entry, change));
        }
        (rules.logged, rules.log, rules.time) = (logged, log, time);
        rules.unfed.extend(transactions.iter().cloned());
        rules.speculative = forked(&*rules.logged);
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
    pub(super) fn next_unfed(&self) -> Option<Logged> {
        self.rules().unfed.pop_front()
    }
}
