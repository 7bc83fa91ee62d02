//! Reads the [`contents`](crate::contents) of a node that doesn't run off its disk.
//!
//! The files stay as they are.

use crate::{
    contents::{Fate, NodeContents, OperatedShard, PeerScore, ProverJob, Value, WorldContents, WorldShard},
    data::DataPaths,
    run::RunError,
    world,
};
use shardwire_host::{history::Lives as _, signed};
use shardwire_model::{Coded, PeerId, Role, SegmentId, Timestamp, life::Part};
use shardwire_reputation::Policy;
use shardwire_store::{
    Disk, RecordKey, Store,
    records::{ASSIGNMENTS, JOBS, LAYOUT, PEERS, TRANSACTIONS},
};
use shardwire_world::{MAX_SHARD_PAGE, MAX_STORAGE_PAGE, ShardState, World};

fn boxed(error: impl Coded + Send + Sync + 'static) -> RunError {
    Box::new(error)
}

/// What this node has made durable; if it settles, with its World.
///
/// # Errors
/// What the store, the file of the World or the World says: [`StoreError`](shardwire_store::StoreError), [`WorldFileError`](shardwire_data::world::WorldFileError),
/// [`WorldError`](shardwire_world::WorldError).
pub async fn inspect(
    disk: &dyn Disk,
    paths: &DataPaths,
    peer: PeerId,
    settles: bool,
) -> Result<NodeContents, RunError> {
    let store = Store::view(disk, &paths.store(), &LAYOUT).map_err(boxed)?;
    let mut contents = node(&store, peer)?;
    if settles {
        let identity = world::identity(disk, paths).map_err(boxed)?;
        let view = world::view(disk, paths, &identity).map_err(boxed)?;
        contents.world = Some(of_world(&*view).await?);
    }
    Ok(contents)
}

/// What a store says of its node; nothing of a World.
///
/// # Errors
/// [`StoreError`](shardwire_store::StoreError) if a record can't be read.
pub(crate) fn node(store: &Store, peer: PeerId) -> Result<NodeContents, RunError> {
    let mut operated = Vec::new();
    for (shard, assignment) in store.all(&ASSIGNMENTS).map_err(boxed)? {
        let life = store.life(Part::of(SegmentId::first(shard), Role::Operator)).map_err(boxed)?;
        let log = store.with_prefix(&TRANSACTIONS, &RecordKey::to_bytes(&shard)).map_err(boxed)?;
        operated.push(OperatedShard {
            start: assignment.start,
            log: log.into_iter().map(|(_, entry)| entry).collect(),
            ended: life.ended(),
        });
    }
    let jobs = store.all(&JOBS).map_err(boxed)?.into_iter().map(|(id, job)| {
        let receipt = job.receipt.as_ref().map(signed::read).transpose().map_err(boxed)?;
        Ok(ProverJob { job: id, shard: job.start.shard, segment: job.segment, proof: job.proof, receipt })
    });
    let jobs = jobs.collect::<Result<_, RunError>>()?;
    // Nothing decays before a record's own date, so this is how it was kept, whatever the node's half-lives.
    let (kept, policy) = (Timestamp::default(), Policy::default());
    let peers = store.all(&PEERS).map_err(boxed)?.into_iter().map(|(peer, record)| PeerScore {
        peer,
        components: record.components(kept, &policy),
        ban: record.ban(),
    });
    let peers = peers.collect();
    let histories = store.entries(&[]).map_err(boxed)?;
    Ok(NodeContents { peer, world: None, operated, jobs, peers, histories })
}

/// What a World says.
///
/// # Errors
/// [`WorldError`](shardwire_world::WorldError) if it can't be read.
pub(crate) async fn of_world(world: &dyn World) -> Result<WorldContents, RunError> {
    let mut contents = WorldContents::default();
    loop {
        let page =
            world.storage(contents.storage.last().map(|entry| entry.slot()), MAX_STORAGE_PAGE).await.map_err(boxed)?;
        if page.is_empty() {
            break;
        }
        contents.storage.extend(page);
    }
    loop {
        let after = contents.shards.last().map(|shard: &WorldShard| shard.start.shard);
        let page = world.shards(after, MAX_SHARD_PAGE).await.map_err(boxed)?;
        if page.is_empty() {
            break;
        }
        for summary in page {
            let Some(record) = world.shard(summary.shard).await.map_err(boxed)? else { continue };
            contents.shards.push(WorldShard {
                start: record.start,
                values: record.values.into_iter().map(Value).collect(),
                started_at: record.started_at,
                fate: match record.state {
                    ShardState::Started => Fate::Open,
                    ShardState::Aborted { at, .. } => Fate::Aborted { at },
                    ShardState::Settled(settlement) => {
                        Fate::Settled { output: settlement.output, proof: settlement.proof, at: settlement.at }
                    }
                },
            });
        }
    }
    Ok(contents)
}
