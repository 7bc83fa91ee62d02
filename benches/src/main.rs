//! Measurements. `cargo run --release -p benches -- prove` says what proving a shard costs.
//!
//! Figures are for the machine and the moment: other load shows in them, CPU seconds included. Compare within one run.

mod prove;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(name = "benches", version, about = "Measurements")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Execute and prove dungeon runs: steps, witness, CPU seconds, memory, verification.
    Prove(prove::Options),
}

fn main() -> ExitCode {
    let Command::Prove(options) = Cli::parse().command;
    match prove::measure(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
