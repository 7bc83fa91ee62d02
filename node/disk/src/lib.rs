//! A simulated disk: what a node keeps, in memory, through crashes.
//!
//! A [`Medium`] holds files by name and outlives the processes that use it. A [`Storage`] is a process' handle to one of them, and the storage
//! under a redb database; [`SimulatedDisk`] is all of a process' files. Writes, resizes and replacements of whole files are **acts**; they are seen at once by who reads, and certain only
//! after a sync. The medium
//! - loses its power at a chosen act ([`Medium::power_off_after`]) or now ([`Medium::power_off`]): from then on everything fails. What was not
//!   synced is then lost, kept or torn into sectors, as [`Survives`] says, when the power is back ([`Medium::power_on`]). Handles from before
//!   stay dead, as the process is that had them;
//! - is full at a chosen size ([`Medium::set_capacity`]): the error is [`StorageFull`](std::io::ErrorKind::StorageFull), and nothing has changed;
//! - reports read errors ([`Medium::fail_reads`]). It never returns wrong bytes by itself; [`Medium::damage`] does that.
//!
//! Everything is decided by the seed and the order of the acts: the same run of one thread meets the same faults.
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
pub use medium::{MAX_FILE_BYTES, Medium};
pub use storage::Storage;
