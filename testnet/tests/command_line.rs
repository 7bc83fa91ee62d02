//! The program itself, as people and scripts start it; nothing here proves anything.

use serde_json::Value;
use shardwire::data::DataPaths;
use shardwire_workload::Workload;
use std::{
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

fn testnet(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_testnet")).args(args).output().expect("testnet starts")
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn misuse_ends_with_2() {
    let output = testnet(&["--players", "0"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        told(&output),
        "error[SW-DUNGEON-001]: a dungeon run has 1 to 256 players, not 0\n  next: Choose another number with --players.\n"
    );
    assert_eq!(testnet(&["--bananas"]).status.code(), Some(2));
}

#[test]
fn a_workload_is_written_as_it_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("w.json");
    let path = file.to_str().expect("a path");
    let output = testnet(&["workload", "--players", "3", "--transactions", "20", "--seed", "5", "--out", path]);
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(Workload::read(&file).expect("a workload").transactions.len(), 20);
    let printed = testnet(&["workload", "--players", "3", "--transactions", "20", "--seed", "5"]);
    assert_eq!(std::fs::read(&file).expect("the file"), printed.stdout);
}

#[test]
fn a_bad_line_of_a_workload_is_named_before_anything_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("w.json");
    let path = file.to_str().expect("a path");
    let text = String::from_utf8(testnet(&["workload", "--transactions", "20"]).stdout).expect("text");
    let bad = text.replacen("\"player\":\"Ada\",\"contract\"", "\"player\":\"Nobody\",\"contract\"", 1);
    let line = 1 + bad.lines().position(|line| line.contains("Nobody")).expect("a bad line");
    std::fs::write(&file, bad).expect("written");
    let output = testnet(&["--workload", path, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        told(&output).starts_with(&format!("error[SW-WORKLOAD-012]: {path}:{line}: transaction ")),
        "{}",
        told(&output)
    );
    let object: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!((&object["ok"], &object["error"]["code"]), (&false.into(), &"SW-WORKLOAD-012".into()));

    let endless = text.replace("\"call\":\"finish\"", "\"call\":{\"add\":{\"counter\":\"0x1\",\"amount\":1}}");
    let counter = text.split("\"counter\":").nth(1).and_then(|it| it.get(..68)).expect("a key").split('"').nth(1);
    std::fs::write(&file, endless.replace("0x1\"", &format!("{}\"", counter.expect("a key")))).expect("written");
    let output = testnet(&["--workload", path]);
    assert!(told(&output).starts_with("error[SW-WORKLOAD-017]"), "{}", told(&output));
}

#[test]
fn a_folder_with_something_in_it_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("thesis.txt"), "").expect("written");
    let output = testnet(&["--data", folder.path().to_str().expect("a path")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).starts_with("error[SW-TESTNET-001]: the folder "), "{}", told(&output));
}

/// Waits, with a bound; each look is at the disk.
fn until(what: &str, mut seen: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(600);
    while !seen() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn runs(data: &Path) -> bool {
    DataPaths::existing(data).and_then(|paths| paths.running()).is_ok()
}

#[test]
fn the_nodes_never_outlive_a_testnet_that_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut testnet = Command::new(env!("CARGO_BIN_EXE_testnet"))
        .args(["--transactions", "2000", "--data"])
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("testnet starts");
    let nodes = ["settler", "operator", "prover"].map(|role| folder.path().join(role));
    until("all nodes run", || nodes.iter().all(|data| runs(data)));
    testnet.kill().expect("killed");
    testnet.wait().expect("reaped");
    until("no node runs", || nodes.iter().all(|data| !runs(data)));
}

