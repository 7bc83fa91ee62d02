//! The settler: keeps the World, hands shards to their operators, and settles what is proven.
//!
//! It serves `handoff` to operators and consumes `proof` from provers. A proof is believed only after [`Judge::check`](judge): every
//! check that the verifier leaves to its caller, then program, shard and state before against what the World fixed, and what a run of contracts read against the
//! state that it had to begin from ([`origins`]). A long run is proven in [`segments`], and settled when all of them are. The World applies an
//! output once, in one transaction; a receipt is signed after that, a dispute after the verdict is durable. A shard that isn't settled when its
//! deadline passes is aborted ([`life`]).
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

#[cfg(test)]
mod clock_tests;
mod deadlines;
mod declined;
mod error;
#[cfg(test)]
mod error_tests;
pub mod events;
pub mod evidence;
mod handoff;
mod judge;
mod leases;
mod life;
#[cfg(test)]
mod life_tests;
mod origins;
#[cfg(test)]
mod origins_tests;
#[cfg(test)]
mod pending_tests;
mod proofs;
mod reachable;
#[cfg(test)]
mod reachable_tests;
mod segments;
#[cfg(test)]
mod segments_tests;
mod services;
mod status;
#[cfg(test)]
mod tests;
mod worked_with;

use deadlines::Deadlines;
use declined::Declined;
pub use error::SettlerError;
#[cfg(test)]
pub(crate) use error::Unwanted;
pub use judge::Judge;
use origins::Unopened;
use reachable::Reachable;
use segments::Uncut;
use shardwire_host::{Changes, ChangesOf, Host, Turns, dated};
use shardwire_model::{PeerId, ShardId};
use shardwire_store::StoreError;
use shardwire_telemetry::Events;
use shardwire_world::{Refusal, Ticket, World};
pub use status::SettlementStatus;
use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};
use worked_with::WorkedWith;

/// A settler: its World, and the shards that it started there.
#[derive(Debug)]
pub struct Settler {
    host: Arc<Host>,
    world: Arc<dyn World>,
    /// The same: whether it answers.
    reachable: Arc<Reachable>,
    judge: Arc<Judge>,
    /// Announced when there is more to tend than before.
    changes: Arc<Changes>,
    /// Of each operator: announced when the history of a shard of its changes.
    assignments: ChangesOf<PeerId>,
    declined: Declined,
    worked_with: WorkedWith,
    /// How long shards have that were started without a time-out.
    timeout: Duration,
    deadlines: Deadlines,
    unopened: Unopened,
    uncut: Uncut,
    turns: Turns<ShardId>,
    /// What was submitted by this process and isn't decided: one for each note at most.
    submitted: Mutex<BTreeSet<Ticket>>,
    /// What the World refused lately.
    refused: Mutex<VecDeque<(ShardId, Ticket, Refusal)>>,
    events: Events<events::Room>,
    /// What becomes of what is asked of the World.
    operations: Events<shardwire_world::events::Room>,
}

impl Settler {
    /// Takes up what was about to be done in the World, and looks after deadlines from then on.
    ///
    /// # Errors
    /// [`SettlerError::World`] or [`SettlerError::Store`] if the World or the store can't be read or written.
    pub async fn resume(
        host: Arc<Host>,
        world: Arc<dyn World>,
        judge: Arc<Judge>,
        timeout: Duration,
    ) -> Result<Arc<Self>, SettlerError> {
        let changes = Arc::new(Changes::new());
        let reachable = Arc::new(Reachable::new(world, changes.clone()));
        host.telemetry.condition("world", reachable.shortfall());
        dated::register(&host);
        let world: Arc<dyn World> = reachable.clone();
        let settler = Arc::new(Self {
            events: host.telemetry.events(),
            operations: host.telemetry.events(),
            host,
            world,
            reachable,
            judge,
            changes,
            assignments: ChangesOf::new(),
            declined: Declined::default(),
            worked_with: WorkedWith::default(),
            timeout,
            deadlines: Deadlines::default(),
            unopened: Unopened::new(),
            uncut: Uncut::default(),
            turns: Turns::default(),
            submitted: Mutex::default(),
            refused: Mutex::default(),
        });
        settler.take_up().await?;
        Ok(settler)
    }

    /// Whether a peer has come for an open shard of its own since this settler began.
    pub fn has_worked_with(&self, operator: PeerId) -> bool {
        self.worked_with.has(operator)
    }

    /// Whether a peer operates an open shard of this settler's World.
    pub async fn has_shard_of(&self, operator: PeerId) -> bool {
        self.world.open_shards(operator, None, 1).await.is_ok_and(|open| !open.is_empty())
    }
}

impl From<StoreError> for SettlerError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
