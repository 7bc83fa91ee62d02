//! The command line's half.

use super::{MAX_EVIDENCE_BYTES, Overview, PeerView, Reputation, Request, Response};
use crate::exchange::{self, ControlError};
use shardwire_model::PeerId;

/// Asks a node.
pub type Client = exchange::Client<Reputation>;

/// Peers, and whether there are more after the last one.
pub type Page = (Vec<PeerView>, bool);

impl Client {
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
}
