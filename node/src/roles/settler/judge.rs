//! Whether a proof is believed.

use super::error::Objection;
use crate::proofs::Verify;
use shardwire_ledger::ShardRecord;
use shardwire_model::Output;
use shardwire_proving::{
    settle::{Expected, check_output},
    verify::Proven,
};
use std::sync::Arc;

/// Checks proofs.
#[derive(Debug)]
pub(crate) struct Judge {
    verifier: Arc<dyn Verify>,
}

impl Judge {
    pub(crate) fn new(verifier: Arc<dyn Verify>) -> Self {
        Self { verifier }
    }

    /// The output that the bytes prove, if they prove this shard from the state that the World fixed. Takes some 15 ms of a CPU: call it
    /// off the async threads.
    ///
    /// # Errors
    /// Which check failed.
    pub(crate) fn check(&self, bytes: &[u8], record: &ShardRecord) -> Result<Output, Objection> {
        let Proven { program, output } = self.verifier.verify(bytes)?;
        let output = Output::from_felts(&output)?;
        check_output(program, &output, &Expected { start: &record.start, segment: 0, before: record.before })?;
        Ok(output)
    }
}
