//! Measurements. `cargo run --release -p benches -- session` compares sessions with the QUIC streams that carry them;
//! `cargo run --release -p benches -- attack` says what honest provers keep of their jobs under attack;
//! `cargo run --release -p benches -- ingress` says how many transactions an operator accepts, against how many signatures could be checked;
//! `cargo run --release -p benches -- prove` says what proving a shard costs;
//! `cargo run --release -p benches -- contracts` says what a shard of Starknet contracts costs, and how fast it takes transactions.
//!
//! Figures are for the machine and the moment: other load shows in them, CPU seconds included. Compare within one run.
//! The benches contain the node, with the dependencies that the testnet was built with: beside it, they take moments to build.

/// Says a line of the results; who can't be told is an error.
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = shardwire_files::output::line(&format!($($text)*))?;
    }};
}

mod attack;
mod contracts;
mod ingress;
mod prove;
mod series;
mod session;

use clap::{Parser, Subcommand};
use std::{error::Error, process::ExitCode};

#[derive(Debug, Parser)]
#[command(name = "benches", version, about = "Measurements")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sessions against raw QUIC streams: bulk, round trips, a session a request, memory.
    Session(session::Options),
    /// Execute and prove dungeon runs: steps, witness, CPU seconds, memory, verification.
    Prove(prove::Options),
    /// A shard of Starknet contracts: steps a call, calls proven a CPU second, transactions a second at an operator's door.
    Contracts(contracts::Options),
    /// Transactions a second at a real operator with 1 and 32 clients, against signatures checked in a bare loop.
    Ingress(ingress::Options),
    /// Sixteen honest provers' jobs while thirty others attack the operator that they work for.
    Attack(attack::Options),
    #[command(name = attack::hostile::COMMAND, hide = true)]
    AttackHostile(attack::hostile::Orders),
    #[command(name = session::peer::COMMAND, hide = true)]
    SessionPeer {
        #[command(flatten)]
        ground: session::Ground,
        #[arg(long)]
        round: u32,
    },
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => error.exit(),
        Err(help) => return shardwire_files::output::end_of_text(help.print()),
    };
    match run(&cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            shardwire_files::output::complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<(), Box<dyn Error + Send + Sync>> {
    match command {
        Command::Session(options) => session::measure(options),
        Command::Contracts(options) => contracts::measure(options),
        Command::Ingress(options) => ingress::measure(options),
        Command::Prove(options) => prove::measure(options).map_err(|error| error.to_string().into()),
        Command::Attack(options) => attack::measure(options),
        Command::AttackHostile(orders) => attack::hostile::run(orders),
        Command::SessionPeer { ground, round } => session::peer::run(*ground, *round),
    }
}
