//! The first frame of a stream: the protocol and its version.

use crate::message::{DecodeError, EncodeError, Head, Message};
use crate::shape::Shape;
use crate::wire::{body::Body, varint};
use arrayvec::ArrayString;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The longest protocol name, in bytes.
pub(crate) const MAX_PROTOCOL_NAME_BYTES: usize = 32;

/// The protocol of a stream. Sent together with the first message of the side that opened it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`Protocol::NAME`](crate::Protocol::NAME), stored inline: an allocation would show in a session that carries
    /// one request.
    pub protocol: ArrayString<MAX_PROTOCOL_NAME_BYTES>,
    /// [`Protocol::VERSION`](crate::Protocol::VERSION).
    pub version: u16,
}

impl Header {
    /// A header for this protocol; `None` if the name is longer than a header may hold.
    #[must_use]
    pub fn new(protocol: &str, version: u16) -> Option<Self> {
        Some(Self { protocol: ArrayString::from(protocol).ok()?, version })
    }
}

/// Whether the name has 1 to 32 bytes of a-z, 0-9 and -.
fn is_plain(name: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    !name.is_empty() && name.iter().all(plain)
}

impl Header {
    /// A fast path for what postcard usually reads: every session begins with a header, and this takes a tenth of the
    /// time.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (&len, rest) = bytes.split_first()?;
        let (name, version) = rest.split_at_checked(len.into()).filter(|(name, _)| is_plain(name))?;
        let protocol = ArrayString::from(std::str::from_utf8(name).ok()?).ok()?;
        match varint::parse(version.iter().copied()) {
            varint::Parsed::Whole { value, len } if len == version.len() => {
                Some(Self { protocol, version: value.try_into().ok()? })
            }
            _ => None,
        }
    }
}

impl Message for Header {
    const NAME: &'static str = "Header";
    /// A name with its length, and a version of at most three bytes.
    const MAX_BYTES: u32 = MAX_PROTOCOL_NAME_BYTES as u32 + 1 + 3;
    /// The header comes in the packet that opens the stream. A peer that needs more than a few round trips for it is
    /// holding streams open.
    const DEADLINE: Duration = Duration::from_secs(10);

    fn encode(&self, head: &mut Head<'_>) -> Result<Bytes, EncodeError> {
        head.postcard(self)?;
        Ok(Bytes::new())
    }

    fn decode(body: Body) -> Result<Self, DecodeError> {
        if let Some(header) = body.as_slice().and_then(Self::read) {
            return Ok(header);
        }
        let header: Self = body.postcard()?;
        if !is_plain(header.protocol.as_bytes()) {
            // The name goes into logs and metrics, so nothing but these characters may be in it.
            return Err(DecodeError::new("a protocol's name is 1 to 32 of a-z, 0-9 and -"));
        }
        Ok(header)
    }

    fn shape() -> Shape {
        Shape::of::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_short_way_reads_what_postcard_does(name in "[ -~é]{0,40}", version: u16, rest: Vec<u8>, cut in 0_usize..50, byte: Option<(usize, u8)>) {
            let mut bytes = postcard::to_stdvec(&(&name, version)).unwrap();
            bytes.extend(rest.iter().take(2));
            if let Some((at, byte)) = byte {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            for bytes in [&bytes[..], &bytes[..cut.min(bytes.len())]] {
                if let Some(header) = Header::read(bytes) {
                    let whole = postcard::take_from_bytes::<Header>(bytes).unwrap();
                    prop_assert_eq!(whole, (header, &[][..]));
                }
            }
        }

        #[test]
        fn it_is_the_way_of_every_usual_header(name in "[a-z0-9-]{1,32}", version: u16) {
            let header = Header::new(&name, version).unwrap();
            prop_assert_eq!(Header::read(&postcard::to_stdvec(&header).unwrap()), Some(header));
        }
    }
}
