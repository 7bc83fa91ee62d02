//! A World in one file (redb), for networks whose settlement layer is a settler's own disk.
//!
//! Each transition is one write transaction with two-phase commit, synced before the call returns, so a crash shows the ledger
//! before or after it, never between. The tables and the encoding of their rows are in [`tables`], the transitions in
//! [`transition`].
//!
//! A file that is something else, of another schema or network, damaged, or in use is refused and stays as it was
//! ([`shardwire_store::database`]). When it is opened the checksums of all pages are verified too, up to [`CHECKED_BYTES`].

mod audit;
mod tables;
mod transition;

use crate::{
    Aborted, Genesis, LedgerError, MAX_SHARD_PAGE, MAX_STORAGE_PAGE, Settled, ShardRecord, ShardState, ShardSummary,
    Stage, Started, StorageEntry, World,
};
pub use audit::Audit;
use redb::{Builder, ReadTransaction, ReadableDatabase, StorageBackend, WriteTransaction};
use shardwire_model::{Felt, Hash, Output, PeerId, ShardId, Slot, StartRequest, Timestamp};
use shardwire_store::{
    Disk,
    database::{self, Database, Opening, guarded},
};
use std::{ops::Bound, path::Path};
pub use tables::SCHEMA;
use tables::{Fault, MAGIC, META, Meta, OPEN, SETTLEMENTS, SHARDS, STAGES, STORAGE};

/// Bytes of the file that are kept in memory at most. Enough for the storage of a large World; histories are read rarely.
const CACHE_BYTES: usize = 32 << 20;
/// Largest file whose pages are all verified when it is opened: what a disk reads in about a second. Beyond, damage is seen when a row is read.
const CHECKED_BYTES: u64 = 512 << 20;
/// Longest name of a network, in bytes; the handshake's bound.
const MAX_NETWORK_BYTES: usize = 64;
/// How a ledger without a file is called in errors.
const NO_PLACE: &str = "its storage";

/// A World in one redb file. One process at a time; any number of threads.
#[derive(Debug)]
pub struct EmbeddedLedger {
    database: Database,
    network: String,
    place: String,
}

impl EmbeddedLedger {
    /// Creates a World in a new file.
    ///
    /// # Errors
    /// If there is a file already, the genesis is refused, or the disk fails.
    pub fn create(disk: &dyn Disk, path: &Path, network: &str, genesis: &Genesis) -> Result<Self, LedgerError> {
        let place = path.display().to_string();
        let meta = Meta::of(network, genesis)?;
        if disk.database(path).map_err(|error| Fault::from(error).at(&place))?.is_some() {
            return Err(LedgerError::Exists { place });
        }
        // The data folder belongs to one process, so nobody else creates the file meanwhile.
        database::create(disk, path, |backend| Ok(Self::fill(backend, &meta, genesis, &place).map(drop)?))
            .map_err(|fault: Fault| fault.at(&place))?;
        Self::open(disk, path, network)
    }

    /// Creates a World in an empty storage, such as a simulator's.
    ///
    /// # Errors
    /// If the storage is not empty or fails, or the genesis is refused.
    pub fn create_with_backend(
        backend: impl StorageBackend,
        network: &str,
        genesis: &Genesis,
    ) -> Result<Self, LedgerError> {
        let meta = Meta::of(network, genesis)?;
        match backend.len() {
            Ok(0) => Self::fill(backend, &meta, genesis, NO_PLACE),
            Ok(_) => Err(LedgerError::Exists { place: NO_PLACE.into() }),
            Err(error) => Err(Fault::Disk(error.to_string()).at(NO_PLACE)),
        }
    }

    /// Opens the World in this file.
    ///
    /// # Errors
    /// If there is none, it is in use, something else, damaged, or of another schema or network. The file is as it was then.
    pub fn open(disk: &dyn Disk, path: &Path, network: &str) -> Result<Self, LedgerError> {
        let place = path.display().to_string();
        let opened = database::open(disk, path, |backend, opening| Self::admit(backend, opening, network, &place));
        Self::found(opened, place)
    }

