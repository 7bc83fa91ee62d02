//! The prover offers its proofs to settlers, and keeps what they reply.

use super::{
    Prover, ProverError,
    events::{ProofDisputed, ProofUnwanted, ReceiptKept, ReceiptNotKept},
    sound,
};
use shardwire_host::signed;
use shardwire_model::{
    Coded as _, Hash, Mutation, PeerId,
    life::{AbortCause, Step},
};
use shardwire_protocols::{
    Failure,
    proof::{Handler, Leased, Reply, SkipReason, StoredProof},
};
use shardwire_store::records::{JOB_LEASES, MAX_DISPUTES};
use std::{sync::PoisonError, time::Duration};
use tokio::time::Instant;

/// Most refusals remembered, of all settlers together: 64 bytes each.
const MAX_SKIPPED: usize = 4096;
/// How long a settler isn't offered a proof again that waits for its World to decide, for the run's other segments, or for the operator's word where it was cut: as long as a question is held. However often that
/// is, it is no failure of the job.
const OFFER_AGAIN: Duration = Duration::from_secs(15);

impl Prover {
    /// The next proof for this settler, if it is one of the World's: any other peer is offered none, whatever it says that it is. One whose file isn't
    /// there, or can't be read, is passed over: the file may be restored, and the disk may give it out later.
    pub(super) async fn proof_for(&self, settler: PeerId) -> Result<Option<StoredProof>, ProverError> {
        if !self.counts(settler) {
            return Ok(None);
        }
        let wanted: Vec<_> = {
            let skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
            let jobs = self.jobs();
            let wanted = jobs.iter().filter_map(|(id, known)| {
                let job = &known.job;
                let proof = job.proof.filter(|_| known.is_on_offer())?;
                let wanted = !is_skipped(skipped.get(&(settler, proof))) && !job.disputes.contains_key(&settler);
                wanted.then_some((*id, proof, job.start.shard, job.segment, job.operator))
            });
            wanted.collect()
        };
        for (job, proof, shard, segment, operator) in wanted {
            let artefacts = self.host.artefacts.clone();
            let read = self.host.work.run(move || sound::whole(&artefacts, proof)).await;
            let bytes = match read.unwrap_or(Err(ProverError::Panicked)) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => {
                    self.note_lost(job, proof).await;
                    continue;
                }
                Err(error) => {
                    self.note_unread(job, proof, &error).await;
                    continue;
                }
            };
            self.note_found(job, proof).await;
            let lease = self.host.store.get(&JOB_LEASES, &job)?.map(|lease| signed::read(&lease)).transpose()?;
            let leased = lease.map(|lease| Leased::by(operator, &lease));
            return Ok(Some(StoredProof { shard, segment, job, proof, bytes: bytes.into(), leased }));
        }
        Ok(None)
    }
}

impl Prover {
    /// Notes that a settler doesn't want a proof: until then, or ever.
    fn refused_by(&self, settler: PeerId, proof: Hash, until: Option<Instant>) {
        let mut skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        // Identities cost nothing: who fills this gains only that it is asked once more.
        if skipped.len() >= MAX_SKIPPED {
            skipped.clear();
        }
        skipped.insert((settler, proof), until);
    }

    /// Whether a settler doesn't want a proof for as long as this process runs.
    pub(super) fn is_refused_by(&self, settler: PeerId, proof: Hash) -> bool {
        self.skipped.lock().unwrap_or_else(PoisonError::into_inner).get(&(settler, proof)) == Some(&None)
    }

    /// Forgets who doesn't want a proof; whether anybody didn't. Who asks for it again by itself does so when it would have.
    pub(super) fn ask_again(&self, proof: Hash) -> bool {
        let mut skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        let before = skipped.len();
        skipped.retain(|(_, refused), until| *refused != proof || until.is_some());
        skipped.len() < before
    }

    /// Whether this peer has a say about proofs: the World lists it as a settler.
    fn counts(&self, settler: PeerId) -> bool {
        self.host.world.is_settler(settler) || Mutation::AnybodySettles.is_planted()
    }
}

/// Whether a proof isn't offered now.
fn is_skipped(until: Option<&Option<Instant>>) -> bool {
    until.is_some_and(|until| until.is_none_or(|until| Instant::now() < until))
}

impl Handler for Prover {
    async fn next(&self, settler: PeerId) -> Result<StoredProof, Failure> {
        let offers = self.offers.of(settler);
        loop {
            let changed = offers.next();
            if let Some(proof) = self.proof_for(settler).await? {
                return Ok(proof);
            }
            changed.await;
        }
    }

    // Who replies was offered the proof, and so is a settler of the World: a reply of any other peer is out of turn.
    async fn replied(&self, settler: PeerId, proof: Hash, reply: Reply) -> Result<(), Failure> {
        let job = self.jobs().iter().find(|(_, known)| known.job.proof == Some(proof)).map(|(id, _)| *id);
        let Some(job) = job else { return Ok(()) };
        match reply {
            Reply::Settled(receipt) => {
                let receipt = signed::stored(&receipt);
                let kept = self.update(job, Some(Step::Settled { proof: Some(proof) }), |job| {
                    job.receipt = Some(receipt);
                    job.fault = None;
                });
                match kept.await {
                    Ok(()) => self.events.emit(ReceiptKept { job, settler }),
                    // Another settler has said otherwise, and one of them lies.
                    Err(ProverError::Life(refusal)) => {
                        let (code, error) = (refusal.code(), refusal.to_string());
                        self.events.emit(ReceiptNotKept { job, settler, code, error });
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            // One settler's word, and it may lie: the proof stays on offer to every other one.
            Reply::Disputed(dispute) => {
                let cause = dispute.statement.cause.clone();
                self.events.emit(ProofDisputed { job, settler, cause: cause.to_string() });
                let dispute = signed::stored(&dispute);
                self.update(job, None, |job| {
                    if job.disputes.len() < MAX_DISPUTES {
                        job.disputes.insert(settler, dispute);
                    }
                    job.fault = Some(cause.into());
                })
                .await?;
                // Not before it is durable: what the disk didn't take is asked for again.
                self.refused_by(settler, proof, None);
                self.look_again(job, proof).await?;
                self.give_up_unwanted(job, proof).await?;
            }
            Reply::Skipped { shard, reason, cause } => {
                self.events.emit(ProofUnwanted { shard, settler, cause: cause.to_string() });
                if self.job(job).is_none_or(|known| known.life.is_over()) {
                    return Ok(());
                }
                match reason {
                    SkipReason::Aborted => {
                        self.end(job, Step::Aborted { why: AbortCause::Told { by: settler } }).await?;
                    }
                    SkipReason::Settled => self.end(job, Step::Settled { proof: None }).await?,
                    SkipReason::Pending => {
                        self.refused_by(settler, proof, Some(Instant::now() + OFFER_AGAIN));
                        self.offers.announce(&settler);
                    }
                    SkipReason::Unknown | SkipReason::OtherJob => {
                        self.update(job, None, |job| job.fault = Some(cause.into())).await?;
                        self.refused_by(settler, proof, None);
                        self.give_up_unwanted(job, proof).await?;
                    }
                }
            }
        }
        Ok(())
    }
}
