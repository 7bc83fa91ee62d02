//! What a message is: a name, a byte limit, a deadline, and its bytes.
//!
//! Limits belong to the message's type, so they travel with the protocol through duality and can't differ between the
//! two sides. Most messages are plain serde types in postcard: [`message!`](crate::message!) gives them the trait. One
//! that carries bulk writes a small head and hands over the bulk as [`Bytes`], which are never copied on their way to
//! QUIC; in [`Message::decode`] it takes its head from the [`Body`] and keeps the rest.

use crate::shape::Shape;
pub use crate::wire::body::{Body, MAX_HEAD_BYTES};
use bytes::Bytes;
use serde::Serialize;
use std::{borrow::Cow, fmt, time::Duration};

/// No message may be longer: a larger thing is sent in pieces. Bounds what one frame can make a peer hold.
pub const MAX_MESSAGE_BYTES: u32 = 16 << 20;

/// A message of a protocol.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no message: it has no byte limit and no deadline",
    label = "no message of a protocol",
    note = "give it both: `message!({Self}, max_bytes = …, deadline = …)`"
)]
pub trait Message: fmt::Debug + Sized + Send + 'static {
    /// Its name in state names, violations and documentation: the type's own.
    const NAME: &'static str;
    /// The longest body, in bytes. Checked against the announced length before anything is kept of it.
    const MAX_BYTES: u32;
    /// How long the receiver waits for the whole of it from the moment it is due, and the sender for it to be taken.
    const DEADLINE: Duration;
    /// Of a request: how many may be under way before the first response is read, which is how deep a
    /// [pipeline](crate::Pipeline) of it may be. Part of the protocol, because it says how many bytes the peer may find unread.
    const PIPELINE_DEPTH: usize = 1;

    /// Writes the body into `head`, except for bulk that is returned and follows it.
    ///
    /// # Errors
    /// The value has no encoding, or not within [`Self::MAX_BYTES`].
    fn encode(&self, head: &mut Head<'_>) -> Result<Bytes, EncodeError>;

    /// Reads a body. Must refuse bytes that remain.
    ///
    /// # Errors
    /// The body is not such a message.
    fn decode(body: Body) -> Result<Self, DecodeError>;

    /// What the bytes of a body are: of a serde type [`Shape::of`], of a head and bulk both put together.
    fn shape() -> Shape;
}

/// Why a value could not be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct EncodeError {
    reason: Cow<'static, str>,
}

/// Why a body is not the message due.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct DecodeError {
    reason: Cow<'static, str>,
}

impl EncodeError {
    /// With a reason for people.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: reason.into() }
    }
}

impl DecodeError {
    /// With a reason for people.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: reason.into() }
    }
}

/// Where a message writes its body: the session's send buffer, up to the message's limit.
#[derive(Debug)]
pub struct Head<'a> {
    out: &'a mut Vec<u8>,
    left: usize,
}

impl<'a> Head<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>, max: u32) -> Self {
        Self { out, left: max as usize }
    }

    /// Appends raw bytes.
    ///
    /// # Errors
    /// They exceed the message's limit.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.left = self.left.checked_sub(bytes.len()).ok_or_else(|| EncodeError::new(EXCEEDS))?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// Appends a value in postcard.
    ///
    /// # Errors
    /// It has no encoding within the message's limit.
    pub fn postcard<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        postcard::serialize_with_flavor(value, Flavor(self)).map_err(|error| match error {
            postcard::Error::SerializeBufferFull => EncodeError::new(EXCEEDS),
            other => EncodeError::new(other.to_string()),
        })
    }
}

const EXCEEDS: &str = "it is longer than its limit";

struct Flavor<'a, 'b>(&'a mut Head<'b>);

impl postcard::ser_flavors::Flavor for Flavor<'_, '_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.left = self.0.left.checked_sub(1).ok_or(postcard::Error::SerializeBufferFull)?;
        self.0.out.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.bytes(bytes).map_err(|_| postcard::Error::SerializeBufferFull)
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// The bytes of a message's body, as they would go onto the wire after the length.
///
/// # Errors
/// As [`Message::encode`], and if head and bulk together exceed the limit.
pub fn encode<M: Message>(message: &M) -> Result<Bytes, EncodeError> {
    let mut out = Vec::new();
    let tail = message.encode(&mut Head::new(&mut out, M::MAX_BYTES))?;
    out.extend_from_slice(&tail);
    if out.len() > M::MAX_BYTES as usize { Err(EncodeError::new(EXCEEDS)) } else { Ok(out.into()) }
}

/// Makes serde types messages: `message!(Ping, max_bytes = 16, deadline = PING_DEADLINE);`
///
/// The body is the value in postcard; bytes after it are refused. `pipeline_depth = DEPTH` is for requests that are
/// [pipelined](crate::Pipeline).
#[macro_export]
macro_rules! message {
    ($name:ident, max_bytes = $max:expr, deadline = $deadline:expr $(, pipeline_depth = $depth:expr)? $(,)?) => {
        impl $crate::Message for $name {
            const NAME: &'static str = stringify!($name);
            const MAX_BYTES: u32 = $max;
            const DEADLINE: ::core::time::Duration = $deadline;
            $(const PIPELINE_DEPTH: usize = $depth;)?

            fn encode(
                &self,
                head: &mut $crate::message::Head<'_>,
            ) -> ::core::result::Result<$crate::Bytes, $crate::message::EncodeError> {
                head.postcard(self)?;
                ::core::result::Result::Ok($crate::Bytes::new())
            }

            fn decode(body: $crate::message::Body) -> ::core::result::Result<Self, $crate::message::DecodeError> {
                body.postcard()
            }

            fn shape() -> $crate::Shape {
                $crate::Shape::of::<Self>()
            }
        }
    };
    ($name:ident $($rest:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "message `",
            ::core::stringify!($name),
            "` needs both its limits: `message!(",
            ::core::stringify!($name),
            ", max_bytes = …, deadline = …)`"
        ));
    };
}
