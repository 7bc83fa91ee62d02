//! The disk as an argument: files and databases of a data folder, on the system's file system or on a simulated one.
//!
//! A file is written whole or piece by piece, and read whole, up to a bound. A database is given the storage that it works on, a [`Backend`];
//! the storage of a system's file locks the file when a database opens it.
//!
//! What has to appear whole is written beside its place, under the name that [`partial`] gives it, and renamed when it is complete.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is the system's disk")]

use shardwire_files::special::refuse as refuse_special;

use redb::{BackendError, StorageBackend, backends::FileBackend};
use std::{
    fmt,
    fs::{self, File},
    io::{self, BufWriter, Read as _, Write},
    ops::Bound,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A file could not be used.
#[derive(Debug, thiserror::Error)]
#[error("{path} can't be {what}: {reason}")]
pub struct DiskError {
    /// The file or folder that was used.
    pub path: PathBuf,
    /// What was tried.
    pub what: &'static str,
    /// What the system said.
    pub reason: io::Error,
}

impl DiskError {
    /// Whether something else is in the file's place: a folder, a pipe, a device, a link that leads nowhere.
    #[must_use]
    pub fn is_no_file(&self) -> bool {
        match self.reason.kind() {
            io::ErrorKind::IsADirectory => true,
            // Found here, and not what the system calls invalid: some say so of a folder that is to be synced.
            io::ErrorKind::InvalidInput => self.reason.raw_os_error().is_none(),
            _ => false,
        }
    }

    /// Makes the error of what the system said, for `map_err`.
    pub fn of(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |reason| Self { path, what, reason }
    }
}

/// Where a node's files are.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Writes a file so that it is there whole, or not at all; makes the folder if it is missing. `durable`: it is on the disk when
    /// this returns.
    ///
    /// # Errors
    /// [`DiskError`] if the disk fails; then there is no such file, or the earlier one.
    fn write(&self, path: &Path, parts: &[&[u8]], durable: bool) -> Result<(), DiskError>;

    /// Begins a file that is written piece by piece, over what was there. It is complete when it is flushed; a crash may leave any of it.
    ///
    /// # Errors
    /// [`DiskError`] if the disk fails.
    fn create(&self, path: &Path) -> Result<Box<dyn Write + Send>, DiskError>;

    /// The first bytes of a file, at most so many; none if there is no such file.
    ///
    /// # Errors
    /// [`DiskError`] if the disk fails.
    fn read(&self, path: &Path, most: u64) -> Result<Option<Vec<u8>>, DiskError>;

    /// Renames a file, over what has the other name. The new name is durable when this returns.
    ///
    /// # Errors
    /// [`DiskError`] if the disk fails or there is no such file.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError>;

    /// Removes a file, or a folder and all in it; does nothing if there is neither.
    ///
    /// # Errors
    /// [`DiskError`] if the disk fails.
    fn remove(&self, path: &Path) -> Result<(), DiskError>;

    /// The storage of a database; none if there is no such file.
    ///
    /// # Errors
    /// [`DiskError`] if the disk fails.
    fn database(&self, path: &Path) -> Result<Option<Backend>, DiskError>;

    /// The storage of a database that is only read, and need not be writable; none if there is no such file. What is written to it fails: look at
    /// the database on a [view](crate::CopyOnWrite).
    ///
    /// # Errors
    /// [`DiskError`] if the disk fails.
    fn database_to_read(&self, path: &Path) -> Result<Option<Backend>, DiskError>;

    /// The storage of a new database. An earlier file of this name is gone.
    ///
    /// # Errors
    /// [`DiskError`] if the disk fails.
    fn create_database(&self, path: &Path) -> Result<Backend, DiskError>;
}

/// What a file is called until it is complete.
#[must_use]
pub fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// A database's storage, on any disk. Clones are the same storage.
#[derive(Clone, Debug)]
pub struct Backend(Arc<dyn StorageBackend>);

impl Backend {
    /// A backend that reads and writes this storage.
    #[must_use]
    pub fn new(storage: impl StorageBackend) -> Self {
        Self(Arc::new(storage))
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.query_lock_range(start, end)
    }
}

/// Refuses a place where no file can be written though the system would try: as [`refuse_special`], and a link that leads nowhere, which would make a file somewhere else.
/// Where nothing is yet, all is well.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`], or the system's error if the place can't be looked at.
pub fn refuse_unwritable(path: &Path) -> io::Result<()> {
    match refuse_special(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if fs::symlink_metadata(path).is_ok() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a link that leads nowhere"));
            }
            Ok(())
        }
        refused => refused,
    }
}

/// The system's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDisk;

impl SystemDisk {
    fn opened(path: &Path, options: &mut fs::OpenOptions) -> Result<Option<File>, DiskError> {
        match refuse_special(path).and_then(|()| options.open(path)) {
            // To be opened, and none of it read, a folder is as good as an empty file.
            Ok(file) if file.metadata().is_ok_and(|found| found.is_dir()) => {
                Err(DiskError::of(path, "opened")(io::ErrorKind::IsADirectory.into()))
            }
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(DiskError::of(path, "opened")(error)),
        }
    }

