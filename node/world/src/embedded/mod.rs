//! A World in one file (redb), for networks whose settlement layer is a settler's own disk.
//!
//! Each transition is one write transaction with two-phase commit, synced before the call returns, so a crash shows the ledger
//! before or after it, never between. The tables and the encoding of their rows are in [`tables`], the operations in
//! [`transition`], what is read in [`read`]. [`EmbeddedLedger`] does all of that where it is called; [`EmbeddedWorld`] is the [`World`](crate::World)
//! that does it beside the async threads.
//!
//! A file that is something else, of another schema or network, damaged, or in use is refused and stays as it was
//! ([`shardwire_store::database`]). One of [schema 1](schema_1) or [2](schema_2) becomes one of today's when it is opened. When it is opened the checksums of all pages are verified too, up to [`CHECKED_BYTES`].

mod audit;
mod read;
mod schema_1;
mod schema_2;
mod tables;
mod transition;
mod world;

use crate::{Genesis, Operation, Receipt, Refusal, Ticket, WorldError, WorldIdentity};
use redb::{Builder, ReadTransaction, ReadableDatabase, StorageBackend};
use shardwire_model::{Felt, PeerId, Timestamp};
use shardwire_store::{
    Backend, Disk, Reopening,
    database::{self, Database, Opening, guarded},
};
use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};
use tables::{LedgerError, MAGIC, META, Meta, OPEN, OPERATIONS, SETTLEMENTS, SHARDS, STAGES, STORAGE};

pub use tables::SCHEMA;
pub use world::{EmbeddedWorld, MAX_REFUSALS};

/// Bytes of the file that are kept in memory at most. Enough for the storage of a large World; histories are read rarely.
const CACHE_BYTES: usize = 32 << 20;
/// Largest file whose pages are all verified when it is opened: what a disk reads in about a second. Beyond, damage is seen when a row is read.
const CHECKED_BYTES: u64 = 512 << 20;
/// What errors call a ledger without a file.
const NO_PLACE: &str = "its storage";

/// A World in one redb file. One process at a time; any number of threads.
#[derive(Debug)]
pub struct EmbeddedLedger {
    /// Opened again after its disk has failed.
    database: Reopening,
    identity: WorldIdentity,
    place: String,
    /// How many operations have changed it since it was opened.
    revision: AtomicU64,
}

impl EmbeddedLedger {
    /// Creates a World in a new file.
    ///
    /// # Errors
    /// [`WorldError::Exists`] if there is a file already, [`WorldError::Genesis`] or [`WorldError::Identity`] if the genesis is refused or not this World's,
    /// [`WorldError::Disk`] if the disk fails.
    pub fn create(
        disk: &dyn Disk,
        path: &Path,
        identity: &WorldIdentity,
        genesis: &Genesis,
    ) -> Result<Self, WorldError> {
        let place = path.display().to_string();
        let meta = Meta::of(identity, genesis)?;
        if disk.database(path).map_err(|error| LedgerError::from(error).at(&place))?.is_some() {
            return Err(WorldError::Exists { place });
        }
        // The data folder belongs to one process, so nobody else creates the file meanwhile.
        database::create(disk, path, |backend| Ok(Self::fill(backend, &meta, genesis, &place).map(drop)?))
            .map_err(|error: LedgerError| error.at(&place))?;
        Self::open(disk, path, identity)
    }

    /// Creates a World in an empty storage, such as a simulator's.
    ///
    /// # Errors
    /// [`WorldError::Exists`] if the storage isn't empty, [`WorldError::Disk`] if it fails, [`WorldError::Genesis`] or [`WorldError::Identity`] if the genesis
    /// is refused or not this World's.
    pub fn create_with_backend(
        backend: impl StorageBackend,
        identity: &WorldIdentity,
        genesis: &Genesis,
    ) -> Result<Self, WorldError> {
        let meta = Meta::of(identity, genesis)?;
        match backend.len() {
            Ok(0) => Self::fill(backend, &meta, genesis, NO_PLACE),
            Ok(_) => Err(WorldError::Exists { place: NO_PLACE.into() }),
            Err(error) => Err(LedgerError::Disk(error.to_string()).at(NO_PLACE)),
        }
    }

