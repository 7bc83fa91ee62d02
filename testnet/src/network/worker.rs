//! Where the proving worker is: where a node looks for it. In a checkout where none of those places has one, it is built.

use shardwire_model::Coded;
use shardwire_proving::worker::{LocateError, Worker, WorkerPaths, locate_in};
use shardwire_worker_build::{BuildError, build, checkout};

/// No worker to prove with.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// There is none, or what was found is none.
    #[error(transparent)]
    Locate(#[from] LocateError),
    /// The checkout's worker doesn't build.
    #[error("the prover worker can't be built: {0}")]
    Build(#[from] BuildError),
}

impl Coded for WorkerError {
    fn code(&self) -> &'static str {
        match self {
            Self::Locate(error) => error.code(),
            Self::Build(error) => error.code(),
        }
    }
    fn next_step(&self) -> String {
        match self {
            Self::Locate(error) => error.next_step(),
            Self::Build(error) => error.next_step(),
        }
    }
}

/// The worker that the variable names, the one beside this program or on the search path; else the checkout's, built from the sources as
/// they are. `say` hears of a build, line by line. Blocks, for minutes where it builds.
///
/// # Errors
/// [`WorkerError::Locate`] if there is none and no checkout to build it in, or if what was found is none for these nodes;
/// [`WorkerError::Build`] if it doesn't build.
pub fn locate(say: &mut dyn FnMut(&str)) -> Result<Worker, WorkerError> {
    match (locate_in(&WorkerPaths { built: None, ..WorkerPaths::of_process() }), checkout()) {
        (Err(LocateError::Missing), Some(checkout)) => Ok(Worker::at(&build(&checkout, say)?)?),
        (found, _) => Ok(found?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_build_keeps_its_code_and_says_how_to_see_all_of_it() {
        let error = WorkerError::from(BuildError::Failed { what: "cargo build", reason: "no space".into() });
        assert_eq!(error.to_string(), "the prover worker can't be built: cargo build failed: no space");
        assert_eq!(error.code(), "SW-BUILD-002");
        assert!(error.next_step().contains("cargo run --release -p shardwire-worker-build"), "{}", error.next_step());
    }
}
