//! A transaction's way into a shard: checked, logged in one commit with others, fed to the execution, answered.

use super::{
    Operator,
    error::OperatorError,
    events::{ShardEnded, TransactionAccepted, TransactionFailed, TransactionRefused},
    receipt::receipt,
    run::Run,
    sequencer::{Entered, Examined, Sequencer, Taken, Turn},
    steps::part,
};
use shardwire_host::history::{Advance as _, Lives as _};
use shardwire_model::{
    Cause, Coded as _, Logged, Mutation, ShardId, ShardTransaction, Terms,
    life::{Life, Step},
};
use shardwire_program::Refusal;
use shardwire_protocols::ingress::{Outcome, Receipt};
use shardwire_store::{
    Pending, Reservation, StoreError, Write,
    records::{LogKey, TRANSACTIONS},
};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

/// How long a transaction waits for the execution that runs beside to come up, where what may enter follows from it. Execution is faster than what enters; one that doesn't come
/// up in this time has stopped.
const BEHIND: Duration = Duration::from_secs(5);

/// Transactions of a shard for which something is read at a time, each on a thread of its own. Others wait for their turn, [`BEHIND`] at most.
pub(super) const MAX_FETCHES: usize = 4;
/// How often something is read for a transaction: what it needs may be other, once those before it are in.
const FETCHES: usize = 4;

