//! Received bytes that aren't consumed yet, kept as the pieces in which they came.
//!
//! Pieces aren't copied, and a message that came in one piece is consumed from it. What is left when the session
//! waits for more, and small pieces behind others, are gathered into one buffer. Otherwise a piece of one byte would
//! keep its whole datagram alive, and a peer that sends a byte at a time could make us hold a thousand times what its
//! message may have.

use super::{
    body::{Body, GATHER_BELOW},
    varint,
};
use bytes::{Buf, Bytes, BytesMut};
use std::{collections::VecDeque, mem};

/// A queue of pieces. Its owner bounds it by not reading.
#[derive(Debug, Default)]
pub(crate) struct Input {
    /// The oldest piece. May be empty while others are not.
    front: Bytes,
    /// The pieces after it. Most sessions never have any and don't pay for making, moving or dropping them.
    rest: Option<Box<Rest>>,
    len: usize,
}

/// The pieces after the oldest.
#[derive(Debug, Default)]
struct Rest {
    pieces: VecDeque<Bytes>,
    /// The newest bytes, gathered.
    small: BytesMut,
}

impl Input {
    /// The number of bytes that nobody has consumed.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a piece.
    #[inline]
    pub(crate) fn push(&mut self, piece: Bytes) {
        if self.len == 0 {
            self.len = piece.len();
            self.front = piece;
        } else {
            self.push_behind(piece);
        }
    }

    fn push_behind(&mut self, piece: Bytes) {
        self.len += piece.len();
        let rest = self.rest.get_or_insert_default();
        if piece.len() < GATHER_BELOW {
            rest.small.extend_from_slice(&piece);
        } else {
            if !rest.small.is_empty() {
                rest.pieces.push_back(rest.small.split().freeze());
            }
            rest.pieces.push_back(piece);
        }
    }

    /// Call this before waiting for more: it releases the datagram that a small piece came in.
    pub(crate) fn settle(&mut self) {
        if self.front.is_empty() || self.front.len() >= GATHER_BELOW {
            return;
        }
        let rest = self.rest.get_or_insert_default();
        if rest.pieces.is_empty() {
            let mut gathered = BytesMut::with_capacity(self.len);
            gathered.extend_from_slice(&self.front);
            gathered.extend_from_slice(&rest.small);
            (self.front, rest.small) = (Bytes::new(), gathered);
        }
    }

    /// Reads a number from the front, without consuming it.
    #[inline]
    pub(crate) fn number(&self) -> varint::Parsed {
        match self.front.first() {
            // The usual case: a whole small message.
            Some(&byte) if byte < 0x80 => varint::Parsed::Whole { value: byte.into(), len: 1 },
            Some(_) if self.front.len() >= varint::MAX_LEN => varint::parse(self.front.iter().copied()),
            _ => varint::parse(self.iter()),
        }
    }

