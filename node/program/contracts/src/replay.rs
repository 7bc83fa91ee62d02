//! Runs the program on cairo-vm over what native execution found, while transactions come in, and cuts the witness as it goes.
//!
//! The code of contracts runs in the same machine. Nothing here is trusted by the proof: a wrong answer makes the run fail. A replay that is repeated gives
//! the same chunks, so a restarted operator goes on where the stream stopped.

use crate::{
    Carried, Class, Spent, StartError, compiled,
    cost::Cost,
    hints::Hints,
    sessions::{self, TwoSessions},
    start::Start,
    tree::{Snapshot, Transaction},
};
use cairo_vm::vm::{errors::hint_errors::HintError, runners::cairo_runner::CairoRunner};
use shardwire_machine::{self as machine, Execution, Sink, Stopped};
use shardwire_model::{Coded, Felt, Output, Reads};
use shardwire_witness::{CHUNK_STEPS, MAX_CHUNKS, Manifest};
use std::io;

/// A finished run, or segment of one.
#[derive(Clone, Debug)]
pub struct Replay {
    /// What the program put out.
    pub output: Output,
    /// What it took from the snapshot; the output has the commitment to it.
    pub reads: Reads,
    /// How many steps it made.
    pub steps: u64,
    /// How many calls ran code or failed before.
    pub calls: u64,
    /// What it costs its prover.
    pub cost: Cost,
    /// All chunks of its witness.
    pub manifest: Manifest,
    /// What the next segment goes on from; none if the run is over.
    pub carried: Option<Carried>,
}

/// Which part of a run is replayed.
#[derive(Clone, Copy)]
pub struct Segment<'a> {
    /// What it goes on from; nothing for the first.
    pub from: Option<&'a Carried>,
    /// Whether the segment ends where the transactions do. It is asked when there is none left.
    pub is_cut: &'a dyn Fn() -> bool,
}

impl std::fmt::Debug for Segment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segment").field("from", &self.from).finish_non_exhaustive()
    }
}

impl Segment<'_> {
    /// The run in one.
    #[must_use]
    pub fn whole() -> Self {
        Self { from: None, is_cut: &|| false }
    }
}

/// A run that can't begin, or that didn't end.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The start data contradicts itself.
    #[error("the start data is refused: {0}")]
    Start(#[from] StartError),
    /// The start data lists more than one contract that keeps sessions.
    #[error("the start data is refused: {0}")]
    Sessions(#[from] TwoSessions),
    /// The start data is of another program.
    #[error("the start data is of program {started:#x}, and this is {this:#x}")]
    Program {
        /// The program that the shard was started with.
        started: Felt,
        /// The program that was to run.
        this: Felt,
    },
    /// A class that the start data names isn't there, or is another.
    #[error("class {class:#x} has the compiled class hash {got:#x}, and the start data names {expected:#x}")]
    Class {
        /// The class.
        class: Felt,
        /// What its code hashes to; zero if there is none.
        got: Felt,
        /// What the start data has.
        expected: Felt,
    },
    /// The transactions ended without the end event.
    #[error("there is no further transaction, and the shard has not ended")]
    Dry,
    /// The program refused what it was given.
    #[error("the program stopped at transaction {transaction}: {reason}")]
    Broken {
        /// Which, from 1; 0 before the first.
        transaction: u64,
        /// What the machine says.
        reason: String,
    },
    /// Something that can't be, of the virtual machine.
    #[error("the virtual machine failed: {0}")]
    Vm(String),
    /// The run exceeds what a witness can hold.
    #[error("the run is longer than a witness can be ({MAX_CHUNKS} chunks of {CHUNK_STEPS} steps)")]
    TooLong,
    /// A chunk could not be stored.
    #[error("a witness chunk can't be stored: {0}")]
    Sink(io::Error),
}

/// Which transaction the program refused isn't known here.
impl From<Stopped> for ReplayError {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Program(reason) => Self::Broken { transaction: 0, reason },
            Stopped::TooLong => Self::TooLong,
            Stopped::Machine(error) => Self::Vm(error.to_string()),
            Stopped::Sink(error) => Self::Sink(error),
        }
    }
}

impl ReplayError {
    /// Whether this machine couldn't, which says nothing about the run: replaying it again may do.
    #[must_use]
    pub const fn is_of_this_machine(&self) -> bool {
        matches!(self, Self::Sink(_))
    }
}

