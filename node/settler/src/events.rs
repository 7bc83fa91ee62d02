//! What happens at a settler.

use shardwire_model::{Hash, PeerId, ShardId, life::AbortReason};
use shardwire_telemetry::{events, labels};
use std::time::Duration;

labels! {
    /// Why a shard was aborted.
    pub enum Reason { Asked = "asked", Deadline = "deadline", Outdated = "outdated", Unmergeable = "unmergeable" }
}

impl From<AbortReason> for Reason {
    fn from(reason: AbortReason) -> Self {
        match reason {
            AbortReason::Asked { .. } => Self::Asked,
            AbortReason::Deadline => Self::Deadline,
            AbortReason::Outdated => Self::Outdated,
            AbortReason::Unmergeable => Self::Unmergeable,
        }
    }
}

events! {
    pub room "settler";

    /// A shard started in the World
    ShardStarted = "shard_started" { shard: ShardId, operator: PeerId, timeout: Duration }
        => INFO : (shard = %shard.short(), operator = %operator.short(), timeout_s = timeout.as_millis().div_ceil(1000), "shard started");

    /// A shard's output is in the World
    ShardSettled = "shard_settled" { shard: ShardId, updates: usize }
        => INFO : (shard = %shard.short(), updates, "shard settled");

    /// A shard was given up in the World
    ShardAborted = "shard_aborted" { shard: ShardId, reason: AbortReason }
        by { reason: Reason = (*reason).into() }
        => WARN : (shard = %shard.short(), ?reason, "shard aborted");

    /// A shard whose deadline has passed couldn't be aborted; it is tried again
    AbortFailed = "abort_failed" { shard: ShardId, code: &'static str, error: String }
        => ERROR : (shard = %shard.short(), code, "can't abort what has timed out, trying again: {error}");

    /// What the World decided about a shard couldn't be taken in; it is tried again
    CatchUpFailed = "catch_up_failed" { shard: ShardId, code: &'static str, error: String }
        => WARN : (shard = %shard.short(), code, "can't catch up with the World, trying again: {error}");

    /// An operator accepted a shard
    ShardAccepted = "shard_accepted" { shard: ShardId, operator: PeerId, epoch: u64 }
        => INFO : (shard = %shard.short(), operator = %operator.short(), epoch, "operator accepts the shard");

    /// An operator declined a shard
    ShardDeclined = "shard_declined" { shard: ShardId, operator: PeerId, cause: String, wait: Duration }
        => WARN : (shard = %shard.short(), operator = %operator.short(), "operator declines the shard, which is assigned again in {wait:?} at the earliest: {cause}");

    /// An operator leased one job to two provers under one epoch
    LeasesContradict = "leases_contradict" { job: Hash, operator: PeerId, epoch: u64 }
        => WARN : (job = %job.short(), operator = %operator.short(), epoch, "the operator leased one job to two provers at once");

    /// A lease isn't compared with others of its job: as many as are remembered were shown before
    LeaseNotCompared = "lease_not_compared" { job: Hash, epoch: u64 }
        => DEBUG : (job = %job.short(), epoch, "more leases of one job than are compared");

    /// A proof that is announced isn't fetched: its shard is over, unknown, or another one's
    ProofUnwanted = "proof_unwanted" { shard: ShardId, prover: PeerId, why: String }
        => WARN : (shard = %shard.short(), prover = %prover.short(), "proof not wanted: {why}");

    /// An operator says of one segment that it has cut the run there, and then that it has elsewhere; the first counts
    CutContradicted = "cut_contradicted" { shard: ShardId, operator: PeerId, segment: u32, first: String, other: String }
        => WARN : (shard = %shard.short(), operator = %operator.short(), segment, first, other, "the operator says two things of where it has cut the run");

    /// An operator says that it has cut a run of which it is proven that it was over before
    CutTooLate = "cut_too_late" { shard: ShardId, operator: PeerId, segment: u32 }
        => WARN : (shard = %shard.short(), operator = %operator.short(), segment, "the operator has cut the run after its end");

    /// A proof was fetched, to be verified
    ProofReceived = "proof_received" { shard: ShardId, prover: PeerId, proof: Hash, bytes: u64 }
        adds bytes
        => DEBUG : (shard = %shard.short(), prover = %prover.short(), proof = %proof.short(), bytes, "proof received");

    /// A proof was verified, and is one of the run that the World waits for
    ProofVerified = "proof_verified" { shard: ShardId, proof: Hash, verify_us: u64 }
        => INFO : (shard = %shard.short(), proof = %proof.short(), verify_us, "proof verified");

    /// The state that a shard began from can't be opened: its proofs wait, and it is tried again
    OriginUnopened = "origin_unopened" { shard: ShardId, code: &'static str, error: String }
        => WARN : (shard = %shard.short(), code, "can't open the state that the shard began from, trying again: {error}");

    /// The state that a shard began from can be opened again
    OriginOpened = "origin_opened" { shard: ShardId }
        => INFO : (shard = %shard.short(), "the state that the shard began from can be opened again");

    /// A segment of a run is proven, and others aren't yet
    SegmentProven = "segment_proven" { shard: ShardId, segment: u32, proof: Hash }
        => INFO : (shard = %shard.short(), segment, proof = %proof.short(), "segment proven");

    /// A proof was disputed
    ProofDisputed = "proof_disputed" { shard: ShardId, prover: PeerId, proof: Hash, code: &'static str, error: String }
        => WARN : (shard = %shard.short(), prover = %prover.short(), proof = %proof.short(), code, "proof disputed: {error}");
}
