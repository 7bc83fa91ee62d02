//! What comes of a live execution, whatever the program.

use shardwire_model::{Coded, Felt, Kind, MAX_READ_SLOTS, MAX_READS, Output, Slot, StartError};
use shardwire_witness::{CHUNK_STEPS, MAX_CHUNKS, Manifest};
use std::io;

/// A finished run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// What the program put out.
    pub output: Output,
    /// What it read of the state that the shard goes on from, as [felts](shardwire_model::Reads::to_felts), at most [`MAX_READS`]; empty for a program
    /// that reads none. The output has the commitment to them.
    pub reads: Vec<Felt>,
    /// How many steps it made.
    pub steps: u64,
    /// All chunks of its witness.
    pub manifest: Manifest,
}

/// How much of what one proof can take a run uses: the bytes of its prover's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How many it uses so far. What isn't executed yet is counted with the most that it can take.
    pub used_bytes: u64,
    /// How many it may use.
    pub most_bytes: u64,
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
    #[error("the snapshot's value of {kind} {slot} is not below 2^128")]
    Value {
        /// The entry's kind.
        kind: Kind,
        /// The entry.
        slot: Slot,
    },
    /// The start data names another program.
    #[error("the start data is of program {started:#x}, and this is {this:#x}")]
    Program {
        /// The program that the shard was started with.
        started: Felt,
        /// The program that was to execute it.
        this: Felt,
    },
    /// The start data's terms are of shards of another kind.
    #[error("the start data has other terms than program {program} takes")]
    Terms {
        /// What people call the program.
        program: &'static str,
    },
    /// What the program has of its own to say against such a shard.
    #[error("{0}")]
    Other(Box<dyn Coded + Send + Sync>),
    /// This machine can't execute it at the moment.
    #[error("{0}")]
    Unable(Box<dyn Coded + Send + Sync>),
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
    /// The run read more than the list that travels with its proof can hold. Admission refuses the transaction that would do so.
    #[error(
        "the list of what the run read has {felts} felts, at most {MAX_READS} are allowed, for {MAX_READ_SLOTS} slots"
    )]
    Reads {
        /// How many felts the list has.
        felts: usize,
    },
    /// Something that can't be, of the virtual machine.
    #[error("the virtual machine failed: {0}")]
    Vm(String),
    /// A chunk could not be stored.
    #[error("a witness chunk can't be stored: {0}")]
    Sink(#[from] io::Error),
}

impl ExecuteError {
    /// Whether this machine couldn't, which says nothing about the run: executing it again may do.
    #[must_use]
    pub const fn is_of_this_machine(&self) -> bool {
        matches!(self, Self::Sink(_) | Self::Unable(_))
    }
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
            Self::Program { .. } => "SW-EXEC-008",
            Self::Terms { .. } => "SW-EXEC-009",
            Self::Reads { .. } => "SW-EXEC-010",
            Self::Other(error) | Self::Unable(error) => error.code(),
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Start(error) => error.next_step(),
            Self::Values { .. } | Self::Value { .. } => "Take start data and snapshot from the World together.".into(),
            Self::Program { .. } => "Have the shard executed by the program that it was started with.".into(),
            Self::Other(error) | Self::Unable(error) => error.next_step(),
            Self::Terms { .. } => {
                "Start the shard with the program that its terms are of, or with the terms that its program takes.".into()
            }
            Self::Dry => "Submit the transactions that are missing, the one that ends the shard included; execution goes on from the log.".into(),
            Self::Broken { .. } => {
                "The log holds a transaction that was never accepted: restore it from a copy, or hand the shard back.".into()
            }
            Self::TooLong | Self::Reads { .. } => "Settle the shard earlier: start shards with fewer transactions.".into(),
            Self::Vm(_) => "Report it with the shard's log if it repeats: it is executed again by itself.".into(),
            Self::Sink(_) => "Free space on the disk of the data folder: execution then goes on from the log by itself.".into(),
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Other(error) => error.told(),
            Self::Unable(_) => "this machine can't execute the shard at the moment".into(),
            Self::Sink(_) => "a witness chunk can't be stored".into(),
            _ => self.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_too_long_is_refused_in_words() {
        let error = ExecuteError::Reads { felts: 40_000 };
        let text = "the list of what the run read has 40000 felts, at most 34560 are allowed, for 16384 slots";
        assert_eq!((error.code(), error.to_string().as_str()), ("SW-EXEC-010", text));
        assert_eq!(error.next_step(), "Settle the shard earlier: start shards with fewer transactions.");
        assert!(!error.is_of_this_machine());
    }
}
