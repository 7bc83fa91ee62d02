//! `shardwire init`: a new data folder.
//!
//! Everything that can be refused is refused before anything is created. `shardwire.toml` is written last: a folder that has
//! one is complete, and what an interruption leaves is never taken for a data folder.

use super::{
    DataError, DataPaths, InitError,
    folder::{Existing, write_file},
    template,
};
use crate::config::{Config, Role};
use rand::CryptoRng;
use shardwire_ledger::{EmbeddedLedger, Genesis, LedgerError};
use shardwire_model::PeerId;
use shardwire_store::SystemDisk;
use shardwire_transport::Identity;
use shardwire_workload::World;
use std::{
    fs::{self, DirBuilder, File},
    io,
    path::Path,
};

/// What was created.
#[derive(Clone, Debug)]
pub struct Created {
    /// Where.
    pub paths: DataPaths,
    /// The new node's id.
    pub peer: PeerId,
    /// How many storage addresses its World has, if it settles.
    pub storage: Option<usize>,
}

/// Makes a data folder for a node that is configured like this, with the World from a file if it is a settler's.
///
/// # Errors
/// If there is anything there already, the World doesn't fit, or the disk fails.
pub fn init(
    root: &Path,
    config: &Config,
    world: Option<&Path>,
    rng: &mut impl CryptoRng,
) -> Result<Created, InitError> {
    let paths = DataPaths(root.to_owned());
    refuse_existing(&paths)?;
    let genesis = match (config.has_role(Role::Settler), world) {
        (true, Some(file)) => Some(genesis(file)?),
        (true, None) => return Err(InitError::NoWorld),
        (false, Some(_)) => return Err(InitError::WorldUnused),
        (false, None) => None,
    };

    let failed = |what| move |reason| DataError::Disk { path: root.to_owned(), what, reason };
    create_private(root).map_err(failed("created"))?;
    let identity = Identity::create(&paths.identity(), rng).map_err(DataError::from)?;
    if let Some(genesis) = &genesis {
        EmbeddedLedger::create(&SystemDisk, &paths.ledger(), &config.network, genesis)?;
    }
    let text = template::shardwire_toml(config, identity.peer());
    write_file(&paths.config(), text.as_bytes(), Existing::Refused)
        .and_then(|()| sync_folder(root))
        .map_err(failed("written"))?;
    Ok(Created { paths, peer: identity.peer(), storage: genesis.map(|genesis| genesis.storage.len()) })
}

fn refuse_existing(paths: &DataPaths) -> Result<(), InitError> {
    let path = paths.root().to_owned();
    let failed = |reason| DataError::Disk { path: path.clone(), what: "read", reason };
    let mut entries = match fs::read_dir(&path) {
        Err(reason) if reason.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    if paths.config().exists() {
        return Err(InitError::Exists { path });
    }
    match entries.next() {
        Some(entry) => {
            let found = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            Err(InitError::Foreign { path, found })
        }
        None => Ok(()),
    }
}

/// A folder that only its owner may enter, also if it was there, empty, before.
fn create_private(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        builder.mode(0o700).create(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))
    }
    #[cfg(not(unix))]
    builder.create(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// What a World begins with, as its ledger takes it.
fn genesis(file: &Path) -> Result<Genesis, InitError> {
    let text = World::read(file)?.to_genesis_text();
    Ok(Genesis::from_json(&text).map_err(LedgerError::from)?)
}
