//! What happens at an operator.

use shardwire_model::{Hash, PeerId, ShardId, Stage};
use shardwire_telemetry::{events, labels};

labels! {
    /// How a shard ended at its settler.
    pub enum End { Settled = "settled", Aborted = "aborted" }
}

fn end(stage: Stage) -> End {
    if stage == Stage::Settled { End::Settled } else { End::Aborted }
}

events! {
    pub room "operator";

    /// A shard was assigned by a settler, and its execution begins
    ShardAssigned = "shard_assigned" { shard: ShardId }
        => INFO : (shard = %shard.short(), "shard assigned, execution begins");

    /// A shard that isn't over was taken up again at the node's start
    ShardResumed = "shard_resumed" { shard: ShardId }
        => INFO : (shard = %shard.short(), "taking up the shard again");

    /// A shard can't be taken up again: its program isn't here
    ProgramMissing = "program_missing" { shard: ShardId, code: &'static str, error: String }
        => ERROR : (shard = %shard.short(), code, "the shard can't be taken up again: {error}");

    /// A shard that was open in a data folder of an older layout is aborted
    ShardOutdated = "shard_outdated" { shard: ShardId }
        => WARN : (shard = %shard.short(), "the shard is of an older layout, and aborted");

    /// The chunks of a shard that is over couldn't be removed
    ChunksLeft = "chunks_left" { shard: ShardId, error: String }
        => WARN : (shard = %shard.short(), "chunks can't be removed: {error}");

    /// A shard's settler said how it ended
    ShardClosed = "shard_closed" { shard: ShardId, how: Stage }
        by { how: End = end(*how) }
        => INFO : (shard = %shard.short(), %how, "shard closed");

    /// A shard has its end event, and takes no further transaction
    ShardEnded = "shard_ended" { shard: ShardId, transactions: u32 }
        => INFO : (shard = %shard.short(), transactions, "end event: the shard takes no further transaction");

    /// A shard was executed to its end, and its witness is whole
    ExecutionEnded = "execution_ended" { shard: ShardId, steps: u64, chunks: usize }
        adds steps
        => INFO : (shard = %shard.short(), steps, chunks, "execution ended");

    /// A run was cut: a segment of it has ended, and it goes on in the next one
    RunCut = "run_cut" { shard: ShardId, segment: u32, steps: u64, chunks: usize }
        adds steps
        => INFO : (shard = %shard.short(), segment, steps, chunks, "a segment ended, and the run goes on in the next");

    /// A shard can't be executed further
    ExecutionStopped = "execution_stopped" { shard: ShardId, code: String, error: String }
        => ERROR : (shard = %shard.short(), code, "execution stopped: {error}");

    /// An execution was interrupted by this machine, its disk say; it begins again from the log after a while
    ExecutionInterrupted = "execution_interrupted" { shard: ShardId, code: String, error: String }
        => ERROR : (shard = %shard.short(), code, "execution interrupted, it begins again from the log: {error}");

    /// A client looked where a shard stands, to submit transactions
    ShardOpened = "shard_opened" { shard: ShardId, client: PeerId, accepted: bool }
        => INFO : (shard = %shard.short(), client = %client.short(), accepted, "client opens the shard");

    /// A transaction is in a shard's log
    TransactionAccepted = "transaction_accepted" { shard: ShardId, sequence: u32 }
        => TRACE : (shard = %shard.short(), sequence, "transaction accepted");

    /// A transaction broke a rule of its shard
    TransactionRefused = "transaction_refused" { shard: ShardId, code: &'static str }
        => TRACE : (shard = %shard.short(), code, "transaction refused");

    /// A transaction couldn't be made durable
    TransactionFailed = "transaction_failed" { shard: ShardId, code: &'static str, error: String }
        => ERROR : (shard = %shard.short(), code, "a transaction can't be logged: {error}");

    /// A prover was given a job
    JobLeased = "job_leased" { job: Hash, prover: PeerId, epoch: u64 }
        => INFO : (job = %job.short(), prover = %prover.short(), epoch, "job leased");

    /// A prover that wanted a job didn't get it
    ClaimRefused = "claim_refused" { job: Hash, prover: PeerId, code: &'static str, error: String }
        => DEBUG : (job = %job.short(), prover = %prover.short(), code, "claim refused: {error}");

    /// A prover had a job for longer than it may while another waits, and that one has it now
    JobTakenBack = "job_taken_back" { job: Hash, prover: PeerId }
        => INFO : (job = %job.short(), prover = %prover.short(), "the prover had the job for long enough: another has it now");

    /// A settler disputes the proof that a prover said it has
    ClaimDisputed = "claim_disputed" { job: Hash, proof: Hash, cause: String }
        => WARN : (job = %job.short(), proof = %proof.short(), "a settler disputes a proof, and the job is free: {cause}");

    /// A settler has verified a proof of a job
    ClaimVerified = "claim_verified" { job: Hash, proof: Hash }
        => INFO : (job = %job.short(), proof = %proof.short(), "a settler has verified a proof");

    /// A prover doesn't want a job
    JobDeclined = "job_declined" { job: Hash, prover: PeerId, cause: String }
        => WARN : (job = %job.short(), prover = %prover.short(), "prover declines the job: {cause}");

    /// A prover gave a job up
    JobAbandoned = "job_abandoned" { job: Hash, prover: PeerId, cause: String }
        => WARN : (job = %job.short(), prover = %prover.short(), "prover gives the job up: {cause}");

    /// A prover says that it has the proof of a job, under its lease
    JobProven = "job_proven" { job: Hash, prover: PeerId, proof: Hash }
        => INFO : (job = %job.short(), prover = %prover.short(), proof = %proof.short(), "prover says that it has the proof");

    /// A prover got a chunk of a witness, compressed
    ChunkServed = "chunk_served" { job: Hash, prover: PeerId, index: u32, bytes: u64 }
        adds bytes
        => TRACE : (job = %job.short(), prover = %prover.short(), index, bytes, "chunk served");
}
