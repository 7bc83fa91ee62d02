//! The other side of a pipeline: requests are read before earlier ones are answered.
//!
//! A responder that goes step by step reads a request when its answer to the one before is written. If an answer has to wait for something
//! that many requests can share, such as a disk, that wait is paid for each request. [`Session::answer_ahead`] reads the next request when the
//! one before has been *taken*; the answers follow in the order of the requests, each as soon as it is known and all earlier ones are.
//!
//! The requester's type stays as it is, and it can't tell the difference: to read is not to wait, because an answer that is known is written
//! whether or not another request is there.
//!
//! **Bounds.** At most `DEPTH` requests are unanswered, one of them being taken; answers that are known are written before more is read. A peer whose requests
//! are all unanswered may send nothing more: [`ViolationKind::OutOfTurn`].
//!
//! **Deadlines.** The peer's deadline for its next message runs while nothing is unanswered, since only then it is the peer's turn. The answers that are
//! known at one moment are written together, within the deadline of one.

use super::{MAX_PIPELINE_BYTES, check_bounds};
use crate::{
    algebra::{Offer, Recv, Send, Var, Z},
    graph::State,
    message::Message,
    session::{
        Session,
        core::{Core, NO_DEADLINE, StateName},
        error::{SessionError, ViolationKind},
    },
};
use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

/// The state in which the peer makes requests: the dual of [`Requests`](super::Requests).
pub type Answers<Req, Resp, Q> = Offer<Recv<Req, Send<Resp, Var<Z>>>, Q>;

/// A session in state [`Answers`], within the loop that this state begins.
type Looping<P, Req, Resp, Q, E> = Session<P, Answers<Req, Resp, Q>, (Answers<Req, Resp, Q>, E)>;

/// A session whose peer has left the requests for `Q`, still within their loop.
pub type Answered<P, Req, Resp, Q, E> = Session<P, Q, (Answers<Req, Resp, Q>, E)>;

impl<P, Req, Resp, Q, E> Looping<P, Req, Resp, Q, E>
where
    Req: Message,
    Resp: Message,
    Answers<Req, Resp, Q>: State,
{
    /// Answers requests until the peer goes on to `Q` and all of its requests are answered. Up to `DEPTH` of them, at most the request's
    /// [`Message::PIPELINE_DEPTH`], may be unanswered.
    ///
    /// `take` is called for each request in their order, and not for the next one before its future has ended. That future's output is the future
    /// of the answer. The oldest answer's future alone is polled, so the others must make progress without that.
    ///
    /// # Errors
    /// What `take` or an answer fails with, and what a [`SessionError`] becomes: [`SessionError::Violation`] if the peer breaks the protocol,
    /// [`SessionError::Lost`] if the stream is lost. What is unanswered then stays so.
    pub async fn answer_ahead<const DEPTH: usize, F, A, X>(
        mut self,
        mut take: impl FnMut(Req) -> F,
    ) -> Result<Answered<P, Req, Resp, Q, E>, X>
    where
        F: Future<Output = Result<A, X>>,
        A: Future<Output = Result<Resp, X>>,
        X: From<SessionError>,
    {
        const {
            check_bounds::<Req, Resp>(DEPTH);
            assert!(
                (Req::MAX_BYTES as u64 + Resp::MAX_BYTES as u64) * DEPTH as u64 <= MAX_PIPELINE_BYTES,
                "DEPTH × (Req::MAX_BYTES + Resp::MAX_BYTES) exceeds MAX_PIPELINE_BYTES"
            );
        }
        let awaiting = StateName::Choice(<Answers<Req, Resp, Q> as State>::first_messages);
        let mut reading = Reading { awaiting, chosen: false, left: false };
        let mut answers = VecDeque::new();
        let mut taken = pin!(None::<F>);
        poll_fn(|cx| {
            let core = &mut *self.core;
            loop {
                if let Some(taking) = taken.as_mut().as_pin_mut()
                    && let Poll::Ready(answer) = taking.poll(cx)
                {
                    taken.set(None);
                    answers.push_back(Box::pin(answer?));
                }
                ready!(poll_answers(core, cx, &mut answers))?;
                if taken.is_some() {
                    return Poll::Pending;
                }
                let unanswered = answers.len();
                if reading.left {
                    return if unanswered == 0 { Poll::Ready(Ok(())) } else { Poll::Pending };
                }
                let patience = if unanswered == 0 { <Answers<Req, Resp, Q> as State>::OPENING } else { NO_DEADLINE };
                if unanswered == DEPTH {
                    ready!(core.poll_tag(cx, awaiting, patience))?;
                    let bytes = core.buffered();
                    return Poll::Ready(Err(core.violation(awaiting, ViolationKind::OutOfTurn { bytes }).into()));
                }
                if let Some(request) = ready!(reading.poll_request(core, cx, patience))? {
                    taken.set(Some(take(request)));
                }
            }
        })
        .await
        .map(|()| Session::from_core(self.core))
    }
}

/// How far the next request is read.
struct Reading {
    awaiting: StateName,
    /// The branch of requests is chosen, its message isn't there yet.
    chosen: bool,
    /// The other branch is chosen.
    left: bool,
}

impl Reading {
    /// The next request; none if the peer has gone on.
    fn poll_request<Req: Message>(
        &mut self,
        core: &mut Core,
        cx: &mut Context<'_>,
        patience: Duration,
    ) -> Poll<Result<Option<Req>, SessionError>> {
        if !self.chosen {
            self.left = ready!(core.poll_branch(cx, self.awaiting, patience))?;
            if self.left {
                return Poll::Ready(Ok(None));
            }
            self.chosen = true;
        }
        let request = ready!(core.poll_message::<Req>(cx))?;
        core.reads_ahead();
        self.chosen = false;
        Poll::Ready(Ok(Some(request)))
    }
}

/// Writes the answers that are known, in order; ready when nothing is left to write.
fn poll_answers<A, Resp, X>(
    core: &mut Core,
    cx: &mut Context<'_>,
    answers: &mut VecDeque<Pin<Box<A>>>,
) -> Poll<Result<(), X>>
where
    A: Future<Output = Result<Resp, X>>,
    Resp: Message,
    X: From<SessionError>,
{
    loop {
        ready!(core.poll_written(cx, StateName::Sending(Resp::NAME), Resp::DEADLINE))?;
        let mut known = false;
        while let Some(answer) = answers.front_mut()
            && let Poll::Ready(answer) = answer.as_mut().poll(cx)
        {
            answers.pop_front();
            core.queue(&answer?)?;
            known = true;
        }
        if !known {
            return Poll::Ready(Ok(()));
        }
        if answers.is_empty() {
            core.wait_anew(); // it is the peer's turn from now on
        }
    }
}
