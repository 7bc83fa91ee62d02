//! The untyped half of a session: frames in and out of a channel, deadlines, and how a session fails.
//!
//! Received bytes stay buffered until a whole frame is there, and outgoing bytes stay queued until they are written,
//! so every wait here can be dropped and resumed without losing a byte. A deadline runs from the first wait for a
//! thing until it is there, however often the wait is resumed. The clock is read, and the session's one timer set,
//! only if the thing isn't there at once.

mod close;
mod credit;

pub use close::CLOSE_DEADLINE;

use self::credit::{Credit, MAX_TAGS};
use super::bulk::BulkSlot;
use super::error::{Local, Lost, LostCause, SessionError, Violation, ViolationKind};
use super::meter::Metered;
use super::timer::Timer;
use crate::{
    channel::{Channel, StreamFailure},
    graph::MessageInfo,
    message::{Body, DecodeError, Head, Message},
    wire::{code::WireCode, input::Input, output::Output, varint},
};
use arrayvec::ArrayVec;
use std::{
    borrow::Cow,
    fmt,
    future::{Future, poll_fn},
    mem,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::Instant;

/// A deadline that never comes: for a wait in which the peer owes nothing.
pub(crate) const NO_DEADLINE: Duration = Duration::MAX;

/// From this many missing bytes on, a read takes many pieces at once: fewer bytes are usually in one datagram.
const MANY_BYTES: usize = 2048;

/// A session's state, for messages to people. Formatted only when it is printed.
#[derive(Clone, Copy)]
pub(crate) enum StateName {
    Awaiting(&'static str),
    Sending(&'static str),
    Choice(fn(&mut Vec<&'static str>)),
    End,
}

impl fmt::Display for StateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Awaiting(message) => write!(f, "awaiting {message}"),
            Self::Sending(message) => write!(f, "sending {message}"),
            Self::Choice(first_messages) => {
                let mut names = Vec::new();
                first_messages(&mut names);
                write!(f, "awaiting {}", if names.is_empty() { "a choice".to_owned() } else { names.join(" | ") })
            }
            Self::End => f.write_str("at the end"),
        }
    }
}

/// How one wait ended.
enum Progress {
    Wrote,
    Read,
    End,
    Late,
}

/// The field in which a wait notes when it began.
type Since = fn(&mut Core) -> &mut Option<Instant>;
const WAITING: Since = |core| &mut core.waiting_since;
const LEAVING: Since = |core| &mut core.leaving_since;

/// The state of a session beside its type. Newly made, or reused from an earlier session of the connection
/// ([`PooledCore`](super::core_pool::PooledCore)).
#[derive(Debug, Default)]
pub(crate) struct Core {
    channel: Channel,
    pub(crate) protocol: Cow<'static, str>,
    input: Input,
    out: Output,
    /// When the wait for the next frame or tag began.
    waiting_since: Option<Instant>,
    /// When the wait for the queue to be written, or for the peer's end, began.
    leaving_since: Option<Instant>,
    timer: Timer,
    received: u64,
    sent: u64,
    /// The branch tags that came since the last message.
    tags: ArrayVec<u8, MAX_TAGS>,
    /// What the peer may have sent beyond its last request when this side answers it.
    credit: Option<Credit>,
    /// Counts what the peer uses, if the session is metered.
    pub(super) metered: Option<Metered>,
    /// The peer has ended its side.
    peer_ended: bool,
    /// This side has ended its sending side, or will with the last queued bytes.
    ended: bool,
    /// The sending side ends with the last queued bytes; the value says whether the stream is kept to ask about
    /// delivery.
    last: Option<bool>,
    /// Nothing has come since this side sent, so nothing proves that its last message arrived.
    spoke_last: bool,
    /// Ended in order, given up or failed. Dropping it then does nothing more.
    over: bool,
    /// The slot of a session that carries bulk to us, kept for the session's life.
    pub(crate) bulk_slot: Option<BulkSlot>,
}

impl Core {
    /// Prepares the core for a session.
    pub(super) fn begin(&mut self, channel: Channel, protocol: Cow<'static, str>) {
        (self.channel, self.protocol) = (channel, protocol);
    }

    /// A fresh core that keeps what is costly to make: the timer and the small buffer.
    pub(super) fn emptied(&mut self) -> Self {
        self.timer.release();
        Self { timer: mem::take(&mut self.timer), out: self.out.emptied(), ..Self::default() }
    }

    pub(crate) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Sets the priority of what is sent; it is 0 at first.
    pub(crate) fn prioritise(&self, priority: i32) {
        if priority != 0 {
            self.channel.writer.prioritise(priority);
        }
    }

    /// Bytes received that nobody has consumed yet.
    pub(crate) fn buffered(&self) -> usize {
        self.input.len()
    }

    pub(crate) fn traffic(&self) -> (u64, u64) {
        (self.received, self.sent)
    }

    // ---- out

    /// Queues a branch tag. It goes out with what follows.
    pub(crate) fn tag(&mut self, tag: u8) {
        self.out.small().extend_from_slice(&[tag]);
    }

    /// Queues a message. On an error nothing of it is queued and the session is over.
    pub(crate) fn queue<M: Message>(&mut self, message: &M) -> Result<(), SessionError> {
        let small = self.out.small();
        let start = small.len();
        small.push(0); // the length, if it takes one byte
        let body = small.len();
        let encoded = message.encode(&mut Head::new(small, M::MAX_BYTES)).map_err(|error| error.to_string());
        let head = small.len() - body;
        let framed = encoded.and_then(|tail| match u32::try_from(head.saturating_add(tail.len())) {
            Ok(len) if len <= M::MAX_BYTES => Ok((tail, len)),
            _ => Err(format!("it has {} bytes, where at most {} are allowed", head + tail.len(), M::MAX_BYTES)),
        });
        match framed {
            Ok((tail, len)) => {
                frame_head(small, start, len);
                if !tail.is_empty() {
                    self.out.bulk(tail);
                }
                Ok(())
            }
            Err(reason) => {
                small.truncate(start);
                Err(self.local(|protocol| Local::Unsendable { protocol, message: M::NAME, reason }))
            }
        }
    }

    /// Writes everything queued. Meanwhile it reads what comes, while less than `read_below` bytes are buffered.
    pub(crate) fn flush(
        &mut self,
        at: StateName,
        deadline: Duration,
        read_below: usize,
    ) -> impl Future<Output = Result<(), SessionError>> + '_ {
        self.leaving_since = None;
        poll_fn(move |cx| self.poll_flush(cx, at, deadline, read_below))
    }

    fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        at: StateName,
        deadline: Duration,
        read_below: usize,
    ) -> Poll<Result<(), SessionError>> {
        while !self.out.is_empty() {
            let read = if self.peer_ended { 0 } else { read_below.saturating_sub(self.input.len()) };
            if let Progress::Late = ready!(self.poll_step(cx, read, at, deadline, LEAVING))? {
                return Poll::Ready(Err(self.violation(at, ViolationKind::Stalled { after: deadline })));
            }
        }
        self.spoke_last = true;
        Poll::Ready(Ok(()))
    }

    /// Writes what is queued, if anything is. Reads nothing meanwhile.
    pub(crate) fn poll_written(
        &mut self,
        cx: &mut Context<'_>,
        at: StateName,
        deadline: Duration,
    ) -> Poll<Result<(), SessionError>> {
        if !self.out.is_empty() {
            ready!(self.poll_flush(cx, at, deadline, 0))?;
            self.leaving_since = None;
        }
        Poll::Ready(Ok(()))
    }

    /// Ends the sending side after the last queued bytes. Delivery can be asked about later only if the stream is
    /// `held`.
    pub(crate) fn end(&mut self, held: bool) {
        if !self.ended {
            self.ended = true;
            if self.out.is_empty() {
                self.channel.writer.end(held);
            } else {
                self.last = Some(held);
            }
        }
    }

    // ---- in

    /// The deadline for the peer's next frame or tag runs from the next wait on.
    pub(crate) fn wait_anew(&mut self) {
        self.waiting_since = None;
    }

    /// Waits until a whole frame for this message is buffered. Returns the lengths in bytes of its length prefix and
    /// its body.
    pub(crate) fn poll_arrived(
        &mut self,
        cx: &mut Context<'_>,
        message: &MessageInfo,
    ) -> Poll<Result<(usize, usize), SessionError>> {
        let at = StateName::Awaiting(message.name);
        loop {
            let missing = match self.input.number() {
                varint::Parsed::Whole { value, len } => {
                    if value > message.max_bytes {
                        let kind = ViolationKind::TooLong { announced: value, max: message.max_bytes };
                        return Poll::Ready(Err(self.violation(at, kind)));
                    }
                    let (body, have) = (value as usize, self.input.len() - len);
                    if have >= body {
                        self.waiting_since = None;
                        return Poll::Ready(Ok((len, body)));
                    }
                    body - have
                }
                varint::Parsed::Partial => 1,
                varint::Parsed::Malformed => {
                    return Poll::Ready(Err(self.violation(at, ViolationKind::MalformedLength)));
                }
            };
            ready!(self.poll_more(cx, missing, at, message.deadline))?;
        }
    }

    /// Consumes the next frame.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
        message: &MessageInfo,
    ) -> Poll<Result<Body, SessionError>> {
        let (len, body) = ready!(self.poll_arrived(cx, message))?;
        if let Some(metered) = &mut self.metered {
            metered.frame();
        }
        self.input.skip(len);
        self.spoke_last = false;
        Poll::Ready(Ok(self.input.take(body)))
    }

    /// Consumes the next frame and decodes it.
    pub(crate) fn poll_message<M: Message>(&mut self, cx: &mut Context<'_>) -> Poll<Result<M, SessionError>> {
        ready!(self.poll_paid(cx));
        let body = ready!(self.poll_frame(cx, &MessageInfo::of::<M>()))?;
        self.note_credit(&MessageInfo::of::<M>(), M::PIPELINE_DEPTH);
        Poll::Ready(M::decode(body).map_err(|error: DecodeError| {
            self.violation(StateName::Awaiting(M::NAME), ViolationKind::Malformed { reason: error.to_string() })
        }))
    }

    /// Waits until a branch tag is buffered.
    pub(crate) fn poll_tag(
        &mut self,
        cx: &mut Context<'_>,
        at: StateName,
        deadline: Duration,
    ) -> Poll<Result<(), SessionError>> {
        while self.input.is_empty() {
            ready!(self.poll_more(cx, 1, at, deadline))?;
        }
        self.waiting_since = None;
        Poll::Ready(Ok(()))
    }

    /// Consumes a branch tag; `true` if it is the second branch.
    pub(crate) fn poll_branch(
        &mut self,
        cx: &mut Context<'_>,
        at: StateName,
        deadline: Duration,
    ) -> Poll<Result<bool, SessionError>> {
        ready!(self.poll_paid(cx));
        ready!(self.poll_tag(cx, at, deadline))?;
        self.spoke_last = false;
        let tag = self.input.take_byte();
        if let Some(tag) = tag {
            let _ = self.tags.try_push(tag); // one that is full counts for nothing
        }
        Poll::Ready(match tag {
            Some(crate::algebra::FIRST) => Ok(false),
            Some(crate::algebra::SECOND) => Ok(true),
            tag => Err(self.violation(at, ViolationKind::UnknownBranch { tag: tag.unwrap_or_default() })),
        })
    }

    /// Waits until the peer's use is paid for, unless the wait for its next frame or tag has begun: no deadline of
    /// the peer runs while it is held back.
    pub(crate) fn poll_paid(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.metered {
            Some(metered) if self.waiting_since.is_none() => {
                metered.poll_paid(cx, self.received.saturating_add(self.sent))
            }
            _ => Poll::Ready(()),
        }
    }

    /// Waits for more input, for at most `deadline`. Writes what is queued meanwhile.
    fn poll_more(
        &mut self,
        cx: &mut Context<'_>,
        missing: usize,
        at: StateName,
        deadline: Duration,
    ) -> Poll<Result<(), SessionError>> {
        let have = self.input.len();
        loop {
            let kind = if !self.peer_ended {
                match ready!(self.poll_step(cx, missing, at, deadline, WAITING))? {
                    Progress::Wrote | Progress::End => continue,
                    Progress::Read => return Poll::Ready(Ok(())),
                    Progress::Late => ViolationKind::Late { after: deadline, have },
                }
            } else if have == 0 {
                ViolationKind::EndedEarly
            } else {
                ViolationKind::Truncated { have }
            };
            return Poll::Ready(Err(self.violation(at, kind)));
        }
    }

    /// Writes or reads once, whichever is possible first. Reads only if bytes are `missing`. Notes in `since` when
    /// the wait began.
    fn poll_step(
        &mut self,
        cx: &mut Context<'_>,
        missing: usize,
        at: StateName,
        deadline: Duration,
        since: Since,
    ) -> Poll<Result<Progress, SessionError>> {
        match self.poll_channel(cx, missing) {
            Poll::Ready(step) => Poll::Ready(step.map_err(|broken| self.lost(at, broken))),
            Poll::Pending => {
                let since = *since(self).get_or_insert_with(Instant::now);
                match since.checked_add(deadline) {
                    Some(due) => self.timer.poll_at(cx, due).map(|()| Ok(Progress::Late)),
                    None => Poll::Pending,
                }
            }
        }
    }

    fn poll_channel(&mut self, cx: &mut Context<'_>, missing: usize) -> Poll<Result<Progress, StreamFailure>> {
        let Self { channel, out, last, .. } = self;
        if !out.is_empty() {
            // The end follows right behind the last bytes, so that it nearly always finds room in their datagram.
            let written = channel.writer.poll_write(cx, out);
            if out.is_empty()
                && let Some(held) = last.take()
            {
                channel.writer.end(held);
            }
            if let Poll::Ready(written) = written {
                self.sent += written? as u64;
                return Poll::Ready(Ok(Progress::Wrote));
            }
        }
        if missing > 0 {
            let many = self.bulk_slot.is_some() || missing > MANY_BYTES;
            if let Poll::Ready(read) = self.poll_read(cx, many) {
                read?;
                return Poll::Ready(Ok(if self.peer_ended { Progress::End } else { Progress::Read }));
            }
            self.input.settle();
        }
        Poll::Pending
    }

    /// Takes in what has come; `many` says whether to take many pieces at once.
    fn poll_read(&mut self, cx: &mut Context<'_>, many: bool) -> Poll<Result<(), StreamFailure>> {
        let held = self.input.len();
        let more = ready!(self.channel.reader.poll_read(cx, &mut self.input, many));
        self.received += (self.input.len() - held) as u64;
        self.peer_ended |= !more?;
        Poll::Ready(Ok(()))
    }

    // ---- failures

    /// Resets the stream, once.
    pub(crate) fn give_up(&mut self, code: WireCode) {
        if !self.over {
            self.over = true;
            self.channel.reset(code);
        }
    }

    /// The peer broke the protocol: resets the stream and returns the violation.
    pub(crate) fn violation(&mut self, at: StateName, kind: ViolationKind) -> SessionError {
        self.give_up(kind.wire());
        SessionError::Violation(Box::new(Violation {
            peer: self.channel.peer,
            protocol: self.protocol.clone(),
            state: at.to_string(),
            kind,
            received: self.received,
            sent: self.sent,
        }))
    }

    /// This side can't go on: resets the stream and returns the error.
    pub(crate) fn local(&mut self, error: impl FnOnce(Cow<'static, str>) -> Local) -> SessionError {
        self.give_up(WireCode::Failed);
        SessionError::Local(Box::new(error(self.protocol.clone())))
    }

    fn lost(&mut self, at: StateName, broken: StreamFailure) -> SessionError {
        self.give_up(WireCode::Abandoned);
        let cause = match broken {
            StreamFailure::Reset(code) => LostCause::Reset(code),
            StreamFailure::Closed => LostCause::Closed,
            StreamFailure::Connection(reason) => LostCause::Connection(reason),
        };
        SessionError::Lost(Box::new(Lost {
            peer: self.channel.peer,
            protocol: self.protocol.clone(),
            state: at.to_string(),
            cause,
        }))
    }
}

/// Writes the length `len` of a body in front of it. `start` is where the body's frame begins; one byte is reserved
/// there.
fn frame_head(small: &mut Vec<u8>, start: usize, len: u32) {
    let (bytes, n) = varint::write(len);
    match small.get_mut(start) {
        Some(place) if n == 1 => *place = bytes[0],
        _ => drop(small.splice(start..=start, bytes.into_iter().take(n))), // the body moves up
    }
}
