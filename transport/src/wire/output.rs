//! What a session has still to write: small things gathered in one buffer, bulk as it was handed over.
//!
//! Small things are copied when QUIC takes them, which is cheaper than an allocation that both sides share; bulk is
//! never copied.

use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;

/// A queue of bytes. Its owner decides how much it may hold, by not queuing.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// What goes before `small`.
    pieces: VecDeque<Bytes>,
    small: BytesMut,
}

/// What is to be written next.
#[derive(Debug)]
pub(crate) enum Front<'a> {
    /// Everything there is.
    Small(&'a [u8]),
    /// In order; a writer that takes a part of them moves their beginnings.
    Pieces(&'a mut [Bytes]),
}

/// Room for a header and a small message.
const SMALL_BYTES: usize = 128;

impl Output {
    /// Gathers in this buffer.
    pub(crate) fn new(small: BytesMut) -> Self {
        Self { pieces: VecDeque::new(), small }
    }

    /// The buffer, emptied, to be used again.
    pub(crate) fn take_small(&mut self) -> BytesMut {
        self.small.clear();
        std::mem::take(&mut self.small)
    }

    /// Where small things are appended.
    pub(crate) fn small(&mut self) -> &mut BytesMut {
        if self.small.is_empty() {
            self.small.reserve(SMALL_BYTES);
        }
        &mut self.small
    }

    /// Appends bulk.
    pub(crate) fn bulk(&mut self, bytes: Bytes) {
        if !self.small.is_empty() {
            self.pieces.push_back(Bytes::copy_from_slice(&self.small));
            self.small.clear();
        }
        if !bytes.is_empty() {
            self.pieces.push_back(bytes);
        }
    }

    /// Whether everything is written.
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.small.is_empty()
    }

    /// What is to be written next.
    pub(crate) fn front(&mut self) -> Front<'_> {
        if self.pieces.is_empty() { Front::Small(&self.small) } else { Front::Pieces(self.pieces.make_contiguous()) }
    }

    /// So many bytes of the front were written, and its pieces have moved.
    pub(crate) fn written(&mut self, bytes: usize) {
        if self.pieces.is_empty() {
            self.small.advance(bytes.min(self.small.len()));
        } else {
            while self.pieces.front().is_some_and(Bytes::is_empty) {
                self.pieces.pop_front();
            }
        }
    }

    /// Removes up to `n` bytes from the front.
    pub(crate) fn take(&mut self, n: usize, mut each: impl FnMut(Bytes)) {
        self.bulk(Bytes::new());
        let mut left = n;
        while left > 0
            && let Some(front) = self.pieces.front_mut()
        {
            let piece = front.split_to(left.min(front.len()));
            left -= piece.len();
            if front.is_empty() {
                self.pieces.pop_front();
            }
            each(piece);
        }
    }
}
