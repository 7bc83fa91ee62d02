//! `shardwire shard submit` and `shard end`: what players say to a shard's operator.

use super::{
    evidence,
    failure::Failure,
    named::{ProgramName, ShardName},
    node::connect,
    output::{Answer, plain},
    progress::Progress,
};
use crate::{
    client::{
        ClientError, Dialler, EndReport, NodeAddress, NodeClient, SubmitReport, end as end_at, started,
        submit_and_resign,
    },
    config::{Config, DEFAULT_NETWORK, Environment, Flags},
    data::DataPaths,
};
use clap::Args;
use serde::Serialize;
use shardwire_host::Platform;
use shardwire_model::{AccountKey, PeerId, ShardId, ShardStart, Timestamp};
use shardwire_program::rules;
use shardwire_transport::Identity;
use shardwire_workload::{Player, Workload};
use std::path::{Path, PathBuf};

/// Most refused transactions that are shown to people; `--json` has all of them.
const SHOWN_REFUSALS: usize = 10;

#[derive(Debug, Args)]
pub(super) struct SubmitArgs {
    /// The workload file that the shard was started with
    #[arg(long, value_name = "FILE")]
    workload: PathBuf,
    /// The shard, as `shard start` has printed it, or the beginning of that
    #[arg(long, value_name = "SHARD")]
    shard: ShardName,
    /// The shard's operator
    #[arg(long, value_name = "ID@HOST:PORT")]
    operator: Option<NodeAddress>,
    /// The program that it was started with, as for `shard start`
    #[arg(long, value_name = "PROGRAM")]
    program: Option<ProgramName>,
    /// The network's name, if not the data folder's
    #[arg(long, value_name = "NAME", env = "SHARDWIRE_NETWORK", hide_env_values = true)]
    network: Option<String>,
}

#[derive(Serialize)]
struct Submitted<'a> {
    shard: ShardId,
    operator: PeerId,
    #[serde(flatten)]
    report: &'a SubmitReport,
}

/// A shard of a workload, and who talks to its operator.
struct PlayedShard {
    workload: Workload,
    dialler: Dialler,
    operator: NodeAddress,
    start: ShardStart,
}

/// The shard that the arguments name, as it was started.
async fn played_shard(root: Option<PathBuf>, args: &SubmitArgs) -> Result<PlayedShard, Failure> {
    let workload = Workload::read(&args.workload)?;
    let mut platform = Platform::system();
    let (operator, network) = match &args.operator {
        Some(operator) => {
            // A name that stands for nothing now is a mistake; one that does so later, while the operator moves, is asked again.
            operator.places(&*platform.names).await?;
            (operator.clone(), root.as_deref().map(configured_network).transpose()?)
        }
        None => {
            let shard = args.shard.find(root.as_ref()).await?;
            let mut client = connect(root).await?;
            let found = find_operator(&mut client, shard).await;
            let network = client.network().to_owned();
            client.close().await;
            (found?, Some(network))
        }
    };
    let network = args.network.clone().or(network).unwrap_or_else(|| DEFAULT_NETWORK.to_owned());
    // The start data follows from the workload, its operator and the network; taken from the operator, it could be any shard's, and the
    // signatures would be for that. Only the deadline is the World's to give, and signatures for a deadline that it didn't give are
    // good for nothing.
    let mut request = workload.start_request(operator.peer, rules::hash());
    if let Some(program) = args.program {
        request.program = program.hash;
    }
    let shard = request.shard_id(&network);
    if !args.shard.is(shard) {
        return Err(Failure::new(
            "SW-CLI-005",
            format!(
                "shard {} is not of this workload with operator {} in network {network}: that is {}",
                args.shard,
                operator.peer.short(),
                shard
            ),
            "Name the shard as `shardwire shard start` has printed it, and the workload, program, operator and network that it was started with.",
        ));
    }
    // Nobody needs to know who submits: the accounts' signatures count, not the client's.
    let identity = Identity::generate(&mut platform.randomness);
    let dialler = Dialler { identity, network, platform };
    let start = started(&dialler, &operator, request.to_start(&dialler.network, Timestamp::default())).await?;
    Ok(PlayedShard { workload, dialler, operator, start })
}

/// The keys of a workload's players.
fn keys(workload: &Workload) -> Vec<AccountKey> {
    workload.players.iter().map(Player::key).collect()
}

