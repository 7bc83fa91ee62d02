//! From a whole witness to a proof in a file, which [holds](super::sound).

use super::{
    Known, MAX_ATTEMPTS, Prover, ProverError, RETRY,
    chunks::{self, Kept},
    events::{AttemptFailed, JobReturned, LeaseEnded, ProofMade, ProvingStarted},
    lease::Lease,
    let_go,
    sound::{self, ProofFile},
    trouble::IN_TROUBLE,
};
use shardwire_model::{Coded as _, Felt, Hash, Mutation, Stage, life::Step};
use shardwire_proving::worker::{DueTo, ProveError, Proved};
use shardwire_store::{
    ArtefactError, Artefacts, DiskError, List,
    records::{self, KeptCause},
};
use shardwire_witness::{Assembler, MAX_WITNESS_BYTES, Manifest};
use std::{
    io::{self, Write},
    path::Path,
    sync::Arc,
};
use tokio::time::{Instant, timeout};

impl Prover {
    /// Sees to it that a fetched job is proven while its lease lasts: once, however often this is called. Extends the lease otherwise.
    pub(super) fn begin_proving(self: &Arc<Self>, id: Hash, until: Instant) {
        if self.job(id).is_none_or(|known| !known.is_fetched()) {
            return;
        }
        let Some(lease) = self.at_work.take(id, until) else { return };
        let prover = self.clone();
        self.host.tasks.spawn(async move {
            loop {
                match prover.prove_until_done(id, &lease).await {
                    Err(error @ ProverError::LeaseEnded) => {
                        let (code, error) = (error.code(), error.to_string());
                        prover.events.emit(LeaseEnded { job: id, code, error });
                        if prover.at_work.release_ended(id) {
                            break;
                        }
                    }
                    Err(error @ ProverError::Later { .. }) => {
                        prover.show(id, |job| job.fault = Some(KeptCause::of(&error))).await;
                        prover.at_work.release(id);
                        break;
                    }
                    result => {
                        if let Err(error) = result {
                            let wait = prover.trouble(Some(id), &error);
                            // Before the release, with which the lease is given back.
                            prover.show(id, |job| job.fault = Some(KeptCause::of(&error))).await;
                            let (code, error) = (error.code(), error.to_string());
                            prover.events.emit(JobReturned { job: id, code, error, wait });
                        }
                        prover.at_work.release(id);
                        break;
                    }
                }
            }
            prover.changes.announce(&id);
        });
    }

    async fn prove_until_done(&self, id: Hash, lease: &Lease) -> Result<(), ProverError> {
        let _turn = tokio::select! {
            biased;
            () = lease.clone().ended() => return Err(ProverError::LeaseEnded),
            turn = self.turn.acquire() => turn,
        };
        if !self.troubles.is_fit() {
            // Another job has met with it while this one waited for its turn.
            return Err(ProverError::Later { why: IN_TROUBLE });
        }
        let mut waits = RETRY.start(self.host.randomness.clone());
        loop {
            let Some(known) = self.job(id).filter(Known::is_fetched) else { return Ok(()) };
            let error = match self.attempt(id, &known, lease).await {
                Ok(()) => return Ok(()),
                Err(ProverError::Worker(ProveError::Cancelled)) => return Err(ProverError::LeaseEnded),
                Err(error @ (ProverError::Chunk { .. } | ProverError::List)) => {
                    // Chunks needn't survive a crash. What is left of them is found when the job is leased again.
                    self.update(id, None, |job| {
                        job.manifest = None;
                        job.fault = Some(KeptCause::of(&error));
                    })
                    .await?;
                    return Err(error);
                }
                Err(error) => error,
            };
            if error.due_to() != DueTo::Job && !Mutation::LocalEndCounts.is_planted() {
                return Err(error);
            }
            // It was asked and has answered: whatever was in its way is over.
            self.troubles.worked(id);
            let attempts = known.job.attempts + 1;
            if !error.may_pass() || attempts >= MAX_ATTEMPTS {
                return self.give_up(id, &error).await;
            }
            self.update(id, None, |job| {
                job.attempts = attempts;
                job.fault = Some(KeptCause::of(&error));
            })
            .await?;
            let wait = waits.after_failure();
            let (code, error) = (error.code(), error.to_string());
            self.events.emit(AttemptFailed { job: id, code, error, wait });
            if timeout(wait, lease.clone().ended()).await.is_ok() {
                return Err(ProverError::LeaseEnded);
            }
        }
    }

