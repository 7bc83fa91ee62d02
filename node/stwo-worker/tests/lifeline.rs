//! A worker ends when the process that started it ends.
#![allow(missing_docs)]

use std::process::{Command, Stdio};

/// A fixed bug: the worker first wrote why it ends, and the failure to do so ended the watching thread, not the
/// process, which went on proving.
#[test]
fn a_worker_ends_with_its_starter_though_nobody_is_left_to_read_why() {
    let folder = tempfile::tempdir().unwrap();
    // A witness that never comes: opening the pipe waits for a writer.
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
    // A killed process closes everything at once, in no reliable order.
    drop((worker.stdout.take(), worker.stderr.take()));
    drop(worker.stdin.take());
    assert_eq!(worker.wait().unwrap().code(), Some(1));
}
