//! Whether a proof is believed.

use super::error::Objection;
use crate::proofs::Verify;
use shardwire_model::Output;
use shardwire_proving::settle::{Expected, check_output};
use shardwire_world::ShardRecord;
use std::sync::Arc;

/// Checks proofs of the shard program.
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
        let output = Output::from_felts(&self.verifier.verify(bytes)?)?;
        check_output(&output, &Expected { start: &record.start, segment: 0, before: record.before })?;
        Ok(output)
    }
}
