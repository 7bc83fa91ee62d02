//! A database that is opened again after its disk has failed.
//!
//! redb refuses everything after one error of its storage, because what it has in memory may no longer be what is on the disk. So the next use
//! opens the same storage anew, once nobody uses the old database any more, and redb looks at what is there. A disk that still fails is said to
//! do so, each time; the first use after it is back goes on. Only what was confirmed is sure to be found: a commit that failed may be found, too.

use crate::{Backend, StoreError, database::Database, metrics::Counts};
use redb::Builder;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// See the module's page.
#[derive(Debug)]
pub(crate) struct Reopening {
    storage: Backend,
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
    /// The database in this storage, or a new one if the storage is empty. With `every_page` it is refused if the checksum of any page is wrong.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be opened.
    pub(crate) fn over(storage: Backend, every_page: bool) -> Result<Self, StoreError> {
        let database = Self::open(&storage, every_page)?;
        Ok(Self {
            storage,
            counts: Counts::default(),
            opened: Mutex::new(Opened { database: Some(database), failed: false }),
        })
    }

    fn open(storage: &Backend, every_page: bool) -> Result<Arc<Database>, StoreError> {
        let mut builder = Builder::new();
        Database::over::<StoreError>(builder.set_check_integrity_on_open(every_page), storage.clone()).map(Arc::new)
    }

    fn opened(&self) -> MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The database. A failed one is given out as long as somebody still uses it.
    ///
    /// # Errors
    /// [`StoreError`] if it had failed and can't be opened again.
    pub(crate) fn get(&self) -> Result<Arc<Database>, StoreError> {
        let mut opened = self.opened();
        if opened.failed {
            // Closed before it is opened: closing gives up the lock of the file.
            match opened.database.take().map(Arc::try_unwrap) {
                Some(Err(in_use)) => {
                    opened.database = Some(in_use.clone());
                    return Ok(in_use);
                }
                Some(Ok(failed)) => drop(failed),
                None => {}
            }
            opened.database = Some(Self::open(&self.storage, false)?);
            opened.failed = false;
            self.counts.reopened.inc();
        }
        opened.database.clone().ok_or(StoreError::Closed)
    }

    /// Notes if the disk has failed.
    pub(crate) fn noted<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if matches!(result, Err(StoreError::Disk(_))) {
            self.opened().failed = true;
        }
        result
    }
}
