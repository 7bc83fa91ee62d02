//! The node's half.

use super::{Bye, Control, MAX_PEERS_LISTED, MAX_SHARDS_LISTED, MAX_STORAGE_LISTED, Request, Response, ShardStatus};
use crate::ServeError;
use shardwire_model::PeerId;
use shardwire_transport::{Responder, offer};
use std::future::Future;

/// The code of the answer to a peer that may not control the node.
pub const NOT_ALLOWED: &str = "SW-CONTROL-001";

/// The node's side.
pub trait Handler: Sync {
    /// Whether this peer may control the node.
    fn allows(&self, peer: PeerId) -> bool;

    /// Does what is asked; what fails becomes [`Response::failed`].
    fn handle(&self, request: Request) -> impl Future<Output = Response> + Send;
}

/// Serves requests until the peer says goodbye.
///
/// # Errors
/// If the session fails.
pub async fn serve<H: Handler>(session: Responder<Control>, handler: &H) -> Result<(), ServeError> {
    let peer = session.peer();
    let mut session = session.enter();
    loop {
        session = offer!(session => {
            Request(request), answer => {
                let response = if handler.allows(peer) { handler.handle(request).await } else { refusal(peer) };
                answer.send(within_bounds(response)).await?.again()
            },
            Bye(_), end => return Ok(end.close().await?),
        });
    }
}

fn refusal(peer: PeerId) -> Response {
    let reason = format!("peer {peer} may not control this node");
    Response::failure(
        NOT_ALLOWED,
        &reason,
        "Use the node's own data folder, or add the peer to the node's administrators.",
    )
}

/// Leaves out what would exceed a list's bound, so that a response can always be sent.
fn within_bounds(mut response: Response) -> Response {
    match &mut response {
        Response::Status(status) => {
            status.peers.truncate(MAX_PEERS_LISTED);
            let omitted = status.shards.len().saturating_sub(MAX_SHARDS_LISTED);
            status.more_shards = status.more_shards.saturating_add(u32::try_from(omitted).unwrap_or(u32::MAX));
            few(&mut status.shards);
        }
        Response::Shards(shards) => few(shards),
        Response::Peers(peers) => peers.truncate(MAX_PEERS_LISTED),
        Response::World { storage, more } => {
            *more |= storage.len() > MAX_STORAGE_LISTED;
            storage.truncate(MAX_STORAGE_LISTED);
        }
        Response::Started(_) | Response::Stopping | Response::Failed { .. } => {}
    }
    response
}

fn few(shards: &mut Vec<ShardStatus>) {
    shards.truncate(MAX_SHARDS_LISTED);
    if shards.len() > 1 {
        shards.iter_mut().for_each(|shard| shard.updates.clear());
    }
}
