//! The half that asks.

use super::{
    Administration, AdministrationError, Bye, HistoryCursor, NodeStatus, Overview, PeerStatus, PeerView, Request,
    Response, ShardStatus, StorageStatus, Turn, error::UNEXPECTED, node, peer, shard, world,
};
use crate::{Signed, evidence::MAX_EVIDENCE_BYTES};
use shardwire_model::{PeerId, ShardId, ShardStart, Slot, StartRequest, Timestamp, life::HistoryEntry};
use shardwire_transport::{Initiator, Session, SessionError};

type Result<T> = std::result::Result<T, AdministrationError>;

/// Peers, and whether there are more after the last one.
pub type Page = (Vec<PeerView>, bool);

/// A shard that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// With which start data.
    pub start: ShardStart,
    /// How many seconds its deadline leaves, by the settler's date.
    pub left_s: u64,
    /// Whether its operator is connected to the settler.
    pub operator_connected: bool,
}

/// Asks a node.
///
/// Every request fails with [`AdministrationError::Session`] if the session does (then it is over: what follows fails with
/// [`AdministrationError::Over`]), and with [`AdministrationError::Failed`] if the node says why it can't (then the session goes on).
#[derive(Debug)]
pub struct Client(Option<Session<Administration, Turn, (Turn, ())>>);

impl Client {
    /// Begins at the session's first state.
    pub fn new(session: Initiator<Administration>) -> Self {
        Self(Some(session.enter()))
    }

    /// Asks anything.
    ///
    /// # Errors
    /// [`AdministrationError::Session`] or [`AdministrationError::Over`] if the session is over, [`AdministrationError::Failed`] if the node says why it can't.
    pub async fn request(&mut self, request: Request) -> Result<Response> {
        let session = self.0.take().ok_or(AdministrationError::Over)?;
        let (response, session) = session.choose(request).await?.recv::<Response, _>().await?;
        self.0 = Some(session.repeat());
        match response {
            Response::Failed(failed) => Err(failed.into()),
            response => Ok(response),
        }
    }

    /// That a response answers another request than the last one. The session is over then.
    fn unexpected<T>(&mut self) -> Result<T> {
        let session = self.0.take().ok_or(AdministrationError::Over)?;
        Err(session.broken("Response", UNEXPECTED, "the response answers another request").into())
    }

    async fn about_node(&mut self, request: node::Request) -> Result<node::Response> {
        match self.request(Request::Node(request)).await? {
            Response::Node(response) => Ok(response),
            _ => self.unexpected(),
        }
    }

    async fn about_shards(&mut self, request: shard::Request) -> Result<shard::Response> {
        match self.request(Request::Shard(request)).await? {
            Response::Shard(response) => Ok(response),
            _ => self.unexpected(),
        }
    }

    async fn about_peers(&mut self, request: peer::Request) -> Result<peer::Response> {
        match self.request(Request::Peer(request)).await? {
            Response::Peer(response) => Ok(response),
            _ => self.unexpected(),
        }
    }

    /// How the node is.
    ///
    /// # Errors
    /// [`AdministrationError::Session`] or [`AdministrationError::Over`] if the session is over, [`AdministrationError::Failed`] if the node says why it can't.
    pub async fn status(&mut self) -> Result<NodeStatus> {
        match self.about_node(node::Request::Status).await? {
            node::Response::Status(status) => Ok(*status),
            _ => self.unexpected(),
        }
    }

    /// How many peers there are of which tier, and how loaded the node is.
    ///
    /// # Errors
    /// [`AdministrationError::Session`] or [`AdministrationError::Over`] if the session is over, [`AdministrationError::Failed`] if the node says why it can't.
    pub async fn overview(&mut self) -> Result<Overview> {
        match self.about_node(node::Request::Overview).await? {
            node::Response::Overview(overview) => Ok(*overview),
            _ => self.unexpected(),
        }
    }

