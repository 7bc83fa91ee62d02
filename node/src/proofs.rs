//! How proofs are made, and how they are believed: arguments of a node.
//!
//! `shardwire run` gives a node [`Proofs::stark`] and can give it nothing else. What a simulation gives instead is part of the simulator (`testnet`),
//! which this program doesn't contain.

pub use shardwire_prover::{Answering, Cancelled, Prove, Proving};
use shardwire_proving::verify::Verifier;
pub use shardwire_proving::verify::Verify;
use std::sync::Arc;

/// Both sides of a proof.
#[derive(Clone, Debug)]
pub struct Proofs {
    /// How they are believed.
    pub verify: Arc<dyn Verify>,
    /// How they are made; none: by the worker that the configuration names.
    pub prove: Option<Arc<dyn Prove>>,
}

impl Proofs {
    /// As `shardwire run` has it: STARKs of stwo.
    #[must_use]
    pub fn stark() -> Self {
        Self { verify: Arc::new(Verifier::new()), prove: None }
    }
}
