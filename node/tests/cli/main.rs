//! The command line as people and programs see it: the binary is run, its output and exit code are read.

mod errors;
mod help;
mod lifecycle;
mod lives;
mod peers;
mod protocols;

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

/// A data folder in `place`, made by `shardwire init`.
fn folder(place: &Path, arguments: &[&str]) -> String {
    let root = place.join("node").display().to_string();
    let made = run(&[&["init", "--data", &root], arguments].concat());
    assert_eq!((made.code, made.err.as_str()), (0, ""), "{}", made.out);
    root
}
