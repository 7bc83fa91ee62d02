//! The node's half.

use super::{Administration, Bye, Failed, FailedReason, Request, Response, Turn, error::NOT_ALLOWED};
use crate::ServeError;
use shardwire_model::PeerId;
use shardwire_transport::{Responder, Session, algebra::HasDual, offer};
use std::future::Future;

/// The node's side.
pub trait Handler: Sync {
    /// Whether this peer may ask that.
    fn allows(&self, peer: PeerId, request: &Request) -> bool;

    /// Does what this peer asks. A failure becomes the response, and the session goes on.
    fn handle(&self, peer: PeerId, request: Request) -> impl Future<Output = Result<Response, Failed>> + Send;
}

/// Serves requests until the peer says goodbye.
///
/// # Errors
/// [`ServeError::Session`] if the session fails.
pub async fn serve<H: Handler>(session: Responder<Administration>, handler: &H) -> Result<(), ServeError> {
    let peer = session.peer();
    let mut session: Session<Administration, <Turn as HasDual>::Dual, _> = session.enter();
    loop {
        session = offer!(session => {
            Request(request), answer => {
                let response = match handler.allows(peer, &request) {
                    true => handler.handle(peer, request).await,
                    false => Err(not_allowed(peer)),
                };
                answer.send(response.unwrap_or_else(Response::Failed).within_bounds()).await?.repeat()
            },
            Bye(_), end => return Ok(end.close().await?),
        });
    }
}

fn not_allowed(peer: PeerId) -> Failed {
    let words = format!("peer {peer} may not control this node");
    let next_step = "Use the node's own data folder, or add the peer to the node's administrators.";
    Failed::new(NOT_ALLOWED, &words, next_step).because(FailedReason::NotAllowed)
}
