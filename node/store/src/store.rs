//! The open file: reading, and writing one change after the other.

use crate::{
    Backend, Disk, Layout, RecordKey, StoreError, Table, Work, Write,
    commit::Queue,
    database::{self, Database, guarded},
    metrics::Counts,
    reopening::Reopening,
    table::Bytes,
};
use redb::{
    ReadableDatabase as _, ReadableTable, StorageBackend as _, TableError, WriteTransaction, backends::InMemoryBackend,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// From how many bytes on each commit keeps what opening after a crash needs. Without it opening reads the whole file, 50 MB a second and twice (once on a
/// view); with it 136 MB open in 0.2 s, but a commit waits for the disk twice (5 ms where one takes 3). So a small file has fast commits, and a large one
/// opens in well under a second, too.
const QUICK_REPAIR_FROM: u64 = 16 << 20;

/// The open file. Cheap to clone: clones are the same file.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) file: Arc<File>,
    /// How groups are committed.
    pub(crate) work: Work,
}

#[derive(Debug)]
pub(crate) struct File {
    database: Reopening,
    /// About how many bytes the file has: what it had when it was opened, and all that was written since.
    length: AtomicU64,
    /// Whether it was of an older layout.
    was_older: bool,
    /// Changes that wait for the next commit.
    pub(crate) queue: Queue,
}

impl Store {
    /// Opens the store in this file, or makes it if there is none. Groups are committed beside everything else.
    ///
    /// # Errors
    /// [`StoreError`] if it is in use, damaged, not a node's or of a layout that doesn't lead to this one. The file is as it was then.
    pub fn open(disk: &dyn Disk, path: &Path, layout: &Layout) -> Result<Self, StoreError> {
        let admit = |backend: Backend, _| Self::over(backend, layout);
        if let Some(store) = database::open(disk, path, admit)? {
            return Ok(store);
        }
        database::create(disk, path, |backend| Self::over(backend, layout).map(drop))?;
        database::open(disk, path, admit)?.ok_or_else(|| StoreError::Disk("it was removed".into()))
    }

