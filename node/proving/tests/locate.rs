//! The worker is found in the documented places, in that order, and each candidate is asked what it is.
#![cfg(unix)]

use std::path::{Path, PathBuf};

use shardwire_model::Coded;
use shardwire_proving::worker::{LocateError, Worker, WorkerPaths, locate_in};

fn workers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workers")
}

fn find(places: &WorkerPaths) -> Result<Worker, LocateError> {
    locate_in(places)
}

fn path_of(folders: &[&Path]) -> Option<std::ffi::OsString> {
    Some(std::env::join_paths(folders).unwrap())
}

#[test]
fn the_named_one_comes_first_then_beside_then_the_path() {
    let good = workers();
    let named = WorkerPaths {
        named: Some(good.join("stwo-worker")),
        beside: Some(good.join("stale")),
        path: path_of(&[&good.join("other")]),
        built: None,
    };
    assert_eq!(find(&named).unwrap().path(), good.join("stwo-worker"));
    let beside = WorkerPaths { named: None, beside: Some(good.clone()), ..named };
    assert_eq!(find(&beside).unwrap().path(), good.join("stwo-worker"));
    let empty = tempfile::tempdir().unwrap();
    let on_path = WorkerPaths { beside: Some(empty.path().into()), path: path_of(&[empty.path(), &good]), ..beside };
    let found = find(&on_path).unwrap();
    assert_eq!((found.name(), found.version()), ("fake", "0.0.0"));
}

#[test]
fn a_name_that_leads_nowhere_is_not_passed_over() {
    let places =
        WorkerPaths { named: Some("/nowhere/stwo-worker".into()), beside: Some(workers()), ..WorkerPaths::default() };
    let error = find(&places).unwrap_err();
    assert_eq!(error.code(), "SW-WORKER-102");
    assert_eq!(error.to_string(), "SHARDWIRE_STWO_WORKER names /nowhere/stwo-worker, and there is no such file");
    assert_eq!(error.next_step(), "Correct SHARDWIRE_STWO_WORKER, or unset it to look in the usual places.");
}

#[test]
fn no_worker_anywhere_says_what_to_do() {
    let error = find(&WorkerPaths::default()).unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), ("SW-WORKER-101", "there is no prover worker"));
    assert!(error.next_step().contains("set SHARDWIRE_STWO_WORKER"), "{}", error.next_step());
    let command = "`cargo run --release -p shardwire-worker-build` builds it";
    assert!(error.next_step().contains(command), "a node builds nothing itself: {}", error.next_step());
}

#[test]
fn in_a_checkout_the_built_one_comes_last_and_it_lies_where_it_is_built() {
    let good = workers();
    let built = WorkerPaths { built: Some(good.join("stwo-worker")), ..WorkerPaths::default() };
    assert_eq!(find(&built).unwrap().path(), good.join("stwo-worker"));
    let beside = WorkerPaths { beside: Some(good.join("stale")), ..built };
    assert_eq!(find(&beside).unwrap_err().code(), "SW-WORKER-104");
    let unbuilt = WorkerPaths { built: Some(good.join("none")), ..WorkerPaths::default() };
    assert_eq!(find(&unbuilt).unwrap_err().code(), "SW-WORKER-101");

    let checkout = shardwire_worker_build::checkout().unwrap();
    assert_eq!(WorkerPaths::of_process().built, Some(shardwire_worker_build::place(&checkout).unwrap()));
}

#[test]
fn another_program_of_that_name_is_no_worker() {
    let folder = workers().join("other");
    let error = find(&WorkerPaths { beside: Some(folder.clone()), ..WorkerPaths::default() }).unwrap_err();
    assert_eq!(error.code(), "SW-WORKER-103");
    let program = folder.join("stwo-worker");
    assert_eq!(
        error.to_string(),
        format!(
            "{} is no prover worker: asked for its version, it answered 'usage: stwo-worker FILE'",
            program.display()
        )
    );
}

#[test]
fn a_worker_of_another_release_is_refused() {
    let folder = workers().join("stale");
    let error = find(&WorkerPaths { beside: Some(folder.clone()), ..WorkerPaths::default() }).unwrap_err();
    assert_eq!(error.code(), "SW-WORKER-104");
    assert_eq!(
        error.to_string(),
        format!(
            "the prover worker {} speaks shardwire-prover/7, and this node speaks shardwire-prover/1",
            folder.join("stwo-worker").display()
        )
    );
}
