//! A process's handle to a file on a simulated disk.

use crate::{change::Change, medium::Medium};
use redb::StorageBackend;
use std::io::{ErrorKind, Result};

/// A file, for the life in which it was opened. Serves as the storage of a redb database.
#[derive(Debug, Clone)]
pub struct Storage {
    medium: Medium,
    name: String,
    life: u64,
}

impl Medium {
    /// The storage of a database under this name, for a process of the current life. The first write creates the
    /// file.
    #[must_use]
    pub fn storage(&self, name: &str) -> Storage {
        Storage::new(self.clone(), name.to_owned(), self.life())
    }
}

impl Storage {
    pub(crate) fn new(medium: Medium, name: String, life: u64) -> Self {
        Self { medium, name, life }
    }

    /// Another file of the same disk, in the same life.
    #[must_use]
    pub fn sibling(&self, name: &str) -> Self {
        Self { medium: self.medium.clone(), name: name.to_owned(), life: self.life }
    }

    /// The whole file; `None` if there is no file.
    ///
    /// # Errors
    /// [`io::Error`](std::io::Error) if the disk has no power or a read fails.
    pub fn content(&self) -> Result<Option<Vec<u8>>> {
        self.medium.open()?;
        self.medium.read(&self.name, self.life, |bytes| Ok(bytes.map(<[u8]>::to_vec)))
    }

    /// Replaces the file: whole or not at all if `durable`. Otherwise a crash may leave the old file, the new one or
    /// a torn one.
    ///
    /// # Errors
    /// [`io::Error`](std::io::Error) if the disk has no power or no room.
    pub fn replace(&self, content: Vec<u8>, durable: bool) -> Result<()> {
        self.medium.open()?;
        self.medium.change(&self.name, self.life, Change::Replace(content))?;
        if durable { self.medium.sync(&self.name, self.life) } else { Ok(()) }
    }

    /// Whether there is such a file.
    ///
    /// # Errors
    /// [`io::Error`](std::io::Error) if the disk has no power or a read fails.
    pub fn exists(&self) -> Result<bool> {
        self.medium.open()?;
        Ok(self.medium.length(&self.name, self.life)?.is_some())
    }

    /// Removes the file.
    ///
    /// # Errors
    /// [`io::Error`](std::io::Error) if the disk has no power.
    pub fn remove(&self) -> Result<()> {
        self.medium.open()?;
        self.medium.change(&self.name, self.life, Change::Remove)
    }

    /// Gives the file another name, over what has it. What was synced of it is there under the new name when this returns.
    ///
    /// # Errors
    /// [`io::Error`](std::io::Error) if the disk has no power or there is no such file.
    pub fn rename(&self, to: &str) -> Result<()> {
        self.medium.rename(&self.name, to, self.life)
    }

    /// Removes all files whose names begin with this one's.
    ///
    /// # Errors
    /// [`io::Error`](std::io::Error) if the disk has no power.
    pub fn remove_all(&self) -> Result<()> {
        self.medium.open()?;
        for name in self.medium.names(&self.name, self.life)? {
            self.medium.change(&name, self.life, Change::Remove)?;
        }
        Ok(())
    }
}

impl StorageBackend for Storage {
    fn len(&self) -> Result<u64> {
        Ok(self.medium.length(&self.name, self.life)?.unwrap_or(0) as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.medium.read(&self.name, self.life, |bytes| {
            let at = usize::try_from(offset).map_err(|_| ErrorKind::UnexpectedEof)?;
            let end = at.checked_add(out.len()).ok_or(ErrorKind::UnexpectedEof)?;
            let found = bytes.unwrap_or_default().get(at..end).ok_or(ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(found);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let length = usize::try_from(len).map_err(|_| ErrorKind::StorageFull)?;
        self.medium.change(&self.name, self.life, Change::Length(length))
    }

    fn sync_data(&self) -> Result<()> {
        self.medium.sync(&self.name, self.life)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        let at = usize::try_from(offset).map_err(|_| ErrorKind::StorageFull)?;
        self.medium.change(&self.name, self.life, Change::Write(at, data.to_vec()))
    }
}
