//! Typed pipelining: several requests under way at once, whose responses are collected in order, without a round trip each.
//!
//! Step by step, a loop `Rec<Choose<Send<Req, Recv<Resp, Var<Z>>>, Q>>` waits for each response before it sends
//! the next request. [`Session::pipeline`] lets this side send up to `DEPTH` requests ahead:
//!
//! ```text
//! stepwise   !Req ?Resp !Req ?Resp !Req ?Resp
//! pipelined  !Req !Req !Req ?Resp ?Resp ?Resp
//! ```
//!
//! The responder keeps its strictly alternating type (it may read ahead: [`Session::answer_ahead`]) and can't tell the difference, because outputs may be
//! anticipated over inputs: the pipelined behaviour is an asynchronous subtype of the stepwise one (Mostrous, Yoshida,
//! Honda, *Global Principal Typing in Partially Commutative Asynchronous Sessions*, ESOP 2009; that this subtyping is
//! sound and complete: Chen, Dezani-Ciancaglini, Scalas, Yoshida, *On the Preciseness of Subtyping in Session Types*,
//! LMCS 13(2), 2017; the same idea in Rust: Cutner, Yoshida, Vassor, *Deadlock-Free Asynchronous Message Reordering in
//! Rust with Multiparty Session Types*, PPoPP 2022). In general that relation is undecidable (Lange, Yoshida, FoSSaCS
//! 2017); here it holds by construction, because the anticipation is bounded by `DEPTH`, only requests and their branch
//! tag are anticipated, and no other state is reached before every response has been collected.
//!
//! **Bounds.** At most `DEPTH` requests are under way, so the peer may send `DEPTH` responses before one is consumed:
//! at most `DEPTH` × (`Resp::MAX_BYTES` + 5) bytes, plus one read, are buffered here; the rest waits in QUIC's window. That
//! is the peer's credit, in responses and in bytes: more is a violation. The protocol says how deep a
//! pipeline may be ([`Message::PIPELINE_DEPTH`] of the request); a side may use less. In a session whose type has no
//! bulk, `DEPTH` responses should fit into [`SMALL_SESSION_BYTES`](crate::settings::SMALL_SESSION_BYTES), its share of
//! the connection's window.
//!
//! **No deadlock.** The responder doesn't read a request before its previous response is written. If both directions
//! are full, one side must read: while it waits, sending a request goes on reading responses, up to that bound.
//!
//! **Cancel safety.** The futures of [`Pipeline::response`] and [`Pipeline::request`] may be dropped at any await.
//! A half-read response stays in the session's buffer and its deadline runs on. A request counts as made from the
//! first poll on; what is still unsent of it goes out with the next call. [`Session`]'s own steps are not cancel safe.

mod answering;

pub use answering::{Answered, Answers};

use crate::algebra::{Choose, FIRST, Recv, SECOND, Send, Var, Z};
use crate::message::{MAX_MESSAGE_BYTES, Message};
use crate::session::Session;
use crate::session::core::StateName;
use crate::session::error::{Local, SessionError, ViolationKind};
use crate::wire::varint;
use std::{fmt, future::poll_fn};

/// The most bytes of responses that a pipeline may let its peer send ahead. A deeper pipeline gains nothing: this is
/// the bandwidth-delay product of 10 Gbit/s over 50 ms.
pub const MAX_PIPELINE_BYTES: u64 = 64 << 20;

/// The state in which requests can be pipelined: a request and its response, or on to `Q`.
pub type Requests<Req, Resp, Q> = Choose<Send<Req, Recv<Resp, Var<Z>>>, Q>;

/// A session that has left the requests for `Q`, still within their loop.
pub type Onward<P, Req, Resp, Q, E> = Session<P, Q, (Requests<Req, Resp, Q>, E)>;

/// A session in state [`Requests`], within the loop that this state begins.
type Looping<P, Req, Resp, Q, E> = Session<P, Requests<Req, Resp, Q>, (Requests<Req, Resp, Q>, E)>;

/// A session of protocol `P` with up to `DEPTH` requests under way. See the [module](self).
#[must_use = "a pipeline is finished, or its session abandoned"]
pub struct Pipeline<P, Req, Resp, Q, E, const DEPTH: usize> {
    session: Looping<P, Req, Resp, Q, E>,
    outstanding: usize,
}

/// What the compiler checks of a pipeline of this depth, on either side.
const fn check_bounds<Req: Message, Resp: Message>(depth: usize) {
    assert!(depth > 0, "a pipeline has a depth of at least 1");
    assert!(depth <= Req::PIPELINE_DEPTH, "a pipeline is deeper than its request's PIPELINE_DEPTH");
    assert!(Req::MAX_BYTES <= MAX_MESSAGE_BYTES, "a message's MAX_BYTES exceeds MAX_MESSAGE_BYTES");
    assert!(Resp::MAX_BYTES <= MAX_MESSAGE_BYTES, "a message's MAX_BYTES exceeds MAX_MESSAGE_BYTES");
}

