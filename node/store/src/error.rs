//! What can go wrong with the node's file.

use crate::{Contradiction, DiskError};
use shardwire_model::Coded;

/// The node's durable memory failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("the data folder's node.redb is in use by another process")]
    InUse,
    /// It is a redb file, but no node's.
    #[error("node.redb is not a shardwire node's file")]
    Foreign,
    /// A table of a version that no migration leads from.
    #[error("node.redb has {what} in version {found}, this program reads version {known}")]
    Version {
        /// What has the version: a table, by its name, or the file.
        what: String,
        /// The version in the file.
        found: u64,
        /// The version of this program.
        known: u64,
    },
    /// A table that isn't of this program.
    #[error("node.redb has a table '{table}', which this program doesn't know")]
    UnknownTable {
        /// The table's name in the file.
        table: String,
    },
    /// It can't be read.
    #[error("node.redb is damaged: {0}")]
    Damaged(String),
    /// It has been used, and there is none any more.
    #[error("node.redb is gone: this data folder has been used, and what its node promised was in that file")]
    Lost,
    /// A record over the bound; a fault of this program.
    #[error("a record of '{table}' exceeds {max} bytes")]
    TooLarge {
        /// The table that it was to be put in.
        table: &'static str,
        /// The most bytes that a record may have.
        max: usize,
    },
    /// The disk failed or is full; what was confirmed is kept.
    #[error("node.redb can't be read or written: {0}")]
    Disk(String),
    /// The node ended before the changes were taken up.
    #[error("node.redb is closed")]
    Closed,
}

impl StoreError {
    pub(crate) fn of_version(what: &str, found: u64, known: u64) -> Self {
        Self::Version { what: what.to_owned(), found, known }
    }
}

impl Coded for StoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::InUse => "SW-STORE-001",
            Self::Foreign => "SW-STORE-002",
            Self::Version { .. } => "SW-STORE-003",
            Self::Damaged(_) => "SW-STORE-004",
            Self::TooLarge { .. } => "SW-STORE-005",
            Self::Disk(_) => "SW-STORE-006",
            Self::UnknownTable { .. } => "SW-STORE-007",
            Self::Closed => "SW-STORE-008",
            Self::Lost => "SW-STORE-009",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::InUse => "Stop the other node, or give this one a data folder of its own.",
            Self::Foreign => "Choose another data folder; the file was left as it is.",
            Self::Version { found, known, .. } if found < known => {
                "Run the version of shardwire that wrote it; the file was left as it is."
            }
            Self::Version { .. } | Self::UnknownTable { .. } => {
                "Use a newer version of shardwire; the file was left as it is."
            }
            Self::Damaged(_) => "Restore the data folder from a copy; the file was left as it is.",
            Self::Lost => {
                "Restore node.redb from a copy, or make a new data folder with `shardwire init`: a node that forgets what it signed breaks its word."
            }
            Self::TooLarge { .. } => "This is a fault of shardwire; please report it.",
            Self::Disk(_) => {
                "Check that the disk has room and that the data folder is writable. A node that runs goes on by itself then; one that has ended is to be started again."
            }
            Self::Closed => "Start the node again: what wasn't confirmed wasn't kept.",
        }
        .into()
    }

    fn told(&self) -> String {
        match self {
            Self::Damaged(_) => "node.redb is damaged".into(),
            Self::Disk(_) => "node.redb can't be read or written".into(),
            _ => self.to_string(),
        }
    }
}

impl From<DiskError> for StoreError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error.reason.to_string())
    }
}

impl From<Contradiction> for StoreError {
    fn from(contradiction: Contradiction) -> Self {
        Self::Damaged(contradiction.to_string())
    }
}

crate::from_redb!(StoreError);
