//! What settler and operator say about an assignment.

use crate::{
    signed::{Signed, Statement},
    size, timing,
};
use serde::{Deserialize, Serialize};
use shardwire_model::{
    Cause, Felt, Hash, MAX_ENTRIES, MAX_SEGMENTS, PeerId, ShardId, ShardStart, Timestamp, bounded, felt,
    state_commitment,
};
use shardwire_transport::{PeerSignature, message};

/// Most shards that one operator holds of one settler: each has an execution and a log of its own, far fewer fit a machine.
pub const MAX_KNOWN: usize = 1024;
/// Most verdicts that an operator names: of sixty-four runs those on all their segments.
pub const MAX_VERDICTS: usize = 64 * MAX_SEGMENTS as usize;
/// Most cuts in one question: the others come with the next one.
pub const MAX_CUTS: usize = 1024;

/// The operator asks for work. This also renews the lease of each shard in `known`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The shards that it has accepted and not been told to be closed. An assigned shard that is missing here is assigned again.
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_KNOWN>")]
    pub known: Vec<ShardId>,
    /// The latest verdict on a proof of each segment of these shards that it was told.
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_VERDICTS>")]
    pub verdicts: Vec<KnownVerdict>,
    /// Where it has cut the runs of these shards, as far as it hasn't said so in this session. They are durable when the question is answered.
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_CUTS>")]
    pub cuts: Vec<Cut>,
}

/// Where an operator has cut a run: the segment has ended, and the run goes on in the next one. A proof of the segment counts if it ends there. Where runs are cut follows from their logs, so an
/// operator never says two things of one segment; of what it does say the first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cut {
    /// The shard.
    pub shard: ShardId,
    /// The segment that has ended, from 0.
    pub segment: u32,
    /// The commitment of the state after it, with which the next one begins.
    #[serde(with = "felt::wire")]
    pub after: Felt,
}

/// A verdict that the operator was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownVerdict {
    /// The hash of the proof's bytes.
    pub proof: Hash,
    /// Whether it was verified; it was disputed otherwise.
    pub verified: bool,
}

/// Nothing new for now: ask again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

/// A shard to execute, under a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assign {
    /// The World's start data.
    pub start: ShardStart,
    /// The state before: the value of each entry of the settlement list, in its order.
    #[serde(serialize_with = "bounded::serialize_felts", deserialize_with = "bounded::felts::<_, MAX_ENTRIES>")]
    pub values: Vec<Felt>,
    /// The lease's fencing epoch: a later assignment of the same shard has a higher one.
    pub epoch: u64,
    /// When the lease ends unless it is renewed.
    pub expires: Timestamp,
    /// The settler's, over the [`AssignmentTerms`] of the run's first segment: by it provers know that the job is one.
    pub signature: PeerSignature,
}

/// What a settler signs when it assigns a shard: this operator executes its run, from this state in this segment, which is the first. The operator shows it to provers, which work for
/// nobody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignmentTerms {
    /// The shard.
    pub shard: ShardId,
    /// The segment of its run, from 0.
    pub segment: u32,
    /// Who executes it.
    pub operator: PeerId,
    /// The commitment of the state before, which covers start data and values.
    #[serde(with = "felt::wire")]
    pub before: Felt,
}

impl AssignmentTerms {
    /// Those by which a shard's whole run is assigned.
    #[must_use]
    pub fn of(start: &ShardStart, values: &[Felt]) -> Self {
        let before = state_commitment(start.commitment(), values);
        Self { shard: start.shard, segment: 0, operator: start.operator, before }
    }
}

impl Statement for AssignmentTerms {
    const CONTEXT: &'static str = "shardwire handoff assignment 1";
}

/// What became of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Its output is settled.
    Settled {
        /// The proof that settled it.
        proof: Hash,
    },
    /// It was given up; its escrow and locks went back.
    Aborted,
}

/// A shard is over: the operator may forget it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// The shard.
    pub shard: ShardId,
    /// What became of it.
    pub outcome: Outcome,
}

/// What a settler found a proof to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It holds. The shard is settled when all its segments are proven, as soon as the World has decided.
    Verified,
    /// It is disputed, and stays so.
    Disputed {
        /// The reason: a stable code, and words for a person.
        cause: Cause,
    },
}

/// The verdict on a proof of a segment of a shard. The shard isn't over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofVerdict {
    /// The shard.
    pub shard: ShardId,
    /// Which segment of its run, from 0.
    pub segment: u32,
    /// The hash of the proof's bytes.
    pub proof: Hash,
    /// What it was found to be.
    pub verdict: Verdict,
}

impl ProofVerdict {
    /// What the operator names once it was told this.
    #[must_use]
    pub fn known(&self) -> KnownVerdict {
        KnownVerdict { proof: self.proof, verified: self.verdict == Verdict::Verified }
    }
}

/// What the operator signs when it accepts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// The shard.
    pub shard: ShardId,
    /// The epoch of the lease that it accepts.
    pub epoch: u64,
}

impl Statement for Acceptance {
    const CONTEXT: &'static str = "shardwire handoff acceptance 1";
}

/// The operator will execute the shard. It has made the assignment durable before.
pub type Accept = Signed<Acceptance>;

/// The operator won't execute the shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decline {
    /// The shard.
    pub shard: ShardId,
    /// The reason: a stable code, and words for a person.
    pub cause: Cause,
}

/// The operator has no further question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {}

message!(
    Ask,
    max_bytes = size::list(MAX_KNOWN, size::FELT)
        + size::list(MAX_VERDICTS, size::HASH + size::TAG)
        + size::list(MAX_CUTS, 2 * size::FELT + size::U32),
    deadline = timing::NEXT
);
message!(Nothing, max_bytes = 0, deadline = timing::ANSWER);
message!(
    Assign,
    max_bytes = size::SHARD_START + size::VALUES + 2 * size::U64 + size::SIGNATURE,
    deadline = timing::ANSWER
);
message!(Closed, max_bytes = size::FELT + size::TAG + size::HASH, deadline = timing::ANSWER);
message!(
    ProofVerdict,
    max_bytes = size::FELT + size::U32 + size::HASH + size::TAG + size::CAUSE,
    deadline = timing::ANSWER
);
message!(Accept, max_bytes = size::FELT + size::U64 + size::SIGNATURE, deadline = timing::NEXT);
message!(Decline, max_bytes = size::FELT + size::CAUSE, deadline = timing::NEXT);
message!(Bye, max_bytes = 0, deadline = timing::NEXT);
