//! The first frame of a stream: which protocol, which version.

use crate::message::{DecodeError, EncodeError, Head, Message};
use crate::shape::Shape;
use crate::wire::body::Body;
use arrayvec::ArrayString;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The longest protocol name, in bytes: a word.
pub(crate) const MAX_PROTOCOL_NAME_BYTES: usize = 32;

/// Names the protocol that a stream speaks. Goes out with the first message of the side that opened it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`Protocol::NAME`](crate::Protocol::NAME). In place: a session that carries one request would notice an allocation.
    pub protocol: ArrayString<MAX_PROTOCOL_NAME_BYTES>,
    /// [`Protocol::VERSION`](crate::Protocol::VERSION).
    pub version: u16,
}

impl Header {
    /// Of this protocol. None if its name is longer than a header may hold.
    #[must_use]
    pub fn new(protocol: &str, version: u16) -> Option<Self> {
        Some(Self { protocol: ArrayString::from(protocol).ok()?, version })
    }
}

impl Message for Header {
    const NAME: &'static str = "Header";
    /// A name with its length, and a version of at most three bytes.
    const MAX_BYTES: u32 = MAX_PROTOCOL_NAME_BYTES as u32 + 1 + 3;
    /// It comes in the packet that opens the stream; more than a few round trips is a peer that holds streams open.
    const DEADLINE: Duration = Duration::from_secs(10);

    fn encode(&self, head: &mut Head<'_>) -> Result<Bytes, EncodeError> {
        head.postcard(self)?;
        Ok(Bytes::new())
    }

    fn decode(body: Body) -> Result<Self, DecodeError> {
        let header: Self = body.postcard()?;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if header.protocol.is_empty() || !header.protocol.bytes().all(plain) {
            // It goes into logs and metrics, so it is a word or nothing.
            return Err(DecodeError::new("a protocol's name is 1 to 32 of a-z, 0-9 and -"));
        }
        Ok(header)
    }

    fn shape() -> Shape {
        Shape::of::<Self>()
    }
}
