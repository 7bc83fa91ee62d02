//! What a node does: it settles, operates, proves, or several of these.
//!
//! A role is the handler of the protocols that it serves and the loop of those that it consumes. Roles share a [`Host`] (identity,
//! clock, durable memory) and nothing else; two roles of one node talk to each other over the same protocols as roles of
//! different nodes do.

pub(crate) mod operator;
pub(crate) mod prover;
pub(crate) mod settler;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use crate::{
    surroundings::{Randomness, Work},
    tasks::Spawner,
};
use shardwire_model::Clock;
use shardwire_peers::Peers;
use shardwire_store::{Artefacts, Store};
use shardwire_telemetry::Telemetry;
use shardwire_transport::identity::Identity;
use shardwire_world::WorldIdentity;
use std::sync::Arc;
use tokio::sync::{Notify, futures::Notified};

/// What every role needs of the node that it is part of.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) identity: Identity,
    /// Which World this node works in: whose word counts there.
    pub(crate) world: Arc<WorldIdentity>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Store,
    pub(crate) artefacts: Artefacts,
    /// What this node thinks of its peers: roles note what they see.
    pub(crate) peers: Arc<Peers>,
    /// How work is done that would hold up the async threads.
    pub(crate) work: Work,
    /// Where the seeds of its waits come from.
    pub(crate) randomness: Randomness,
    /// Where metrics are registered and events observed.
    pub(crate) telemetry: Telemetry,
    /// Where tasks begin that no session owns.
    pub(crate) tasks: Spawner,
}

/// Wakes whoever waits for a state to change, in the order in which they began to wait (tokio's `watch` wakes in a random one). A waiter asks
/// for the next change *before* it looks, so that none is missed.
#[derive(Debug)]
pub(crate) struct Changes(Notify);

impl Changes {
    pub(crate) fn new() -> Self {
        Self(Notify::new())
    }

    pub(crate) fn announce(&self) {
        self.0.notify_waiters();
    }

    /// Completes at the first change after this call.
    pub(crate) fn next(&self) -> Notified<'_> {
        self.0.notified()
    }

    /// Looks again at each change until `look` finds something.
    pub(crate) async fn until<T, E>(&self, mut look: impl FnMut() -> Result<Option<T>, E>) -> Result<T, E> {
        loop {
            let changed = self.next();
            if let Some(found) = look()? {
                return Ok(found);
            }
            changed.await;
        }
    }
}
