//! redb databases on a [`Disk`]: how one is made, opened and looked at.
//!
//! Opening is tried on a view first, because opening may repair or migrate, and what is refused must stay as it was. Making one writes beside
//! its place and renames, so that it is there whole or not at all. Nothing that a file says panics the process ([`guarded`]).

use crate::{Backend, CopyOnWrite, Disk, DiskError, disk::partial};
use redb::{Builder, StorageBackend, StorageError};
use shardwire_telemetry::catch;
use std::{panic::AssertUnwindSafe, path::Path};

/// The pages of a database contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its pages contradict each other")]
pub struct Contradiction;

/// Runs what reads a file that may be damaged: redb may panic where a page contradicts itself, and nothing that a file says may panic a node.
///
/// # Errors
/// What `work` returns, or [`Contradiction`] if it panicked.
pub fn guarded<T, E: From<Contradiction>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Contradiction.into()))
}

/// How a storage is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// On a view: what is written stays in memory.
    OnView,
    /// On the file itself: what is written stays.
    InPlace,
}

/// Opens the database in this file, on a view and then in place; none if there is no such file. `admit` refuses what isn't right; what it
/// refuses stays as it was.
///
/// # Errors
/// [`DiskError`], and what `admit` returns.
pub fn open<T, E: From<DiskError>>(
    disk: &dyn Disk,
    path: &Path,
    mut admit: impl FnMut(Backend, Opening) -> Result<T, E>,
) -> Result<Option<T>, E> {
    let Some(tried) = view(disk, path, &mut admit)? else { return Ok(None) };
    drop(tried);
    disk.database(path)?.map(|backend| admit(backend, Opening::InPlace)).transpose()
}

/// The database in this file, to look at: what would be written stays in memory; none if there is no such file.
///
/// # Errors
/// [`DiskError`], and what `admit` returns.
pub fn view<T, E: From<DiskError>>(
    disk: &dyn Disk,
    path: &Path,
    admit: impl FnOnce(Backend, Opening) -> Result<T, E>,
) -> Result<Option<T>, E> {
    let below = disk.database_to_read(path)?;
    below.map(|below| admit(Backend::new(CopyOnWrite::new(below)), Opening::OnView)).transpose()
}

/// Makes a database that is there whole or not at all. `fill` has closed it when it returns.
///
/// # Errors
/// [`DiskError`], and what `fill` returns.
pub fn create<E: From<DiskError>>(
    disk: &dyn Disk,
    path: &Path,
    fill: impl FnOnce(Backend) -> Result<(), E>,
) -> Result<(), E> {
    let partial = partial(path);
    fill(disk.create_database(&partial)?)?;
    Ok(disk.rename(&partial, path)?)
}

/// An open database whose closing can't panic either: closing writes, and where a damaged file contradicts itself, redb asserts.
#[derive(Debug)]
pub struct Database(Option<redb::Database>);

impl Database {
    /// The database in this storage, or a new one if the storage is empty.
    ///
    /// # Errors
    /// [`redb::DatabaseError`] if it can't be opened, [`Contradiction`] if it is damaged.
    pub fn over<E: From<redb::DatabaseError> + From<Contradiction>>(
        builder: &Builder,
        backend: impl StorageBackend,
    ) -> Result<Self, E> {
        guarded(|| Ok(Self(Some(builder.create_with_backend(backend)?))))
    }

    /// The database, as redb has it.
    ///
    /// # Errors
    /// [`StorageError::DatabaseClosed`] once it is closed.
    pub fn get(&self) -> Result<&redb::Database, StorageError> {
        self.0.as_ref().ok_or(StorageError::DatabaseClosed)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let database = self.0.take();
        // Everything that was confirmed is synced; what fails here is found by the next opening.
        let _ = catch(AssertUnwindSafe(|| drop(database)));
    }
}
