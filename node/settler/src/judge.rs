//! Whether a proof is believed.

use super::error::{Objection, SettlerError};
use shardwire_model::{Felt, Hash, Output, ReadsError};
use shardwire_proving::{
    origin::{Compared, OriginError, Origins, compare},
    settle::{Believed, Disbelief, Expected, OutputMismatch, believe_segment},
    verify::Verify,
};
use shardwire_world::ShardRecord;
use std::sync::Arc;

/// Decides whether a proof is believed, with the verifier that it is given, and whether its run began from the right state.
#[derive(Debug)]
pub struct Judge {
    verifier: Arc<dyn Verify>,
    origins: Arc<dyn Origins>,
}

impl Judge {
    /// One that believes what this verifier does, of runs that began from these states.
    #[must_use]
    pub fn new(verifier: Arc<dyn Verify>, origins: Arc<dyn Origins>) -> Self {
        Self { verifier, origins }
    }

    pub(crate) fn origins(&self) -> &Arc<dyn Origins> {
        &self.origins
    }

    /// What becomes of the bytes with this hash. What doesn't hold bans its prover, so that isn't said on one word of a machine whose memory may err: it
    /// is checked twice.
    ///
    /// # Errors
    /// [`SettlerError::Wavers`] if the second check says otherwise, or the bytes aren't what they were; [`SettlerError::Origin`] if the state that the run had to begin from can't be looked at.
    pub(crate) fn decide(
        &self,
        bytes: &[u8],
        hash: Hash,
        record: &ShardRecord,
        segment: u32,
        before: Felt,
    ) -> Result<Result<Output, Objection>, SettlerError> {
        let check = || self.check(bytes, record, segment, before);
        let checked = check()?;
        let stands = || Ok::<_, OriginError>(Hash::of(bytes) == hash && check()?.is_err());
        if checked.is_err() && !stands()? { Err(SettlerError::Wavers) } else { Ok(checked) }
    }

    /// The output that the bytes prove, if they prove this segment of this shard from the state with this commitment, and its run began from the state that the World fixed and that its start data names. It needs not end
    /// the run. Takes some 15 ms of a CPU, and longer where that state
    /// isn't open: call it off the async threads.
    ///
    /// # Errors
    /// [`OriginError`]: nothing is said about the bytes then.
    pub(crate) fn check(
        &self,
        bytes: &[u8],
        record: &ShardRecord,
        segment: u32,
        before: Felt,
    ) -> Result<Result<Output, Objection>, OriginError> {
        let expected = Expected { start: &record.start, segment, before };
        let Believed { output, reads } = match believe_segment(&*self.verifier, bytes, &expected) {
            Ok(believed) => believed,
            Err(error) => return Ok(Err(error.into())),
        };
        // After that: who proves nothing has no state read and no class compiled.
        match (reads, self.origins.open(&record.start)?) {
            (None, None) => Ok(Ok(output)),
            (Some(reads), Some(origin)) => match compare(&reads, &record.start, &record.values, &*origin) {
                Ok(()) => Ok(Ok(output)),
                Err(Compared::Mismatch(mismatch)) => Ok(Err(mismatch.into())),
                Err(Compared::Origin(error)) => Err(error),
            },
            // It read what it had no state for, or nothing of the one that it had.
            (Some(_), None) | (None, Some(_)) => {
                Ok(Err(Disbelief::from(OutputMismatch::from(ReadsError::Length)).into()))
            }
        }
    }
}
