//! The node's durable memory: one redb file, `node.redb`, in the data folder.
//!
//! Roles persist *before* they act: what a node has told a peer it can find again after `kill -9`. Every [`Store::write`] is one
//! transaction, on disk when it returns; a failed one leaves nothing behind. Records are postcard under a schema version; a
//! file of another version, another program, or a damaged one is refused and left as it is: opening is tried on a view of it first, because
//! opening may repair.
//!
//! The file holds identities and small records only ([`records`]); witness chunks and proofs are files of their own, named by
//! content, in the data folder. The World is not here either: a settler's ledger has its own file, since it is the one thing
//! that other settlers replicate.
//!
//! Bounds: a record is at most [`MAX_RECORD_BYTES`]. Writes wait for the disk (some milliseconds) on the thread that calls.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the store is a file")]

mod error;
mod history;
pub(crate) mod records;

use crate::disk::Disk;
pub(crate) use error::StoreError;
use redb::{
    Database, ReadableDatabase, ReadableTable, StorageBackend as _, TableDefinition,
    backends::{FileBackend, InMemoryBackend},
};
use serde::{Serialize, de::DeserializeOwned};
use shardwire_world::CopyOnWrite;
use std::{
    fs::{self, File},
    io,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

/// Most bytes one record may take: the largest is an assignment with the model's bounds exhausted (about 200 KiB).
pub(crate) const MAX_RECORD_BYTES: usize = 1 << 20;
/// From how many bytes on each commit keeps what opening after a crash needs. Without it opening reads the whole file, 50 MB a second and twice (once on a
/// view); with it 136 MB open in 0.2 s, but a commit waits for the disk twice (5 ms where one takes 3). So a small file has fast commits, and a large one
/// opens in well under a second, too.
const QUICK_REPAIR_FROM: u64 = 16 << 20;
/// The version of the records' layout.
const SCHEMA: u64 = 2;
/// What the file is, so that another program's redb file is never taken for ours.
const MAGIC: &str = "shardwire node";
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

type Bytes = &'static [u8];

/// A table of records of type `V` by keys of type `K`.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    name: &'static str,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: RecordKey, V: Serialize + DeserializeOwned> Table<K, V> {
    /// The table of this name.
    #[must_use]
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, types: PhantomData }
    }

    fn definition(&self) -> TableDefinition<'static, Bytes, Bytes> {
        TableDefinition::new(self.name)
    }

    fn key(&self, bytes: &[u8]) -> Result<K, StoreError> {
        K::from_bytes(bytes).ok_or_else(|| StoreError::Damaged(format!("a key of '{}' can't be read", self.name)))
    }

    fn decode(&self, bytes: &[u8]) -> Result<V, StoreError> {
        postcard::from_bytes(bytes)
            .map_err(|_| StoreError::Damaged(format!("a record of '{}' can't be read", self.name)))
    }
}

/// A key: bytes that sort as the key does.
pub(crate) trait RecordKey: Sized {
    /// The bytes.
    fn to_bytes(&self) -> Vec<u8>;
    /// The key with these bytes.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

/// The open file.
#[derive(Debug)]
pub(crate) struct Store {
    database: Database,
    /// About how many bytes the file has: what it had when it was opened, and all that was written since.
    length: AtomicU64,
}

impl Store {
    /// Opens the store of a data folder on this disk, or makes it if there is none.
    ///
    /// # Errors
    /// If it is in use, damaged, or not a node's.
    pub(crate) fn on(disk: &dyn Disk, path: &Path) -> Result<Self, StoreError> {
        match disk.database(path) {
            None => Self::open(path),
            Some(backend) => {
                let fresh = backend.len().is_ok_and(|length| length == 0);
                Self::with_backend(backend, fresh)
            }
        }
    }

