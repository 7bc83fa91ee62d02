//! A pipeline that remembers what each request under way was about, and how it failed.
//!
//! A half whose methods borrow it (so that they can be used in `select!`) can't consume its session at a fault; it ends
//! it here, and answers every later call with the same error.

use shardwire_model::Mutation;
use shardwire_transport::{Local, Message, Pipeline, Session, SessionError, pipeline::Requests};
use std::collections::VecDeque;

/// A session in state `S`, within the loop in which requests are made, or how it failed.
type Looping<P, Req, Resp, Q, S, E> = Result<Session<P, S, (Requests<Req, Resp, Q>, E)>, SessionError>;

/// See the [module](self). `N` is what is noted of a request.
pub(crate) struct NotedPipeline<P, Req, Resp, Q, E, N, const DEPTH: usize> {
    state: Result<Pipeline<P, Req, Resp, Q, E, DEPTH>, SessionError>,
    /// One note for each request under way, the oldest first; so at most `DEPTH`.
    notes: VecDeque<N>,
}

impl<P, Req: Message, Resp: Message, Q, E, N, const DEPTH: usize> NotedPipeline<P, Req, Resp, Q, E, N, DEPTH> {
    pub(crate) fn new(pipeline: Pipeline<P, Req, Resp, Q, E, DEPTH>) -> Self {
        Self { state: Ok(pipeline), notes: VecDeque::new() }
    }

    /// The notes of the requests under way, the oldest first.
    pub(crate) fn notes(&self) -> &VecDeque<N> {
        &self.notes
    }

    /// Whether another request may be made now.
    pub(crate) fn has_room(&self) -> bool {
        self.notes.len() < DEPTH || Mutation::CreditUnbounded.is_planted()
    }

    /// Makes a request. Cancel safe as the pipeline's is: it counts as made.
    pub(crate) async fn request(&mut self, request: Req, note: N) -> Result<(), SessionError> {
        let pipeline = self.state.as_mut().map_err(|error| error.clone())?;
        self.notes.push_back(note); // first: a request counts as made even if this future is dropped while it is sent
        let made = pipeline.request(request).await;
        made.map_err(|error| self.over(error))
    }

    /// Collects the oldest response and the note of its request; nothing if no request is under way. Cancel safe.
    pub(crate) async fn response(&mut self) -> Result<Option<(N, Resp)>, SessionError> {
        let pipeline = self.state.as_mut().map_err(|error| error.clone())?;
        if self.notes.is_empty() {
            return Ok(None);
        }
        let response = pipeline.response().await;
        let response = response.map_err(|error| self.over(error))?;
        Ok(self.notes.pop_front().map(|note| (note, response)))
    }

    /// The response just collected breaks a rule: ends the session, and returns the violation.
    pub(crate) fn broken(&mut self, rule: &'static str, detail: impl Into<String>) -> SessionError {
        let unset = Local::Outstanding { protocol: "".into(), outstanding: self.notes.len() };
        let error = match std::mem::replace(&mut self.state, Err(SessionError::Local(Box::new(unset)))) {
            Ok(pipeline) => pipeline.broken(rule, detail),
            Err(error) => error,
        };
        self.over(error)
    }

    /// The session, in the state in which requests are made. No request may be under way.
    pub(crate) fn pause(self) -> Looping<P, Req, Resp, Q, Requests<Req, Resp, Q>, E> {
        self.state?.pause()
    }

    /// The session after the last request. No request may be under way.
    pub(crate) fn finish(self) -> Looping<P, Req, Resp, Q, Q, E> {
        self.state?.finish()
    }

    fn over(&mut self, error: SessionError) -> SessionError {
        self.state = Err(error.clone());
        error
    }
}

impl<P, Req, Resp, Q, E, N: std::fmt::Debug, const DEPTH: usize> std::fmt::Debug
    for NotedPipeline<P, Req, Resp, Q, E, N, DEPTH>
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NotedPipeline").field("state", &self.state).field("notes", &self.notes).finish()
    }
}
