//! The protocols that are measured: chunks on credit, ping-pong, one question a session.

use shardwire_transport::algebra::{Choose, Eps, HasDual, Rec, Recv, Send, Var, Z};
use shardwire_transport::message::{Body, DecodeError, EncodeError, Head};
use shardwire_transport::{Bytes, Message, Protocol, Shape, message};
use std::time::Duration;

/// What a small message carries, in bytes: two hashes, as most requests have.
pub(super) const SMALL_BYTES: usize = 64;
/// What a chunk carries, in bytes.
pub(super) const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks asked for ahead: 1 MiB, half of a session's window.
pub(super) const DEPTH: usize = 16;
/// Far longer than anything here takes: a bench that hangs ends.
const DEADLINE: Duration = Duration::from_secs(60);

/// 64 bytes, one way or the other.
#[derive(Debug)]
pub(super) struct Small(pub(super) [u8; SMALL_BYTES]);

impl Message for Small {
    const NAME: &'static str = "Small";
    #[allow(clippy::cast_possible_truncation)] // 64
    const MAX_BYTES: u32 = SMALL_BYTES as u32;
    const DEADLINE: Duration = DEADLINE;

    fn encode(&self, head: &mut Head<'_>) -> Result<Bytes, EncodeError> {
        head.bytes(&self.0)?;
        Ok(Bytes::new())
    }

    fn decode(body: Body) -> Result<Self, DecodeError> {
        let mut bytes = [0; SMALL_BYTES];
        body.copy_to(&mut bytes)?;
        Ok(Self(bytes))
    }

    fn shape() -> Shape {
        Shape::rest("64 bytes")
    }
}

/// Asks for a chunk.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Pull {
    pub(super) index: u32,
}
message!(Pull, max_bytes = 5, deadline = DEADLINE, pipeline_depth = DEPTH);

/// Ends the pulls.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Done {}
message!(Done, max_bytes = 0, deadline = DEADLINE);

/// A chunk, as the pieces in which it came.
#[derive(Debug)]
pub(super) struct Chunk(pub(super) Body);

impl Message for Chunk {
    const NAME: &'static str = "Chunk";
    #[allow(clippy::cast_possible_truncation)] // 64 Ki
    const MAX_BYTES: u32 = CHUNK_BYTES as u32;
    const DEADLINE: Duration = DEADLINE;

    fn encode(&self, _: &mut Head<'_>) -> Result<Bytes, EncodeError> {
        Ok(self.0.clone().into_bytes()) // one piece at the sender: no copy
    }

    fn decode(body: Body) -> Result<Self, DecodeError> {
        Ok(Self(body))
    }

    fn shape() -> Shape {
        Shape::rest("at most 64 KiB")
    }
}

/// Chunks on credit.
#[derive(Debug)]
pub(super) enum Bulk {}
impl Protocol for Bulk {
    const NAME: &'static str = "bulk";
    const VERSION: u16 = 1;
    type Initiator = Rec<Choose<Send<Pull, Recv<Chunk, Var<Z>>>, Send<Done, Eps>>>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}

/// 64 bytes there and back, again and again.
#[derive(Debug)]
pub(super) enum PingPong {}
impl Protocol for PingPong {
    const NAME: &'static str = "ping-pong";
    const VERSION: u16 = 1;
    type Initiator = Rec<Choose<Send<Small, Recv<Small, Var<Z>>>, Send<Done, Eps>>>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}

/// 64 bytes there and back, once.
#[derive(Debug)]
pub(super) enum Question {}
impl Protocol for Question {
    const NAME: &'static str = "question";
    const VERSION: u16 = 1;
    type Initiator = Send<Small, Recv<Small, Eps>>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}
