//! A simulated machine's disk, as a node uses it.

use crate::{Medium, Storage};
use redb::StorageBackend as _;
use shardwire_store::{Backend, Disk, DiskError};
use std::{
    io::{self, Write},
    path::Path,
};

/// The files of a [`Medium`], for one life of the machine: a node of an earlier life finds its disk dead.
#[derive(Clone, Debug)]
pub struct SimulatedDisk {
    /// Any file of it: a handle of this life.
    handle: Storage,
}

fn name(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

impl SimulatedDisk {
    /// The disk of a process that begins now.
    #[must_use]
    pub fn new(medium: &Medium) -> Self {
        Self { handle: medium.storage("") }
    }

    fn file(&self, path: &Path) -> Storage {
        self.handle.sibling(&name(path))
    }
}

impl Disk for SimulatedDisk {
    fn write(&self, path: &Path, parts: &[&[u8]], durable: bool) -> Result<(), DiskError> {
        self.file(path).replace(parts.concat(), durable).map_err(DiskError::of(path, "written"))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn Write + Send>, DiskError> {
        Ok(Box::new(BufferedFile { file: self.file(path), content: Vec::new() }))
    }

    fn read(&self, path: &Path, most: u64) -> Result<Option<Vec<u8>>, DiskError> {
        let mut content = self.file(path).content().map_err(DiskError::of(path, "read"))?;
        if let Some(content) = &mut content {
            content.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        }
        Ok(content)
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        let within = format!("{}/", name(path));
        let file = self.file(path);
        let file_goes = || if file.exists()? { file.remove() } else { Ok(()) };
        let goes = self.handle.sibling(&within).remove_all().and_then(|()| file_goes());
        goes.map_err(DiskError::of(path, "removed"))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.file(from).rename(&name(to)).map_err(DiskError::of(to, "renamed"))
    }

    fn database(&self, path: &Path) -> Result<Option<Backend>, DiskError> {
        let file = self.file(path);
        let exists = file.exists().map_err(DiskError::of(path, "opened"))?;
        Ok(exists.then(|| Backend::new(file)))
    }

    fn database_to_read(&self, path: &Path) -> Result<Option<Backend>, DiskError> {
        self.database(path)
    }

    fn create_database(&self, path: &Path) -> Result<Backend, DiskError> {
        let file = self.file(path);
        file.set_len(0).map_err(DiskError::of(path, "made"))?;
        Ok(Backend::new(file))
    }
}

/// A file whose bytes are kept until they are flushed.
struct BufferedFile {
    file: Storage,
    content: Vec<u8>,
}

impl Write for BufferedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.content.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.replace(self.content.clone(), false)
    }
}
