//! Where the network keeps its data: a folder somebody named, or one that goes away with the network.

use super::NetworkError;
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// The folder of a network.
#[derive(Debug)]
pub struct NetworkFolder {
    path: PathBuf,
    /// Removed with this, unless kept.
    temporary: Option<TempDir>,
}

impl NetworkFolder {
    /// Refuses a folder that holds something, before anything is done.
    ///
    /// # Errors
    /// [`NetworkError::Occupied`] if it does, [`NetworkError::Folder`] if it can't be looked at.
    pub fn refuse(wanted: Option<&Path>) -> Result<(), NetworkError> {
        let Some(path) = wanted else { return Ok(()) };
        match fs::read_dir(path).map(|mut entries| entries.next().is_some()) {
            Ok(true) => Err(NetworkError::Occupied(path.into())),
            Err(reason) if reason.kind() != io::ErrorKind::NotFound => {
                Err(NetworkError::Folder { path: path.into(), reason })
            }
            _ => Ok(()),
        }
    }

    /// A new folder, or this one, which must be empty or new.
    ///
    /// # Errors
    /// [`NetworkError::Occupied`] if it holds something, [`NetworkError::Folder`] if it can't be made.
    pub fn new(wanted: Option<&Path>) -> Result<Self, NetworkError> {
        match wanted {
            Some(path) => {
                let failed = |reason| NetworkError::Folder { path: path.into(), reason };
                fs::create_dir_all(path).map_err(failed)?;
                if fs::read_dir(path).map_err(failed)?.next().is_some() {
                    return Err(NetworkError::Occupied(path.into()));
                }
                // The nodes' folders are printed for people to use from anywhere.
                Ok(Self { path: fs::canonicalize(path).map_err(failed)?, temporary: None })
            }
            None => {
                let made = tempfile::Builder::new().prefix("shardwire-testnet-").tempdir();
                let made =
                    made.map_err(|reason: io::Error| NetworkError::Folder { path: std::env::temp_dir(), reason })?;
                Ok(Self { path: made.path().into(), temporary: Some(made) })
            }
        }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets the folder stay.
    pub fn keep(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            // The path is known already.
            let _ = temporary.keep();
        }
    }
}
