//! A client that runs a shard: starts it at the settler, submits its transactions to the operator, keeps every
//! receipt, and waits until it is over, or loses patience and aborts it.
//!
//! It does what a person with the command line would do, at a person's pace, and retries whatever fails.

use super::contracts::DungeonShard;
use crate::dice::Dice;
use shardwire::client::{ClientError, Dialler, NodeClient, Progress, Target, started, submit};
use shardwire_model::{Coded as _, PeerId, ShardId, ShardStart, ShardTransaction, Stage, StartRequest, Timestamp};
use shardwire_program::rules;
use shardwire_protocols::{administration::FailedReason, ingress::Receipt};
use shardwire_transport::Backoff;
use shardwire_workload::Workload;
use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::sleep;

/// How long a client waits before it looks again.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Before it tries again what failed.
const TRY_AGAIN: Backoff = Backoff::between(Duration::from_secs(1), Duration::from_secs(8));
/// The most portions in which moves are sent, and the pause between two.
const MOST_PORTIONS: usize = 4;
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// What nodes promised to clients: whatever happens later, it has to stay true. Shared by all clients of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedPromises(Arc<Mutex<Promises>>);

/// The shards that settlers said are started, and the receipts that operators signed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Promises {
    pub(crate) started: Vec<(PeerId, ShardId)>,
    pub(crate) receipts: Vec<(PeerId, Receipt)>,
}

impl SharedPromises {
    fn change(&self, change: impl FnOnce(&mut Promises)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn snapshot(&self) -> Promises {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The two nodes that a client deals with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Targets {
    pub(crate) settler: Target,
    pub(crate) operator: Target,
}

/// How long a client waits for a shard to be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as it takes.
    Endless,
    /// Waits this long, then aborts the shard.
    Aborts(Duration),
    /// Has told the settler to abort the shard after this time, in whole seconds.
    TimesOut(Duration),
}

/// What a client plays.
#[derive(Debug)]
pub(crate) enum Shard {
    /// One of the fixed rules.
    Rules(Box<Workload>),
    /// One of contracts.
    Contracts(DungeonShard),
}

/// A signed transaction, and what has to become of it.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    pub(crate) transaction: ShardTransaction,
    /// The code with which it has to be refused; none if it has to be taken.
    pub(crate) refused: Option<&'static str>,
}

impl Shard {
    fn request(&self, operator: PeerId) -> StartRequest {
        match self {
            Self::Rules(workload) => workload.start_request(operator, rules::hash()),
            Self::Contracts(shard) => shard.request(operator),
        }
    }

    /// Signs all of it, once it is started.
    fn sign(&self, start: &ShardStart) -> Result<Vec<Move>, String> {
        match self {
            Self::Rules(workload) => {
                let signed = workload.sign(start).map_err(|error| error.to_string())?;
                Ok(signed.into_iter().map(|signed| Move { transaction: signed.into(), refused: None }).collect())
            }
            Self::Contracts(shard) => shard.sign(start),
        }
    }
}

/// A client of one shard.
#[derive(Debug)]
pub(crate) struct Client {
    dialler: Dialler,
    targets: Targets,
    played: Shard,
    request: StartRequest,
    /// What the shard is started with, but for the deadline, which the World gives.
    start: ShardStart,
    patience: Patience,
    promises: SharedPromises,
    say: fn(&str),
    observer: SignedObserver,
}

/// Is shown the signed transactions of a client, once it knows what the World started.
#[derive(Clone)]
pub(crate) struct SignedObserver(pub(crate) Arc<Observe>);

type Observe = dyn Fn(&ShardStart, &[ShardTransaction]) + Send + Sync;

impl fmt::Debug for SignedObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedObserver")
    }
}

impl Client {
    /// A client of this shard. It records what nodes promise it in `promises`, reports progress to `say`, and shows its signed transactions to
    /// `observer`.
    #[must_use]
    pub(crate) fn new(
        dialler: Dialler,
        targets: Targets,
        played: Shard,
        patience: Patience,
        promises: SharedPromises,
        say: fn(&str),
        observer: SignedObserver,
    ) -> Self {
        let request = played.request(targets.operator.peer);
        let start = request.to_start(&dialler.network, Timestamp::default());
        Self { dialler, targets, played, request, start, patience, promises, say, observer }
    }

    /// Runs the shard to its end and returns how it ended.
    pub(crate) async fn run(self, begins: Duration, dice: Dice) -> Stage {
        sleep(begins).await;
        let shard = self.start.shard;
        let begun = self.persevere("starts", || self.begin()).await;
        self.promises.change(|promises| promises.started.push((self.targets.settler.peer, shard)));
        (self.say)(&format!("shard {} is started, {:?}", shard.short(), self.patience));
        tokio::select! {
            biased;
            ended = self.see_through(begun, dice) => ended,
            () = self.loses_patience() => self.persevere("looks", || self.look()).await,
        }
    }