/// Why a transaction isn't in a shard's log, or not by this.
#[derive(Debug, thiserror::Error)]
pub enum NotIncluded {
    /// It breaks a rule.
    #[error("{0}")]
    Refused(Refusal, Box<Receipt>),
    /// It was there before.
    #[error("the transaction is in the log, at place {0}")]
    Duplicate(u32, Box<Receipt>),
    /// The operator can't, or not any more.
    #[error(transparent)]
    Operator(#[from] OperatorError),
}

impl From<StoreError> for NotIncluded {
    fn from(error: StoreError) -> Self {
        Self::Operator(error.into())
    }
}

impl Operator {
    /// Has a transaction included, for a caller without a session. What it gives is the receipt, once the transaction is durable and its watcher told. It
    /// goes on if nobody waits for it.
    ///
    /// # Errors
    /// [`NotIncluded`] if it isn't, or was before.
    pub async fn include(&self, shard: ShardId, transaction: ShardTransaction) -> Result<Receipt, NotIncluded> {
        let run = self.run(shard).ok_or(OperatorError::Unknown { shard })?;
        let identity = self.host.identity.clone();
        let included = async move {
            let submitted = run.submit(transaction.clone()).await?;
            let refusal = match &submitted {
                Submitted::Refused(refusal, _) => Some(refusal.clone()),
                _ => None,
            };
            let outcome = submitted.outcome().await?;
            let duplicate = match outcome {
                Outcome::Accepted { sequence, duplicate: true, .. } => Some(sequence),
                _ => None,
            };
            let is_accepted = matches!(outcome, Outcome::Accepted { .. });
            let receipt = receipt(&identity, shard, &transaction, outcome);
            match (refusal, duplicate) {
                (Some(refusal), _) => Err(NotIncluded::Refused(refusal, Box::new(receipt))),
                (None, Some(sequence)) => Err(NotIncluded::Duplicate(sequence, Box::new(receipt))),
                (None, None) if is_accepted => Ok(receipt),
                // Only what is over refuses without a rule.
                (None, None) => Err(OperatorError::Over { shard }.into()),
            }
        };
        self.host.see_through(included).await
    }
}

/// A transaction that was submitted.
pub(super) enum Submitted {
    /// It is decided.
    Decided(Outcome),
    /// It breaks a rule, and this nonce is due.
    Refused(Refusal, Option<u64>),
    /// It has its place, and is on its way to the log.
    UnderWay(oneshot::Receiver<Result<Outcome, OperatorError>>),
}

impl Submitted {
    /// What becomes of it.
    pub(super) async fn outcome(self) -> Result<Outcome, OperatorError> {
        match self {
            Self::Decided(outcome) => Ok(outcome),
            Self::Refused(refusal, due) => Ok(Outcome::Refused { cause: refusal.into(), due }),
            Self::UnderWay(outcome) => outcome.await.unwrap_or_else(|_| Err(StoreError::Closed.into())),
        }
    }
}

impl Run {
    /// Checks a transaction and gives it its place on the way to the log. It is logged and fed to the execution without being waited for. If
    /// the shard is over, what it had accepted is answered as before.
    pub(super) async fn submit(self: &Arc<Self>, transaction: ShardTransaction) -> Result<Submitted, OperatorError> {
        let mut patience = pin!(sleep(BEHIND));
        let (mut held, mut fetches) = (None, 0);
        let pending = loop {
            match self.stopped() {
                Some(over @ OperatorError::Over { .. }) => {
                    let known =
                        self.archive().await?.outcome(&self.host.store, &self.assignment.start, &transaction)?;
                    return Ok(Submitted::Decided(known.unwrap_or_else(|| over_now(over))));
                }
                Some(stopped) => return Err(stopped),
                None => {}
            }
            self.certain().await?;
            let sequencer = self.sequencer()?;
            self.dated().await?;
            let (changed, further) = (sequencer.changed(), self.further.next());
            let examined = self.examine(sequencer, &transaction, held.take()).await?;
            let reserved = self.host.store.reserve().await?;
            let queue = |taken| (taken, self.log(sequencer, reserved, taken, transaction.clone()));
            let entered = sequencer.enter(&transaction, examined, queue);
            match &entered {
                Err(Refusal::Absent(_)) => {}
                entered => self.note_unable(entered.as_ref().err()),
            }
            match entered {
                Err(Refusal::Absent(_)) if fetches < FETCHES => {
                    fetches += 1;
                    self.fetch(sequencer, &transaction).await?;
                }
                // Of a transaction that couldn't be looked at nothing is said.
                Err(refusal) if refusal.is_of_this_machine() => return Err(OperatorError::Unable(refusal)),
                Err(refusal) => {
                    self.state().refused += 1;
                    self.events.emit(TransactionRefused { shard: self.shard, code: refusal.code() });
                    let due = sequencer.due(transaction.account());
                    return Ok(Submitted::Refused(refusal, due));
                }
                Ok(Entered::Duplicate { sequence }) => {
                    let reverted = self.was_reverted(sequence)?;
                    return Ok(Submitted::Decided(Outcome::Accepted { sequence, duplicate: true, reverted }));
                }
                Ok(Entered::New(pending)) => break pending,
                Ok(Entered::UnderWay) => changed.await,
                Ok(Entered::Behind { refusal, turn }) => {
                    held = turn;
                    tokio::select! {
                        () = changed => {}
                        () = further => {}
                        () = &mut patience => return Err(OperatorError::Unable(refusal)),
                    }
                }
                Ok(Entered::Unchecked | Entered::InDoubt) => {}
            }
        };
        // A client that goes away takes nothing with it: what is logged is fed.
        let (answer, outcome) = oneshot::channel();
        let (run, (taken, logged)) = (self.clone(), pending);
        self.host.tasks.spawn(async move {
            let _ = answer.send(run.follow(taken, logged).await);
        });
        Ok(Submitted::UnderWay(outcome))
    }

    /// Notes whether this machine could look at a transaction, for the shard's status.
    fn note_unable(&self, refusal: Option<&Refusal>) {
        self.state().unable = refusal.filter(|it| it.is_of_this_machine()).map(Cause::whole);
    }

    /// Has a transaction executed, or its signature checked, as its program wants it.
    async fn examine(
        &self,
        sequencer: &Sequencer,
        transaction: &ShardTransaction,
        held: Option<Turn>,
    ) -> Result<Examined, OperatorError> {
        let turn = match held {
            Some(turn) => Some(turn),
            None => sequencer.turn().await,
        };
        if let Some(turn) = turn {
            let (ground, transaction) = (sequencer.ground(turn, self.time(sequencer)?), transaction.clone());
            let examined = self.host.work.run(move || ground.execute(&transaction)).await;
            return examined.ok_or_else(|| OperatorError::Thread(std::io::Error::other("it ended")));
        }
        let now = self.time(sequencer)?;
        let message = sequencer.message(transaction, now);
        let good = match (transaction, message) {
            (ShardTransaction::Rules(signed), Some(message)) => self.checks.is_good(*signed, message).await,
            _ => false,
        };
        Ok(Examined::Signed { now: self.time(sequencer)?, message, good })
    }

