//! A shard's life, from start to settled, on a network that runs.
//!
//! Bounds: [`TIME_LIMIT`] for all of it, [`PATIENCE`] with a node that runs and doesn't answer, a look at each node every [`LOOK_EVERY`].

use crate::{
    crashes::{AWAY, PlannedCrash},
    error::TestnetError,
    figures::Figures,
    limits::{PATIENCE, TIME_LIMIT},
    network::Network,
    progress::{Progress, Reporter},
    recompute::{self, Expected, State, Value},
    report::Report,
};
use shardwire::{
    client::{ClientError, Dialler, NodeClient, SubmitReport, Target, submit_and_resign},
    host::{Platform, Randomness},
};
use shardwire_model::{Kind, Role, ShardId, ShardStart, Stage};
use shardwire_program::rules;
use shardwire_protocols::administration::{ShardStatus, StorageStatus};
use shardwire_transport::Identity;
use shardwire_workload::Workload;
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

/// How often each node is asked how far it is: often enough for smooth bars.
pub const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Plays the workload on the network and checks the result. Faults are removed from the list when they happen.
///
/// # Errors
/// [`TestnetError::Late`], [`TestnetError::Shard`] or another variant if the shard isn't settled. A shard that settles wrongly is not an error but a difference in the
/// [report](Report::is_ok).
pub async fn run_workload(
    network: &mut Network,
    workload: &Workload,
    expected: &Expected,
    crashes: &mut Vec<PlannedCrash>,
    reporter: &mut Reporter,
) -> Result<Report, TestnetError> {
    let began = Instant::now();
    let mut watch = Watch::new(network);
    let request = workload.start_request(network.node(Role::Operator).peer(), rules::hash());
    let start = watch.settler().await?.start_shard(request, None).await?;
    reporter.say(&format!("shard {} is started, for the operator to execute", start.shard.short()));
    let mut players = Players::send(network, workload, &start);
    let mut reported = BTreeSet::new();
    let mut proving_since = None;
    let mut known = Figures::of(start.shard, &[]);
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let figures = loop {
        ticks.tick().await;
        network.alive()?;
        players.check().await?;
        let statuses = watch.look(start.shard).await?;
        for status in &statuses {
            complain(status, &mut reported, reporter)?;
        }
        let figures = Figures::of(start.shard, &statuses).or_before(&known);
        known = figures.clone();
        if figures.stages.prover >= Stage::Proving {
            proving_since.get_or_insert_with(Instant::now);
        }
        let progress = Progress {
            elapsed: began.elapsed(),
            receipts: players.receipts.load(Ordering::Relaxed),
            of: u32::try_from(workload.transactions.len()).unwrap_or(u32::MAX),
            playing: players.playing(),
            proving: proving_since.map(|since: Instant| since.elapsed()).unwrap_or_default(),
            figures: figures.clone(),
        };
        reporter.show(&progress);
        if figures.stages.settler == Stage::Settled && players.are_done() {
            break figures;
        }
        if let Some(due) = crashes.iter().position(|crash| (crash.when)(&progress)) {
            let crash = crashes.remove(due);
            reporter.say(&crash.to_string());
            let node = network.node_mut(crash.role);
            node.kill().await;
            sleep(AWAY).await;
            node.restart().await?;
            reporter.say(&format!("the {} is started again", crash.role));
        }
        if began.elapsed() > TIME_LIMIT {
            let stages = figures.stages;
            let (settler, operator, prover) = (stages.settler, stages.operator, stages.prover);
            return Err(TestnetError::Late { settler, operator, prover });
        }
    };
    reporter.finish();
    let took = began.elapsed();
    let storage = watch.settler().await?.world().await?;
    let settled: State = storage.iter().map(|it| (it.slot(), Value { kind: it.kind, value: it.value })).collect();
    let differences = judge(workload, expected, &figures, &storage, &settled);
    Ok(Report { workload: workload.clone(), figures, settled, differences, took })
}

/// All differences from what should be.
fn judge(
    workload: &Workload,
    expected: &Expected,
    figures: &Figures,
    storage: &[StorageStatus],
    settled: &State,
) -> Vec<String> {
    let mut differences: Vec<String> =
        recompute::differences(workload, &expected.state, settled).iter().map(ToString::to_string).collect();
    let updates: Vec<_> = figures.updates.iter().map(|it| (it.kind, it.slot(), it.value)).collect();
    if updates != expected.updates {
        differences.push("the proven updates are not those recomputed".into());
    }
    let stuck = |it: &&StorageStatus| it.in_escrow != 0 || (it.kind == Kind::Lock && it.held_by.is_some());
    differences
        .extend(storage.iter().filter(stuck).map(|it| format!("{} {} is still with a shard", it.kind, it.slot())));
    differences
}

