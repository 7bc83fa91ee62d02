//! A channel carries a session's bytes: a bidirectional QUIC stream, or a bounded pair of pipes in memory.
//!
//! Both halves are cancel safe: a dropped read has read nothing, and a dropped write keeps in its queue what isn't
//! written. Nothing here knows frames.

mod memory;

use crate::wire::{
    code::WireCode,
    input::Input,
    output::{Front, Output},
};
use bytes::Bytes;
use shardwire_model::PeerId;
use std::{
    future::{Future as _, poll_fn},
    mem,
    pin::pin,
    task::{Context, Poll, ready},
};

/// How many pieces one read of bulk takes from QUIC under one lock: about 46 KB in the Internet's datagrams.
const READ_PIECES: usize = 32;
/// How many bytes a memory channel holds in each direction by default: as many as a QUIC stream may by default have
/// in flight on a fast network.
pub const MEMORY_CHANNEL_BYTES: usize = 256 * 1024;
/// The peers that the two ends of a memory channel belong to by default.
pub const MEMORY_PEERS: [PeerId; 2] = [PeerId([0xa1; 32]), PeerId([0xb2; 32])];

/// Why a channel carries nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StreamFailure {
    /// The peer reset or stopped this stream.
    Reset(WireCode),
    /// The peer closed the connection in good order.
    Closed,
    /// The connection failed.
    Connection(String),
}

impl From<quinn::ReadError> for StreamFailure {
    fn from(error: quinn::ReadError) -> Self {
        match error {
            quinn::ReadError::Reset(code) => Self::Reset(WireCode::of(code.into_inner())),
            quinn::ReadError::ConnectionLost(error) => error.into(),
            other => Self::Connection(other.to_string()),
        }
    }
}

impl From<quinn::WriteError> for StreamFailure {
    fn from(error: quinn::WriteError) -> Self {
        match error {
            quinn::WriteError::Stopped(code) => Self::Reset(WireCode::of(code.into_inner())),
            quinn::WriteError::ConnectionLost(error) => error.into(),
            other => Self::Connection(other.to_string()),
        }
    }
}

impl From<quinn::ConnectionError> for StreamFailure {
    fn from(error: quinn::ConnectionError) -> Self {
        match error {
            quinn::ConnectionError::ApplicationClosed(close) if close.error_code == DONE => Self::Closed,
            quinn::ConnectionError::ApplicationClosed(close) => {
                Self::Reset(WireCode::of(close.error_code.into_inner()))
            }
            other => Self::Connection(other.to_string()),
        }
    }
}

/// The code that closes a connection in good order: quinn sends it when its last handle is dropped.
pub(crate) const DONE: quinn::VarInt = quinn::VarInt::from_u32(0);

/// A bidirectional stream of bytes to a peer.
#[derive(Debug)]
pub struct Channel {
    pub(crate) peer: PeerId,
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
}

#[derive(Debug, Default)]
pub(crate) enum Reader {
    Quic(quinn::RecvStream),
    Memory(memory::Reader),
    /// No longer part of a session.
    #[default]
    Left,
}

#[derive(Debug, Default)]
pub(crate) enum Writer {
    Quic(quinn::SendStream),
    Memory(memory::Writer),
    /// Ended. The connection delivers what is left.
    #[default]
    Left,
}

/// A channel to nowhere, which carries nothing.
impl Default for Channel {
    fn default() -> Self {
        Self { peer: PeerId([0; 32]), reader: Reader::Left, writer: Writer::Left }
    }
}

impl Channel {
    pub(crate) fn quic(peer: PeerId, send: quinn::SendStream, recv: quinn::RecvStream) -> Self {
        Self { peer, reader: Reader::Quic(recv), writer: Writer::Quic(send) }
    }

    /// Two connected ends in memory, holding [`MEMORY_CHANNEL_BYTES`] in each direction.
    #[must_use]
    pub fn pair() -> (Self, Self) {
        Self::pair_between(MEMORY_PEERS, MEMORY_CHANNEL_BYTES)
    }

    /// Two connected ends in memory that belong to these peers and hold `capacity` bytes in each direction.
    #[must_use]
    pub fn pair_between([a, b]: [PeerId; 2], capacity: usize) -> (Self, Self) {
        let (to_b, from_a) = memory::pipe(capacity);
        let (to_a, from_b) = memory::pipe(capacity);
        (
            Self { peer: b, reader: Reader::Memory(from_b), writer: Writer::Memory(to_b) },
            Self { peer: a, reader: Reader::Memory(from_a), writer: Writer::Memory(to_a) },
        )
    }

