//! A data folder that no node uses: checked, exported, and its histories read. Nothing in it changes, whatever state a crash left it in.
//!
//! The folder is claimed, so a running node's is refused. Databases are opened on a view of them that keeps what is written in memory: opening
//! one after a crash may repair it, and a look must find what was there.
//!
//! - [`check()`] reads everything and compares it: each record, each history with its signatures, proofs with their hashes, the World by its own
//!   audit, and all of these with each other. What it finds is named; it stops at nothing but a folder that isn't one.
//! - [`export()`] says what the folder holds, an object a line.
//! - [`history`] reads what was signed about a shard.
//!
//! Bounds: [`MAX_FINDINGS`](check::MAX_FINDINGS) findings are named. Memory is that of one shard's log, and of the records that aren't logs.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a data folder is files")]

mod check;
mod export;
#[cfg(test)]
mod tests;

pub(crate) use check::{Report, check};
pub(crate) use export::export;

use crate::{
    config::{Config, Environment, Flags, Role},
    data::DataFolder,
    run::RunError,
    world,
};
use shardwire_host::history::Lives as _;
use shardwire_model::{Coded, PeerId, ShardId, life::HistoryEntry};
use shardwire_program::Programs;
use shardwire_protocols::Signed;
use shardwire_store::records::LAYOUT;
use shardwire_store::{RecordKey as _, Store, SystemDisk};
use shardwire_world::{World, WorldIdentity};
use std::{path::Path, sync::Arc};

fn boxed(error: impl Coded + Send + Sync + 'static) -> RunError {
    Box::new(error)
}

/// A claimed folder and its configuration.
struct Folder {
    claim: DataFolder,
    config: Config,
}

impl Folder {
    fn look(root: &Path) -> Result<Self, RunError> {
        let claim = DataFolder::look(root).map_err(boxed)?;
        let config = Config::load(&claim.paths().config(), &Environment::of_process(), Flags::default());
        Ok(Self { claim, config: config.map_err(boxed)? })
    }

    fn peer(&self) -> PeerId {
        self.claim.identity().peer()
    }

    fn store(&self) -> Result<Store, RunError> {
        Store::view(&SystemDisk, &self.claim.paths().store(), &LAYOUT).map_err(boxed)
    }

    fn is_settler(&self) -> bool {
        self.config.has_role(Role::Settler)
    }

    /// Which World the folder is of, if its layout is an older one, which didn't say so.
    fn older_world(&self) -> Result<Option<WorldIdentity>, RunError> {
        let (paths, programs) = (self.claim.paths(), Programs::all().hashes().collect::<Vec<_>>());
        world::of_older(&SystemDisk, paths, &self.config, self.peer(), &programs).map_err(boxed)
    }

    fn world(&self) -> Result<Arc<dyn World>, RunError> {
        let paths = self.claim.paths();
        let identity = match self.older_world()? {
            Some(older) => older,
            None => world::identity(&SystemDisk, paths).map_err(boxed)?,
        };
        world::view(&SystemDisk, paths, &identity).map_err(boxed)
    }
}

/// What the node has signed about a shard, and who it is.
///
/// # Errors
/// [`DataError`](shardwire_data::DataError) if the folder is none or in use; [`StoreError`](shardwire_store::StoreError) if its store can't be read.
pub(crate) fn history(root: &Path, shard: ShardId) -> Result<(PeerId, Vec<Signed<HistoryEntry>>), RunError> {
    let folder = Folder::look(root)?;
    let entries = folder.store()?.entries(&shard.to_bytes()).map_err(boxed)?;
    Ok((folder.peer(), entries))
}
