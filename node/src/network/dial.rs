//! Dialling a peer, for as long as the node runs.

use super::{
    Node, Router,
    events::DialFailed,
    serve::{self, Ended},
    twin::YIELDS,
};
use shardwire_host::names::{reaches, resolve};
use shardwire_model::{Address, PeerId};
use shardwire_protocols::handshake::{self, Handshake};
use shardwire_transport::{Backoff, Connection};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// Between attempts to connect: a peer that is started again is met at once, one that is gone is asked four times a minute.
const REDIAL: Backoff = Backoff::between(Duration::from_millis(250), Duration::from_secs(15));

/// Keeps a connection to this peer: dials whenever there is none.
pub(super) async fn keep(router: Arc<Router>, peer: PeerId, address: Address) {
    let links = &router.node.links;
    links.expect(peer, address.clone());
    let mut waits = REDIAL.start(router.node.randomness.clone());
    let mut yields = YIELDS.start(router.node.randomness.clone());
    let mut has_failed = false;
    loop {
        links.gone(peer).await;
        match attempt(&router, peer, &address).await {
            Ok(Ended::Yielded) => {
                tokio::time::sleep(yields.after_failure()).await;
                continue;
            }
            Ok(Ended::Usually) => {
                yields.reset();
                waits.reset();
                has_failed = false;
            }
            Err(reason) => {
                // Once loudly: a peer that is down is down.
                router.node.events.emit(DialFailed {
                    peer,
                    address: address.clone(),
                    repeated: has_failed,
                    why: reason,
                });
                has_failed = true;
            }
        }
        tokio::time::sleep(waits.after_failure()).await;
    }
}

/// Connects and serves the connection to its end.
async fn attempt(router: &Arc<Router>, peer: PeerId, address: &Address) -> Result<Ended, String> {
    let node = &router.node;
    let (connection, address) = connect(node, peer, address).await?;
    let presence = node.host.peers.dialled(peer, address.ip()).map_err(|wait| {
        connection.turn_away(wait);
        format!("the peer is shut out here for another {wait:?}")
    })?;
    let session = connection.open::<Handshake>().await.map_err(|error| described(&error))?;
    let agreed = handshake::greet(session, router.hello(peer)).await.map_err(|error| described(&error))?;
    Ok(serve::connection(router.clone(), connection, agreed, presence.into(), true).await)
}

/// Connects to the first of a peer's addresses at which it answers: one, unless it has a name.
async fn connect(node: &Node, peer: PeerId, address: &Address) -> Result<(Connection, SocketAddr), String> {
    let from = node.endpoint.address();
    let found = resolve(&*node.names, address, |it| reaches(from, it)).await.map_err(|error| described(&error))?;
    if address.ip().is_none() {
        node.host.peers.found(peer, found.iter().map(SocketAddr::ip));
    }
    let mut failure = String::new();
    for address in found {
        match node.endpoint.connect(address, Some(peer)).await {
            Ok(connection) => return Ok((connection, address)),
            Err(error) => failure = described(&error),
        }
    }
    Err(failure)
}

fn described(error: &dyn shardwire_model::Coded) -> String {
    format!("{error} ({}). {}", error.code(), error.next_step())
}
