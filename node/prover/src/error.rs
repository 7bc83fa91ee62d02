//! What a prover can't do.

use shardwire_model::{Coded, life::Refusal};
use shardwire_protocols::trace;
use shardwire_proving::{
    settle::Disbelief,
    worker::{DueTo, LocateError, ProveError},
};
use shardwire_store::{ArtefactError, StoreError};
use shardwire_witness::AssembleError;

/// A job can't be done, or not now.
#[derive(Debug, thiserror::Error)]
pub enum ProverError {
    /// The store can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A chunk's, witness's or proof's file can't be written or read.
    #[error(transparent)]
    Artefact(#[from] ArtefactError),
    /// The operator's chunks are no witness.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// The worker made no proof.
    #[error(transparent)]
    Worker(#[from] ProveError),
    /// What makes proofs isn't there.
    #[error("no proof can be made: {0}")]
    NoWorker(LocateError),
    /// What the worker wrote proves nothing of the job, by the checks of a settler.
    #[error("the proof that the worker made doesn't hold: {0}")]
    Unsound(Disbelief),
    /// It proves the job by another run than the one that was fetched.
    #[error("the proof that the worker made is of another run than its witness")]
    OtherProof,
    /// The witness is of another run than the job.
    #[error("the witness is of another shard, state, settlement list or list of what was read than the job")]
    OtherRun,
    /// The job isn't that of the peer that offers it.
    #[error("no settler of this World has assigned the job to the operator that offers it")]
    Unassigned,
    /// The job failed before.
    #[error("this prover has given the job up")]
    GivenUp,
    /// A chunk that was here is gone.
    #[error("chunk {index} is missing or damaged")]
    Chunk {
        /// The chunk's place in the witness, from 0.
        index: u32,
    },
    /// The worker refused a witness that isn't the one that was written for it.
    #[error("the witness that the worker refused isn't the one that was written for it")]
    Witness,
    /// The list of what the run read was here, and is gone.
    #[error("the list of what the run read is missing or damaged")]
    List,
    /// A chunk over its bound.
    #[error("a chunk of more than {} bytes", trace::MAX_CHUNK_RAW)]
    ChunkSize,
    /// The file of a proof is gone or damaged.
    #[error("the file of the proof is missing or damaged")]
    ProofLost,
    /// The operator was silent for too long, or another prover works on it.
    #[error("the lease of the job has ended")]
    LeaseEnded,
    /// Settled by another proof, or aborted.
    #[error("the job is over")]
    Over,
    /// The operator sent another witness before.
    #[error("the witness is another one than the operator had before")]
    OtherWitness,
    /// This machine is in trouble, or has no place for it.
    #[error("this prover takes the job later: {why}")]
    Later {
        /// What it waits for.
        why: &'static str,
    },
    /// Another job's run has ended, and this one's goes on.
    #[error("the run goes on, and the job gives its place to one that is ready to be proven")]
    GivesWay,
    /// A job can't get there.
    #[error(transparent)]
    Life(#[from] Refusal),
    /// A part of this program ended without an answer.
    #[error("a part of this program panicked at the job")]
    Panicked,
}

impl ProverError {
    /// Whose doing it is: the job's, or this machine's, which says nothing about the job.
    pub(crate) const fn due_to(&self) -> DueTo {
        match self {
            Self::Worker(error) => error.due_to(),
            Self::Store(_)
            | Self::Artefact(_)
            | Self::Assemble(AssembleError::Write(_))
            | Self::NoWorker(_)
            | Self::Unsound(_)
            | Self::OtherProof
            | Self::Chunk { .. }
            | Self::Witness
            | Self::List
            | Self::ProofLost
            | Self::LeaseEnded
            | Self::Later { .. }
            | Self::GivesWay
            | Self::Life(_)
            | Self::Panicked => DueTo::Machine,
            Self::Assemble(_)
            | Self::OtherRun
            | Self::Unassigned
            | Self::GivenUp
            | Self::ChunkSize
            | Self::Over
            | Self::OtherWitness => DueTo::Job,
        }
    }

    /// Whether trying again may help a job whose own fault it is: not where the witness itself is wrong.
    pub(crate) const fn may_pass(&self) -> bool {
        matches!(self, Self::Worker(_))
    }

    /// Whether this node's disk failed, or has lost something.
    pub(crate) const fn is_of_disk(&self) -> bool {
        matches!(
            self,
            Self::Store(_)
                | Self::Artefact(_)
                | Self::Assemble(AssembleError::Write(_))
                | Self::Worker(ProveError::Io { .. })
                | Self::Chunk { .. }
                | Self::List
        )
    }

    /// Whether a proof was made and doesn't hold, or the prover's library or this program panicked. It is this machine's, or that of a witness that looks whole and isn't: nobody here can tell.
    pub(crate) const fn is_anybodys(&self) -> bool {
        matches!(self, Self::Unsound(_) | Self::OtherProof | Self::Panicked | Self::Worker(ProveError::Broke { .. }))
    }

    /// Whether the worker can't be used, for whatever job.
    pub(crate) const fn is_of_the_worker_itself(&self) -> bool {
        matches!(self, Self::NoWorker(_) | Self::Worker(ProveError::Start { .. }))
    }
}

impl Coded for ProverError {
    fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Artefact(error) => error.code(),
            Self::Assemble(error) => error.code(),
            Self::Worker(error) => error.code(),
            Self::OtherRun => "SW-PROVER-001",
            Self::GivenUp => "SW-PROVER-003",
            Self::Chunk { .. } => "SW-PROVER-004",
            Self::ChunkSize => "SW-PROVER-005",
            Self::Panicked => "SW-PROVER-006",
            Self::LeaseEnded => "SW-PROVER-007",
            Self::ProofLost => "SW-PROVER-008",
            Self::Over => "SW-PROVER-009",
            Self::OtherWitness => "SW-PROVER-010",
            Self::NoWorker(error) => error.code(),
            Self::Later { .. } => "SW-PROVER-011",
            Self::GivesWay => "SW-PROVER-012",
            Self::Life(refusal) => refusal.code(),
            Self::Unsound(_) => "SW-PROVER-015",
            Self::OtherProof => "SW-PROVER-016",
            Self::Unassigned => "SW-PROVER-017",
            Self::List => "SW-PROVER-018",
            Self::Witness => "SW-PROVER-019",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Store(error) => error.next_step(),
            Self::Artefact(error) => error.next_step(),
            Self::Assemble(error) => error.next_step(),
            Self::Worker(error) => error.next_step(),
            Self::OtherRun | Self::ChunkSize | Self::OtherWitness => {
                "Remove the operator from the configuration: it doesn't send what it offers.".into()
            }
            Self::Unassigned => {
                "Nothing: it isn't taken, and the peer that offers it is banned. Remove it from the configuration if it stands there.".into()
            }
            Self::GivenUp => {
                "See `shardwire shard status` for why; another prover can prove it, or this one after `shardwire shard retry`.".into()
            }
            Self::NoWorker(error) => error.next_step(),
            Self::Later { .. } => "Nothing: it is taken when there is room; another prover may have it meanwhile.".into(),
            Self::GivesWay => "Nothing: it is taken again when there is room; what was fetched is kept.".into(),
            Self::Witness => {
                "It is written anew, and the job is tried again by itself. If it repeats, test this machine's disk and memory.".into()
            }
            Self::List => "The list is fetched again; check the disk if this repeats.".into(),
            Self::Chunk { .. } => "The chunk is fetched again; check the disk if this repeats.".into(),
            Self::Unsound(_) | Self::OtherProof => {
                "Nothing was offered, and it is tried again by itself. If it repeats, build the worker anew, and test this machine's memory and disk.".into()
            }
            Self::ProofLost => {
                "Nothing: the job is fetched and proven again when its operator leases it; or restore the file from a copy.".into()
            }
            Self::LeaseEnded => "Nothing: the job goes on when its operator leases it to this prover again.".into(),
            Self::Over => "Nothing: its shard needs no further proof.".into(),
            Self::Life(refusal) => refusal.next_step(),
            Self::Panicked => {
                "Nothing: the job is tried again by itself, less often each time. If it repeats, report it with what the log says of the panic.".into()
            },
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Store(error) => error.told(),
            Self::Artefact(error) => error.told(),
            Self::Assemble(error) => error.told(),
            Self::Worker(error) => error.told(),
            Self::NoWorker(error) => format!("no proof can be made: {}", error.told()),
            Self::Unsound(_) => "the proof that the worker made doesn't hold".into(),
            _ => self.to_string(),
        }
    }
}
