//! Dialling a peer, for as long as the node runs.

use super::{Router, serve};
use shardwire_model::PeerId;
use shardwire_protocols::handshake::{self, Handshake};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// How long the second attempt waits. Each further one waits twice as long as the one before, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause between attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Keeps a connection to this peer: dials whenever there is none.
pub(super) async fn keep(router: Arc<Router>, peer: PeerId, address: SocketAddr) {
    let links = &router.node.links;
    links.expect(peer, address);
    let mut pause = FIRST_PAUSE;
    let mut complained = false;
    loop {
        links.gone(peer).await;
        match attempt(&router, peer, address).await {
            Ok(()) => (pause, complained) = (FIRST_PAUSE, false),
            Err(reason) => {
                // Once loudly: a peer that is down is down.
                if complained {
                    tracing::debug!(peer = %peer.short(), %address, "no connection: {reason}");
                } else {
                    tracing::warn!(peer = %peer.short(), %address, "no connection yet, trying on: {reason}");
                }
                complained = true;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        tokio::time::sleep(pause).await;
    }
}

/// Connects and serves the connection to its end.
async fn attempt(router: &Arc<Router>, peer: PeerId, address: SocketAddr) -> Result<(), String> {
    let node = &router.node;
    let connection = node.endpoint.connect(address, Some(peer)).await.map_err(|error| said(&error))?;
    let presence = node.host.peers.dialled(peer, address.ip()).map_err(|wait| {
        connection.turn_away(wait);
        format!("the peer is shut out here for another {wait:?}")
    })?;
    let session = connection.open::<Handshake>().await.map_err(|error| said(&error))?;
    let agreed = handshake::greet(session, router.hello()).await.map_err(|error| said(&error))?;
    serve::connection(router.clone(), connection, agreed, presence.into(), true).await;
    Ok(())
}

fn said(error: &dyn shardwire_model::Coded) -> String {
    format!("{error} ({}). {}", error.code(), error.next_step())
}
