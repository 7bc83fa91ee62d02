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

use crate::{Admission, ExecuteError, Execution, Program, Refusal, Sink};
use shardwire_model::{Felt, Logged, ShardStart, ShardTransaction, Terms};
use std::cell::Cell;

/// The fixed program of counters, escrows and locks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules;

impl Program for Rules {
    fn name(&self) -> &'static str {
        compiled::NAME
    }

    fn hash(&self) -> Felt {
        hash()
    }

    fn admission(&self, start: ShardStart, values: &[Felt]) -> Result<Box<dyn Admission>, ExecuteError> {
        if start.terms != Terms::Rules {
            return Err(ExecuteError::Terms { program: compiled::NAME });
        }
        Ok(Box::new(RulesAdmission::new(start, values)))
    }

    fn execute(
        &self,
        start: &ShardStart,
        values: &[Felt],
        transactions: &mut dyn Iterator<Item = Logged>,
        sink: &mut Sink<'_>,
    ) -> Result<Execution, ExecuteError> {
        let (taken, foreign) = (Cell::new(0), Cell::new(false));
        let signed = transactions.map_while(|logged| {
            taken.set(taken.get() + 1);
            match logged.transaction {
                ShardTransaction::Rules(signed) => Some(signed),
                ShardTransaction::Invoke(_) | ShardTransaction::Session(_) => {
                    foreign.set(true);
                    None
                }
            }
        });
        match execute(start, values, signed, sink) {
            Err(ExecuteError::Dry) if foreign.get() => {
                Err(ExecuteError::Broken { transaction: taken.get(), reason: Refusal::OtherForm.to_string() })
            }
            result => result,
        }
    }
}
