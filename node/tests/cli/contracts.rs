//! Shards of contracts from the command line: a request in a file, the genesis in the settler's folder, and its classes compiled by the program itself.

use super::{lifecycle::Node, run};
use shardwire_compiler::{Bounds, Compiler};
use shardwire_hosted::{
    Class,
    dungeon::{self, ANNA, BERT, GOLD, WORLD},
};
use shardwire_model::{Hash, PeerId, StartRequest, Terms};
use std::{fs, path::Path};

/// What the World has: both purses and Anna's experience.
fn storage() -> String {
    let of = |kind, contract: u64, key, value: u64| {
        format!(r#"{{"kind":"{kind}","contract":"{contract:#x}","key":"{key}","value":{value}}}"#)
    };
    let storage = [
        of("escrow", GOLD, dungeon::key("balances", &[ANNA]), 90),
        of("escrow", GOLD, dungeon::key("balances", &[BERT]), 60),
        of("counter", WORLD, dungeon::key("xp", &[ANNA]), 7),
    ];
    format!(r#"{{"storage":[{}]}}"#, storage.join(","))
}

#[test]
fn the_program_compiles_a_class_in_a_process_of_its_own() {
    let sierra = dungeon::file(Path::new("gold.sierra.json")).unwrap();
    let ours = Class::compile(&sierra).unwrap();
    let its = Compiler::at(env!("CARGO_BIN_EXE_shardwire").into(), Bounds::recommended()).class(&sierra).unwrap();
    assert_eq!((its.hash(), its.compiled_hash()), (ours.hash(), ours.compiled_hash()));
    let misused = run(&["compile-class", "many"]);
    assert_eq!((misused.code, misused.out.as_str()), (1, ""));
    assert_eq!(misused.err, "usage: compile-class MEMORY_BYTES CPU_SECONDS <CLASS >BYTECODE\n");
}

#[test]
fn a_shard_of_contracts_is_started_from_a_request_if_its_genesis_is_in_the_settlers_folder() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).display().to_string();
    let root = path("settler");
    fs::write(path("world.json"), storage()).unwrap();
    let made = run(&["init", "--data", &root, "--role", "settler", "--world", &path("world.json")]);
    assert_eq!((made.code, made.err.as_str()), (0, ""), "{}", made.out);
    let ask = |name: &str, change: &dyn Fn(&mut StartRequest)| {
        let mut request = dungeon::request(PeerId([7; 32]));
        change(&mut request);
        let mut file = serde_json::to_value(&request).unwrap();
        // Terms of contracts say which program it is.
        file.as_object_mut().unwrap().remove("program");
        fs::write(path(name), file.to_string()).unwrap();
        run(&["shard", "start", "--data", &root, "--request", &path(name), "--unknown-operator"])
    };
    let mut node = Node::start(&root);
    let refused = ask("first.json", &|_| {});
    assert_eq!(refused.code, 1);
    let hash = Hash::of(dungeon::genesis().as_bytes());
    let text = format!(
        "error[SW-PROGRAM-004]: genesis {hash} isn't here\n  next: Put the genesis into the data folders of settler and operator, as genesis/{hash}.json, with the class \
         files that it names beside it. Nothing was started.\n"
    );
    assert_eq!(refused.err, text);
    let geneses = Path::new(&root).join("genesis");
    fs::create_dir_all(&geneses).unwrap();
    for name in dungeon::names() {
        fs::write(geneses.join(&name), dungeon::file(&name).unwrap()).unwrap();
    }
    // A pair that isn't one, and a purse with more than it may have.
    let refused = ask("pair.json", &|request| {
        let Terms::Contracts(terms) = &mut request.terms else { panic!("terms of contracts") };
        terms.classes[0].compiled_class_hash = terms.classes[1].compiled_class_hash;
    });
    assert!(refused.err.starts_with("error[SW-CLASS-010]: class "), "{}", refused.err);
    let refused = ask("rich.json", &|request| {
        let Terms::Contracts(terms) = &mut request.terms else { panic!("terms of contracts") };
        terms.maxima[0].0 = 49;
    });
    assert!(refused.err.starts_with("error[SW-WORLD-006]: slot 0x601d/"), "{}", refused.err);
    let started = ask("first.json", &|_| {});
    assert_eq!((started.code, started.err.as_str()), (0, ""), "{}", started.out);
    assert!(started.out.contains("2 accounts, 5 contracts, 3 storage addresses"), "{}", started.out);
    let shown: serde_json::Value =
        serde_json::from_str(&run(&["world", "show", "--data", &root, "--json"]).out).unwrap();
    let in_escrow: u64 = shown["storage"].as_array().unwrap().iter().filter_map(|it| it["in_escrow"].as_u64()).sum();
    assert_eq!(in_escrow, 100);
    assert_eq!(node.stop().code(), Some(0));
}
