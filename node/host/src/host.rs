//! What a node's roles share, and nothing else: two roles of one node talk to each other over the same protocols as roles of different nodes do.

use crate::{
    platform::{Randomness, Work},
    tasks::Spawner,
};
use shardwire_model::Clock;
use shardwire_peers::Peers;
use shardwire_store::{Artefacts, Store, StoreError};
use shardwire_telemetry::Telemetry;
use shardwire_transport::identity::Identity;
use shardwire_world::WorldIdentity;
use std::sync::Arc;

/// What every role needs of the node that it is part of.
#[derive(Debug)]
pub struct Host {
    /// The node's key.
    pub identity: Identity,
    /// Which World this node works in: whose word counts there.
    pub world: Arc<WorldIdentity>,
    /// What date it is: [`now`](Clock::now) for what is signed and stored, [`steady`](Clock::steady) for what has a length.
    pub clock: Arc<dyn Clock>,
    /// What the roles have promised.
    pub store: Store,
    /// Large files: witness chunks, witnesses, proofs.
    pub artefacts: Artefacts,
    /// What this node thinks of its peers: roles note what they see.
    pub peers: Arc<Peers>,
    /// How work is done that would hold up the async threads.
    pub work: Work,
    /// Where the seeds of its waits come from.
    pub randomness: Randomness,
    /// Where metrics are registered and events observed.
    pub telemetry: Telemetry,
    /// Where tasks begin that no session owns.
    pub tasks: Spawner,
}

impl Host {
    /// Does what mustn't be left half done, because a part of it is durable before the rest: it goes on if the session that waits for it ends.
    ///
    /// # Errors
    /// Those of the work; [`StoreError::Closed`] if the node ends before it does.
    pub async fn see_through<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E> {
        self.tasks.finish(work).await.unwrap_or_else(|| Err(StoreError::Closed.into()))
    }
}
