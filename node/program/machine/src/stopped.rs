//! Why a run stops before its end.

use crate::MachineError;
use shardwire_witness::{CHUNK_STEPS, MAX_CHUNKS};
use std::io;

/// Why a run stopped before its end.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The program refuses what it was given, in the machine's words.
    #[error("the program stopped: {0}")]
    Program(String),
    /// It exceeds what a witness can hold.
    #[error("the run is longer than a witness can be ({MAX_CHUNKS} chunks of {CHUNK_STEPS} steps)")]
    TooLong,
    /// The machine can't run or end it.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// A chunk could not be stored.
    #[error("a witness chunk can't be stored: {0}")]
    Sink(#[from] io::Error),
}
