//! Crashes of real processes: one of them is killed every second or two while shards are played on their network.
//!
//! A settler, two operators and two provers, each a process of the `shardwire` program with a data folder that
//! outlives it. The shards are those that simulations play ([`clients`](crate::clients)), with real proofs, and the data
//! folders must pass the same checks as simulated disks ([`checks`]).
//!
//! First comes the [storm](storm): `kill -9` of a random node every [`PAUSE`](storm::PAUSE), which is started again after a moment.
//! Then comes the calm: no node is killed any more, and every shard has to be over within [`CALM`]. A proof takes ten
//! seconds of two cores, and starts anew when its prover is killed. So that some are finished in the storm, too, a
//! prover is killed less often than the others ([`storm::WEIGHTS`]). Most of its kills hit it while it proves.
//!
//! Bounds: [`MAX_MINUTES`] of storm, [`SHARDS_A_MINUTE`], the calm. If a node doesn't come up again within its
//! [`START_TIME`](crate::network::START_TIME), or ends by itself, the run ends with an error.

mod storm;

use crate::{
    checks::{self, RunOutcome, Violation},
    clients::{Client, Game, Patience, Promises, Shard, SharedPromises, SignedObserver, Targets},
    dice::{Dice, PPM},
    error::TestnetError,
    network::{NETWORK, NetworkError, NetworkFolder, Node, Programs},
};
use serde::Serialize;
use shardwire::{
    client::{Dialler, Target},
    data::DataPaths,
    host::{Platform, Randomness},
};
use shardwire_model::{Kind, Role, Stage};
use shardwire_store::SystemDisk;
use shardwire_transport::Identity;
use shardwire_workload::{Storage, Workload, World};
use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};
use storm::Storm;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};

/// The longest storm, in minutes: a day.
pub const MAX_MINUTES: u16 = 24 * 60;
/// How many shards are started in a minute of storm: what two cores prove in about as long.
pub const SHARDS_A_MINUTE: u32 = 7;
/// How long every shard may take to be over once no node is killed, plus a minute for each minute of storm. All that
/// wasn't proven in the storm is proven then, one after the other, some of it under a lease that another prover lost
/// and that has to run out first.
pub const CALM: Duration = Duration::from_secs(6 * 60);
/// Players in the World; all of them want the same things.
const PEOPLE: usize = 6;
/// The most moves in a shard: a proof takes as long for one as for a hundred.
const MOVES: usize = 6;
/// Shards in a million that want the only sword: each of these waits for the one before it.
const WITH_SWORD: u32 = PPM / 10;
/// The shortest and the longest time after which an impatient client gives its shard up.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(4), Duration::from_secs(40));
/// The first part of the storm, in hundredths, in which shards are started.
const STARTS: u32 = 85;
/// How often progress is reported.
const TELL_EVERY: Duration = Duration::from_secs(15);
/// The nodes: the settler first, then those that dial it.
const ROLES: [Role; 5] = [Role::Settler, Role::Operator, Role::Operator, Role::Prover, Role::Prover];

/// The result of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Processes that were killed.
    pub kills: u64,
    /// Shards that a settler reported as started.
    pub shards_started: u64,
    /// Shards that settled.
    pub shards_settled: u64,
    /// Shards that were given up.
    pub shards_aborted: u64,
    /// Violations found in the data folders.
    pub violations_of_checks: u64,
    /// Whether no check failed and every shard is over.
    pub ok: bool,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, shards_started, shards_settled, shards_aborted, violations_of_checks, .. } = self;
        write!(
            f,
            "{kills} kills; {shards_started} shards started, {shards_settled} settled, {shards_aborted} aborted; "
        )?;
        write!(f, "{violations_of_checks} violations of checks")
    }
}

/// The network under the storm.
#[derive(Debug)]
pub struct Chaos {
    folder: NetworkFolder,
    nodes: Vec<Node>,
    game: Game,
    /// The client that starts shards.
    starter: Identity,
    dice: Dice,
}