    fn made(path: &Path) -> Result<File, DiskError> {
        refuse_unwritable(path).and_then(|()| File::create(path)).map_err(DiskError::of(path, "made"))
    }

    fn fill(mut file: File, path: &Path, parts: &[&[u8]], durable: bool) -> Result<(), DiskError> {
        for part in parts {
            file.write_all(part).map_err(DiskError::of(path, "written"))?;
        }
        if durable { file.sync_all().map_err(DiskError::of(path, "synced")) } else { Ok(()) }
    }

    fn backend(path: &Path, file: File) -> Result<Backend, DiskError> {
        let backend = FileBackend::new(file).map_err(|error| DiskError::of(path, "opened")(io::Error::other(error)))?;
        Ok(Backend::new(backend))
    }

    /// Gives a complete file its name.
    fn appear(partial: &Path, path: &Path, durable: bool) -> Result<(), DiskError> {
        fs::rename(partial, path).map_err(DiskError::of(path, "renamed"))?;
        if durable {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(DiskError::of(folder, "synced"))?;
        }
        Ok(())
    }
}

impl Disk for SystemDisk {
    fn write(&self, path: &Path, parts: &[&[u8]], durable: bool) -> Result<(), DiskError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(DiskError::of(folder, "made"))?;
        let partial = partial(path);
        let written = Self::fill(Self::made(&partial)?, &partial, parts, durable);
        let written = written.and_then(|()| Self::appear(&partial, path, durable));
        if written.is_err() {
            // It would only take room. One that has its name by now is whole.
            let _ = fs::remove_file(&partial);
        }
        written
    }

    fn create(&self, path: &Path) -> Result<Box<dyn Write + Send>, DiskError> {
        Ok(Box::new(BufWriter::new(Self::made(path)?)))
    }

    fn read(&self, path: &Path, most: u64) -> Result<Option<Vec<u8>>, DiskError> {
        let Some(file) = Self::opened(path, File::options().read(true))? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes).map_err(DiskError::of(path, "read"))?;
        Ok(Some(bytes))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        Self::appear(from, to, true)
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        let removed = match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => fs::remove_file(path),
            removed => removed,
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(DiskError::of(path, "removed")(error)),
            _ => Ok(()),
        }
    }

    fn database(&self, path: &Path) -> Result<Option<Backend>, DiskError> {
        let file = Self::opened(path, File::options().read(true).write(true))?;
        file.map(|file| Self::backend(path, file)).transpose()
    }

    fn database_to_read(&self, path: &Path) -> Result<Option<Backend>, DiskError> {
        let file = Self::opened(path, File::options().read(true))?;
        file.map(|file| Self::backend(path, file)).transpose()
    }

    fn create_database(&self, path: &Path) -> Result<Backend, DiskError> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(DiskError::of(path, "removed")(error)),
            _ => {}
        }
        let file = File::options().read(true).write(true).create_new(true).open(path);
        Self::backend(path, file.map_err(DiskError::of(path, "made"))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_have_its_name_leaves_nothing_beside_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("it");
        fs::create_dir_all(path.join("full")).unwrap();
        let error = SystemDisk.write(&path, &[b"some"], true).unwrap_err();
        assert_eq!(error.what, "renamed");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_the_system_calls_invalid_is_no_sign_that_something_else_is_in_the_place() {
        let is_no_file = |reason: io::Error| DiskError::of(Path::new("it"), "synced")(reason).is_no_file();
        let (invalid, is_a_folder) = (io::Error::from_raw_os_error(22), io::Error::from_raw_os_error(21));
        assert_eq!((invalid.kind(), is_no_file(invalid)), (io::ErrorKind::InvalidInput, false));
        assert_eq!((is_a_folder.kind(), is_no_file(is_a_folder)), (io::ErrorKind::IsADirectory, true));
    }

    /// To open a pipe would be to wait for somebody at its other end, and a link that leads nowhere would make a file somewhere else.
    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_not_written_and_nobody_is_waited_for() {
        let place = tempfile::tempdir().unwrap();
        let [pipe, link, elsewhere] = ["pipe", "link", "elsewhere"].map(|name| place.path().join(name));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
        for (path, why) in
            [(&pipe, "it is a pipe, a socket or a device, not a file"), (&link, "it is a link that leads nowhere")]
        {
            let Err(refused) = SystemDisk.create(path) else { panic!("{}", path.display()) };
            assert_eq!(refused.to_string(), format!("{} can't be made: {why}", path.display()));
            fs::rename(path, partial(&elsewhere)).unwrap();
            let refused = SystemDisk.write(&elsewhere, &[b"some"], true).unwrap_err();
            assert!(refused.to_string().ends_with(why), "{refused}");
            fs::remove_file(partial(&elsewhere)).unwrap();
        }
        assert!(!elsewhere.exists());
    }
}
