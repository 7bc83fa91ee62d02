//! The half of the peer that dialled.

use super::{
    Handshake, Hello, Refused,
    agree::{Agreed, Side, agree, agreed},
    error::HandshakeError,
};
use shardwire_transport::{Branch, Initiator};

/// Greets the peer at the other end of a new connection.
///
/// # Errors
/// [`HandshakeError::Refused`] if the peer refuses, [`HandshakeError::Mismatch`] if the two can't work together,
/// [`HandshakeError::Session`] if the session fails.
pub async fn greet(session: Initiator<Handshake>, mine: Hello) -> Result<Agreed, HandshakeError> {
    let peer = session.peer();
    match session.send(mine.clone()).await?.offer().await? {
        Branch::First(accepted) => {
            let (theirs, end) = accepted.recv::<Hello, _>().await?;
            end.close().await?;
            let terms = agree(&mine, &theirs)?;
            Ok(agreed(peer, Side::Dialling, &mine, theirs, terms))
        }
        Branch::Second(refused) => {
            let (refused, end) = refused.recv::<Refused, _>().await?;
            // The reason is what counts; how the stream ends after it is not.
            let _ = end.close().await;
            Err(HandshakeError::Refused(refused))
        }
    }
}