pub(super) async fn submit(root: Option<PathBuf>, args: &SubmitArgs) -> Result<Answer, Failure> {
    let PlayedShard { workload, dialler, operator, start } = played_shard(root, args).await?;
    let transactions = workload.sign(&start)?;
    let mut progress = Progress::new("receipts", transactions.len());
    let heard = |it: crate::client::Progress<'_>| progress.at(it.done, it.of);
    let report = submit_and_resign(&dialler, &operator, &start, &transactions, &keys(&workload), heard).await;
    progress.done();
    let report = match report {
        Err(error @ ClientError::Contradiction { .. }) => return Err(kept(&error)),
        report => report?,
    };
    let mut answer = Answer::new(
        describe_report(&report),
        &Submitted { shard: start.shard, operator: operator.peer, report: &report },
    );
    answer.failed = !report.refused.is_empty();
    Ok(answer)
}

#[derive(Serialize)]
struct EndedNow<'a> {
    shard: ShardId,
    operator: PeerId,
    #[serde(flatten)]
    report: &'a EndReport,
}

pub(super) async fn end(root: Option<PathBuf>, args: &SubmitArgs) -> Result<Answer, Failure> {
    let PlayedShard { workload, dialler, operator, start } = played_shard(root, args).await?;
    let planned = workload.sign(&start)?;
    let report = end_at(&dialler, &operator, &start, &planned, &keys(&workload)).await?;
    let shard = start.shard;
    if !report.ended {
        return Err(not_ended(shard, &report));
    }
    let when = if report.by.is_some() { "has ended now" } else { "had ended before" };
    let text = format!(
        "shard {shard} {when}, with {} transactions: what was played is proven and settled",
        report.transactions
    );
    Ok(Answer::new(text, &EndedNow { shard, operator: operator.peer, report: &report }))
}

/// No player of the workload can end the shard.
fn not_ended(shard: ShardId, report: &EndReport) -> Failure {
    let why = report.refused.last().map(|it| format!("; the last: {} ({})", plain(&it.reason), plain(&it.code)));
    Failure::new(
        "SW-CLI-020",
        format!(
            "none of the workload's players can end shard {shard}, {} were refused{}",
            report.refused.len(),
            why.unwrap_or_default()
        ),
        format!(
            "Ask another player of the shard to end it, or give it up with `shardwire shard abort {shard}`: its escrow and locks return, and what was played is lost."
        ),
    )
}

/// The failure that a contradiction is, once the evidence is in a file.
fn kept(error: &ClientError) -> Failure {
    let failure = Failure::of(error);
    let ClientError::Contradiction { evidence: piece, .. } = error else { return failure };
    match evidence::save(piece.accused, &piece.to_bytes(), Path::new(".")) {
        Ok(file) => failure.and_next(&format!("It is in {}; `shardwire evidence check` reads it.", file.display())),
        Err(unkept) => unkept,
    }
}

/// The network of a data folder whose node need not run.
fn configured_network(root: &Path) -> Result<String, Failure> {
    let paths = DataPaths::existing(root)?;
    Ok(Config::load(&paths.config(), &Environment::of_process(), Flags::default())?.network)
}

/// Where a shard's operator is, as a running node knows.
async fn find_operator(client: &mut NodeClient, shard: ShardId) -> Result<NodeAddress, Failure> {
    let unknown = || {
        Failure::new(
            "SW-CLI-006",
            format!("this node doesn't know shard {shard}"),
            "Ask the settler that started it or its operator, or add --operator ID@HOST:PORT.",
        )
    };
    let peer = client.shard_status(Some(shard)).await?.first().ok_or_else(unknown)?.operator;
    if peer == client.target().peer {
        return Ok(client.target().into());
    }
    let peers = client.peers().await?;
    let address = peers.iter().find(|it| it.peer == peer).and_then(|it| it.addr.parse().ok());
    let address = address.ok_or_else(|| {
        Failure::new(
            "SW-CLI-007",
            format!("this node isn't connected to the shard's operator {peer}"),
            "Check that the operator runs and knows this node, or add --operator ID@HOST:PORT.",
        )
    })?;
    Ok(NodeAddress { peer, address })
}

fn describe_report(report: &SubmitReport) -> String {
    let mut lines = vec![format!("{} accepted, {} refused", report.accepted, report.refused.len())];
    if report.duplicates > 0 {
        lines.push(format!("{} of the accepted were there already", report.duplicates));
    }
    if report.resigned > 0 {
        lines.push(format!("{} were signed anew, because one before them was refused", report.resigned));
    }
    if report.reconnections > 0 {
        lines.push(format!("{} connections were lost on the way", report.reconnections));
    }
    let refusal = |it: &crate::client::Refusal| {
        format!("transaction {} was refused: {} ({})", it.index + 1, plain(&it.reason), plain(&it.code))
    };
    lines.extend(report.refused.iter().take(SHOWN_REFUSALS).map(refusal));
    if report.refused.len() > SHOWN_REFUSALS {
        lines.push(format!("and {} more; --json lists all", report.refused.len() - SHOWN_REFUSALS));
    }
    lines.join("\n")
}