impl<P, Req: Message, Resp: Message, Q, E> Looping<P, Req, Resp, Q, E> {
    /// Starts a pipeline of up to `DEPTH` requests, at most the request's [`Message::PIPELINE_DEPTH`].
    pub fn pipeline<const DEPTH: usize>(self) -> Pipeline<P, Req, Resp, Q, E, DEPTH> {
        const {
            check_bounds::<Req, Resp>(DEPTH);
            assert!(
                Resp::MAX_BYTES as u64 * DEPTH as u64 <= MAX_PIPELINE_BYTES,
                "DEPTH × Resp::MAX_BYTES exceeds MAX_PIPELINE_BYTES"
            );
        }
        Pipeline { session: self, outstanding: 0 }
    }
}

impl<P, Req: Message, Resp: Message, Q, E, const DEPTH: usize> Pipeline<P, Req, Resp, Q, E, DEPTH> {
    /// The number of requests whose responses are not collected yet.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Whether another request may be made now.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.outstanding < DEPTH
    }

    /// Makes a request. Returns when the transport has taken it. Cancel safe: see the [module](self).
    ///
    /// # Errors
    /// [`Local::PipelineFull`] without [room](Self::has_room), and the session goes on; otherwise as
    /// [`Session::send`].
    pub async fn request(&mut self, request: Req) -> Result<(), SessionError> {
        let core = &mut self.session.core;
        if self.outstanding >= DEPTH {
            let full = Local::PipelineFull { protocol: core.protocol.clone(), depth: DEPTH };
            return Err(SessionError::Local(Box::new(full)));
        }
        self.in_turn()?;
        let core = &mut self.session.core;
        core.tag(FIRST);
        core.queue(&request)?;
        drop(request);
        self.outstanding += 1;
        let ahead = self.outstanding * (Resp::MAX_BYTES as usize + varint::MAX_LEN);
        self.session.core.flush(StateName::Sending(Req::NAME), Req::DEADLINE, ahead).await
    }

    /// Collects the next response. Its deadline runs from the first wait for it. Cancel safe: see the [module](self).
    ///
    /// # Errors
    /// [`Local::Outstanding`] if no request is outstanding, and the session goes on; otherwise as [`Session::recv`].
    pub async fn response(&mut self) -> Result<Resp, SessionError> {
        let core = &mut self.session.core;
        if self.outstanding == 0 {
            return Err(SessionError::Local(Box::new(Local::Outstanding {
                protocol: core.protocol.clone(),
                outstanding: 0,
            })));
        }
        let response = poll_fn(|cx| core.poll_message(cx)).await?;
        self.outstanding -= 1;
        Ok(response)
    }

    /// Goes on to `Q` once every response is collected.
    ///
    /// # Errors
    /// [`Local::Outstanding`] if one isn't, and the session ends; [`ViolationKind::OutOfTurn`] if the peer sent more
    /// than was asked for.
    pub fn finish(self) -> Result<Onward<P, Req, Resp, Q, E>, SessionError> {
        let mut session = self.pause()?;
        session.core.tag(SECOND);
        Ok(Session::from_core(session.core))
    }

    /// Goes back to the choice once every response is collected.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn pause(mut self) -> Result<Looping<P, Req, Resp, Q, E>, SessionError> {
        let outstanding = self.outstanding;
        if outstanding > 0 {
            return Err(self.session.core.local(|protocol| Local::Outstanding { protocol, outstanding }));
        }
        self.in_turn()?;
        Ok(self.session)
    }

    /// While nothing is outstanding, the peer may not send.
    fn in_turn(&mut self) -> Result<(), SessionError> {
        let core = &mut self.session.core;
        match core.buffered() {
            bytes if bytes > 0 && self.outstanding == 0 => {
                Err(core.violation(StateName::Sending(Req::NAME), ViolationKind::OutOfTurn { bytes }))
            }
            _ => Ok(()),
        }
    }

    /// As [`Session::broken`]: the response just collected breaks a rule of the protocol.
    #[must_use = "the violation is to be reported"]
    pub fn broken(self, rule: &'static str, detail: impl Into<String>) -> SessionError {
        self.session.broken(Resp::NAME, rule, detail)
    }

    /// As [`Session::abandon`].
    pub fn abandon(self) {
        self.session.abandon();
    }

    /// As [`Session::traffic`].
    #[must_use]
    pub fn traffic(&self) -> (u64, u64) {
        self.session.traffic()
    }
}

impl<P, Req, Resp, Q, E, const DEPTH: usize> fmt::Debug for Pipeline<P, Req, Resp, Q, E, DEPTH> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("session", &self.session)
            .field("outstanding", &self.outstanding)
            .field("depth", &DEPTH)
            .finish()
    }
}
