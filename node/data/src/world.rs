//! The World of a data folder: which one it is (`world.json`), and the one place where it is made and opened.
//!
//! What keeps it is this module's business: today the embedded ledger, of a settler alone. Everybody else holds an `Arc<dyn World>`, asks here whether
//! there is one ([`missing`]), and names it by its [file](KEPT_IN) in what a person reads.
//!
//! Refused: a folder without a `world.json`, one of another network than the configuration's, a settler that it doesn't list, a build none of whose
//! programs it lists.

use crate::DataPaths;
use shardwire_config::Config;
use shardwire_files::text::{self, TextError};
use shardwire_model::{Clock, Coded, Felt, PeerId, Role};
use shardwire_store::{Disk, DiskError, Work, partial};
use shardwire_world::{
    EmbeddedLedger, EmbeddedWorld, Genesis, IdentityError, MAX_IDENTITY_BYTES, World, WorldError, WorldIdentity,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The file, in a settler's folder, that keeps the World.
pub const KEPT_IN: &str = "ledger.redb";

/// A folder's World isn't one that this node can work in.
#[derive(Debug, thiserror::Error)]
pub enum WorldFileError {
    /// Nothing says which World it is.
    #[error("{path} is missing: nothing says which World this node belongs to", path = path.display())]
    Missing {
        /// Where it should be said.
        path: PathBuf,
    },
    /// The file that somebody gave as a World's can't be read.
    #[error("{path} can't be read as a World's file: {error}", path = path.display())]
    Given {
        /// The file that was given.
        path: PathBuf,
        /// What is wrong with it.
        error: TextError,
    },
    /// The file can't be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// There is no file, and the ledger doesn't say which World it is of.
    #[error(transparent)]
    Ledger(#[from] WorldError),
    /// The file is no identity of a World.
    #[error("{path}: {error}", path = path.display())]
    Invalid {
        /// The `world.json` that was read.
        path: PathBuf,
        /// What is wrong.
        error: IdentityError,
    },
    /// It is of another network.
    #[error("{path} is of network '{found}', the configuration's is '{configured}'", path = path.display())]
    Network {
        /// The `world.json` that was read.
        path: PathBuf,
        /// The network that the file names.
        found: String,
        /// The network that the configuration names.
        configured: String,
    },
    /// This node settles, and the World doesn't list it.
    #[error("{path} doesn't list {peer} as a settler", path = path.display())]
    NoSettler {
        /// The `world.json` that was read.
        path: PathBuf,
        /// This node's id.
        peer: PeerId,
    },
    /// No program that this build has can settle there.
    #[error("{path} lists no program of this build, which has {}", hex(programs), path = path.display())]
    NoProgram {
        /// The `world.json` that was read.
        path: PathBuf,
        /// The hashes of the build's programs.
        programs: Vec<Felt>,
    },
}

fn hex(programs: &[Felt]) -> String {
    programs.iter().map(|program| format!("{program:#x}")).collect::<Vec<_>>().join(", ")
}

impl Coded for WorldFileError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "SW-WORLD-020",
            Self::Disk(_) => "SW-WORLD-021",
            Self::Ledger(error) => error.code(),
            Self::Invalid { error, .. } => error.code(),
            Self::Network { .. } => "SW-WORLD-022",
            Self::NoSettler { .. } => "SW-WORLD-023",
            Self::NoProgram { .. } => "SW-WORLD-024",
            Self::Given { .. } => "SW-WORLD-025",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Missing { path } => format!(
                "Copy world.json from the settler's data folder to {}; `shardwire init --join FILE` does so for a new folder.",
                path.display()
            ),
            Self::Given { .. } => {
                "Give --join the path of the `world.json` in the settler's data folder, or of a copy of it.".into()
            }
            Self::Disk(_) => "Make the file readable for the user that runs the node.".into(),
            Self::Ledger(error) => error.next_step(),
            Self::Invalid { error, .. } => error.next_step(),
            Self::Network { .. } => {
                "Correct `network` in the configuration, or copy the world.json of that network's settler.".into()
            }
            Self::NoSettler { .. } => {
                "Remove the role settler, or use the data folder whose identity the World lists.".into()
            }
            Self::NoProgram { .. } => {
                "Use the version of shardwire that the World's settler runs, or join another World.".into()
            }
        }
    }
}

/// Which World a folder belongs to.
///
/// # Errors
/// [`WorldFileError::Missing`], [`WorldFileError::Disk`] or [`WorldFileError::Invalid`].
pub fn identity(disk: &dyn Disk, paths: &DataPaths) -> Result<WorldIdentity, WorldFileError> {
    let path = paths.world();
    let Some(bytes) = disk.read(&path, MAX_IDENTITY_BYTES as u64 + 1)? else {
        return Err(WorldFileError::Missing { path });
    };
    let identity = text::decode(bytes).map_err(|error| IdentityError::Syntax(error.to_string()));
    identity.and_then(|text| WorldIdentity::from_json(&text)).map_err(|error| WorldFileError::Invalid { path, error })
}

/// Which World a file says that somebody gives, which may also be a pipe.
///
/// # Errors
/// [`WorldFileError::Given`] or [`WorldFileError::Invalid`].
pub fn given(path: &Path) -> Result<WorldIdentity, WorldFileError> {
    let text = text::read(path, MAX_IDENTITY_BYTES as u64)
        .map_err(|error| WorldFileError::Given { path: path.to_owned(), error })?;
    WorldIdentity::from_json(&text).map_err(|error| WorldFileError::Invalid { path: path.to_owned(), error })
}

