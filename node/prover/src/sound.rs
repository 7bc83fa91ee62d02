//! Whether a proof of this prover holds: it looks itself, with the checks of a settler, before anybody hears of the proof.
//!
//! A worker is a program that others may have built, on a machine whose memory and disk may be bad; and to offer a proof that doesn't hold is an
//! offence. So what a worker wrote is believed as little as what a peer sends. A proof that doesn't hold is never recorded, kept or offered; that is a
//! [trouble](super::trouble) of this machine. Nor does a recorded proof hold a job for ever:
//!
//! | what happens | what follows |
//! |---|---|
//! | its file is missing or damaged, found at the start, or when a settler or an operator asks for it | the job is fetched and proven again; once the file is restored it is offered |
//! | the disk doesn't give its file out, when a settler asks for it | that is shown and tried again at the next questions, [`MAX_READINGS`] in a row; then it counts as missing. Other proofs are offered meanwhile |
//! | a settler of the World disputes it, and it doesn't hold here either | it is dropped, and the job is fetched and proven again |
//! | every settler of the World disputes it or doesn't want it | the job is given up, until [`shard retry`](Prover::retry) |
//!
//! A proof is of a job's segment, from the state that the job's operator says: whether that is where the segment before ended, the settler knows.
//!
//! What is kept and offered are a proof's bytes: of a run of contracts the list of what it read, then the proof.
//!
//! Bounds: they are at most [`MAX_PROOF_BYTES`]; one is checked after it is made, and one for each dispute of a settler, of which each has one a proof.

use super::{
    Known, Prover, ProverError,
    events::{GivenUp, ProofDropped, ProofLost, ProofUnread},
};
use shardwire_model::{Coded as _, Felt, Hash, MAX_PROOF_BYTES, Mutation, Output, reads};
use shardwire_proving::{
    settle::{Believed, Disbelief, Expected, believe_segment},
    verify::Verify,
    worker::ProveError,
};
use shardwire_store::{
    Artefacts,
    records::{Job, KeptCause},
};
use std::path::Path;

/// What these bytes prove of a job.
fn proven(verifier: &dyn Verify, job: &Job, bytes: &[u8]) -> Result<Believed, Disbelief> {
    believe_segment(verifier, bytes, &Expected { start: &job.start, segment: job.segment, before: job.before.0 })
}

/// Keeps the proof that a worker wrote, after the list of what the run read, in a file named by the hash of both, if they prove the witness's run: that hash, and how many bytes
/// they are. Waits for the disk, and computes.
pub(super) fn keep(
    artefacts: &Artefacts,
    verifier: &dyn Verify,
    job: &Job,
    of_witness: &Output,
    reads: &[Felt],
    written: &Path,
) -> Result<(Hash, u64), ProverError> {
    let proof = artefacts.read(written, u64::from(MAX_PROOF_BYTES))?.ok_or(ProveError::NoProof)?;
    let bytes = reads::join(reads, &proof);
    let believed = proven(verifier, job, &bytes).map_err(ProverError::Unsound);
    if !Mutation::OwnProofBelieved.is_planted() && believed?.output != *of_witness {
        return Err(ProverError::OtherProof);
    }
    let proof = Hash::of(&bytes);
    artefacts.write(&artefacts.proof(proof), &[&bytes], true)?;
    Ok((proof, bytes.len() as u64))
}

/// What was found of the file of a job's proof when it was last looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProofFile {
    /// It is there, as far as is known.
    There,
    /// It is missing or damaged.
    Lost,
    /// How often in a row the disk didn't give it out.
    Unread(u32),
}

/// How often in a row the disk may not give out the file of a proof before it counts as missing: a sector that is worn out is never read again, and the proof can be made again.
pub(super) const MAX_READINGS: u32 = 3;

/// A proof, if its file is there and is that proof. Waits for the disk and hashes.
pub(super) fn whole(artefacts: &Artefacts, proof: Hash) -> Result<Option<Vec<u8>>, ProverError> {
    let bytes = artefacts.read_own(&artefacts.proof(proof), u64::from(MAX_PROOF_BYTES))?;
    Ok(bytes.filter(|bytes| Hash::of(bytes) == proof))
}

impl Known {
    /// The proof, unless its file was missing or damaged when it was last looked for.
    pub(super) fn proof(&self) -> Option<Hash> {
        self.job.proof.filter(|_| self.file != ProofFile::Lost)
    }

    /// Whether there is no proof, and one is still of use.
    pub(super) fn is_unproven(&self) -> bool {
        self.proof().is_none() && !self.life.is_over()
    }