/// Reports each trouble once. Returns an error if the shard can't go on.
fn complain(
    status: &ShardStatus,
    reported: &mut BTreeSet<(Role, String)>,
    reporter: &mut Reporter,
) -> Result<(), TestnetError> {
    let reason = status.error.as_ref().map(|cause| format!("{}: {}", cause.code, cause.reason));
    if matches!(status.stage, Stage::Failed | Stage::Aborted) {
        let (shard, stage, role) = (status.shard, status.stage, status.role);
        return Err(TestnetError::Shard {
            shard,
            stage,
            role,
            reason: reason.unwrap_or_else(|| "no reason given".into()),
        });
    }
    if let Some(reason) = reason
        && reported.insert((status.role, reason.clone()))
    {
        reporter.say(&format!("trouble at the {}: {reason}", status.role));
    }
    Ok(())
}

/// The players: they sign and send, and collect receipts.
struct Players {
    receipts: Arc<AtomicU32>,
    began: Instant,
    took: Option<Duration>,
    /// `None` once it has ended.
    task: Option<JoinHandle<Result<SubmitReport, TestnetError>>>,
}

impl Players {
    fn send(network: &Network, workload: &Workload, start: &ShardStart) -> Self {
        let operator = network.node(Role::Operator);
        let target = Target { peer: operator.peer(), address: operator.listen() };
        let dialler = Dialler {
            // The players' client is no configured peer: operators take transactions from anyone, because the
            // signature counts.
            identity: Identity::generate(&mut Randomness::system()),
            network: crate::network::NETWORK.to_owned(),
            platform: Platform::system(),
        };
        let receipts = Arc::new(AtomicU32::new(0));
        let counter = receipts.clone();
        let (workload, start) = (workload.clone(), start.clone());
        let task = tokio::spawn(async move {
            let keys: Vec<_> = workload.players.iter().map(shardwire_workload::Player::key).collect();
            let of = start.clone();
            let signed = tokio::task::spawn_blocking(move || workload.sign(&of)).await;
            let signed = signed.map_err(|lost| TestnetError::System { what: "signing", reason: lost.into() })??;
            let count = |progress: shardwire::client::Progress<'_>| {
                counter.store(u32::try_from(progress.done).unwrap_or(u32::MAX), Ordering::Relaxed);
            };
            Ok(submit_and_resign(&dialler, target, &start, &signed, &keys, count).await?)
        });
        Self { receipts, began: Instant::now(), took: None, task: Some(task) }
    }

    /// How long they have been playing, or played.
    fn playing(&self) -> Duration {
        self.took.unwrap_or_else(|| self.began.elapsed())
    }

    fn are_done(&self) -> bool {
        self.task.is_none()
    }

    /// Checks that all goes well so far.
    async fn check(&mut self) -> Result<(), TestnetError> {
        let Some(task) = self.task.take_if(|task| task.is_finished()) else { return Ok(()) };
        self.took = Some(self.began.elapsed());
        let report = task.await.map_err(|lost| TestnetError::System { what: "sending", reason: lost.into() })??;
        match report.refused.first() {
            None => Ok(()),
            Some(refusal) => Err(TestnetError::Refused {
                number: refusal.index + 1,
                code: refusal.code.clone(),
                reason: refusal.reason.clone(),
                of: report.refused.len(),
            }),
        }
    }
}

impl Drop for Players {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// A control session to each node, reopened when it breaks.
struct Watch {
    platform: Platform,
    nodes: [Watched; 3],
}

struct Watched {
    role: Role,
    data: PathBuf,
    client: Option<NodeClient>,
    answered: Instant,
}

impl Watched {
    async fn client(&mut self, platform: &Platform) -> Result<&mut NodeClient, ClientError> {
        let client = match self.client.take() {
            Some(client) => client,
            None => NodeClient::connect(&self.data, platform).await?,
        };
        Ok(self.client.insert(client))
    }

    async fn look(&mut self, platform: &Platform, shard: ShardId) -> Result<Vec<ShardStatus>, TestnetError> {
        let answer = match self.client(platform).await {
            // A node that hasn't heard of the shard yet doesn't list it.
            Ok(client) => client.shard_status(None).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(mut statuses) => {
                self.answered = Instant::now();
                statuses.retain(|status| status.shard == shard);
                Ok(statuses)
            }
            Err(last) => {
                self.client = None;
                let patient = self.answered.elapsed() < PATIENCE;
                if patient { Ok(Vec::new()) } else { Err(TestnetError::Unreachable { role: self.role, last }) }
            }
        }
    }
}

impl Watch {
    fn new(network: &Network) -> Self {
        let watched =
            |role| Watched { role, data: network.node(role).data().to_owned(), client: None, answered: Instant::now() };
        Self { platform: Platform::system(), nodes: [Role::Settler, Role::Operator, Role::Prover].map(watched) }
    }

    async fn settler(&mut self) -> Result<&mut NodeClient, ClientError> {
        let Self { platform, nodes: [settler, ..] } = self;
        settler.client(platform).await
    }

    /// The statuses that the nodes report.
    async fn look(&mut self, shard: ShardId) -> Result<Vec<ShardStatus>, TestnetError> {
        let Self { platform, nodes: [settler, operator, prover] } = self;
        let (settler, operator, prover) =
            tokio::join!(settler.look(platform, shard), operator.look(platform, shard), prover.look(platform, shard));
        Ok([settler?, operator?, prover?].concat())
    }
}
