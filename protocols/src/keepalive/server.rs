//! The half that answers.

use super::{Bye, Keepalive, Ping, Pong};
use shardwire_model::Clock;
use shardwire_transport::{Responder, SessionError, offer};

/// Answers pings until the peer says goodbye.
///
/// # Errors
/// [`SessionError::Violation`] if the peer falls silent or breaks the protocol, [`SessionError::Lost`] if the connection is lost.
pub async fn serve(session: Responder<Keepalive>, clock: &dyn Clock) -> Result<(), SessionError> {
    let mut session = session.enter();
    loop {
        session = offer!(session => {
            Ping(Ping { sent }), next => next.send(Pong { sent, received: clock.wall() }).await?.repeat(),
            Bye(_), end => return end.close().await,
        });
    }
}
