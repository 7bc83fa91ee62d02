//! Why a handshake failed.

use super::agree::{ANOTHER_WORLD, Mismatch};
use shardwire_model::{Cause, Coded};
use shardwire_transport::SessionError;

/// A handshake that came to nothing. The connection is to be closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The session failed.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The two peers can't work together.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// The peer won't go on, for a reason of its own.
    #[error("the peer refuses the connection: {0}")]
    Refused(Cause),
}

impl Coded for HandshakeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Session(error) => error.code(),
            Self::Mismatch(error) => error.code(),
            Self::Refused(cause) => match cause.code.as_str() {
                "SW-HANDSHAKE-001" => "SW-HANDSHAKE-001",
                "SW-HANDSHAKE-002" => "SW-HANDSHAKE-002",
                "SW-HANDSHAKE-003" => "SW-HANDSHAKE-003",
                "SW-HANDSHAKE-005" => "SW-HANDSHAKE-005",
                _ => "SW-HANDSHAKE-004",
            },
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Session(error) => error.next_step(),
            Self::Mismatch(error) => error.next_step(),
            Self::Refused(_) => match self.code() {
                "SW-HANDSHAKE-001" => "Correct `network` in the configuration of the peer that is wrong.".into(),
                "SW-HANDSHAKE-002" => "Upgrade the side that the reason names, then connect again.".into(),
                "SW-HANDSHAKE-005" => ANOTHER_WORLD.into(),
                _ => "Ask whoever runs the peer, naming the reason.".into(),
            },
        }
    }
}