    /// The peer at the other end.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// Writes bytes as they are, for tests that play a hostile peer and for tools that speak the wire format
    /// themselves. `false` if the other end takes no more.
    pub async fn write_raw(&mut self, bytes: impl Into<Bytes>) -> bool {
        let mut out = Output::default();
        out.bulk(bytes.into());
        while !out.is_empty() {
            if poll_fn(|cx| self.writer.poll_write(cx, &mut out)).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Reads the bytes that have come; `Ok(None)` at the end of the stream.
    ///
    /// # Errors
    /// The peer's [`WireCode`] if it reset the stream, [`WireCode::Unknown`]`(0)` if the connection is gone.
    pub async fn read_raw(&mut self) -> Result<Option<Bytes>, WireCode> {
        let mut input = Input::default();
        match poll_fn(|cx| self.reader.poll_read(cx, &mut input, true)).await {
            Ok(true) => Ok(Some(input.take(usize::MAX).into_bytes())),
            Ok(false) => Ok(None),
            Err(StreamFailure::Reset(code)) => Err(code),
            Err(StreamFailure::Closed | StreamFailure::Connection(_)) => Err(WireCode::Unknown(0)),
        }
    }

    /// Ends the sending side.
    pub fn finish_raw(&mut self) {
        self.writer.end(true);
    }

    /// Resets both directions with a code.
    pub fn reset_raw(&mut self, code: WireCode) {
        self.reset(code);
    }

    pub(crate) fn reset(&mut self, code: WireCode) {
        self.writer.reset(code);
        self.reader.stop(code);
    }
}

impl Reader {
    /// Appends what has come to `input`, waiting for at least one piece; `false` at the end of the stream. `many`
    /// says whether to take many pieces at once.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut Input,
        many: bool,
    ) -> Poll<Result<bool, StreamFailure>> {
        match self {
            Self::Quic(stream) if many => poll_quic::<READ_PIECES>(cx, stream, input),
            // Asks for one more piece than there usually is: a read that finds no second one finds the end of the
            // stream, which saves the next read's lock.
            Self::Quic(stream) => poll_quic::<2>(cx, stream, input),
            Self::Memory(reader) => reader.poll_read(cx, input),
            Self::Left => Poll::Ready(Err(StreamFailure::Closed)),
        }
    }

    fn stop(&mut self, code: WireCode) {
        match self {
            Self::Quic(stream) => drop(stream.stop(varint(code))), // an ended stream needs no stop
            Self::Memory(reader) => reader.stop(code),
            Self::Left => {}
        }
    }
}

/// Takes up to `N` pieces.
fn poll_quic<const N: usize>(
    cx: &mut Context<'_>,
    stream: &mut quinn::RecvStream,
    input: &mut Input,
) -> Poll<Result<bool, StreamFailure>> {
    let mut pieces = [const { Bytes::new() }; N];
    let read = ready!(pin!(stream.read_chunks(&mut pieces)).poll(cx))?;
    for piece in pieces.iter_mut().take(read.unwrap_or_default()) {
        input.push(mem::take(piece));
    }
    Poll::Ready(Ok(read.is_some()))
}

impl Writer {
    /// Writes from the front of `out`, waiting until something can be written. Removes what was written and returns
    /// its length in bytes.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, out: &mut Output) -> Poll<Result<usize, StreamFailure>> {
        match self {
            Self::Quic(stream) => {
                let written = match out.front() {
                    Front::Small(bytes) => ready!(pin!(stream.write(bytes)).poll(cx))?,
                    Front::Pieces(pieces) => ready!(pin!(stream.write_chunks(pieces)).poll(cx))?.bytes,
                };
                out.written(written);
                Poll::Ready(Ok(written))
            }
            Self::Memory(writer) => writer.poll_write(cx, out),
            Self::Left => Poll::Ready(Err(StreamFailure::Closed)),
        }
    }

    /// Ends the stream. Unless it is `held`, nothing will be asked about it later, and QUIC's handle is dropped with
    /// the end.
    pub(crate) fn end(&mut self, held: bool) {
        match self {
            Self::Quic(stream) if held => drop(stream.finish()), // fails only if the stream has ended already
            Self::Quic(_) => *self = Self::Left,                 // a stream that is dropped is finished
            Self::Memory(writer) => writer.finish(),
            Self::Left => {}
        }
    }

    /// Waits until the peer's transport has everything that was written before the end.
    pub(crate) async fn delivered(&mut self) -> Result<(), StreamFailure> {
        match self {
            Self::Quic(stream) => match stream.stopped().await {
                Ok(None) => Ok(()),
                Ok(Some(code)) => Err(StreamFailure::Reset(WireCode::of(code.into_inner()))),
                Err(quinn::StoppedError::ConnectionLost(error)) => Err(error.into()),
                Err(other) => Err(StreamFailure::Connection(other.to_string())),
            },
            Self::Memory(_) | Self::Left => Ok(()), // what is in a pipe can't be lost
        }
    }

    fn reset(&mut self, code: WireCode) {
        match self {
            Self::Quic(stream) => drop(stream.reset(varint(code))), // an ended stream needs no reset
            Self::Memory(writer) => writer.reset(code),
            Self::Left => {} // the reader tells the peer
        }
    }

    pub(crate) fn prioritise(&self, priority: i32) {
        if let Self::Quic(stream) = self {
            let _ = stream.set_priority(priority); // fails only if the stream has ended
        }
    }
}

fn varint(code: WireCode) -> quinn::VarInt {
    quinn::VarInt::from_u64(code.number()).unwrap_or(quinn::VarInt::MAX)
}
