//! The compiler as a program of its own, for tests and for programs that embed a node: see the crate `shardwire_compiler`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    shardwire_compiler::asked().unwrap_or(ExitCode::FAILURE)
}
