//! The half that asks.

use super::{Bye, Keepalive, Ping, Pong, Turn};
use shardwire_model::Clock;
use shardwire_transport::{Initiator, Session, SessionError};
use std::time::Duration;
use tokio::time::Instant;

/// What one exchange says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// From ping to pong.
    pub round_trip: Duration,
    /// How far the peer's wall clock is ahead of ours in milliseconds, negative if behind; half a round trip is taken off.
    pub skew_ms: i64,
}

/// Asks a peer whether it is there.
#[derive(Debug)]
pub struct Client(Session<Keepalive, Turn, (Turn, ())>);

impl Client {
    /// Begins at the session's first state.
    pub fn new(session: Initiator<Keepalive>) -> Self {
        Self(session.enter())
    }

    /// Asks once. Call it every [`EVERY`](super::EVERY).
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost, [`SessionError::Violation`] if the peer doesn't answer in time, or
    /// answers another ping.
    pub async fn ping(self, clock: &dyn Clock) -> Result<(Measured, Self), SessionError> {
        let (sent, began) = (clock.wall(), Instant::now());
        let (pong, session) = self.0.choose(Ping { sent }).await?.recv::<Pong, _>().await?;
        if pong.sent != sent {
            return Err(session.broken("Pong", "SW-KEEPALIVE-001", "the pong is that of another ping"));
        }
        let round_trip = began.elapsed();
        let there = sent.plus(round_trip / 2);
        // A wild date only makes a wild skew.
        #[allow(clippy::cast_possible_wrap)]
        let skew_ms = pong.received.0.wrapping_sub(there.0) as i64;
        Ok((Measured { round_trip, skew_ms }, Self(session.repeat())))
    }

    /// Ends the session in good order.
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost first, [`SessionError::Violation`] if the peer doesn't end its side.
    pub async fn close(self) -> Result<(), SessionError> {
        self.0.choose(Bye {}).await?.close().await
    }
}