    async fn loses_patience(&self) {
        match self.patience {
            Patience::Endless => std::future::pending().await,
            Patience::Aborts(after) => {
                sleep(after).await;
                self.persevere("aborts", || self.abort()).await;
            }
            Patience::TimesOut(after) => sleep(after).await,
        }
    }

    async fn see_through(&self, begun: Option<ShardStart>, mut dice: Dice) -> Stage {
        let shard = self.start.shard;
        let start = match begun {
            Some(start) => start,
            None => self.persevere("asks", || self.ask()).await,
        };
        let moves = self.persevere("signs", || async { self.played.sign(&start) }).await;
        let signed: Vec<ShardTransaction> = moves.iter().map(|it| it.transaction.clone()).collect();
        (self.observer.0)(&start, &signed);
        // A few moves at a time, as people play.
        let portions = 1 + dice.index(MOST_PORTIONS);
        for portion in moves.chunks(moves.len().div_ceil(portions)) {
            // What has to be refused goes alone: what follows it mustn't depend on it.
            for part in portion.chunk_by(|one, next| one.refused.is_none() && next.refused.is_none()) {
                self.persevere("submits", || self.submit(part)).await;
            }
            sleep(dice.between(Duration::ZERO, LONGEST_PAUSE)).await;
        }
        (self.say)(&format!("shard {} is played", shard.short()));
        self.persevere("looks", || self.look()).await
    }

    async fn persevere<T, F: Future<Output = Result<T, String>>>(
        &self,
        what: &str,
        mut attempt: impl FnMut() -> F,
    ) -> T {
        let mut waits = TRY_AGAIN.start(self.dialler.platform.randomness.clone());
        loop {
            match attempt().await {
                Ok(done) => return done,
                Err(why) => {
                    (self.say)(&format!("the client of shard {} {what} again: {why}", self.start.shard.short()));
                }
            }
            sleep(waits.after_failure()).await;
        }
    }

    /// Asks the operator what the World started.
    async fn ask(&self) -> Result<ShardStart, String> {
        started(&self.dialler, &self.targets.operator.into(), self.start.clone()).await.map_err(described)
    }

    /// Starts the shard; `None` if it was started already and the answer with its start data got lost.
    async fn begin(&self) -> Result<Option<ShardStart>, String> {
        let mut control = NodeClient::dial(&self.dialler, self.targets.settler).await.map_err(described)?;
        let request = self.request.clone();
        let timeout = match self.patience {
            Patience::TimesOut(after) => Some(after.as_secs()),
            Patience::Endless | Patience::Aborts(_) => None,
        };
        let started = control.start_shard(request, timeout).await;
        control.close().await;
        match started {
            Ok(started) if (ShardStart { deadline: started.deadline, ..self.start.clone() }) != started => {
                Err("the settler started another shard".into())
            }
            Ok(started) => Ok(Some(started)),
            // The request got through; only the answer was lost.
            Err(error) if error.reason() == Some(FailedReason::AlreadyStarted) => Ok(None),
            Err(error) => Err(described(error)),
        }
    }

    async fn submit(&self, moves: &[Move]) -> Result<(), String> {
        let Targets { operator, .. } = self.targets;
        let signed: Vec<ShardTransaction> = moves.iter().map(|it| it.transaction.clone()).collect();
        let refused = moves.first().and_then(|it| it.refused);
        let keep = |progress: Progress<'_>| {
            self.promises.change(|promises| promises.receipts.push((operator.peer, progress.receipt.clone())));
        };
        let report =
            submit(&self.dialler, &operator.into(), self.start.shard, &signed, keep).await.map_err(described)?;
        match (report.refused.first(), refused) {
            (Some(refusal), Some(code)) if refusal.code == code => Ok(()),
            (Some(refusal), _) => Err(format!("transaction {} is refused: {}", refusal.index, refusal.reason)),
            (None, None) => Ok(()),
            // The checks of the log say what is wrong with that.
            (None, Some(code)) => {
                (self.say)(&format!("what has to be refused with {code} is taken"));
                Ok(())
            }
        }
    }

    async fn abort(&self) -> Result<(), String> {
        let mut control = NodeClient::dial(&self.dialler, self.targets.settler).await.map_err(described)?;
        let aborted = control.abort_shard(self.start.shard).await;
        control.close().await;
        match aborted {
            Ok(_) => Ok(()),
            // A proof settled the shard first.
            Err(error) if error.reason() == Some(FailedReason::AlreadySettled) => Ok(()),
            Err(error) => Err(described(error)),
        }
    }

    /// Waits until the settler says that the shard is over.
    async fn look(&self) -> Result<Stage, String> {
        let mut control = NodeClient::dial(&self.dialler, self.targets.settler).await.map_err(described)?;
        loop {
            let statuses = control.shard_status(Some(self.start.shard)).await.map_err(described)?;
            let over = statuses.iter().find(|it| matches!(it.stage, Stage::Settled | Stage::Aborted));
            if let Some(status) = over {
                control.close().await;
                return Ok(status.stage);
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

fn described(error: ClientError) -> String {
    format!("{error} ({})", error.code())
}
