//! A disk that knows whether it fails.
//!
//! An error is noted whether it is that of a file or of a database's storage. Only a [probe](WatchedDisk::recovered) that found room to
//! write forgives it: on a full disk many small writes still succeed. A file that isn't there is no error of the disk.
//!
//! It changes nothing of what the disk below answers. Bound: the last error.

use crate::{Backend, Disk, DiskError};
use redb::{BackendError, StorageBackend};
use std::{
    io::{self, Write},
    ops::Bound,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

#[derive(Debug, Default)]
struct Noted {
    /// What failed last, in words.
    failing: Option<String>,
    /// How often something has failed.
    failures: u64,
}

#[derive(Debug, Default)]
struct Health {
    noted: Mutex<Noted>,
    failed: Notify,
}

impl Health {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, words: String) {
        let mut noted = self.noted();
        noted.failing = Some(words);
        noted.failures += 1;
        drop(noted);
        self.failed.notify_one();
    }
}

/// See the module's page. Cheap to clone: clones are the same disk.
#[derive(Clone, Debug)]
pub struct WatchedDisk {
    below: Arc<dyn Disk>,
    health: Arc<Health>,
}

impl WatchedDisk {
    /// Watches this disk.
    #[must_use]
    pub fn new(below: Arc<dyn Disk>) -> Self {
        Self { below, health: Arc::default() }
    }

    /// What failed last, unless a probe has succeeded since.
    #[must_use]
    pub fn failing(&self) -> Option<String> {
        self.health.noted().failing.clone()
    }

    /// How often something has failed so far.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.health.noted().failures
    }

    /// Completes when something fails, or has since this was last asked.
    pub async fn failed(&self) {
        self.health.failed.notified().await;
    }

    /// A probe has succeeded: the disk is taken to be well, unless something has failed since there were so many failures.
    pub fn recovered(&self, failures: u64) {
        let mut noted = self.health.noted();
        if noted.failures == failures {
            noted.failing = None;
        }
    }

    fn noted<T>(&self, result: Result<T, DiskError>) -> Result<T, DiskError> {
        if let Err(error) = &result {
            self.health.note(error.to_string());
        }
        result
    }

    fn storage(&self, path: &Path, below: Backend) -> Backend {
        Backend::new(WatchedStorage { below, path: path.to_owned(), health: self.health.clone() })
    }
}

impl Disk for WatchedDisk {
    fn write(&self, path: &Path, parts: &[&[u8]], durable: bool) -> Result<(), DiskError> {
        self.noted(self.below.write(path, parts, durable))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn Write + Send>, DiskError> {
        let below = self.noted(self.below.create(path))?;
        Ok(Box::new(WatchedFile { below, path: path.to_owned(), health: self.health.clone() }))
    }

    fn read(&self, path: &Path, most: u64) -> Result<Option<Vec<u8>>, DiskError> {
        self.noted(self.below.read(path, most))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.noted(self.below.rename(from, to))
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.noted(self.below.remove(path))
    }

    fn database(&self, path: &Path) -> Result<Option<Backend>, DiskError> {
        Ok(self.noted(self.below.database(path))?.map(|below| self.storage(path, below)))
    }

    fn database_to_read(&self, path: &Path) -> Result<Option<Backend>, DiskError> {
        self.noted(self.below.database_to_read(path))
    }

    fn create_database(&self, path: &Path) -> Result<Backend, DiskError> {
        Ok(self.storage(path, self.noted(self.below.create_database(path))?))
    }
}

fn noted<T>(health: &Health, path: &Path, what: &str, result: io::Result<T>) -> io::Result<T> {
    if let Err(error) = &result {
        health.note(format!("{} can't be {what}: {error}", path.display()));
    }
    result
}

struct WatchedFile {
    below: Box<dyn Write + Send>,
    path: PathBuf,
    health: Arc<Health>,
}

impl Write for WatchedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        noted(&self.health, &self.path, "written", self.below.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        noted(&self.health, &self.path, "written", self.below.flush())
    }
}

#[derive(Debug)]
struct WatchedStorage {
    below: Backend,
    path: PathBuf,
    health: Arc<Health>,
}

impl WatchedStorage {
    fn noted<T>(&self, what: &str, result: io::Result<T>) -> io::Result<T> {
        noted(&self.health, &self.path, what, result)
    }
}

impl StorageBackend for WatchedStorage {
    fn len(&self) -> io::Result<u64> {
        self.noted("read", self.below.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.noted("read", self.below.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.noted("written", self.below.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.noted("synced", self.below.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.noted("written", self.below.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.below.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.query_lock_range(start, end)
    }
}
