//! Crashes of real processes. `testnet chaos` takes minutes; here is what can be seen without a proof.
#![allow(missing_docs)]

use std::process::Command;

#[test]
fn misuse_says_what_is_expected() {
    for minutes in ["0", "1441", "many"] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_testnet")).args(["chaos", "--minutes", minutes]).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains("invalid value") && text.contains("--minutes"), "{text}");
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn a_folder_that_holds_something_is_refused_before_anything_is_started() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine"), "").unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_testnet")).args(["chaos", "--data"]).arg(folder.path()).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("is not empty"), "{text}");
    assert_eq!(output.status.code(), Some(1));
}