    /// The file of its proof isn't there: what was fetched went when the proof was made, so all of it is fetched again.
    pub(super) fn lose(&mut self) {
        self.file = ProofFile::Lost;
        self.job.manifest = None;
        self.job.fault = Some(KeptCause::of(&ProverError::ProofLost));
    }
}

impl Prover {
    /// Says once that the file of a proof isn't there. From then on the job is fetched and proven again.
    pub(super) async fn note_lost(&self, id: Hash, proof: Hash) {
        let _turn = self.changing.take(id).await;
        {
            let mut jobs = self.jobs();
            let Some(known) = jobs.get_mut(&id).filter(|known| known.proof() == Some(proof)) else { return };
            known.lose();
        }
        self.events.emit(ProofLost { job: id, proof });
        self.changes.announce(&id);
    }

    /// Says once that the disk doesn't give out the file of a proof, and why; at the last of [`MAX_READINGS`] that it is missing. That is this proof's alone.
    pub(super) async fn note_unread(&self, id: Hash, proof: Hash, error: &ProverError) {
        {
            let _turn = self.changing.take(id).await;
            let mut jobs = self.jobs();
            let Some(known) = jobs.get_mut(&id).filter(|known| known.proof() == Some(proof)) else { return };
            let before = if let ProofFile::Unread(times) = known.file { times } else { 0 };
            if before + 1 < MAX_READINGS {
                known.file = ProofFile::Unread(before + 1);
                known.job.fault = Some(KeptCause::of(error));
                if before == 0 {
                    let (code, error) = (error.code(), error.to_string());
                    self.events.emit(ProofUnread { job: id, proof, code, error });
                }
                return;
            }
        }
        self.note_lost(id, proof).await;
    }

    /// Notes that the file of a proof is there, if it wasn't.
    pub(super) async fn note_found(&self, id: Hash, proof: Hash) {
        if self.job(id).is_none_or(|known| known.file == ProofFile::There) {
            return;
        }
        let _turn = self.changing.take(id).await;
        {
            let mut jobs = self.jobs();
            let away = |known: &&mut Known| known.file != ProofFile::There && known.job.proof == Some(proof);
            let Some(known) = jobs.get_mut(&id).filter(away) else { return };
            known.file = ProofFile::There;
            known.job.fault = None;
        }
        self.changes.announce(&id);
        self.offers.announce_all();
    }

    /// Looks again at a proof that a settler disputes. One that doesn't hold here either is dropped: the job is fetched and proven again.
    pub(super) async fn look_again(&self, id: Hash, proof: Hash) -> Result<(), ProverError> {
        let on_offer = |known: &Known| known.proof() == Some(proof) && known.is_on_offer();
        let Some(Known { job, .. }) = self.job(id).filter(on_offer) else { return Ok(()) };
        let (artefacts, verifier) = (self.host.artefacts.clone(), self.verifier.clone());
        let look =
            move || Ok::<_, ProverError>(whole(&artefacts, proof)?.map(|bytes| proven(&*verifier, &job, &bytes)));
        let looked = match self.host.work.run(look).await.unwrap_or(Err(ProverError::Panicked)) {
            Ok(looked) => looked,
            Err(error) => {
                self.note_unread(id, proof, &error).await;
                return Ok(());
            }
        };
        match looked {
            None => self.note_lost(id, proof).await,
            Some(Ok(_)) => {}
            Some(Err(disbelief)) => {
                let error = ProverError::Unsound(disbelief);
                let (code, words) = (error.code(), error.to_string());
                self.update(id, None, |job| {
                    (job.proof, job.manifest) = (None, None);
                    job.fault = Some(KeptCause::of(&error));
                })
                .await?;
                self.events.emit(ProofDropped { job: id, proof, code, error: words });
            }
        }
        Ok(())
    }

    /// Gives a job up whose proof nobody wants: every settler of the World disputes it, or wants none of it.
    pub(super) async fn give_up_unwanted(&self, id: Hash, proof: Hash) -> Result<(), ProverError> {
        let wanted = |known: &Known| {
            let wants = |settler| !known.job.disputes.contains_key(settler) && !self.is_refused_by(*settler, proof);
            self.host.world.settlers().iter().any(wants)
        };
        let on_offer = |known: &Known| known.job.proof == Some(proof) && known.is_on_offer();
        let Some(known) = self.job(id).filter(|known| on_offer(known) && !wanted(known)) else { return Ok(()) };
        match known.job.fault {
            Some(fault) => self.note_failed(id, GivenUp::Unwanted, fault).await,
            None => Ok(()),
        }
    }
}
