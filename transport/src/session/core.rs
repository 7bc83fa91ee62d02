//! The untyped half of a session: frames in and out of a channel, deadlines, and what happens when something is wrong.
//!
//! What is read stays in the buffer until a whole frame is there, and what is to be written stays queued until it is
//! written: every wait here can be dropped and taken up again without losing a byte. A deadline runs from the first
//! wait for a thing until it is there, however often the wait is taken up.

use super::error::{Local, Lost, LostCause, SessionError, Violation, ViolationKind};
use super::meter::Metered;
use crate::{
    channel::{Broken, Channel},
    graph::MessageInfo,
    message::{Body, DecodeError, Head, Message},
    wire::{code::WireCode, input::Input, varint},
};
use bytes::{Bytes, BytesMut};
use std::{borrow::Cow, collections::VecDeque, fmt, time::Duration};
use tokio::time::{Instant, timeout_at};

/// How long [`Session::close`](crate::Session::close) waits for the peer's end: it may still be working on the last message.
pub const CLOSE_DEADLINE: Duration = Duration::from_secs(30);

/// The state a session is in, for messages to people. Costs nothing until printed.
#[derive(Clone, Copy)]
pub(crate) enum At {
    Awaiting(&'static str),
    Sending(&'static str),
    Choice(fn(&mut Vec<&'static str>)),
    End,
}

impl fmt::Display for At {
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

/// What one wait came to.
enum Step {
    Wrote,
    Read,
    End,
    Late,
}

#[derive(Debug)]
pub(crate) struct Core {
    channel: Channel,
    pub(crate) protocol: Cow<'static, str>,
    input: Input,
    /// Branch tags and the frame being composed; joins `out` before it is written.
    gather: BytesMut,
    out: VecDeque<Bytes>,
    /// Since when the next frame or tag is awaited.
    waiting_since: Option<Instant>,
    received: u64,
    sent: u64,
    /// What the peer's use is held to, if to anything.
    pub(super) metered: Option<Metered>,
    /// The peer has ended its side.
    peer_ended: bool,
    /// This side has ended its.
    ended: bool,
    /// Nothing has come since this side sent, so nothing proves that it arrived.
    spoke_last: bool,
    /// Ended in order, given up or failed: dropping it does nothing more.
    over: bool,
}

impl Core {
    pub(crate) fn new(channel: Channel, protocol: impl Into<Cow<'static, str>>) -> Box<Self> {
        Box::new(Self {
            channel,
            protocol: protocol.into(),
            input: Input::default(),
            gather: BytesMut::new(),
            out: VecDeque::new(),
            waiting_since: None,
            received: 0,
            sent: 0,
            metered: None,
            peer_ended: false,
            ended: false,
            spoke_last: false,
            over: false,
        })
    }

    pub(crate) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Bytes received that nobody has consumed yet.
    pub(crate) fn buffered(&self) -> usize {
        self.input.len()
    }

    pub(crate) fn traffic(&self) -> (u64, u64) {
        (self.received, self.sent)
    }

    // ---- out

    /// Queues a branch tag; it goes out with what follows.
    pub(crate) fn tag(&mut self, tag: u8) {
        self.gather.extend_from_slice(&[tag]);
    }

    /// Queues a message. On an error nothing of it is queued, and the session is over.
    pub(crate) fn queue<M: Message>(&mut self, message: &M) -> Result<(), SessionError> {
        let start = self.gather.len();
        let encoded = message.encode(&mut Head::new(&mut self.gather, M::MAX_BYTES)).map_err(|error| error.to_string());
        let head = self.gather.len() - start;
        let framed = encoded.and_then(|tail| match u32::try_from(head.saturating_add(tail.len())) {
            Ok(len) if len <= M::MAX_BYTES => Ok((tail, len)),
            _ => Err(format!("it has {} bytes, where at most {} are allowed", head + tail.len(), M::MAX_BYTES)),
        });
        match framed {
            Ok((tail, len)) => {
                self.frame_head(start, head, len);
                if !tail.is_empty() {
                    self.out.push_back(self.gather.split().freeze());
                    self.out.push_back(tail);
                }
                Ok(())
            }
            Err(reason) => {
                self.gather.truncate(start);
                Err(self.local(|protocol| Local::Unsendable { protocol, message: M::NAME, reason }))
            }
        }
    }

    /// Puts the length `len` in front of the `head` bytes that begin at `start`.
    fn frame_head(&mut self, start: usize, head: usize, len: u32) {
        let (bytes, n) = varint::write(len);
        let bytes = bytes.get(..n).unwrap_or_default();
        self.gather.extend_from_slice(bytes); // room; the head moves up
        self.gather.copy_within(start..start + head, start + n);
        if let Some(place) = self.gather.get_mut(start..start + n) {
            place.copy_from_slice(bytes);
        }
    }

    /// Writes all that is queued. While that waits, reads what comes as long as less than `read_below` bytes are
    /// buffered.
    pub(crate) async fn flush(&mut self, at: At, deadline: Duration, read_below: usize) -> Result<(), SessionError> {
        self.pack();
        let due = Instant::now() + deadline;
        while !self.out.is_empty() {
            let read = !self.peer_ended && self.input.len() < read_below;
            if let Step::Late = self.step(read, at, due).await? {
                return Err(self.violation(at, ViolationKind::Stalled { after: deadline }));
            }
        }
        self.spoke_last = true;
        Ok(())
    }

    /// Ends the sending side: nothing more will be said.
    pub(crate) fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            self.channel.writer.finish();
        }
    }

    fn pack(&mut self) {
        if !self.gather.is_empty() {
            self.out.push_back(self.gather.split().freeze());
        }
    }

    // ---- in

    /// Waits until a whole frame for this message is buffered. Says how many bytes are its length and how many its body.
    pub(crate) async fn arrived(&mut self, message: MessageInfo) -> Result<(usize, usize), SessionError> {
        let at = At::Awaiting(message.name);
        self.pay().await;
        loop {
            match varint::parse(self.input.iter()) {
                varint::Parsed::Whole { value, len } => {
                    if value > message.max_bytes {
                        return Err(
                            self.violation(at, ViolationKind::TooLong { announced: value, max: message.max_bytes })
                        );
                    }
                    let body = value as usize;
                    if self.input.len() - len >= body {
                        self.waiting_since = None;
                        return Ok((len, body));
                    }
                }
                varint::Parsed::Partial => {}
                varint::Parsed::Malformed => return Err(self.violation(at, ViolationKind::MalformedLength)),
            }
            self.wait(at, message.deadline).await?;
        }
    }

    /// Consumes the next frame.
    pub(crate) async fn frame(&mut self, message: MessageInfo) -> Result<Body, SessionError> {
        let (len, body) = self.arrived(message).await?;
        if let Some(metered) = &mut self.metered {
            metered.frame();
        }
        self.input.skip(len);
        self.spoke_last = false;
        Ok(self.input.take(body))
    }

    /// Consumes the next frame and decodes it.
    pub(crate) async fn message<M: Message>(&mut self) -> Result<M, SessionError> {
        let body = self.frame(MessageInfo::of::<M>()).await?;
        M::decode(body).map_err(|error: DecodeError| {
            self.violation(At::Awaiting(M::NAME), ViolationKind::Malformed { reason: error.to_string() })
        })
    }

    /// Waits until a branch tag is buffered.
    pub(crate) async fn tag_arrived(&mut self, at: At, deadline: Duration) -> Result<(), SessionError> {
        self.pay().await;
        while self.input.is_empty() {
            self.wait(at, deadline).await?;
        }
        self.waiting_since = None;
        Ok(())
    }

    /// Consumes a branch tag: whether it is the second.
    pub(crate) async fn branch(&mut self, at: At, deadline: Duration) -> Result<bool, SessionError> {
        self.tag_arrived(at, deadline).await?;
        self.spoke_last = false;
        match self.input.take_byte() {
            Some(crate::algebra::FIRST) => Ok(false),
            Some(crate::algebra::SECOND) => Ok(true),
            tag => Err(self.violation(at, ViolationKind::UnknownBranch { tag: tag.unwrap_or_default() })),
        }
    }

    /// Waits until what the peer used is paid for.
    async fn pay(&mut self) {
        if let Some(metered) = &mut self.metered {
            metered.pay(self.received.saturating_add(self.sent)).await;
        }
    }

    /// Waits for more input (and writes what is queued meanwhile), as long as `deadline` allows.
    async fn wait(&mut self, at: At, deadline: Duration) -> Result<(), SessionError> {
        self.pack();
        let due = *self.waiting_since.get_or_insert_with(Instant::now) + deadline;
        let have = self.input.len();
        loop {
            if self.peer_ended {
                let kind = if have == 0 { ViolationKind::EndedEarly } else { ViolationKind::Truncated { have } };
                return Err(self.violation(at, kind));
            }
            match self.step(true, at, due).await? {
                Step::Wrote | Step::End => {}
                Step::Read => return Ok(()),
                Step::Late => return Err(self.violation(at, ViolationKind::Late { after: deadline, have })),
            }
        }
    }

    /// Writes or reads once, whichever is possible first.
    async fn step(&mut self, read: bool, at: At, due: Instant) -> Result<Step, SessionError> {
        let Self { channel, out, input, .. } = self;
        let (queued, held) = (out.iter().map(Bytes::len).sum::<usize>(), input.len());
        let write = !out.is_empty();
        let once = async {
            tokio::select! { biased;
                written = channel.writer.write(out), if write => written.map(|()| Step::Wrote),
                more = channel.reader.read(input), if read => more.map(|more| if more { Step::Read } else { Step::End }),
            }
        };
        let step = timeout_at(due, once).await;
        self.sent += (queued - self.out.iter().map(Bytes::len).sum::<usize>()) as u64;
        self.received += (self.input.len() - held) as u64;
        match step {
            Ok(Ok(Step::End)) => {
                self.peer_ended = true;
                Ok(Step::End)
            }
            Ok(Ok(step)) => Ok(step),
            Ok(Err(broken)) => Err(self.lost(at, broken)),
            Err(_) => Ok(Step::Late),
        }
    }

    // ---- the end

    /// Ends both sides: everything is written, the peer's transport has it, and nothing more came.
    pub(crate) async fn close(&mut self) -> Result<(), SessionError> {
        match self.close_both().await {
            // A peer that closed its connection in good order has ended its side of every session.
            Err(SessionError::Lost(lost)) if lost.cause == LostCause::Closed && self.out.is_empty() => Ok(()),
            other => other,
        }
    }

    async fn close_both(&mut self) -> Result<(), SessionError> {
        let spoke_last = self.spoke_last || !self.gather.is_empty();
        self.flush(At::End, CLOSE_DEADLINE, 0).await?;
        self.end();
        let due = Instant::now() + CLOSE_DEADLINE;
        while !self.peer_ended && self.input.is_empty() {
            if let Step::Late = self.step(true, At::End, due).await? {
                return Err(self.violation(At::End, ViolationKind::Late { after: CLOSE_DEADLINE, have: 0 }));
            }
        }
        if !self.input.is_empty() {
            return Err(self.violation(At::End, ViolationKind::AfterEnd { bytes: self.input.len() }));
        }
        if spoke_last {
            match timeout_at(due, self.channel.writer.delivered()).await {
                Ok(Ok(())) => {}
                Ok(Err(broken)) => return Err(self.lost(At::End, broken)),
                Err(_) => return Err(self.violation(At::End, ViolationKind::Stalled { after: CLOSE_DEADLINE })),
            }
        }
        self.over = true;
        Ok(())
    }

    /// Resets the stream, once.
    pub(crate) fn give_up(&mut self, code: WireCode) {
        if !self.over {
            self.over = true;
            self.channel.reset(code);
        }
    }

    /// The peer broke the protocol: resets the stream and says so.
    pub(crate) fn violation(&mut self, at: At, kind: ViolationKind) -> SessionError {
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

    /// This side can't go on: resets the stream and says so.
    pub(crate) fn local(&mut self, error: impl FnOnce(Cow<'static, str>) -> Local) -> SessionError {
        self.give_up(WireCode::Failed);
        SessionError::Local(Box::new(error(self.protocol.clone())))
    }

    fn lost(&mut self, at: At, broken: Broken) -> SessionError {
        self.give_up(WireCode::Abandoned);
        let cause = match broken {
            Broken::Reset(code) => LostCause::Reset(code),
            Broken::Closed => LostCause::Closed,
            Broken::Connection(reason) => LostCause::Connection(reason),
        };
        SessionError::Lost(Box::new(Lost {
            peer: self.channel.peer,
            protocol: self.protocol.clone(),
            state: at.to_string(),
            cause,
        }))
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.give_up(WireCode::Dropped);
    }
}
