//! A shard that has players on a running network, followed from its start until it is settled.
//!
//! Bounds: [`TIME_LIMIT`] for all of it, a look at each node every [`LOOK_EVERY`].

use crate::{
    crashes::{AWAY, PlannedCrash},
    error::TestnetError,
    figures::Figures,
    limits::TIME_LIMIT,
    network::Network,
    progress::{Progress, Reporter},
    recompute::{Expected, State, Value, differences},
    watch::{Watch, complain},
};
use shardwire_model::{Kind, ShardId, Stage};
use shardwire_protocols::administration::StorageStatus;
use shardwire_workload::World;
use std::{
    collections::BTreeSet,
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
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The players, in a task that ends with them.
pub(crate) struct Players<T> {
    receipts: Arc<AtomicU32>,
    of: u32,
    began: Instant,
    took: Option<Duration>,
    /// `None` once it has ended.
    task: Option<JoinHandle<Result<T, TestnetError>>>,
    /// What it came to.
    came: Option<T>,
}

impl<T: Send + 'static> Players<T> {
    /// Lets them send so many transactions; they count their receipts.
    pub(crate) fn send<F: Future<Output = Result<T, TestnetError>> + Send + 'static>(
        transactions: usize,
        send: impl FnOnce(Arc<AtomicU32>) -> F,
    ) -> Self {
        let receipts = Arc::new(AtomicU32::new(0));
        let task = Some(tokio::spawn(send(receipts.clone())));
        let of = u32::try_from(transactions).unwrap_or(u32::MAX);
        Self { receipts, of, began: Instant::now(), took: None, task, came: None }
    }

    /// How long they have been playing, or played.
    fn playing(&self) -> Duration {
        self.took.unwrap_or_else(|| self.began.elapsed())
    }

    /// Checks that all goes well so far.
    async fn check(&mut self) -> Result<(), TestnetError> {
        let Some(task) = self.task.take_if(|task| task.is_finished()) else { return Ok(()) };
        self.took = Some(self.began.elapsed());
        self.came = Some(task.await.map_err(|lost| TestnetError::System { what: "sending", reason: lost.into() })??);
        Ok(())
    }
}

impl<T> Drop for Players<T> {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// A shard that is settled.
pub(crate) struct Followed<T> {
    /// What it cost.
    pub(crate) figures: Figures,
    /// The World's storage now.
    pub(crate) storage: Vec<StorageStatus>,
    /// Time from the shard's start to its settlement.
    pub(crate) took: Duration,
    /// What came of the players.
    pub(crate) came: T,
}

/// Follows a shard until it is settled and its players are through. Faults are removed from the list when they happen.
///
/// # Errors
/// [`TestnetError::Late`], [`TestnetError::Shard`] or another variant if it isn't settled.
pub(crate) async fn follow<T: Send + 'static>(
    network: &mut Network,
    watch: &mut Watch,
    shard: ShardId,
    mut players: Players<T>,
    crashes: &mut Vec<PlannedCrash>,
    reporter: &mut Reporter,
) -> Result<Followed<T>, TestnetError> {
    let began = Instant::now();
    let mut reported = BTreeSet::new();
    let mut proving_since = None;
    let mut known = Figures::of(shard, &[]);
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (figures, came) = loop {
        ticks.tick().await;
        network.alive()?;
        players.check().await?;
        let statuses = watch.look(shard).await?;
        for status in &statuses {
            complain(status, &mut reported, reporter)?;
        }
        let figures = Figures::of(shard, &statuses).or_before(&known);
        known = figures.clone();
        if figures.stages.prover >= Stage::Proving {
            proving_since.get_or_insert_with(Instant::now);
        }
        let progress = Progress {
            elapsed: began.elapsed(),
            receipts: players.receipts.load(Ordering::Relaxed),
            of: players.of,
            playing: players.playing(),
            proving: proving_since.map(|since: Instant| since.elapsed()).unwrap_or_default(),
            figures: figures.clone(),
        };
        reporter.show(&progress);
        if figures.stages.settler == Stage::Settled
            && let Some(came) = players.came.take()
        {
            break (figures, came);
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
    Ok(Followed { figures, storage, took, came })
}

/// The World's storage as the recomputation has it.
pub(crate) fn settled(storage: &[StorageStatus]) -> State {
    storage.iter().map(|it| (it.slot(), Value { kind: it.kind, value: it.value })).collect()
}

/// All differences of what is settled from what should be.
pub(crate) fn judge(
    world: &World,
    expected: &Expected,
    figures: &Figures,
    storage: &[StorageStatus],
    settled: &State,
) -> Vec<String> {
    let differences = differences(world, &expected.state, settled);
    let mut differences: Vec<String> = differences.iter().map(ToString::to_string).collect();
    let updates: Vec<_> = figures.updates.iter().map(|it| (it.kind, it.slot(), it.value)).collect();
    if updates != expected.updates {
        differences.push("the proven updates are not those recomputed".into());
    }
    differences.extend(stuck(storage));
    differences
}

/// What is still with a shard that is settled.
fn stuck(storage: &[StorageStatus]) -> impl Iterator<Item = String> {
    let stuck = |it: &&StorageStatus| it.in_escrow != 0 || (it.kind == Kind::Lock && it.held_by.is_some());
    storage.iter().filter(stuck).map(|it| format!("{} {} is still with a shard", it.kind, it.slot()))
}
