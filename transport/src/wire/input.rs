//! Received bytes that nobody has consumed yet, as the pieces in which they came.
//!
//! Pieces are kept as they are (no copy), and a message that comes in one piece is consumed from it. What is left when
//! the session waits for more, and small pieces behind others, are gathered into one buffer: a piece of one byte would
//! otherwise keep the whole datagram it came in alive, and a peer that sends a byte at a time could hold a thousand
//! times what its message may have.

use super::{body::Body, varint};
use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;

/// Pieces below this many bytes are copied together. A third of the smallest datagram that a session sees full.
pub(super) const GATHER_BELOW: usize = 512;

/// A queue of pieces. Its owner decides how much it may hold, by not reading.
#[derive(Debug, Default)]
pub(crate) struct Input {
    /// The oldest. May be empty while others are not.
    front: Bytes,
    pieces: VecDeque<Bytes>,
    /// The newest, gathered.
    small: BytesMut,
    len: usize,
}

impl Input {
    /// Bytes waiting.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a piece.
    pub(crate) fn push(&mut self, piece: Bytes) {
        if self.len == 0 {
            self.front = piece;
            self.len = self.front.len();
            return;
        }
        self.len += piece.len();
        if piece.len() < GATHER_BELOW {
            self.small.extend_from_slice(&piece);
        } else {
            if !self.small.is_empty() {
                self.pieces.push_back(self.small.split().freeze());
            }
            self.pieces.push_back(piece);
        }
    }

    /// To be called before a wait for more: lets go of the datagram that a small piece came in.
    pub(crate) fn settle(&mut self) {
        if self.pieces.is_empty() && !self.front.is_empty() && self.front.len() < GATHER_BELOW {
            let mut gathered = BytesMut::with_capacity(self.len);
            gathered.extend_from_slice(&self.front);
            gathered.extend_from_slice(&self.small);
            (self.front, self.small) = (Bytes::new(), gathered);
        }
    }

    /// Reads a number from the front, without consuming it.
    pub(crate) fn number(&self) -> varint::Parsed {
        match varint::parse(self.front.iter().copied()) {
            varint::Parsed::Partial => varint::parse(self.iter()),
            parsed => parsed,
        }
    }

    /// The bytes from the front, without consuming them.
    fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        let pieces = std::iter::once(&self.front).chain(&self.pieces);
        pieces.flat_map(|piece| piece.iter().copied()).chain(self.small.iter().copied())
    }

    /// Consumes one byte.
    pub(crate) fn take_byte(&mut self) -> Option<u8> {
        let byte = self.iter().next()?;
        self.skip(1);
        Some(byte)
    }

    /// Consumes up to `n` bytes unseen.
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
        let mut wanted = n.min(self.len);
        self.len -= wanted;
        if wanted <= self.front.len() {
            return self.front.split_to(wanted).into();
        }
        let mut body = Body::default();
        while wanted > 0 {
            if self.front.is_empty() {
                match self.pieces.pop_front() {
                    Some(piece) => self.front = piece,
                    None => {
                        body.push(self.small.split_to(wanted.min(self.small.len())).freeze());
                        break;
                    }
                }
            }
            let piece = self.front.split_to(wanted.min(self.front.len()));
            wanted -= piece.len();
            body.push(piece);
        }
        body
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
