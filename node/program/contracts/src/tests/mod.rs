//! A dungeon of contracts, executed natively and replayed.

mod chunks;
mod cut_lies;
mod cuts;
mod dungeon;
mod liar;
mod lies;
mod paths;
mod proof;
mod recorder;
mod runs;
mod segments;
mod session_lies;
mod sessions;

use crate::{
    Class, Replay, ReplayError, Start,
    tree::{Snapshot, Transaction},
};
use cairo_vm::vm::runners::cairo_runner::CairoRunner;
use shardwire_machine::{Execution, Hints};

/// A replay whose witness nobody wants.
fn replay(
    start: &Start,
    classes: &[Class],
    snapshot: &dyn Snapshot,
    transactions: &mut dyn Iterator<Item = Transaction>,
) -> Result<Replay, ReplayError> {
    crate::replay(start, classes, snapshot, transactions, &mut |_| Ok(()))
}

/// The same, under hints of any kind.
fn run(hints: &mut dyn Hints) -> Result<(Execution, CairoRunner), ReplayError> {
    crate::replay::run(hints, &mut |_| Ok(()))
}
