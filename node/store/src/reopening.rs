//! A database that is opened again after its disk has failed.
//!
//! redb refuses everything after one error of its storage, because what it has in memory may no longer be what is on the disk. So the next use
//! opens the same storage anew, once nobody uses the old database any more, and redb looks at what is there. A disk that still fails is said to
//! do so, each time; the first use after it is back goes on. Only what was confirmed is sure to be found: a commit that failed may be found, too.

use crate::{Backend, Contradiction, StoreError, database::Database, metrics::Counts};
use redb::{Builder, StorageError};
use shardwire_model::Mutation;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// See the module's page.
#[derive(Debug)]
pub struct Reopening {
    storage: Backend,
    builder: fn() -> Builder,
    pub(crate) counts: Counts,
    opened: Mutex<Opened>,
}

#[derive(Debug)]
struct Opened {
    /// None if it couldn't be opened again so far.
    database: Option<Arc<Database>>,
    /// Whether the storage has failed since.
    failed: bool,
}

impl Reopening {
    /// This database, which is open in this storage. `builder` says how it is opened again.
    #[must_use]
    pub fn of(storage: Backend, builder: fn() -> Builder, database: Database) -> Self {
        let opened = Mutex::new(Opened { database: Some(Arc::new(database)), failed: false });
        Self { storage, builder, counts: Counts::default(), opened }
    }

    /// The database in this storage, or a new one if the storage is empty. With `every_page` it is refused if the checksum of any page is wrong.
    ///
    /// # Errors
    /// [`StoreError::Disk`] if it can't be opened, [`StoreError::Damaged`] if it can't be read.
    pub(crate) fn over(storage: Backend, every_page: bool) -> Result<Self, StoreError> {
        let mut builder = Builder::new();
        let database = Database::over::<StoreError>(builder.set_check_integrity_on_open(every_page), storage.clone())?;
        Ok(Self::of(storage, Builder::new, database))
    }

    fn opened(&self) -> MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The database. A failed one is given out as long as somebody still uses it.
    ///
    /// # Errors
    /// [`redb::DatabaseError`] or [`Contradiction`] if it had failed and can't be opened again, [`StorageError::DatabaseClosed`] if it is closed.
    pub fn get<E>(&self) -> Result<Arc<Database>, E>
    where
        E: From<redb::DatabaseError> + From<StorageError> + From<Contradiction>,
    {
        let mut opened = self.opened();
        if opened.failed && !Mutation::DiskErrorStays.is_planted() {
            // Closed before it is opened: closing gives up the lock of the file.
            match opened.database.take().map(Arc::try_unwrap) {
                Some(Err(in_use)) => {
                    opened.database = Some(in_use.clone());
                    return Ok(in_use);
                }
                Some(Ok(failed)) => drop(failed),
                None => {}
            }
            let database = Database::over::<E>(&(self.builder)(), self.storage.clone())?;
            opened.database = Some(Arc::new(database));
            opened.failed = false;
            self.counts.reopened.inc();
        }
        opened.database.clone().ok_or_else(|| StorageError::DatabaseClosed.into())
    }

    /// The disk has failed: the next use opens the storage again.
    pub fn failed(&self) {
        self.opened().failed = true;
    }

    /// Notes if the disk has failed.
    pub(crate) fn noted<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if matches!(result, Err(StoreError::Disk(_))) {
            self.failed();
        }
        result
    }
}
