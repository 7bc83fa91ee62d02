//! Reads the [`facts`](crate::facts) of a node that doesn't run off its disk.
//!
//! Opening a database may repair it: give a copy of a disk whose state is to stay as it is.

use crate::{
    data::DataPaths,
    disk::Disk,
    facts::{Ended, Fate, NodeFacts, OperatedShard, PeerScore, ProverJob, Value, WorldFacts, WorldShard},
    run::RunError,
    store::{
        RecordKey, Store,
        records::{ASSIGNMENTS, Closed, JOBS, PEERS, TRANSACTIONS},
    },
};
use shardwire_ledger::{EmbeddedLedger, MAX_SHARD_PAGE, MAX_STORAGE_PAGE, ShardState, World};
use shardwire_model::{Coded, PeerId, Timestamp};
use shardwire_reputation::Policy;

fn boxed(error: impl Coded + Send + Sync + 'static) -> RunError {
    Box::new(error)
}

/// What this node has made durable; `network` if it settles, whose World it has.
///
/// # Errors
/// If a database can't be read.
pub fn inspect(disk: &dyn Disk, paths: &DataPaths, peer: PeerId, network: Option<&str>) -> Result<NodeFacts, RunError> {
    let store = Store::on(disk, &paths.store()).map_err(boxed)?;
    let mut operated = Vec::new();
    for (shard, assignment) in store.all(&ASSIGNMENTS).map_err(boxed)? {
        let log = store.with_prefix(&TRANSACTIONS, &RecordKey::to_bytes(&shard)).map_err(boxed)?;
        operated.push(OperatedShard {
            start: assignment.start,
            log: log.into_iter().map(|(_, transaction)| transaction).collect(),
            ended: match assignment.closed {
                None => Ended::No,
                Some(Closed::Settled(proof)) => Ended::Settled { proof },
                Some(Closed::Aborted) => Ended::Aborted,
            },
        });
    }
    let jobs = store.all(&JOBS).map_err(boxed)?.into_iter().map(|(id, job)| ProverJob {
        job: id,
        shard: job.start.shard,
        proof: job.proof,
        receipt: job.receipt.and_then(|receipt| postcard::from_bytes(&receipt).ok()),
    });
    let jobs = jobs.collect();
    // Nothing decays before a record's own date, so this is how it was kept, whatever the node's half-lives.
    let (kept, policy) = (Timestamp::default(), Policy::default());
    let peers = store.all(&PEERS).map_err(boxed)?.into_iter().map(|(peer, record)| PeerScore {
        peer,
        components: record.components(kept, &policy),
        ban: record.ban(),
    });
    let peers = peers.collect();
    let world = network.map(|network| world(disk, paths, network)).transpose()?;
    Ok(NodeFacts { peer, world, operated, jobs, peers })
}

fn world(disk: &dyn Disk, paths: &DataPaths, network: &str) -> Result<WorldFacts, RunError> {
    let ledger = match disk.database(&paths.ledger()) {
        None => EmbeddedLedger::open(&paths.ledger(), network),
        Some(backend) => EmbeddedLedger::open_with_backend(backend, network),
    };
    let ledger = ledger.map_err(boxed)?;
    let mut facts = WorldFacts::default();
    loop {
        let page = ledger.storage(facts.storage.last().map(|entry| entry.key), MAX_STORAGE_PAGE).map_err(boxed)?;
        if page.is_empty() {
            break;
        }
        facts.storage.extend(page);
    }
    loop {
        let after = facts.shards.last().map(|shard: &WorldShard| shard.start.shard);
        let page = ledger.shards(after, MAX_SHARD_PAGE).map_err(boxed)?;
        if page.is_empty() {
            break;
        }
        for summary in page {
            let Some(record) = ledger.shard(summary.shard).map_err(boxed)? else { continue };
            facts.shards.push(WorldShard {
                start: record.start,
                values: record.values.into_iter().map(Value).collect(),
                started_at: record.started_at,
                fate: match record.state {
                    ShardState::Started => Fate::Open,
                    ShardState::Aborted { at } => Fate::Aborted { at },
                    ShardState::Settled(settlement) => {
                        Fate::Settled { output: settlement.output, proof: settlement.proof, at: settlement.at }
                    }
                },
            });
        }
    }
    Ok(facts)
}