    /// Opens the file, or makes it if there is none.
    ///
    /// # Errors
    /// If it is in use, damaged, or not a node's.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        match path.try_exists()? {
            true => drop(Self::view(path)?),
            false => Self::create(path)?,
        }
        let length = path.metadata().map_or(0, |file| file.len());
        guarded(|| Self::admit(Database::create(path).map_err(StoreError::from)?, false, length))
    }

    /// Makes an empty one that is there whole or not at all: half a file would be refused ever after.
    fn create(path: &Path) -> Result<(), StoreError> {
        let partial = path.with_extension("redb.partial");
        match fs::remove_file(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        drop(Self::admit(Database::create(&partial)?, true, 0)?);
        fs::rename(&partial, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Ok(File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?)
    }

    /// The store in this file, to look at: what would be written stays in memory, so the file is left as it is. An empty one if there is none.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) fn view(path: &Path) -> Result<Self, StoreError> {
        let file = match File::options().read(true).write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Self::with_backend(InMemoryBackend::new(), true);
            }
            file => file?,
        };
        let fresh = file.metadata().is_ok_and(|file| file.len() == 0);
        let backend = CopyOnWrite::new(FileBackend::new(file)?);
        guarded(|| Self::with_backend(backend, fresh))
    }

    /// Opens a store over another kind of storage, such as memory.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) fn with_backend(backend: impl redb::StorageBackend, fresh: bool) -> Result<Self, StoreError> {
        let length = backend.len().unwrap_or_default();
        Self::admit(Database::builder().create_with_backend(backend).map_err(StoreError::from)?, fresh, length)
    }

    fn admit(database: Database, fresh: bool, length: u64) -> Result<Self, StoreError> {
        let store = Self { database, length: AtomicU64::new(length) };
        match store.schema()? {
            Some(SCHEMA) => {}
            Some(found) => return Err(StoreError::Schema { found, expected: SCHEMA }),
            None if fresh || store.is_empty()? => {
                let transaction = store.database.begin_write()?;
                transaction.open_table(META)?.insert(MAGIC, SCHEMA)?;
                transaction.commit()?;
            }
            None => return Err(StoreError::Foreign),
        }
        Ok(store)
    }

    fn schema(&self) -> Result<Option<u64>, StoreError> {
        match self.database.begin_read()?.open_table(META) {
            Ok(table) => Ok(table.get(MAGIC)?.map(|schema| schema.value())),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(_) => Err(StoreError::Foreign),
        }
    }

    /// A crash between making the file and its first transaction leaves it without a table.
    fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.database.begin_read()?.list_tables()?.next().is_none())
    }

    /// The record with this key.
    ///
    /// # Errors
    /// If the disk fails or the record is damaged.
    pub(crate) fn get<K: RecordKey, V: Serialize + DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        key: &K,
    ) -> Result<Option<V>, StoreError> {
        match self.database.begin_read()?.open_table(table.definition()) {
            Ok(open) => open.get(&*key.to_bytes())?.map(|bytes| table.decode(bytes.value())).transpose(),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// All records whose key begins with `prefix`, in the order of their keys.
    ///
    /// # Errors
    /// If the disk fails or a record is damaged.
    pub(crate) fn with_prefix<K: RecordKey, V: Serialize + DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        prefix: &[u8],
    ) -> Result<Vec<(K, V)>, StoreError> {
        match self.database.begin_read()?.open_table(table.definition()) {
            Ok(open) => records(table, &open, prefix),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// The keys that begin with `prefix`, in their order: where the records are long and only counted.
    ///
    /// # Errors
    /// If the disk fails or a key is damaged.
    pub(crate) fn keys_with_prefix<K: RecordKey, V: Serialize + DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        prefix: &[u8],
    ) -> Result<Vec<K>, StoreError> {
        let open = match self.database.begin_read()?.open_table(table.definition()) {
            Ok(open) => open,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut keys = Vec::new();
        for record in open.range(prefix..)? {
            let (key, _) = record?;
            if !key.value().starts_with(prefix) {
                break;
            }
            keys.push(table.key(key.value())?);
        }
        Ok(keys)
    }

    /// Hands over each record of a table, or why it can't be read.
    ///
    /// # Errors
    /// If the table itself can't be read.
    pub(crate) fn each<K: RecordKey, V: Serialize + DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        mut record: impl FnMut(Result<(K, V), StoreError>),
    ) -> Result<(), StoreError> {
        guarded(|| {
            let open = match self.database.begin_read()?.open_table(table.definition()) {
                Ok(open) => open,
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            for found in open.range::<&[u8]>(..)? {
                let (key, value) = found?;
                let read = || Ok((table.key(key.value())?, table.decode(value.value())?));
                record(read());
            }
            Ok(())
        })
    }

    /// All records of a table.
    ///
    /// # Errors
    /// If the disk fails or a record is damaged.
    pub(crate) fn all<K: RecordKey, V: Serialize + DeserializeOwned>(
        &self,
        table: &Table<K, V>,
    ) -> Result<Vec<(K, V)>, StoreError> {
        self.with_prefix(table, &[])
    }

    /// Several changes at once: all of them are on disk when this returns, or none is.
    ///
    /// # Errors
    /// If the disk fails, or if `changes` does.
    pub(crate) fn write<E: From<StoreError>>(
        &self,
        changes: impl FnOnce(&mut Write<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut transaction = self.database.begin_write().map_err(StoreError::from)?;
        transaction.set_quick_repair(self.length.load(Ordering::Relaxed) >= QUICK_REPAIR_FROM);
        let mut write = Write { transaction: &transaction, bytes: 0 };
        changes(&mut write)?;
        let bytes = write.bytes;
        transaction.commit().map_err(StoreError::from)?;
        self.length.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Stores one record, durably.
    ///
    /// # Errors
    /// If the disk fails or the record is too large.
    pub(crate) fn put<K: RecordKey, V: Serialize + DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        key: &K,
        value: &V,
    ) -> Result<(), StoreError> {
        self.write(|write| write.put(table, key, value))
    }
}

/// Runs what reads a file that may be damaged: redb may panic where a page contradicts itself, and nothing that a file says may panic a node.
fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let damaged = |_| Err(StoreError::Damaged("its pages contradict each other".into()));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(damaged)
}

fn records<K: RecordKey, V: Serialize + DeserializeOwned>(
    table: &Table<K, V>,
    open: &impl ReadableTable<Bytes, Bytes>,
    prefix: &[u8],
) -> Result<Vec<(K, V)>, StoreError> {
    let mut records = Vec::new();
    for record in open.range(prefix..)? {
        let (key, value) = record?;
        if !key.value().starts_with(prefix) {
            break;
        }
        records.push((table.key(key.value())?, table.decode(value.value())?));
    }
    Ok(records)
}

/// Changes that become durable together.
#[allow(missing_debug_implementations)]
pub(crate) struct Write<'t> {
    transaction: &'t redb::WriteTransaction,
    /// What was written so far.
    bytes: u64,
}

impl Write<'_> {
    /// As [`Store::with_prefix`], with what was changed so far. Nobody else changes anything meanwhile.
    ///
    /// # Errors
    /// If the disk fails or a record is damaged.
    pub(crate) fn with_prefix<K: RecordKey, V: Serialize + DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        prefix: &[u8],
    ) -> Result<Vec<(K, V)>, StoreError> {
        records(table, &self.transaction.open_table(table.definition())?, prefix)
    }

    /// Stores a record, over what was there.
    ///
    /// # Errors
    /// If the disk fails or the record is too large.
    pub(crate) fn put<K: RecordKey, V: Serialize + DeserializeOwned>(
        &mut self,
        table: &Table<K, V>,
        key: &K,
        value: &V,
    ) -> Result<(), StoreError> {
        let bytes = postcard::to_allocvec(value)
            .ok()
            .filter(|bytes| bytes.len() <= MAX_RECORD_BYTES)
            .ok_or(StoreError::TooLarge { table: table.name, max: MAX_RECORD_BYTES })?;
        self.transaction.open_table(table.definition())?.insert(&*key.to_bytes(), &*bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Removes a record, if it is there.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn remove<K: RecordKey, V: Serialize + DeserializeOwned>(
        &mut self,
        table: &Table<K, V>,
        key: &K,
    ) -> Result<(), StoreError> {
        self.transaction.open_table(table.definition())?.remove(&*key.to_bytes())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
