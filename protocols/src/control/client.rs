//! The command line's half.

use super::{Bye, Control, NodeStatus, PeerStatus, Request, Response, ShardStatus, StorageStatus, Turn};
use crate::Cause;
use shardwire_model::{Coded, Key, ShardId, ShardStart, StartRequest};
use shardwire_transport::{Initiator, Session, SessionError};

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

/// Asks a node.
#[derive(Debug)]
pub struct Client(Option<Session<Control, Turn, (Turn, ())>>);

impl Client {
    /// Begins.
    pub fn new(session: Initiator<Control>) -> Self {
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
        let detail = "the response answers another request";
        Err(session.broken("Response", "SW-CONTROL-004", detail).into())
    }

    /// How the node is.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn status(&mut self) -> Result<NodeStatus, ControlError> {
        match self.request(Request::Status).await? {
            Response::Status(status) => Ok(*status),
            _ => self.unexpected(),
        }
    }

    /// Starts a shard.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn start_shard(&mut self, request: StartRequest) -> Result<ShardStart, ControlError> {
        match self.request(Request::StartShard(request)).await? {
            Response::Started(start) => Ok(*start),
            _ => self.unexpected(),
        }
    }

    /// How one shard is, or all are.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn shard_status(&mut self, shard: Option<ShardId>) -> Result<Vec<ShardStatus>, ControlError> {
        match self.request(Request::ShardStatus { shard }).await? {
            Response::Shards(shards) => Ok(shards),
            _ => self.unexpected(),
        }
    }

    /// A page of the World's storage after a key, and whether there is another.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn world_page(&mut self, after: Option<Key>) -> Result<(Vec<StorageStatus>, bool), ControlError> {
        match self.request(Request::World { after }).await? {
            Response::World { storage, more } => Ok((storage, more)),
            _ => self.unexpected(),
        }
    }

    /// The World's storage, all pages. Pages must go forward, so this ends.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn world(&mut self) -> Result<Vec<StorageStatus>, ControlError> {
        let mut all: Vec<StorageStatus> = Vec::new();
        loop {
            let last = all.last().map(|it| it.key);
            let (page, more) = self.world_page(last).await?;
            let forward = last.iter().chain(page.iter().map(|it| &it.key)).is_sorted_by(|a, b| a < b);
            if !forward || (more && page.is_empty()) {
                return self.unexpected();
            }
            all.extend(page);
            if !more {
                return Ok(all);
            }
        }
    }

    /// The peers.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn peers(&mut self) -> Result<Vec<PeerStatus>, ControlError> {
        match self.request(Request::Peers).await? {
            Response::Peers(peers) => Ok(peers),
            _ => self.unexpected(),
        }
    }

    /// Drains and stops the node.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn stop(&mut self) -> Result<(), ControlError> {
        match self.request(Request::Stop).await? {
            Response::Stopping => Ok(()),
            _ => self.unexpected(),
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
