//! The command line: `shardwire <noun> <verb>`.
//!
//! What a command prints for people goes to standard output, or with `--json` one object on its last line; logs and progress go to
//! standard error. Exit codes: 0 done, 1 failed, 2 misuse. Output that can't be written is a failure, and goes to standard error then; a reader that has
//! gone (`| head`) is none. A path that isn't text in UTF-8 is `{"hex":"…"}` in JSON: its bytes. An error is `error[SW-…]: what is wrong` and `  next: what to do`, with
//! `--json` `{"error":{"code","message","next_step"}}`. `--help --json` is `{"help":"…"}`, `--version --json` what `version --json` is.
//!
//! A noun has a file, with its verbs, their arguments and their help; `Command` is the list of the nouns. Each verb returns what it has to say
//! as an `Answer` and prints nothing itself, except `run`, which says where the node is before it ends, `submit`, which
//! shows its progress, and `wire decode`, whose frames may be any number.

mod data;
mod evidence;
mod failure;
mod fork;
mod genesis;
mod history;
mod init;
mod logging;
mod named;
mod node;
mod output;
mod peer;
mod progress;
mod protocol;
mod request;
mod run;
mod runtime;
mod settings;
mod shard;
mod signals;
mod status;
mod stop;
mod submit;
mod version;
mod wallet;
mod wire;
mod world;

use clap::{Parser, Subcommand, error::ErrorKind};
use data::DataCommand;
use evidence::EvidenceCommand;
use failure::Failure;
use init::InitArgs;
use node::wait_for;
use output::Answer;
use peer::PeerCommand;
use protocol::ProtocolCommand;
use run::RunArgs;
use serde_json::json;
use shard::ShardCommand;
use std::{ffi::OsString, path::PathBuf, process::ExitCode};
use wire::WireCommand;
use world::WorldCommand;

/// Execution sharding on Starknet: start a shard, run it, prove it, settle it, between peers that don't trust each other.
#[derive(Debug, Parser)]
#[command(
    name = "shardwire",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    after_help = "A first node:\n  \
        shardwire init --data ./operator --role operator --join world.json\n  \
        shardwire run  --data ./operator\n\n\
        Then, in another terminal:\n  \
        shardwire status --data ./operator\n\n\
        Exit codes: 0 done, 1 failed, 2 misuse."
)]
struct Cli {
    /// The node's data folder: its configuration, identity and state
    #[arg(long, value_name = "DIR", env = "SHARDWIRE_DATA", global = true, hide_env_values = true)]
    data: Option<PathBuf>,
    /// Print one JSON object on the last line of standard output
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a node's data folder; never overwrites anything
    #[command(
        after_help = "The flags, and the network and the roles of the environment, are written to DIR/shardwire.toml,\n\
        where they can be changed.\n\nExamples:\n  \
        shardwire init --data ./settler --role settler --world dungeon.json --listen 127.0.0.1:7001\n  \
        shardwire init --data ./operator --role operator --join ./settler/world.json --peer ID@127.0.0.1:7001"
    )]
    Init(InitArgs),
    /// Run the node of a data folder until Ctrl-C
    #[command(
        after_help = "A flag is stronger than its environment variable (SHARDWIRE_LISTEN for --listen, and so on),\n\
        that is stronger than DIR/shardwire.toml. The first line on standard output says who and where\n\
        the node is, then it logs to standard error. Ctrl-C finishes what is under way, a second one doesn't.\n\
        SIGHUP does what `shardwire peer reload` does.\n\nExamples:\n  \
        shardwire run --data ./operator\n  \
        shardwire run --data ./operator --listen 127.0.0.1:7001 --log debug"
    )]
    Run(RunArgs),
    /// Show the running node: whether it is ready, its peers and its shards
    #[command(after_help = "Example:\n  shardwire status --data ./operator")]
    Status,
    /// Tell the running node to finish what is under way and stop; waits for it
    #[command(after_help = "Example:\n  shardwire stop --data ./operator")]
    Stop,
    /// Start shards, send them transactions, look at them
    #[command(subcommand, arg_required_else_help = true)]
    Shard(ShardCommand),
    /// Look at peers: how they stand and why; ban them, allow them
    #[command(subcommand, arg_required_else_help = true)]
    Peer(PeerCommand),
    /// Check what is said to be proven against a peer; needs no node
    #[command(subcommand, arg_required_else_help = true)]
    Evidence(EvidenceCommand),
    /// Check or export a data folder; no node may run in it, and nothing in it changes
    #[command(subcommand, arg_required_else_help = true)]
    Data(DataCommand),
    /// Look at the World that a settler keeps
    #[command(subcommand, arg_required_else_help = true)]
    World(WorldCommand),
    /// Show what the protocols' types say: states, messages, limits, bytes; needs no node
    #[command(subcommand, arg_required_else_help = true)]
    Protocol(ProtocolCommand),
    /// Read recorded bytes; needs no node
    #[command(subcommand, arg_required_else_help = true)]
    Wire(WireCommand),
    /// Show the versions of the program and of what it speaks
    Version,
}

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let mut json = arguments.iter().any(|argument| argument == "--json");
    let result = match Cli::try_parse_from(arguments) {
        Ok(cli) => {
            json |= cli.command.is_json();
            cli.command.run(cli.data, cli.json)
        }
        Err(error) if failure::is_help(&error) && !json => return output::help(&error),
        Err(error) if error.kind() == ErrorKind::DisplayVersion => Ok(version::version()),
        Err(error) if error.kind() == ErrorKind::DisplayHelp => {
            Ok(Answer::new("", &json!({ "help": error.to_string() })))
        }
        Err(error) => Err(Failure::of_arguments(&error)),
    };
    output::finish(result, json)
}

impl Command {
    /// Whether it prints JSON also without `--json`.
    fn is_json(&self) -> bool {
        matches!(self, Self::Protocol(command) if command.is_json())
    }

    fn run(self, root: Option<PathBuf>, json: bool) -> Result<Answer, Failure> {
        match self {
            Self::Init(args) => init::init(root, &args),
            Self::Run(args) => run::run(root, &args, json),
            Self::Status => wait_for(status::status(root)),
            Self::Stop => wait_for(stop::stop(root)),
            Self::Shard(command) => command.run(root),
            Self::Peer(command) => command.run(root),
            Self::Evidence(command) => command.run(),
            Self::Data(command) => command.run(root),
            Self::World(command) => command.run(root),
            Self::Protocol(command) => command.run(),
            Self::Wire(command) => command.run(json),
            Self::Version => Ok(version::version()),
        }
    }
}
