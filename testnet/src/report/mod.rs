//! The result of a run: tables for people, one object for machines.

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
