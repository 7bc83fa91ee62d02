//! A running node: from its configuration and data folder until it is told to stop.
//!
//! It can be told so from its first moment on. What it does before it listens (opening databases and migrating them, taking up shards and jobs) waits for the disk on threads of their own; told to stop
//! meanwhile, the node ends at once. What it had taken up is on the disk as it was, or further: each step is repeated by the next start.

#[cfg(test)]
mod tests;

use crate::{
    config::{Config, DEFAULT_PROOF_MEMORY_BYTES},
    data::{DataFolder, DataPaths, Running},
    door::Chains,
    forks::{self, Kept},
    network::{
        Links, Node, Reload, Roles, begins,
        events::{ListsNotRead, Room, WorkerFound},
    },
    programs,
    proofs::Proofs,
    world,
};
use rand::RngCore as _;
use shardwire_api::Metrics;
use shardwire_fork::Forks;
use shardwire_host::{Host, Platform, Tasks, clock::NodeClock, disk_health, peers, platform::Work};
use shardwire_hosted::{Contracts, Limits, Networks};
use shardwire_model::{Clock as _, Coded, PeerId, Role};
use shardwire_operator::{Operator, Watch};
use shardwire_protocols::{catalogue, handshake::Instance};
use shardwire_prover::{Prove, Prover, Workshop};
use shardwire_proving::worker::{self, LocateError, Worker};
use shardwire_rpc::{Door, Settings};
use shardwire_settler::{Judge, Settler};
use shardwire_store::{Artefacts, Disk, Store, WatchedDisk, records::LAYOUT};
use shardwire_telemetry::Events;
use shardwire_transport::{Endpoint, Identity};
use std::{net::SocketAddr, panic::resume_unwind, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, oneshot},
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

/// How long sessions under way may take to end once the node is told to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// How long a command line that told the node to stop has to take the answer: a hundred times what it needs.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why a node ended otherwise than it was told to.
pub type RunError = Box<dyn Coded + Send + Sync>;

/// A node can be talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The node's id.
    pub peer: PeerId,
    /// The address that it listens at.
    pub listen: SocketAddr,
    /// Where its metrics are.
    pub metrics: Option<SocketAddr>,
    /// Where wallets find its shards.
    pub rpc: Option<SocketAddr>,
}

/// What a node is told from outside while it runs.
#[derive(Clone, Debug)]
pub struct Orders {
    /// Cancelled when it shall stop.
    pub stop: CancellationToken,
    /// Notified when it shall read the lists of its configuration again.
    pub reload: Arc<Notify>,
}

impl From<CancellationToken> for Orders {
    fn from(stop: CancellationToken) -> Self {
        Self { stop, reload: Arc::default() }
    }
}

fn boxed(error: impl Coded + Send + Sync + 'static) -> RunError {
    Box::new(error)
}

/// Runs a node until its orders, or the command line, say that it shall stop, then drains and returns.
/// `ready` is told, and the folder announced, as soon as the node listens. For the `shardwire` program: see [`Proofs::of_program`].
///
/// # Errors
/// What keeps it from beginning: [`MetricsError`](shardwire_api::MetricsError) if the address of the metrics is taken,
/// [`DoorError`](shardwire_rpc::DoorError) if that of the door for wallets is, and as [`run_at`].
pub async fn run(
    config: Config,
    folder: DataFolder,
    platform: Platform,
    orders: impl Into<Orders>,
    ready: oneshot::Sender<Ready>,
) -> Result<(), RunError> {
    let home = Home { identity: folder.identity().clone(), paths: folder.paths().clone() };
    let (network, advertise, telemetry) =
        (config.network.clone(), config.advertise.clone(), platform.telemetry.clone());
    let metrics = match config.metrics {
        Some(address) => Some(Metrics::open(address).await.map_err(boxed)?),
        None => None,
    };
    let door = match config.rpc.filter(|_| config.has_role(Role::Operator)) {
        Some(listen) => Some(Door::open(Settings { listen, ..Settings::recommended() }).await.map_err(boxed)?),
        None => None,
    };
    // What is served over HTTP ends when this does.
    let mut served = JoinSet::new();
    let announce = |Ready { peer, listen, .. }, chains: Option<Arc<Chains>>| {
        let rpc = door.as_ref().map(Door::address);
        folder.announce(&Running { pid: std::process::id(), listen, advertise, peer, network, rpc }).map_err(boxed)?;
        let address = metrics.as_ref().map(Metrics::address);
        if let Some(metrics) = metrics {
            served.spawn(metrics.serve(telemetry));
        }
        if let (Some(door), Some(chains)) = (door, chains) {
            served.spawn(door.serve(chains));
        }
        // The caller may have gone already; the node runs all the same.
        let _ = ready.send(Ready { peer, listen, metrics: address, rpc });
        Ok(())
    };
    live(config, home, platform, Proofs::of_program(), orders.into(), announce).await
}