    async fn attempt(&self, id: Hash, Known { job, life, .. }: &Known, lease: &Lease) -> Result<(), ProverError> {
        let artefacts = self.host.artefacts.clone();
        let (witness, proof_path) = (artefacts.witness(id), artefacts.worker_proof(id));
        let Some(records::Manifest { chunks, steps, output }) = job.manifest.clone() else {
            return Err(ProverError::Chunk { index: 0 });
        };
        let manifest = Manifest { chunks, steps, output };
        let (of_witness, program) = (manifest.output.clone(), job.start.program);
        let assembled = {
            let (artefacts, witness, manifest) = (artefacts.clone(), witness.clone(), manifest.clone());
            self.host.work.run(move || {
                // One that can't be read is fetched again, as a chunk is.
                let list = artefacts.list(&artefacts.fetched_reads(id), manifest.output.reads).ok();
                let reads = list.and_then(List::whole).ok_or(ProverError::List)?;
                let bytes =
                    assemble(program, &manifest, &artefacts, &witness, |index| chunks::kept(&artefacts, id, index))?;
                Ok::<_, ProverError>((bytes, reads))
            })
        };
        let ((bytes_raw, bytes_wire), reads) = assembled.await.ok_or(ProverError::Panicked)??;
        self.show(id, |job| {
            job.figures.bytes_raw = bytes_raw;
            job.figures.bytes_wire = bytes_wire;
        })
        .await;

        self.events.emit(ProvingStarted { job: id, steps: job.figures.steps });
        let proved = self.workshop.prove(&witness, &proof_path, Box::pin(lease.clone().ended())).await;
        if matches!(proved, Err(ProveError::Refused { .. })) {
            // What is said of a witness counts if it is the one that was written: a worker says of a bad sector that it is malformed.
            let artefacts = artefacts.clone();
            let is_written = move || {
                is_as_assembled(program, &manifest, &artefacts, &witness, |index| chunks::kept(&artefacts, id, index))
            };
            if self.host.work.run(is_written).await != Some(true) {
                return Err(ProverError::Witness);
            }
        }
        let Proved { prove_s, cpu_s, peak_bytes, .. } = proved?;
        let (verifier, of) = (self.verifier.clone(), job.clone());
        let keep = move || sound::keep(&artefacts, &*verifier, &of, &of_witness, &reads, &proof_path);
        let (proof, proof_bytes) = self.host.work.run(keep).await.unwrap_or(Err(ProverError::Panicked))?;
        self.troubles.worked(id);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // seconds of one proof, not negative
        let milliseconds = |seconds: f64| (seconds * 1000.0) as u64;
        // What settlers said is of the proof before, if there was one.
        self.ask_again(proof);
        // The first is in the history, and one that is made in its place in the record.
        let step = life.step(Stage::Proven).is_none().then_some(Step::Proven { proof });
        self.update_known(id, step, |known| {
            let job = &mut known.job;
            job.proof = Some(proof);
            job.fault = None;
            job.attempts = 0;
            job.disputes.clear();
            job.figures.prove_ms = milliseconds(prove_s);
            job.figures.prove_cpu_ms = milliseconds(cpu_s);
            job.figures.prove_peak_bytes = peak_bytes;
            job.figures.proof_bytes = proof_bytes;
            known.file = ProofFile::There;
        })
        .await?;
        self.events.emit(ProofMade { job: id, proof, proof_bytes, prove_s });
        // The proof is kept under its hash; the rest can be made again, and never will have to be.
        let_go(&self.host, id);
        Ok(())
    }
}

/// Writes the flat witness of a job's chunks; returns their bytes, raw and on the wire. What the disk hasn't kept is told from what the operator sent: by its hash, before anything is made of it.
fn assemble(
    program: Felt,
    manifest: &Manifest,
    artefacts: &Artefacts,
    witness: &Path,
    chunk: impl FnMut(u32) -> Option<Kept>,
) -> Result<(u64, u64), ProverError> {
    let (assembler, bytes) = assembler(program, manifest, chunk)?;
    let mut file = artefacts.create(witness)?;
    assembler.finish(manifest, &mut file)?;
    file.flush().map_err(|reason| ArtefactError::from(DiskError::of(witness, "written")(reason)))?;
    Ok(bytes)
}

/// An assembler with all chunks of a job, and their bytes, raw and on the wire.
fn assembler(
    program: Felt,
    manifest: &Manifest,
    mut chunk: impl FnMut(u32) -> Option<Kept>,
) -> Result<(Assembler, (u64, u64)), ProverError> {
    let mut assembler = Assembler::new(program);
    let (mut bytes_raw, mut bytes_wire) = (0, 0);
    for (expected, index) in manifest.chunks.iter().zip(0..) {
        let Kept { body, wire, .. } = chunk(index).ok_or(ProverError::Chunk { index })?;
        let is_kept = match assembler.push(&body) {
            Ok(hash) => hash == *expected,
            // The disk's doing, or the operator's.
            Err(_) if Hash::of(&body) != *expected => false,
            Err(error) => return Err(error.into()),
        };
        if !is_kept {
            return Err(ProverError::Chunk { index });
        }
        bytes_raw += body.len() as u64;
        bytes_wire += wire;
    }
    Ok((assembler, (bytes_raw, bytes_wire)))
}

/// Whether the flat witness in the file is what the job's chunks are assembled to. Holds both in memory, of which the worker that ended took more.
fn is_as_assembled(
    program: Felt,
    manifest: &Manifest,
    artefacts: &Artefacts,
    witness: &Path,
    chunk: impl FnMut(u32) -> Option<Kept>,
) -> bool {
    let Ok(Some(written)) = artefacts.read(witness, MAX_WITNESS_BYTES) else { return false };
    let mut rest = Same(&written);
    let assembled = assembler(program, manifest, chunk).map(|(assembler, _)| assembler.finish(manifest, &mut rest));
    matches!(assembled, Ok(Ok(_))) && rest.0.is_empty()
}

/// What is still to be written; anything else fails.
struct Same<'a>(&'a [u8]);

impl Write for Same<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
