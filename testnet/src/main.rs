//! `cargo run --release -p testnet`: see the library.

use clap::Parser;

fn main() -> std::process::ExitCode {
    let as_json = std::env::args_os().any(|argument| argument == "--json");
    match testnet::cli::Cli::try_parse() {
        Ok(cli) => testnet::command::main(&cli),
        Err(told) => testnet::command::without(&told, as_json),
    }
}
