//! A session: a protocol's type, interpreted over a channel.
//!
//! [`Session<P, S, E>`](Session) is a session of protocol `P` in state `S` within the loops `E`. Each step consumes it and returns the session in
//! the next state, so a step that isn't due doesn't compile; if the peer takes a step that isn't due, that is a
//! [`Violation`](error::Violation), which resets the stream with a [code](WireCode) and ends the session.
//!
//! The announced length of a message is checked against its byte limit before anything is buffered. Its deadline
//! bounds the wait for the whole of it. A peer that has sent more requests of one kind than its pipeline is deep when this side answers one of them
//! ([`Message::PIPELINE_DEPTH`], which is 1 unless the protocol says otherwise) was out of turn. A session that is dropped before its end resets the stream:
//! this side has failed for a reason of its own ([`WireCode::Failed`]), or panics ([`WireCode::Dropped`]); [`Session::abandon`] does it on purpose. It never panics.
//!
//! The steps consume the session, so dropping the future of a step ends the session. Only [`Session::arrived`] and
//! the [pipeline](crate::pipeline) borrow it: those are cancel safe.

pub mod bulk;
pub(crate) mod core;
pub(crate) mod core_pool;
pub mod drive;
pub mod error;
mod first_turn;
mod incoming;
mod meter;
mod offer;
mod timer;

pub use self::core::CLOSE_DEADLINE;
pub use self::first_turn::{PendingWork, first_turn};
pub use crate::wire::{code::WireCode, header::Header};
pub(crate) use core_pool::ConnectionResources;
pub use incoming::{Incoming, initiate, pair, pair_over};
pub use meter::Meter;

use self::core::StateName;
use self::core_pool::PooledCore;
use self::error::{SessionError, ViolationKind};
use crate::Protocol;
use crate::algebra::{
    Chooses, Eps, FIRST, Offer, Offers, Rec, Receives, Recv, S as Succ, SECOND, Selects, Sends, Var, Z,
};
use crate::graph::{MessageInfo, State};
use crate::message::{MAX_MESSAGE_BYTES, Message};
use shardwire_model::PeerId;
use std::{
    fmt,
    future::poll_fn,
    marker::PhantomData,
    task::{Poll, ready},
};

/// A session of protocol `P` in state `S`, within the loops `E` (innermost first: `(S1, (S2, ()))`).
#[must_use = "a session runs to its end and is closed, or is abandoned"]
pub struct Session<P, S, E = ()> {
    pub(crate) core: PooledCore,
    position: PhantomData<Position<P, S, E>>,
}

/// A session's position in its protocol. It exists in types only, and is `Send` whatever they are.
type Position<P, S, E> = fn() -> (P, S, E);

/// The session of the side that opened the stream, at its beginning.
pub type Initiator<P> = Session<P, <P as Protocol>::Initiator>;
/// The session of the side that accepted the stream, at its beginning.
pub type Responder<P> = Session<P, <P as Protocol>::Responder>;

/// The branch that the peer chose, with the session in it.
#[derive(Debug)]
#[must_use = "the session goes on in the branch"]
pub enum Branch<A, B> {
    /// The first (tag 0).
    First(A),
    /// The second (tag 1).
    Second(B),
}

/// A state in which the peer is due: `Recv` or `Offer`.
#[diagnostic::on_unimplemented(message = "a session in state `{Self}` does not wait for its peer")]
pub trait Awaits: State {
    /// The message that is due; `None` if a branch tag comes first.
    const MESSAGE: Option<MessageInfo>;
}
impl<M: Message, P: State> Awaits for Recv<M, P> {
    const MESSAGE: Option<MessageInfo> = Some(MessageInfo::of::<M>());
}
impl<P: State, Q: State> Awaits for Offer<P, Q> {
    const MESSAGE: Option<MessageInfo> = None;
}

impl<P, S, E> Session<P, S, E> {
    pub(crate) fn from_core(core: PooledCore) -> Self {
        Self { core, position: PhantomData }
    }

    fn cast<T, F>(self) -> Session<P, T, F> {
        Session::from_core(self.core)
    }

