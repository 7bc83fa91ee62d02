//! How proofs are made, and how they are believed: arguments of a node.
//!
//! `shardwire run` gives a node [`Proofs::stark`] and can give it nothing else. What a simulation gives instead is part of the simulator (`testnet`),
//! which this program doesn't contain.

use shardwire_proving::{
    verify::{Proven, Verifier, VerifyError},
    worker::{self, ProveError, ProveRequest, Proved, Worker},
};
use std::{fmt, future::Future, path::Path, pin::Pin, sync::Arc, time::Duration};

/// What proves, one witness at a time.
pub trait Prove: fmt::Debug + Send + Sync {
    /// Makes a proof of the witness in one file and writes it to the other. Ends early when `cancelled` completes, or when it is dropped.
    fn prove<'a>(&'a self, witness: &'a Path, proof: &'a Path, cancelled: Cancelled<'a>) -> Proving<'a>;
}

/// Completes when a proof isn't wanted any more.
pub type Cancelled<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
/// A proof in the making.
pub type Proving<'a> = Pin<Box<dyn Future<Output = Result<Proved, ProveError>> + Send + 'a>>;

/// What decides whether a proof is believed.
pub trait Verify: fmt::Debug + Send + Sync {
    /// What the bytes prove: which program was run, and what it put out. Any program: the caller compares its hash with the one that it
    /// believes.
    ///
    /// # Errors
    /// [`VerifyError`] if they prove no run. It says which check failed.
    fn verify(&self, bytes: &[u8]) -> Result<Proven, VerifyError>;
}

impl Verify for Verifier {
    fn verify(&self, bytes: &[u8]) -> Result<Proven, VerifyError> {
        Self::verify(self, bytes)
    }
}

/// Both sides of a proof.
#[derive(Clone, Debug)]
pub struct Proofs {
    /// How they are believed.
    pub verify: Arc<dyn Verify>,
    /// How they are made; none: by the worker that the configuration names.
    pub prove: Option<Arc<dyn Prove>>,
}

impl Proofs {
    /// STARKs.
    #[must_use]
    pub fn stark() -> Self {
        Self { verify: Arc::new(Verifier::new()), prove: None }
    }
}

/// Proving by a worker process.
#[derive(Clone, Debug)]
pub(crate) struct Workshop {
    pub(crate) worker: Worker,
    pub(crate) memory_limit: u64,
    pub(crate) deadline: Duration,
    pub(crate) threads: Option<u16>,
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
}
