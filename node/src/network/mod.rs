//! The node among its peers: connections, handshakes, and the [services](Services), which say what session goes to which role.
//!
//! There is one connection to a peer, no matter which side dialled; sessions run on it both ways. Of two nodes with one key the one that began later has it ([`twin`]). Configured peers with an address are dialled,
//! again and again with back-off; others dial us. After the handshake each side opens the sessions that its roles consume and the other
//! announced, and serves those that it announced itself. One session's failure ends that session only; it is opened again after a pause.
//!
//! A peer that is configured by the name of its host is looked up each time that it is dialled.
//!
//! A node with several roles dials itself, so that its roles talk as those of different nodes do. A connection under the node's own
//! identity, or an administrator's, that names no role is the command line's.
//!
//! Refused: peers that are not [admitted](shardwire_peers), more sessions than a peer may have, a handshake that doesn't come first or in
//! time, a protocol that no role here serves, control by strangers.

mod dial;
pub(crate) mod events;
mod links;
#[cfg(test)]
mod names_tests;
#[cfg(test)]
mod peers_tests;
mod readiness;
mod serve;
#[cfg(test)]
mod tests;
mod twin;

use events::ClockApart;
pub(crate) use links::{Links, Met};
use shardwire_host::{
    Host, Randomness, Services,
    clock::NodeClock,
    names::{Names, from_here},
    peers::keep,
};
use shardwire_model::{Address, Clock as _, Coded, PeerId, Role};
use shardwire_operator::Operator;
use shardwire_peers::{ConfiguredPeers, load::resident_bytes, receive};
use shardwire_protocols::{
    ServeError,
    administration::{self, Administration},
    handshake::{Hello, Instance},
    keepalive::{self, Keepalive},
};
use shardwire_prover::Prover;
use shardwire_reputation::Listing;
use shardwire_settler::Settler;
use shardwire_telemetry::Events;
use shardwire_transport::{Endpoint, Initiator, Responder};
use std::{collections::BTreeSet, fmt, sync::Arc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
pub(crate) use twin::begins;

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

    /// Adds what they serve and consume.
    fn services(&self, mut services: Services) -> Services {
        if let Some(settler) = &self.settler {
            services = settler.services(services);
        }
        if let Some(operator) = &self.operator {
            services = operator.services(services);
        }
        if let Some(prover) = &self.prover {
            services = prover.services(services);
        }
        services
    }
}

/// Reads whom the configuration names again.
#[derive(Clone)]
pub(crate) struct Reload(
    pub(crate) Arc<dyn Fn() -> Result<ConfiguredPeers, Box<dyn Coded + Send + Sync>> + Send + Sync>,
);

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
    /// Who knows what the names of hosts stand for.
    pub(crate) names: Arc<dyn Names>,
    pub(crate) roles: Roles,
    pub(crate) links: Links,
    pub(crate) events: Events<events::Room>,
    pub(crate) admins: BTreeSet<PeerId>,
    /// Since when it runs, on the steady clock.
    pub(crate) since: shardwire_model::Timestamp,
    /// The host's clock, which peers' words are for.
    pub(crate) clock: Arc<NodeClock>,
    /// Which run of its key it is.
    pub(crate) instance: Instance,
    /// Reads whom the configuration names again.
    pub(crate) reload: Reload,
    /// Where the seeds of its waits come from.
    pub(crate) randomness: Randomness,
    /// Cancelled when the command line says that the node should stop.
    pub(crate) stop_asked: CancellationToken,
    /// Cancelled when the node stops: ends its connections.
    pub(crate) stop: CancellationToken,
}

/// The node with what it serves and opens, as its connections see it.
#[derive(Debug)]
struct Router {
    node: Arc<Node>,
    services: Services,
}

impl Router {
    fn new(node: Arc<Node>) -> Self {
        let services = node.roles.services(node.services());
        Self { node, services }
    }

