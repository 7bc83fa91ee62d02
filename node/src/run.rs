//! A running node: from its configuration and data folder until it is told to stop.

use crate::{
    artefacts::Artefacts,
    config::Config,
    data::{DataFolder, DataPaths, Running},
    network::{Links, Node, Reload, Roles},
    peers,
    roles::{
        Host,
        operator::Operator,
        prover::{Prover, Workshop},
        settler::{Judge, Settler},
    },
    store::Store,
    surroundings::Surroundings,
};
use shardwire_ledger::EmbeddedLedger;
use shardwire_model::{Coded, PeerId};
use shardwire_protocols::{catalogue, control::Role};
use shardwire_proving::worker::{self, LocateError, Worker};
use shardwire_shard::program;
use shardwire_transport::Endpoint;
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::{oneshot, watch};

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
    mut stop: watch::Receiver<bool>,
    ready: oneshot::Sender<Ready>,
) -> Result<(), RunError> {
    let Surroundings { clock, network: sockets, mut randomness } = surroundings;
    let identity = folder.identity().clone();
    let peer = identity.peer();
    let judge = Arc::new(Judge::new(program::data()).map_err(boxed)?);
    let store = Store::open(&folder.paths().store()).map_err(boxed)?;
    let peers = peers::recall(&config, peer, clock.clone(), &store).map_err(boxed)?;
    let host = Arc::new(Host {
        identity: identity.clone(),
        network: config.network.clone(),
        clock: clock.clone(),
        store,
        artefacts: Artefacts::new(folder.paths().root().to_owned()),
        peers,
        program: judge.program(),
    });
    // The port is taken before work is taken up: a second node on it would only do it twice.
    let endpoint =
        Endpoint::open(&*sockets, config.listen, identity, &catalogue::settings(config.profile), &mut randomness)
            .map_err(boxed)?;
    let roles = take_up(&config, folder.paths(), &host, judge).await?;
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
    let network = tokio::spawn(node.clone().run(dialled));

    let running = Running { pid: std::process::id(), listen, peer, network: config.network };
    folder.announce(&running).map_err(boxed)?;
    // Whoever started the node may have gone already; it runs all the same.
    let _ = ready.send(Ready { peer, listen });

    let mut told = node.told.subscribe();
    tokio::select! {
        biased;
        // A sender that is gone can't stop the node any more: that is a stop, too.
        _ = stop.wait_for(|stop| *stop) => {}
        // The command line that told it still waits for its answer, and takes it over this connection.
        _ = told.wait_for(|stop| *stop) => tokio::time::sleep(LAST_WORDS).await,
    }
    node.stop.send_replace(true);
    let _ = tokio::time::timeout(DRAIN, network).await;
    peers::keep(&node.host.store, &node.host.peers.take_unkept());
    let _ = tokio::time::timeout(DRAIN, endpoint.close()).await;
    Ok(())
}

/// Makes the roles, each of which takes up the work that it left.
async fn take_up(config: &Config, paths: &DataPaths, host: &Arc<Host>, judge: Arc<Judge>) -> Result<Roles, RunError> {
    let mut roles = Roles::default();
    if config.has_role(Role::Settler) {
        let world = EmbeddedLedger::open(&paths.ledger(), &config.network).map_err(boxed)?;
        roles.settler = Some(Arc::new(Settler::new(host.clone(), Arc::new(world), judge)));
    }
    if config.has_role(Role::Operator) {
        roles.operator = Some(Arc::new(Operator::resume(host.clone()).map_err(boxed)?));
    }
    if config.has_role(Role::Prover) {
        let workshop = Workshop {
            worker: find_worker(config.worker.path.clone()).await?,
            memory_limit: config.worker.memory_limit_bytes,
            deadline: config.worker.deadline,
            threads: config.worker.threads.map(|threads| u16::try_from(threads.get()).unwrap_or(u16::MAX)),
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
