//! Who plays a shard: starts it at the settler, submits its transactions to the operator, keeps every receipt, and waits until it is over.
//!
//! It does what a person with the command line would do, and as long: whatever fails is tried again.

use super::{
    machine::{NETWORK, SimulatedClock},
    plan::Dice,
    record::note,
    reexecution::Notary,
};
use shardwire::{
    client::{ControlClient, Dialler, Target, submit},
    surroundings::{Randomness, Surroundings},
    workload::Workload,
};
use shardwire_model::{Coded as _, PeerId, ShardId, ShardStart, SignedTransaction};
use shardwire_protocols::{control::Stage, ingress::Receipt};
use shardwire_transport::{Identity, sim::Host};
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
pub(super) struct Told(Arc<Mutex<Words>>);

#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    pub(super) started: Vec<(PeerId, ShardId)>,
    pub(super) receipts: Vec<(PeerId, Receipt)>,
}

impl Told {
    fn change(&self, change: impl FnOnce(&mut Words)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn words(&self) -> Words {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A client of one shard.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) identity: Identity,
    pub(super) host: Host,
    pub(super) settler: Target,
    pub(super) operator: Target,
    pub(super) workload: Workload,
    pub(super) begins: Duration,
    pub(super) notary: Arc<Notary>,
    pub(super) told: Told,
}

impl Client {
    fn dialler(&self, dice: &mut Dice) -> Dialler {
        let surroundings = Surroundings {
            clock: Arc::new(SimulatedClock::new(0)),
            network: Arc::new(self.host.clone()),
            randomness: Randomness::from_seed(dice.number()),
            ..Surroundings::system()
        };
        Dialler { identity: self.identity.clone(), network: NETWORK.to_owned(), surroundings }
    }

    /// Plays the shard to its end: how it ended.
    pub(super) async fn play(self, mut dice: Dice) -> Stage {
        let dialler = self.dialler(&mut dice);
        sleep(self.begins).await;
        let request = self.workload.start_request(self.operator.peer);
        let start = request.validate(NETWORK).expect("the simulator's own request");
        let signed = self.workload.sign(&start).expect("the simulator's own workload");
        self.notary.learn(&start, &signed);
        let shard = start.shard;
        self.persevere("starts", shard, || async {
            let mut control = ControlClient::dial(&dialler, self.settler).await.map_err(said)?;
            let started = control.start_shard(request.clone()).await;
            control.close().await;
            match started {
                Ok(started) if started != start => Err("the settler started another shard".into()),
                Ok(_) => Ok(()),
                // It had got through, and only the answer hadn't.
                Err(error) if error.code() == ALREADY_STARTED || error.to_string().contains(ALREADY_STARTED) => Ok(()),
                Err(error) => Err(said(error)),
            }
        })
        .await;
        self.told.change(|words| words.started.push((self.settler.peer, shard)));
        note(&format!("shard {} is started", shard.short()));
        // A few moves at a time, as people play.
        let portions = 1 + dice.index(MOST_PORTIONS);
        for portion in signed.chunks(signed.len().div_ceil(portions)) {
            self.persevere("submits", shard, || self.submit(&dialler, &start, portion)).await;
            sleep(dice.between(Duration::ZERO, LONGEST_PAUSE)).await;
        }
        note(&format!("shard {} is played", shard.short()));
        self.persevere("looks", shard, || self.look(&dialler, shard)).await
    }

    async fn persevere<T, F: Future<Output = Result<T, String>>>(
        &self,
        what: &str,
        shard: ShardId,
        mut attempt: impl FnMut() -> F,
    ) -> T {
        loop {
            match attempt().await {
                Ok(done) => return done,
                Err(why) => note(&format!("the client of shard {} {what} again: {why}", shard.short())),
            }
            sleep(AGAIN).await;
        }
    }

    async fn submit(&self, dialler: &Dialler, start: &ShardStart, signed: &[SignedTransaction]) -> Result<(), String> {
        let keep = |progress: shardwire::client::Progress<'_>| {
            self.told.change(|words| words.receipts.push((self.operator.peer, progress.receipt.clone())));
        };
        let report = submit(dialler, self.operator, start.shard, signed, keep).await.map_err(said)?;
        match report.refused.first() {
            Some(refusal) => Err(format!("transaction {} is refused: {}", refusal.index, refusal.reason)),
            None => Ok(()),
        }
    }

    /// Waits until the settler says that the shard is over.
    async fn look(&self, dialler: &Dialler, shard: ShardId) -> Result<Stage, String> {
        let mut control = ControlClient::dial(dialler, self.settler).await.map_err(said)?;
        loop {
            let statuses = control.shard_status(Some(shard)).await.map_err(said)?;
            let over = statuses.iter().find(|it| matches!(it.stage, Stage::Settled | Stage::Aborted));
            if let Some(status) = over {
                control.close().await;
                return Ok(status.stage);
            }
            sleep(AGAIN).await;
        }
    }
}

fn said(error: shardwire::client::ClientError) -> String {
    format!("{error} ({})", error.code())
}
