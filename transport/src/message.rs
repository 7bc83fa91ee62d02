//! A message: its name, byte limit, deadline and encoding.
//!
//! Limits belong to the message's type, so they travel with the protocol through duality and can't differ between the
//! two sides. Most messages are plain serde types in postcard: [`message!`](crate::message!) implements the trait for
//! them. A message that carries bulk writes a small head and hands over the bulk as [`Bytes`], which is never copied
//! on its way to QUIC; its [`Message::decode`] takes the head from the [`Body`] and keeps the rest.

use crate::shape::Shape;
pub use crate::wire::body::{Body, DecodeError, MAX_HEAD_BYTES};
use bytes::Bytes;
use serde::Serialize;
use std::{borrow::Cow, fmt, time::Duration};

/// The longest message, in bytes: larger things are sent in parts. It bounds what one frame can make a peer hold.
pub const MAX_MESSAGE_BYTES: u32 = 16 << 20;

/// A message of a protocol.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no message: it has no byte limit and no deadline",
    label = "no message of a protocol",
    note = "give it both: `message!({Self}, max_bytes = …, deadline = …)`"
)]
pub trait Message: fmt::Debug + Sized + Send + 'static {
    /// The type's own name, as state names, violations and documentation show it.
    const NAME: &'static str;
    /// The longest body, in bytes. The announced length is checked against it before anything is buffered.
    const MAX_BYTES: u32;
    /// How long the receiver waits for the whole message from the moment it is due, and how long the sender waits
    /// until it is taken.
    const DEADLINE: Duration;
    /// How many of these requests may be under way before the first response is read: the greatest depth of a
    /// [pipeline](crate::Pipeline). Part of the protocol, because it bounds how many bytes the peer may leave unread.
    const PIPELINE_DEPTH: usize = 1;

    /// Writes the body into `head`, except for bulk, which is returned and follows it.
    ///
    /// # Errors
    /// [`EncodeError`] if the value has no encoding within [`Self::MAX_BYTES`].
    fn encode(&self, head: &mut Head<'_>) -> Result<Bytes, EncodeError>;

    /// Reads a body. Must refuse trailing bytes.
    ///
    /// # Errors
    /// [`DecodeError`] if the body is not such a message.
    fn decode(body: Body) -> Result<Self, DecodeError>;

    /// The shape of a body: [`Shape::of`] for a serde type; head and bulk together for a message that carries bulk.
    fn shape() -> Shape;
}

/// Why a value couldn't be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct EncodeError {
    reason: Cow<'static, str>,
}

impl EncodeError {
    /// An error with this reason, for people to read.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: reason.into() }
    }
}

/// Writes a message's body into the session's send buffer, up to the message's limit.
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
    /// [`EncodeError`] if they exceed the message's limit.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.left = self.left.checked_sub(bytes.len()).ok_or_else(|| EncodeError::new(EXCEEDS))?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// Appends a value in postcard.
    ///
    /// # Errors
    /// [`EncodeError`] if it has no encoding within the message's limit.
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

/// A message's body, as it goes onto the wire after the length prefix.
///
/// # Errors
/// [`EncodeError`] as from [`Message::encode`], and if head and bulk together exceed the limit.
pub fn encode<M: Message>(message: &M) -> Result<Bytes, EncodeError> {
    let mut out = Vec::new();
    let tail = message.encode(&mut Head::new(&mut out, M::MAX_BYTES))?;
    out.extend_from_slice(&tail);
    if out.len() > M::MAX_BYTES as usize { Err(EncodeError::new(EXCEEDS)) } else { Ok(out.into()) }
}

/// Implements [`Message`](crate::Message) for serde types: `message!(Ping, max_bytes = 16, deadline =
/// PING_DEADLINE);`
///
/// The body is the value in postcard; trailing bytes are refused. Give `pipeline_depth = DEPTH` for requests that are
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
