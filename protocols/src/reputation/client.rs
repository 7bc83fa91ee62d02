//! The command line's half.

use super::{Bye, MAX_EVIDENCE_BYTES, Overview, PeerView, Reputation, Request, Response, Turn};
use crate::{Cause, control::ControlError};
use shardwire_model::PeerId;
use shardwire_transport::{Initiator, Session, SessionError};

/// Asks a node.
#[derive(Debug)]
pub struct Client(Option<Session<Reputation, Turn, (Turn, ())>>);

/// Peers, and whether there are more after the last one.
pub type Page = (Vec<PeerView>, bool);

impl Client {
    /// Begins.
    pub fn new(session: Initiator<Reputation>) -> Self {
        Self(Some(session.enter()))
    }

    /// Asks anything. What the node can't do is an error.
    ///
    /// # Errors
    /// If the session fails (then it is over), or the node says why it can't (then the session goes on).
    pub async fn request(&mut self, request: Request) -> Result<Response, ControlError> {
        let session = self.0.take().ok_or(ControlError::Over)?;
        let (response, session) = session.choose(request).await?.recv::<Response, _>().await?;
        self.0 = Some(session.again());
        match response {
            Response::Failed { code, reason, next_step } => {
                Err(ControlError::Failed { cause: Cause { code, reason }, next_step })
            }
            response => Ok(response),
        }
    }

    fn unexpected<T>(&mut self) -> Result<T, ControlError> {
        let session = self.0.take().ok_or(ControlError::Over)?;
        Err(session.broken("Response", "SW-REPUTATION-030", "the response answers another request").into())
    }

    /// How many peers there are of which tier, and how loaded the node is.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn overview(&mut self) -> Result<Overview, ControlError> {
        match self.request(Request::Overview).await? {
            Response::Overview(overview) => Ok(*overview),
            _ => self.unexpected(),
        }
    }

    /// A page of peers after an id.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn page(&mut self, after: Option<PeerId>) -> Result<Page, ControlError> {
        match self.request(Request::List { after }).await? {
            Response::Peers { peers, more } => {
                let forward = after.iter().chain(peers.iter().map(|it| &it.peer)).is_sorted_by(|a, b| a < b);
                if forward && (!more || !peers.is_empty()) { Ok((peers, more)) } else { self.unexpected() }
            }
            _ => self.unexpected(),
        }
    }

    /// What is asked or told about one peer: shows it, after that was done.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn peer(&mut self, request: Request) -> Result<PeerView, ControlError> {
        match self.request(request).await? {
            Response::Peer(peer) => Ok(*peer),
            _ => self.unexpected(),
        }
    }

    /// A piece of evidence against a peer, whole. Parts must go forward, so this ends.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn evidence(&mut self, peer: PeerId, number: u32) -> Result<Vec<u8>, ControlError> {
        let mut evidence = Vec::new();
        loop {
            let from = u32::try_from(evidence.len()).unwrap_or(u32::MAX);
            let Response::Evidence { bytes, part } = self.request(Request::Evidence { peer, number, from }).await?
            else {
                return self.unexpected();
            };
            evidence.extend_from_slice(&part);
            let (have, whole) = (evidence.len(), bytes as usize);
            if bytes > MAX_EVIDENCE_BYTES || have > whole || (part.is_empty() && have < whole) {
                return self.unexpected();
            }
            if have == whole {
                return Ok(evidence);
            }
        }
    }

    /// Ends the session in good order.
    ///
    /// # Errors
    /// If the session is lost first.
    pub async fn close(self) -> Result<(), SessionError> {
        match self.0 {
            Some(session) => session.choose(Bye {}).await?.close().await,
            None => Ok(()),
        }
    }
}
