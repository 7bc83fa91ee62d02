//! The result of a run: tables for people, one object for machines.

mod json;
mod tables;
#[cfg(test)]
mod tests;

pub use json::{failure, object};
pub use tables::tables;
pub(crate) use tables::{proved_in, rendered, table, witness};

use crate::{figures::Figures, recompute::State};
use serde_json::Value;
use shardwire_workload::Workload;
use std::time::Duration;

/// What a run came to.
pub(crate) trait Outcome {
    /// Whether what is settled is what was recomputed.
    fn is_ok(&self) -> bool;

    /// For people.
    fn text(&self) -> String;

    /// For programs.
    fn object(&self) -> Value;
}

/// A shard that was settled.
#[derive(Clone, Debug)]
pub struct Report {
    /// The workload that was played.
    pub workload: Workload,
    /// What the shard cost.
    pub figures: Figures,
    /// The World's storage now.
    pub settled: State,
    /// The differences from the recomputation, a sentence each.
    pub differences: Vec<String>,
    /// Time from the shard's start to its settlement.
    pub took: Duration,
}

impl Report {
    /// Whether the settled state is the recomputed one.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.differences.is_empty()
    }
}

impl Outcome for Report {
    fn is_ok(&self) -> bool {
        Self::is_ok(self)
    }

    fn text(&self) -> String {
        tables(self)
    }

    fn object(&self) -> Value {
        object(self)
    }
}
