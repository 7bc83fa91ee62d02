//! Live execution: runs the program on cairo-vm while transactions come in, and cuts the witness as it goes.
//!
//! [`execute`] takes the transactions from an iterator that may block: the program's hint for the next transaction waits in its
//! `next`. `None` before the end event stops the run ([`ExecuteError::Dry`]), which is how it is aborted: end the iterator. So
//! the receiving end of any channel will do, as will a log that is replayed.
//!
//! It expects what [`Admission`](crate::Admission) accepts, in that order. Anything else makes the program fail
//! ([`ExecuteError::Broken`]), never a wrong output.

use super::{
    compiled,
    hints::{ProgramTransaction, ShardHints},
};
use crate::{ExecuteError, Execution};
use shardwire_machine::{self as machine, Execution as Run, Stopped};
use shardwire_model::{Entry, Felt, Kind, ShardStart, SignedTransaction, Terms};
use shardwire_witness::Chunk;
use std::io;

/// Runs a shard to its end event. Calls `sink` with each chunk as soon as it is complete; what the sink returns as an error
/// stops the run.
///
/// # Errors
/// As [`Program::execute`](crate::Program::execute).
pub fn execute(
    start: &ShardStart,
    values: &[Felt],
    transactions: impl IntoIterator<Item = SignedTransaction>,
    sink: impl FnMut(Chunk) -> io::Result<()>,
) -> Result<Execution, ExecuteError> {
    let mut unlisted = None;
    let mut listed = transactions.into_iter().map_while(|SignedTransaction { transaction, signature }| {
        match (start.account_index(transaction.account), transaction.words(start)) {
            (Some(account), Ok(words)) => Some(ProgramTransaction { account, words, signature }),
            (None, _) => {
                unlisted = Some(format!("account {} is not whitelisted in this shard", transaction.account));
                None
            }
            (_, Err(error)) => {
                unlisted = Some(error.to_string());
                None
            }
        }
    });
    let mut taken = 0;
    let result = execute_transactions(start, values, &mut listed.by_ref().inspect(|_| taken += 1), sink);
    match (result, unlisted) {
        (Err(ExecuteError::Dry), Some(reason)) => Err(ExecuteError::Broken { transaction: taken + 1, reason }),
        (result, _) => result,
    }
}

/// As [`execute`], with transactions as the program takes them: nothing is looked at.
pub(crate) fn execute_transactions(
    start: &ShardStart,
    values: &[Felt],
    transactions: &mut dyn Iterator<Item = ProgramTransaction>,
    mut sink: impl FnMut(Chunk) -> io::Result<()>,
) -> Result<Execution, ExecuteError> {
    start.validate()?;
    if start.terms != Terms::Rules {
        return Err(ExecuteError::Terms { program: compiled::NAME });
    }
    if start.program != compiled::hash() {
        return Err(ExecuteError::Program { started: start.program, this: compiled::hash() });
    }
    if values.len() != start.entries.len() {
        return Err(ExecuteError::Values { got: values.len(), expected: start.entries.len() });
    }
    let excessive = |(entry, value): &(&Entry, &Felt)| entry.kind != Kind::Lock && u128::try_from(**value).is_err();
    if let Some((entry, _)) = start.entries.iter().zip(values).find(excessive) {
        return Err(ExecuteError::Value { kind: entry.kind, slot: entry.slot() });
    }
    let mut transaction = 0;
    let mut counted = transactions.inspect(|_| transaction += 1);
    let mut hints = ShardHints::new(start, values, &mut counted);
    let result = machine::run(compiled::program(), &mut hints, &mut sink);
    let dry = hints.dry;
    drop(hints);
    match result {
        Ok((Run { output, steps, manifest }, _)) => Ok(Execution { output, reads: Vec::new(), steps, manifest }),
        Err(Stopped::Program(_)) if dry => Err(ExecuteError::Dry),
        Err(Stopped::Program(reason)) => Err(ExecuteError::Broken { transaction, reason }),
        Err(Stopped::TooLong) => Err(ExecuteError::TooLong),
        Err(Stopped::Machine(error)) => Err(ExecuteError::Vm(error.to_string())),
        Err(Stopped::Sink(error)) => Err(ExecuteError::Sink(error)),
    }
}
