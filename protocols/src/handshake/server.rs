//! The half of the peer that accepted.

use super::{
    Handshake, Hello, Refused,
    agree::{Agreed, Side, agree, agreed},
    error::HandshakeError,
};
use shardwire_model::Cause;
use shardwire_transport::Responder;

/// Answers the greeting of the peer that dialled.
///
/// # Errors
/// [`HandshakeError::Mismatch`] if the two can't work together, and the peer was told why; [`HandshakeError::Session`] if the session
/// fails.
pub async fn answer(session: Responder<Handshake>, mine: Hello) -> Result<Agreed, HandshakeError> {
    let peer = session.peer();
    let (theirs, session) = session.recv().await?;
    match agree(&theirs, &mine) {
        Ok(terms) => {
            session.choose(mine.clone()).await?.close().await?;
            Ok(agreed(peer, Side::Accepting, &mine, theirs, terms))
        }
        Err(mismatch) => {
            let (reason, cause) = (mismatch.reason(), Cause::from(mismatch.clone()));
            session.choose(Refused { reason, cause }).await?.close().await?;
            Err(mismatch.into())
        }
    }
}
