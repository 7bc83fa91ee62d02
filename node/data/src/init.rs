//! `shardwire init`: a new data folder.
//!
//! Everything that can be refused is refused before anything is created. `shardwire.toml` is written last: a folder that has
//! one is complete, and what an interruption leaves is never taken for a data folder. What a failure leaves is removed.

use super::{
    DataError, DataPaths, InitError,
    folder::{Existing, publish, write_file},
    template,
};
use crate::world;
use rand::CryptoRng;
use shardwire_config::{Config, Origin, Role, Setting};
use shardwire_model::{Felt, PeerId};
use shardwire_store::SystemDisk;
use shardwire_transport::Identity;
use shardwire_workload::World;
use shardwire_world::{Genesis, WorldError, WorldIdentity};
use std::{
    fs::{self, DirBuilder, File},
    io,
    path::Path,
};

/// What was created.
#[derive(Clone, Debug)]
pub struct Created {
    /// The paths of what is in the folder.
    pub paths: DataPaths,
    /// The new node's id.
    pub peer: PeerId,
    /// How many storage addresses its World has, if it settles.
    pub storage: Option<usize>,
    /// Which World it belongs to, if that is known yet.
    pub world: Option<WorldIdentity>,
}

/// Which World a new node belongs to.
#[derive(Clone, Copy, Debug)]
pub enum Belongs<'a> {
    /// One that it makes, as its settler.
    To {
        /// What it begins with: a workload file, or one with its `world` part only.
        genesis: &'a Path,
        /// The settlers; the new node alone if there are none.
        settlers: &'a [PeerId],
    },
    /// The one of this `world.json`.
    Joins(&'a Path),
    /// Nobody has said so yet: its `world.json` comes later.
    Unknown,
}

/// Makes a data folder for a node that is configured like this, with the World from a file if it is a settler's. `programs` are those
/// that this build has.
///
/// # Errors
/// [`InitError::Exists`] or [`InitError::Foreign`] if there is something already; [`InitError::NoWorld`], [`InitError::WorldUnused`], [`InitError::World`],
/// [`InitError::Ledger`] or [`InitError::Join`] if the World doesn't fit; [`InitError::Data`] if the disk fails.
pub fn init(
    root: &Path,
    config: &Config,
    belongs: Belongs<'_>,
    programs: &[Felt],
    rng: &mut impl CryptoRng,
) -> Result<Created, InitError> {
    let paths = DataPaths(root.to_owned());
    refuse_existing(&paths)?;
    let network = config.network.clone();
    let identity_of = |genesis: &Genesis, settlers: Vec<PeerId>| {
        let world =
            WorldIdentity::new(&network, genesis.hash().map_err(WorldError::from)?, settlers, programs.iter().copied());
        world.map_err(WorldError::from)
    };
    let (genesis, joined) = match (config.has_role(Role::Settler), belongs) {
        (true, Belongs::To { genesis: file, settlers }) => {
            let genesis = genesis(file)?;
            // What can be refused is, before there is a key: one settler's is as good as another's.
            let named = if settlers.is_empty() { vec![PeerId([0; 32])] } else { settlers.to_vec() };
            identity_of(&genesis, named)?;
            (Some((genesis, settlers)), None)
        }
        (true, _) => return Err(InitError::NoWorld),
        (false, Belongs::To { .. }) => return Err(InitError::WorldUnused),
        (false, Belongs::Joins(file)) => (None, Some(world::given(file)?)),
        (false, Belongs::Unknown) => (None, None),
    };
    let mut config = config.clone();
    if let (Some(world), Belongs::Joins(file)) = (&joined, belongs) {
        if *config.origin(Setting::Network) == Origin::Default {
            world.network().clone_into(&mut config.network);
        }
        world::fits(world, file, &config.network, programs)?;
    }

    let was_there = root.is_dir();
    let created = create(&paths, rng).map_err(InitError::from).and_then(|peer| {
        let filled = match &genesis {
            Some((genesis, [])) => identity_of(genesis, vec![peer]).map(Some),
            Some((genesis, settlers)) => identity_of(genesis, settlers.to_vec()).map(Some),
            None => Ok(joined),
        };
        let filled = filled.map_err(InitError::from).and_then(|world| {
            fill(&paths, &config, peer, genesis.as_ref().map(|it| &it.0), world.as_ref())?;
            Ok(world)
        });
        if filled.is_err() {
            remove(&paths);
        }
        let storage = genesis.as_ref().map(|(genesis, _)| genesis.storage.len());
        Ok(Created { paths: paths.clone(), peer, storage, world: filled? })
    });
    if created.is_err() && !was_there {
        // Not if somebody else has put something there.
        let _ = fs::remove_dir(root);
    }
    created
}

/// Makes the folder and its key: from then on nobody else makes one there.
fn create(paths: &DataPaths, rng: &mut impl CryptoRng) -> Result<PeerId, DataError> {
    let root = paths.root();
    create_private(root).map_err(|reason| DataError::Disk { path: root.to_owned(), what: "created", reason })?;
    Ok(Identity::create(&paths.identity(), rng)?.peer())
}

/// Makes all else that is in it.
fn fill(
    paths: &DataPaths,
    config: &Config,
    peer: PeerId,
    genesis: Option<&Genesis>,
    world: Option<&WorldIdentity>,
) -> Result<(), InitError> {
    let root = paths.root();
    let failed = |what| move |reason| DataError::Disk { path: root.to_owned(), what, reason };
    publish(paths, peer)?;
    if let (Some(genesis), Some(world)) = (genesis, world) {
        world::create(&SystemDisk, paths, world, genesis)?;
    }
    if let Some(world) = world {
        write_file(&paths.world(), world.to_json().as_bytes(), Existing::Refused).map_err(failed("written"))?;
    }
    let text = template::shardwire_toml(config, peer);
    write_file(&paths.config(), text.as_bytes(), Existing::Refused)
        .and_then(|()| sync_folder(root))
        .map_err(failed("written"))?;
    Ok(())
}

/// Removes what was made in the folder: nobody has used the key yet. What can't be removed stays.
fn remove(paths: &DataPaths) {
    let made = [paths.config(), paths.world(), paths.public_identity(), paths.identity()];
    for file in made.into_iter().chain(world::made(paths)) {
        let _ = fs::remove_file(file);
    }
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
    Ok(Genesis::from_json(&text).map_err(WorldError::from)?)
}
