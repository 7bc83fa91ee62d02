//! A running node: from its configuration and data folder until it is told to stop.

use crate::{
    artefacts::Artefacts,
    config::Config,
    data::{DataFolder, DataPaths, Running},
    disk::Disk,
    network::{Links, Node, Reload, Roles},
    peers,
    proofs::{Proofs, Prove, Workshop},
    roles::{
        Host,
        operator::Operator,
        prover::Prover,
        settler::{Judge, Settler},
    },
    store::Store,
    surroundings::Surroundings,
    tasks::Tasks,
};
use shardwire_ledger::EmbeddedLedger;
use shardwire_model::{Coded, PeerId};
use shardwire_protocols::{catalogue, control::Role};
use shardwire_proving::worker::{self, LocateError, Worker};
use shardwire_transport::{Endpoint, Identity};
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
};

/// How long sessions under way may take to end once the node is told to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// How long a command line that told the node to stop has to take the answer: a hundred times what it needs.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why a node ended otherwise than it was told to.
pub type RunError = Box<dyn Coded + Send + Sync>;

/// A node can be talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Its id.
    pub peer: PeerId,
    /// Where it listens.
    pub listen: SocketAddr,
}

fn boxed(error: impl Coded + Send + Sync + 'static) -> RunError {
    Box::new(error)
}

/// Runs a node until `stop` becomes true (or its sender is dropped, or the command line says so), then drains and returns.
/// `ready` is told, and the folder announced, as soon as the node listens.
///
/// # Errors
/// If it can't begin.
pub async fn run(
    config: Config,
    folder: DataFolder,
    surroundings: Surroundings,
    stop: watch::Receiver<bool>,
    ready: oneshot::Sender<Ready>,
) -> Result<(), RunError> {
    let home = Home { identity: folder.identity().clone(), paths: folder.paths().clone() };
    let network = config.network.clone();
    let announce = |Ready { peer, listen }| {
        folder.announce(&Running { pid: std::process::id(), listen, peer, network }).map_err(boxed)?;
        // Whoever started the node may have gone already; it runs all the same.
        let _ = ready.send(Ready { peer, listen });
        Ok(())
    };
    run_at(config, home, surroundings, Proofs::stark().map_err(boxed)?, stop, announce).await
}

/// Where a node is at home, when nobody else can be.
#[derive(Clone, Debug)]
pub struct Home {
    /// Who it is.
    pub identity: Identity,
    /// What it has on its disk.
    pub paths: DataPaths,
}

/// As [`run()`], of a home that is claimed, with proofs of the caller's choice; `announce` is called as soon as the node listens. Everything that
/// the node does ends when this does, or is dropped.
///
/// # Errors
/// If it can't begin.
pub async fn run_at(
    config: Config,
    Home { identity, paths }: Home,
    surroundings: Surroundings,
    proofs: Proofs,
    mut stop: watch::Receiver<bool>,
    announce: impl FnOnce(Ready) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let Surroundings { clock, network: sockets, disk, work, mut randomness } = surroundings;
    let peer = identity.peer();
    let store = Store::on(&*disk, &paths.store()).map_err(boxed)?;
    let peers = peers::recall(&config, peer, clock.clone(), &store).map_err(boxed)?;
    let tasks = Tasks::new(sockets.pause());
    let host = Arc::new(Host {
        identity: identity.clone(),
        network: config.network.clone(),
        clock: clock.clone(),
        store,
        artefacts: Artefacts::new(paths.root().to_owned(), disk.clone()),
        peers,
        work,
        tasks: tasks.spawner(),
        program: proofs.verify.program(),
    });
    // The port is taken before work is taken up: a second node on it would only do it twice.
    let endpoint =
        Endpoint::open(&*sockets, config.listen, identity, &catalogue::settings(config.profile), &mut randomness)
            .map_err(boxed)?;
    let roles = take_up(&config, &paths, &host, &*disk, proofs).await?;
    let node = Arc::new(Node {
        links: Links::new(peer),
        endpoint: endpoint.clone(),
        roles,
        admins: config.admins.clone(),
        reload: {
            let config = config.clone();
            let again = move || config.again().map(|config| peers::named(&config, peer)).map_err(boxed);
            Reload(Box::new(again))
        },
        since: clock.now(),
        told: watch::Sender::new(false),
        stop: watch::Sender::new(false),
        host,
    });
    let listen = endpoint.address();
    let dialled = config.peers.iter().filter_map(|peer| Some((peer.id, peer.addr?))).collect();
    let mut network = JoinSet::new();
    network.spawn(endpoint.pause().task(node.clone().run(dialled)));
    announce(Ready { peer, listen })?;

    let mut told = node.told.subscribe();
    tokio::select! {
        biased;
        // A sender that is gone can't stop the node any more: that is a stop, too.
        () = async { drop(stop.wait_for(|stop| *stop).await) } => {}
        // The command line that told it still waits for its answer, and takes it over this connection.
        () = async { drop(told.wait_for(|stop| *stop).await) } => tokio::time::sleep(LAST_WORDS).await,
    }
    node.stop.send_replace(true);
    let _ = tokio::time::timeout(DRAIN, network.join_next()).await;
    peers::keep(&node.host.store, &node.host.peers.take_unkept());
    let _ = tokio::time::timeout(DRAIN, endpoint.close()).await;
    Ok(())
}

/// Makes the roles, each of which takes up the work that it left.
async fn take_up(
    config: &Config,
    paths: &DataPaths,
    host: &Arc<Host>,
    disk: &dyn Disk,
    proofs: Proofs,
) -> Result<Roles, RunError> {
    let mut roles = Roles::default();
    if config.has_role(Role::Settler) {
        let world = match disk.database(&paths.ledger()) {
            None => EmbeddedLedger::open(&paths.ledger(), &config.network),
            Some(backend) => EmbeddedLedger::open_with_backend(backend, &config.network),
        };
        let judge = Arc::new(Judge::new(proofs.verify));
        roles.settler = Some(Arc::new(Settler::new(host.clone(), Arc::new(world.map_err(boxed)?), judge)));
    }
    if config.has_role(Role::Operator) {
        roles.operator = Some(Arc::new(Operator::resume(host.clone()).map_err(boxed)?));
    }
    if config.has_role(Role::Prover) {
        let workshop: Arc<dyn Prove> = match proofs.prove {
            Some(given) => given,
            None => Arc::new(Workshop {
                worker: find_worker(config.worker.path.clone()).await?,
                memory_limit: config.worker.memory_limit_bytes,
                deadline: config.worker.deadline,
                threads: config.worker.threads.map(|threads| u16::try_from(threads.get()).unwrap_or(u16::MAX)),
            }),
        };
        roles.prover = Some(Prover::resume(host.clone(), workshop).map_err(boxed)?);
    }
    Ok(roles)
}

/// Finds the prover worker: before the node listens, so that a prover which couldn't prove takes no job.
async fn find_worker(path: Option<PathBuf>) -> Result<Worker, RunError> {
    let find = move || match path {
        Some(path) => Worker::at(&path),
        None => worker::locate(&mut |line| tracing::info!("{line}")),
    };
    let found: Result<Worker, LocateError> =
        tokio::task::spawn_blocking(find).await.unwrap_or(Err(LocateError::Missing));
    let worker = found.map_err(boxed)?;
    tracing::info!(worker = worker.name(), version = worker.version(), "prover worker found");
    Ok(worker)
}
