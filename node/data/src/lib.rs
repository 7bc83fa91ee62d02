//! The data folder: what a node keeps on disk, who may use it, and how a new one is made.
//!
//! ```text
//! DIR/                 mode 0700
//!   shardwire.toml     the configuration
//!   identity.key       the ed25519 key, mode 0600
//!   identity.pub       the node's id: whose folder it is, for a user that may not read the key
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
mod paths;
mod template;
#[cfg(test)]
mod tests;
pub mod world;

pub use error::{DataError, InitError};
pub use folder::{DataFolder, Look, Running};
pub use init::{Belongs, Created, init};
pub use paths::DataPaths;
