//! The body of a received frame: one or more pieces, in order.
//!
//! A message that carries bulk keeps the pieces and copies nothing. [`Body::into_bytes`] makes them contiguous. It
//! copies if there are several pieces, or if a single one is so small that it would keep the whole datagram around it
//! alive. Reading a value ([`Body::postcard`]) copies only a body of several pieces.

use bytes::{Buf, Bytes, BytesMut};
use serde::de::DeserializeOwned;
use std::{borrow::Cow, collections::VecDeque};

/// How many bytes of a body [`Body::take_head`] reads at most: the head in front of bulk is a handful of fields.
pub const MAX_HEAD_BYTES: usize = 1024;

/// Pieces smaller than this many bytes are gathered. A third of the smallest datagram that a session sees full.
pub(super) const GATHER_BELOW: usize = 512;

/// Why a body isn't the message that is due.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct DecodeError {
    reason: Cow<'static, str>,
}

impl DecodeError {
    /// An error with this reason, for people to read.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: reason.into() }
    }
}

/// The body of a received frame.
#[derive(Debug, Clone, Default)]
pub struct Body {
    first: Bytes,
    rest: Option<VecDeque<Bytes>>, // newest last; `None` for a single piece, as nearly everything small is
    len: usize,
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self { len: bytes.len(), first: bytes, rest: None }
    }
}

impl Body {
    /// A body of these pieces. None but perhaps the first is empty.
    pub(super) fn of(first: Bytes, rest: Vec<Bytes>) -> Self {
        let len = first.len() + rest.iter().map(Bytes::len).sum::<usize>();
        let mut rest = VecDeque::from(rest);
        let first = if first.is_empty() { rest.pop_front().unwrap_or_default() } else { first };
        Self { first, rest: Some(rest).filter(|rest| !rest.is_empty()), len }
    }

    /// The length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the body is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pieces in order.
    pub fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        std::iter::once(&self.first)
            .filter(|first| !first.is_empty())
            .chain(self.rest.iter().flat_map(|rest| rest.iter()))
    }

    /// All bytes in one piece. Copies if there are several pieces, or only a few bytes.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        if self.rest.is_none() && self.len >= GATHER_BELOW {
            return self.first;
        }
        let mut all = BytesMut::with_capacity(self.len);
        for piece in self.pieces() {
            all.extend_from_slice(piece);
        }
        all.freeze()
    }

    /// All bytes, if they came in one piece.
    pub(crate) fn as_slice(&self) -> Option<&[u8]> {
        self.rest.is_none().then_some(&self.first)
    }

    /// The first `n` bytes, or all if there are fewer.
    fn look(&self, n: usize) -> Cow<'_, [u8]> {
        if self.rest.is_none() || self.first.len() >= n {
            return Cow::Borrowed(self.first.get(..n).unwrap_or(&self.first));
        }
        let mut bytes = Vec::with_capacity(n.min(self.len));
        for piece in self.pieces() {
            let left = n - bytes.len();
            bytes.extend_from_slice(piece.get(..left).unwrap_or(piece));
        }
        Cow::Owned(bytes)
    }

    /// Copies a body of exactly `place`'s length into `place`.
    ///
    /// # Errors
    /// [`DecodeError`] if the body is longer or shorter.
    pub fn copy_to(&self, place: &mut [u8]) -> Result<(), DecodeError> {
        if self.len != place.len() {
            return Err(DecodeError::new(format!("{} bytes instead of {}", self.len, place.len())));
        }
        if let Some(bytes) = self.as_slice() {
            place.copy_from_slice(bytes);
            return Ok(());
        }
        let mut rest = place;
        for piece in self.pieces() {
            let Some((place, others)) = rest.split_at_mut_checked(piece.len()) else { break };
            place.copy_from_slice(piece);
            rest = others;
        }
        Ok(())
    }

    /// Reads the whole body as one postcard value.
    ///
    /// # Errors
    /// [`DecodeError`] if it is no such value or bytes remain after it.
    pub fn postcard<T: DeserializeOwned>(self) -> Result<T, DecodeError> {
        let bytes = self.look(self.len);
        let (value, rest) = postcard::take_from_bytes(&bytes).map_err(|error| DecodeError::new(error.to_string()))?;
        if rest.is_empty() {
            Ok(value)
        } else {
            Err(DecodeError::new(format!("{} bytes after the message", rest.len())))
        }
    }

    /// Reads a postcard value from the front, within [`MAX_HEAD_BYTES`], and leaves what follows uncopied.
    ///
    /// # Errors
    /// [`DecodeError`] if these bytes don't begin with such a value.
    pub fn take_head<T: DeserializeOwned>(&mut self) -> Result<T, DecodeError> {
        let look = self.look(MAX_HEAD_BYTES);
        let (value, rest) = postcard::take_from_bytes(&look).map_err(|error| DecodeError::new(error.to_string()))?;
        let used = look.len() - rest.len();
        self.advance(used);
        Ok(value)
    }

    fn advance(&mut self, n: usize) {
        let mut left = n.min(self.len);
        self.len -= left;
        while left >= self.first.len() {
            left -= self.first.len();
            match self.rest.as_mut().and_then(|rest| rest.pop_front()) {
                Some(piece) => self.first = piece,
                None => {
                    self.first = Bytes::new();
                    return;
                }
            }
        }
        self.first.advance(left);
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
            let mut rest = Bytes::from(all);
            let mut pieces: Vec<Bytes> = cuts.into_iter().map(|cut| rest.split_to(cut.min(rest.len()))).collect();
            pieces.push(rest);
            pieces.retain(|piece| !piece.is_empty());
            let mut body = Body::of(Bytes::new(), pieces);
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
