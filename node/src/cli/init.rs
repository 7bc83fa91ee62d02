//! `shardwire init`.

use super::{
    args::InitArgs,
    failure::Failure,
    output::{Answer, columns},
};
use crate::{
    config::{Config, Environment},
    data,
    surroundings::Randomness,
};
use serde::Serialize;
use shardwire_model::{PeerId, Role};
use std::path::{Path, PathBuf};

#[derive(Serialize)]
struct Created<'a> {
    data: &'a Path,
    peer: PeerId,
    network: &'a str,
    roles: Vec<Role>,
    storage: Option<usize>,
}

pub(super) fn init(root: Option<PathBuf>, args: &InitArgs) -> Result<Answer, Failure> {
    let root = root.ok_or_else(Failure::no_data)?;
    let config = Config::draft(&Environment::of_process(), args.settings.flags())?;
    let created = data::init(&root, &config, args.world.as_deref(), &mut Randomness::system())?;
    let roles: Vec<Role> = config.roles.iter().copied().collect();
    let words: Vec<String> = roles.iter().map(ToString::to_string).collect();
    let mut rows = vec![
        ["  id".to_owned(), created.peer.to_string()],
        ["  network".to_owned(), config.network.clone()],
        ["  roles".to_owned(), if words.is_empty() { "none yet".to_owned() } else { words.join(", ") }],
    ];
    if let Some(storage) = created.storage {
        rows.push(["  World".to_owned(), format!("{storage} storage addresses")]);
    }
    let first = match config.peers.is_empty() {
        true => format!("name its peers in {}, then ", created.paths.config().display()),
        false => String::new(),
    };
    let text = format!(
        "created {root}\n{}\nnext: {first}`shardwire run --data {root}`",
        columns(&rows),
        root = root.display()
    );
    let json = Created { data: &root, peer: created.peer, network: &config.network, roles, storage: created.storage };
    Ok(Answer::new(text, &json))
}
