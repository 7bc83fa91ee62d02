//! What a run's chunks are: the last thing that an operator says about it.

use super::{CHUNK_STEPS, MAX_CHUNKS};
use serde::{Deserialize, Serialize};
use shardwire_model::{Coded, Hash, Output};

/// All chunks of a finished run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The hash of each chunk's body, in order.
    pub chunks: Vec<Hash>,
    /// The steps of the run.
    pub steps: u64,
    /// The output of the run.
    pub output: Output,
}

/// A manifest that can't be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a manifest of {chunks} chunks for {steps} steps: a chunk has at most {CHUNK_STEPS} steps, a run at most {MAX_CHUNKS} chunks"
)]
pub struct ManifestError {
    chunks: usize,
    steps: u64,
}

impl Coded for ManifestError {
    fn code(&self) -> &'static str {
        "SW-WITNESS-003"
    }

    fn next_step(&self) -> String {
        "Its operator is at fault: take the job from another.".into()
    }
}

impl Manifest {
    /// Refuses a manifest whose numbers contradict each other or exceed a bound.
    ///
    /// # Errors
    /// [`ManifestError`] if the chunks can't have that many steps, or are more than [`MAX_CHUNKS`].
    pub fn validate(&self) -> Result<(), ManifestError> {
        let chunks = self.chunks.len();
        // The closing chunk has one step more at most. Chunks of cells only have none.
        let most = chunks as u64 * CHUNK_STEPS as u64 + 1;
        if chunks == 0 || chunks > MAX_CHUNKS || !(1..=most).contains(&self.steps) {
            return Err(ManifestError { chunks, steps: self.steps });
        }
        Ok(())
    }
}

/// What stands for a witness in the life of its shard: the hash of its chunks' hashes.
#[must_use]
pub fn witness_hash(chunks: &[Hash]) -> Hash {
    let chunks: Vec<&[u8]> = chunks.iter().map(|chunk| &chunk.0[..]).collect();
    Hash::of_parts("shardwire witness 1", &chunks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::{Felt, ShardId};

    #[test]
    fn a_manifest_must_add_up() {
        let output = Output {
            program: Felt::ZERO,
            shard: ShardId::default(),
            segment: 0,
            before: Felt::ZERO,
            after: Felt::ZERO,
            reads: Felt::ZERO,
            transactions: Felt::ZERO,
            count: 0,
            ended: true,
            updates: vec![],
        };
        let manifest = |chunks: usize, steps: usize| Manifest {
            chunks: vec![Hash::default(); chunks],
            steps: steps as u64,
            output: output.clone(),
        };
        for (chunks, steps) in [(1, 1), (1, CHUNK_STEPS), (1, CHUNK_STEPS + 1), (3, 2 * CHUNK_STEPS + 7), (3, 3)] {
            assert_eq!(manifest(chunks, steps).validate(), Ok(()));
        }
        for (chunks, steps) in
            [(0, 0), (1, 0), (1, CHUNK_STEPS + 2), (2, 2 * CHUNK_STEPS + 2), (MAX_CHUNKS + 1, 1 << 24)]
        {
            assert!(manifest(chunks, steps).validate().is_err(), "{chunks} chunks, {steps} steps");
        }
        assert_eq!(
            manifest(0, 0).validate().expect_err("empty").to_string(),
            "a manifest of 0 chunks for 0 steps: a chunk has at most 16384 steps, a run at most 1024 chunks"
        );
    }
}
