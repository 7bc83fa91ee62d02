//! What settler and prover say about a proof, and its pieces.

use crate::{
    Cause, pace,
    signed::{Signed, Statement},
    size,
};
use serde::{Deserialize, Serialize};
use shardwire_model::{Hash, ShardId, Timestamp};
use shardwire_transport::{
    Bytes, Message, Shape, message,
    message::{Body, DecodeError, EncodeError, Head},
};
use std::time::Duration;

/// Longest proof. Those with 96 bits of security take 1.3 MB, whatever they prove; the rest is room for other parameters.
pub const MAX_PROOF_BYTES: u32 = 8 << 20;
/// Each piece of a proof but the last has so many bytes.
pub const PIECE_BYTES: u32 = 256 << 10;

/// The settler asks for a proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {}

/// No proof for now: ask again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

/// A proof is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The shard that it settles.
    pub shard: ShardId,
    /// Which slice of the shard's run, from 0.
    pub segment: u32,
    /// The job that it proves.
    pub job: Hash,
    /// The hash of its bytes.
    pub proof: Hash,
    /// How many they are, at most [`MAX_PROOF_BYTES`].
    pub bytes: u32,
}

/// The settler wants a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// Which, from 0.
    pub index: u32,
}

/// A piece of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which.
    pub index: u32,
    /// Its bytes.
    pub body: Bytes,
}

#[derive(Serialize, Deserialize)]
struct PieceHead {
    index: u32,
}

impl Message for Piece {
    const NAME: &'static str = "Piece";
    const MAX_BYTES: u32 = size::U32 + PIECE_BYTES;
    const DEADLINE: Duration = pace::BULK;

    fn encode(&self, head: &mut Head<'_>) -> Result<Bytes, EncodeError> {
        head.postcard(&PieceHead { index: self.index })?;
        Ok(self.body.clone())
    }

    fn decode(mut body: Body) -> Result<Self, DecodeError> {
        let PieceHead { index } = body.take_head()?;
        Ok(Self { index, body: body.into_bytes() })
    }

    fn shape() -> Shape {
        Shape::of::<PieceHead>().and("body", Shape::rest(format!("the proof's bytes, at most {PIECE_BYTES}")))
    }
}

/// The settler doesn't want the proof (the shard is none of its own, or was aborted).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// The shard.
    pub shard: ShardId,
    /// Why.
    pub cause: Cause,
}

/// What the settler signs when it has settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// The shard.
    pub shard: ShardId,
    /// Which slice of its run.
    pub segment: u32,
    /// The proof that was delivered.
    pub proof: Hash,
    /// When its output was applied (or that of an earlier proof of the same slice).
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
    /// Which slice of its run.
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

message!(Ask, max_bytes = 0, deadline = pace::NEXT);
message!(Nothing, max_bytes = 0, deadline = pace::ANSWER);
message!(Ready, max_bytes = READY, deadline = pace::ANSWER);
message!(Pull, max_bytes = size::U32, deadline = pace::NEXT, ahead = super::DEPTH);
message!(Skip, max_bytes = size::FELT + size::CAUSE, deadline = pace::NEXT);
message!(Receipt, max_bytes = size::FELT + size::U32 + size::HASH + size::U64 + size::SIGNATURE, deadline = pace::NEXT);
message!(
    Dispute,
    max_bytes = size::FELT + size::U32 + size::HASH + size::CAUSE + size::SIGNATURE,
    deadline = pace::NEXT
);
message!(Bye, max_bytes = 0, deadline = pace::NEXT);