    /// The bytes from the front, without consuming them.
    fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        let rest = self.rest.iter().flat_map(|rest| {
            let pieces = rest.pieces.iter().flat_map(|piece| piece.iter());
            pieces.chain(rest.small.iter())
        });
        self.front.iter().chain(rest).copied()
    }

    /// Whether all that has come is frames with these branch tags before them, one behind the other, and at most so many; the last one may have
    /// only begun.
    pub(crate) fn is_frames(&self, tags: &[u8], most: usize) -> bool {
        let mut bytes = self.iter().peekable();
        for _ in 0..most {
            for tag in tags {
                match bytes.next() {
                    Some(byte) if byte == *tag => {}
                    other => return other.is_none(),
                }
            }
            let length = match varint::parse(bytes.by_ref()) {
                varint::Parsed::Whole { value, .. } => value as usize,
                varint::Parsed::Partial => return true,
                varint::Parsed::Malformed => return false,
            };
            if length > 0 && bytes.nth(length - 1).is_none() {
                return true;
            }
        }
        bytes.peek().is_none()
    }

    /// Consumes one byte.
    #[inline]
    pub(crate) fn take_byte(&mut self) -> Option<u8> {
        let byte = match self.front.first() {
            Some(byte) => *byte,
            None => self.iter().next()?,
        };
        self.skip(1);
        Some(byte)
    }

    /// Skips up to `n` bytes.
    #[inline]
    pub(crate) fn skip(&mut self, n: usize) {
        if n < self.front.len() {
            self.front.advance(n);
            self.len -= n;
        } else {
            let _ = self.take(n);
        }
    }

    /// Consumes up to `n` bytes.
    pub(crate) fn take(&mut self, n: usize) -> Body {
        let wanted = n.min(self.len);
        self.len -= wanted;
        if wanted <= self.front.len() {
            return self.front.split_to(wanted).into();
        }
        let Some(rest) = &mut self.rest else { return Body::default() };
        let first = mem::take(&mut self.front);
        let (mut whole, mut missing) = (0, wanted - first.len());
        for piece in &rest.pieces {
            if piece.len() > missing {
                break;
            }
            missing -= piece.len();
            whole += 1;
        }
        let mut behind = Vec::with_capacity(whole + 1);
        behind.extend(rest.pieces.drain(..whole));
        match rest.pieces.pop_front() {
            Some(mut piece) => {
                if missing > 0 {
                    behind.push(piece.split_to(missing));
                }
                self.front = piece;
            }
            None if missing > 0 => behind.push(rest.small.split_to(missing.min(rest.small.len())).freeze()),
            None => {}
        }
        Body::of(first, behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_come_out_as_they_went_in(sizes in prop::collection::vec(0_usize..2000, 0..12), takes in prop::collection::vec(0_usize..3000, 0..12)) {
            let mut input = Input::default();
            let mut all = Vec::new();
            for (n, size) in sizes.into_iter().enumerate() {
                let piece: Vec<u8> = (0..size).map(|at| (at * 7 + n) as u8).collect();
                all.extend_from_slice(&piece);
                input.push(piece.into());
                if n % 3 == 1 {
                    input.settle();
                }
            }
            let mut out = Vec::new();
            for take in takes {
                prop_assert!(input.iter().eq(all[out.len()..].iter().copied()));
                let before = input.len();
                let body = input.take(take);
                prop_assert_eq!(body.len(), take.min(before));
                out.extend_from_slice(&body.into_bytes());
                prop_assert_eq!(input.len(), all.len() - out.len());
            }
            let rest = input.take(usize::MAX);
            out.extend_from_slice(&rest.into_bytes());
            prop_assert_eq!(out, all);
            prop_assert!(input.is_empty());
        }
    }

    #[test]
    fn frames_are_counted_as_soon_as_they_begin_and_nothing_else_is_one() {
        let mut input = Input::default();
        assert!(input.is_frames(&[0], 0));
        for (byte, frames) in [(0, 1), (2, 1), (7, 1), (7, 1), (0, 2), (0, 2), (0, 3), (0x80, 3)] {
            input.push(Bytes::from(vec![byte]));
            let most = (0..9).find(|most| input.is_frames(&[0], *most));
            assert_eq!(most, Some(frames));
        }
        assert!(!input.is_frames(&[1], 9), "another branch");
        assert!(input.is_frames(&[0, 2], 9), "one of seven bytes that has begun");
        assert!(!input.is_frames(&[0, 1], 9));
        let mut other = Input::default();
        other.push(Bytes::from(vec![0, 1, 7, 1]));
        assert!(!other.is_frames(&[0], 9), "another branch behind one that was due");
        assert!(!other.is_frames(&[0], 1));
        let mut begun = Input::default();
        begun.push(Bytes::from(vec![0]));
        assert!(begun.is_frames(&[0, 1], 1) && !begun.is_frames(&[0, 1], 0));
    }

    #[test]
    fn a_byte_at_a_time_makes_one_piece() {
        let mut input = Input::default();
        for byte in 0..=255_u8 {
            input.push(Bytes::from(vec![byte]));
            input.settle();
        }
        let body = input.take(256);
        assert_eq!(body.pieces().count(), 1);
        assert!(body.into_bytes().iter().copied().eq(0..=255));
    }
}