    /// Has what the check of a transaction needs read. Others are checked meanwhile.
    async fn fetch(&self, sequencer: &Arc<Sequencer>, transaction: &ShardTransaction) -> Result<(), OperatorError> {
        let place = timeout(BEHIND, self.fetches.clone().acquire_owned()).await;
        // Never closed.
        let Ok(Ok(place)) = place else { return Err(OperatorError::Fetching { shard: self.shard }) };
        let (sequencer, transaction, now) = (sequencer.clone(), transaction.clone(), self.time(sequencer)?);
        let fetch = move || {
            let fetched = sequencer.fetch(&transaction, now);
            drop(place);
            fetched
        };
        let fetched = self.host.work.run(fetch).await;
        let fetched = fetched.ok_or_else(|| OperatorError::Thread(std::io::Error::other("it ended")))?;
        self.note_unable(fetched.as_ref().err());
        fetched.map_err(OperatorError::Unable)
    }

    /// Whether a logged transaction was reverted.
    fn was_reverted(&self, sequence: u32) -> Result<bool, StoreError> {
        if self.assignment.start.terms == Terms::Rules {
            return Ok(false);
        }
        let logged = self.host.store.get(&TRANSACTIONS, &LogKey { shard: self.shard, sequence })?;
        Ok(logged.is_some_and(|logged| logged.reverted))
    }

    /// The time of a transaction that comes now, in seconds since the Unix epoch.
    fn time(&self, sequencer: &Sequencer) -> Result<u64, OperatorError> {
        let date = if self.needs_a_date(sequencer) { self.host.date() } else { Ok(self.host.clock.now()) };
        date.map(|date| date.0 / 1000).map_err(|why| OperatorError::Date { shard: self.shard, why })
    }

    /// Whether a time may be logged by the date that this node has: waits a moment for the first peer's.
    pub(super) async fn dated(&self) -> Result<(), OperatorError> {
        if !self.needs_a_date(self.sequencer()?) {
            return Ok(());
        }
        self.host.dated().await.map(drop).map_err(|why| OperatorError::Date { shard: self.shard, why })
    }

    /// Whether a wrong date would do what can't be undone: contracts see the time of each transaction, and it never runs back. After the end event nothing enters.
    fn needs_a_date(&self, sequencer: &Sequencer) -> bool {
        self.assignment.start.terms != Terms::Rules && !sequencer.ended()
    }

    /// Queues a transaction up for the log, with the steps that it makes.
    fn log(
        self: &Arc<Self>,
        sequencer: &Arc<Sequencer>,
        reserved: Reservation,
        taken: Taken,
        transaction: ShardTransaction,
    ) -> Pending<Life, OperatorError> {
        let Taken { time, reverted, sequence, log, ends, round } = taken;
        let mut steps = Vec::new();
        if sequence == 0 {
            steps.push(Step::Executing { first: transaction.hash() });
        }
        if ends {
            steps.push(Step::Ended { transactions: sequence + 1, log });
        }
        let (shard, now) = (self.shard, self.host.clock.now());
        let (key, logged) = (LogKey { shard, sequence }, Logged { transaction, time, reverted });
        let late = Mutation::EffectBeforeRecord.is_planted();
        if late {
            let (host, logged) = (self.host.clone(), logged.clone());
            self.host.tasks.spawn(async move {
                sleep(Duration::from_secs(2)).await;
                drop(host.store.keep(&TRANSACTIONS, key, logged).await);
            });
        }
        let (run, then) = (self.clone(), self.clone());
        let (rounds, sequencer) = (sequencer.clone(), sequencer.clone());
        let changes = move |write: &mut Write<'_>| {
            if rounds.round() != round {
                return Err(OperatorError::Behind { shard });
            }
            let mut life = write.life(part(shard))?;
            if life.is_over() {
                return Err(OperatorError::Over { shard });
            }
            if !late {
                // If the one before was refused here, the rules that took this one are no longer the log's.
                let before = sequence.checked_sub(1).map(|sequence| LogKey { shard, sequence });
                if let Some(before) = before
                    && write.get(&TRANSACTIONS, &before)?.is_none()
                {
                    return Err(OperatorError::Behind { shard });
                }
                write.put(&TRANSACTIONS, &key, &logged)?;
            }
            for step in steps {
                life = write.advance::<OperatorError>(&run.host.identity, now, part(shard), step)?;
            }
            Ok(life)
        };
        reserved.enqueue_then(changes, move |logged| match logged {
            Ok(life) => {
                then.state().lives(life);
                sequencer.logged();
            }
            Err(_) => sequencer.failed(round),
        })
    }

