//! The command line's half.

use super::{Control, ControlError, NodeStatus, PeerStatus, Request, Response, ShardStatus, StorageStatus};
use crate::exchange;
use shardwire_model::{ShardId, ShardStart, Slot, StartRequest};

/// Asks a node.
pub type Client = exchange::Client<Control>;

impl Client {
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

    /// A page of the World's storage after a slot, and whether there is another.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn world_page(&mut self, after: Option<Slot>) -> Result<(Vec<StorageStatus>, bool), ControlError> {
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
            let last = all.last().map(StorageStatus::slot);
            let (page, more) = self.world_page(last).await?;
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
}