/// Where a node is at home, when nobody else can be.
#[derive(Clone, Debug)]
pub struct Home {
    /// The node's key.
    pub identity: Identity,
    /// What it has on its disk.
    pub paths: DataPaths,
}

/// As [`run()`], of a home that is claimed, with proofs of the caller's choice; `announce` is called as soon as the node listens. Everything that
/// the node does ends when this does, or is dropped.
///
/// # Errors
/// What keeps it from beginning, each with its own code: [`WorldFileError`](shardwire_data::world::WorldFileError), [`StoreError`](shardwire_store::StoreError),
/// [`EndpointError`](shardwire_transport::EndpointError), [`LocateError`] of the worker, and what a role can't take up again.
pub async fn run_at(
    config: Config,
    home: Home,
    platform: Platform,
    proofs: Proofs,
    orders: impl Into<Orders>,
    announce: impl FnOnce(Ready) -> Result<(), RunError>,
) -> Result<(), RunError> {
    live(config, home, platform, proofs, orders.into(), |ready, _| announce(ready)).await
}

/// As [`run_at`]; `announce` is given the operator's chains as well, if they are to be served.
async fn live(
    config: Config,
    home: Home,
    platform: Platform,
    proofs: Proofs,
    Orders { stop, reload }: Orders,
    announce: impl FnOnce(Ready, Option<Arc<Chains>>) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let begun = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(()),
        begun = begin(&config, home, platform, proofs) => begun?,
    };
    let Prepared { node, chains, tasks } = begun;
    let (peer, endpoint) = (node.host.identity.peer(), node.endpoint.clone());
    let listen = endpoint.address();
    let dialled = config.peers.iter().filter_map(|peer| Some((peer.id, peer.addr.clone()?))).collect();
    let mut network = JoinSet::new();
    network.spawn(endpoint.pause().task(node.clone().run(dialled)));
    announce(Ready { peer, listen, metrics: None, rpc: None }, chains)?;

    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        // The command line that told it still waits for its answer, and takes it over this connection.
        () = node.stop_asked.cancelled() => tokio::time::sleep(LAST_WORDS).await,
        () = reloads(&node, &reload) => {}
    }
    node.stop.cancel();
    let _ = tokio::time::timeout(DRAIN, network.join_next()).await;
    peers::keep(&node.host, node.host.peers.take_changed()).await;
    let _ = tokio::time::timeout(DRAIN, endpoint.close()).await;
    let _ = tokio::time::timeout(DRAIN, tasks.end()).await;
    Ok(())
}

/// A node that is about to listen.
struct Prepared {
    node: Arc<Node>,
    /// An operator's, if they are to be served.
    chains: Option<Arc<Chains>>,
    /// Held for as long as it runs.
    tasks: Tasks,
}

