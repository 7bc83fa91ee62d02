//! The command line: `shardwire <noun> <verb>`.
//!
//! What a command prints for people goes to standard output, or with `--json` one object on its last line; logs and progress go to
//! standard error. Exit codes: 0 done, 1 failed, 2 misuse. An error is `error[SW-…]: what is wrong` and `  next: what to do`, with
//! `--json` `{"error":{"code","message","next_step"}}`.
//!
//! One file a command; each returns what it has to say as an [`Answer`](output::Answer) and prints nothing itself, except `run`, which says where
//! the node is before it ends, `submit`, which shows its progress, and `wire decode`, whose frames may be any number.

mod args;
mod data;
mod evidence;
mod failure;
mod history;
mod init;
mod logging;
mod node;
mod output;
mod peer;
mod progress;
mod protocol;
mod request;
mod run;
mod shard;
mod signals;
mod status;
mod stop;
mod version;
mod wire;
mod world;

use args::{
    Cli, Command, DataCommand, EvidenceCommand, PeerCommand, ProtocolCommand, ShardCommand, WireCommand, WorldCommand,
};
use clap::Parser as _;
use failure::Failure;
use output::Answer;
use std::{ffi::OsString, future::Future, process::ExitCode};

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let mut json = arguments.iter().any(|argument| argument == "--json");
    let result = match Cli::try_parse_from(arguments) {
        Ok(cli) => {
            json |= cli.command.json();
            dispatch(cli)
        }
        Err(error) if failure::is_help(&error) => return output::help(&error),
        Err(error) => Err(Failure::of_arguments(&error)),
    };
    output::finish(result, json)
}

fn dispatch(cli: Cli) -> Result<Answer, Failure> {
    let Cli { data, json, command } = cli;
    match command {
        Command::Init(args) => init::init(data, &args),
        Command::Run(args) => run::run(data, &args, json),
        Command::Status => wait_for(status::status(data)),
        Command::Stop => wait_for(stop::stop(data)),
        Command::Shard(ShardCommand::Start(args)) => wait_for(shard::start(data, &args)),
        Command::Shard(ShardCommand::Abort(args)) => wait_for(shard::abort(data, &args)),
        Command::Shard(ShardCommand::History(args)) => wait_for(history::history(data, &args)),
        Command::Shard(ShardCommand::Submit(args)) => wait_for(shard::submit(data, &args)),
        Command::Shard(ShardCommand::Status(args)) => wait_for(shard::status(data, &args)),
        Command::Peer(PeerCommand::List) => wait_for(peer::list(data)),
        Command::Peer(PeerCommand::Show(args)) => wait_for(peer::show(data, &args)),
        Command::Peer(PeerCommand::Ban(args)) => wait_for(peer::ban(data, &args)),
        Command::Peer(PeerCommand::Unban(args)) => wait_for(peer::unban(data, &args)),
        Command::Peer(PeerCommand::Allow(args)) => wait_for(peer::allow(data, &args)),
        Command::Peer(PeerCommand::Evidence(args)) => wait_for(evidence::export(data, &args)),
        Command::Peer(PeerCommand::Reload) => wait_for(peer::reload(data)),
        Command::Evidence(EvidenceCommand::Check(args)) => evidence::check(&args),
        Command::Data(DataCommand::Check) => data::check(data),
        Command::Data(DataCommand::Export(args)) => data::export(data, &args),
        Command::World(WorldCommand::Show) => wait_for(world::show(data)),
        Command::Protocol(ProtocolCommand::List) => Ok(protocol::list()),
        Command::Protocol(ProtocolCommand::Show(args)) => protocol::show(&args),
        Command::Wire(WireCommand::Decode(args)) => wire::decode(&args, json),
        Command::Version => Ok(version::version()),
    }
}

/// Runs a command that asks others. One thread is enough for a client.
fn wait_for(command: impl Future<Output = Result<Answer, Failure>>) -> Result<Answer, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::no_runtime)?;
    runtime.block_on(command)
}
