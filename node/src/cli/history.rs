//! `shardwire shard history`.

use super::{
    failure::Failure,
    named::ShardName,
    node::ask,
    output::{Answer, columns, plain},
};
use crate::{
    data::{DataError, DataPaths},
    offline,
};
use clap::Args;
use serde::Serialize;
use shardwire_host::clock::SystemClock;
use shardwire_model::{
    Clock as _, PeerId, ShardId, Timestamp,
    life::{AbortCause, HistoryEntry, HistoryError, Part, Step},
};
use shardwire_protocols::{Signed, history::verify};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// The shard, as `shard start` has printed it, or the beginning of that
    #[arg(value_name = "SHARD")]
    shard: ShardName,
    /// Check that the node signed each entry and that none was changed, moved or left out
    #[arg(long)]
    verify: bool,
}

#[derive(Serialize)]
struct Histories {
    shard: ShardId,
    /// The node that signed the entries.
    peer: PeerId,
    histories: Vec<OnePart>,
}

/// What a role has seen.
#[derive(Serialize)]
struct OnePart {
    #[serde(flatten)]
    part: Part,
    /// Whether nobody has changed it; absent if that wasn't asked.
    verified: Option<bool>,
    error: Option<String>,
    entries: Vec<Signed<HistoryEntry>>,
}

pub(super) async fn history(root: Option<PathBuf>, args: &HistoryArgs) -> Result<Answer, Failure> {
    let (shard, peer, entries) = entries(root, &args.shard).await?;
    if entries.is_empty() {
        return Err(Failure::new(
            "SW-NODE-002",
            format!("this node knows no shard {shard}"),
            "Check the id; `shardwire shard status` without one lists the shards of this node.",
        ));
    }
    let histories = entries.chunk_by(|a, b| a.statement.part == b.statement.part).filter_map(|entries| {
        let part = entries.first()?.statement.part;
        let checked = args.verify.then(|| verify(&peer, part, entries).map(drop));
        Some(OnePart {
            part,
            verified: checked.map(|it| it.is_ok()),
            error: checked.and_then(Result::err).map(|error: HistoryError| error.to_string()),
            entries: entries.to_vec(),
        })
    });
    let told = Histories { shard, peer, histories: histories.collect() };
    let mut answer = Answer::new(describe(&told, SystemClock.now()), &told);
    answer.failed = told.histories.iter().any(|it| it.verified == Some(false));
    Ok(answer)
}

/// From the running node, or from the folder if none runs.
async fn entries(
    root: Option<PathBuf>,
    name: &ShardName,
) -> Result<(ShardId, PeerId, Vec<Signed<HistoryEntry>>), Failure> {
    let folder = root.clone().ok_or_else(Failure::no_data)?;
    match DataPaths::of_running(&folder) {
        Err(DataError::NotRunning { .. }) => {
            let folder = offline::Folder::look(&folder)?;
            let shard = name.among(folder.shards()?)?;
            Ok((shard, folder.peer(), folder.history(shard)?))
        }
        Err(error) => Err(error.into()),
        Ok((_, running)) => {
            let shard = name.find(root.as_ref()).await?;
            let entries = ask(root, async move |client| client.history(shard).await).await?;
            Ok((shard, running.peer, entries))
        }
    }
}

fn describe(told: &Histories, now: Timestamp) -> String {
    let parts = told.histories.iter().map(|it| {
        let job = it.part.job.map(|job| format!(", job {job}")).unwrap_or_default();
        let signature = match (it.verified, &it.error) {
            (None, _) => String::new(),
            (Some(true), _) => ": whole and unchanged".to_owned(),
            (Some(false), error) => format!(": NOT WHOLE: {}", error.as_deref().unwrap_or_default()),
        };
        let rows = it.entries.iter().map(|entry| {
            let HistoryEntry { number, at, step, .. } = &entry.statement;
            [
                format!("  {number}"),
                format!("{} s ago", now.since(*at).as_secs()),
                step.stage().to_string(),
                content(step, *at),
            ]
        });
        format!("as {}{job}{signature}\n{}", it.part.role, columns(&rows.collect::<Vec<_>>()))
    });
    let head = format!("shard {}, signed by {}", told.shard, told.peer);
    std::iter::once(head).chain(parts).collect::<Vec<_>>().join("\n\n")
}

/// What a step is about that was taken at this time.
fn content(step: &Step, at: Timestamp) -> String {
    match step {
        Step::Started { commitment, by, deadline } => {
            format!("{commitment:#x}, asked by {}, times out after {} s", by.short(), deadline.since(at).as_secs())
        }
        Step::Assigned { commitment, peer } => format!("{commitment:#x}, with {}", peer.short()),
        Step::Executing { first } => format!("transaction {first}"),
        Step::Ended { transactions, log } => format!("{transactions} transactions, log {log}"),
        Step::Streaming { job } => format!("job {job}"),
        Step::Proving { witness } => format!("witness {witness}"),
        Step::Proven { proof } => format!("proof {proof}"),
        Step::Verified { proof, prover } => format!("proof {proof} of {}", prover.short()),
        Step::Settled { proof: Some(proof) } => format!("proof {proof}"),
        Step::Settled { proof: None } => "by another prover's proof".to_owned(),
        Step::Failed { cause } => plain(&cause.to_string()),
        Step::Aborted { why: AbortCause::Asked { by } } => format!("asked by {}", by.short()),
        Step::Aborted { why: AbortCause::TimedOut } => "its deadline had passed".to_owned(),
        Step::Aborted { why: AbortCause::Told { by } } => format!("told by {}", by.short()),
        Step::Aborted { why: AbortCause::Unmergeable } => {
            "its output is proven, and the World can't take it in".to_owned()
        }
        Step::Aborted { why: AbortCause::Outdated } => "it was open in a data folder of an older layout".to_owned(),
    }
}