/// Does all that comes before a node listens.
async fn begin(
    config: &Config,
    Home { identity, paths }: Home,
    platform: Platform,
    proofs: Proofs,
) -> Result<Prepared, RunError> {
    let Platform { clock: wall, network: sockets, names, disk, work, mut randomness, telemetry } = platform;
    let watched = WatchedDisk::new(disk);
    let disk: Arc<dyn Disk> = Arc::new(watched.clone());
    let peer = identity.peer();
    let clock = NodeClock::begin(wall, &telemetry);
    let opened = {
        let (disk, paths, config) = (disk.clone(), paths.clone(), config.clone());
        move || {
            let world = world::of_node(&*disk, &paths, &config, peer, &programs::hashes()).map_err(boxed)?;
            let store = Store::open(&*disk, &paths.store(), &LAYOUT).map_err(boxed)?;
            Ok::<_, RunError>((world, store))
        }
    };
    let (world, store) = aside(work, opened).await?;
    let store = store.with_work(work);
    store.register(&telemetry);
    let peers = peers::recall(config, peer, clock.clone(), &store, &telemetry).map_err(boxed)?;
    let tasks = Tasks::new(sockets.pause());
    tasks.spawner().spawn(clock.clone().watch());
    let host = Arc::new(Host {
        identity: identity.clone(),
        world,
        clock: clock.clone(),
        store,
        artefacts: Artefacts::new(paths.root().to_owned(), disk.clone()),
        peers,
        work,
        randomness: randomness.clone(),
        telemetry,
        tasks: tasks.spawner(),
    });
    disk_health::watch(&host, watched);
    // The port is taken before work is taken up: a second node on it would only do it twice.
    let endpoint =
        Endpoint::open(&*sockets, config.listen, identity, &catalogue::settings(config.profile), &mut randomness)
            .map_err(boxed)?;
    let since = begins(&host).await.map_err(boxed)?;
    let (roles, chains) = take_up(config, &paths, &host, &disk, proofs).await?;
    let node = Arc::new(Node {
        links: Links::new(peer),
        events: host.telemetry.events(),
        endpoint,
        names,
        roles,
        admins: config.admins.clone(),
        reload: {
            let config = config.clone();
            let again = move || config.reload().map(|config| peers::named(&config, peer)).map_err(boxed);
            Reload(Arc::new(again))
        },
        since: clock.steady(),
        clock,
        instance: Instance { since, nonce: randomness.next_u64() },
        randomness,
        stop_asked: CancellationToken::new(),
        stop: CancellationToken::new(),
        host,
    });
    node.register_readiness();
    Ok(Prepared { node, chains, tasks })
}

/// Does what waits for the disk where nobody else has to wait for it, so that a node can be told to stop meanwhile. A panic goes on here.
pub(crate) async fn aside<T: Send + 'static>(work: Work, what: impl FnOnce() -> T + Send + 'static) -> T {
    if work == Work::AtOnce {
        return what();
    }
    match tokio::task::spawn_blocking(what).await.map_err(JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => resume_unwind(panic),
        // The runtime ends, and this with it.
        Err(Err(_)) => std::future::pending().await,
    }
}

