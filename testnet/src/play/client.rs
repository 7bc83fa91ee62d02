//! Who plays a shard: starts it at the settler, submits its transactions to the operator, keeps every receipt, and waits until it is over.
//!
//! It does what a person with the command line would do, and as long: whatever fails is tried again.

use crate::dice::Dice;
use shardwire::{
    client::{ClientError, ControlClient, Dialler, Progress, Target, submit},
    workload::{Workload, WorkloadError},
};
use shardwire_model::{Coded as _, PeerId, ShardId, ShardStart, SignedTransaction, StartRequest};
use shardwire_protocols::{control::Stage, ingress::Receipt};
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

/// A client of one shard.
#[derive(Debug)]
pub(crate) struct Client {
    dialler: Dialler,
    ends: Ends,
    request: StartRequest,
    start: ShardStart,
    signed: Vec<SignedTransaction>,
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
        told: Told,
        say: fn(&str),
    ) -> Result<Self, WorkloadError> {
        let request = workload.start_request(ends.operator.peer);
        let start = request.to_start(&dialler.network);
        let signed = workload.sign(&start)?;
        Ok(Self { dialler, ends, request, start, signed, told, say })
    }

    /// What will be played.
    pub(crate) fn plays(&self) -> (&ShardStart, &[SignedTransaction]) {
        (&self.start, &self.signed)
    }

    /// Plays the shard to its end: how it ended.
    pub(crate) async fn play(self, begins: Duration, mut dice: Dice) -> Stage {
        sleep(begins).await;
        let shard = self.start.shard;
        self.persevere("starts", || self.begin()).await;
        self.told.change(|words| words.started.push((self.ends.settler.peer, shard)));
        (self.say)(&format!("shard {} is started", shard.short()));
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
        let mut control = ControlClient::dial(&self.dialler, self.ends.settler).await.map_err(said)?;
        let started = control.start_shard(self.request.clone()).await;
        control.close().await;
        match started {
            Ok(started) if started != self.start => Err("the settler started another shard".into()),
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

    /// Waits until the settler says that the shard is over.
    async fn look(&self) -> Result<Stage, String> {
        let mut control = ControlClient::dial(&self.dialler, self.ends.settler).await.map_err(said)?;
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
