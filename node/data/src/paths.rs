//! Where everything is in a data folder.

use crate::DataError;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Where everything is in a data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataPaths(pub(crate) PathBuf);

impl DataPaths {
    /// Those of a folder that [`init`](crate::init()) has made.
    ///
    /// # Errors
    /// [`DataError::NotInitialised`] if it hasn't, [`DataError::NoConfig`] if it has and the configuration is gone, [`DataError::Disk`] if this user can't see.
    pub fn existing(root: &Path) -> Result<Self, DataError> {
        let paths = Self(root.to_owned());
        if there(&paths.config())? {
            return Ok(paths);
        }
        match there(&paths.identity())? {
            true => Err(DataError::NoConfig { path: root.into() }),
            false => Err(DataError::NotInitialised { path: root.into() }),
        }
    }

    /// Those of a folder that is somewhere else than on the system's disk.
    #[must_use]
    pub fn below(root: PathBuf) -> Self {
        Self(root)
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// The configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.0.join("shardwire.toml")
    }

    /// The identity's secret key.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.0.join("identity.key")
    }

    /// The node's id, which is no secret.
    #[must_use]
    pub fn public_identity(&self) -> PathBuf {
        self.0.join("identity.pub")
    }

    /// The node's durable memory.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.0.join("node.redb")
    }

    /// Which World the node belongs to.
    #[must_use]
    pub fn world(&self) -> PathBuf {
        self.0.join("world.json")
    }

    /// The genesis files of shards of contracts, each by its content hash, with the class files that they name.
    #[must_use]
    pub fn geneses(&self) -> PathBuf {
        self.0.join("genesis")
    }

    /// The class files of networks from whose blocks shards of this node go on.
    #[must_use]
    pub fn forks(&self) -> PathBuf {
        self.0.join("fork")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    pub(crate) fn announcement(&self) -> PathBuf {
        self.0.join("running.json")
    }
}

/// Whether there is such a file. What can't be seen isn't said to be missing.
fn there(path: &Path) -> Result<bool, DataError> {
    match fs::metadata(path) {
        Ok(found) => Ok(found.is_file()),
        Err(reason) if matches!(reason.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(reason) => Err(DataError::Disk { path: path.to_owned(), what: "read", reason }),
    }
}
