//! The settler: keeps the World, hands shards to their operators, and settles what is proven.
//!
//! It serves `handoff` to operators and consumes `proof` from provers. A proof is believed only after [`Judge::check`](judge): every
//! check that the verifier leaves to its caller, then program, shard and state before against what the World fixed. The World applies an
//! output once, in one transaction; a receipt is signed after that, a dispute after the verdict is durable. A shard that isn't settled when its
//! deadline passes is aborted ([`life`]).
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

#[cfg(test)]
mod clock_tests;
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
#[cfg(test)]
mod pending_tests;
mod proofs;
mod reachable;
mod services;
#[cfg(test)]
mod tests;

pub use error::SettlerError;
#[cfg(test)]
pub(crate) use error::Unwanted;
pub use judge::Judge;
use life::Deadlines;
use reachable::Reachable;
use shardwire_host::{Changes, ChangesOf, Host, Turns};
use shardwire_model::{
    Cause, PeerId, Role, SegmentId, ShardId, Slot, Stage,
    life::{AbortCause, Step},
};
use shardwire_protocols::administration::{MAX_SHARDS_LISTED, MAX_STORAGE_LISTED, ShardStatus, StorageStatus};
use shardwire_store::{
    StoreError,
    records::{INTENTS, Intent, VERDICTS},
};
use shardwire_telemetry::Events;
use shardwire_world::{Refusal, ShardState, Ticket, World};
use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

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
    /// How long shards have that were started without a time-out.
    timeout: Duration,
    deadlines: Mutex<Deadlines>,
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
            timeout,
            deadlines: Mutex::default(),
            turns: Turns::default(),
            submitted: Mutex::default(),
            refused: Mutex::default(),
        });
        settler.take_up().await?;
        Ok(settler)
    }

    /// How each shard is; only this one if it is named, with its updates.
    pub async fn shards(&self, only: Option<ShardId>) -> Result<Vec<ShardStatus>, SettlerError> {
        let shards = match only {
            Some(shard) => vec![shard],
            None => {
                let page = self.world.shards(None, MAX_SHARDS_LISTED).await?;
                let starting = self.host.store.all(&INTENTS)?.into_iter();
                let starting =
                    starting.filter(|(_, intent)| matches!(intent, Intent::Start { .. })).map(|it| it.0.shard);
                let shards: BTreeSet<ShardId> = page.into_iter().map(|it| it.shard).chain(starting).collect();
                shards.into_iter().take(MAX_SHARDS_LISTED).collect()
            }
        };
        let mut statuses = Vec::with_capacity(shards.len());
        for shard in shards {
            statuses.extend(self.status(shard).await?);
        }
        Ok(statuses)
    }

    async fn status(&self, shard: ShardId) -> Result<Option<ShardStatus>, SettlerError> {
        let intent = self.host.store.get(&INTENTS, &SegmentId::first(shard))?;
        let pending = intent.as_ref().map(|_| Cause::from(SettlerError::Pending { shard }));
        let Some(record) = self.world.shard(shard).await? else {
            let starting = match intent {
                Some(Intent::Start { request, .. }) => Some((request.operator, pending)),
                _ => self.refused(shard).map(|refusal| (PeerId([0; 32]), Some(Cause::from(refusal)))),
            };
            return Ok(starting.map(|(operator, error)| {
                let mut status = ShardStatus::new(shard, Role::Settler, operator);
                status.error = error;
                status
            }));
        };
        let mut status = ShardStatus::new(shard, Role::Settler, record.start.operator);
        status.program_hash = Some(record.start.program);
        let life = self.life(shard)?;
        status.stage = life.stage().unwrap_or_default();
        if let Some(verdict) = self.host.store.get(&VERDICTS, &SegmentId::first(shard))? {
            status.prover = Some(verdict.prover);
            status.proof = Some(verdict.proof);
            status.proof_bytes = verdict.bytes;
            status.verify_us = verdict.verify_us;
            // What was wrong with a proof is of no interest once the shard is over, unless that ended it.
            let ended_it = matches!(life.step(Stage::Aborted), Some(Step::Aborted { why: AbortCause::Unmergeable }));
            let tells = ended_it || !life.is_over();
            status.error = verdict.fault.map(|fault| fault.cause()).filter(|_| tells);
        }
        status.error = pending.or(status.error);
        if let ShardState::Settled(settlement) = record.state {
            status.proof = Some(settlement.proof);
            status.transactions = settlement.output.count;
            status.updates = settlement.output.updates;
        }
        Ok(Some(status))
    }

    /// Whether a peer operates an open shard of this settler's World.
    pub async fn has_shard_of(&self, operator: PeerId) -> bool {
        self.world.open_shards(operator, None, 1).await.is_ok_and(|open| !open.is_empty())
    }

    /// Why the World refused what was last asked about a shard, if it did lately.
    fn refused(&self, shard: ShardId) -> Option<Refusal> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.iter().rev().find(|(known, ..)| *known == shard).map(|(.., refusal)| refusal.clone())
    }

    /// A page of the World's storage, and whether there is more.
    pub async fn storage(&self, after: Option<Slot>) -> Result<(Vec<StorageStatus>, bool), SettlerError> {
        let mut entries = self.world.storage(after, MAX_STORAGE_LISTED + 1).await?;
        let more = entries.len() > MAX_STORAGE_LISTED;
        entries.truncate(MAX_STORAGE_LISTED);
        let storage = entries.into_iter().map(|entry| StorageStatus {
            contract: entry.contract,
            key: entry.key,
            kind: entry.kind,
            value: entry.value,
            in_escrow: entry.in_escrow,
            held_by: entry.held_by,
        });
        Ok((storage.collect(), more))
    }
}

impl From<StoreError> for SettlerError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
