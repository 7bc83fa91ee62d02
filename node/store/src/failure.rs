//! What an error of redb means, for the node's file and for a World's ledger: another process, damage, or the disk.
//!
//! It decides what a person is told to do, and whether a node goes on by itself once the disk works again. What redb can't read is damage, and so is a
//! file that ends too early. An error that says nothing of the file's content is the disk's.

use std::io::ErrorKind;

/// What an error of redb means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseFailure {
    /// Another process has the file open.
    InUse,
    /// The file isn't what was written: what is wrong with it.
    Damaged(String),
    /// The file can't be read or written now: the system's reason.
    Disk(String),
}

impl DatabaseFailure {
    /// What this error means, of whatever part of redb it is.
    pub fn of(error: impl Into<redb::Error>) -> Self {
        match error.into() {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Self::InUse,
            redb::Error::Corrupted(what) => Self::Damaged(what),
            redb::Error::Io(error) if error.kind() == ErrorKind::InvalidData => {
                Self::Damaged("it is not a redb file".into())
            }
            redb::Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => Self::Damaged(error.to_string()),
            error @ (redb::Error::Io(_)
            | redb::Error::Backend(_)
            | redb::Error::PreviousIo
            | redb::Error::DatabaseClosed
            | redb::Error::LockPoisoned(_)
            | redb::Error::TransactionInProgress
            | redb::Error::TransactionPoisoned
            | redb::Error::ReadTransactionStillInUse(_)
            | redb::Error::ValueTooLarge(_)) => Self::Disk(error.to_string()),
            error => Self::Damaged(error.to_string()),
        }
    }
}

/// Has an error type with the variants `InUse`, `Damaged` and `Disk` say what an error of redb means.
#[macro_export]
macro_rules! from_redb {
    ($type:ty) => {
        impl From<$crate::DatabaseFailure> for $type {
            fn from(failure: $crate::DatabaseFailure) -> Self {
                match failure {
                    $crate::DatabaseFailure::InUse => Self::InUse,
                    $crate::DatabaseFailure::Damaged(what) => Self::Damaged(what),
                    $crate::DatabaseFailure::Disk(why) => Self::Disk(why),
                }
            }
        }
        $crate::from_redb!($type: DatabaseError, TransactionError, TableError, StorageError, CommitError);
    };
    ($type:ty: $($error:ident),*) => {$(
        impl From<redb::$error> for $type {
            fn from(error: redb::$error) -> Self {
                $crate::DatabaseFailure::of(error).into()
            }
        }
    )*};
}

#[cfg(test)]
mod tests {
    use super::*;
    use redb::{DatabaseError, StorageError, TableError};
    use std::io;

    #[test]
    fn an_error_of_the_disk_is_told_from_damage_and_from_another_process() {
        let of_kind = |kind: ErrorKind| DatabaseFailure::of(StorageError::Io(io::Error::from(kind)));
        assert_eq!(DatabaseFailure::of(DatabaseError::DatabaseAlreadyOpen), DatabaseFailure::InUse);
        assert_eq!(of_kind(ErrorKind::InvalidData), DatabaseFailure::Damaged("it is not a redb file".into()));
        for failure in [
            of_kind(ErrorKind::UnexpectedEof),
            DatabaseFailure::of(StorageError::Corrupted("a page".into())),
            DatabaseFailure::of(DatabaseError::UpgradeRequired(1)),
            DatabaseFailure::of(TableError::TableDoesNotExist("storage".into())),
        ] {
            assert!(matches!(failure, DatabaseFailure::Damaged(_)), "{failure:?}");
        }
        for failure in [
            of_kind(ErrorKind::StorageFull),
            DatabaseFailure::of(StorageError::PreviousIo),
            DatabaseFailure::of(DatabaseError::Storage(StorageError::Io(ErrorKind::PermissionDenied.into()))),
        ] {
            assert!(matches!(failure, DatabaseFailure::Disk(_)), "{failure:?}");
        }
    }
}
