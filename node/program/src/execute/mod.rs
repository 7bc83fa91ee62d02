//! Live execution: runs the shard program on cairo-vm while transactions come in, and cuts the witness as it goes.
//!
//! [`execute`] takes the transactions from an iterator that may block: the program's hint for the next transaction waits in its
//! `next`. `None` before the end event stops the run ([`ExecuteError::Dry`]), which is how it is aborted: end the iterator. So
//! the receiving end of any channel will do, as will a log that is replayed. [`spawn`] gives it a thread of its own.
//!
//! It expects what [`Admission`](crate::Admission) accepts, in that order. Anything else makes the program fail
//! ([`ExecuteError::Broken`]), never a wrong output.

mod capture;
mod hints;
#[cfg(test)]
mod tests;

pub(crate) use hints::Step;

use crate::program;
use cairo_vm::{
    types::layout_name::LayoutName,
    vm::{
        errors::vm_errors::VirtualMachineError, errors::vm_exception::VmException, runners::cairo_runner::CairoRunner,
    },
};
use capture::Capture;
use hints::ShardHints;
use shardwire_model::{Coded, Entry, Felt, Hash, Key, Kind, Output, ShardStart, SignedTransaction, StartError};
use shardwire_witness::{BUILTINS, Body, CHUNK_STEPS, Chunk, MAX_CHUNK_BYTES, MAX_CHUNKS, Manifest};
use std::{io, thread};

/// A finished run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// What the program put out.
    pub output: Output,
    /// How many steps it made.
    pub steps: u64,
    /// All chunks of its witness.
    pub manifest: Manifest,
}

