//! A World in one file (redb), for networks whose settlement layer is a settler's own disk.
//!
//! Each transition is one write transaction with two-phase commit, synced before the call returns, so a crash shows the ledger
//! before or after it, never between. The tables and the encoding of their rows are in [`tables`], the transitions in
//! [`transition`].
//!
//! A file that is something else, of another schema or network, damaged, or in use is refused. Opening a file first happens on a
//! copy-on-write view of it ([`rehearsal`]), because opening may repair, and what is refused must stay as it was; there the checksums
//! of all pages are verified too, up to [`CHECKED_BYTES`]. Creating one writes `<name>.partial` and renames it when it is complete, so a crash leaves no half ledger under the real name.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the ledger is a file")]

mod audit;
mod read;
mod rehearsal;
mod tables;
mod transition;
mod world;

use crate::{Genesis, Operation, Receipt, Refusal, Ticket, WorldError, WorldIdentity};
use redb::{
    Builder, Database, ReadTransaction, ReadableDatabase, StorageBackend, backends::FileBackend,
};
use shardwire_model::Timestamp;
use std::{
    fs::{self, File, OpenOptions},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};
use tables::{Fault, MAGIC, META, Meta, OPEN, OPERATIONS, SETTLEMENTS, SHARDS, STAGES, STORAGE};

pub use audit::Audit;
pub use rehearsal::CopyOnWrite;
pub use tables::SCHEMA;
pub use world::{EmbeddedWorld, MAX_REFUSALS};

/// Bytes of the file that are kept in memory at most. Enough for the storage of a large World; histories are read rarely.
const CACHE_BYTES: usize = 32 << 20;
/// Largest file whose pages are all verified when it is opened: what a disk reads in about a second. Beyond, damage is seen when a row is read.
const CHECKED_BYTES: u64 = 512 << 20;
/// How a ledger without a file is called in errors.
const NO_PLACE: &str = "its storage";

/// A World in one redb file. One process at a time; any number of threads.
#[derive(Debug)]
pub struct EmbeddedLedger {
    database: Held,
    identity: WorldIdentity,
    place: String,
}

