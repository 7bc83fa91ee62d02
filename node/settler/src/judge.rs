//! Whether a proof is believed.

use super::error::{Objection, SettlerError};
use shardwire_model::{Hash, SegmentId};
use shardwire_proving::{
    settle::{Believed, Expected, believe},
    verify::Verify,
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

    /// What becomes of the bytes with this hash. What doesn't hold bans its prover, so that isn't said on one word of a machine whose memory may err: it
    /// is checked twice.
    ///
    /// # Errors
    /// [`SettlerError::Wavers`] if the second check says otherwise, or the bytes aren't what they were.
    pub(crate) fn decide(
        &self,
        bytes: &[u8],
        hash: Hash,
        record: &ShardRecord,
        segment: SegmentId,
    ) -> Result<Result<Believed, Objection>, SettlerError> {
        let stands = || Hash::of(bytes) == hash && self.check(bytes, record, segment).is_err();
        match self.check(bytes, record, segment) {
            Err(_) if !stands() => Err(SettlerError::Wavers),
            checked => Ok(checked),
        }
    }

    /// What the bytes prove, if they prove this segment of this shard from the state that the World fixed. Takes some 15 ms of a CPU: call it
    /// off the async threads.
    ///
    /// # Errors
    /// [`Objection::Proof`]: which check failed.
    pub(crate) fn check(
        &self,
        bytes: &[u8],
        record: &ShardRecord,
        SegmentId { segment, .. }: SegmentId,
    ) -> Result<Believed, Objection> {
        let expected = Expected { start: &record.start, segment, before: record.before };
        Ok(believe(&*self.verifier, bytes, &expected)?)
    }
}