    /// Opens the World in this file.
    ///
    /// # Errors
    /// [`WorldError::Missing`] if there is none, [`WorldError::InUse`], [`WorldError::Foreign`], [`WorldError::Damaged`], [`WorldError::Schema`],
    /// [`WorldError::Network`] or [`WorldError::Other`] if it is that. The file is as it was then.
    pub fn open(disk: &dyn Disk, path: &Path, identity: &WorldIdentity) -> Result<Self, WorldError> {
        let place = path.display().to_string();
        let opened = database::open(disk, path, |backend, opening| Self::admit(backend, opening, identity, &place));
        Self::found(opened, place)
    }

    /// The World in this file, to look at: what would be written stays in memory, so the file is left as it is. The checksums of all pages are verified,
    /// whatever the file's size.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn view(disk: &dyn Disk, path: &Path, identity: &WorldIdentity) -> Result<Self, WorldError> {
        let place = path.display().to_string();
        let opened = database::view(disk, path, |backend, _| Ok(Self::attach(backend, identity, &place, true)?));
        Self::found(opened, place)
    }

    /// The identity that a ledger of an older layout gets with these settlers and programs, because its file names no World. None if the layout is today's.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn older_identity(
        disk: &dyn Disk,
        path: &Path,
        settlers: &[PeerId],
        programs: &[Felt],
    ) -> Result<Option<WorldIdentity>, WorldError> {
        let place = path.display().to_string();
        let looked = database::view(disk, path, |backend, _| {
            let database = Self::held(backend, &place, false)?;
            guarded(|| {
                if Self::schema(&database, &place)? != schema_1::SCHEMA {
                    return Ok(None);
                }
                let older = schema_1::Older::read(&database.get()?.begin_read()?, &place)?;
                let identity = older.identity(settlers.iter().copied(), programs.iter().copied());
                Ok(Some(identity.map_err(WorldError::from)?))
            })
        });
        looked.map_err(|error: LedgerError| error.at(&place))?.ok_or(WorldError::Missing { place })
    }

    fn found(opened: Result<Option<Self>, LedgerError>, place: String) -> Result<Self, WorldError> {
        opened.map_err(|error| error.at(&place))?.ok_or(WorldError::Missing { place })
    }

    fn admit(
        backend: impl StorageBackend,
        opening: Opening,
        identity: &WorldIdentity,
        place: &str,
    ) -> Result<Self, LedgerError> {
        let check = opening == Opening::OnView && backend.len()? <= CHECKED_BYTES;
        Ok(Self::attach(backend, identity, place, check)?)
    }

    /// Opens the World in this storage. Unlike [`open`](Self::open), a storage that is refused may have been repaired.
    ///
    /// # Errors
    /// [`WorldError::Foreign`] if it is empty or something else, [`WorldError::Damaged`], [`WorldError::Schema`], [`WorldError::Network`] or [`WorldError::Other`].
    pub fn open_with_backend(backend: impl StorageBackend, identity: &WorldIdentity) -> Result<Self, WorldError> {
        Self::attach(backend, identity, NO_PLACE, false)
    }

    fn fill(backend: impl StorageBackend, meta: &Meta, genesis: &Genesis, place: &str) -> Result<Self, WorldError> {
        let cells = genesis.cells()?;
        let storage = Backend::new(backend);
        let database = Database::over(&builder(), storage.clone()).map_err(|error: LedgerError| error.at(place))?;
        let ledger = Self::over(storage, database, meta.identity.clone(), place);
        guarded(|| {
            let database = ledger.database.get::<LedgerError>()?;
            let mut txn = database.get()?.begin_write()?;
            txn.set_quick_repair(true);
            meta.store(&txn)?;
            {
                let mut storage = txn.open_table(STORAGE)?;
                for (slot, cell) in &cells {
                    tables::put(&mut storage, &slot.to_bytes_be(), cell)?;
                }
            }
            for table in [SHARDS, STAGES, SETTLEMENTS, OPERATIONS] {
                txn.open_table(table)?;
            }
            txn.open_table(OPEN)?;
            Ok(txn.commit()?)
        })
        .map_err(|error: LedgerError| error.at(place))?;
        Ok(ledger)
    }

    /// The database in this storage, if it is one.
    fn held(backend: impl StorageBackend, place: &str, check: bool) -> Result<Database, WorldError> {
        let foreign = |why: &str| WorldError::Foreign { place: place.into(), why: why.into() };
        let mut magic = [0; MAGIC.len()];
        let length = backend.len().map_err(|error| LedgerError::Disk(error.to_string()).at(place))?;
        if length < MAGIC.len() as u64 {
            return Err(foreign("it is empty or too short"));
        }
        backend.read(0, &mut magic).map_err(|error| LedgerError::Disk(error.to_string()).at(place))?;
        if magic != MAGIC {
            return Err(foreign("it is no redb file"));
        }
        Database::over(builder().set_check_integrity_on_open(check), backend)
            .map_err(|error: LedgerError| error.at(place))
    }

    fn schema(database: &Database, place: &str) -> Result<u32, LedgerError> {
        match database.get()?.begin_read()?.open_table(META) {
            Ok(meta) => Meta::schema(&meta, place),
            Err(redb::TableError::Storage(error)) => Err(error.into()),
            Err(_) => {
                let why = "another program's data is in it".into();
                Err(WorldError::Foreign { place: place.into(), why }.into())
            }
        }
    }

    fn attach(
        backend: impl StorageBackend,
        identity: &WorldIdentity,
        place: &str,
        check: bool,
    ) -> Result<Self, WorldError> {
        let storage = Backend::new(backend);
        let database = Self::held(storage.clone(), place, check)?;
        let meta = guarded(|| {
            match Self::schema(&database, place)? {
                schema_1::SCHEMA => schema_1::migrate(database.get()?, identity, place)?,
                schema_2::SCHEMA => schema_2::migrate(database.get()?)?,
                _ => {}
            }
            Meta::load(&database.get()?.begin_read()?.open_table(META)?, place)
        })
        .map_err(|error: LedgerError| error.at(place))?;
        if meta.identity.network() != identity.network() {
            let (found, asked) = (meta.identity.network().into(), identity.network().into());
            return Err(WorldError::Network { place: place.into(), found, asked });
        }
        if meta.identity != *identity {
            let (found, asked) = (meta.identity.hash(), identity.hash());
            return Err(WorldError::Other { place: place.into(), found, asked });
        }
        Ok(Self::over(storage, database, meta.identity, place))
    }

    fn over(storage: Backend, database: Database, identity: WorldIdentity, place: &str) -> Self {
        let database = Reopening::of(storage, builder, database);
        Self { database, identity, place: place.into(), revision: AtomicU64::new(0) }
    }

    /// A number that is another one after each change. What is handed in again, or refused, is none.
    pub(super) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Which World it is.
    #[must_use]
    pub fn identity(&self) -> &WorldIdentity {
        &self.identity
    }

    /// Judges an operation at this time and applies it. Durable when this returns.
    ///
    /// # Errors
    /// [`WorldError::Disk`] or [`WorldError::Damaged`]; then the operation may have been applied, and applying it again finds out.
    pub fn apply(&self, operation: &Operation, now: Timestamp) -> Result<Result<Receipt, Refusal>, WorldError> {
        let applied = guarded(|| {
            let database = self.database.get::<LedgerError>()?;
            let mut txn = database.get()?.begin_write()?;
            // Durability is immediate by default. This adds two-phase commit, and makes opening after a crash instant.
            txn.set_quick_repair(true);
            let (receipt, change) = match transition::judge(&txn, &self.identity, operation, now) {
                Ok(answer) => answer,
                Err(LedgerError::Refused(refusal)) => {
                    txn.abort()?;
                    return Ok(Err(refusal));
                }
                Err(error) => return Err(error),
            };
            match change {
                None => txn.abort()?,
                Some(change) => {
                    change.write(&txn)?;
                    txn.commit()?;
                    self.revision.fetch_add(1, Ordering::Release);
                }
            }
            Ok(Ok(receipt))
        });
        self.noted(applied)
    }

    /// Notes if the disk has failed: the next use opens the file again.
    fn noted<T>(&self, result: Result<T, LedgerError>) -> Result<T, WorldError> {
        if matches!(result, Err(LedgerError::Disk(_))) {
            self.database.failed();
        }
        result.map_err(|error| error.at(&self.place))
    }

    /// What a final operation came to; none if no such operation is final.
    ///
    /// # Errors
    /// [`WorldError::Disk`] or [`WorldError::Damaged`] if the ledger can't be read.
    pub fn recall(&self, ticket: Ticket) -> Result<Option<Receipt>, WorldError> {
        self.read(|txn| transition::recall(txn, ticket))
    }

    fn read<T>(&self, question: impl FnOnce(&ReadTransaction) -> Result<T, LedgerError>) -> Result<T, WorldError> {
        let answered = guarded(|| question(&self.database.get::<LedgerError>()?.get()?.begin_read()?));
        self.noted(answered)
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}
