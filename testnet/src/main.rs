//! `cargo run --release -p testnet`: see the library.

use clap::Parser;

fn main() -> std::process::ExitCode {
    testnet::command::main(&testnet::cli::Cli::parse())
}
