//! Why a request has no answer.

use super::Failed;
use shardwire_model::{Cause, Coded};
use shardwire_transport::SessionError;

/// The code of the answer to a peer that may not control the node.
pub(super) const NOT_ALLOWED: &str = "SW-CONTROL-001";
/// The rule that a response breaks which answers another request.
pub(super) const UNEXPECTED: &str = "SW-CONTROL-004";

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdministrationError {
    /// The session failed.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The node says why.
    #[error("{cause}")]
    Failed {
        /// Its reason.
        cause: Cause,
        /// What it says to do next.
        next_step: String,
    },
    /// An earlier request has failed with the session.
    #[error("the session with the node is over")]
    Over,
}

impl From<Failed> for AdministrationError {
    fn from(Failed { code, reason, next_step }: Failed) -> Self {
        Self::Failed { cause: Cause { code, reason }, next_step }
    }
}

impl Coded for AdministrationError {
    fn code(&self) -> &'static str {
        match self {
            Self::Session(error) => error.code(),
            Self::Failed { .. } => "SW-CONTROL-002",
            Self::Over => "SW-CONTROL-003",
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
