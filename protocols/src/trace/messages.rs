//! What prover and operator say about a job, and the chunks of its witness.

use crate::{
    signed::{Signed, Statement},
    size, timing,
};
use serde::{Deserialize, Serialize};
use shardwire_model::{
    Cause, Felt, Hash, MAX_ENTRIES, MAX_READS, Output, PeerId, ShardId, ShardStart, Timestamp, bounded, felt,
};
use shardwire_transport::{
    Bytes, Message, PeerSignature, Shape, message,
    message::{Body, DecodeError, EncodeError, Head},
};
use std::time::Duration;

/// Most jobs that a prover resumes with one operator.
pub const MAX_RESUMED: usize = 64;
/// Longest chunk before compression: what a witness chunk of 16,384 steps may have (it usually has a sixth of that).
pub const MAX_CHUNK_RAW: u32 = 4 << 20;
/// Longest chunk on the wire: even one that lz4 can't compress at all (it then adds a byte for each 255, and 16) fits.
pub const MAX_CHUNK_WIRE: u32 = MAX_CHUNK_RAW + MAX_CHUNK_RAW / 255 + 16;
/// Most chunks of one job: eight times what a witness of one proof may have; their hashes make 256 KiB.
pub const MAX_CHUNKS: usize = 1 << 13;

/// A job that the prover has begun before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumableJob {
    /// The job.
    pub job: Hash,
    /// How many of its chunks the prover has.
    pub have: u32,
}

/// The prover has time for a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Jobs that it would rather go on with.
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_RESUMED>")]
    pub resume: Vec<ResumableJob>,
}

/// No job for now: ask again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

/// A job. Its run may still be going on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobOffer {
    /// The job's name: [`job_id`](super::job_id) of what follows.
    pub job: Hash,
    /// The shard.
    pub shard: ShardId,
    /// Which segment of its run, from 0.
    pub segment: u32,
    /// The World's start data.
    pub start: ShardStart,
    /// The value of each entry when the run began.
    #[serde(serialize_with = "bounded::serialize_felts", deserialize_with = "bounded::felts::<_, MAX_ENTRIES>")]
    pub values: Vec<Felt>,
    /// The commitment of the state before the segment. Of the first one it is that of start data and values; of any other what the operator's execution of the one before ended with.
    #[serde(with = "felt::wire")]
    pub before: Felt,
    /// The hash of the program that runs.
    #[serde(with = "felt::wire")]
    pub program: Felt,
    /// Whether its segment has ended: all of the witness is there, and the job waits for nothing but a prover.
    pub ended: bool,
    /// The settler that assigned it to this operator.
    pub settler: PeerId,
    /// That settler's, over the [`AssignmentTerms`](crate::handoff::AssignmentTerms) of the run.
    pub assigned: PeerSignature,
}

/// The prover takes the job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The job.
    pub job: Hash,
}

/// Why a prover doesn't take a job: what the operator acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclineReason {
    /// It won't prove this job. It says so if it changes its mind, by naming the job when it is [`Ready`].
    GivenUp,
    /// Not now: it may be offered the job again after [`DECLINED_FOR`](super::DECLINED_FOR), or when its run has ended.
    Later,
    /// No settler that the World's identity lists has assigned the job to this operator. To offer such a one is an offence.
    Unassigned,
}

/// The prover doesn't take the job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decline {
    /// The job.
    pub job: Hash,
    /// What the operator acts on.
    pub reason: DeclineReason,
    /// The same for a person.
    pub cause: Cause,
}

/// What the operator signs: this prover alone works on the job until then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseTerms {
    /// The job.
    pub job: Hash,
    /// The fencing epoch: each lease of a job has a higher one than those before, and ends them.
    pub epoch: u64,
    /// When it ends unless it is renewed. Every pull and every progress renews it.
    pub expires: Timestamp,
    /// The prover.
    pub prover: PeerId,
}

impl Statement for LeaseTerms {
    const CONTEXT: &'static str = "shardwire trace lease 1";
}

/// The lease of a job, signed by the operator.
pub type Lease = Signed<LeaseTerms>;

