//! A worker ends with whoever started it.
#![allow(missing_docs)]

use std::process::{Command, Stdio};

/// Before, it said why it ends first, and the failure to do so ended the thread that watches, not the process: it proved on for nobody.
#[test]
fn a_worker_ends_with_its_starter_though_nobody_is_left_to_read_why() {
    let folder = tempfile::tempdir().unwrap();
    // A witness that never comes: opening this waits for somebody who writes.
    let witness = folder.path().join("witness");
    assert!(Command::new("mkfifo").arg(&witness).status().unwrap().success());
    let mut worker = Command::new(env!("CARGO_BIN_EXE_stwo-worker"))
        .args(["prove", "--lifeline", "--witness"])
        .arg(&witness)
        .arg("--proof")
        .arg(folder.path().join("proof"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A process that is killed lets go of everything at once, in no order that could be relied on.
    drop((worker.stdout.take(), worker.stderr.take()));
    drop(worker.stdin.take());
    assert_eq!(worker.wait().unwrap().code(), Some(1));
}
