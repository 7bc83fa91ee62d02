//! A data folder that no node uses: checked, exported, and its histories read. Nothing in it changes, whatever state a crash left it in.
//!
//! The folder is claimed, so a running node's is refused; neither it nor its disk need be writable, and it may be another user's. Databases are opened on a view of them that keeps what is written in memory: opening
//! one after a crash may repair it, and a look must find what was there.
//!
//! - [`check()`] reads everything and compares it: what a start looks at, each page and record, each history with its signatures, proofs and chunks with their
//!   hashes, the World by its own audit, and all of these with each other. What it finds is named; it stops at nothing but a folder that isn't one.
//! - [`export()`] says what the folder holds, an object a line.
//! - [`Folder::history`] is what was signed about a shard.
//!
//! Bounds: [`MAX_FINDINGS`](check::MAX_FINDINGS) findings are named. Memory is that of one shard's log, and of the records that aren't logs.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a data folder is files")]

mod check;
mod export;
#[cfg(test)]
mod forked_tests;
#[cfg(test)]
mod hindrance_tests;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use check::{Report, check};
pub(crate) use export::export;

use crate::{
    config::{Config, Environment, Flags, Role},
    data::Look,
    programs,
    run::RunError,
    world,
};
use shardwire_host::history::Lives as _;
use shardwire_model::{Coded, PeerId, ShardId, life::HistoryEntry};
use shardwire_protocols::Signed;
use shardwire_store::records::{HISTORY, LAYOUT};
use shardwire_store::{RecordKey as _, Store, SystemDisk};
use shardwire_world::{World, WorldIdentity};
use std::{collections::BTreeSet, path::Path, sync::Arc};

fn boxed(error: impl Coded + Send + Sync + 'static) -> RunError {
    Box::new(error)
}

/// A claimed folder and its configuration.
pub(crate) struct Folder {
    claim: Look,
    config: Config,
}

impl Folder {
    /// Looks at a folder, which need not be writable.
    ///
    /// # Errors
    /// [`DataError`](shardwire_data::DataError) if the folder is none, in use or not this user's to read; [`ConfigError`](shardwire_config::ConfigError) if
    /// its configuration can't be read.
    pub(crate) fn look(root: &Path) -> Result<Self, RunError> {
        let claim = Look::at(root).map_err(boxed)?;
        let config = Config::load(&claim.paths().config(), &Environment::of_process(), Flags::default());
        Ok(Self { claim, config: config.map_err(boxed)? })
    }

    /// Whose folder it is.
    pub(crate) fn peer(&self) -> PeerId {
        self.claim.peer()
    }

    /// The shards of which the node has signed anything.
    ///
    /// # Errors
    /// [`StoreError`](shardwire_store::StoreError) if the store can't be read.
    pub(crate) fn shards(&self) -> Result<BTreeSet<ShardId>, RunError> {
        let keys = self.store()?.keys_with_prefix(&HISTORY, &[]).map_err(boxed)?;
        Ok(keys.into_iter().map(|key| key.part.shard).collect())
    }

    /// What the node has signed about a shard.
    ///
    /// # Errors
    /// [`StoreError`](shardwire_store::StoreError) if the store can't be read.
    pub(crate) fn history(&self, shard: ShardId) -> Result<Vec<Signed<HistoryEntry>>, RunError> {
        self.store()?.entries(&shard.to_bytes()).map_err(boxed)
    }

    fn store(&self) -> Result<Store, RunError> {
        Store::view(&SystemDisk, &self.claim.paths().store(), &LAYOUT).map_err(boxed)
    }

    fn is_settler(&self) -> bool {
        self.config.has_role(Role::Settler)
    }

    /// Which World the folder is of, if its layout is an older one, which didn't say so.
    fn older_world(&self) -> Result<Option<WorldIdentity>, RunError> {
        let paths = self.claim.paths();
        world::of_older(&SystemDisk, paths, &self.config, self.peer(), &programs::hashes()).map_err(boxed)
    }

    /// Which World the folder is of.
    fn identity(&self) -> Result<WorldIdentity, RunError> {
        match self.older_world()? {
            Some(older) => Ok(older),
            None => world::identity(&SystemDisk, self.claim.paths()).map_err(boxed),
        }
    }

    fn world(&self) -> Result<Arc<dyn World>, RunError> {
        world::view(&SystemDisk, self.claim.paths(), &self.identity()?).map_err(boxed)
    }
}
