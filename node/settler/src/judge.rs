//! Whether a proof is believed.

use super::error::Objection;
use shardwire_model::{Output, SegmentId};
use shardwire_proving::verify::Verify;
use shardwire_proving::{
    settle::{Expected, check_output},
    verify::Proven,
};
use shardwire_world::ShardRecord;
use std::sync::Arc;

/// Decides whether a proof is believed, with the verifier that it is given.
#[derive(Debug)]
pub struct Judge {
    verifier: Arc<dyn Verify>,
}

impl Judge {
    /// One that believes what this verifier does.
    #[must_use]
    pub fn new(verifier: Arc<dyn Verify>) -> Self {
        Self { verifier }
    }

    /// The output that the bytes prove, if they prove this segment of this shard from the state that the World fixed. Takes some 15 ms of a CPU: call it
    /// off the async threads.
    ///
    /// # Errors
    /// [`Objection::Verify`], [`Objection::Output`] or [`Objection::Mismatch`]: which check failed.
    pub(crate) fn check(
        &self,
        bytes: &[u8],
        record: &ShardRecord,
        SegmentId { segment, .. }: SegmentId,
    ) -> Result<Output, Objection> {
        let Proven { program, output } = self.verifier.verify(bytes)?;
        let output = Output::from_felts(&output)?;
        check_output(program, &output, &Expected { start: &record.start, segment, before: record.before })?;
        Ok(output)
    }
}
