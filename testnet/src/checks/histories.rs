//! Checks what nodes have signed about the lives of shards: it is unchanged, and it contradicts neither other nodes
//! nor the World.

use super::{Check, Found, RunOutcome, Violation};
use shardwire::contents::{Fate, NodeContents, WorldShard};
use shardwire_model::{
    Role, ShardId, Stage,
    life::{AbortCause, HistoryEntry, Life, Part, Step},
};
use shardwire_protocols::{Signed, history::verify};
use std::collections::BTreeMap;

/// Each history verifies, and what it says of a start, a log or an end agrees with the World and the log.
pub(super) fn sound(outcome: &RunOutcome) -> Vec<Violation> {
    let mut found = Found(Check::Histories, Vec::new());
    let shards: BTreeMap<ShardId, &WorldShard> = outcome.shards().map(|shard| (shard.start.shard, shard)).collect();
    // A liar's signatures count for nothing.
    for node in outcome.nodes.iter().filter(|node| !outcome.liars.contains(&node.peer)) {
        for (part, entries) in node.parts() {
            let who = format!("the history of shard {} at {} {}", part.shard, part.role, node.peer.short());
            match verify(&node.peer, part, entries) {
                Err(error) => found.add(format!("{who} is none: {error}")),
                Ok(history) => {
                    let shard = shards.get(&part.shard).copied();
                    let differences = [
                        of_the_world(history.life(), shard),
                        of_the_log(node, part, history.life()),
                        in_time(history.life(), entries),
                    ];
                    differences.into_iter().flatten().for_each(|what| found.add(format!("{who} {what}")));
                }
            }
        }
    }
    found.1
}

/// The settler's histories are as far as its World is.
pub(super) fn complete(outcome: &RunOutcome) -> Vec<Violation> {
    let mut found = Found(Check::Histories, Vec::new());
    for node in &outcome.nodes {
        let over = |shard: ShardId| {
            let mut own = node.parts().filter(|(part, _)| part.shard == shard && part.role == Role::Settler);
            own.any(|(_, entries)| {
                let last = entries.last().map(|it| it.statement.step.stage());
                matches!(last, Some(Stage::Settled | Stage::Aborted))
            })
        };
        for shard in node.world.iter().flat_map(|world| &world.shards) {
            if shard.fate != Fate::Open && !over(shard.start.shard) {
                found.add(format!("shard {} is over, and its settler's history doesn't say so", shard.start.shard));
            }
        }
    }
    found.1
}

fn of_the_world(life: &Life, shard: Option<&WorldShard>) -> Option<String> {
    let Some(shard) = shard else { return Some("is of a shard that no World knows".into()) };
    life.steps().iter().find_map(|step| match step {
        Step::Started { commitment, .. } | Step::Assigned { commitment, .. } => {
            (*commitment != shard.start.commitment()).then(|| "names another start than the World".to_owned())
        }
        Step::Settled { proof: told } => {
            let agrees = matches!(&shard.fate, Fate::Settled { proof, .. } if told.is_none_or(|told| told == *proof));
            (!agrees).then(|| format!("says {step:?}, and the World {:?}", shard.fate))
        }
        Step::Aborted { .. } => {
            let agrees = matches!(shard.fate, Fate::Aborted { .. });
            (!agrees).then(|| format!("says {step:?}, and the World {:?}", shard.fate))
        }
        _ => None,
    })
}

fn of_the_log(node: &NodeContents, part: Part, life: &Life) -> Option<String> {
    if part.role != Role::Operator {
        return None;
    }
    let Some(operated) = node.operated.iter().find(|it| it.start.shard == part.shard) else {
        return Some("is of a shard that it doesn't operate".into());
    };
    life.steps().iter().find_map(|step| match step {
        Step::Executing { first } => (operated.log.first().map(|logged| logged.transaction.hash()) != Some(*first))
            .then(|| "begins with another transaction than the log".to_owned()),
        Step::Ended { transactions, .. } => (usize::try_from(*transactions) != Ok(operated.log.len()))
            .then(|| format!("ends after {transactions} transactions, and the log has {}", operated.log.len())),
        _ => None,
    })
}

/// Nothing times out before its deadline.
fn in_time(life: &Life, entries: &[Signed<HistoryEntry>]) -> Option<String> {
    let Some(Step::Started { deadline, .. }) = life.step(Stage::Started) else { return None };
    let last = &entries.last()?.statement;
    let early = matches!(last.step, Step::Aborted { why: AbortCause::TimedOut }) && last.at < *deadline;
    early.then(|| format!("times out at {:?}, before its deadline {deadline:?}", last.at))
}
