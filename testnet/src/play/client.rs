//! Who plays a shard: starts it at the settler, submits its transactions to the operator, keeps every receipt, and waits until it is over, or
//! loses patience and aborts it.
//!
//! It does what a person with the command line would do, and as long: whatever fails is tried again.

use crate::dice::Dice;
use shardwire::client::{ClientError, Dialler, NodeClient, Progress, Target, submit};
use shardwire_model::{Coded as _, PeerId, ShardId, ShardStart, SignedTransaction, Stage, StartRequest};
use shardwire_protocols::ingress::Receipt;
use shardwire_workload::{Workload, WorkloadError};
use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::sleep;

/// How long a client waits before it tries again, or looks again.
const AGAIN: Duration = Duration::from_secs(2);
/// In how many portions moves are sent at most, and how long a client thinks between two.
const MOST_PORTIONS: usize = 4;
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// What a settler says of a shard that it has started before.
const ALREADY_STARTED: &str = "SW-LEDGER-011";
/// What it says when a shard is to be aborted that is settled.
const ALREADY_SETTLED: &str = "SW-LEDGER-013";

/// What clients were told, which has to be true for ever.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(Arc<Mutex<Words>>);

#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    pub(crate) started: Vec<(PeerId, ShardId)>,
    pub(crate) receipts: Vec<(PeerId, Receipt)>,
}

impl Told {
    fn change(&self, change: impl FnOnce(&mut Words)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn words(&self) -> Words {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The two nodes that a client deals with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) settler: Target,
    pub(crate) operator: Target,
}

/// How long a client waits for a shard to be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as it takes.
    Endless,
    /// For so long; then it aborts the shard.
    Aborts(Duration),
    /// It has told the settler to abort the shard after so long, in whole seconds.
    TimesOut(Duration),
}

/// A client of one shard.
#[derive(Debug)]
pub(crate) struct Client {
    dialler: Dialler,
    ends: Ends,
    request: StartRequest,
    start: ShardStart,
    signed: Vec<SignedTransaction>,
    patience: Patience,
    told: Told,
    say: fn(&str),
}

impl Client {
    /// A client of this shard, which keeps what it is told in `told`, and tells what happens to `say`.
    ///
    /// # Errors
    /// If the workload can't be signed.
    pub(crate) fn new(
        dialler: Dialler,
        ends: Ends,
        workload: &Workload,
        patience: Patience,
        told: Told,
        say: fn(&str),
    ) -> Result<Self, WorkloadError> {
        let request = workload.start_request(ends.operator.peer);
        let start = request.to_start(&dialler.network);
        let signed = workload.sign(&start)?;
        Ok(Self { dialler, ends, request, start, signed, patience, told, say })
    }

    /// What will be played.
    pub(crate) fn plays(&self) -> (&ShardStart, &[SignedTransaction]) {
        (&self.start, &self.signed)
    }

    /// Plays the shard to its end: how it ended.
    pub(crate) async fn play(self, begins: Duration, dice: Dice) -> Stage {
        sleep(begins).await;
        let shard = self.start.shard;
        self.persevere("starts", || self.begin()).await;
        self.told.change(|words| words.started.push((self.ends.settler.peer, shard)));
        (self.say)(&format!("shard {} is started, {:?}", shard.short(), self.patience));
        tokio::select! {
            biased;
            ended = self.see_through(dice) => ended,
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

    async fn see_through(&self, mut dice: Dice) -> Stage {
        let shard = self.start.shard;
        // A few moves at a time, as people play.
        let portions = 1 + dice.index(MOST_PORTIONS);
        for portion in self.signed.chunks(self.signed.len().div_ceil(portions)) {
            self.persevere("submits", || self.submit(portion)).await;
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
        loop {
            match attempt().await {
                Ok(done) => return done,
                Err(why) => {
                    (self.say)(&format!("the client of shard {} {what} again: {why}", self.start.shard.short()));
                }
            }
            sleep(AGAIN).await;
        }
    }

    async fn begin(&self) -> Result<(), String> {
        let mut control = NodeClient::dial(&self.dialler, self.ends.settler).await.map_err(said)?;
        let request = self.request.clone();
        let timeout = match self.patience {
            Patience::TimesOut(after) => Some(after.as_secs()),
            Patience::Endless | Patience::Aborts(_) => None,
        };
        let started = control.start_shard(request, timeout).await;
        control.close().await;
        match started {
            Ok((started, _)) if started != self.start => Err("the settler started another shard".into()),
            Ok(_) => Ok(()),
            // It had got through, and only the answer hadn't.
            Err(error) if error.code() == ALREADY_STARTED || error.to_string().contains(ALREADY_STARTED) => Ok(()),
            Err(error) => Err(said(error)),
        }
    }

    async fn submit(&self, signed: &[SignedTransaction]) -> Result<(), String> {
        let Ends { operator, .. } = self.ends;
        let keep = |progress: Progress<'_>| {
            self.told.change(|words| words.receipts.push((operator.peer, progress.receipt.clone())));
        };
        let report = submit(&self.dialler, operator, self.start.shard, signed, keep).await.map_err(said)?;
        match report.refused.first() {
            Some(refusal) => Err(format!("transaction {} is refused: {}", refusal.index, refusal.reason)),
            None => Ok(()),
        }
    }

    async fn abort(&self) -> Result<(), String> {
        let mut control = NodeClient::dial(&self.dialler, self.ends.settler).await.map_err(said)?;
        let aborted = control.abort_shard(self.start.shard).await;
        control.close().await;
        match aborted {
            Ok(_) => Ok(()),
            // A proof was faster.
            Err(error) if error.to_string().contains(ALREADY_SETTLED) => Ok(()),
            Err(error) => Err(said(error)),
        }
    }

    /// Waits until the settler says that the shard is over.
    async fn look(&self) -> Result<Stage, String> {
        let mut control = NodeClient::dial(&self.dialler, self.ends.settler).await.map_err(said)?;
        loop {
            let statuses = control.shard_status(Some(self.start.shard)).await.map_err(said)?;
            let over = statuses.iter().find(|it| matches!(it.stage, Stage::Settled | Stage::Aborted));
            if let Some(status) = over {
                control.close().await;
                return Ok(status.stage);
            }
            sleep(AGAIN).await;
        }
    }
}

fn said(error: ClientError) -> String {
    format!("{error} ({})", error.code())
}
