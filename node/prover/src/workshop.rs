//! How proofs are made: an argument of a prover.

use shardwire_proving::worker::{self, LocateError, ProveError, ProveRequest, Proved, Worker};
use std::{fmt, future::Future, path::Path, pin::Pin, time::Duration};

/// What proves, one witness at a time.
pub trait Prove: fmt::Debug + Send + Sync {
    /// Makes a proof of the witness in one file and writes it to the other. Ends early when `cancelled` completes, or when it is dropped.
    fn prove<'a>(&'a self, witness: &'a Path, proof: &'a Path, cancelled: Cancelled<'a>) -> Proving<'a>;

    /// Whether what proves is there, as far as a look at it tells. It may wait for a disk.
    fn is_there(&self) -> bool {
        true
    }

    /// Whether what proves is there, and is of the contract that this node speaks: asked after a failure, before another job is taken.
    fn answers(&self) -> Answering<'_> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Completes when a proof isn't wanted any more.
pub type Cancelled<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
/// A proof in the making.
pub type Proving<'a> = Pin<Box<dyn Future<Output = Result<Proved, ProveError>> + Send + 'a>>;

/// Whether what proves is there.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<(), LocateError>> + Send + 'a>>;

/// Proving by a worker process.
#[derive(Clone, Debug)]
pub struct Workshop {
    /// The program that is started for each proof.
    pub worker: Worker,
    /// The most memory that it may take, in bytes.
    pub memory_limit: u64,
    /// How long a proof may take.
    pub deadline: Duration,
    /// How many threads prove; as many as there are cores, if it isn't said.
    pub threads: Option<u16>,
}

impl Prove for Workshop {
    fn prove<'a>(&'a self, witness: &'a Path, proof: &'a Path, cancelled: Cancelled<'a>) -> Proving<'a> {
        Box::pin(async move {
            let request = ProveRequest {
                witness: witness.to_owned(),
                proof: proof.to_owned(),
                memory_limit: self.memory_limit,
                time_limit: self.deadline,
                threads: self.threads,
            };
            worker::prove(&self.worker, &request, cancelled, |_| {}).await
        })
    }

    fn is_there(&self) -> bool {
        self.worker.is_there()
    }

    fn answers(&self) -> Answering<'_> {
        let path = self.worker.path().to_owned();
        Box::pin(async move {
            let asked = tokio::task::spawn_blocking(move || Worker::at(&path).map(drop)).await;
            asked.unwrap_or(Err(LocateError::Missing))
        })
    }
}
