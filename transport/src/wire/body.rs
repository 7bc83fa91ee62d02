//! The body of a received frame: one or more pieces, in order.
//!
//! A message that carries bulk keeps the pieces and copies nothing; [`Body::into_bytes`] makes them contiguous, which
//! copies only when there is more than one.

use crate::message::DecodeError;
use bytes::{Buf, Bytes, BytesMut};
use serde::de::DeserializeOwned;

/// How much of a body [`Body::take_head`] looks at: a head in front of bulk is a handful of fields.
pub const MAX_HEAD_BYTES: usize = 1024;

/// The body of a received frame.
#[derive(Debug, Clone, Default)]
pub struct Body {
    first: Bytes,
    rest: Vec<Bytes>, // newest last; empty for what came in one piece
    len: usize,
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self { len: bytes.len(), first: bytes, rest: Vec::new() }
    }
}

impl Body {
    pub(crate) fn push(&mut self, piece: Bytes) {
        self.len += piece.len();
        if self.first.is_empty() {
            self.first = piece;
        } else if !piece.is_empty() {
            self.rest.push(piece);
        }
    }

    /// Bytes in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pieces in order.
    pub fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        std::iter::once(&self.first).filter(|first| !first.is_empty()).chain(&self.rest)
    }

    /// All bytes in one piece. Copies if there are several.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        if self.rest.is_empty() {
            return self.first;
        }
        let mut all = BytesMut::with_capacity(self.len);
        for piece in self.pieces() {
            all.extend_from_slice(piece);
        }
        all.freeze()
    }

    /// Reads the whole body as one postcard value.
    ///
    /// # Errors
    /// Not such a value, or bytes remain after it.
    pub fn postcard<T: DeserializeOwned>(self) -> Result<T, DecodeError> {
        let bytes = self.into_bytes();
        let (value, rest) = postcard::take_from_bytes(&bytes).map_err(|error| DecodeError::new(error.to_string()))?;
        if rest.is_empty() {
            Ok(value)
        } else {
            Err(DecodeError::new(format!("{} bytes after the message", rest.len())))
        }
    }

    /// Reads a postcard value from the front (within [`MAX_HEAD_BYTES`]) and leaves what follows, uncopied.
    ///
    /// # Errors
    /// No such value within these bytes.
    pub fn take_head<T: DeserializeOwned>(&mut self) -> Result<T, DecodeError> {
        let malformed = |error: postcard::Error| DecodeError::new(error.to_string());
        let (value, used) = if self.rest.is_empty() || self.first.len() >= MAX_HEAD_BYTES {
            let look = self.first.get(..MAX_HEAD_BYTES).unwrap_or(&self.first);
            let (value, rest) = postcard::take_from_bytes(look).map_err(malformed)?;
            (value, look.len() - rest.len())
        } else {
            let look: Vec<u8> = self.pieces().flat_map(|piece| piece.iter().copied()).take(MAX_HEAD_BYTES).collect();
            let (value, rest) = postcard::take_from_bytes(&look).map_err(malformed)?;
            (value, look.len() - rest.len())
        };
        self.advance(used);
        Ok(value)
    }

    fn advance(&mut self, n: usize) {
        let mut left = n.min(self.len);
        self.len -= left;
        let step = left.min(self.first.len());
        self.first.advance(step);
        left -= step;
        let mut spent = 0;
        for piece in &mut self.rest {
            let step = left.min(piece.len());
            piece.advance(step);
            left -= step;
            if !piece.is_empty() {
                break;
            }
            spent += 1;
        }
        self.rest.drain(..spent);
        if self.first.is_empty() && !self.rest.is_empty() {
            self.first = self.rest.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Head {
        number: u64,
        name: String,
    }

    proptest! {
        #[test]
        fn a_head_is_found_however_the_body_is_cut(number: u64, name in ".{0,40}", tail: Vec<u8>, cuts in prop::collection::vec(1_usize..30, 0..40)) {
            let head = Head { number, name };
            let mut all = postcard::to_stdvec(&head).unwrap();
            all.extend_from_slice(&tail);
            let mut body = Body::default();
            let mut rest = Bytes::from(all);
            for cut in cuts {
                body.push(rest.split_to(cut.min(rest.len())));
            }
            body.push(rest);
            prop_assert_eq!(body.take_head::<Head>().unwrap(), head);
            prop_assert_eq!(body.len(), tail.len());
            prop_assert_eq!(&body.into_bytes()[..], &tail[..]);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = Body::from(Bytes::from(bytes.clone())).postcard::<Head>();
            let mut body = Body::from(Bytes::from(bytes));
            let _ = body.take_head::<Head>();
        }
    }

    #[test]
    fn bytes_after_a_message_are_refused() {
        let refused = Body::from(Bytes::from_static(&[1, 0, 9])).postcard::<Head>().unwrap_err();
        assert_eq!(refused.to_string(), "1 bytes after the message");
    }
}