impl EmbeddedLedger {
    /// Creates a World in a new file.
    ///
    /// # Errors
    /// If there is a file already, the genesis is refused, or the disk fails.
    pub fn create(path: &Path, identity: &WorldIdentity, genesis: &Genesis) -> Result<Self, WorldError> {
        let place = path.display().to_string();
        let meta = Meta::of(identity, genesis)?;
        let disk = |error: std::io::Error| Fault::Disk(error.to_string()).at(&place);
        if path.try_exists().map_err(disk)? {
            return Err(WorldError::Exists { place });
        }
        let partial = partial_path(path);
        match fs::remove_file(&partial) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(disk(error)),
            _ => {}
        }
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&partial).map_err(disk)?;
        drop(Self::fill(file_backend(file, &place)?, &meta, genesis, &place)?);
        // The data folder belongs to one process, so nobody else creates the file meanwhile.
        fs::rename(&partial, path).map_err(disk)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(disk)?;
        }
        Self::open(path, identity)
    }

    /// Creates a World in an empty storage, such as a simulator's.
    ///
    /// # Errors
    /// If the storage is not empty or fails, or the genesis is refused.
    pub fn create_with_backend(
        backend: impl StorageBackend,
        identity: &WorldIdentity,
        genesis: &Genesis,
    ) -> Result<Self, WorldError> {
        let meta = Meta::of(identity, genesis)?;
        match backend.len() {
            Ok(0) => Self::fill(backend, &meta, genesis, NO_PLACE),
            Ok(_) => Err(WorldError::Exists { place: NO_PLACE.into() }),
            Err(error) => Err(Fault::Disk(error.to_string()).at(NO_PLACE)),
        }
    }

    /// Opens the World in this file.
    ///
    /// # Errors
    /// If there is none, it is in use, something else, damaged, or of another schema or network. The file is as it was then.
    pub fn open(path: &Path, identity: &WorldIdentity) -> Result<Self, WorldError> {
        let place = path.display().to_string();
        let file = || existing(path, &place);
        drop(Self::look(file()?, identity, &place)?);
        Self::attach(file()?, identity, &place, false)
    }

    /// The World in this file, to look at: what would be written stays in memory, so the file is left as it is.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn view(path: &Path, identity: &WorldIdentity) -> Result<Self, WorldError> {
        let place = path.display().to_string();
        Self::look(existing(path, &place)?, identity, &place)
    }

    fn look(file: FileBackend, identity: &WorldIdentity, place: &str) -> Result<Self, WorldError> {
        let view = CopyOnWrite::new(file);
        let check = view.len().map_err(|error| Fault::Disk(error.to_string()).at(place))? <= CHECKED_BYTES;
        Self::attach(view, identity, place, check)
    }

    /// Opens the World in this storage. Unlike [`open`](Self::open), a storage that is refused may have been repaired.
    ///
    /// # Errors
    /// If it is empty, something else, damaged, or of another schema or network.
    pub fn open_with_backend(backend: impl StorageBackend, identity: &WorldIdentity) -> Result<Self, WorldError> {
        Self::attach(backend, identity, NO_PLACE, false)
    }

    fn fill(backend: impl StorageBackend, meta: &Meta, genesis: &Genesis, place: &str) -> Result<Self, WorldError> {
        let cells = genesis.cells()?;
        let database = Held::new(place, || builder().create_with_backend(backend))?;
        let ledger = Self { database, identity: meta.identity.clone(), place: place.into() };
        guarded(place, || {
            let mut txn = ledger.database.get()?.begin_write()?;
            txn.set_quick_repair(true);
            meta.store(&txn)?;
            {
                let mut storage = txn.open_table(STORAGE)?;
                for (key, cell) in &cells {
                    tables::put(&mut storage, &key.0.to_bytes_be(), cell)?;
                }
            }
            for table in [SHARDS, STAGES, SETTLEMENTS, OPERATIONS] {
                txn.open_table(table)?;
            }
            txn.open_table(OPEN)?;
            Ok(txn.commit()?)
        })?;
        Ok(ledger)
    }

    fn attach(backend: impl StorageBackend, identity: &WorldIdentity, place: &str, check: bool) -> Result<Self, WorldError> {
        let foreign = |why: &str| WorldError::Foreign { place: place.into(), why: why.into() };
        let mut magic = [0; MAGIC.len()];
        let length = backend.len().map_err(|error| Fault::Disk(error.to_string()).at(place))?;
        if length < MAGIC.len() as u64 {
            return Err(foreign("it is empty or too short"));
        }
        backend.read(0, &mut magic).map_err(|error| Fault::Disk(error.to_string()).at(place))?;
        if magic != MAGIC {
            return Err(foreign("it is no redb file"));
        }
        let open = || builder().set_check_integrity_on_open(check).create_with_backend(backend);
        let database = Held::new(place, open)?;
        let meta = guarded(place, || {
            let txn = database.get()?.begin_read()?;
            match txn.open_table(META) {
                Ok(meta) => Meta::load(&meta, place),
                Err(redb::TableError::Storage(error)) => Err(error.into()),
                Err(_) => Err(foreign("another program's data is in it").into()),
            }
        })?;
        if meta.identity.network() != identity.network() {
            let (found, asked) = (meta.identity.network().into(), identity.network().into());
            return Err(WorldError::Network { place: place.into(), found, asked });
        }
        if meta.identity != *identity {
            let (found, asked) = (meta.identity.hash(), identity.hash());
            return Err(WorldError::Other { place: place.into(), found, asked });
        }
        Ok(Self { database, identity: meta.identity, place: place.into() })
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
        let ended = guarded(&self.place, || {
            let mut txn = self.database.get()?.begin_write()?;
            // Durability is immediate by default. This adds two-phase commit, and makes opening after a crash instant.
            txn.set_quick_repair(true);
            let (receipt, change) = match transition::judge(&txn, &self.identity, operation, now) {
                Ok(answer) => answer,
                Err(Fault::Refused(refusal)) => {
                    txn.abort()?;
                    return Ok(Err(refusal));
                }
                Err(fault) => return Err(fault),
            };
            match change {
                None => txn.abort()?,
                Some(change) => {
                    change.write(&txn)?;
                    txn.commit()?;
                }
            }
            Ok(Ok(receipt))
        })?;
        Ok(ended)
    }

    /// What a final operation came to; none if no such operation is final.
    ///
    /// # Errors
    /// [`WorldError`] if the ledger can't be read.
    pub fn recall(&self, ticket: Ticket) -> Result<Option<Receipt>, WorldError> {
        self.read(|txn| transition::recall(txn, ticket))
    }

    fn read<T>(&self, question: impl FnOnce(&ReadTransaction) -> Result<T, Fault>) -> Result<T, WorldError> {
        guarded(&self.place, || question(&self.database.get()?.begin_read()?))
    }
}

/// A database whose closing can't panic either: it writes, and where a damaged file contradicts itself, redb asserts.
#[derive(Debug)]
struct Held(Option<Database>);

impl Held {
    fn new(place: &str, open: impl FnOnce() -> Result<Database, redb::DatabaseError>) -> Result<Self, WorldError> {
        guarded(place, || Ok(Self(Some(open()?))))
    }

    fn get(&self) -> Result<&Database, Fault> {
        self.0.as_ref().ok_or_else(|| Fault::Disk("it is closed".into()))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let database = self.0.take();
        // Everything that was confirmed is synced; what fails here is found by the next opening.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(database)));
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

fn file_backend(file: File, place: &str) -> Result<FileBackend, WorldError> {
    FileBackend::new(file).map_err(|error| Fault::from(error).at(place))
}

fn existing(path: &Path, place: &str) -> Result<FileBackend, WorldError> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(WorldError::Missing { place: place.to_owned() })
        }
        Err(error) => Err(Fault::Disk(error.to_string()).at(place)),
        Ok(file) => file_backend(file, place),
    }
}

fn partial_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// Runs what reads a file: redb may panic where a damaged page contradicts itself, and nothing that a file says may panic a node.
fn guarded<T>(place: &str, work: impl FnOnce() -> Result<T, Fault>) -> Result<T, WorldError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|fault| fault.at(place)),
        Err(_) => Err(Fault::Damaged("its pages contradict each other".into()).at(place)),
    }
}
