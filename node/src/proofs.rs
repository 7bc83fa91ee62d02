//! How proofs are made, and how they are believed: arguments of a node.
//!
//! `shardwire run` gives a node [`Proofs::of_program`] and can give it nothing else. What a simulation gives instead is part of the simulator (`testnet`),
//! which this program doesn't contain.
//!
//! Compiling classes belongs to it: a proof of a run of contracts is believed if each class compiles to what the run executed.

use shardwire_compiler::{Bounds, Compiler};
pub use shardwire_hosted::{Class, ClassError};
pub use shardwire_prover::{Answering, Cancelled, Prove, Proving};
use shardwire_proving::verify::Verifier;
pub use shardwire_proving::verify::Verify;
use std::{fmt, sync::Arc};

/// Both sides of a proof.
#[derive(Clone)]
pub struct Proofs {
    /// How they are believed.
    pub verify: Arc<dyn Verify>,
    /// How they are made; none: by the worker that the configuration names.
    pub prove: Option<Arc<dyn Prove>>,
    /// How classes are compiled.
    pub compile: Arc<Compile>,
}

/// Compiles the class of a Sierra file. It may take its time.
pub type Compile = dyn Fn(&[u8]) -> Result<Class, ClassError> + Send + Sync;

impl fmt::Debug for Proofs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verify, prove, compile: _ } = self; // what compiles has nothing to show
        f.debug_struct("Proofs").field("verify", verify).field("prove", prove).finish_non_exhaustive()
    }
}

impl Proofs {
    /// STARKs of stwo; classes are compiled in this process, which one of a stranger's may take along.
    #[must_use]
    pub fn stark() -> Self {
        Self { verify: Arc::new(Verifier::new()), prove: None, compile: Arc::new(Class::compile) }
    }

    /// As `shardwire run` has it: STARKs of stwo; a class is compiled by this program once more, in a process of its own and within bounds. For a program that begins with
    /// [`shardwire_compiler::asked`].
    #[must_use]
    pub fn of_program() -> Self {
        let compiler = Compiler::this_program(Bounds::recommended());
        Self { compile: Arc::new(move |file: &[u8]| compiler.class(file)), ..Self::stark() }
    }
}