/// A run that can't begin, or that didn't end.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The start data contradicts itself.
    #[error("the start data is refused: {0}")]
    Start(#[from] StartError),
    /// Not one value an entry.
    #[error("the snapshot has {got} values for {expected} entries")]
    Values {
        /// How many there are.
        got: usize,
        /// How many entries there are.
        expected: usize,
    },
    /// A value that is out of its kind's range.
    #[error("the snapshot's value of {kind} {key} is not below 2^64")]
    Value {
        /// The entry's kind.
        kind: Kind,
        /// The entry.
        key: Key,
    },
    /// The transactions ended without the end event.
    #[error("there is no further transaction, and the shard has not ended")]
    Dry,
    /// The program refused a transaction.
    #[error("the shard program stopped at transaction {transaction}: {reason}")]
    Broken {
        /// Which, from 1; 0 before the first.
        transaction: u64,
        /// What the machine says.
        reason: String,
    },
    /// The run exceeds what a witness can hold.
    #[error("the run is longer than a witness can be ({MAX_CHUNKS} chunks of {CHUNK_STEPS} steps)")]
    TooLong,
    /// Something that can't be, of the virtual machine.
    #[error("the virtual machine failed: {0}")]
    Vm(String),
    /// A chunk could not be stored.
    #[error("a witness chunk can't be stored: {0}")]
    Sink(#[from] io::Error),
}

impl Coded for ExecuteError {
    fn code(&self) -> &'static str {
        match self {
            Self::Start(_) => "SW-EXEC-001",
            Self::Values { .. } | Self::Value { .. } => "SW-EXEC-002",
            Self::Dry => "SW-EXEC-003",
            Self::Broken { .. } => "SW-EXEC-004",
            Self::TooLong => "SW-EXEC-005",
            Self::Vm(_) => "SW-EXEC-006",
            Self::Sink(_) => "SW-EXEC-007",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Start(error) => error.next_step(),
            Self::Values { .. } | Self::Value { .. } => "Take start data and snapshot from the World together.".into(),
            Self::Dry => "Submit the transactions that are missing, the one that ends the shard included; execution goes on from the log.".into(),
            Self::Broken { .. } => {
                "The log holds a transaction that was never accepted: restore it from a copy, or hand the shard back.".into()
            }
            Self::TooLong => "Settle the shard earlier: start shards with fewer transactions.".into(),
            Self::Vm(_) => "Report this with the shard's log; running it again fails the same way.".into(),
            Self::Sink(_) => "Free space on the disk of the data folder, then start the node again: execution replays the log.".into(),
        }
    }
}

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
    let mut steps = transactions.into_iter().map_while(|SignedTransaction { transaction, signature }| {
        match (start.account_index(transaction.account), transaction.words(start)) {
            (Some(account), Ok(words)) => Some(Step { account, words, signature }),
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
    let result = execute_steps(start, values, &mut steps.by_ref().inspect(|_| taken += 1), sink);
    match (result, unlisted) {
        (Err(ExecuteError::Dry), Some(reason)) => Err(ExecuteError::Broken { transaction: taken + 1, reason }),
        (result, _) => result,
    }
}

/// As [`execute`], in a thread of its own.
///
/// # Errors
/// If the system has no further thread.
pub fn spawn(
    start: ShardStart,
    values: Vec<Felt>,
    transactions: impl IntoIterator<Item = SignedTransaction> + Send + 'static,
    sink: impl FnMut(Chunk) -> io::Result<()> + Send + 'static,
) -> io::Result<thread::JoinHandle<Result<Execution, ExecuteError>>> {
    thread::Builder::new().name("execute".into()).spawn(move || execute(&start, &values, transactions, sink))
}

/// As [`execute`], with transactions as the program takes them: nothing is looked at.
pub(crate) fn execute_steps(
    start: &ShardStart,
    values: &[Felt],
    steps: &mut dyn Iterator<Item = Step>,
    mut sink: impl FnMut(Chunk) -> io::Result<()>,
) -> Result<Execution, ExecuteError> {
    start.validate()?;
    if values.len() != start.entries.len() {
        return Err(ExecuteError::Values { got: values.len(), expected: start.entries.len() });
    }
    let excessive = |(entry, value): &(&Entry, &Felt)| entry.kind != Kind::Lock && u64::try_from(**value).is_err();
    if let Some((entry, _)) = start.entries.iter().zip(values).find(excessive) {
        return Err(ExecuteError::Value { kind: entry.kind, key: entry.key });
    }
    let mut transaction = 0;
    let mut counted = steps.inspect(|_| transaction += 1);
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
    let output = output(&mut runner)?;
    let manifest = Manifest { chunks: cutter.hashes, steps: cutter.steps, output: output.clone() };
    Ok(Execution { output, steps: cutter.steps, manifest })
}

/// Why a run stopped: our own reason, or what the machine says.
enum Stop {
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

fn run(
    hints: &mut ShardHints<'_>,
    cutter: &mut Cutter,
    sink: &mut dyn FnMut(Chunk) -> io::Result<()>,
) -> Result<CairoRunner, Stop> {
    // Proof mode, with a trace; the trace is not padded: the prover does that.
    let mut runner =
        CairoRunner::new(program::program(), LayoutName::all_cairo_stwo, None, true, true, true).map_err(failed)?;
    // The layout has no ecdsa and no keccak; the program passes their empty pointers through.
    let end = runner.initialize(true).map_err(failed)?;
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
    // The instruction at the end, which stays there, is the trace's last.
    runner.run_for_steps(1, hints).map_err(failed)?;
    runner.end_run(true, false, hints, true).map_err(failed)?;
    runner.read_return_values(true).map_err(failed)?;
    runner.finalize_segments().map_err(failed)?;
    let body = capture.close(&mut runner)?;
    cutter.cut(&body, sink)?;
    Ok(runner)
}

/// Makes chunks of slices.
#[derive(Default)]
struct Cutter {
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

fn output(runner: &mut CairoRunner) -> Result<Output, ExecuteError> {
    let malformed = |what: &str| ExecuteError::Vm(format!("the output can't be read: {what}"));
    let (segment, _) = runner
        .get_builtin_segments()
        .into_iter()
        .find(|(_, name)| name.to_str() == BUILTINS[0])
        .ok_or_else(|| malformed("no segment"))?;
    let length = *capture::lengths(runner).get(segment).ok_or_else(|| malformed("no length"))?;
    let base = (isize::try_from(segment).map_err(|_| malformed("no segment"))?, 0);
    let felts = runner.vm.get_integer_range(base.into(), length).map_err(|e| malformed(&e.to_string()))?;
    let felts: Vec<Felt> = felts.into_iter().map(|felt| *felt).collect();
    Output::from_felts(&felts).map_err(|e| malformed(&e.to_string()))
}
