//! The program that builds the worker, as people and CI start it. Nothing is built here.
#![allow(missing_docs)]

use std::process::Command;

#[test]
fn misuse_says_what_is_expected_and_builds_nothing() {
    let output = Command::new(env!("CARGO_BIN_EXE_build-worker")).arg("--fast").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "usage: build-worker [--prepare-only]\n");
    assert!(output.stdout.is_empty());
}
