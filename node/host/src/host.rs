//! What a node's roles share, and nothing else: two roles of one node talk to each other over the same protocols as roles of different nodes do.

use crate::{
    platform::{Randomness, Work},
    tasks::Spawner,
};
use shardwire_model::Clock;
use shardwire_peers::Peers;
use shardwire_store::{Artefacts, Store};
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
