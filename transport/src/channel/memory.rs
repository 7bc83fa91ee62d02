//! A bounded pipe in memory that behaves like a QUIC stream. For tests in which the two halves of a protocol meet.

use super::StreamFailure;
use crate::wire::{code::WireCode, input::Input, output::Output};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

#[derive(Debug, Default)]
struct Pipe {
    pieces: VecDeque<Bytes>,
    held: usize,
    capacity: usize,
    ended: bool,
    /// Set by the writer. The reader sees it at once and loses what is in the pipe, as in QUIC.
    reset: Option<WireCode>,
    /// Set by the reader. The writer sees it.
    stopped: Option<WireCode>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn wake(&mut self) {
        self.reader.take().into_iter().chain(self.writer.take()).for_each(Waker::wake);
    }
}

type Shared = Arc<Mutex<Pipe>>;

fn lock(shared: &Shared) -> MutexGuard<'_, Pipe> {
    shared.lock().unwrap_or_else(PoisonError::into_inner) // no panic can leave a pipe half changed
}

/// The reading end of a pipe.
#[derive(Debug)]
pub(crate) struct Reader(Shared);
/// The writing end of a pipe.
#[derive(Debug)]
pub(crate) struct Writer(Shared);

/// A pipe that holds at most `capacity` bytes (and at least one).
pub(crate) fn pipe(capacity: usize) -> (Writer, Reader) {
    let shared = Arc::new(Mutex::new(Pipe { capacity: capacity.max(1), ..Pipe::default() }));
    (Writer(Arc::clone(&shared)), Reader(shared))
}

impl Reader {
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, input: &mut Input) -> Poll<Result<bool, StreamFailure>> {
        let mut pipe = lock(&self.0);
        if let Some(code) = pipe.reset {
            return Poll::Ready(Err(StreamFailure::Reset(code)));
        }
        if pipe.pieces.is_empty() {
            if pipe.ended {
                return Poll::Ready(Ok(false));
            }
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        pipe.pieces.drain(..).for_each(|piece| input.push(piece));
        pipe.held = 0;
        pipe.wake();
        Poll::Ready(Ok(true))
    }

    pub(crate) fn stop(&mut self, code: WireCode) {
        let mut pipe = lock(&self.0);
        pipe.stopped.get_or_insert(code);
        pipe.wake();
    }
}

impl Writer {
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, out: &mut Output) -> Poll<Result<usize, StreamFailure>> {
        let mut pipe = lock(&self.0);
        if let Some(code) = pipe.stopped {
            return Poll::Ready(Err(StreamFailure::Reset(code)));
        }
        let room = pipe.capacity.saturating_sub(pipe.held);
        if room == 0 {
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let mut written = 0;
        out.take(room, |piece| {
            written += piece.len();
            pipe.pieces.push_back(piece);
        });
        pipe.held += written;
        pipe.wake();
        Poll::Ready(Ok(written))
    }

    pub(crate) fn finish(&mut self) {
        let mut pipe = lock(&self.0);
        pipe.ended = true;
        pipe.wake();
    }

    pub(crate) fn reset(&mut self, code: WireCode) {
        let mut pipe = lock(&self.0);
        if !(pipe.ended && pipe.pieces.is_empty()) {
            pipe.reset.get_or_insert(code);
        }
        pipe.pieces.clear();
        pipe.held = 0;
        pipe.wake();
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop(WireCode::Dropped);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let ended = lock(&self.0).ended;
        if !ended {
            self.reset(WireCode::Dropped);
        }
    }
}
