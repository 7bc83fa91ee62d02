//! Whether a proof is believed.

use super::error::Objection;
use shardwire_ledger::ShardRecord;
use shardwire_model::{Felt, Output};
use shardwire_proving::{
    settle::{Expected, check_output},
    verify::{ProgramError, Verifier},
};

/// Checks proofs of the shard program.
#[derive(Debug)]
pub(crate) struct Judge {
    verifier: Verifier,
}

impl Judge {
    /// For the program with these felts.
    ///
    /// # Errors
    /// If they are no program.
    pub(crate) fn new(program: &[Felt]) -> Result<Self, ProgramError> {
        Ok(Self { verifier: Verifier::new(program)? })
    }

    /// The hash of the program whose proofs are believed.
    pub(crate) fn program(&self) -> Felt {
        self.verifier.program_hash()
    }

    /// The output that the bytes prove, if they prove this shard from the state that the World fixed. Takes some 15 ms of a CPU: call it
    /// off the async threads.
    ///
    /// # Errors
    /// Which check failed.
    pub(crate) fn check(&self, bytes: &[u8], record: &ShardRecord) -> Result<Output, Objection> {
        let output = Output::from_felts(&self.verifier.verify(bytes)?)?;
        check_output(&output, &Expected { start: &record.start, segment: 0, before: record.before })?;
        Ok(output)
    }
}
