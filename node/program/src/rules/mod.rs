//! The program `rules`: transactions add to a counter, spend from an escrow, pass from one escrow to another, give what a lock guards.
//!
//! `rules/rules.cairo` is the program, and says what a proof of it means. Here are its rules natively ([`RulesAdmission`]) and its live
//! execution on cairo-vm ([`execute`](execute())). A transaction takes some 110 steps; an account's signature is checked once, at the
//! end, over all that it did.

mod admission;
mod compiled;
mod execute;
mod hints;
#[cfg(test)]
mod tests;

pub use admission::RulesAdmission;
pub use compiled::{COMPILED, data, hash};
pub use execute::execute;

use crate::{Admission, ExecuteError, Execution, Program, Sink};
use shardwire_model::{Felt, ShardStart, SignedTransaction};

/// The fixed program of counters, escrows and locks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules;

impl Program for Rules {
    fn name(&self) -> &'static str {
        "rules"
    }

    fn hash(&self) -> Felt {
        hash()
    }

    fn admission(&self, start: ShardStart, values: &[Felt]) -> Box<dyn Admission> {
        Box::new(RulesAdmission::new(start, values))
    }

    fn execute(
        &self,
        start: &ShardStart,
        values: &[Felt],
        transactions: &mut dyn Iterator<Item = SignedTransaction>,
        sink: &mut Sink<'_>,
    ) -> Result<Execution, ExecuteError> {
        execute(start, values, transactions, sink)
    }
}