    /// The World in this file, to look at: what would be written stays in memory, so the file is left as it is.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn view(disk: &dyn Disk, path: &Path, network: &str) -> Result<Self, LedgerError> {
        let place = path.display().to_string();
        let opened = database::view(disk, path, |backend, opening| Self::admit(backend, opening, network, &place));
        Self::found(opened, place)
    }

    fn found(opened: Result<Option<Self>, Fault>, place: String) -> Result<Self, LedgerError> {
        opened.map_err(|fault| fault.at(&place))?.ok_or(LedgerError::Missing { place })
    }

    fn admit(backend: impl StorageBackend, opening: Opening, network: &str, place: &str) -> Result<Self, Fault> {
        let check = opening == Opening::OnView && backend.len()? <= CHECKED_BYTES;
        Ok(Self::attach(backend, network, place, check)?)
    }

    /// Opens the World in this storage. Unlike [`open`](Self::open), a storage that is refused may have been repaired.
    ///
    /// # Errors
    /// If it is empty, something else, damaged, or of another schema or network.
    pub fn open_with_backend(backend: impl StorageBackend, network: &str) -> Result<Self, LedgerError> {
        Self::attach(backend, network, NO_PLACE, false)
    }

    fn fill(backend: impl StorageBackend, meta: &Meta, genesis: &Genesis, place: &str) -> Result<Self, LedgerError> {
        let cells = genesis.cells()?;
        let database = Database::over(&builder(), backend).map_err(|fault: Fault| fault.at(place))?;
        let ledger = Self { database, network: meta.network.clone(), place: place.into() };
        ledger.write(|txn| {
            meta.store(txn)?;
            let mut storage = txn.open_table(STORAGE)?;
            for (slot, cell) in &cells {
                tables::put(&mut storage, &slot.to_bytes_be(), cell)?;
            }
            txn.open_table(SHARDS)?;
            txn.open_table(STAGES)?;
            txn.open_table(SETTLEMENTS)?;
            txn.open_table(OPEN)?;
            Ok(((), true))
        })?;
        Ok(ledger)
    }

    fn attach(backend: impl StorageBackend, network: &str, place: &str, check: bool) -> Result<Self, LedgerError> {
        let foreign = |why: &str| LedgerError::Foreign { place: place.into(), why: why.into() };
        let mut magic = [0; MAGIC.len()];
        let length = backend.len().map_err(|error| Fault::Disk(error.to_string()).at(place))?;
        if length < MAGIC.len() as u64 {
            return Err(foreign("it is empty or too short"));
        }
        backend.read(0, &mut magic).map_err(|error| Fault::Disk(error.to_string()).at(place))?;
        if magic != MAGIC {
            return Err(foreign("it is no redb file"));
        }
        let database = Database::over(builder().set_check_integrity_on_open(check), backend)
            .map_err(|fault: Fault| fault.at(place))?;
        let meta = guarded(|| {
            let txn = database.get()?.begin_read()?;
            match txn.open_table(META) {
                Ok(meta) => Meta::load(&meta, place),
                Err(redb::TableError::Storage(error)) => Err(error.into()),
                Err(_) => Err(foreign("another program's data is in it").into()),
            }
        })
        .map_err(|fault: Fault| fault.at(place))?;
        if meta.network != network {
            let (found, asked) = (meta.network, network.into());
            return Err(LedgerError::Network { place: place.into(), found, asked });
        }
        Ok(Self { database, network: meta.network, place: place.into() })
    }

    /// One write transaction: committed if `transition` says that it changed something, otherwise and on errors as if it had never been.
    fn write<T>(
        &self,
        transition: impl FnOnce(&WriteTransaction) -> Result<(T, bool), Fault>,
    ) -> Result<T, LedgerError> {
        guarded(|| {
            let mut txn = self.database.get()?.begin_write()?;
            // Durability is immediate by default. This adds two-phase commit, and makes opening after a crash instant.
            txn.set_quick_repair(true);
            let (answer, changed) = transition(&txn)?;
            if changed {
                txn.commit()?;
            } else {
                txn.abort()?;
            }
            Ok(answer)
        })
        .map_err(|fault: Fault| fault.at(&self.place))
    }

    fn read<T>(&self, question: impl FnOnce(&ReadTransaction) -> Result<T, Fault>) -> Result<T, LedgerError> {
        guarded(|| question(&self.database.get()?.begin_read()?)).map_err(|fault: Fault| fault.at(&self.place))
    }
}

