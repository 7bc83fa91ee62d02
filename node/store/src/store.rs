//! The open file as tables of records: what is read, and the two ways to write, alone or in a group.

use crate::{
    Backend, Description, Disk, Layout, RecordKey, StoreError, Table, Work, Write,
    commit::{Queue, Reservation},
    database::{self, Opening},
    file::File,
    table::{Bytes, each, records},
};
use redb::{
    ReadOnlyTable, ReadableTableMetadata as _, StorageBackend as _, TableDefinition, TableError,
    backends::InMemoryBackend,
};
use serde::{Serialize, de::DeserializeOwned};
use shardwire_telemetry::Telemetry;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Largest file whose pages are all verified when a node starts: a file up to this size is read whole then anyway, see `QUICK_REPAIR_FROM`. In a larger one
/// damage is seen when a record is read; `shardwire data check` verifies every page of any file.
const VERIFIED_BYTES: u64 = 16 << 20;

/// The open file. Cheap to clone: clones are the same file.
#[derive(Clone, Debug)]
pub struct Store {
    file: Arc<File>,
    /// Changes that wait for the next commit.
    queue: Arc<Queue>,
    /// How groups are committed.
    work: Work,
}

impl Store {
    /// Opens the store in this file, or makes it if there is none and never was one. Groups are committed beside everything else.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::Damaged`], [`StoreError::Lost`] if it is gone, [`StoreError::Foreign`] if it isn't a node's, [`StoreError::Version`] or
    /// [`StoreError::UnknownTable`] if its layout doesn't lead to this one, [`StoreError::Disk`]. The file is as it was then.
    pub fn open(disk: &dyn Disk, path: &Path, layout: &Layout) -> Result<Self, StoreError> {
        let admit = |backend: Backend, opening| {
            let length = length(&backend)?;
            Self::over(backend, layout, opening == Opening::OnView && length <= VERIFIED_BYTES)
        };
        let found = database::open(disk, path, admit)?;
        let store = match found {
            Some(store) => store,
            None => {
                refuse_lost(disk, path)?;
                database::create(disk, path, |backend| Self::made(backend, layout, false).map(drop))?;
                database::open(disk, path, admit)?.ok_or_else(|| StoreError::Disk("it was removed".into()))?
            }
        };
        // From here on its absence is a loss, not a beginning. A crash before this line has left a file that is opened the next time.
        if !Self::was_used(disk, path)? {
            disk.write(&mark(path), &[MARK], true)?;
        }
        Ok(store)
    }

    /// Whether a store in this file has been used, as the mark beside it says.
    ///
    /// # Errors
    /// [`StoreError::Disk`] if the mark can't be read, which no store is opened without.
    pub fn was_used(disk: &dyn Disk, path: &Path) -> Result<bool, StoreError> {
        Ok(disk.read(&mark(path), 1)?.is_some())
    }

