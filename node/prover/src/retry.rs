//! Trying again what this prover has given up, by hand.

use super::{Prover, ProverError, events::JobRetried};
use shardwire_model::{Coded, Hash, ShardId, Stage};

/// Nothing of a shard is to be tried again.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// No job of it was ever taken.
    #[error("this prover has no job of shard {shard}")]
    Unknown {
        /// The shard.
        shard: ShardId,
    },
    /// Nothing was given up, and nothing waits.
    #[error("nothing of shard {shard} is given up here: its job is {stage}")]
    NotFailed {
        /// The shard.
        shard: ShardId,
        /// Where its job stands.
        stage: Stage,
    },
    /// It can't be noted.
    #[error(transparent)]
    Prover(#[from] ProverError),
}

impl Coded for RetryError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "SW-PROVER-013",
            Self::NotFailed { .. } => "SW-PROVER-014",
            Self::Prover(error) => error.code(),
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Unknown { .. } => {
                "Check the id; `shardwire shard status` without one lists the shards of this node.".into()
            }
            Self::NotFailed { .. } => "Nothing: it goes on by itself, or is over.".into(),
            Self::Prover(error) => error.next_step(),
        }
    }
}

impl Prover {
    /// Tries again the jobs of a shard that were given up here, and ends the wait of those that were to be tried again later. How many.
    ///
    /// # Errors
    /// [`RetryError::Unknown`], [`RetryError::NotFailed`], or [`RetryError::Prover`] if the disk fails.
    pub async fn retry(&self, shard: ShardId) -> Result<u32, RetryError> {
        let jobs: Vec<(Hash, Option<Stage>)> = {
            let jobs = self.jobs();
            let of_shard = jobs.iter().filter(|(_, known)| known.job.start.shard == shard);
            of_shard.map(|(id, known)| (*id, known.stage())).collect()
        };
        let Some((_, first)) = jobs.first() else { return Err(RetryError::Unknown { shard }) };
        let mut retried = 0;
        for (id, stage) in &jobs {
            let failed = *stage == Some(Stage::Failed);
            let is_open = failed || matches!(stage, Some(Stage::Streaming | Stage::Proving));
            let waited = is_open && self.troubles.end_waits(*id);
            if failed {
                self.update(*id, None, |job| {
                    job.attempts = 0;
                    job.fault = None;
                })
                .await?;
            }
            if failed || waited {
                self.events.emit(JobRetried { job: *id });
                retried += 1;
            }
        }
        match retried {
            0 => Err(RetryError::NotFailed { shard, stage: first.unwrap_or_default() }),
            retried => Ok(retried),
        }
    }
}