    /// Sends the message that is due. Returns when the transport has taken it. The message is encoded at once; the
    /// future doesn't hold it.
    ///
    /// # Errors
    /// [`Local::Unsendable`](error::Local::Unsendable) if the message exceeds its own limit,
    /// [`ViolationKind::Stalled`] if the peer doesn't read within the message's deadline, [`SessionError::Lost`] if
    /// the stream is lost.
    pub fn send<M: Message, N: State>(
        mut self,
        message: M,
    ) -> impl Future<Output = Result<Session<P, N, E>, SessionError>>
    where
        S: Sends<P, M, N>,
    {
        let queued = self.queue(&message);
        self.flushed::<M, N>(queued)
    }

    /// Takes the branch that begins by sending this message, and sends it. The branch is found by the message's type
    /// among those of a choice (`Choose<A, Choose<B, C>>` has three); two branches that begin with the same message
    /// need [`first`](Self::first) and [`second`](Self::second).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn choose<M: Message, N: State, I>(
        mut self,
        message: M,
    ) -> impl Future<Output = Result<Session<P, N, E>, SessionError>>
    where
        S: Selects<P, M, N, I>,
    {
        S::tags(&mut |tag| self.core.tag(tag));
        let queued = self.queue(&message);
        self.flushed::<M, N>(queued)
    }

    fn queue<M: Message>(&mut self, message: &M) -> Result<(), SessionError> {
        const { assert!(M::MAX_BYTES <= MAX_MESSAGE_BYTES, "a message's MAX_BYTES exceeds MAX_MESSAGE_BYTES") }
        self.core.queue(message)
    }

    async fn flushed<M: Message, N: State>(
        mut self,
        queued: Result<(), SessionError>,
    ) -> Result<Session<P, N, E>, SessionError> {
        queued?;
        let at = StateName::Sending(M::NAME);
        poll_fn(|cx| Poll::Ready(self.core.check_turn(cx, at))).await?;
        if !N::SPEAKS {
            // The end of the stream travels with the last message. Delivery has to be asked about only if no answer
            // shows it.
            self.core.end(N::OVER);
        }
        self.core.flush(at, M::DEADLINE, 0).await?;
        Ok(self.cast())
    }

    /// Receives the message that is due.
    ///
    /// # Errors
    /// [`SessionError::Violation`] if the peer sends something else, too much or too late, [`SessionError::Lost`] if
    /// the stream is lost.
    pub async fn recv<M: Message, N>(mut self) -> Result<(M, Session<P, N, E>), SessionError>
    where
        S: Receives<P, M, N>,
    {
        const { assert!(M::MAX_BYTES <= MAX_MESSAGE_BYTES, "a message's MAX_BYTES exceeds MAX_MESSAGE_BYTES") }
        let message = poll_fn(|cx| self.core.poll_message(cx)).await?;
        Ok((message, self.cast()))
    }

    /// Waits until the peer's next message, or its choice, is here. [`recv`](Self::recv) or [`offer`](Self::offer)
    /// then returns at once. Cancel safe: for a `select!` with a shutdown signal or a timer. The deadline runs on
    /// across waits.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn arrived(&mut self) -> Result<(), SessionError>
    where
        S: Awaits,
    {
        poll_fn(|cx| {
            ready!(self.core.poll_paid(cx));
            match S::MESSAGE {
                Some(message) => self.core.poll_arrived(cx, &message).map_ok(drop),
                None => self.core.poll_tag(cx, StateName::Choice(S::first_messages), S::OPENING),
            }
        })
        .await
    }

    /// Chooses the first branch. Its tag goes out with the next message.
    pub fn first<A, B>(mut self) -> Session<P, A, E>
    where
        S: Chooses<P, A, B>,
    {
        self.core.tag(FIRST);
        self.cast()
    }

    /// Chooses the second branch. Its tag goes out with the next message.
    pub fn second<A, B>(mut self) -> Session<P, B, E>
    where
        S: Chooses<P, A, B>,
    {
        self.core.tag(SECOND);
        self.cast()
    }

    /// Waits for the peer's choice; [`offer!`](crate::offer!) reads better for more than two branches. The deadline
    /// is the longest of the branches' first messages.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn offer<A, B>(mut self) -> Result<Branch<Session<P, A, E>, Session<P, B, E>>, SessionError>
    where
        S: Offers<P, A, B> + State,
    {
        let second = poll_fn(|cx| self.core.poll_branch(cx, StateName::Choice(S::first_messages), S::OPENING)).await?;
        Ok(if second { Branch::Second(self.cast()) } else { Branch::First(self.cast()) })
    }

    /// Gives the session up. The stream is reset with [`WireCode::Abandoned`].
    pub fn abandon(mut self) {
        self.core.give_up(WireCode::Abandoned);
    }

    /// Gives the session up because there is no capacity. The stream is reset with [`WireCode::Busy`].
    pub fn refuse(mut self) {
        self.core.give_up(WireCode::Busy);
    }

    /// Ends the session because the peer's message, though well-formed, breaks a rule of the protocol, such as a
    /// content hash. `rule` is the rule's code and becomes the violation's. Returns the violation to report.
    #[must_use = "the violation is to be reported"]
    pub fn broken(mut self, message: &'static str, rule: &'static str, detail: impl Into<String>) -> SessionError {
        self.core.violation(StateName::Awaiting(message), ViolationKind::RuleBroken { rule, detail: detail.into() })
    }

    /// The peer at the other end.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.core.channel().peer()
    }

    /// The protocol's name.
    #[must_use]
    pub fn protocol(&self) -> &str {
        &self.core.protocol
    }

    /// Bytes received and sent so far.
    #[must_use]
    pub fn traffic(&self) -> (u64, u64) {
        self.core.traffic()
    }

    /// Sends this session's data before that of sessions of the same connection with a lower priority. A new session
    /// has 0, or [`bulk::BULK_PRIORITY`] if it carries bulk.
    pub fn prioritise(&mut self, priority: i32) {
        self.core.channel().writer.prioritise(priority);
    }
}

