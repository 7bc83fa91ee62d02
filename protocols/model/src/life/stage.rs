//! How far a shard is.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How far a shard is. A node knows the stages that it takes part in or hears of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The World has started it.
    #[default]
    Started,
    /// An operator has accepted it.
    Assigned,
    /// It takes transactions.
    Executing,
    /// The end event was emitted.
    Ended,
    /// A prover fetches its witness.
    Streaming,
    /// A prover proves it.
    Proving,
    /// There is a proof.
    Proven,
    /// The proof is verified.
    Verified,
    /// Its output is settled.
    Settled,
    /// This node has given it up; see the error.
    Failed,
    /// It was given up; escrow and locks went back.
    Aborted,
}

impl Stage {
    /// Whether nothing more happens.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Settled | Self::Failed | Self::Aborted)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Started => "started",
            Self::Assigned => "assigned",
            Self::Executing => "executing",
            Self::Ended => "ended",
            Self::Streaming => "streaming",
            Self::Proving => "proving",
            Self::Proven => "proven",
            Self::Verified => "verified",
            Self::Settled => "settled",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
        })
    }
}
