//! Outgoing bytes of a session: small things gathered in one buffer, bulk as it was handed over.
//!
//! Small things are copied when QUIC takes them, which is cheaper than an allocation that both sides share. Bulk is
//! never copied.

use bytes::Bytes;
use std::collections::VecDeque;

/// A queue of bytes. Its owner bounds it by not queuing.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// The pieces before `small`.
    pieces: VecDeque<Bytes>,
    small: Vec<u8>,
    /// How many bytes of `small` are written.
    written: usize,
}

/// The next bytes to write.
#[derive(Debug)]
pub(crate) enum Front<'a> {
    /// All there is.
    Small(&'a [u8]),
    /// The pieces in order. A writer that takes a part of them advances their beginnings.
    Pieces(&'a mut [Bytes]),
}

/// The initial size of the small buffer, in bytes: room for a header and a small message.
const SMALL_BYTES: usize = 128;
/// A buffer larger than this many bytes isn't reused. Most headers and small messages fit.
const MAX_SMALL_BYTES: usize = 512;

impl Output {
    /// An empty queue that reuses this one's buffer.
    pub(crate) fn emptied(&mut self) -> Self {
        self.forget_small();
        let reusable = self.small.capacity() <= MAX_SMALL_BYTES;
        Self { small: if reusable { std::mem::take(&mut self.small) } else { Vec::new() }, ..Self::default() }
    }

    /// The buffer to which small things are appended.
    #[inline]
    pub(crate) fn small(&mut self) -> &mut Vec<u8> {
        if self.written == self.small.len() {
            self.forget_small();
            self.small.reserve(SMALL_BYTES);
        }
        &mut self.small
    }

    fn forget_small(&mut self) {
        self.small.clear();
        self.written = 0;
    }

    fn unwritten(&self) -> &[u8] {
        self.small.get(self.written..).unwrap_or_default()
    }

    /// Appends a payload, uncopied.
    pub(crate) fn bulk(&mut self, bytes: Bytes) {
        if !self.unwritten().is_empty() {
            self.pieces.push_back(Bytes::copy_from_slice(self.unwritten()));
            self.forget_small();
        }
        if !bytes.is_empty() {
            self.pieces.push_back(bytes);
        }
    }

    /// Whether everything is written.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.written == self.small.len()
    }

    /// The next bytes to write.
    #[inline]
    pub(crate) fn front(&mut self) -> Front<'_> {
        if self.pieces.is_empty() {
            Front::Small(self.unwritten())
        } else {
            Front::Pieces(self.pieces.make_contiguous())
        }
    }

    /// Notes that this many bytes of the front were written and that its pieces have advanced.
    #[inline]
    pub(crate) fn written(&mut self, bytes: usize) {
        if self.pieces.is_empty() {
            self.written = self.small.len().min(self.written.saturating_add(bytes));
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
