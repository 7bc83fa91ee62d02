//! `shardwire run`.

use super::{
    failure::Failure,
    logging,
    output::{Answer, say},
    settings::SettingArgs,
    signals,
};
use crate::{
    config::{Config, Environment, FolderContents},
    data::{DataFolder, DataPaths},
    run::{Ready, run as node},
};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use shardwire_host::Platform;
use shardwire_model::{PeerId, Role};
use std::{net::SocketAddr, path::PathBuf, time::Duration};
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

/// The first line of a running node.
#[derive(Serialize)]
struct Started<'a> {
    peer: PeerId,
    listen: SocketAddr,
    roles: &'a [Role],
    network: &'a str,
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<SocketAddr>,
}

pub(super) fn run(root: Option<PathBuf>, args: &RunArgs, as_json: bool) -> Result<Answer, Failure> {
    let root = root.ok_or_else(Failure::no_data)?;
    let paths = DataPaths::existing(&root)?;
    let config = Config::load(&paths.config(), &Environment::of_process(), args.settings.flags())?;
    let folder = DataFolder::open(&root)?;
    config.check(FolderContents { own: folder.identity().peer(), ledger: &paths.ledger() })?;
    logging::begin(&config.log);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::no_runtime)?;
    let result = runtime.block_on(serve(config, folder, args.lifeline, as_json));
    runtime.shutdown_timeout(LAST_THREADS);
    result.map(|()| Answer::new("", &json!({ "stopped": true })))
}

async fn serve(config: Config, folder: DataFolder, lifeline: bool, as_json: bool) -> Result<(), Failure> {
    let orders = signals::listen(lifeline).map_err(Failure::no_runtime)?;
    let (ready, is_ready) = oneshot::channel();
    let roles: Vec<Role> = config.roles.iter().copied().collect();
    let network = config.network.clone();
    let announce = async {
        if let Ok(Ready { peer, listen, metrics }) = is_ready.await {
            let pid = std::process::id();
            let started = Started { peer, listen, roles: &roles, network: &network, pid, metrics };
            say(&first_line(&started, as_json));
        }
        std::future::pending::<()>().await;
    };
    let overdue = overdue(orders.stop.clone());
    tokio::select! { biased;
        result = node(config, folder, Platform::system(), orders, ready) => Ok(result?),
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
    format!(
        "shardwire node {} listens on {} as {} (network {}){metrics}",
        started.peer,
        started.listen,
        roles.join(", "),
        started.network
    )
}