    /// Has the node read the lists of peers in its configuration again; how many peers it names to work with, allows and denies.
    ///
    /// # Errors
    /// [`AdministrationError::Session`] or [`AdministrationError::Over`] if the session is over, [`AdministrationError::Failed`] if the node says why it can't.
    pub async fn reload(&mut self) -> Result<[u32; 3]> {
        match self.about_node(node::Request::Reload).await? {
            node::Response::Reloaded { configured, allowed, denied } => Ok([configured, allowed, denied]),
            _ => self.unexpected(),
        }
    }

    /// Drains and stops the node.
    ///
    /// # Errors
    /// [`AdministrationError::Session`] or [`AdministrationError::Over`] if the session is over, [`AdministrationError::Failed`] if the node says why it can't.
    pub async fn stop(&mut self) -> Result<()> {
        match self.about_node(node::Request::Stop).await? {
            node::Response::Stopping => Ok(()),
            _ => self.unexpected(),
        }
    }

    /// Starts a shard, also with an operator that the settler has never met if that is said.
    ///
    /// # Errors
    /// [`AdministrationError::Session`] or [`AdministrationError::Over`] if the session is over, [`AdministrationError::Failed`] if the node says why it can't.
    pub async fn start(
        &mut self,
        request: StartRequest,
        timeout_s: Option<u64>,
        unknown_operator: bool,
    ) -> Result<Started> {
        match self.about_shards(shard::Request::Start { request, timeout_s, unknown_operator }).await? {
            shard::Response::Started { start, left_s, operator_connected } => {
                Ok(Started { start: *start, left_s, operator_connected })
            }
            _ => self.unexpected(),
        }
    }

    /// Aborts a shard; since when it is.
    ///
    /// # Errors
    /// [`AdministrationError::Session`] or [`AdministrationError::Over`] if the session is over, [`AdministrationError::Failed`] if the node says why it can't.
    pub async fn abort(&mut self, shard: ShardId) -> Result<Timestamp> {
        match self.about_shards(shard::Request::Abort { shard }).await? {
            shard::Response::Aborted { at } => Ok(at),
            _ => self.unexpected(),
        }
    }

    /// Has a shard's jobs tried again that the node has given up; how many there are.
    ///
    /// # Errors
    /// [`AdministrationError::Session`] or [`AdministrationError::Over`] if the session is over, [`AdministrationError::Failed`] if the node says why it can't.
    pub async fn retry(&mut self, shard: ShardId) -> Result<u32> {
        match self.about_shards(shard::Request::Retry { shard }).await? {
            shard::Response::Retried { jobs } => Ok(jobs),
            _ => self.unexpected(),
        }
    }

    /// How one shard is, or all are.
    ///
    /// # Errors
    /// [`AdministrationError::Session`] or [`AdministrationError::Over`] if the session is over, [`AdministrationError::Failed`] if the node says why it can't.
    pub async fn shards(&mut self, shard: Option<ShardId>) -> Result<Vec<ShardStatus>> {
        match self.about_shards(shard::Request::Status { shard }).await? {
            shard::Response::Shards(shards) => Ok(shards),
            _ => self.unexpected(),
        }
    }

    /// What the node has signed about a shard, all pages. Pages must go forward, so this ends.
    ///
    /// # Errors
    /// [`AdministrationError::Session`] or [`AdministrationError::Over`] if the session is over, [`AdministrationError::Failed`] if the node says why it can't.
    pub async fn history(&mut self, shard: ShardId) -> Result<Vec<Signed<HistoryEntry>>> {
        let mut all: Vec<Signed<HistoryEntry>> = Vec::new();
        loop {
            let after = all.last().map(|entry| HistoryCursor::of(&entry.statement));
            let shard::Response::History { entries, more } =
                self.about_shards(shard::Request::History { shard, after }).await?
            else {
                return self.unexpected();
            };
            let places = entries.iter().map(|entry| HistoryCursor::of(&entry.statement));
            let forward = after.into_iter().chain(places).is_sorted_by(|a, b| a < b);
            let asked = entries.iter().all(|entry| entry.statement.part.shard == shard);
            if !forward || !asked || (more && entries.is_empty()) {
                return self.unexpected();
            }
            all.extend(entries);
            if !more {
                return Ok(all);
            }
        }
    }

