//! The node among its peers: connections, handshakes, and which session goes to which role.
//!
//! There is one connection to a peer, whoever dialled; sessions run on it both ways. Configured peers with an address are dialled,
//! again and again with back-off; others dial us. After the handshake each side opens the sessions that its roles consume and serves
//! those that it is asked for. One session's failure ends that session only; it is opened again after a pause.
//!
//! A node with several roles dials itself, so that its roles talk as those of different nodes do. A connection under the node's own
//! identity, or an administrator's, that names no role is the command line's.
//!
//! Refused: whoever is not [admitted](shardwire_peers), more sessions than a peer may have, a handshake that doesn't come first or in
//! time, a protocol that no role here serves, control by strangers.

mod dial;
mod links;
mod serve;

use crate::{
    peers::keep,
    roles::{Host, operator::Operator, prover::Prover, settler::Settler},
};
pub(crate) use links::Links;
use shardwire_model::{Coded, PeerId, Role};
use shardwire_peers::{Named, load::resident_bytes, receive};
use shardwire_protocols::handshake::{Hello, spoken};
use shardwire_transport::Endpoint;
use std::{collections::BTreeSet, fmt, net::SocketAddr, sync::Arc};
use tokio::{sync::watch, task::JoinSet};

/// What this program calls itself in a handshake.
pub(crate) const AGENT: &str = concat!("shardwire/", env!("CARGO_PKG_VERSION"));

/// What this node does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roles {
    pub(crate) settler: Option<Arc<Settler>>,
    pub(crate) operator: Option<Arc<Operator>>,
    pub(crate) prover: Option<Arc<Prover>>,
}

impl Roles {
    pub(crate) fn names(&self) -> Vec<Role> {
        let all = [
            self.settler.is_some().then_some(Role::Settler),
            self.operator.is_some().then_some(Role::Operator),
            self.prover.is_some().then_some(Role::Prover),
        ];
        all.into_iter().flatten().collect()
    }
}

/// Reads whom the configuration names again.
pub(crate) struct Reload(pub(crate) Box<dyn Fn() -> Result<Named, Box<dyn Coded + Send + Sync>> + Send + Sync>);

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reload")
    }
}

/// The node, as its network tasks see it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) host: Arc<Host>,
    pub(crate) endpoint: Endpoint,
    pub(crate) roles: Roles,
    pub(crate) links: Links,
    pub(crate) admins: BTreeSet<PeerId>,
    pub(crate) since: shardwire_model::Timestamp,
    /// Reads whom the configuration names again.
    pub(crate) reload: Reload,
    /// Set when the command line says that the node should stop.
    pub(crate) told: watch::Sender<bool>,
    /// Set when the node stops: ends its connections.
    pub(crate) stop: watch::Sender<bool>,
}

impl Node {
    fn hello(&self) -> Hello {
        Hello {
            network: self.host.world.network().to_owned(),
            world: Some(self.host.world.hash()),
            agent: AGENT.to_owned(),
            roles: self.roles.names().iter().map(ToString::to_string).collect(),
            protocols: spoken(),
            capabilities: Vec::new(),
            time: self.host.clock.now(),
        }
    }

    fn me(&self) -> PeerId {
        self.host.identity.peer()
    }

    /// Dials, accepts and serves until the node is told to stop.
    pub(crate) async fn run(self: Arc<Self>, dialled: Vec<(PeerId, SocketAddr)>) {
        let mut stop = self.stop.subscribe();
        let mut tasks = JoinSet::new();
        let pause = self.endpoint.pause();
        for (peer, address) in dialled {
            tasks.spawn(pause.task(dial::keep(self.clone(), peer, address)));
        }
        if self.roles.names().len() > 1 {
            tasks.spawn(pause.task(dial::keep(self.clone(), self.me(), self.endpoint.address())));
        }
        let (node, peers) = (self.clone(), self.host.peers.clone());
        tasks.spawn(pause.task(receive(peers, self.endpoint.clone(), move |connection, presence| {
            serve::accepted(node.clone(), connection, presence)
        })));
        let host = self.host.clone();
        tasks.spawn(
            pause.task(async move { host.peers.tend(|unkept| keep(&host.store, &unkept), resident_bytes).await }),
        );
        // An error means that the sender is gone, which stops the node as well.
        let _ = stop.wait_for(|stop| *stop).await;
        tasks.shutdown().await;
    }
}
