//! Why a client has no answer.

use shardwire_data::DataError;
use shardwire_host::names::NameError;
use shardwire_model::{Address, Cause, Coded, PeerId, ShardId};
use shardwire_protocols::{
    administration::{AdministrationError, FailedReason},
    evidence::{Accusation, Shown},
    handshake::HandshakeError,
    ingress::RefusalReason,
};
use shardwire_transport::{Blame, ConnectError, EndpointError, SessionError};

/// Why a client has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The data folder, or nobody runs in it.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The name of the peer's host.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No socket could be opened.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The peer can't be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The two can't work together.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The session failed.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The node says why it can't.
    #[error(transparent)]
    Administration(#[from] AdministrationError),
    /// The node is another version that doesn't serve this.
    #[error("{peer} doesn't speak {protocol} in this version", peer = peer.short())]
    Unserved {
        /// The node's id.
        peer: PeerId,
        /// The protocol's name.
        protocol: &'static str,
    },
    /// The operator takes no transactions for the shard.
    #[error("the operator takes no transactions for shard {shard}: {cause}", shard = shard.short())]
    Refused {
        /// The shard that was to be opened.
        shard: ShardId,
        /// What the operator acts on.
        reason: RefusalReason,
        /// The same for a person.
        cause: Cause,
    },
    /// The operator runs something else under the shard's name.
    #[error("the operator says that shard {} was started with something else", shard.short())]
    OtherStart {
        /// The shard that was to be opened.
        shard: ShardId,
    },
    /// The operator signed what can't both be.
    #[error("operator {} signed receipts that contradict each other: {shown}", evidence.accused.short())]
    Contradiction {
        /// What the receipts show.
        shown: Shown,
        /// Both receipts, which anybody can check.
        evidence: Box<Accusation>,
    },
    /// It failed too often in a row.
    #[error(
        "gave up on {address} after {attempts} attempts, with {missing} transactions left without a receipt; the last time: {last}"
    )]
    GaveUp {
        /// The operator's address.
        address: Address,
        /// How many times it was tried.
        attempts: u32,
        /// Transactions of which nothing is known.
        missing: usize,
        /// Why the last attempt failed.
        last: Box<Self>,
    },
}

impl ClientError {
    /// For which reason the node says that it can't do what was asked; none where anything else is wrong.
    #[must_use]
    pub const fn reason(&self) -> Option<FailedReason> {
        match self {
            Self::Administration(error) => error.reason(),
            _ => None,
        }
    }

    /// Whether the same may succeed later: the peer or the network was gone or slow, and nobody broke a rule.
    pub(super) fn is_passing(&self) -> bool {
        let session = |error: &SessionError| match error {
            SessionError::Lost(_) => true,
            SessionError::Violation(violation) => violation.blame() == Blame::Unclear,
            SessionError::Local(_) => false,
        };
        match self {
            Self::Connect(error) => {
                !matches!(error, ConnectError::WrongPeer { .. } | ConnectError::WrongProtocol { .. })
            }
            Self::Session(error) | Self::Handshake(HandshakeError::Session(error)) => session(error),
            // It is asked again, because containers that move are nowhere meanwhile.
            Self::Name(_) => true,
            // Perhaps the settler has not assigned it yet; or the operator's disk is full.
            Self::Refused { reason, .. } => matches!(reason, RefusalReason::Unknown | RefusalReason::Later),
            _ => false,
        }
    }

    /// Whether somebody else is where this name stood for an address: the peer has moved, and the name may not have followed yet.
    pub(super) const fn is_elsewhere(&self, address: &Address) -> bool {
        matches!((self, address), (Self::Connect(ConnectError::WrongPeer { .. }), Address::Name { .. }))
    }
}

impl Coded for ClientError {
    fn code(&self) -> &'static str {
        match self {
            Self::Data(error) => error.code(),
            Self::Name(error) => error.code(),
            Self::Endpoint(error) => error.code(),
            Self::Connect(error) => error.code(),
            Self::Handshake(error) => error.code(),
            Self::Session(error) => error.code(),
            Self::Administration(error) => error.code(),
            Self::Unserved { .. } => "SW-CLIENT-001",
            Self::Refused { .. } => "SW-CLIENT-002",
            Self::GaveUp { .. } => "SW-CLIENT-003",
            Self::Contradiction { .. } => "SW-CLIENT-004",
            Self::OtherStart { .. } => "SW-CLIENT-005",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Data(error) => error.next_step(),
            Self::Name(error) => error.next_step(),
            Self::Endpoint(error) => error.next_step(),
            Self::Connect(error) => error.next_step(),
            Self::Handshake(error) => error.next_step(),
            Self::Session(error) => error.next_step(),
            Self::Administration(error) => error.next_step(),
            Self::Unserved { .. } => "Use the same version of shardwire on both sides.".into(),
            Self::Refused { reason: RefusalReason::Later, .. } => {
                "Try again later: it is the operator's own trouble, and what was accepted is kept.".into()
            }
            Self::Refused { .. } => {
                "Check the shard's id and its operator: `shardwire shard status` lists both.".into()
            }
            Self::OtherStart { .. } => {
                "Don't submit there: compare the operator with the one that `shardwire shard status` names.".into()
            }
            Self::Contradiction { .. } => {
                "Don't rely on the operator's receipts; show the evidence to its settler.".into()
            }
            Self::GaveUp { last, .. } => format!(
                "{} Then submit the same workload again: what was accepted is not accepted twice.",
                last.next_step()
            ),
        }
    }
}
