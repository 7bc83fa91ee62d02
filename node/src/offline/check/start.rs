//! What a node looks at when it starts in a folder, and would refuse.
//!
//! Each of these is the function that a start calls, over the folder as it is; the databases themselves are opened by the caller. What a start would write isn't written: it is
//! looked at whether this user could.

use super::{Report, STORE};
use crate::{
    config::{Config, FolderContents},
    forks::{self, Kept},
    offline::Folder,
    programs,
    proofs::Proofs,
    world,
};
use shardwire_data::{DataPaths, world::WorldFileError};
use shardwire_fork::ForkError;
use shardwire_hosted::Contracts;
use shardwire_model::{
    Coded as _, Role, SegmentId,
    life::{Life, Part},
};
use shardwire_operator::examine;
use shardwire_proving::worker::Worker;
use shardwire_store::{Store, StoreError, SystemDisk, records::ASSIGNMENTS};
use std::{collections::BTreeMap, sync::Arc};

/// The mark that the store has been used.
const MARK: &str = "node.used";

/// What is looked at before any database: the key, the configuration, the World's identity.
pub(super) fn folder(folder: &Folder, report: &mut Report) {
    let paths = folder.claim.paths();
    if let Some(refused) = folder.claim.refused() {
        report.error("identity.key", refused);
    }
    for (path, error) in paths.hindrances(folder.peer()) {
        let name = path.strip_prefix(paths.root()).unwrap_or(&path).display().to_string();
        report.error(if name.is_empty() { "." } else { &name }, &error);
    }
    if let Err(error) = Store::was_used(&SystemDisk, &paths.store()) {
        report.error(MARK, &error);
    }
    let contents = FolderContents { own: folder.peer(), missing_world: world::missing(paths) };
    if let Err(error) = folder.config.check(contents) {
        report.error("shardwire.toml", &error);
    }
    // A worker that is looked for may be found by the environment that the node is started in; one that is named here is the folder's.
    let named = folder.config.worker.path.as_ref().filter(|_| folder.config.roles.contains(&Role::Prover));
    if let Some(Err(error)) = named.map(|path| Worker::at(path)) {
        report.error("shardwire.toml", &error);
    }
    let programs = programs::hashes();
    match folder.identity() {
        // A folder of an older layout had none, and is given a copy before a node starts there.
        Err(_) if lacks_world(folder) && folder.store().is_ok_and(|store| store.was_older()) => {}
        Err(error) => report.error("world.json", &*error),
        Ok(identity) => {
            if let Err(error) = world::admits(&identity, &paths.world(), &folder.config, folder.peer(), &programs) {
                report.error("world.json", &error);
            }
        }
    }
}

/// Whether the folder doesn't say which World it is of.
fn lacks_world(folder: &Folder) -> bool {
    matches!(world::identity(&SystemDisk, folder.claim.paths()), Err(WorldFileError::Missing { .. }))
}

/// The open shards of an operator, each of which is taken up.
pub(super) fn shards(
    paths: &DataPaths,
    config: &Config,
    store: &Store,
    lives: &BTreeMap<Part, Life>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let proofs = Proofs::of_program();
    let geneses = programs::geneses(paths, Arc::new(SystemDisk), &proofs);
    // No network is asked: what was read of one is in the folder.
    let kept = Kept::new(paths, Arc::new(SystemDisk), store.clone());
    let forks = forks::kept(&config.fork_nodes, kept, &proofs);
    let programs = programs::with(Contracts::new(programs::grounds(geneses, Some(Arc::new(forks)))));
    for (shard, assignment) in store.all(&ASSIGNMENTS)? {
        let life = lives.get(&Part::of(SegmentId::first(shard), Role::Operator));
        // A shard that is over isn't replayed; one of an older layout is aborted.
        let goes_on = life.is_some_and(|life| !life.is_over()) && !assignment.start.is_outdated();
        if !goes_on {
            continue;
        }
        match examine(store, &programs, &assignment) {
            // A node would ask for it.
            Err(error) if error.code() == ForkError::Nobody.code() => {}
            Err(error) => report.error(STORE, &error),
            Ok(_) => {}
        }
    }
    Ok(())
}