impl World for EmbeddedLedger {
    fn network(&self) -> &str {
        &self.network
    }

    fn start(&self, request: &StartRequest, deadline: Timestamp, now: Timestamp) -> Result<Started, LedgerError> {
        let start = request.validate(&self.network, deadline)?;
        self.write(|txn| transition::start(txn, request, start, now))
    }

    fn settle(&self, output: &Output, proof: Hash, now: Timestamp) -> Result<Settled, LedgerError> {
        self.write(|txn| transition::settle(txn, output, proof, now))
    }

    fn abort(&self, shard: ShardId, now: Timestamp) -> Result<Aborted, LedgerError> {
        self.write(|txn| transition::abort(txn, shard, now))
    }

    fn shard(&self, shard: ShardId) -> Result<Option<ShardRecord>, LedgerError> {
        self.read(|txn| {
            let at = shard.0.to_bytes_be();
            let Some(stage) = tables::get::<32, tables::StageRow>(&txn.open_table(STAGES)?, &at)? else {
                return Ok(None);
            };
            let row: tables::ShardRow = tables::need(&txn.open_table(SHARDS)?, &at)?;
            let state = match stage.stage {
                Stage::Started => ShardState::Started,
                Stage::Aborted { at } => ShardState::Aborted { at },
                Stage::Settled { .. } => {
                    ShardState::Settled(Box::new(tables::need(&txn.open_table(SETTLEMENTS)?, &at)?))
                }
            };
            let values = row.values();
            let (start, before, started_at) = (row.start, row.before.0, stage.started_at);
            Ok(Some(ShardRecord { start, values, before, started_at, state }))
        })
    }

    fn shards(&self, after: Option<ShardId>, limit: usize) -> Result<Vec<ShardSummary>, LedgerError> {
        self.read(|txn| {
            let table = txn.open_table(STAGES)?;
            let mut shards = Vec::new();
            for row in tables::rows::<tables::StageRow>(&table, after.map(|it| it.0))?.take(limit.min(MAX_SHARD_PAGE)) {
                let (shard, row) = row?;
                let tables::StageRow { operator, started_at, stage } = row;
                shards.push(ShardSummary { shard: ShardId(shard), operator, started_at, stage });
            }
            Ok(shards)
        })
    }

    fn open_shards(&self, operator: PeerId, after: Option<ShardId>, limit: usize) -> Result<Vec<ShardId>, LedgerError> {
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

    fn storage(&self, after: Option<Slot>, limit: usize) -> Result<Vec<StorageEntry>, LedgerError> {
        self.read(|txn| {
            let table = txn.open_table(STORAGE)?;
            let mut entries = Vec::new();
            for row in tables::storage_rows::<shardwire_crdt::Cell>(&table, after)?.take(limit.min(MAX_STORAGE_PAGE)) {
                let (Slot { contract, key }, cell) = row?;
                let (kind, value, in_escrow, held_by) = (cell.kind(), cell.value(), cell.in_escrow(), cell.held_by());
                entries.push(StorageEntry { contract, key, kind, value, in_escrow, held_by });
            }
            Ok(entries)
        })
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}
