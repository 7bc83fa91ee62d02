//! The storage room: everything that a node has on its disk goes through here.
//!
//! - The [`Disk`] is an argument: the system's ([`SystemDisk`]), or a simulated one that crashes.
//! - [`WatchedDisk`]: a disk that knows whether it fails, for the node's readiness.
//! - [`Artefacts`]: large files, which appear whole or not at all.
//! - [`database`]: how a redb database is made (beside its place, then renamed), opened (on a view first, so that what is refused stays as
//!   it was) and looked at. The World's file is opened by it, too.
//! - [`Store`]: tables of records in one file, `node.redb`, and beside it `node.used`, by which a file that is gone is told from one that never was. Every [`Store::write`] is one transaction, on disk when it returns, and so is
//!   every group of [`Store::commit`]. A failed one leaves nothing behind. After an error of the disk the next use opens the file again.
//! - [`Layout`]: the tables, each with a version, and the [`Migration`]s that lead from older versions to these.
//!
//! - [`records`]: what each role remembers.
//!
//! With the feature `older`, `older` has data folders of an older layout, for tests.
//!
//! It refuses files of another program, damaged ones, and those with a table that is newer or unknown; each refusal has a code and a next
//! step. It knows no network, no virtual machine and no clock.
//!
//! Bounds: a record has at most [`MAX_RECORD_BYTES`]; [`MAX_WAITING`] changes wait for a group's commit; a view holds 256 MiB of changes.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod artefacts;
mod commit;
pub mod database;
mod disk;
mod error;
mod failure;
mod file;
mod layout;
mod metrics;
#[cfg(feature = "older")]
pub mod older;
pub mod records;
mod reopening;
mod store;
mod table;
mod view;
mod watched;
mod work;
mod write;

pub use artefacts::{ArtefactError, Artefacts, List};
pub use commit::{MAX_WAITING, Pending, Reservation};
pub use database::Contradiction;
pub use disk::{Backend, Disk, DiskError, SystemDisk, partial, refuse_unwritable};
pub use error::StoreError;
pub use failure::DatabaseFailure;
pub use layout::{FormatMigration, Layout, Migration, Row, Rows};
pub use reopening::Reopening;
pub use store::Store;
pub use table::{Description, RecordKey, Table};
pub use view::CopyOnWrite;
pub use watched::WatchedDisk;
pub use work::Work;
pub use write::{MAX_GROUP, MAX_RECORD_BYTES, Write};