/// Why a job isn't leased: what a prover acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// Another prover was faster.
    Leased,
    /// The prover holds as many leases as it may.
    Quota,
    /// The shard is settled.
    Settled,
    /// The shard was aborted.
    Aborted,
    /// The operator can't lease it now.
    Unavailable,
}

/// The operator doesn't lease the job after all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What the prover acts on.
    pub reason: RefusalReason,
    /// The same for a person.
    pub cause: Cause,
}

/// The prover wants a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// The lease's epoch.
    pub epoch: u64,
    /// Which chunk, from 0.
    pub index: u32,
}

/// The answer to a [`Pull`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullResponse {
    /// The chunk.
    Chunk(Chunk),
    /// It doesn't exist yet: pull it again.
    Pending {
        /// Its number, from 0.
        index: u32,
    },
    /// There is no such chunk and there won't be: the run has ended.
    End(Box<Ending>),
    /// The lease is no longer this prover's.
    Lost {
        /// The epoch that is valid now.
        epoch: u64,
    },
}

/// A chunk of a witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its number, from 0.
    pub index: u32,
    /// The hash of what `body` holds, uncompressed.
    pub hash: Hash,
    /// How many bytes that is.
    pub raw_bytes: u32,
    /// The chunk, an lz4 block.
    pub body: Bytes,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// The hash of each chunk, in order.
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_CHUNKS>")]
    pub chunks: Vec<Hash>,
    /// Steps of the run.
    pub steps: u64,
    /// What the program put out.
    pub output: Output,
    /// What the run read of the state that it goes on from, as [felts](shardwire_model::Reads::to_felts); empty if the output has no commitment to that.
    #[serde(serialize_with = "bounded::serialize_felts", deserialize_with = "bounded::felts::<_, MAX_READS>")]
    pub reads: Vec<Felt>,
}

/// How a response to a pull begins; a chunk's body or the ending follows.
#[derive(Serialize, Deserialize)]
enum PullResponseHead {
    Chunk { index: u32, hash: Hash, raw_bytes: u32 },
    Pending { index: u32 },
    End,
    Lost { epoch: u64 },
}

const CHUNK: u32 = size::TAG + size::U32 + size::HASH + size::U32 + MAX_CHUNK_WIRE;
/// Program, shard, segment, four commitments, count, ended, updates (kind, contract, key, value).
const OUTPUT: u32 = 2 * size::FELT
    + size::U32
    + 4 * size::FELT
    + size::U32
    + size::TAG
    + size::list(MAX_ENTRIES, size::TAG + 3 * size::FELT);
const ENDING: u32 =
    size::TAG + size::list(MAX_CHUNKS, size::HASH) + size::U64 + OUTPUT + size::list(MAX_READS, size::FELT);
const _: () = assert!(ENDING <= CHUNK, "a chunk is the longest response");

impl Message for PullResponse {
    const NAME: &'static str = "PullResponse";
    const MAX_BYTES: u32 = CHUNK;
    const DEADLINE: Duration = timing::BULK;

    fn encode(&self, head: &mut Head<'_>) -> Result<Bytes, EncodeError> {
        match self {
            Self::Chunk(Chunk { index, hash, raw_bytes, body }) => {
                head.postcard(&PullResponseHead::Chunk { index: *index, hash: *hash, raw_bytes: *raw_bytes })?;
                return Ok(body.clone());
            }
            Self::Pending { index } => head.postcard(&PullResponseHead::Pending { index: *index })?,
            Self::End(ending) => {
                head.postcard(&PullResponseHead::End)?;
                head.postcard(&**ending)?;
            }
            Self::Lost { epoch } => head.postcard(&PullResponseHead::Lost { epoch: *epoch })?,
        }
        Ok(Bytes::new())
    }

