//! The prover process: reads the witness of one Cairo run, writes one STARK proof, ends.
//!
//! It is started by shardwire-proving, one process a job, so that a crash, a time-out or too much memory costs that job
//! and nothing else. `docs/prover-worker.md` in the main workspace is the contract; a program that keeps to it can take this
//! program's place.
//!
//! - `stwo-worker prove --witness FILE|- --proof FILE [--memory-limit BYTES] [--threads N] [--lifeline]`
//! - `stwo-worker version --json`
//!
//! Standard output carries one JSON object a line (`process`), standard error is for people. Exit 0: the proof is
//! written; 1: it failed, and the last line of standard error says why, with a code; 2: misuse. That of this witness there is no proof is said by an event
//! (`refused`) besides: a failure without it says nothing about the witness.
//!
//! It refuses witnesses that are malformed or too large for one proof (`witness`, `shape`) before it spends memory on
//! them. No witness may crash it silently: a panic inside the prover is caught and reported as SW-WORKER-005.

mod error;
mod process;
mod prove;
mod shape;
mod witness;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use serde_json::json;

use crate::error::Error;
use crate::process::{Event, Usage};

/// The version of the contract between node and worker that this program speaks.
const INTERFACE: &str = "shardwire-prover/1";

#[derive(Parser)]
#[command(version, about = "Proves a Cairo run: reads a witness, writes a STARK proof.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prove one witness and end.
    Prove(ProveArgs),
    /// Say what this program is.
    Version {
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
struct ProveArgs {
    /// The witness file, or - for standard input.
    #[arg(long, value_name = "FILE")]
    witness: PathBuf,
    /// Where to write the proof. It appears there whole or not at all.
    #[arg(long, value_name = "FILE")]
    proof: PathBuf,
    /// Most bytes of memory to use for data; the process dies rather than use more.
    #[arg(long, value_name = "BYTES")]
    memory_limit: Option<u64>,
    /// Threads to prove with. Default: one a core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// End as soon as standard input closes: the process that started this one has died.
    #[arg(long)]
    lifeline: bool,
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Version { json: as_json } => {
            print_version(as_json);
            ExitCode::SUCCESS
        }
        Command::Prove(args) => match run(&args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                if error.is_of_the_witness() {
                    process::emit(&Event::Refused { code: error.code(), reason: error.to_string() });
                }
                process::complain(&error.to_string(), error.code());
                ExitCode::from(if matches!(error, Error::Misuse(_)) { 2 } else { 1 })
            }
        },
    }
}

fn run(args: &ProveArgs) -> Result<(), Error> {
    let from_stdin = args.witness.as_os_str() == "-";
    if from_stdin && args.lifeline {
        return Err(Error::Misuse("--lifeline watches standard input, so the witness can't come from there"));
    }
    if let Some(bytes) = args.memory_limit {
        process::limit_memory(bytes)?;
    }
    if args.lifeline {
        process::end_with_stdin();
    }
    // Made here, so that a machine without threads to give isn't taken for a prover that panics over its witness. 0: one a core.
    rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads.map_or(0, usize::from))
        .build_global()
        .map_err(|e| Error::Threads(e.to_string()))?;
    let usage = Usage::start();
    let witness = if from_stdin {
        witness::read(&mut std::io::stdin().lock(), None).map_err(witness::ReadError::from)?
    } else {
        witness::read_file(&args.witness)?
    };
    process::emit(&Event::Loaded { steps: witness.steps(), cells: witness.cells() });
    let proof = prove::prove(witness)?;
    let proof_bytes = process::write_whole(&args.proof, &proof)?;
    process::emit(&Event::Done { proof_bytes, usage: usage.stop() });
    Ok(())
}

fn print_version(as_json: bool) {
    let version = env!("CARGO_PKG_VERSION");
    if as_json {
        let described = json!({
            "worker": "stwo-worker",
            "version": version,
            "interface": INTERFACE,
            "witness": witness::MAGIC_TEXT,
            "proof": prove::PROOF_ENCODING,
            "preprocessed": prove::PREPROCESSED,
            "security_bits": prove::pcs_config().security_bits(),
        });
        process::print_line(&described.to_string());
    } else {
        process::print_line(&format!("stwo-worker {version} ({INTERFACE})"));
    }
}
