//! Protocols of questions and answers: one request, one response, until goodbye.
//!
//! What [`control`](crate::control), [`reputation`](crate::reputation) and [`life`](crate::life) have in common: the session's type, both halves, and
//! that a request which can't be done is answered with code, reason and next step while the session goes on. Each is a protocol of its own because
//! the bytes of a version never change.
//!
//! Only a peer that the node's [`Handler`] allows is served: for the node's own identity (whoever can read the key file) and those listed
//! as administrators that is everything; others get the reason for every request.

use crate::{ServeError, pace};
use serde::{Deserialize, Serialize};
use shardwire_model::{Cause, Coded, MAX_CODE, MAX_REASON, PeerId, bounded};
use shardwire_transport::{
    Branch, Initiator, Message, Protocol, Responder, Session, SessionError,
    algebra::{Choose, Eps, Offer, Rec, Recv, Send, Var, Z},
    message,
};
use std::future::Future;

/// The code of the answer to a peer that may not control the node.
pub const NOT_ALLOWED: &str = "SW-CONTROL-001";

/// What the command line does: ask, or say goodbye.
pub type Turn<Q, A> = Choose<Send<Q, Recv<A, Var<Z>>>, Send<Bye, Eps>>;
/// What the node does.
pub type Heard<Q, A> = Offer<Recv<Q, Send<A, Var<Z>>>, Recv<Bye, Eps>>;

/// The command line has no further request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {}

message!(Bye, max_bytes = 0, deadline = pace::IDLE);

/// A protocol whose type is `Rec<`[`Turn`]`>`.
pub trait Exchange: Protocol {
    /// What is asked.
    type Request: Message + std::marker::Send;
    /// What is answered.
    type Response: Answer + std::marker::Send;
    /// The code of a response that answers another request.
    const UNEXPECTED: &'static str;
}

/// Why a request can't be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// A stable code.
    #[serde(deserialize_with = "bounded::text::<_, MAX_CODE>")]
    pub code: String,
    /// What is wrong.
    #[serde(deserialize_with = "bounded::text::<_, MAX_REASON>")]
    pub reason: String,
    /// What to do next.
    #[serde(deserialize_with = "bounded::text::<_, MAX_REASON>")]
    pub next_step: String,
}

/// A response, which may be that the request failed.
pub trait Answer: Message {
    /// That it failed. The texts are within their bounds.
    fn of_failure(failed: Failed) -> Self;

    /// Itself, or why the request failed.
    ///
    /// # Errors
    /// What [`of_failure`](Self::of_failure) was given.
    fn or_failure(self) -> Result<Self, Failed>;

    /// Leaves out what would exceed a list's bound, so that a response can always be sent.
    #[must_use]
    fn within_bounds(self) -> Self;

    /// The answer to a request that failed.
    #[must_use]
    fn failed(error: &(dyn Coded + '_)) -> Self {
        Self::failure(error.code(), &error.to_string(), &error.next_step())
    }

    /// As [`failed`](Self::failed), in words. What is longer than its bound is cut.
    #[must_use]
    fn failure(code: &str, reason: &str, next_step: &str) -> Self {
        let Cause { code, reason } = Cause::new(code, reason);
        Self::of_failure(Failed { code, reason, next_step: bounded::cut(next_step, MAX_REASON) })
    }
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The session failed.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The node says why.
    #[error("{cause}")]
    Failed {
        /// Its reason.
        cause: Cause,
        /// What it says to do next.
        next_step: String,
    },
    /// An earlier request has failed with the session.
    #[error("the session with the node is over")]
    Over,
}

impl From<Failed> for ControlError {
    fn from(Failed { code, reason, next_step }: Failed) -> Self {
        Self::Failed { cause: Cause { code, reason }, next_step }
    }
}

impl Coded for ControlError {
    fn code(&self) -> &'static str {
        match self {
            Self::Session(error) => error.code(),
            Self::Failed { .. } => "SW-CONTROL-002",
            Self::Over => "SW-CONTROL-003",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Session(error) => error.next_step(),
            // The words are the node's: it may have sent none.
            Self::Failed { next_step, .. } if next_step.trim().is_empty() => "Look at the node's log for more.".into(),
            Self::Failed { next_step, .. } => next_step.clone(),
            Self::Over => "Connect again.".into(),
        }
    }
}

type Asking<P> = Turn<<P as Exchange>::Request, <P as Exchange>::Response>;
type Hearing<P> = Heard<<P as Exchange>::Request, <P as Exchange>::Response>;
/// A session in which the command line may ask.
type Idle<P> = Session<P, Asking<P>, (Asking<P>, ())>;

/// Asks a node.
#[derive(Debug)]
pub struct Client<P: Exchange>(Option<Idle<P>>);

impl<P: Exchange> Client<P> {
    /// Begins.
    pub fn new(session: Initiator<P>) -> Self
    where
        P: Protocol<Initiator = Rec<Asking<P>>>,
    {
        Self(Some(session.enter()))
    }

    /// Asks anything. What the node can't do is an error.
    ///
    /// # Errors
    /// If the session fails (then it is over), or the node says why it can't (then the session goes on).
    pub async fn request(&mut self, request: P::Request) -> Result<P::Response, ControlError> {
        let session = self.0.take().ok_or(ControlError::Over)?;
        let (response, session) = session.first().send(request).await?.recv::<P::Response, _>().await?;
        self.0 = Some(session.again());
        Ok(response.or_failure()?)
    }

    /// That a response answers another request than the last one. The session is over then.
    pub(crate) fn unexpected<T>(&mut self) -> Result<T, ControlError> {
        let session = self.0.take().ok_or(ControlError::Over)?;
        Err(session.broken("Response", P::UNEXPECTED, "the response answers another request").into())
    }

    /// Ends the session in good order.
    ///
    /// # Errors
    /// If the session is lost first.
    pub async fn close(self) -> Result<(), SessionError> {
        match self.0 {
            Some(session) => session.second().send(Bye {}).await?.close().await,
            None => Ok(()),
        }
    }
}

/// The node's side.
pub trait Handler<P: Exchange>: Sync {
    /// Whether this peer may ask that.
    fn allows(&self, peer: PeerId, request: &P::Request) -> bool;

    /// Does what this peer asks; what fails becomes [`Answer::failed`].
    fn handle(&self, peer: PeerId, request: P::Request) -> impl Future<Output = P::Response> + std::marker::Send;
}

/// Serves requests until the peer says goodbye.
///
/// # Errors
/// If the session fails.
pub async fn serve<P, H: Handler<P>>(session: Responder<P>, handler: &H) -> Result<(), ServeError>
where
    P: Exchange + Protocol<Responder = Rec<Hearing<P>>>,
{
    let peer = session.peer();
    let mut session = session.enter();
    loop {
        session = match session.offer().await? {
            Branch::First(asked) => {
                let (request, answer) = asked.recv::<P::Request, _>().await?;
                let response = match handler.allows(peer, &request) {
                    true => handler.handle(peer, request).await,
                    false => refusal(peer),
                };
                answer.send(response.within_bounds()).await?.again()
            }
            Branch::Second(end) => return Ok(end.recv::<Bye, _>().await?.1.close().await?),
        };
    }
}

fn refusal<A: Answer>(peer: PeerId) -> A {
    let reason = format!("peer {peer} may not control this node");
    A::failure(NOT_ALLOWED, &reason, "Use the node's own data folder, or add the peer to the node's administrators.")
}