impl Chaos {
    /// Makes the data folders.
    ///
    /// # Errors
    /// [`TestnetError::Network`] if one can't be made.
    pub async fn init(folder: NetworkFolder, programs: &Programs, seed: u64) -> Result<Self, TestnetError> {
        let mut dice = Dice::of(seed, 0);
        let game = Game::new(PEOPLE, &mut dice);
        let starter = Identity::from_secret(&dice.secret());
        let file = folder.path().join("world.json");
        Workload { world: world(&game), ..game.shard(0, 1, false, &mut dice) }.write(&file)?;
        let mut nodes = Vec::new();
        for (role, number) in ROLES.into_iter().zip(0..) {
            // The settler comes first.
            let joined = nodes.first().map(|settler: &Node| settler.data().join("world.json"));
            let world = joined.as_deref().unwrap_or(&file);
            let name = format!("{role}-{number}");
            let mut node = Node::init_as(role, &name, programs, folder.path(), Some(world)).await?;
            node.obeys(starter.peer());
            nodes.push(node);
        }
        Ok(Self { folder, nodes, game, starter, dice })
    }

    /// The folder of all their folders.
    #[must_use]
    pub fn folder(&mut self) -> &mut NetworkFolder {
        &mut self.folder
    }

    /// Runs the storm and the calm, then checks the data folders. `say` receives progress.
    ///
    /// # Errors
    /// [`TestnetError::Network`] if a node doesn't start or ends by itself; other variants if a folder can't be read
    /// or a workload can't be made.
    pub async fn run(&mut self, minutes: u16, say: &mut dyn FnMut(&str)) -> Result<Totals, TestnetError> {
        self.start(say).await?;
        let began = Instant::now();
        let end = began + Duration::from_secs(60) * u32::from(minutes);
        let promises = SharedPromises::default();
        let mut clients = self.clients(minutes, &promises)?;
        let mut stages = Vec::new();
        let mut storm = Storm::new(std::mem::take(&mut self.nodes), Dice::of(self.dice.number(), 0));
        let mut next = began + TELL_EVERY;
        let calm_ends = end + CALM + Duration::from_secs(60) * u32::from(minutes);
        loop {
            if Instant::now() < end {
                storm.strike().await?;
            } else if !storm.is_over() {
                storm.pass().await?;
                say(&format!("[{:>5.0} s] the storm is over", began.elapsed().as_secs_f64()));
            }
            storm.alive()?;
            while let Some(ended) = clients.try_join_next() {
                stages.extend(ended.ok());
            }
            let late = Instant::now() >= calm_ends;
            if Instant::now() >= next || late {
                next += TELL_EVERY;
                let (started, over, kills) = (promises.snapshot().started.len(), stages.len(), storm.kills());
                let elapsed = began.elapsed().as_secs_f64();
                say(&format!("[{elapsed:>5.0} s] {kills} kills, {started} shards started, {over} over"));
            }
            if late || (clients.is_empty() && storm.is_over()) {
                break;
            }
            if storm.is_over() {
                let _ = timeout_at(next.min(calm_ends), async {
                    if let Some(ended) = clients.join_next().await {
                        stages.extend(ended.ok());
                    }
                })
                .await;
            } else {
                sleep(storm.pause()).await;
            }
        }
        clients.abort_all();
        let kills = storm.kills();
        self.nodes = storm.end();
        self.stop().await;
        let violations = self.judge(promises.snapshot()).await?;
        violations.iter().for_each(|violation| say(&violation.to_string()));
        let count = |stage| stages.iter().filter(|it| **it == stage).count() as u64;
        let (shards_settled, shards_aborted) = (count(Stage::Settled), count(Stage::Aborted));
        let shards_started = promises.snapshot().started.len() as u64;
        Ok(Totals {
            kills,
            shards_started,
            shards_settled,
            shards_aborted,
            violations_of_checks: violations.len() as u64,
            ok: violations.is_empty() && clients.is_empty() && shards_started == shards_settled + shards_aborted,
        })
    }

    /// Drains all nodes at once, then ends them.
    pub async fn stop(&mut self) {
        let mut stopping = JoinSet::new();
        for mut node in std::mem::take(&mut self.nodes) {
            stopping.spawn(async move {
                node.stop().await;
                node
            });
        }
        self.nodes = stopping.join_all().await;
    }

    /// Starts the nodes, each once those it dials are listening.
    async fn start(&mut self, say: &mut dyn FnMut(&str)) -> Result<(), NetworkError> {
        for index in 0..self.nodes.len() {
            let (before, [node, after @ ..]) = self.nodes.split_at_mut(index) else { break };
            let dialled = before.iter().filter(|it| it.role() != node.role());
            let dialled = dialled.map(|it| format!("{}@{}", it.peer(), it.listen()));
            let known = after.iter().filter(|it| it.role() != node.role()).map(|it| it.peer().to_string());
            let peers: Vec<String> = dialled.chain(known).collect();
            node.start(&peers).await?;
            say(&format!("{:<8} {} listens on {}", node.role(), node.peer().short(), node.listen()));
        }
        Ok(())
    }

