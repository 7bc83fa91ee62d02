//! How a job fails.

use std::path::PathBuf;
use std::time::Duration;

use shardwire_model::{Coded, MAX_PROOF_BYTES};

/// A job ended without a proof. The worker's process is gone, and so are the files that it wrote.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The process couldn't be started.
    #[error("can't start the prover worker {}: {source}", worker.display())]
    Start {
        /// The worker's path.
        worker: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The worker failed and said why.
    #[error("the prover worker failed: {reason}")]
    Failed {
        /// The end of its standard error.
        reason: String,
    },
    /// The worker didn't understand its command line.
    #[error("the prover worker doesn't understand how it was called: {reason}")]
    Misuse {
        /// The end of its standard error.
        reason: String,
    },
    /// The worker reached its memory limit.
    #[error("the prover worker needs more than its memory limit of {limit} bytes")]
    Memory {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The worker was ended by a signal that this node didn't send.
    #[error("the prover worker was ended by signal {signal}: {reason}")]
    Killed {
        /// The signal's number.
        signal: i32,
        /// The end of its standard error.
        reason: String,
    },
    /// The worker wasn't done within its time limit.
    #[error("the prover worker wasn't done within {} s", limit.as_secs())]
    TimedOut {
        /// The time limit.
        limit: Duration,
    },
    /// The job was cancelled.
    #[error("the proving job was cancelled")]
    Cancelled,
    /// The worker wrote something that isn't in the contract.
    #[error("the prover worker's output is not that of a prover worker: {what}")]
    BadOutput {
        /// What it wrote.
        what: String,
    },
    /// The worker reported that it was done, but there is no proof.
    #[error("the prover worker says it is done but wrote no proof")]
    NoProof,
    /// The proof is larger than a verifier accepts.
    #[error("the prover worker wrote a proof of {bytes} bytes, at most {MAX_PROOF_BYTES} are allowed")]
    TooLarge {
        /// Its length, in bytes.
        bytes: u64,
    },
    /// A file or pipe failed on this node's side.
    #[error("can't {what}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
}

impl Coded for ProveError {
    fn code(&self) -> &'static str {
        match self {
            Self::Start { .. } => "SW-PROVE-001",
            Self::Failed { .. } => "SW-PROVE-002",
            Self::Misuse { .. } => "SW-PROVE-003",
            Self::Memory { .. } => "SW-PROVE-004",
            Self::Killed { .. } => "SW-PROVE-005",
            Self::TimedOut { .. } => "SW-PROVE-006",
            Self::Cancelled => "SW-PROVE-007",
            Self::BadOutput { .. } => "SW-PROVE-008",
            Self::NoProof => "SW-PROVE-009",
            Self::TooLarge { .. } => "SW-PROVE-010",
            Self::Io { .. } => "SW-PROVE-011",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Start { .. } => "Set SHARDWIRE_STWO_WORKER to a prover worker that this user may execute.".into(),
            Self::Failed { .. } => {
                "Fix what the worker names; if it blames the witness, have the operator run the shard again.".into()
            }
            Self::Misuse { .. } | Self::BadOutput { .. } | Self::NoProof | Self::TooLarge { .. } => {
                "Check that SHARDWIRE_STWO_WORKER names a worker that keeps to docs/prover-worker.md, of this release."
                    .into()
            }
            Self::Memory { .. } => "Raise the prover's memory limit, or have the shard prove shorter segments.".into(),
            Self::Killed { signal: 9, .. } => {
                "If nobody killed it, the machine ran out of memory: give it more, or lower the prover's memory limit."
                    .into()
            }
            Self::Killed { .. } => "The job can be tried again; if it recurs, report it with the witness.".into(),
            Self::TimedOut { .. } => {
                "Give the job a longer lease or the prover more cores; it can be tried again.".into()
            }
            Self::Cancelled => "Nothing is lost: the witness is still there, and the job can be tried again.".into(),
            Self::Io { .. } => "Check the prover's data folder: free space, and who may write there.".into(),
        }
    }
}
