//! Trying again what this prover has given up, by hand.

use super::{Known, Prover, ProverError, events::JobRetried};
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
    /// Nothing was given up, and nothing waits but for others.
    #[error("nothing of shard {shard} is given up here: its job is {stage}")]
    NotFailed {
        /// The shard.
        shard: ShardId,
        /// Where its job stands: of several, the one that is least far.
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
    /// Tries again the jobs of a shard that were given up here, and ends the wait of those that were to be tried again later. A proof that settlers
    /// dispute is made anew, one that they don't want is offered to them again; one that waits for other segments isn't asked for sooner. How many.
    ///
    /// # Errors
    /// [`RetryError::Unknown`], [`RetryError::NotFailed`], or [`RetryError::Prover`] if the disk fails.
    pub async fn retry(&self, shard: ShardId) -> Result<u32, RetryError> {
        let jobs: Vec<(Hash, Known)> = {
            let jobs = self.jobs();
            let of_shard = jobs.iter().filter(|(_, known)| known.job.start.shard == shard);
            of_shard.map(|(id, known)| (*id, known.clone())).collect()
        };
        let stages = jobs.iter().map(|(_, known)| known.stage().unwrap_or_default());
        let Some(stage) = stages.min() else { return Err(RetryError::Unknown { shard }) };
        let mut retried = 0;
        for (id, known) in &jobs {
            let (failed, is_open) = (known.has_failed(), !known.life.is_over());
            let waited = is_open && known.proof().is_none() && self.troubles.end_waits(*id);
            let asked = known.job.proof.is_some_and(|proof| is_open && self.ask_again(proof));
            let disputed = is_open && !known.job.disputes.is_empty();
            if failed || disputed || asked {
                self.update(*id, None, |job| {
                    if disputed {
                        (job.proof, job.manifest) = (None, None);
                        job.disputes.clear();
                    }
                    job.attempts = 0;
                    job.fault = None;
                })
                .await?;
            }
            if failed || waited || disputed || asked {
                self.events.emit(JobRetried { job: *id });
                retried += 1;
            }
        }
        match retried {
            0 => Err(RetryError::NotFailed { shard, stage }),
            retried => Ok(retried),
        }
    }
}
