//! The flags.

use crate::{chaos, dungeon, sim::Seeds};
use clap::{Args, Parser, Subcommand};
use std::{num::NonZeroU64, path::PathBuf};

/// One shard on this machine, from start to settled: three nodes that don't trust each other execute it, prove it and settle it.
#[derive(Clone, Debug, Parser)]
#[command(name = "testnet", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do instead.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The run.
    #[command(flatten)]
    pub run: Run,
}

/// What to do instead of a run.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Play the dungeon as real Starknet contracts, over the operator's JSON-RPC door, from start to settled.
    Contracts(Contracts),
    /// Write the workload of a seed to a file (docs/workload.md describes it) and run nothing.
    Workload(WriteWorkload),
    /// Simulate whole networks in virtual time, with everything that can go wrong, and check what is left of them.
    Sim(Sim),
    /// Kill real nodes over and over while shards are played on them, and check what is left.
    Chaos(Chaos),
}

/// `testnet sim`.
#[derive(Clone, Debug, Args)]
pub struct Sim {
    /// Which runs: `FIRST..END`, the end not included.
    #[arg(long, value_name = "A..B", default_value = "0..100")]
    pub seeds: Seeds,
    /// This one only.
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    pub seed: Option<u64>,
    /// Print everything that happens in the run.
    #[arg(long, requires = "seed")]
    pub trace: bool,
    /// Plant this bug, to see that it is found.
    #[cfg(feature = "mutations")]
    #[arg(long, value_name = "NAME", value_parser = mutation)]
    pub mutate: Option<shardwire_model::Mutation>,
    /// Print one JSON object on the last line of standard output, and all else on standard error.
    #[arg(long)]
    pub json: bool,
}

#[cfg(feature = "mutations")]
fn mutation(name: &str) -> Result<shardwire_model::Mutation, String> {
    let all = shardwire_model::Mutation::ALL;
    let names = || all.iter().map(|it| it.name()).collect::<Vec<_>>().join(", ");
    all.iter().find(|it| it.name() == name).copied().ok_or_else(|| format!("expected one of {}", names()))
}

/// `testnet chaos`.
#[derive(Clone, Debug, Args)]
pub struct Chaos {
    /// How long nodes are killed, in minutes (1 to 1440); then all shards have to end.
    #[arg(long, value_name = "M", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=i64::from(chaos::MAX_MINUTES)))]
    pub minutes: u16,
    /// Who is killed when, and what is played: the same seed makes the same plan, though processes never run twice alike.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Keep the nodes' data in this folder, which must be new or empty, and leave it there.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Print one JSON object on the last line of standard output, and all else on standard error.
    #[arg(long)]
    pub json: bool,
}

/// `testnet workload`.
#[derive(Clone, Debug, Args)]
pub struct WriteWorkload {
    /// Which dungeon run.
    #[command(flatten)]
    pub dungeon: Dungeon,
    /// Where to write it; standard output if absent.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `testnet`.
#[derive(Clone, Debug, Args)]
pub struct Run {
    /// Which dungeon run.
    #[command(flatten)]
    pub dungeon: Dungeon,
    /// Play this workload file instead of a dungeon run from a seed.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["players", "transactions", "seed"])]
    pub workload: Option<PathBuf>,
    /// What becomes of the network.
    #[command(flatten)]
    pub place: Place,
}

/// Where a network is, what becomes of it, and how the result is told.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// Keep the nodes' data in this folder, which must be new or empty, and leave it there.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Leave the network running and print how to reach it.
    #[arg(long)]
    pub keep: bool,
    /// Print one JSON object on the last line of standard output, and all else on standard error.
    #[arg(long)]
    pub json: bool,
}

/// `testnet contracts`.
#[derive(Clone, Debug, Args)]
pub struct Contracts {
    /// How many play (1 to 64).
    #[arg(long, value_name = "N", default_value_t = dungeon::Options::default().players)]
    pub players: usize,
    /// How many transactions (1 to 16384); the last one ends the shard.
    #[arg(long, value_name = "N", default_value_t = dungeon::Options::default().transactions)]
    pub transactions: usize,
    /// Which of all such games; the order in which the operator takes transactions differs from run to run.
    #[arg(long, value_name = "N", default_value_t = dungeon::Options::default().seed)]
    pub seed: u64,
    /// How many bytes of its prover's memory the operator lets a proof take: with less the game is cut in more segments, each proven by itself [default: 9 GiB].
    #[arg(long, value_name = "BYTES")]
    pub proof_memory: Option<NonZeroU64>,
    /// What becomes of the network.
    #[command(flatten)]
    pub place: Place,
}

impl Contracts {
    /// As the game takes it.
    #[must_use]
    pub const fn options(&self) -> dungeon::Options {
        dungeon::Options { players: self.players, transactions: self.transactions, seed: self.seed }
    }
}

/// A dungeon run from a seed.
#[derive(Clone, Copy, Debug, Args)]
pub struct Dungeon {
    /// How many play (1 to 256).
    #[arg(long, value_name = "N", default_value_t = dungeon::Options::default().players)]
    pub players: usize,
    /// How many signed transactions (1 to 65536); the last one ends the shard.
    #[arg(long, value_name = "N", default_value_t = dungeon::Options::default().transactions)]
    pub transactions: usize,
    /// Which of all such runs: the same seed is the same run.
    #[arg(long, value_name = "N", default_value_t = dungeon::Options::default().seed)]
    pub seed: u64,
}

impl Dungeon {
    /// As the generator takes it.
    #[must_use]
    pub fn options(self) -> dungeon::Options {
        dungeon::Options { players: self.players, transactions: self.transactions, seed: self.seed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, error::ErrorKind};

    fn refused(args: &[&str]) -> ErrorKind {
        Cli::try_parse_from(args).expect_err("misuse").kind()
    }

    #[test]
    fn the_flags_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_run_without_flags_is_the_default_dungeon() {
        let cli = Cli::try_parse_from(["testnet"]).expect("flags");
        assert!(cli.command.is_none() && !cli.run.place.json && !cli.run.place.keep);
        assert_eq!(cli.run.dungeon.options(), dungeon::Options::default());
    }

    #[test]
    fn a_file_has_its_own_players_and_seed() {
        assert_eq!(refused(&["testnet", "--workload", "w.json", "--seed", "3"]), ErrorKind::ArgumentConflict);
        assert_eq!(refused(&["testnet", "--players", "many"]), ErrorKind::ValueValidation);
        assert_eq!(refused(&["testnet", "--data"]), ErrorKind::InvalidValue);
        assert_eq!(refused(&["testnet", "chaos", "--minutes", "0"]), ErrorKind::ValueValidation);
        assert_eq!(refused(&["testnet", "contracts", "--workload", "w.json"]), ErrorKind::UnknownArgument);
        assert!(Cli::try_parse_from(["testnet", "workload", "--out", "w.json", "--seed", "3"]).is_ok());
    }
}
