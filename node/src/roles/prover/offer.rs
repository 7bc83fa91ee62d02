//! The prover offers its proofs to settlers, and keeps their verdicts.

use super::{Prover, ProverError};
use crate::{artefacts, store::records::JobStage};
use shardwire_model::{Hash, PeerId};
use shardwire_protocols::{
    Failure,
    proof::{Handler, Held, MAX_PROOF_BYTES, Verdict},
};
use std::sync::PoisonError;

impl Prover {
    fn proof_for(&self, settler: PeerId) -> Result<Option<Held>, ProverError> {
        let next = {
            let skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
            let jobs = self.jobs();
            jobs.iter().find_map(|(id, job)| {
                let proof = job.proof.filter(|_| job.stage == JobStage::Proven)?;
                (!skipped.contains(&(settler, proof))).then_some((*id, proof, job.start.shard, job.segment))
            })
        };
        let Some((job, proof, shard, segment)) = next else { return Ok(None) };
        let bytes = artefacts::read(&self.host.artefacts.proof(proof), u64::from(MAX_PROOF_BYTES))?
            .filter(|bytes| Hash::of(bytes) == proof);
        match bytes {
            Some(bytes) => Ok(Some(Held { shard, segment, job, proof, bytes: bytes.into() })),
            None => {
                // The only thing that can't be made again from what is here.
                self.give_up(job, &ProverError::ProofLost)?;
                Ok(None)
            }
        }
    }
}

impl Handler for Prover {
    async fn next(&self, settler: PeerId) -> Result<Held, Failure> {
        Ok(self.changes.until(|| self.proof_for(settler)).await?)
    }

    async fn verdict(&self, settler: PeerId, proof: Hash, verdict: Verdict) -> Result<(), Failure> {
        let job = self.jobs().iter().find(|(_, job)| job.proof == Some(proof)).map(|(id, _)| *id);
        let Some(job) = job else { return Ok(()) };
        match verdict {
            Verdict::Settled(receipt) => {
                tracing::info!(job = %job.short(), settler = %settler.short(), "settled: receipt kept");
                let receipt = postcard::to_allocvec(&receipt).unwrap_or_default();
                self.update(job, |job| {
                    job.stage = JobStage::Settled;
                    job.verdict = Some(receipt);
                })?;
            }
            Verdict::Disputed(dispute) => {
                let cause = dispute.statement.cause.clone();
                tracing::error!(job = %job.short(), settler = %settler.short(), "disputed: {cause}");
                let dispute = postcard::to_allocvec(&dispute).unwrap_or_default();
                self.update(job, |job| {
                    job.stage = JobStage::Failed;
                    job.verdict = Some(dispute);
                    job.fault = Some((cause.code, cause.reason));
                })?;
            }
            Verdict::Skipped { shard, cause } => {
                tracing::info!(shard = %shard.short(), settler = %settler.short(), "proof not wanted: {cause}");
                self.skipped.lock().unwrap_or_else(PoisonError::into_inner).insert((settler, proof));
                self.changes.announce();
            }
        }
        Ok(())
    }
}
