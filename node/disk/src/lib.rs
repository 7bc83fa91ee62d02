//! A simulated disk: a node's files, in memory, that survive its crashes.
//!
//! A [`Medium`] holds files by name and outlives the processes that use it. A [`Storage`] is a process's handle to
//! one of them, and serves as the storage of a redb database; [`SimulatedDisk`] is all of a process's files. Writes, resizes and replacements of whole files are
//! **acts**: readers see them at once, but they are certain only after a sync. The medium
//! - loses its power at a chosen act ([`Medium::power_off_after`]) or now ([`Medium::power_off`]): from then on
//!   everything fails. When the power is back ([`Medium::power_on`]), what was not synced is lost, kept or torn into
//!   sectors, as [`Survives`] says. Handles from before stay dead, like the process that had them;
//! - is full at a chosen size ([`Medium::set_capacity`]): the error is
//!   [`StorageFull`](std::io::ErrorKind::StorageFull), and nothing has changed;
//! - refuses what the system refuses when it is read only, when a quota is used up, or when a process has no file left to open ([`Medium::trouble`]);
//! - reports read errors ([`Medium::fail_reads`]). It never returns wrong bytes by itself; [`Medium::damage`] does
//!   that.
//!
//! The seed and the order of the acts decide everything: the same run of one thread meets the same faults.
//!
//! It refuses reads beyond a file's end, and files above [`MAX_FILE_BYTES`].
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod change;
mod disk;
mod medium;
mod storage;

pub use change::{SECTOR_BYTES, Survives};
pub use disk::SimulatedDisk;
pub use medium::{MAX_FILE_BYTES, Medium, Trouble};
pub use storage::Storage;