/// Makes the roles, each of which takes up the work that it left; and an operator's chains, if they are to be served.
async fn take_up(
    config: &Config,
    paths: &DataPaths,
    host: &Arc<Host>,
    disk: &Arc<dyn Disk>,
    proofs: Proofs,
) -> Result<(Roles, Option<Arc<Chains>>), RunError> {
    let (mut roles, mut chains) = (Roles::default(), None);
    let forks = networks(config, paths, host, disk, &proofs)?;
    let networks = forks.clone().map(|forks| forks as Arc<dyn Networks>);
    let grounds = programs::grounds(programs::geneses(paths, disk.clone(), &proofs), networks);
    if config.has_role(Role::Settler) {
        let (disk, paths, it) = (disk.clone(), paths.clone(), host.clone());
        let open = move || world::open(&*disk, &paths, &it.world, it.clock.clone(), it.work);
        let world = aside(host.work, open).await.map_err(boxed)?;
        let judge = Arc::new(Judge::new(proofs.verify.clone(), grounds.clone()));
        let timeout = config.settler.shard_timeout;
        roles.settler = Some(Settler::resume(host.clone(), world, judge, timeout).await.map_err(boxed)?);
    }
    if config.has_role(Role::Operator) {
        const _: () = assert!(DEFAULT_PROOF_MEMORY_BYTES == Limits::DEFAULT.proof_bytes, "one default");
        let limits = Limits { proof_bytes: config.operator.proof_memory_bytes, ..Limits::DEFAULT };
        let contracts = Contracts::with_limits(grounds, limits);
        chains = config.rpc.map(|_| Arc::new(Chains::new(contracts.clone(), host.clock.clone())));
        if let (Some(chains), Some(forks)) = (&chains, &forks) {
            let chains = Arc::downgrade(chains);
            forks.when_full(move || chains.upgrade().into_iter().for_each(|it| it.let_go()));
        }
        let (it, watch) = (host.clone(), chains.clone().map(|chains| chains as Arc<dyn Watch>));
        let resume = move || Operator::resume_watched(it, programs::with(contracts), watch);
        let operator = Arc::new(aside(host.work, resume).await.map_err(boxed)?);
        if let Some(chains) = &chains {
            chains.serve(&operator);
        }
        roles.operator = Some(operator);
    }
    if config.has_role(Role::Prover) {
        let workshop: Arc<dyn Prove> = match proofs.prove {
            Some(given) => given,
            None => Arc::new(Workshop {
                worker: find_worker(config.worker.path.clone(), &host.telemetry.events()).await?,
                memory_limit: config.worker.memory_limit_bytes,
                deadline: config.worker.deadline,
                threads: config.worker.threads.map(|threads| u16::try_from(threads.get()).unwrap_or(u16::MAX)),
            }),
        };
        let it = host.clone();
        let prover = aside(host.work, move || Prover::resume(it, workshop, proofs.verify)).await;
        let prover = prover.map_err(boxed)?;
        prover.look_after_worker();
        roles.prover = Some(prover);
    }
    Ok((roles, chains))
}

/// Networks from whose blocks shards go on, if this node has a role that reads them and is told who knows one.
fn networks(
    config: &Config,
    paths: &DataPaths,
    host: &Arc<Host>,
    disk: &Arc<dyn Disk>,
    proofs: &Proofs,
) -> Result<Option<Arc<Forks>>, RunError> {
    let reads = config.has_role(Role::Settler) || config.has_role(Role::Operator);
    if !reads || config.fork_nodes.is_empty() {
        return Ok(None);
    }
    let kept = Kept::new(paths, disk.clone(), host.store.clone());
    let forks = forks::networks(&config.fork_nodes, kept, proofs, host.randomness.clone()).map_err(boxed)?;
    let forks = Arc::new(forks);
    forks::tend(host, &forks);
    Ok(Some(forks))
}

/// Reads the lists again whenever that is ordered; never ends. If they can't be read they stay as they were.
async fn reloads(node: &Node, ordered: &Notify) {
    loop {
        ordered.notified().await;
        if let Err(error) = node.reload().await {
            let (code, next_step) = (error.code(), error.next_step());
            node.events.emit(ListsNotRead { code, error: error.to_string(), next_step });
        }
    }
}

/// Finds the prover worker: before the node listens, so that a prover which couldn't prove takes no job.
async fn find_worker(path: Option<PathBuf>, events: &Events<Room>) -> Result<Worker, RunError> {
    let find = move || match path {
        Some(path) => Worker::at(&path),
        None => worker::locate(),
    };
    let found: Result<Worker, LocateError> =
        tokio::task::spawn_blocking(find).await.unwrap_or(Err(LocateError::Missing));
    let worker = found.map_err(boxed)?;
    events.emit(WorkerFound { name: worker.name().to_owned(), version: worker.version().to_owned() });
    Ok(worker)
}