    /// The store in this file, to look at: what would be written stays in memory, so the file is left as it is. An empty one if there is none.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn view(disk: &dyn Disk, path: &Path, layout: &Layout) -> Result<Self, StoreError> {
        match database::view(disk, path, |backend, _| Self::over(backend, layout))? {
            Some(store) => Ok(store),
            None => Self::in_memory(layout),
        }
    }

    /// An empty store that ends with this process.
    ///
    /// # Errors
    /// [`StoreError`] if there is no memory for it.
    pub fn in_memory(layout: &Layout) -> Result<Self, StoreError> {
        Self::over(Backend::new(InMemoryBackend::new()), layout)
    }

    fn over(backend: Backend, layout: &Layout) -> Result<Self, StoreError> {
        let length = backend.len().map_err(|error| StoreError::Disk(error.to_string()))?;
        let database = Reopening::over(backend)?;
        let was_older = guarded(|| layout.admit(database.get()?.get()?))?;
        let file = File { database, length: AtomicU64::new(length), was_older, queue: Queue::default() };
        Ok(Self { file: Arc::new(file), work: Work::Beside })
    }

    /// Whether the file was of an older layout when it was opened: a view shows what migrating makes of it.
    #[must_use]
    pub fn was_older(&self) -> bool {
        self.file.was_older
    }

    /// With groups committed like this.
    #[must_use]
    pub fn with_work(self, work: Work) -> Self {
        Self { work, ..self }
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.file.database.counts
    }

    /// The record with this key.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails or the record is damaged.
    pub fn get<K: RecordKey, V: Serialize + DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        key: &K,
    ) -> Result<Option<V>, StoreError> {
        let found =
            self.read(table, |open| open.get(&*key.to_bytes())?.map(|bytes| table.decode(bytes.value())).transpose())?;
        Ok(found.flatten())
    }

    /// All records whose key begins with `prefix`, in the order of their keys.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails or a record is damaged.
    pub fn with_prefix<K: RecordKey, V: Serialize + DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        prefix: &[u8],
    ) -> Result<Vec<(K, V)>, StoreError> {
        Ok(self.read(table, |open| records(table, open, prefix))?.unwrap_or_default())
    }

    /// The keys that begin with `prefix`, in their order: where the records are long and only counted.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails or a key is damaged.
    pub fn keys_with_prefix<K: RecordKey, V: Serialize + DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        prefix: &[u8],
    ) -> Result<Vec<K>, StoreError> {
        let keys = self.read(table, |open| {
            let mut keys = Vec::new();
            for record in open.range(prefix..)? {
                let (key, _) = record?;
                if !key.value().starts_with(prefix) {
                    break;
                }
                keys.push(table.key(key.value())?);
            }
            Ok(keys)
        })?;
        Ok(keys.unwrap_or_default())
    }

    /// Hands over each record of a table, or why it can't be read.
    ///
    /// # Errors
    /// [`StoreError`] if the table itself can't be read.
    pub fn each<K: RecordKey, V: Serialize + DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        mut record: impl FnMut(Result<(K, V), StoreError>),
    ) -> Result<(), StoreError> {
        let all = self.read(table, |open| {
            for found in open.range::<&[u8]>(..)? {
                let (key, value) = found?;
                let read = || Ok((table.key(key.value())?, table.decode(value.value())?));
                record(read());
            }
            Ok(())
        });
        all.map(drop)
    }

    /// All records of a table.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails or a record is damaged.
    pub fn all<K: RecordKey, V: Serialize + DeserializeOwned>(
        &self,
        table: &Table<K, V>,
    ) -> Result<Vec<(K, V)>, StoreError> {
        self.with_prefix(table, &[])
    }

    /// None if there is no such table.
    fn read<K: RecordKey, V: Serialize + DeserializeOwned, T>(
        &self,
        table: &Table<K, V>,
        question: impl FnOnce(&redb::ReadOnlyTable<Bytes, Bytes>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let database = self.file.database.get()?;
        let answer = guarded(|| match database.get()?.begin_read()?.open_table(table.definition()) {
            Ok(open) => question(&open).map(Some),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        });
        self.file.database.noted(answer)
    }

    /// Several changes at once: all of them are on disk when this returns, or none is. Waits for the disk on the thread that calls;
    /// [`commit`](Self::commit) doesn't.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails, or what `changes` returns.
    pub fn write<T, E: From<StoreError>>(&self, changes: impl FnOnce(&mut Write<'_>) -> Result<T, E>) -> Result<T, E> {
        let done = self.file.write(changes)?;
        self.counts().committed(1);
        Ok(done)
    }

    /// Stores one record, durably.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] if the record is, another one if the disk fails.
    pub fn put<K: RecordKey, V: Serialize + DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        key: &K,
        value: &V,
    ) -> Result<(), StoreError> {
        self.write(|write| write.put(table, key, value))
    }
}

impl File {
    fn begin(&self) -> Result<(Arc<Database>, WriteTransaction), StoreError> {
        let begin = || {
            let database = self.database.get()?;
            let transaction = database.get()?.begin_write()?;
            Ok((database, transaction))
        };
        match self.database.noted(begin()) {
            // What failed may have been a change of an earlier transaction, which only its caller was told.
            Err(StoreError::Disk(_)) => self.database.noted(begin()),
            begun => begun,
        }
    }

    /// So many callers' changes, whose own errors are those of the file, too.
    pub(crate) fn write_group(
        &self,
        changes: impl FnOnce(&mut Write<'_>) -> Result<(), StoreError>,
        changed: usize,
    ) -> Result<(), StoreError> {
        self.database.noted(guarded(|| self.write(changes)))?;
        self.database.counts.committed(changed);
        Ok(())
    }

    pub(crate) fn write<T, E: From<StoreError>>(
        &self,
        changes: impl FnOnce(&mut Write<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        // The transaction is dropped before its database.
        let (_database, mut transaction) = self.begin()?;
        transaction.set_quick_repair(self.length.load(Ordering::Relaxed) >= QUICK_REPAIR_FROM);
        let mut write = Write::new(&transaction);
        let done = changes(&mut write)?;
        let bytes = write.bytes();
        self.database.noted(transaction.commit().map_err(StoreError::from))?;
        self.length.fetch_add(bytes, Ordering::Relaxed);
        Ok(done)
    }
}

pub(crate) fn records<K: RecordKey, V: Serialize + DeserializeOwned>(
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