/// Refuses a World of another network, or in which none of these programs can settle.
pub fn fits(world: &WorldIdentity, path: &Path, network: &str, programs: &[Felt]) -> Result<(), WorldFileError> {
    let path = path.to_owned();
    if world.network() != network {
        let (found, configured) = (world.network().to_owned(), network.to_owned());
        return Err(WorldFileError::Network { path, found, configured });
    }
    if !programs.iter().any(|program| world.programs().contains(program)) {
        return Err(WorldFileError::NoProgram { path, programs: programs.to_vec() });
    }
    Ok(())
}

/// Which World a settler's folder of an older layout is of, which had no `world.json`: that of its ledger, with this settler and the programs of
/// this build. None if the folder says it, or isn't such a one.
///
/// # Errors
/// [`WorldFileError::Ledger`] if the ledger can't be read.
pub fn of_older(
    disk: &dyn Disk,
    paths: &DataPaths,
    config: &Config,
    peer: PeerId,
    programs: &[Felt],
) -> Result<Option<WorldIdentity>, WorldFileError> {
    if !config.has_role(Role::Settler) || disk.read(&paths.world(), 0)?.is_some() {
        return Ok(None);
    }
    match EmbeddedLedger::older_identity(disk, &kept_in(paths), &[peer], programs) {
        Err(WorldError::Missing { .. }) => Ok(None),
        identity => Ok(identity?),
    }
}

/// Which World a node that is configured like this works in. A settler's folder of an older layout is told it here: its `world.json` is written.
///
/// # Errors
/// [`WorldFileError::Missing`], [`WorldFileError::Invalid`], [`WorldFileError::Ledger`] or [`WorldFileError::Disk`] if the folder doesn't say, and as [`admits`].
pub fn of_node(
    disk: &dyn Disk,
    paths: &DataPaths,
    config: &Config,
    peer: PeerId,
    programs: &[Felt],
) -> Result<Arc<WorldIdentity>, WorldFileError> {
    let path = paths.world();
    let identity = match of_older(disk, paths, config, peer, programs)? {
        None => identity(disk, paths)?,
        Some(identity) => {
            disk.write(&path, &[identity.to_json().as_bytes()], true)?;
            tracing::warn!(file = %path.display(), world = %identity.hash(), "the World of an older layout has an identity now, which this file says; give it to its other nodes");
            identity
        }
    };
    admits(&identity, &path, config, peer, programs)?;
    Ok(Arc::new(identity))
}

/// Refuses a World in which a node that is configured like this has no place.
///
/// # Errors
/// [`WorldFileError::Network`], [`WorldFileError::NoProgram`] or [`WorldFileError::NoSettler`].
pub fn admits(
    world: &WorldIdentity,
    path: &Path,
    config: &Config,
    peer: PeerId,
    programs: &[Felt],
) -> Result<(), WorldFileError> {
    fits(world, path, &config.network, programs)?;
    if config.has_role(Role::Settler) && !world.is_settler(peer) {
        return Err(WorldFileError::NoSettler { path: path.to_owned(), peer });
    }
    Ok(())
}

/// Where a settler's folder keeps the World.
pub(crate) fn kept_in(paths: &DataPaths) -> PathBuf {
    paths.root().join(KEPT_IN)
}

/// What should keep a settler's World in this folder, if it isn't there.
#[must_use]
pub fn missing(paths: &DataPaths) -> Option<PathBuf> {
    Some(kept_in(paths)).filter(|path| !path.exists())
}

/// The files that [`create`] makes, also where it was interrupted.
pub(crate) fn made(paths: &DataPaths) -> [PathBuf; 2] {
    let file = kept_in(paths);
    [partial(&file), file]
}

/// Makes a settler's World: its identity and what it begins with.
///
/// # Errors
/// [`WorldError::Exists`] if there is one already, [`WorldError::Identity`] or [`WorldError::Genesis`] if the genesis isn't the identity's, [`WorldError::Disk`] if the disk fails.
pub fn create(
    disk: &dyn Disk,
    paths: &DataPaths,
    identity: &WorldIdentity,
    genesis: &Genesis,
) -> Result<(), WorldError> {
    EmbeddedLedger::create(disk, &kept_in(paths), identity, genesis).map(drop)
}

/// Opens a settler's World to work in it.
///
/// # Errors
/// [`WorldError::Missing`], [`WorldError::InUse`], [`WorldError::Damaged`], [`WorldError::Other`] if it is another World's, [`WorldError::Disk`] if the disk fails.
pub fn open(
    disk: &dyn Disk,
    paths: &DataPaths,
    identity: &WorldIdentity,
    clock: Arc<dyn Clock>,
    work: Work,
) -> Result<Arc<dyn World>, WorldError> {
    let ledger = EmbeddedLedger::open(disk, &kept_in(paths), identity)?;
    Ok(Arc::new(EmbeddedWorld::new(ledger, clock, work)))
}

/// Opens a settler's World to look at it: the file stays as it is.
///
/// # Errors
/// As [`open`].
pub fn view(disk: &dyn Disk, paths: &DataPaths, identity: &WorldIdentity) -> Result<Arc<dyn World>, WorldError> {
    let ledger = EmbeddedLedger::view(disk, &kept_in(paths), identity)?;
    // Nothing is submitted to a view, so its clock is never read.
    Ok(Arc::new(EmbeddedWorld::new(ledger, Arc::new(shardwire_host::clock::SystemClock), Work::AtOnce)))
}