    /// The store in this file, to look at: what would be written stays in memory, so the file is left as it is. An empty one if there is none and
    /// never was one. Pages are believed; [`verify`](Self::verify) doesn't.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn view(disk: &dyn Disk, path: &Path, layout: &Layout) -> Result<Self, StoreError> {
        Self::viewed(disk, path, layout, false)
    }

    /// Verifies the checksum of every page of the file, whatever its size, and its layout. Changes nothing, and reads the whole file.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn verify(disk: &dyn Disk, path: &Path, layout: &Layout) -> Result<(), StoreError> {
        Self::viewed(disk, path, layout, true).map(drop)
    }

    fn viewed(disk: &dyn Disk, path: &Path, layout: &Layout, every_page: bool) -> Result<Self, StoreError> {
        match database::view(disk, path, |backend, _| Self::over(backend, layout, every_page))? {
            Some(store) => Ok(store),
            None => refuse_lost(disk, path).and_then(|()| Self::in_memory(layout)),
        }
    }

    /// An empty store that ends with this process.
    ///
    /// # Errors
    /// [`StoreError::Disk`] if there is no memory for it.
    pub fn in_memory(layout: &Layout) -> Result<Self, StoreError> {
        Self::made(Backend::new(InMemoryBackend::new()), layout, false)
    }

    /// The store in a file's storage. A file appears whole or not at all, so an empty one was cut off.
    fn over(backend: Backend, layout: &Layout, every_page: bool) -> Result<Self, StoreError> {
        if length(&backend)? == 0 {
            return Err(StoreError::Damaged("it is empty".into()));
        }
        Self::made(backend, layout, every_page)
    }

    fn made(backend: Backend, layout: &Layout, every_page: bool) -> Result<Self, StoreError> {
        let file = Arc::new(File::over(backend, layout, every_page)?);
        Ok(Self { file, queue: Arc::default(), work: Work::Beside })
    }

    /// Whether the file was of an older layout when it was opened: a view shows what migrating makes of it.
    #[must_use]
    pub fn was_older(&self) -> bool {
        self.file.was_older()
    }

    /// With groups committed like this.
    #[must_use]
    pub fn with_work(self, work: Work) -> Self {
        Self { work, ..self }
    }

    /// Takes this store's numbers into the registry.
    pub fn register(&self, telemetry: &Telemetry) {
        self.file.counts().register(telemetry);
    }

    /// The record with this key.
    ///
    /// # Errors
    /// [`StoreError::Disk`] if the disk fails, [`StoreError::Damaged`] if the record can't be read.
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
    /// [`StoreError::Disk`] if the disk fails, [`StoreError::Damaged`] if a record can't be read.
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
    /// [`StoreError::Disk`] if the disk fails, [`StoreError::Damaged`] if a key can't be read.
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
    /// [`StoreError::Disk`] or [`StoreError::Damaged`] if the table itself can't be read.
    pub fn each<K: RecordKey, V: Serialize + DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        mut record: impl FnMut(Result<(K, V), StoreError>),
    ) -> Result<(), StoreError> {
        self.read(table, |open| each(table, open, &mut record)).map(drop)
    }

    /// Hands over for each record of a table whether it can be read; `expected` first hears how many the table says that it has.
    ///
    /// # Errors
    /// [`StoreError::Disk`] or [`StoreError::Damaged`] if the table itself can't be read.
    pub fn check(
        &self,
        table: &Description,
        mut expected: impl FnMut(u64),
        mut record: impl FnMut(Result<(), StoreError>),
    ) -> Result<(), StoreError> {
        let check = |open: &ReadOnlyTable<Bytes, Bytes>| {
            expected(open.len()?);
            (table.check)(table, open, &mut record)
        };
        self.read_open(table.definition(), check).map(drop)
    }

    /// All records of a table.
    ///
    /// # Errors
    /// [`StoreError::Disk`] if the disk fails, [`StoreError::Damaged`] if a record can't be read.
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
        question: impl FnOnce(&ReadOnlyTable<Bytes, Bytes>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.read_open(table.definition(), question)
    }

    fn read_open<T>(
        &self,
        table: TableDefinition<'static, Bytes, Bytes>,
        question: impl FnOnce(&ReadOnlyTable<Bytes, Bytes>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.file.read(|transaction| match transaction.open_table(table) {
            Ok(open) => question(&open).map(Some),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        })
    }

    /// Several changes at once: all of them are on disk when this returns, or none is. Waits for the disk on the thread that calls;
    /// [`commit`](Self::commit) doesn't.
    ///
    /// # Errors
    /// [`StoreError::Disk`] if the disk fails, or what `changes` returns.
    pub fn write<T, E: From<StoreError>>(&self, changes: impl FnOnce(&mut Write<'_>) -> Result<T, E>) -> Result<T, E> {
        let done = self.file.write(changes)?;
        self.file.counts().committed(1);
        Ok(done)
    }

    /// Changes that are durable when this returns, in one commit with those of others. Dropping the future doesn't take them back.
    ///
    /// # Errors
    /// What `changes` returns, or [`StoreError::Disk`] if the commit of the whole group fails, [`StoreError::Closed`] if the node ends before it. Nothing of
    /// `changes` is kept then.
    pub async fn commit<T, E, F>(&self, changes: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&mut Write<'_>) -> Result<T, E> + Send + 'static,
    {
        self.reserve().await.map_err(E::from)?.enqueue(changes).await
    }

    /// A reservation in the queue of changes, once there is room.
    ///
    /// # Errors
    /// [`StoreError::Closed`] if there will be none.
    pub async fn reserve(&self) -> Result<Reservation, StoreError> {
        Reservation::of(&self.queue, &self.file, self.work).await
    }

    /// Stores one record, durable when this returns, in one commit with what others change. Dropping the future doesn't take it back.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] if the record is, another one if the disk fails.
    pub async fn keep<K, V>(&self, table: &'static Table<K, V>, key: K, record: V) -> Result<(), StoreError>
    where
        K: RecordKey + Send + 'static,
        V: Serialize + DeserializeOwned + Send + 'static,
    {
        self.commit(move |write| write.put(table, &key, &record)).await
    }

    /// Stores one record, durably. Waits for the disk on the thread that calls; [`keep`](Self::keep) doesn't.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] if the record is, another one if the disk fails.
    #[allow(clippy::disallowed_methods, reason = "it says the same of itself")]
    pub fn put<K: RecordKey, V: Serialize + DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        key: &K,
        value: &V,
    ) -> Result<(), StoreError> {
        self.write(|write| write.put(table, key, value))
    }
}

/// What the mark says to people.
const MARK: &[u8] = b"node.redb has been used. A folder that has this file and no node.redb has lost what its node promised, and is refused.\n";

/// Where it is marked that the file beside it has been used: a file that is gone is told from one that never was.
fn mark(path: &Path) -> PathBuf {
    path.with_extension("used")
}

/// Refuses a place whose file has been used and is gone.
fn refuse_lost(disk: &dyn Disk, path: &Path) -> Result<(), StoreError> {
    if Store::was_used(disk, path)? { Err(StoreError::Lost) } else { Ok(()) }
}

fn length(backend: &Backend) -> Result<u64, StoreError> {
    backend.len().map_err(|error| StoreError::Disk(error.to_string()))
}