    /// Starts the clients; each begins at its own time.
    fn clients(&mut self, minutes: u16, promises: &SharedPromises) -> Result<JoinSet<Stage>, TestnetError> {
        let dice = &mut self.dice;
        let target = |node: &Node| Target { peer: node.peer(), address: node.listen() };
        let [settler, first, second, ..] = self.nodes.as_slice() else { return Ok(JoinSet::new()) };
        let platform = Platform::system();
        let shards = SHARDS_A_MINUTE * u32::from(minutes);
        let mut clients = JoinSet::new();
        for number in 0..shards {
            let operator = if dice.chance(PPM / 2) { first } else { second };
            let (moves, with_sword) = (1 + dice.index(MOVES), dice.chance(WITH_SWORD));
            let workload = self.game.shard(u64::from(number), moves, with_sword, dice);
            let platform = Platform { randomness: Randomness::from_seed(dice.number()), ..platform.clone() };
            let dialler = Dialler { identity: self.starter.clone(), network: NETWORK.to_owned(), platform };
            let targets = Targets { settler: target(settler), operator: target(operator) };
            let client = Client::new(
                dialler,
                targets,
                Shard::Rules(Box::new(workload)),
                patience(dice),
                promises.clone(),
                |_| {},
                SignedObserver(Arc::new(|_, _| {})),
            );
            let begins = Duration::from_secs(60) * u32::from(minutes) * STARTS / 100 * number / shards;
            clients.spawn(client.run(begins, Dice::of(dice.number(), 0)));
        }
        Ok(clients)
    }

    /// Checks the data folders.
    async fn judge(&self, Promises { started, receipts }: Promises) -> Result<Vec<Violation>, TestnetError> {
        let mut outcome = RunOutcome { started, receipts, liars: BTreeSet::new(), ..RunOutcome::default() };
        for node in &self.nodes {
            let settles = node.role() == Role::Settler;
            let paths = DataPaths::below(node.data().to_owned());
            let read = shardwire::inspect(&SystemDisk, &paths, node.peer(), settles).await;
            let unreadable = |reason| TestnetError::Unreadable { folder: node.data().to_owned(), reason };
            outcome.nodes.push(read.map_err(unreadable)?);
            if settles {
                outcome.genesis.insert(node.peer(), self.game.first.clone());
            }
        }
        Ok(checks::all(&outcome))
    }
}

/// Every third shard is given up: its starter aborts it, or its settler does when its time is over.
fn patience(dice: &mut Dice) -> Patience {
    let after = dice.between(PATIENCE.0, PATIENCE.1);
    match dice.below(6) {
        0 => Patience::Aborts(after),
        1 => Patience::TimesOut(after),
        _ => Patience::Endless,
    }
}

/// The storage with which the settler's World begins.
fn world(game: &Game) -> World {
    let storage = game.first.iter().map(|(slot, it)| Storage {
        contract: slot.contract,
        key: slot.key,
        kind: it.kind,
        value: it.value,
        name: (it.kind == Kind::Lock).then(|| "sword".to_owned()),
        of: None,
    });
    World { storage: storage.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_an_object_with_all_that_came_out() {
        let totals = Totals {
            kills: 102,
            shards_started: 21,
            shards_settled: 15,
            shards_aborted: 6,
            violations_of_checks: 0,
            ok: true,
        };
        let object = r#"{"kills":102,"shards_started":21,"shards_settled":15,"shards_aborted":6,"violations_of_checks":0,"ok":true}"#;
        assert_eq!(serde_json::to_string(&totals).unwrap(), object);
        assert_eq!(totals.to_string(), "102 kills; 21 shards started, 15 settled, 6 aborted; 0 violations of checks");
    }

    #[test]
    fn the_world_begins_with_what_is_played_for() {
        let game = Game::new(PEOPLE, &mut Dice::of(1, 0));
        let world = world(&game);
        assert_eq!(world.storage.len(), game.first.len());
        assert_eq!(world.storage.iter().filter(|it| it.name.is_some()).count(), 1, "there is one sword");
    }
}
