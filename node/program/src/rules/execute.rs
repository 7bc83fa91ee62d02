//! Live execution: runs the program on cairo-vm while transactions come in, and cuts the witness as it goes.
//!
//! [`execute`] takes the transactions from an iterator that may block: the program's hint for the next transaction waits in its
//! `next`. `None` before the end event stops the run ([`ExecuteError::Dry`]), which is how it is aborted: end the iterator. So
//! the receiving end of any channel will do, as will a log that is replayed.
//!
//! It expects what [`Admission`](crate::Admission) accepts, in that order. Anything else makes the program fail
//! ([`ExecuteError::Broken`]), never a wrong output.

use super::{
    capture::Capture,
    compiled,
    hints::{ProgramTransaction, ShardHints},
};
use crate::{ExecuteError, Execution, Program as _, Rules};
use cairo_vm::vm::{
    errors::{vm_errors::VirtualMachineError, vm_exception::VmException},
    runners::cairo_runner::CairoRunner,
};
use shardwire_machine as machine;
use shardwire_model::{Entry, Felt, Hash, Kind, ShardStart, SignedTransaction, Terms};
use shardwire_witness::{Body, CHUNK_STEPS, Chunk, MAX_CHUNK_BYTES, MAX_CHUNKS, Manifest};
use std::io;

/// Runs a shard to its end event. Calls `sink` with each chunk as soon as it is complete; what the sink returns as an error
/// stops the run.
///
/// # Errors
/// See [`ExecuteError`].
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
        return Err(ExecuteError::Terms { program: Rules.name() });
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
    let mut cutter = Cutter::default();
    let result = run(&mut hints, &mut cutter, &mut sink);
    let dry = hints.dry;
    drop(hints);
    let mut runner = match result {
        Ok(runner) => runner,
        Err(Stop::Error(error)) => return Err(error),
        Err(Stop::Machine(_)) if dry => return Err(ExecuteError::Dry),
        Err(Stop::Machine(reason)) => return Err(ExecuteError::Broken { transaction, reason }),
    };
    let output = machine::output(&mut runner).map_err(|error| ExecuteError::Vm(error.to_string()))?;
    let manifest = Manifest { chunks: cutter.hashes, steps: cutter.steps, output: output.clone() };
    Ok(Execution { output, steps: cutter.steps, manifest })
}

/// Why a run stopped: our own reason, or what the machine says.
pub(super) enum Stop {
    Error(ExecuteError),
    Machine(String),
}

impl From<ExecuteError> for Stop {
    fn from(error: ExecuteError) -> Self {
        Self::Error(error)
    }
}

fn failed(error: impl std::fmt::Display) -> Stop {
    Stop::Error(ExecuteError::Vm(error.to_string()))
}

pub(super) fn run(
    hints: &mut ShardHints<'_>,
    cutter: &mut Cutter,
    sink: &mut dyn FnMut(Chunk) -> io::Result<()>,
) -> Result<CairoRunner, Stop> {
    let (mut runner, end) = machine::begin(compiled::program()).map_err(failed)?;
    let mut capture = Capture::default();
    loop {
        hints.grant(CHUNK_STEPS);
        match runner.run_until_pc(end, hints) {
            Ok(()) => break,
            Err(VirtualMachineError::UnfinishedExecution) => {}
            Err(error) => return Err(Stop::Machine(VmException::from_vm_error(&runner, error).to_string())),
        }
        let body = capture.slice(&mut runner)?;
        cutter.cut(&body, sink)?;
    }
    machine::finish(&mut runner, hints).map_err(failed)?;
    let body = capture.close(&mut runner)?;
    cutter.cut(&body, sink)?;
    Ok(runner)
}

/// Makes chunks of slices.
#[derive(Default)]
pub(super) struct Cutter {
    hashes: Vec<Hash>,
    steps: u64,
}

impl Cutter {
    fn cut(&mut self, body: &Body, sink: &mut dyn FnMut(Chunk) -> io::Result<()>) -> Result<(), ExecuteError> {
        let index = u32::try_from(self.hashes.len())
            .ok()
            .filter(|i| (*i as usize) < MAX_CHUNKS)
            .ok_or(ExecuteError::TooLong)?;
        self.steps += body.trace.len() as u64;
        let closing = body.closing.is_some();
        let body = body.encode();
        if body.len() > MAX_CHUNK_BYTES {
            return Err(ExecuteError::TooLong);
        }
        let hash = Hash::of(&body);
        self.hashes.push(hash);
        Ok(sink(Chunk { index, steps: self.steps, closing, hash, body })?)
    }
}