    /// Takes in what a commit that failed has written after all, before anything else enters.
    ///
    /// # Errors
    /// [`OperatorError::Store`] while the disk can't say; [`OperatorError::Log`] if it has what the rules refuse.
    pub(super) async fn certain(self: &Arc<Self>) -> Result<(), OperatorError> {
        let sequencer = self.sequencer()?;
        let Some(from) = sequencer.doubt() else { return Ok(()) };
        let (store, shard, taking) = (self.host.store.clone(), self.shard, sequencer.clone());
        let take = move || {
            let life = store.life(part(shard))?;
            let mut logged = Vec::new();
            for sequence in from.. {
                let Some(entry) = store.get(&TRANSACTIONS, &LogKey { shard, sequence })? else { break };
                logged.push(entry);
            }
            let taken = taking.take_in(from, &logged);
            taken.map_err(|(sequence, refusal)| OperatorError::not_replayed(shard, sequence, refusal))?;
            Ok::<_, OperatorError>(life)
        };
        let taken = self.host.work.run(take).await;
        let life = taken.ok_or_else(|| OperatorError::Thread(std::io::Error::other("it ended")))??;
        self.state().lives(&life);
        // What was taken in is fed, also if who asked goes away.
        let run = self.clone();
        self.host.see_through(async move { run.feed_logged(run.sequencer()?).await }).await
    }

    /// Feeds the execution what is logged; with the end event it gets nothing more.
    async fn feed_logged(self: &Arc<Self>, sequencer: &Sequencer) -> Result<(), OperatorError> {
        let _turn = self.feeding.lock().await;
        while let Some(logged) = sequencer.next_unfed() {
            let executor = self.executor().clone();
            if let Some(executor) = executor {
                executor.send(logged).await;
            }
        }
        if !sequencer.ended() || self.executor().take().is_none() {
            return Ok(());
        }
        let transactions = sequencer.progress().accepted;
        self.events.emit(ShardEnded { shard: self.shard, transactions });
        self.progress.announce();
        self.changes.announce();
        let leased = self.segments.all().into_iter().find(|segment| segment.leases.present().is_some());
        if let Some(segment) = leased {
            self.streams(segment.job).await?;
        }
        Ok(())
    }

    /// Waits until a transaction is logged, and feeds the execution.
    async fn follow(
        self: &Arc<Self>,
        taken: Taken,
        logged: Pending<Life, OperatorError>,
    ) -> Result<Outcome, OperatorError> {
        match logged.await {
            Ok(_) => {}
            // That the shard is over is an answer, not a fault of ours.
            Err(over @ OperatorError::Over { .. }) => return Ok(over_now(over)),
            Err(error) => {
                let (shard, code, words) = (self.shard, error.code(), error.to_string());
                self.events.emit(TransactionFailed { shard, code, error: words });
                return Err(error);
            }
        }
        self.events.emit(TransactionAccepted { shard: self.shard, sequence: taken.sequence });
        self.feed_logged(self.sequencer()?).await?;
        let Taken { sequence, reverted, .. } = taken;
        Ok(Outcome::Accepted { sequence, duplicate: false, reverted })
    }
}

/// The answer to a transaction that isn't known, of a shard that is over: no nonce is due any more.
fn over_now(over: OperatorError) -> Outcome {
    Outcome::Refused { cause: over.into(), due: None }
}