#[test]
#[cfg(unix)]
fn a_testnet_whose_terminal_goes_takes_its_folder_with_it() {
    for signal in ["-HUP", "-QUIT"] {
        let place = tempfile::tempdir().expect("a folder");
        let mut testnet = Command::new(env!("CARGO_BIN_EXE_testnet"))
            .args(["--transactions", "2000"])
            .env("TMPDIR", place.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("testnet starts");
        let inside = || std::fs::read_dir(place.path()).expect("the folder").flatten().map(|it| it.path()).next();
        until("there is a folder", || inside().is_some_and(|it| it.join("settler").exists()));
        let sent = Command::new("kill").args([signal, &testnet.id().to_string()]).status().expect("kill");
        assert!(sent.success());
        assert_eq!(testnet.wait().expect("an end").code(), Some(1), "{signal}");
        assert_eq!(inside(), None, "{signal}");
    }
}

#[test]
fn help_version_and_misuse_are_an_object_with_json() {
    let asked = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_testnet")).args(arguments).output().expect("testnet starts");
        let object: serde_json::Value = serde_json::from_slice(&output.stdout).expect("an object");
        (output.status.code(), output.stderr.is_empty(), object)
    };
    let (code, is_quiet, help) = asked(&["--help", "--json"]);
    assert!(help["help"].as_str().is_some_and(|text| text.contains("Usage: testnet")), "{help}");
    assert_eq!((code, is_quiet), (Some(0), true));
    let version = (Some(0), true, serde_json::json!({ "version": env!("CARGO_PKG_VERSION") }));
    assert_eq!(asked(&["--version", "--json"]), version);
    let (code, is_quiet, error) = asked(&["chaos", "--minutes", "0", "--json"]);
    assert_eq!((code, is_quiet, &error["ok"]), (Some(2), true, &false.into()));
    assert_eq!(error["error"]["code"], "SW-TESTNET-014");
    assert_eq!(error["error"]["next_step"], "`testnet --help` shows what there is.");
    let reason = error["error"]["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("invalid value '0' for '--minutes <M>'"), "{reason}");
}

/// A limit on the size of files stands for a disk that is full.
#[test]
#[cfg(unix)]
fn a_workload_that_cannot_be_written_leaves_the_file_from_before() {
    let place = tempfile::tempdir().expect("a place");
    let file = place.path().join("workload.json");
    let write = |limit: &str| {
        let command = format!("trap '' XFSZ; {limit} exec \"$0\" workload --players 3 --transactions 20 --out \"$1\"");
        let output = Command::new("sh").args(["-c", &command, env!("CARGO_BIN_EXE_testnet")]).arg(&file).output();
        output.expect("testnet starts")
    };
    assert_eq!(write("").status.code(), Some(0));
    let before = std::fs::read(&file).expect("it is there");
    let failed = write("ulimit -f 0;");
    assert_eq!(failed.status.code(), Some(1));
    assert!(told(&failed).starts_with("error[SW-WORKLOAD-001]"), "{}", told(&failed));
    assert_eq!(std::fs::read(&file).expect("it is there"), before);
    assert_eq!(std::fs::read_dir(place.path()).expect("the folder").count(), 1);
}

#[test]
fn a_workload_that_cannot_be_printed_is_exit_1_and_a_reader_that_has_gone_is_none() {
    let arguments = ["workload", "--players", "3", "--transactions", "20"];
    if let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") {
        let output =
            Command::new(env!("CARGO_BIN_EXE_testnet")).args(arguments).stdout(full).output().expect("testnet starts");
        assert_eq!(output.status.code(), Some(1));
        assert!(
            told(&output).starts_with("error[SW-STDOUT-001]: standard output can't be written: "),
            "{}",
            told(&output)
        );
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("again");
        let help = Command::new(env!("CARGO_BIN_EXE_testnet")).arg("--help").stdout(full).output().expect("it starts");
        assert_eq!(help.status.code(), Some(1));
        assert!(told(&help).starts_with("error[SW-STDOUT-001]"), "{}", told(&help));
    }
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output =
        Command::new(env!("CARGO_BIN_EXE_testnet")).args(arguments).stdout(writer).output().expect("testnet starts");
    assert_eq!((output.status.code(), told(&output).as_str()), (Some(0), ""));
}
