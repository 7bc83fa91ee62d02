//! The programs of a node: that of the fixed rules, and that of contracts with the states that shards begin from, which an operator executes from and a settler looks at: the genesis files
//! of the data folder, and [networks](crate::forks) at a block.

use crate::proofs::Proofs;
use shardwire_data::DataPaths;
use shardwire_hosted::{Class, Contracts, Geneses, Grounds, Networks};
use shardwire_model::Felt;
use shardwire_program::Programs;
use shardwire_store::Disk;
use std::{io, path::Path, sync::Arc};

/// The genesis files of this data folder, on this disk, with their classes as these proofs have them compiled.
pub(crate) fn geneses(paths: &DataPaths, disk: Arc<dyn Disk>, proofs: &Proofs) -> Geneses {
    let (folder, compile) = (paths.geneses(), proofs.compile.clone());
    let read = move |name: &Path, most: u64| disk.read(&folder.join(name), most).map_err(io::Error::other);
    Geneses::new(read, move |file| compile(file))
}

/// These genesis files, and these networks if the node knows any.
pub(crate) fn grounds(geneses: Geneses, networks: Option<Arc<dyn Networks>>) -> Arc<Grounds> {
    let grounds = Grounds::from(geneses);
    Arc::new(match networks {
        Some(networks) => grounds.with_networks(networks),
        None => grounds,
    })
}

/// Those of this release, with this one of contracts.
pub(crate) fn with(contracts: Contracts) -> Programs {
    Programs::all().with(Arc::new(contracts))
}

/// Those of this release, to name them: without a genesis file no shard of contracts is executed.
pub(crate) fn all() -> Programs {
    with(Contracts::new(grounds(Geneses::new(|_, _| Ok(None), Class::compile), None)))
}

/// The hashes of those of this release: a World that is made by it takes their proofs.
pub(crate) fn hashes() -> Vec<Felt> {
    all().hashes().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_hosted::dungeon;
    use shardwire_model::{Coded as _, PeerId};
    use shardwire_store::SystemDisk;

    #[test]
    fn a_genesis_is_found_by_its_hash_in_the_data_folder() {
        let folder = tempfile::tempdir().unwrap();
        let paths = DataPaths::below(folder.path().to_owned());
        let geneses = geneses(&paths, Arc::new(SystemDisk), &Proofs::stark());
        let programs = with(Contracts::new(grounds(geneses, None)));
        let (start, values) = dungeon::shard(PeerId([7; 32]));
        let program = programs.get(start.program).unwrap();
        assert_eq!(program.name(), "contracts");
        let error = program.admission(start.clone(), &values).unwrap_err();
        assert_eq!(error.code(), "SW-PROGRAM-004");
        for name in dungeon::names() {
            let path = paths.geneses().join(&name);
            SystemDisk.write(&path, &[&dungeon::file(&name).unwrap()], false).unwrap();
        }
        assert!(program.admission(start, &values).is_ok());
    }

    #[test]
    fn both_programs_of_this_release_have_a_name() {
        let named = |name| all().find(name).unwrap().hash();
        assert_eq!(hashes(), [named("rules"), named("contracts")]);
        let (start, values) = dungeon::shard(PeerId([7; 32]));
        assert_eq!(all().get(start.program).unwrap().admission(start, &values).unwrap_err().code(), "SW-PROGRAM-004");
    }
}
