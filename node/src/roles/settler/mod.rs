//! The settler: keeps the World, hands shards to their operators, and settles what is proven.
//!
//! It serves `handoff` to operators and consumes `proof` from provers. A proof is believed only after [`Judge::check`](judge): every
//! check that the verifier leaves to its caller, then program, shard and state before against what the World fixed. The World applies an
//! output once, in one transaction; a receipt is signed after that, a dispute after the verdict is durable.

mod error;
mod handoff;
mod judge;
mod leases;
mod proofs;
#[cfg(test)]
mod tests;

use super::{Changes, Host};
use crate::store::{
    StoreError,
    records::{HANDOFFS, VERDICTS},
};
pub(crate) use error::SettlerError;
#[cfg(test)]
pub(crate) use error::Unwanted;
pub(crate) use judge::Judge;
use shardwire_ledger::{ShardState, Stage as WorldStage, World};
use shardwire_model::{Key, PeerId, ShardId, ShardStart, StartRequest};
use shardwire_protocols::control::{MAX_SHARDS_LISTED, MAX_STORAGE_LISTED, Role, ShardStatus, Stage, StorageStatus};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// What is seen of a shard before its verdict.
#[derive(Clone, Copy, Debug)]
struct Sighting {
    prover: PeerId,
    stage: Stage,
}

/// The settler's state.
#[derive(Debug)]
pub(crate) struct Settler {
    host: Arc<Host>,
    world: Arc<dyn World>,
    judge: Arc<Judge>,
    changes: Changes,
    sightings: Mutex<BTreeMap<ShardId, Sighting>>,
}

impl Settler {
    pub(crate) fn new(host: Arc<Host>, world: Arc<dyn World>, judge: Arc<Judge>) -> Self {
        Self { host, world, judge, changes: Changes::new(), sightings: Mutex::default() }
    }

    /// Starts a shard: escrow moves, locks are taken, its operator is told.
    ///
    /// # Errors
    /// If the World refuses; then nothing has moved.
    pub(crate) fn start(&self, request: &StartRequest) -> Result<ShardStart, SettlerError> {
        let started = self.world.start(request, self.host.clock.now())?;
        tracing::info!(shard = %started.start.shard.short(), operator = %started.start.operator.short(), "shard started");
        self.changes.announce();
        Ok(started.start)
    }

    fn saw(&self, shard: ShardId, prover: PeerId, stage: Stage) {
        self.sightings.lock().unwrap_or_else(PoisonError::into_inner).insert(shard, Sighting { prover, stage });
    }

    /// How each shard is; only this one if it is named, with its updates.
    pub(crate) fn shards(&self, only: Option<ShardId>) -> Result<Vec<ShardStatus>, SettlerError> {
        let shards = match only {
            Some(shard) => vec![shard],
            None => self.world.shards(None, MAX_SHARDS_LISTED)?.into_iter().map(|summary| summary.shard).collect(),
        };
        shards.into_iter().filter_map(|shard| self.status(shard).transpose()).collect()
    }

    fn status(&self, shard: ShardId) -> Result<Option<ShardStatus>, SettlerError> {
        let Some(record) = self.world.shard(shard)? else { return Ok(None) };
        let mut status = ShardStatus::new(shard, Role::Settler, record.start.operator);
        status.program_hash = Some(self.host.program);
        if self.host.store.get(&HANDOFFS, &shard)?.is_some_and(|handoff| handoff.accepted) {
            status.stage = Stage::Assigned;
        }
        if let Some(sighting) = self.sightings.lock().unwrap_or_else(PoisonError::into_inner).get(&shard) {
            status.prover = Some(sighting.prover);
            status.stage = status.stage.max(sighting.stage);
        }
        if let Some(verdict) = self.host.store.get(&VERDICTS, &shard)? {
            status.prover = Some(verdict.prover);
            status.proof = Some(verdict.proof);
            status.proof_bytes = verdict.bytes;
            status.verify_us = verdict.verify_us;
            status.error = verdict.fault.map(|(code, reason)| shardwire_protocols::Cause::new(&code, &reason));
        }
        match record.state {
            ShardState::Started => {}
            ShardState::Settled(settlement) => {
                status.stage = Stage::Settled;
                status.error = None;
                status.proof = Some(settlement.proof);
                status.transactions = settlement.output.count;
                status.updates = settlement.output.updates;
            }
            ShardState::Aborted { .. } => status.stage = Stage::Aborted,
        }
        Ok(Some(status))
    }

    /// A page of the World's storage, and whether there is more.
    pub(crate) fn storage(&self, after: Option<Key>) -> Result<(Vec<StorageStatus>, bool), SettlerError> {
        let mut entries = self.world.storage(after, MAX_STORAGE_LISTED + 1)?;
        let more = entries.len() > MAX_STORAGE_LISTED;
        entries.truncate(MAX_STORAGE_LISTED);
        let storage = entries.into_iter().map(|entry| StorageStatus {
            key: entry.key,
            kind: entry.kind,
            value: entry.value,
            in_escrow: entry.in_escrow,
            held_by: entry.held_by,
        });
        Ok((storage.collect(), more))
    }

    /// Whether the World says that the shard is over.
    fn is_over(&self, shard: ShardId) -> Result<Option<WorldStage>, SettlerError> {
        Ok(self.world.shard(shard)?.and_then(|record| match record.state {
            ShardState::Started => None,
            ShardState::Settled(settlement) => Some(WorldStage::Settled { proof: settlement.proof, at: settlement.at }),
            ShardState::Aborted { at } => Some(WorldStage::Aborted { at }),
        }))
    }
}

impl From<StoreError> for SettlerError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
