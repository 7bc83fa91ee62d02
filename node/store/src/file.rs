//! The open file: transactions on it, one write after the other. After an error of the disk the next one opens it again.

use crate::{
    Backend, Contradiction, Layout, StoreError, Write,
    database::{Database, guarded},
    metrics::Counts,
    reopening::Reopening,
};
use redb::{ReadTransaction, ReadableDatabase as _, StorageBackend as _, WriteTransaction};
use shardwire_telemetry::catch;
use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// From how many bytes on each commit keeps what opening after a crash needs. Without it opening reads the whole file, 50 MB a second and twice (once on a
/// view); with it 136 MB open in 0.2 s, but a commit waits for the disk twice (5 ms where one takes 3). So a small file has fast commits, and a large one
/// opens in well under a second, too.
const QUICK_REPAIR_FROM: u64 = 16 << 20;

/// The open file.
#[derive(Debug)]
pub(crate) struct File {
    database: Reopening,
    /// About how many bytes the file has: what it had when it was opened, and all that was written since.
    length: AtomicU64,
    /// Whether it was of an older layout.
    was_older: bool,
}

impl File {
    /// The file in this storage, brought to the layout or refused. With `every_page` each page's checksum is verified first: on a view alone, because it
    /// takes a commit.
    pub(crate) fn over(backend: Backend, layout: &Layout, every_page: bool) -> Result<Self, StoreError> {
        let length = backend.len().map_err(|error| StoreError::Disk(error.to_string()))?;
        let database = Reopening::over(backend, every_page)?;
        let was_older = guarded(|| layout.admit(database.get::<StoreError>()?.get()?))?;
        Ok(Self { database, length: AtomicU64::new(length), was_older })
    }

    /// Whether it was of an older layout when it was opened.
    pub(crate) fn was_older(&self) -> bool {
        self.was_older
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.database.counts
    }

    /// Reads what the last commit left.
    pub(crate) fn read<T>(
        &self,
        question: impl FnOnce(&ReadTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let database = self.database.get::<StoreError>()?;
        self.database.noted(guarded(|| question(&database.get()?.begin_read()?)))
    }

    fn begin(&self) -> Result<(Arc<Database>, WriteTransaction), StoreError> {
        let begin = || {
            let database = self.database.get::<StoreError>()?;
            let transaction = database.get()?.begin_write()?;
            Ok((database, transaction))
        };
        match self.database.noted(begin()) {
            // What failed may have been a change of an earlier transaction, which only its caller was told.
            Err(StoreError::Disk(_)) => self.database.noted(begin()),
            outcome => outcome,
        }
    }

    /// So many callers' changes, whose own errors are those of the file, too.
    pub(crate) fn write_group(
        &self,
        changes: impl FnOnce(&mut Write<'_>) -> Result<(), StoreError>,
        changed: usize,
    ) -> Result<(), StoreError> {
        self.database.noted(self.write(changes))?;
        self.database.counts.committed(changed);
        Ok(())
    }

    pub(crate) fn write<T, E: From<StoreError>>(
        &self,
        changes: impl FnOnce(&mut Write<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        // What is read for a change may be damaged, and so may what the transaction's end touches.
        catch(AssertUnwindSafe(|| self.write_unguarded(changes)))
            .unwrap_or_else(|_| Err(StoreError::from(Contradiction).into()))
    }

    fn write_unguarded<T, E: From<StoreError>>(
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
