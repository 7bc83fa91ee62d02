//! How a job fails.

use std::path::PathBuf;
use std::time::Duration;

use shardwire_model::{Coded, MAX_PROOF_BYTES};

/// Whose doing it is that there is no proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DueTo {
    /// The job's: of its witness, or of the program that it is a run of, there is no proof. Elsewhere there would be none either.
    Job,
    /// A limit of this machine, which the job exceeds: with a higher one, or elsewhere, it may be proven.
    Limit,
    /// This machine's: it says nothing about the job.
    Machine,
}

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
    /// The worker says that of this witness there is no proof.
    #[error("the prover worker refuses the witness: {reason} ({code})")]
    Refused {
        /// The worker's code.
        code: String,
        /// What it says.
        reason: String,
    },
    /// The prover's library failed at the witness, by a panic say: because of what the witness is, or of this machine.
    #[error("the prover failed at the witness: {reason}")]
    Broke {
        /// What the worker says.
        reason: String,
    },
    /// The worker failed. It may have said why, but not that it is due to the witness.
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

impl ProveError {
    /// Whose doing it is. Only what the worker says of the witness in so many words is the job's: whatever else ends a worker can be this machine's.
    #[must_use]
    pub const fn due_to(&self) -> DueTo {
        match self {
            Self::Refused { .. } => DueTo::Job,
            Self::Memory { .. } | Self::TimedOut { .. } => DueTo::Limit,
            Self::Start { .. }
            | Self::Broke { .. }
            | Self::Failed { .. }
            | Self::Misuse { .. }
            | Self::Killed { .. }
            | Self::Cancelled
            | Self::BadOutput { .. }
            | Self::NoProof
            | Self::TooLarge { .. }
            | Self::Io { .. } => DueTo::Machine,
        }
    }
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
            Self::Refused { .. } => "SW-PROVE-012",
            Self::Broke { .. } => "SW-PROVE-013",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Start { .. } => {
                "Put the worker back where this user may execute it; the prover goes on by itself then.".into()
            }
            Self::Refused { .. } => {
                "Another try can't help: have the shard settled earlier, or report it with the witness.".into()
            }
            Self::Broke { .. } => {
                "Nothing: the job is tried again by itself, less often each time. If it repeats, test this machine's memory, and report it with the witness.".into()
            }
            Self::Failed { .. } => "Mend what the worker names; the prover tries again by itself.".into(),
            Self::Misuse { .. } | Self::BadOutput { .. } | Self::NoProof | Self::TooLarge { .. } => {
                "Check that SHARDWIRE_STWO_WORKER names a worker that keeps to docs/prover-worker.md, of this release."
                    .into()
            }
            Self::Memory { .. } => {
                "The limit is too low for this job: raise worker.memory_limit_bytes, then start the node again.".into()
            }
            Self::Killed { signal: 9, .. } => {
                "If nobody killed it, the machine ran out of memory: give it more, or lower worker.memory_limit_bytes."
                    .into()
            }
            Self::Killed { .. } => "The prover tries again by itself; if it recurs, report it with the witness.".into(),
            Self::TimedOut { .. } => {
                "The limit is too low for this job on this machine: raise worker.deadline_s, then start the node again."
                    .into()
            }
            Self::Cancelled => "Nothing is lost: the witness is still there, and the job can be tried again.".into(),
            Self::Io { .. } => "Check the prover's data folder: free space, and who may write there.".into(),
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Start { .. } => "the prover worker can't be started".into(),
            Self::Refused { code, .. } => format!("the prover worker refuses the witness ({code})"),
            Self::Broke { .. } => "the prover failed at the witness".into(),
            Self::Failed { .. } => "the prover worker failed".into(),
            Self::Misuse { .. } => "the prover worker doesn't understand how it was called".into(),
            Self::Killed { signal, .. } => format!("the prover worker was ended by signal {signal}"),
            Self::BadOutput { .. } => "the prover worker's output is not that of a prover worker".into(),
            Self::Io { what, .. } => format!("can't {what}"),
            _ => self.to_string(),
        }
    }
}
