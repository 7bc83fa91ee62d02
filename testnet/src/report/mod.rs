//! What a run ends with: tables for people, one object for machines.

mod json;
mod tables;
#[cfg(test)]
mod tests;

pub use json::{failure, object};
pub use tables::tables;

use crate::{figures::Figures, recompute::State};
use shardwire_workload::Workload;
use std::time::Duration;

/// A shard that was settled.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was played.
    pub workload: Workload,
    /// What it cost.
    pub figures: Figures,
    /// What the World holds now.
    pub settled: State,
    /// How all that differs from the recomputation, a sentence each.
    pub differences: Vec<String>,
    /// How long it all took, from the shard's start to its settlement.
    pub took: Duration,
}

impl Report {
    /// Whether the settled state is the recomputed one.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.differences.is_empty()
    }
}
