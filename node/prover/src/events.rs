//! What happens at a prover.

use shardwire_model::{
    Hash, PeerId, ShardId,
    life::{AbortCause, Step},
};
use shardwire_proving::worker::DueTo;
use shardwire_telemetry::{events, labels};
use std::time::Duration;

fn is_outdated(end: &Step) -> bool {
    *end == Step::Aborted { why: AbortCause::Outdated }
}

labels! {
    /// Why a job is given up: as [`DueTo`], or because no settler of the World takes its proof.
    pub enum GivenUp { Job = "job", Limit = "limit", Machine = "machine", Unwanted = "unwanted" }
}

impl From<DueTo> for GivenUp {
    fn from(due_to: DueTo) -> Self {
        match due_to {
            DueTo::Job => Self::Job,
            DueTo::Limit => Self::Limit,
            DueTo::Machine => Self::Machine,
        }
    }
}

events! {
    pub room "prover";

    /// A peer offered a job that no settler of this World has assigned to it
    JobUnassigned = "job_unassigned" { job: Hash, operator: PeerId, settler: PeerId }
        => WARN : (job = %job.short(), operator = %operator.short(), settler = %settler.short(), "a job that no settler of this World has assigned to the peer that offers it");

    /// A job was taken from an operator for the first time
    JobTaken = "job_taken" { job: Hash, operator: PeerId }
        => DEBUG : (job = %job.short(), operator = %operator.short(), "job taken");

    /// All of a job was removed, long after its shard's deadline
    JobForgotten = "job_forgotten" { job: Hash }
        => INFO : (job = %job.short(), "the job is forgotten: the deadline of its shard is long past");

    /// A job that should be forgotten couldn't be removed
    JobLeft = "job_left" { job: Hash, code: &'static str, error: String }
        => WARN : (job = %job.short(), code, "the job can't be removed: {error}");

    /// What was fetched of a job was removed, because this prover has that of enough others of its operator
    FetchedDropped = "fetched_dropped" { job: Hash, operator: PeerId }
        => INFO : (job = %job.short(), operator = %operator.short(), "what was fetched is removed for that of another job of its operator");

    /// An operator offered a job, and then gave no lease of it
    ClaimRefused = "claim_refused" { job: Hash, operator: PeerId, cause: String }
        => INFO : (job = %job.short(), operator = %operator.short(), "claim refused: {cause}");

    /// The fetching of a job's witness began, or went on where it was
    FetchStarted = "fetch_started" { job: Hash, shard: ShardId, have: usize }
        => INFO : (job = %job.short(), shard = %shard.short(), have, "fetching the witness");

    /// A chunk of a witness was fetched, checked and kept, compressed
    ChunkFetched = "chunk_fetched" { job: Hash, index: u32, bytes: u64 }
        adds bytes
        => TRACE : (job = %job.short(), index, bytes, "chunk fetched");

    /// The pulling of a witness ended, with at most so many pulls outstanding at a time
    PullEnded = "pull_ended" { job: Hash, most_outstanding: usize }
        => DEBUG : (job = %job.short(), most_outstanding, "pulled");

    /// A job's witness is whole
    WitnessFetched = "witness_fetched" { job: Hash, chunks: usize, steps: u64 }
        => INFO : (job = %job.short(), chunks, steps, "the witness is whole");

    /// A job was leased to another prover meanwhile
    LeaseLost = "lease_lost" { job: Hash, epoch: u64 }
        => WARN : (job = %job.short(), epoch, "the lease is another prover's");

    /// A job's lease ended while it was worked at
    LeaseEnded = "lease_ended" { job: Hash, code: &'static str, error: String }
        => WARN : (job = %job.short(), code, "{error}");

    /// A worker began to prove
    ProvingStarted = "proving_started" { job: Hash, steps: u64 }
        => INFO : (job = %job.short(), steps, "proving");

    /// A proof was made
    ProofMade = "proof_made" { job: Hash, proof: Hash, proof_bytes: u64, prove_s: f64 }
        => INFO : (job = %job.short(), proof = %proof.short(), proof_bytes, prove_s, "proven");

    /// An attempt at a proof failed, and another one follows
    AttemptFailed = "attempt_failed" { job: Hash, code: &'static str, error: String, wait: Duration }
        => WARN : (job = %job.short(), code, "attempt failed, trying again in {wait:?}: {error}");

    /// A job was given back, because of this machine: another prover may have it, and this one waits
    JobReturned = "job_returned" { job: Hash, code: &'static str, error: String, wait: Duration }
        => ERROR : (job = %job.short(), code, "the job is given back, it isn't to blame; trying again in {wait:?}: {error}");

    /// The worker was asked whether it can be used again, and can't
    WorkerMissing = "worker_missing" { code: &'static str, error: String, next_step: String, wait: Duration }
        => WARN : (code, "looking again in {wait:?}: {error}. {next_step}");

    /// What was fetched of a job that is over couldn't be removed
    FetchedLeft = "fetched_left" { job: Hash, error: String }
        => WARN : (job = %job.short(), "what was fetched can't be removed: {error}");

    /// Jobs are taken again after a trouble of this machine
    TroubleOver = "trouble_over" {}
        => INFO : ("taking jobs again");

    /// A job whose run goes on gave its place to one that is ready
    PlaceGivenAway = "place_given_away" { job: Hash }
        => INFO : (job = %job.short(), "its run goes on: it gives its place to a job that is ready");

    /// A job that this prover had given up is tried again, because a person said so
    JobRetried = "job_retried" { job: Hash }
        => INFO : (job = %job.short(), "trying the job again, as told");

    /// The file of a proof that no settler has taken yet is missing or damaged
    ProofLost = "proof_lost" { job: Hash, proof: Hash }
        => ERROR : (job = %job.short(), proof = %proof.short(), "the file of the proof is missing or damaged: the job is proven again, unless the file is restored");

    /// The disk doesn't give out the file of a proof
    ProofUnread = "proof_unread" { job: Hash, proof: Hash, code: &'static str, error: String }
        => ERROR : (job = %job.short(), proof = %proof.short(), code, "the proof can't be offered for now; others are: {error}");

    /// A settler disputed a proof that doesn't hold by this prover's own check either
    ProofDropped = "proof_dropped" { job: Hash, proof: Hash, code: &'static str, error: String }
        => ERROR : (job = %job.short(), proof = %proof.short(), code, "the proof is dropped, and the job proven again: {error}");

    /// A job can't be proven, and isn't tried again, by what it is due to
    JobFailed = "job_failed" { job: Hash, why: GivenUp, code: String, error: String }
        by { why: GivenUp = *why }
        => ERROR : (job = %job.short(), code, "the job has failed: {error}");

    /// A job's shard is over
    JobEnded = "job_ended" { job: Hash, end: Step }
        => INFO, WARN if (is_outdated(end)) : (job = %job.short(), "the job is over: {}{}", end.stage(), if is_outdated(end) { ", it is of an older layout" } else { "" });

    /// A settler settled a proof of this prover, and signed a receipt
    ReceiptKept = "receipt_kept" { job: Hash, settler: PeerId }
        => INFO : (job = %job.short(), settler = %settler.short(), "settled: receipt kept");

    /// A settler signed a receipt for a proof of this prover, after another had said otherwise
    ReceiptNotKept = "receipt_not_kept" { job: Hash, settler: PeerId, code: &'static str, error: String }
        => WARN : (job = %job.short(), settler = %settler.short(), code, "receipt not kept: {error}");

    /// A settler disputed a proof of this prover
    ProofDisputed = "proof_disputed" { job: Hash, settler: PeerId, cause: String }
        => ERROR : (job = %job.short(), settler = %settler.short(), "disputed: {cause}");

    /// A settler doesn't want a proof of this prover
    ProofUnwanted = "proof_unwanted" { shard: ShardId, settler: PeerId, cause: String }
        => INFO : (shard = %shard.short(), settler = %settler.short(), "proof not wanted: {cause}");
}
