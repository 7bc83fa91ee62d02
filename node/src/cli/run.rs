//! `shardwire run`.

use super::{
    failure::Failure,
    logging,
    output::{Answer, say},
    runtime,
    settings::SettingArgs,
    signals,
};
use crate::{
    config::{Config, Environment, FolderContents, LogFormat},
    data::{DataFolder, DataPaths},
    run::{Ready, run as node},
    world,
};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use shardwire_host::Platform;
use shardwire_model::{Address, PeerId, Role};
use std::{cell::Cell, net::SocketAddr, path::PathBuf, time::Duration};
use tokio::{sync::oneshot, time::sleep};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// End when standard input closes: for a parent process that must not outlive this one
    #[arg(long, hide = true)]
    lifeline: bool,
    #[command(flatten)]
    settings: SettingArgs,
}

/// How long a node that was told to stop may take, in all: a role's store, its sessions and its worker each have shorter limits.
pub(super) const DRAIN: Duration = Duration::from_secs(60);
/// How long threads that still run then may hold up the end of the program.
const LAST_THREADS: Duration = Duration::from_secs(2);

/// The variable that says how logs look.
const LOG_FORMAT: &str = "SHARDWIRE_LOG_FORMAT";

/// The first line of a running node.
#[derive(Serialize)]
struct Started<'a> {
    peer: PeerId,
    listen: SocketAddr,
    /// What others dial, if that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    advertise: Option<&'a Address>,
    roles: &'a [Role],
    network: &'a str,
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rpc: Option<SocketAddr>,
}

pub(super) fn run(root: Option<PathBuf>, args: &RunArgs, as_json: bool) -> Result<Answer, Failure> {
    // What can't be configured can't say how it is to be told either: then flag and environment do.
    let mut log = asked(args);
    run_logging(root, args, as_json, &mut log).map_err(|failure| failure.in_log(log == LogFormat::Json))
}

/// The format of the log that flag or environment ask for.
fn asked(args: &RunArgs) -> LogFormat {
    let variable = std::env::var(LOG_FORMAT).ok().map(|value| (LOG_FORMAT.to_owned(), value));
    let configured = Config::draft(&Environment::of(variable), args.settings.log_flags());
    configured.map_or(LogFormat::Text, |config| config.log.format)
}

fn run_logging(root: Option<PathBuf>, args: &RunArgs, as_json: bool, log: &mut LogFormat) -> Result<Answer, Failure> {
    let root = root.ok_or_else(Failure::no_data)?;
    let paths = DataPaths::existing(&root)?;
    let config = Config::load(&paths.config(), &Environment::of_process(), args.settings.flags())?;
    *log = config.log.format;
    let folder = DataFolder::open(&root)?;
    config.check(FolderContents { own: folder.identity().peer(), missing_world: world::missing(&paths) })?;
    logging::begin(&config.log);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = runtime::begin(tokio::runtime::Builder::new_multi_thread().enable_all())?;
    let result = runtime.block_on(serve(config, folder, args.lifeline, as_json));
    runtime.shutdown_timeout(LAST_THREADS);
    result.map(|()| Answer::new("", &json!({ "stopped": true })))
}

async fn serve(config: Config, folder: DataFolder, lifeline: bool, as_json: bool) -> Result<(), Failure> {
    let orders = signals::listen(lifeline).map_err(Failure::no_runtime)?;
    let (ready, is_ready) = oneshot::channel();
    let roles: Vec<Role> = config.roles.iter().copied().collect();
    let (network, advertise) = (config.network.clone(), config.advertise.clone());
    let (stop, untold) = (orders.stop.clone(), Cell::new(None));
    let announce = async {
        if let Ok(Ready { peer, listen, metrics, rpc }) = is_ready.await {
            let pid = std::process::id();
            let (advertise, roles, network) = (advertise.as_ref(), &roles[..], &*network);
            let started = Started { peer, listen, advertise, roles, network, pid, metrics, rpc };
            if let Err(failure) = say(&first_line(&started, as_json)) {
                // Who started it waits for this line.
                untold.set(Some(failure));
                stop.cancel();
            }
        }
        std::future::pending::<()>().await;
    };
    let overdue = overdue(orders.stop.clone());
    tokio::select! { biased;
        result = node(config, folder, Platform::system(), orders, ready) => {
            result?;
            untold.take().map_or(Ok(()), Err)
        }
        () = overdue => Err(Failure::new(
            "SW-CLI-004",
            format!("the node didn't stop within {} s and was ended", DRAIN.as_secs()),
            "Start it again: what was under way is taken up.",
        )),
        () = announce => Ok(()),
    }
}

/// Completes when the node was told to stop too long ago.
async fn overdue(stop: CancellationToken) {
    stop.cancelled().await;
    sleep(DRAIN).await;
}

fn first_line(started: &Started<'_>, as_json: bool) -> String {
    if as_json {
        return serde_json::to_string(started).unwrap_or_default();
    }
    let roles: Vec<String> = started.roles.iter().map(ToString::to_string).collect();
    let metrics = started.metrics.map_or_else(String::new, |address| format!(", metrics at http://{address}/metrics"));
    let rpc = started.rpc.map_or_else(String::new, |address| format!(", wallets at http://{address}/rpc"));
    let advertise = started.advertise.map_or_else(String::new, |address| format!(", dialled at {address},"));
    format!(
        "shardwire node {} listens on {}{advertise} as {} (network {}){metrics}{rpc}",
        started.peer,
        started.listen,
        roles.join(", "),
        started.network
    )
}
