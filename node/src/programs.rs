//! The programs that an operator executes: those that settle, and that of contracts with the genesis files of the data folder.
//!
//! No World of this release takes proofs of contracts, since no settler compares what their runs read; so who makes or names a World's programs takes
//! [`Programs::all`].

use shardwire_data::DataPaths;
use shardwire_hosted::{Class, Contracts, Geneses};
use shardwire_program::Programs;
use shardwire_store::Disk;
use std::{io, path::Path, sync::Arc};

/// The program of contracts, with the genesis files of this data folder, on this disk.
pub(crate) fn contracts(paths: &DataPaths, disk: Arc<dyn Disk>) -> Contracts {
    let folder = paths.geneses();
    let read = move |name: &Path, most: u64| disk.read(&folder.join(name), most).map_err(io::Error::other);
    Contracts::new(Arc::new(Geneses::new(read, Class::compile)))
}

/// The programs of an operator.
pub(crate) fn of_operator(contracts: Contracts) -> Programs {
    Programs::all().with(Arc::new(contracts))
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
        let programs = of_operator(contracts(&paths, Arc::new(SystemDisk)));
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
}
