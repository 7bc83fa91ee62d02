//! The disk as an argument: files and databases of a data folder, on the system's file system or on a simulated one.
//!
//! A file is written whole or piece by piece; read whole, up to a bound. Databases that are files of the system open (and lock) their files
//! themselves; on any other disk they are given a [`Backend`].
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is the system's disk")]

use redb::StorageBackend;
use std::{
    fmt,
    fs::{self, File},
    io::{self, BufWriter, Read as _, Write},
    path::{Path, PathBuf},
};

/// A file could not be used.
#[derive(Debug, thiserror::Error)]
#[error("{path} can't be {what}: {reason}")]
pub struct DiskError {
    /// The file.
    pub path: PathBuf,
    /// What was tried.
    pub what: &'static str,
    /// What the system said.
    pub reason: io::Error,
}

impl DiskError {
    /// As `map_err` takes it.
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
    /// If the disk fails; then there is no such file, or the earlier one.
    fn write(&self, path: &Path, parts: &[&[u8]], durable: bool) -> Result<(), DiskError>;

    /// Begins a file that is written piece by piece, over what was there. It is complete when it is flushed; a crash may leave any of it.
    ///
    /// # Errors
    /// If the disk fails.
    fn create(&self, path: &Path) -> Result<Box<dyn Write + Send>, DiskError>;

    /// The first bytes of a file, at most so many; none if there is no such file.
    ///
    /// # Errors
    /// If the disk fails.
    fn read(&self, path: &Path, most: u64) -> Result<Option<Vec<u8>>, DiskError>;

    /// Removes a folder and all in it; does nothing if there is none.
    ///
    /// # Errors
    /// If the disk fails.
    fn remove_folder(&self, path: &Path) -> Result<(), DiskError>;

    /// The storage of a database; none if it is a file of the system.
    fn database(&self, path: &Path) -> Option<Backend>;
}

/// A database's storage on a disk that isn't the system's.
#[derive(Debug)]
pub struct Backend(Box<dyn StorageBackend>);

impl Backend {
    /// Over any storage.
    #[must_use]
    pub fn new(storage: impl StorageBackend) -> Self {
        Self(Box::new(storage))
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
}

/// The system's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn write(&self, path: &Path, parts: &[&[u8]], durable: bool) -> Result<(), DiskError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(DiskError::of(folder, "made"))?;
        let partial = path.with_extension("partial");
        let mut file = File::create(&partial).map_err(DiskError::of(&partial, "made"))?;
        for part in parts {
            file.write_all(part).map_err(DiskError::of(&partial, "written"))?;
        }
        if durable {
            file.sync_all().map_err(DiskError::of(&partial, "synced"))?;
        }
        drop(file);
        fs::rename(&partial, path).map_err(DiskError::of(path, "renamed"))?;
        if durable {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(DiskError::of(folder, "synced"))?;
        }
        Ok(())
    }

    fn create(&self, path: &Path) -> Result<Box<dyn Write + Send>, DiskError> {
        Ok(Box::new(BufWriter::new(File::create(path).map_err(DiskError::of(path, "made"))?)))
    }

    fn read(&self, path: &Path, most: u64) -> Result<Option<Vec<u8>>, DiskError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(DiskError::of(path, "opened")(error)),
        };
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes).map_err(DiskError::of(path, "read"))?;
        Ok(Some(bytes))
    }

    fn remove_folder(&self, path: &Path) -> Result<(), DiskError> {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(DiskError::of(path, "removed")(error)),
            _ => Ok(()),
        }
    }

    fn database(&self, _: &Path) -> Option<Backend> {
        None
    }
}
