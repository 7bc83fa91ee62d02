//! Peers that lie: a [prover](LyingProver), an [operator](LyingOperator), one that [says that it settles](PresumedSettler), and one that
//! [makes jobs up](Inventor). The prover [forges](Forger) runs of contracts.
//!
//! They keep to the protocols' types, as a plausible liar would; the protocols' own tests cover peers that don't. The prover and the operator are
//! configured at honest nodes, and leave when faults end. Strangers, whom nobody knows, stay until all shards are over: no shard may wait for them.

mod forger;
mod inventor;
mod operator;
mod prover;
mod settler;

pub(super) use forger::Forger;
pub(super) use inventor::Inventor;
pub(super) use operator::LyingOperator;
pub(super) use prover::LyingProver;
pub(super) use settler::PresumedSettler;

use super::{
    machine::{NETWORK, SimulatedClock},
    record::note,
};
use crate::dice::Dice;
use shardwire::{client::Target, config::Role, host::Randomness};
use shardwire_model::{Clock as _, Hash, PeerId};
use shardwire_protocols::{
    catalogue,
    handshake::{self, Handshake, Hello},
    keepalive::{self, Keepalive},
};
use shardwire_transport::{Connection, Endpoint, Identity, Incoming, Profile, sim::Host};
use std::{
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{task::JoinSet, time::sleep};

/// How long a liar waits between two tries.
const AGAIN: Duration = Duration::from_secs(3);

/// Serves a session that its liar doesn't lie in: it says that it is there, and serves nothing else.
async fn serve_keepalive(incoming: Incoming) {
    if !incoming.is::<Keepalive>() {
        let _ = incoming.unserved();
    } else if let Ok(session) = incoming.serve::<Keepalive>().await {
        let _ = keepalive::serve(session, &SimulatedClock::new(0)).await;
    }
}

/// A liar's identity, and the role that it claims.
#[derive(Debug)]
struct Impostor {
    identity: Identity,
    role: Role,
    /// The World that it says it belongs to: the right one, or nobody would talk to it.
    world: Hash,
    dice: Mutex<Dice>,
}

impl Impostor {
    fn new(identity: Identity, role: Role, world: Hash, dice: Dice) -> Arc<Self> {
        Arc::new(Self { identity, role, world, dice: Mutex::new(dice) })
    }

    fn me(&self) -> PeerId {
        self.identity.peer()
    }

    fn dice<T>(&self, draw: impl FnOnce(&mut Dice) -> T) -> T {
        draw(&mut self.dice.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn listen(&self, host: &Host, address: SocketAddr) -> Option<Endpoint> {
        let mut randomness = Randomness::from_seed(self.dice(Dice::number));
        let settings = catalogue::settings(Profile::default());
        let endpoint = Endpoint::open(host, address, self.identity.clone(), &settings, &mut randomness);
        endpoint.inspect_err(|error| note(&format!("a liar can't listen: {error}"))).ok()
    }

    fn hello(&self) -> Hello {
        Hello {
            network: NETWORK.to_owned(),
            world: Some(self.world),
            agent: "liar".to_owned(),
            roles: vec![self.role.to_string()],
            serves: handshake::spoken(),
            opens: handshake::spoken(),
            capabilities: Vec::new(),
            time: SimulatedClock::new(0).now(),
        }
    }

    async fn connect(&self, endpoint: &Endpoint, target: Target) -> Option<Connection> {
        let connection = endpoint.connect(target.address, Some(target.peer)).await.ok()?;
        let session = connection.open::<Handshake>().await.ok()?;
        handshake::greet(session, self.hello()).await.ok()?;
        Some(connection)
    }

    /// Keeps a connection to each of these peers and serves it.
    async fn keep<F>(
        self: &Arc<Self>,
        endpoint: &Endpoint,
        peers: Vec<(Target, Role)>,
        attend: impl Fn(Connection, Role) -> F + Clone + Send + 'static,
    ) where
        F: Future<Output = ()> + Send,
    {
        let mut kept = JoinSet::new();
        for (target, role) in peers {
            let (impostor, endpoint, attend) = (self.clone(), endpoint.clone(), attend.clone());
            kept.spawn(async move {
                loop {
                    if let Some(connection) = impostor.connect(&endpoint, target).await {
                        attend(connection, role).await;
                    }
                    sleep(AGAIN).await;
                }
            });
        }
        while kept.join_next().await.is_some() {}
    }
}
