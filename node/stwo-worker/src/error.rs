//! Why a job failed. Each error has a stable code and a text for the person who reads the node's log.

use std::path::PathBuf;

use crate::shape::TooLarge;
use crate::witness::ReadError;

/// A failed job.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command line contradicts itself.
    #[error("{0}")]
    Misuse(&'static str),
    /// The witness couldn't be read, or breaks the format.
    #[error(transparent)]
    Witness(#[from] ReadError),
    /// The witness is well formed, but doesn't fit one proof.
    #[error("the run is too large for one proof: {0}; prove it in shorter segments")]
    TooLarge(#[from] TooLarge),
    /// The prover refused the input or panicked over it.
    #[error("the prover failed: {0}")]
    Prover(String),
    /// The proof couldn't be written.
    #[error("can't write the proof {}: {source}", path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
    /// The system refused the memory limit.
    #[error("can't limit memory to {bytes} bytes: {reason}")]
    MemoryLimit { bytes: u64, reason: String },
    /// The thread pool couldn't be made.
    #[error("can't start the threads: {0}")]
    Threads(String),
}

impl Error {
    /// Whether of this witness there is no proof, here or elsewhere: what the node is told by the event `refused`.
    pub(crate) const fn is_of_the_witness(&self) -> bool {
        match self {
            Self::Witness(error) => error.is_malformed(),
            Self::TooLarge(_) | Self::Prover(_) => true,
            Self::Misuse(_) | Self::Unwritable { .. } | Self::MemoryLimit { .. } | Self::Threads(_) => false,
        }
    }

    /// The error's stable code. It is never reused for another meaning.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Misuse(_) => "SW-WORKER-001",
            Self::Witness(error) => error.code(),
            Self::TooLarge(_) => "SW-WORKER-004",
            Self::Prover(_) => "SW-WORKER-005",
            Self::Unwritable { .. } => "SW-WORKER-006",
            Self::MemoryLimit { .. } => "SW-WORKER-007",
            Self::Threads(_) => "SW-WORKER-008",
        }
    }
}