    fn decode(mut body: Body) -> Result<Self, DecodeError> {
        let response = match body.take_head()? {
            PullResponseHead::Chunk { index, hash, raw_bytes } => {
                if raw_bytes > MAX_CHUNK_RAW || body.len() > MAX_CHUNK_WIRE as usize {
                    return Err(DecodeError::new("a chunk longer than its bound"));
                }
                return Ok(Self::Chunk(Chunk { index, hash, raw_bytes, body: body.into_bytes() }));
            }
            PullResponseHead::Pending { index } => Self::Pending { index },
            PullResponseHead::End => return body.postcard().map(|ending| Self::End(Box::new(ending))),
            PullResponseHead::Lost { epoch } => Self::Lost { epoch },
        };
        if body.is_empty() { Ok(response) } else { Err(DecodeError::new("bytes after the message")) }
    }

    fn shape() -> Shape {
        let body = || Shape::rest(format!("the chunk, an lz4 block of at most {MAX_CHUNK_WIRE} bytes"));
        Shape::of::<PullResponseHead>()
            .with("Chunk", |chunk| chunk.and("body", body()))
            .with("End", |_| Shape::of::<Ending>())
    }
}

/// Where the prover is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProverStage {
    /// Fetching chunks.
    Fetching,
    /// Assembling the witness.
    Assembling,
    /// Proving the witness.
    Proving,
    /// It has a proof.
    Proven,
}

/// The prover is at work: renews the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The lease's epoch.
    pub epoch: u64,
    /// Where it is.
    pub stage: ProverStage,
    /// How much of it is done, in a unit that fits the stage.
    pub done: u64,
    /// How much there is; 0 if that isn't known.
    pub of: u64,
}

/// The answer to a [`Progress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progressed {
    /// The lease goes on.
    Renewed {
        /// When the lease ends, on the operator's clock, unless it is renewed again.
        expires: Timestamp,
    },
    /// The lease is no longer this prover's.
    Lost {
        /// The epoch that is valid now.
        epoch: u64,
    },
}

/// The prover has a proof, and keeps it for the settler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finish {
    /// The lease's epoch.
    pub epoch: u64,
    /// The hash of the proof's bytes.
    pub proof: Hash,
}

/// The answer to a [`Finish`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finished {
    /// The operator won't lease the job again.
    Acknowledged,
    /// The lease is no longer this prover's. The proof is as good as any: the settler takes the first.
    Lost {
        /// The epoch that is valid now.
        epoch: u64,
    },
}

/// The prover gives the job up: the operator may lease it again at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abandon {
    /// The lease's epoch.
    pub epoch: u64,
    /// The reason: a stable code, and words for a person.
    pub cause: Cause,
}

/// The prover has no time for further jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {}

const OFFER: u32 = size::HASH
    + size::FELT
    + size::U32
    + size::SHARD_START
    + size::VALUES
    + 2 * size::FELT
    + size::TAG
    + size::PEER
    + size::SIGNATURE;
/// Most bytes of the terms of a lease.
pub(crate) const LEASE_TERMS: u32 = size::HASH + 2 * size::U64 + size::PEER;

message!(Ready, max_bytes = size::list(MAX_RESUMED, size::HASH + size::U32), deadline = timing::NEXT);
message!(Nothing, max_bytes = 0, deadline = timing::ANSWER);
message!(JobOffer, max_bytes = OFFER, deadline = timing::ANSWER);
message!(Claim, max_bytes = size::HASH, deadline = timing::NEXT);
message!(Decline, max_bytes = size::HASH + size::TAG + size::CAUSE, deadline = timing::NEXT);
message!(Lease, max_bytes = LEASE_TERMS + size::SIGNATURE, deadline = timing::ANSWER);
message!(Refused, max_bytes = size::TAG + size::CAUSE, deadline = timing::ANSWER);
message!(Pull, max_bytes = size::U64 + size::U32, deadline = super::LEASE, pipeline_depth = super::DEPTH);
message!(Progress, max_bytes = 3 * size::U64 + size::TAG, deadline = super::LEASE);
message!(Progressed, max_bytes = size::TAG + size::U64, deadline = timing::ANSWER);
message!(Finish, max_bytes = size::U64 + size::HASH, deadline = super::LEASE);
message!(Finished, max_bytes = size::TAG + size::U64, deadline = timing::ANSWER);
message!(Abandon, max_bytes = size::U64 + size::CAUSE, deadline = super::LEASE);
message!(Bye, max_bytes = 0, deadline = timing::NEXT);
