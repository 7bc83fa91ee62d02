//! Why a handshake failed.

use super::{
    RefusalReason, Refused,
    agree::{ANOTHER_WORLD, Mismatch},
};
use shardwire_model::Coded;
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
    #[error("the peer refuses the connection: {}", .0.cause)]
    Refused(Refused),
}

impl Coded for HandshakeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Session(error) => error.code(),
            Self::Mismatch(error) => error.code(),
            Self::Refused(refused) => match refused.reason {
                RefusalReason::Network => "SW-HANDSHAKE-001",
                RefusalReason::Version => "SW-HANDSHAKE-002",
                RefusalReason::Contradiction => "SW-HANDSHAKE-003",
                RefusalReason::World => "SW-HANDSHAKE-005",
                RefusalReason::Other => "SW-HANDSHAKE-004",
            },
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Session(error) => error.next_step(),
            Self::Mismatch(error) => error.next_step(),
            Self::Refused(refused) => match refused.reason {
                RefusalReason::Network => "Correct `network` in the configuration of the peer that is wrong.".into(),
                RefusalReason::World => ANOTHER_WORLD.into(),
                RefusalReason::Version => "Upgrade the side that the reason names, then connect again.".into(),
                RefusalReason::Contradiction | RefusalReason::Other => {
                    "Ask the people who run the peer, naming the reason.".into()
                }
            },
        }
    }
}