    /// A page of the World's storage after a key, and whether there is another.
    ///
    /// # Errors
    /// [`AdministrationError::Session`] or [`AdministrationError::Over`] if the session is over, [`AdministrationError::Failed`] if the node says why it can't.
    pub async fn storage_page(&mut self, after: Option<Slot>) -> Result<(Vec<StorageStatus>, bool)> {
        match self.request(Request::World(world::Request::Storage { after })).await? {
            Response::World(world::Response::Storage { storage, more }) => Ok((storage, more)),
            _ => self.unexpected(),
        }
    }

    /// The World's storage, all pages. Pages must go forward, so this ends.
    ///
    /// # Errors
    /// [`AdministrationError::Session`] or [`AdministrationError::Over`] if the session is over, [`AdministrationError::Failed`] if the node says why it can't.
    pub async fn storage(&mut self) -> Result<Vec<StorageStatus>> {
        let mut all: Vec<StorageStatus> = Vec::new();
        loop {
            let last = all.last().map(StorageStatus::slot);
            let (page, more) = self.storage_page(last).await?;
            let forward = last.into_iter().chain(page.iter().map(StorageStatus::slot)).is_sorted_by(|a, b| a < b);
            if !forward || (more && page.is_empty()) {
                return self.unexpected();
            }
            all.extend(page);
            if !more {
                return Ok(all);
            }
        }
    }

    /// How the connections with its peers are.
    ///
    /// # Errors
    /// [`AdministrationError::Session`] or [`AdministrationError::Over`] if the session is over, [`AdministrationError::Failed`] if the node says why it can't.
    pub async fn links(&mut self) -> Result<Vec<PeerStatus>> {
        match self.about_peers(peer::Request::Links).await? {
            peer::Response::Links(links) => Ok(links),
            _ => self.unexpected(),
        }
    }

    /// A page of peers after an id.
    ///
    /// # Errors
    /// [`AdministrationError::Session`] or [`AdministrationError::Over`] if the session is over, [`AdministrationError::Failed`] if the node says why it can't.
    pub async fn peers_page(&mut self, after: Option<PeerId>) -> Result<Page> {
        match self.about_peers(peer::Request::List { after }).await? {
            peer::Response::Peers { peers, more } => {
                let forward = after.iter().chain(peers.iter().map(|it| &it.peer)).is_sorted_by(|a, b| a < b);
                if forward && (!more || !peers.is_empty()) { Ok((peers, more)) } else { self.unexpected() }
            }
            _ => self.unexpected(),
        }
    }

    /// What is asked or told about one peer: shows it, after that was done.
    ///
    /// # Errors
    /// [`AdministrationError::Session`] or [`AdministrationError::Over`] if the session is over, [`AdministrationError::Failed`] if the node says why it can't.
    pub async fn peer(&mut self, request: peer::Request) -> Result<PeerView> {
        match self.about_peers(request).await? {
            peer::Response::Peer(peer) => Ok(*peer),
            _ => self.unexpected(),
        }
    }

    /// A piece of evidence against a peer, whole. Parts must go forward, so this ends.
    ///
    /// # Errors
    /// [`AdministrationError::Session`] or [`AdministrationError::Over`] if the session is over, [`AdministrationError::Failed`] if the node says why it can't.
    pub async fn evidence(&mut self, peer: PeerId, number: u32) -> Result<Vec<u8>> {
        let mut evidence = Vec::new();
        loop {
            let from = u32::try_from(evidence.len()).unwrap_or(u32::MAX);
            let peer::Response::Evidence { bytes, part } =
                self.about_peers(peer::Request::Evidence { peer, number, from }).await?
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
    /// [`SessionError::Lost`] if the connection is lost first, [`SessionError::Violation`] if the node doesn't end its side.
    pub async fn close(self) -> std::result::Result<(), SessionError> {
        match self.0 {
            Some(session) => session.choose(Bye {}).await?.close().await,
            None => Ok(()),
        }
    }
}
