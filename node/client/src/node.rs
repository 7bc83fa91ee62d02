//! Asking the node of a data folder.

use super::{ClientError, Dialler, Target, link::Link};
use shardwire_data::{DataError, DataPaths};
use shardwire_host::Platform;
use shardwire_model::{ShardId, ShardStart, StartRequest, Timestamp};
use shardwire_protocols::administration::{self, Administration, NodeStatus, PeerStatus, ShardStatus, StorageStatus};
use shardwire_transport::Identity;
use std::path::Path;

/// A session with a running node that does as it is told.
#[derive(Debug)]
pub struct NodeClient {
    client: administration::Client,
    link: Link,
    network: String,
    target: Target,
}

impl NodeClient {
    /// Connects to the node that runs in this data folder, as that node's own identity.
    ///
    /// # Errors
    /// [`ClientError::Data`] if none runs there, [`ClientError::Connect`] or [`ClientError::Handshake`] if it can't be reached.
    pub async fn connect(root: &Path, platform: &Platform) -> Result<Self, ClientError> {
        let (paths, running) = DataPaths::of_running(root)?;
        let identity = Identity::load(&paths.identity()).map_err(DataError::from)?;
        let dialler = Dialler { identity, network: running.network.clone(), platform: platform.clone() };
        Self::dial(&dialler, Target { peer: running.peer, address: running.dial() }).await
    }

    /// Connects to any node that lists the dialling identity among its admins.
    ///
    /// # Errors
    /// [`ClientError::Endpoint`], [`ClientError::Connect`] or [`ClientError::Handshake`] if it can't be reached.
    pub async fn dial(dialler: &Dialler, target: Target) -> Result<Self, ClientError> {
        let link = dialler.dial(&target.into()).await?;
        match link.open::<Administration>().await {
            Ok(session) => Ok(Self {
                client: administration::Client::new(session),
                link,
                network: dialler.network.clone(),
                target,
            }),
            Err(error) => {
                link.close().await;
                Err(error)
            }
        }
    }

    /// The node's network.
    #[must_use]
    pub fn network(&self) -> &str {
        &self.network
    }

    /// The node, and where it was dialled.
    #[must_use]
    pub fn target(&self) -> Target {
        self.target
    }

    /// Every request that a node answers: those below, and the rarer ones.
    pub fn administration(&mut self) -> &mut administration::Client {
        &mut self.client
    }

    /// How the node is.
    ///
    /// # Errors
    /// As every request: [`ClientError::Session`] if the session fails, [`ClientError::Administration`] if the node says why it can't.
    pub async fn status(&mut self) -> Result<NodeStatus, ClientError> {
        Ok(self.client.status().await?)
    }

    /// Starts a shard that is aborted unless it is settled after so many seconds, or after the node's own time. Says with which start data it
    /// is started. The node must be a settler.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn start_shard(
        &mut self,
        request: StartRequest,
        timeout_s: Option<u64>,
    ) -> Result<ShardStart, ClientError> {
        Ok(self.client.start(request, timeout_s, false).await?.start)
    }

    /// Aborts a shard: escrow and locks return; since when it is aborted. The node must be the settler that started it.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn abort_shard(&mut self, shard: ShardId) -> Result<Timestamp, ClientError> {
        Ok(self.client.abort(shard).await?)
    }

    /// How one shard is, or all are.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn shard_status(&mut self, shard: Option<ShardId>) -> Result<Vec<ShardStatus>, ClientError> {
        Ok(self.client.shards(shard).await?)
    }

    /// The World's storage, all of it. The node must be a settler.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn world(&mut self) -> Result<Vec<StorageStatus>, ClientError> {
        Ok(self.client.storage().await?)
    }

    /// How the node's connections with its peers are.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn peers(&mut self) -> Result<Vec<PeerStatus>, ClientError> {
        Ok(self.client.links().await?)
    }

    /// Tells the node to drain and stop.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn stop(&mut self) -> Result<(), ClientError> {
        Ok(self.client.stop().await?)
    }

    /// Ends session and connection in good order.
    pub async fn close(self) {
        // Every request has its answer; a node that is gone meanwhile need not be told.
        let _ = self.client.close().await;
        self.link.close().await;
    }
}
