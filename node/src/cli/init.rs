//! `shardwire init`.

use super::{
    failure::Failure,
    output::{Answer, columns},
    settings::SettingArgs,
};
use crate::{
    config::{Config, Environment},
    data::{self, Belongs},
    programs,
};
use clap::Args;
use serde::Serialize;
use shardwire_host::Randomness;
use shardwire_model::{Hash, PeerId, Role};
use shardwire_world::WorldIdentity;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// What the World begins with, for a settler: a workload file, or one with its `world` part only
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
    /// A settler of that World, instead of this node alone; can be repeated
    #[arg(long, value_name = "ID", requires = "world")]
    settler: Vec<PeerId>,
    /// The world.json of the World that the node belongs to: the settler's `shardwire init` has made it
    #[arg(long, value_name = "FILE", conflicts_with = "world")]
    join: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingArgs,
}

#[derive(Serialize)]
struct Created<'a> {
    #[serde(serialize_with = "shardwire_files::path::serialize")]
    data: &'a Path,
    peer: PeerId,
    network: &'a str,
    roles: Vec<Role>,
    storage: Option<usize>,
    world: Option<Hash>,
}

pub(super) fn init(root: Option<PathBuf>, args: &InitArgs) -> Result<Answer, Failure> {
    let root = root.ok_or_else(Failure::no_data)?;
    let config = Config::draft(&Environment::of_process(), args.settings.flags())?;
    let belongs = match (&args.world, &args.join) {
        (Some(genesis), _) => Belongs::To { genesis, settlers: &args.settler },
        (None, Some(file)) => Belongs::Joins(file),
        (None, None) => Belongs::Unknown,
    };
    let created = data::init(&root, &config, belongs, &programs::hashes(), &mut Randomness::system())?;
    let network = created.world.as_ref().map_or(&*config.network, WorldIdentity::network);
    let roles: Vec<Role> = config.roles.iter().copied().collect();
    let words: Vec<String> = roles.iter().map(ToString::to_string).collect();
    let mut rows = vec![
        ["  id".to_owned(), created.peer.to_string()],
        ["  network".to_owned(), network.to_owned()],
        ["  roles".to_owned(), if words.is_empty() { "none yet".to_owned() } else { words.join(", ") }],
    ];
    if let Some(storage) = created.storage {
        rows.push(["  World".to_owned(), format!("{storage} storage addresses")]);
    }
    let world = created.world.as_ref().map(WorldIdentity::hash);
    let belongs = match world {
        Some(world) => world.to_string(),
        None => format!("none yet: copy the settler's world.json to {}", created.paths.world().display()),
    };
    rows.push(["  of World".to_owned(), belongs]);
    let first = match config.peers.is_empty() {
        true => format!("name its peers in {}, then ", created.paths.config().display()),
        false => String::new(),
    };
    let text = format!(
        "created {root}\n{}\nnext: {first}`shardwire run --data {root}`",
        columns(&rows),
        root = root.display()
    );
    let json = Created { data: &root, peer: created.peer, network, roles, storage: created.storage, world };
    Ok(Answer::new(text, &json))
}
