//! The prover offers its proofs to settlers, and keeps their verdicts.

use super::{Prover, ProverError};
use crate::store::records::{JOB_LEASES, JobStage, MAX_DISPUTES};
use shardwire_model::{Hash, PeerId};
use shardwire_protocols::{
    Failure,
    proof::{Handler, Held, Leased, MAX_PROOF_BYTES, Verdict},
};
use std::sync::PoisonError;

/// Most refusals remembered, of all settlers together: 64 bytes each.
const MAX_SKIPPED: usize = 4096;

impl Prover {
    fn proof_for(&self, settler: PeerId) -> Result<Option<Held>, ProverError> {
        let next = {
            let skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
            let jobs = self.jobs();
            jobs.iter().find_map(|(id, job)| {
                let proof = job.proof.filter(|_| job.stage == JobStage::Proven)?;
                let wanted = !skipped.contains(&(settler, proof)) && !job.disputes.contains_key(&settler);
                wanted.then_some((*id, proof, job.start.shard, job.segment, job.operator))
            })
        };
        let Some((job, proof, shard, segment, operator)) = next else { return Ok(None) };
        let artefacts = &self.host.artefacts;
        let bytes = artefacts
            .read(&artefacts.proof(proof), u64::from(MAX_PROOF_BYTES))?
            .filter(|bytes| Hash::of(bytes) == proof);
        match bytes {
            Some(bytes) => {
                let leased = self.host.store.get(&JOB_LEASES, &job)?.map(|lease| Leased::by(operator, &lease));
                Ok(Some(Held { shard, segment, job, proof, bytes: bytes.into(), leased }))
            }
            None => {
                // The only thing that can't be made again from what is here.
                self.give_up(job, &ProverError::ProofLost)?;
                Ok(None)
            }
        }
    }
}

impl Prover {
    fn refused_by(&self, settler: PeerId, proof: Hash) {
        let mut skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        // Identities cost nothing: whoever fills this is only asked once more.
        if skipped.len() >= MAX_SKIPPED {
            skipped.clear();
        }
        skipped.insert((settler, proof));
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
                    job.receipt = Some(receipt);
                    job.fault = None;
                })?;
            }
            // One settler's word, and it may lie: the proof stays on offer to every other one.
            Verdict::Disputed(dispute) => {
                let cause = dispute.statement.cause.clone();
                tracing::error!(job = %job.short(), settler = %settler.short(), "disputed: {cause}");
                let dispute = postcard::to_allocvec(&dispute).unwrap_or_default();
                self.refused_by(settler, proof);
                self.update(job, |job| {
                    if job.disputes.len() < MAX_DISPUTES {
                        job.disputes.insert(settler, dispute);
                    }
                    job.fault = Some((cause.code, cause.reason));
                })?;
            }
            Verdict::Skipped { shard, cause } => {
                tracing::info!(shard = %shard.short(), settler = %settler.short(), "proof not wanted: {cause}");
                self.refused_by(settler, proof);
                self.changes.announce();
            }
        }
        Ok(())
    }
}
