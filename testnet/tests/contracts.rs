//! The whole path of a game of contracts: wallets at the operator's door, three processes, a real proof, a settled World that is the recomputed one.

use serde_json::Value;
use std::{path::Path, process::Command};
use testnet::network::{binary, worker};

/// Plays a game of three players to its end, with further arguments: the object of the last line, and what was told besides.
fn played_in(data: &Path, more: &[&str]) -> (Value, String) {
    let mut say = |line: &str| eprintln!("{line}");
    binary::locate(&mut say).expect("a node");
    let worker = worker::locate(&mut say).expect("a worker").path().to_owned();
    let output = Command::new(env!("CARGO_BIN_EXE_testnet"))
        .args(["contracts", "--json", "--players", "3", "--seed", "5"])
        .args(more)
        .arg("--data")
        .arg(data)
        .env("SHARDWIRE_STWO_WORKER", &worker)
        .output()
        .expect("testnet starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    println!("{told}");
    assert!(output.status.success(), "{told}");
    let stdout = String::from_utf8(output.stdout).expect("text");
    (serde_json::from_str(stdout.lines().last().expect("a line")).expect("an object"), told)
}

fn played(more: &[&str]) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    played_in(&folder.path().join("net"), more).0
}

#[test]
fn a_game_of_contracts_settles_what_the_recomputation_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("net");
    let (object, told) = played_in(&data, &["--transactions", "40"]);
    assert_eq!((&object["ok"], &object["transactions"], &object["segments"]), (&true.into(), &40.into(), &1.into()));
    for figure in [
        "calls",
        "inner_failures",
        "reverted",
        "steps",
        "prove_cpu_s",
        "proof_bytes",
        "tx_per_s",
        "receipt_p50_ms",
        "receipt_p99_ms",
    ] {
        assert!(object[figure].as_f64().is_some_and(|it| it > 0.0), "{figure}: {object}");
    }
    // Each player's experience and gold, the prizes, the sword.
    assert_eq!(object["updates"].as_array().map(Vec::len), Some(8));
    assert!(object.get("differences").is_none());
    assert!(told.contains("✓ The settled World equals the recomputation of the game."), "{told}");
    for name in ["world.json", "request.json", "Ada.key"] {
        assert!(data.join(name).is_file(), "{name} is left for people");
    }
}

/// The same game where provers have little memory: each proof is of a part of it.
#[test]
fn a_game_that_one_proof_could_not_take_is_proven_in_segments_and_settles_the_same() {
    let object = played(&["--transactions", "90", "--proof-memory", "4100000000"]);
    assert_eq!((&object["ok"], &object["transactions"]), (&true.into(), &90.into()), "{object}");
    let segments = object["segments"].as_u64().expect("a number");
    assert!((2..10).contains(&segments), "{segments} segments");
    assert_eq!(object["updates"].as_array().map(Vec::len), Some(8));
}

#[test]
fn a_game_that_cannot_be_is_misuse() {
    let output = Command::new(env!("CARGO_BIN_EXE_testnet"))
        .args(["contracts", "--json", "--players", "65"])
        .output()
        .expect("testnet starts");
    assert_eq!(output.status.code(), Some(2));
    let text = "a game of contracts has 1 to 64 players, not 65";
    assert!(String::from_utf8_lossy(&output.stdout).contains(text));
    assert!(String::from_utf8_lossy(&output.stderr).contains(text));
}