impl<P, S, E> Session<P, Rec<S>, E> {
    /// Enters a loop.
    pub fn enter(self) -> Session<P, S, (S, E)> {
        self.cast()
    }
}

impl<P, S, E> Session<P, Var<Z>, (S, E)> {
    /// Goes back to the beginning of the innermost loop.
    pub fn repeat(self) -> Session<P, S, (S, E)> {
        self.cast()
    }
}

impl<P, N, S, E> Session<P, Var<Succ<N>>, (S, E)> {
    /// Leaves the innermost loop and goes on in the one around it.
    pub fn outer(self) -> Session<P, Var<N>, E> {
        self.cast()
    }
}

impl<P, E> Session<P, Eps, E> {
    /// Ends the session in order. Returns when the peer's transport has everything that was sent and the peer has
    /// ended its side, at most [`CLOSE_DEADLINE`] later.
    ///
    /// # Errors
    /// [`ViolationKind::AfterEnd`] if data comes after the end, [`ViolationKind::Late`] if the peer doesn't end its
    /// side in time, [`ViolationKind::Stalled`] if it doesn't take what was sent, [`SessionError::Lost`] if the
    /// stream is lost. A connection that the peer closes in good order meanwhile is no error.
    pub async fn close(mut self) -> Result<(), SessionError> {
        self.core.close(true).await
    }

    /// Ends the session in order like [`close`](Self::close), but doesn't wait until the last message is delivered:
    /// the connection goes on with it while it is open. For a side that keeps its connection and whose peer notices a
    /// missing answer. A server that answers many short sessions saves a wait for each.
    ///
    /// # Errors
    /// As [`close`](Self::close).
    pub async fn leave(mut self) -> Result<(), SessionError> {
        self.core.close(false).await
    }
}

impl<P, S, E> fmt::Debug for Session<P, S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("protocol", &self.core.protocol)
            .field("peer", &self.peer())
            .finish_non_exhaustive()
    }
}