    /// What is said to this peer.
    fn hello(&self, peer: PeerId) -> Hello {
        let Node { host, roles, instance, links, .. } = &*self.node;
        let met = links.instance(peer).map(|other| other.met());
        Hello {
            network: host.world.network().to_owned(),
            world: Some(host.world.hash()),
            agent: AGENT.to_owned(),
            roles: roles.names().iter().map(ToString::to_string).collect(),
            serves: self.services.serves(),
            opens: self.services.opens(),
            capabilities: [instance.capability()].into_iter().chain(met).collect(),
            time: host.clock.wall(),
        }
    }
}

impl Node {
    fn me(&self) -> PeerId {
        self.host.identity.peer()
    }

    /// What every node serves and consumes, whatever its roles.
    fn services(self: &Arc<Self>) -> Services {
        Services::default()
            .serve(
                self,
                |it, session: Responder<Administration>| async move { administration::serve(session, &*it).await },
            )
            .serve(self, |it, session: Responder<Keepalive>| async move {
                Ok(keepalive::serve(session, &*it.host.clock).await?)
            })
            .consume(self, |it, session: Initiator<Keepalive>| async move { it.measure(session).await })
    }

    /// Measures the way to a peer until the session fails.
    async fn measure(&self, session: Initiator<Keepalive>) -> Result<(), ServeError> {
        let peer = session.peer();
        let mut client = keepalive::Client::new(session);
        loop {
            let wall_ahead = self.clock.wall().ahead_of(self.clock.steady());
            let (measured, next) = client.ping(&*self.clock).await?;
            let counts = self.counts(peer).await;
            if counts {
                self.clock.heard(peer, measured.skew_ms.saturating_add(wall_ahead));
            } else {
                self.clock.forget(peer);
            }
            if self.links.measured(peer, measured) {
                self.events.emit(ClockApart { peer, ahead_ms: measured.skew_ms, counts });
            }
            client = next;
            tokio::time::sleep(keepalive::EVERY).await;
        }
    }

    /// Whether it counts what a peer says of this node, such as that its date is wrong: the configuration or the World names the peer, or the operator trusts it. Not this node itself.
    async fn counts(&self, peer: PeerId) -> bool {
        if peer == self.me() {
            return false;
        }
        if self.is_listed(peer) || self.host.world.is_settler(peer) {
            return true;
        }
        match &self.roles.settler {
            Some(settler) => settler.has_shard_of(peer).await,
            None => false,
        }
    }

    /// Whether the configuration names the peer, or the operator allows it.
    pub(crate) fn is_listed(&self, peer: PeerId) -> bool {
        matches!(self.host.peers.view(peer).listing, Some(Listing::Configured | Listing::Allowed))
    }

    /// Forgets what those said of the date whose word doesn't count any more.
    pub(crate) async fn forget_words(&self) {
        for peer in self.clock.heard_of() {
            if !self.counts(peer).await {
                self.clock.forget(peer);
            }
        }
    }

    /// Dials, accepts and serves until the node is told to stop.
    pub(crate) async fn run(self: Arc<Self>, dialled: Vec<(PeerId, Address)>) {
        let mut tasks = JoinSet::new();
        let pause = self.endpoint.pause();
        let router = Arc::new(Router::new(self.clone()));
        for (peer, address) in dialled {
            tasks.spawn(pause.task(dial::keep(router.clone(), peer, address)));
        }
        if self.roles.names().len() > 1 {
            // Where it listens is no place to dial, if that is every address.
            let here = from_here(self.endpoint.address()).into();
            tasks.spawn(pause.task(dial::keep(router.clone(), self.me(), here)));
        }
        let peers = self.host.peers.clone();
        tasks.spawn(pause.task(receive(peers, self.endpoint.clone(), move |connection, presence| {
            serve::accepted(router.clone(), connection, presence)
        })));
        let host = self.host.clone();
        tasks.spawn(
            pause.task(async move { host.peers.maintain(|changed| keep(&host, changed), resident_bytes).await }),
        );
        let node = self.clone();
        tasks.spawn(pause.task(async move { node.tell_readiness().await }));
        self.stop.cancelled().await;
        tasks.shutdown().await;
    }
}
