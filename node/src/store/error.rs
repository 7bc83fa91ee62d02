//! What can go wrong with the node's file.

use shardwire_model::Coded;

/// The node's durable memory failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Another process has it open.
    #[error("the data folder's node.redb is in use by another process")]
    InUse,
    /// It is a redb file, but no node's.
    #[error("node.redb is not a shardwire node's file")]
    Foreign,
    /// Another version of the layout.
    #[error("node.redb has layout version {found}, this program reads version {expected}")]
    Schema {
        /// The version in the file.
        found: u64,
        /// The version of this program.
        expected: u64,
    },
    /// It can't be read.
    #[error("node.redb is damaged: {0}")]
    Damaged(String),
    /// A record over the bound; a fault of this program.
    #[error("a record of '{table}' exceeds {max} bytes")]
    TooLarge {
        /// The table.
        table: &'static str,
        /// The bound.
        max: usize,
    },
    /// The disk.
    #[error("node.redb can't be read or written: {0}")]
    Disk(String),
}

impl Coded for StoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::InUse => "SW-STORE-001",
            Self::Foreign => "SW-STORE-002",
            Self::Schema { .. } => "SW-STORE-003",
            Self::Damaged(_) => "SW-STORE-004",
            Self::TooLarge { .. } => "SW-STORE-005",
            Self::Disk(_) => "SW-STORE-006",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::InUse => "Stop the other node, or give this one a data folder of its own.",
            Self::Foreign => "Choose another data folder; the file was left as it is.",
            Self::Schema { .. } => "Run the version of shardwire that wrote it; the file was left as it is.",
            Self::Damaged(_) => "Restore the data folder from a copy; the file was left as it is.",
            Self::TooLarge { .. } => "This is a fault of shardwire; please report it.",
            Self::Disk(_) => "Check that the disk has room and that the folder is writable, then start again.",
        }
        .into()
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self::Disk(error.to_string())
    }
}

impl From<redb::StorageError> for StoreError {
    fn from(error: redb::StorageError) -> Self {
        match error {
            redb::StorageError::Corrupted(what) => Self::Damaged(what),
            redb::StorageError::Io(io) if io.kind() == std::io::ErrorKind::InvalidData => {
                Self::Damaged("it is not a redb file".into())
            }
            error => Self::Disk(error.to_string()),
        }
    }
}

impl From<redb::DatabaseError> for StoreError {
    fn from(error: redb::DatabaseError) -> Self {
        match error {
            redb::DatabaseError::DatabaseAlreadyOpen => Self::InUse,
            redb::DatabaseError::Storage(error) => error.into(),
            error => Self::Damaged(error.to_string()),
        }
    }
}

impl From<redb::TransactionError> for StoreError {
    fn from(error: redb::TransactionError) -> Self {
        match error {
            redb::TransactionError::Storage(error) => error.into(),
            error => Self::Disk(error.to_string()),
        }
    }
}

impl From<redb::TableError> for StoreError {
    fn from(error: redb::TableError) -> Self {
        match error {
            redb::TableError::Storage(error) => error.into(),
            error => Self::Damaged(error.to_string()),
        }
    }
}

impl From<redb::CommitError> for StoreError {
    fn from(error: redb::CommitError) -> Self {
        match error {
            redb::CommitError::Storage(error) => error.into(),
            error => Self::Disk(error.to_string()),
        }
    }
}