impl Coded for ReplayError {
    fn code(&self) -> &'static str {
        match self {
            Self::Start(error) => error.code(),
            Self::Program { .. } => "SW-CONTRACTS-020",
            Self::Class { .. } => "SW-CONTRACTS-021",
            Self::Dry => "SW-CONTRACTS-022",
            Self::Broken { .. } => "SW-CONTRACTS-023",
            Self::Vm(_) => "SW-CONTRACTS-024",
            Self::TooLong => "SW-CONTRACTS-025",
            Self::Sink(_) => "SW-CONTRACTS-026",
            Self::Sessions(_) => "SW-CONTRACTS-027",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Start(error) => error.next_step(),
            Self::Sessions(_) => "List one of them.".into(),
            Self::Program { .. } => "Have the shard executed by the program that it was started with.".into(),
            Self::Class { .. } => "Give the compiled form of each class that the start data names, made by the same compiler.".into(),
            Self::Dry => {
                "Submit the transactions that are missing, the one that ends the shard included.".into()
            }
            Self::Broken { .. } => {
                "The log holds what native execution didn't find: execute it again from the snapshot, and report this if it repeats.".into()
            }
            Self::Vm(_) => "Report it with the shard's log if it repeats: it is executed again by itself.".into(),
            Self::TooLong => "Settle the shard earlier: start shards with fewer transactions.".into(),
            Self::Sink(_) => "Free space on the disk of the data folder, and replay the shard from its log.".into(),
        }
    }
}

/// Replays a shard to its end event. `transactions` may block until there is a further one. Calls `sink` with each chunk of the witness as soon
/// as it is complete; what it returns as an error stops the run.
///
/// # Errors
/// [`ReplayError`], the first that is met.
pub fn replay(
    start: &Start,
    classes: &[Class],
    snapshot: &dyn Snapshot,
    transactions: &mut dyn Iterator<Item = Transaction>,
    sink: &mut Sink<'_>,
) -> Result<Replay, ReplayError> {
    replay_counted(start, classes, snapshot, transactions, &mut |_| {}, sink)
}

/// The same, and tells what the run has cost so far each time before it asks for the next transaction, and in the end.
///
/// # Errors
/// [`ReplayError`], the first that is met.
pub fn replay_counted(
    start: &Start,
    classes: &[Class],
    snapshot: &dyn Snapshot,
    transactions: &mut dyn Iterator<Item = Transaction>,
    told: &mut dyn FnMut(Spent),
    sink: &mut Sink<'_>,
) -> Result<Replay, ReplayError> {
    replay_segment(start, classes, snapshot, Segment::whole(), transactions, told, sink)
}

/// Replays a segment of a shard's run: from where the one before ended to the end event, or to where it is cut. The snapshot is of before the run, whichever segment it is.
///
/// # Errors
/// [`ReplayError`], the first that is met.
pub fn replay_segment(
    start: &Start,
    classes: &[Class],
    snapshot: &dyn Snapshot,
    segment: Segment<'_>,
    transactions: &mut dyn Iterator<Item = Transaction>,
    told: &mut dyn FnMut(Spent),
    sink: &mut Sink<'_>,
) -> Result<Replay, ReplayError> {
    start.validate()?;
    if start.program != compiled::hash() {
        return Err(ReplayError::Program { started: start.program, this: compiled::hash() });
    }
    let mut ordered = Vec::new();
    for pair in &start.classes {
        let class = classes.iter().find(|class| class.class_hash == pair.class_hash);
        let got = class.map(Class::compiled_class_hash).unwrap_or_default();
        match class.filter(|_| got == pair.compiled_class_hash) {
            Some(class) => ordered.push(class),
            None => {
                return Err(ReplayError::Class { class: pair.class_hash, got, expected: pair.compiled_class_hash });
            }
        }
    }
    sessions::place(start)?;
    let mut hints = Hints::new(start, ordered, snapshot, transactions);
    hints.told = Some(told);
    hints.is_cut = segment.is_cut;
    if let Some(from) = segment.from {
        hints.go_on_from(from.clone());
    }
    let result = run(&mut hints, sink);
    let (dry, transaction, calls) = (hints.dry, u64::from(hints.begun()), hints.calls);
    match result {
        Ok((Execution { output, steps, manifest }, runner)) => {
            let vm = |error: HintError| ReplayError::Vm(error.to_string());
            let cost = hints.counter.whole(&runner, steps).map_err(vm)?;
            let carried = match output.ended {
                true => None,
                false => Some(hints.carried(&runner.vm).map_err(vm)?),
            };
            if carried.as_ref().is_some_and(|carried| carried.commitment(start) != output.after) {
                return Err(ReplayError::Vm("a segment ended with another state than was kept of it".to_owned()));
            }
            let transactions = hints.begun();
            let reads = std::mem::take(&mut hints.reads);
            if let Some(told) = &mut hints.told {
                told(Spent { transactions, cost, unused: Vec::new() });
            }
            Ok(Replay { output, reads, steps, calls, cost, manifest, carried })
        }
        Err(ReplayError::Broken { .. }) if dry => Err(ReplayError::Dry),
        Err(ReplayError::Broken { reason, .. }) => Err(ReplayError::Broken { transaction, reason }),
        Err(other) => Err(other),
    }
}

/// Runs the program under hints of any kind.
pub(crate) fn run(
    hints: &mut dyn machine::Hints,
    sink: &mut Sink<'_>,
) -> Result<(Execution, CairoRunner), ReplayError> {
    Ok(machine::run(compiled::program(), hints, sink)?)
}
