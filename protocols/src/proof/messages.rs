//! What settler and prover say about a proof, and its chunks.

use crate::{
    Forged,
    signed::{Signed, Statement},
    size, timing,
    trace::{LEASE_TERMS, Lease, LeaseTerms},
};
use serde::{Deserialize, Serialize};
use shardwire_model::{Cause, Hash, PeerId, ShardId, Timestamp};
use shardwire_transport::{
    Bytes, Message, PeerSignature, Shape, message,
    message::{Body, DecodeError, EncodeError, Head},
};
use std::time::Duration;

/// Each chunk of a proof but the last has so many bytes.
pub const PROOF_CHUNK_BYTES: u32 = 256 << 10;

/// The settler asks for a proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {}

/// No proof for now: ask again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

/// A proof that is ready; the prover signs it ([`Announced`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The shard that it settles.
    pub shard: ShardId,
    /// Which segment of the shard's run, from 0.
    pub segment: u32,
    /// The job that it proves.
    pub job: Hash,
    /// The hash of its bytes.
    pub proof: Hash,
    /// How many they are, at most [`MAX_PROOF_BYTES`](shardwire_model::MAX_PROOF_BYTES).
    pub bytes: u32,
}

/// The lease under which a proof was made, as the shard's operator signed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leased {
    /// The operator.
    pub operator: PeerId,
    /// What it leased, and to whom.
    pub terms: LeaseTerms,
    /// Its signature over the terms.
    pub signature: PeerSignature,
}

impl Leased {
    /// Of a lease that this operator signed.
    #[must_use]
    pub fn by(operator: PeerId, lease: &Lease) -> Self {
        Self { operator, terms: lease.statement.clone(), signature: lease.signature }
    }

    /// The lease as it came from the operator.
    #[must_use]
    pub fn lease(&self) -> Lease {
        Signed { statement: self.terms.clone(), signature: self.signature }
    }

    /// Whether the operator signed it.
    ///
    /// # Errors
    /// [`Forged`] if it didn't.
    pub fn verify(&self) -> Result<(), Forged> {
        self.lease().verify(&self.operator).map(drop)
    }
}

/// What a prover signs when a proof is ready: that the bytes of this hash prove this job. Who gets other bytes under that hash, or
/// bytes that prove something else, can show it to anybody ([`BadProof`](crate::evidence::BadProof)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// The proof.
    pub ready: Ready,
    /// Under which lease it was made, if the prover still knows: a settler that sees two leases of one job under one epoch can show
    /// that to anybody, too.
    pub leased: Option<Leased>,
}

impl Statement for Announced {
    const CONTEXT: &'static str = "shardwire proof announcement 1";
}

/// A proof is ready, signed by its prover.
pub type Announcement = Signed<Announced>;

/// The settler wants a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// Which, from 0.
    pub index: u32,
}

/// A chunk of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofChunk {
    /// Its number, from 0.
    pub index: u32,
    /// Its bytes.
    pub body: Bytes,
}

#[derive(Serialize, Deserialize)]
struct ProofChunkHead {
    index: u32,
}

impl Message for ProofChunk {
    const NAME: &'static str = "ProofChunk";
    const MAX_BYTES: u32 = size::U32 + PROOF_CHUNK_BYTES;
    const DEADLINE: Duration = timing::BULK;

    fn encode(&self, head: &mut Head<'_>) -> Result<Bytes, EncodeError> {
        head.postcard(&ProofChunkHead { index: self.index })?;
        Ok(self.body.clone())
    }

    fn decode(mut body: Body) -> Result<Self, DecodeError> {
        let ProofChunkHead { index } = body.take_head()?;
        Ok(Self { index, body: body.into_bytes() })
    }

    fn shape() -> Shape {
        Shape::of::<ProofChunkHead>()
            .and("body", Shape::rest(format!("the proof's bytes, at most {PROOF_CHUNK_BYTES}")))
    }
}

/// Why a settler doesn't want a proof: what a prover acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// The settler has no such shard.
    Unknown,
    /// The proof is of another job than the settler's: another state, program or segment.
    OtherJob,
    /// The shard is settled, by another proof.
    Settled,
    /// The shard was aborted.
    Aborted,
    /// What becomes of the shard is pending in the World: the proof may be wanted, or get its receipt, a while later.
    Pending,
}

/// The settler doesn't want the proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// The shard.
    pub shard: ShardId,
    /// What the prover acts on.
    pub reason: SkipReason,
    /// The same for a person.
    pub cause: Cause,
}

/// What the settler signs when it has settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// The shard.
    pub shard: ShardId,
    /// Which segment of its run.
    pub segment: u32,
    /// The proof that was delivered.
    pub proof: Hash,
    /// When its output was applied (or that of an earlier proof of the same segment).
    pub settled_at: Timestamp,
}

impl Statement for Settlement {
    const CONTEXT: &'static str = "shardwire proof receipt 1";
}

/// The receipt of a proof: its output is settled.
pub type Receipt = Signed<Settlement>;

/// What the settler signs when a proof fails. The prover has the proof: its hash names the evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objection {
    /// The shard.
    pub shard: ShardId,
    /// Which segment of its run.
    pub segment: u32,
    /// The proof that failed.
    pub proof: Hash,
    /// Which check it failed.
    pub cause: Cause,
}

impl Statement for Objection {
    const CONTEXT: &'static str = "shardwire proof dispute 1";
}

/// A proof that doesn't prove what it should.
pub type Dispute = Signed<Objection>;

/// The settler asks for no further proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {}

const READY: u32 = size::FELT + size::U32 + 2 * size::HASH + size::U32;
const LEASED: u32 = size::PEER + LEASE_TERMS + size::SIGNATURE;

message!(Ask, max_bytes = 0, deadline = timing::NEXT);
message!(Nothing, max_bytes = 0, deadline = timing::ANSWER);
message!(Announcement, max_bytes = READY + size::TAG + LEASED + size::SIGNATURE, deadline = timing::ANSWER);
message!(Pull, max_bytes = size::U32, deadline = timing::NEXT, pipeline_depth = super::DEPTH);
message!(Skip, max_bytes = size::FELT + size::TAG + size::CAUSE, deadline = timing::NEXT);
message!(
    Receipt,
    max_bytes = size::FELT + size::U32 + size::HASH + size::U64 + size::SIGNATURE,
    deadline = timing::NEXT
);
message!(
    Dispute,
    max_bytes = size::FELT + size::U32 + size::HASH + size::CAUSE + size::SIGNATURE,
    deadline = timing::NEXT
);
message!(Bye, max_bytes = 0, deadline = timing::NEXT);
