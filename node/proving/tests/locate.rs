//! The worker is found in the documented places, in that order, and each candidate is asked what it is.
#![cfg(unix)]

use std::path::{Path, PathBuf};

use shardwire_model::Coded;
use shardwire_proving::worker::{LocateError, Places, Worker, locate_in};

fn workers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workers")
}

fn find(places: &Places) -> Result<Worker, LocateError> {
    locate_in(places, &mut |line| panic!("nothing is to be built here: {line}"))
}

fn path_of(folders: &[&Path]) -> Option<std::ffi::OsString> {
    Some(std::env::join_paths(folders).unwrap())
}

#[test]
fn the_named_one_comes_first_then_beside_then_the_path() {
    let good = workers();
    let named = Places {
        named: Some(good.join("stwo-worker")),
        beside: Some(good.join("stale")),
        path: path_of(&[&good.join("other")]),
        checkout: None,
    };
    assert_eq!(find(&named).unwrap().path(), good.join("stwo-worker"));
    let beside = Places { named: None, beside: Some(good.clone()), ..named };
    assert_eq!(find(&beside).unwrap().path(), good.join("stwo-worker"));
    let empty = tempfile::tempdir().unwrap();
    let on_path = Places { beside: Some(empty.path().into()), path: path_of(&[empty.path(), &good]), ..beside };
    let found = find(&on_path).unwrap();
    assert_eq!((found.name(), found.version()), ("fake", "0.0.0"));
}

#[test]
fn a_name_that_leads_nowhere_is_not_passed_over() {
    let places = Places { named: Some("/nowhere/stwo-worker".into()), beside: Some(workers()), ..Places::default() };
    let error = find(&places).unwrap_err();
    assert_eq!(error.code(), "SW-WORKER-102");
    assert_eq!(error.to_string(), "SHARDWIRE_STWO_WORKER names /nowhere/stwo-worker, and there is no such file");
    assert_eq!(error.next_step(), "Correct SHARDWIRE_STWO_WORKER, or unset it to look in the usual places.");
}

#[test]
fn no_worker_anywhere_says_what_to_do() {
    let error = find(&Places::default()).unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), ("SW-WORKER-101", "there is no prover worker"));
    assert!(error.next_step().contains("set SHARDWIRE_STWO_WORKER"), "{}", error.next_step());
}

#[test]
fn another_program_of_that_name_is_no_worker() {
    let folder = workers().join("other");
    let error = find(&Places { beside: Some(folder.clone()), ..Places::default() }).unwrap_err();
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
    let error = find(&Places { beside: Some(folder.clone()), ..Places::default() }).unwrap_err();
    assert_eq!(error.code(), "SW-WORKER-104");
    assert_eq!(
        error.to_string(),
        format!(
            "the prover worker {} speaks shardwire-prover/7, and this node speaks shardwire-prover/1",
            folder.join("stwo-worker").display()
        )
    );
}
