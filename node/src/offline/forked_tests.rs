//! A folder whose operator has a shard that goes on from a network: it is looked at, and nobody is asked.

use super::{
    check,
    tests::{WORLD, bytes},
};
use crate::{
    config::{Config, Environment, Flags, ForkNode, Setting},
    data::{Belongs, DataFolder, DataPaths, init},
    forks::{self, Kept},
    programs,
    proofs::Proofs,
};
use rand::{SeedableRng as _, rngs::StdRng};
use shardwire_fork::testing::{Fault, StandIn};
use shardwire_host::{Randomness, history::Advance as _};
use shardwire_hosted::{
    Class, Contracts, Geneses,
    dungeon::{self, BEGINS, BLOCK},
};
use shardwire_model::{
    PeerId, Role, SegmentId, Timestamp,
    life::{Part, Step},
};
use shardwire_operator::{OperatorError, examine};
use shardwire_store::{
    Store, SystemDisk,
    records::{ASSIGNMENTS, Assignment, LAYOUT, WireFelt},
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The folder of an operator that was assigned such a shard, and asks this node.
fn folder(place: &Path, node: &StandIn) -> (PathBuf, DataPaths, Assignment) {
    let root = place.join("node");
    fs::write(place.join("world.json"), WORLD).unwrap();
    let nodes = [format!("{:#x}={}", BLOCK.chain, node.url())];
    let flags = Flags::default().with(Setting::Roles, ["settler", "operator"]).with(Setting::ForkNodes, nodes);
    let config = Config::draft(&Environment::default(), flags).unwrap();
    let belongs = Belongs::To { genesis: &place.join("world.json"), settlers: &[] };
    let paths = init(&root, &config, belongs, &programs::hashes(), &mut StdRng::seed_from_u64(7)).unwrap().paths;
    let (folder, store) =
        (DataFolder::open(&root).unwrap(), Store::open(&SystemDisk, &paths.store(), &LAYOUT).unwrap());
    let (start, values) = dungeon::forked(folder.identity().peer(), BLOCK);
    let (shard, commitment, settler) = (start.shard, start.commitment(), PeerId([1; 32]));
    let assignment = Assignment { start, values: values.into_iter().map(WireFelt).collect(), settler, epoch: 1 };
    let assigned = store.write(|write| {
        write.put(&ASSIGNMENTS, &shard, &assignment)?;
        let part = Part::of(SegmentId::first(shard), Role::Operator);
        let step = Step::Assigned { commitment, peer: settler };
        write.advance::<OperatorError>(folder.identity(), Timestamp(1), part, step)
    });
    assigned.unwrap();
    (root, paths, assignment)
}

/// Looks as the command does, on one thread.
fn found(root: &Path) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let report = runtime.block_on(check(root)).unwrap();
    report.findings.iter().map(|it| format!("{} {}: {}", it.file, it.code, it.what)).collect()
}

#[test]
fn what_was_never_read_of_a_network_is_no_fault_of_a_folder_and_nobody_is_asked_for_it() {
    let (place, node) =
        (tempfile::tempdir().unwrap(), StandIn::new(BLOCK, BEGINS, dungeon::state(), dungeon::class_files()));
    let (root, paths, assignment) = folder(place.path(), &node);
    let before = bytes(&root);
    assert_eq!(found(&root), [""; 0]);
    assert_eq!((node.requests(), bytes(&root) == before), (0, true));

    // As its node would have it.
    let asking = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let opened = {
        let _runtime = asking.enter();
        let store = Store::open(&SystemDisk, &paths.store(), &LAYOUT).unwrap();
        let nodes = [ForkNode { chain: BLOCK.chain, url: node.url() }];
        let kept = Kept::new(&paths, Arc::new(SystemDisk), store.clone());
        let forks = forks::networks(&nodes, kept, &Proofs::stark(), Randomness::from_seed(1)).unwrap();
        let none = Geneses::new(|_, _| Ok(None), Class::compile);
        let programs = programs::with(Contracts::new(programs::grounds(none, Some(Arc::new(forks)))));
        examine(&store, &programs, &assignment)
    };
    opened.unwrap();
    node.fail(Fault::Silent);
    let (before, asked) = (bytes(&root), node.requests());
    assert!(asked > 0);
    assert_eq!(found(&root), [""; 0]);
    // A class that is damaged is one that its node asks for again.
    let folder = fs::read_dir(paths.forks()).unwrap().next().unwrap().unwrap().path();
    let class = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    assert!(before.contains_key(&class));
    fs::write(class, "{").unwrap();
    let before = bytes(&root);
    assert_eq!(found(&root), [""; 0]);
    assert_eq!((node.requests(), bytes(&root) == before), (asked, true));
}
