//! The node's half.

use super::{
    Bye, MAX_ADDRESSES, MAX_CHANGES, MAX_LISTED, MAX_QUOTAS, PART_BYTES, PeerView, Reputation, Request, Response,
};
use crate::{ServeError, control::NOT_ALLOWED};
use shardwire_model::PeerId;
use shardwire_transport::{Responder, offer};
use std::future::Future;

/// The node's side.
pub trait Handler: Sync {
    /// Whether this peer may ask and tell.
    fn allows(&self, peer: PeerId) -> bool;

    /// Does what is asked; what fails becomes [`Response::failed`].
    fn handle(&self, request: Request) -> impl Future<Output = Response> + Send;
}

/// Serves requests until the peer says goodbye.
///
/// # Errors
/// If the session fails.
pub async fn serve<H: Handler>(session: Responder<Reputation>, handler: &H) -> Result<(), ServeError> {
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
        Response::Peers { peers, more } => {
            *more |= peers.len() > MAX_LISTED;
            peers.truncate(MAX_LISTED);
            peers.iter_mut().for_each(shorten);
        }
        Response::Peer(peer) => shorten(peer),
        Response::Evidence { part, .. } => part.truncate(PART_BYTES),
        Response::Overview(_) | Response::Reloaded { .. } | Response::Failed { .. } => {}
    }
    response
}

fn shorten(peer: &mut PeerView) {
    peer.connected.truncate(MAX_ADDRESSES);
    peer.quotas.truncate(MAX_QUOTAS);
    let old = peer.changes.len().saturating_sub(MAX_CHANGES);
    peer.changes.drain(..old);
}
