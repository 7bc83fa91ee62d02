//! What a node does.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Verifies proofs and keeps the World.
    Settler,
    /// Executes shards.
    Operator,
    /// Fetches witnesses and proves them.
    Prover,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Settler => "settler",
            Self::Operator => "operator",
            Self::Prover => "prover",
        })
    }
}
