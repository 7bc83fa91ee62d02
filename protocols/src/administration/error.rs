//! Why a request has no answer.

use super::{Failed, FailedReason};
use shardwire_model::{Cause, Coded};
use shardwire_transport::SessionError;

/// The code of the answer to a peer that may not control the node.
pub(super) const NOT_ALLOWED: &str = "SW-ADMIN-001";
/// The rule that a response breaks which answers another request.
pub(super) const UNEXPECTED: &str = "SW-ADMIN-004";

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdministrationError {
    /// The session failed.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The node says why.
    #[error("{cause}")]
    Failed {
        /// What a client acts on.
        reason: FailedReason,
        /// The same for a person.
        cause: Cause,
        /// What that person should do next.
        next_step: String,
    },
    /// An earlier request has failed with the session.
    #[error("the session with the node is over")]
    Over,
}

impl From<Failed> for AdministrationError {
    fn from(Failed { reason, cause, next_step }: Failed) -> Self {
        Self::Failed { reason, cause, next_step }
    }
}

impl AdministrationError {
    /// For which reason the node says that it can't; none where the session failed.
    #[must_use]
    pub const fn reason(&self) -> Option<FailedReason> {
        match self {
            Self::Failed { reason, .. } => Some(*reason),
            Self::Session(_) | Self::Over => None,
        }
    }
}

impl Coded for AdministrationError {
    fn code(&self) -> &'static str {
        match self {
            Self::Session(error) => error.code(),
            Self::Failed { .. } => "SW-ADMIN-002",
            Self::Over => "SW-ADMIN-003",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Session(error) => error.next_step(),
            // The words are the node's: it may have sent none.
            Self::Failed { next_step, .. } if next_step.trim().is_empty() => "Look at the node's log for more.".into(),
            Self::Failed { next_step, .. } => next_step.clone(),
            Self::Over => "Connect again.".into(),
        }
    }
}
