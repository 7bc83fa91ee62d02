//! What is read of the ledger: shards, and pages of shards and storage.

use super::{
    EmbeddedLedger,
    tables::{self, OPEN, SETTLEMENTS, SHARDS, STAGES, STORAGE, ShardRow, StageRow},
};
use crate::{
    MAX_SHARD_PAGE, MAX_STORAGE_PAGE, ShardRecord, ShardStage, ShardState, ShardSummary, Started, StorageEntry,
    WorldError,
};
use shardwire_crdt::Cell;
use shardwire_model::{Felt, PeerId, ShardId, Slot};
use std::ops::Bound;

impl EmbeddedLedger {
    /// As [`World::shard`](crate::World::shard), here and now.
    ///
    /// # Errors
    /// [`WorldError::Disk`] or [`WorldError::Damaged`] if the ledger can't be read.
    pub fn shard(&self, shard: ShardId) -> Result<Option<ShardRecord>, WorldError> {
        self.read(|txn| {
            let at = shard.0.to_bytes_be();
            let Some(stage) = tables::get::<32, StageRow>(&txn.open_table(STAGES)?, &at)? else { return Ok(None) };
            let row: ShardRow = tables::need(&txn.open_table(SHARDS)?, &at)?;
            let state = match stage.stage {
                ShardStage::Started => ShardState::Started,
                ShardStage::Aborted { reason, at } => ShardState::Aborted { reason, at },
                ShardStage::Settled { .. } => {
                    ShardState::Settled(Box::new(tables::need(&txn.open_table(SETTLEMENTS)?, &at)?))
                }
            };
            let Started { start, values, before, at } = row.started(stage.started_at);
            Ok(Some(ShardRecord { start, values, before, started_at: at, state }))
        })
    }

    /// As [`World::shards`](crate::World::shards), here and now.
    ///
    /// # Errors
    /// [`WorldError::Disk`] or [`WorldError::Damaged`] if the ledger can't be read.
    pub fn shards(&self, after: Option<ShardId>, limit: usize) -> Result<Vec<ShardSummary>, WorldError> {
        self.read(|txn| {
            let table = txn.open_table(STAGES)?;
            let mut shards = Vec::new();
            for row in tables::rows::<StageRow>(&table, after.map(|it| it.0))?.take(limit.min(MAX_SHARD_PAGE)) {
                let (shard, StageRow { operator, started_at, stage }) = row?;
                shards.push(ShardSummary { shard: ShardId(shard), operator, started_at, stage });
            }
            Ok(shards)
        })
    }

    /// As [`World::open_shards`](crate::World::open_shards), here and now.
    ///
    /// # Errors
    /// [`WorldError::Disk`] or [`WorldError::Damaged`] if the ledger can't be read.
    pub fn open_shards(
        &self,
        operator: PeerId,
        after: Option<ShardId>,
        limit: usize,
    ) -> Result<Vec<ShardId>, WorldError> {
        self.read(|txn| {
            let first = after.map_or(Bound::Included([0; 32]), |it| Bound::Excluded(it.0.to_bytes_be()));
            let first = first.map(|shard| tables::open_key(operator, &shard));
            let last = tables::open_key(operator, &[0xff; 32]);
            let table = txn.open_table(OPEN)?;
            let range = table.range::<&[u8; 64]>((first.as_ref(), Bound::Included(&last)))?;
            let mut shards = Vec::new();
            for row in range.take(limit.min(MAX_SHARD_PAGE)) {
                let key = row?.0;
                let (_, shard) = key.value().split_at(32);
                shards.push(ShardId(Felt::from_bytes_be_slice(shard)));
            }
            Ok(shards)
        })
    }

    /// As [`World::storage`](crate::World::storage), here and now.
    ///
    /// # Errors
    /// [`WorldError::Disk`] or [`WorldError::Damaged`] if the ledger can't be read.
    pub fn storage(&self, after: Option<Slot>, limit: usize) -> Result<Vec<StorageEntry>, WorldError> {
        self.read(|txn| {
            let table = txn.open_table(STORAGE)?;
            let mut entries = Vec::new();
            for row in tables::storage_rows::<Cell>(&table, after)?.take(limit.min(MAX_STORAGE_PAGE)) {
                let (Slot { contract, key }, cell) = row?;
                let (kind, value, in_escrow, held_by) = (cell.kind(), cell.value(), cell.in_escrow(), cell.held_by());
                entries.push(StorageEntry { contract, key, kind, value, in_escrow, held_by });
            }
            Ok(entries)
        })
    }
}
