//! What the node's metrics say of its store.

use crate::write::MAX_GROUP;
use shardwire_telemetry::{Counter, Family, Histogram, Telemetry};

const ROOM: &str = "store";

/// What the store counts of itself, whether somebody looks or not.
#[derive(Debug)]
pub(crate) struct Counts {
    /// The changes of each commit that was done.
    pub(crate) commits: Histogram,
    /// How often it was opened again after the disk had failed.
    pub(crate) reopened: Counter,
}

impl Default for Counts {
    fn default() -> Self {
        let sizes = (0..=MAX_GROUP.ilog2()).map(|power| f64::from(1 << power));
        Self { commits: Histogram::new(sizes), reopened: Counter::default() }
    }
}

impl Counts {
    /// Notes a commit of so many changes.
    pub(crate) fn committed(&self, changes: usize) {
        self.commits.observe(f64::from(u32::try_from(changes).unwrap_or(u32::MAX)));
    }

    /// Takes these numbers into the registry.
    pub(crate) fn register(&self, telemetry: &Telemetry) {
        let Self { commits, reopened } = self;
        let changes = Family::of(ROOM, "commit_changes", "Commits, by how many callers' changes each made durable");
        telemetry.register(changes, commits.clone());
        let again = Family::of(ROOM, "reopened", "Times that the store was opened again after its disk had failed");
        telemetry.register(again, reopened.clone());
    }
}
