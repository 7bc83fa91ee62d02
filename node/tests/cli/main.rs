//! The command line as people and programs see it: the binary is run, its output and exit code are read.

mod contracts;
mod errors;
mod help;
mod lifecycle;
mod lives;
mod metrics;
mod older;
mod output;
mod peers;
mod protocols;
mod readiness;

use std::{
    path::Path,
    process::{Command, Output},
};

/// The program, without what this test's own environment says about it.
fn shardwire(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shardwire"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SHARDWIRE_")) {
        command.env_remove(name);
    }
    command.args(arguments);
    command
}

/// What a command left: exit code, standard output, standard error.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

fn ended(output: Output) -> Ended {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

fn run(arguments: &[&str]) -> Ended {
    ended(shardwire(arguments).output().unwrap())
}

/// The identity of a World, made by the `shardwire init` of its settler in `place`.
fn world(place: &Path) -> String {
    let (settler, genesis) = (place.join("settler").display().to_string(), place.join("genesis.json"));
    std::fs::write(&genesis, r#"{"storage":[{"contract":"0xc1","key":"0x1","kind":"counter","value":0}]}"#).unwrap();
    let genesis = genesis.display().to_string();
    let made = run(&["init", "--data", &settler, "--role", "settler", "--world", &genesis]);
    assert_eq!((made.code, made.err.as_str()), (0, ""), "{}", made.out);
    format!("{settler}/world.json")
}

/// A data folder in `place`, made by `shardwire init`, of a node in the [`world`] of that place.
fn folder(place: &Path, arguments: &[&str]) -> String {
    let root = place.join("node").display().to_string();
    let joined = if arguments.contains(&"--world") { None } else { Some(world(place)) };
    let join: Vec<&str> = joined.iter().flat_map(|world| ["--join", world]).collect();
    let made = run(&[&["init", "--data", &root], &join[..], arguments].concat());
    assert_eq!((made.code, made.err.as_str()), (0, ""), "{}", made.out);
    root
}
