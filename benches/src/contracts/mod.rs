//! `benches contracts`: what a shard of real Starknet contracts costs: steps, proofs, and how fast it takes transactions live.
//!
//! What is played is always the same ([`mix`]): calls three deep, of which every fourth fails inside. Three parts, which `--only` picks from:
//!
//! | part | figure | measured |
//! |---|---|---|
//! | [`steps`] | steps a call, and what they are for | exactly: the same on every machine, whatever else it does |
//! | [`proofs`] | calls proven a CPU second, of the worker's process | several proofs of the same run, the mixes in turns |
//! | [`live`] | transactions a second, and the time to a receipt | real nodes, the operator's door, wallets in this process; a prover at nice 19 beside them |
//!
//! Two parts compare with what others do, if they are given it. `--spike` is the flat witness (docs/prover-worker.md) of any other program, which the same worker
//! proves in turns with ours. `--devnet` is the program `starknet-devnet`, which [`live`] gives the same contracts and the same transactions as the operator. It isn't part
//! of this build: `cargo install --locked starknet-devnet --version 0.10.1`.
//!
//! The last line is one object with `--json`: `steps`, `calls_per_cpu_s`, `live`; a part that wasn't asked for isn't in it. Figures with a spread are medians with
//! the least and the most.

mod beside;
mod devnet;
mod live;
mod mix;
mod nice;
mod played;
mod proofs;
mod steps;

use crate::series::Series;
use clap::Args;
use live::MAX_LIVE;
use mix::Mix;
use serde_json::{Map, Value, json};
use std::{error::Error, path::PathBuf};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum Part {
    Steps,
    Proofs,
    Live,
}

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Measure these parts alone.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// Prove these mixes alone.
    #[arg(long, value_delimiter = ',', default_value = "without_signatures,session_calls,invokes")]
    mixes: Vec<Mix>,
    /// About how many calls each proof is of.
    #[arg(long, default_value_t = 1200, value_parser = clap::value_parser!(u32).range(1..=8_000))]
    calls: u32,
    /// How often each is proven.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// The flat witness of another program, to prove beside ours.
    #[arg(long, value_name = "FILE", requires = "spike_calls")]
    spike: Option<PathBuf>,
    /// How many calls it is of.
    #[arg(long, value_name = "CALLS", requires = "spike", value_parser = clap::value_parser!(u32).range(1..))]
    spike_calls: Option<u32>,
    /// In how many slices transactions are sent, ours and a rival's in turns.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100))]
    slices: u32,
    /// Transactions of a slice.
    #[arg(long, default_value_t = 160, value_parser = clap::value_parser!(u32).range(1..=MAX_LIVE as i64))]
    transactions: u32,
    /// The program starknet-devnet, to compare with; otherwise the one on the search path, if there is one.
    #[arg(long, value_name = "FILE")]
    devnet: Option<PathBuf>,
    /// Print one JSON object on the last line.
    #[arg(long)]
    json: bool,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

/// Measures and prints.
pub(crate) fn measure(options: &Options) -> Outcome<()> {
    if options.wants(Part::Live) {
        live::check(options)?;
    }
    let mut object = Map::new();
    if options.wants(Part::Steps) {
        object.insert("steps".into(), steps::measure()?);
    }
    if options.wants(Part::Proofs) {
        object.insert("calls_per_cpu_s".into(), proofs::measure(options)?);
    }
    if options.wants(Part::Live) {
        object.insert("live".into(), live::measure(options)?);
    }
    if options.json {
        say!("{}", Value::Object(object));
    }
    Ok(())
}

/// A figure with its spread.
fn spread(series: &Series) -> Value {
    let (least, most) = series.range();
    json!({ "median": series.median(), "least": least, "most": most })
}
