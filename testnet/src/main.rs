//! `cargo run --release -p testnet`: see the library.

use clap::Parser;

fn main() -> std::process::ExitCode {
    match testnet::cli::Cli::try_parse() {
        Ok(cli) => testnet::command::main(&cli),
        Err(error) if error.use_stderr() => error.exit(),
        Err(help) => shardwire_files::output::end_of_text(help.print()),
    }
}
