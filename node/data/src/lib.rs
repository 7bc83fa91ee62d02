//! The data folder: what a node keeps on disk, who may use it, and how a new one is made.
//!
//! ```text
//! DIR/                 mode 0700
//!   shardwire.toml     the configuration
//!   identity.key       the ed25519 key, mode 0600
//!   identity.pub       the node's id: whose folder it is, for who may not read the key
//!   node.redb          what the roles have promised
//!   node.used          that there was a node.redb: without one the folder is refused then
//!   world.json         which World the node belongs to: its genesis' hash, its settlers, its programs
//!   ledger.redb        a settler's World
//!   genesis/           an operator's genesis files of shards of contracts, HASH.json, and their class files: put there by a person
//!   shards/ jobs/      artefacts: witness chunks, witnesses, proofs
//!   lock               held by the one process that uses the folder
//!   running.json       {"pid","listen","peer","network"}: how to reach that process
//! ```
//!
//! [`init`] makes a folder and never overwrites anything; [`DataFolder::open`] claims it for this process. The claim is a
//! lock of the operating system, so it ends with the process however that dies: a `running.json` that a killed node left
//! behind is told from a living one's by the lock ([`DataPaths::running`]).
//!
//! [`Look`] claims a folder to look at it: nothing in it changes, and it need not be writable.
//!
//! Refused: a folder that holds something else, a second process, an identity that others can read.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the data folder is files")]

mod error;
mod folder;
mod init;
mod template;
#[cfg(test)]
mod tests;
pub mod world;

pub use error::{DataError, InitError};
pub use folder::{DataFolder, Look, Running};
pub use init::{Belongs, Created, init};

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Where everything is in a data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataPaths(PathBuf);

impl DataPaths {
    /// Those of a folder that [`init`] has made.
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

    /// How to reach the process that uses this folder, whose configuration may be gone meanwhile.
    ///
    /// # Errors
    /// As [`existing`](Self::existing) if nobody runs there and it is no data folder; else as [`running`](Self::running).
    pub fn of_running(root: &Path) -> Result<(Self, Running), DataError> {
        let paths = Self(root.to_owned());
        match paths.running() {
            Ok(running) => Ok((paths, running)),
            Err(not_running @ DataError::NotRunning { .. }) => Err(Self::existing(root).err().unwrap_or(not_running)),
            Err(error) => Err(error),
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

    fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    fn announcement(&self) -> PathBuf {
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
