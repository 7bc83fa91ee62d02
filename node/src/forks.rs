//! Networks at a block, for shards of this node that go on from one.
//!
//! Who is asked about a network is in the configuration (`fork.nodes`); a node without any goes on from no network. What was told is kept in the data folder: values in
//! `node.redb`, by the content of what names the block, and the files of classes in `fork/`, a folder a block. It is the same after a restart, and needs no network any more.
//!
//! What can't be read is a state of this node: the condition `fork`, which names the network, the reason and the next step. What had no answer is asked again after [waits](WAITS),
//! until it has one, so that whoever waits for it goes on by itself: a shard at its operator, a proof at its settler.
//!
//! Bounds: [`MAX_FORKS`](shardwire_fork::MAX_FORKS) blocks, and those of `shardwire-fork`; a class file of [`MAX_CLASS_BYTES`].

use crate::{config::ForkNode, data::DataPaths, proofs::Proofs};
use shardwire_fork::{Answered, Answers, Forks, Keeper, Question};
use shardwire_host::{Host, Randomness};
use shardwire_model::{Coded as _, Felt, ForkId, Hash};
use shardwire_starknet::{MAX_ANSWER_BYTES, Rpc, RpcError};
use shardwire_store::{
    Disk, RecordKey as _, Store, StoreError,
    records::{FORK_ANSWERS, FORKS, ForkAnswerKey, KeptFork, WireFelt},
};
use shardwire_telemetry::Shortfall;
use shardwire_transport::{Backoff, backoff::Waits};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};
use tokio::{runtime::Handle, time::sleep};

/// Between two tries to read what couldn't be.
const WAITS: Backoff = Backoff::between(Duration::from_secs(2), Duration::from_secs(60));
/// Longest file of a class: what an answer may have.
const MAX_CLASS_BYTES: u64 = MAX_ANSWER_BYTES as u64;
/// The condition that isn't met while a network can't be read.
const CONDITION: &str = "fork";
/// Rows that one commit forgets.
const FORGOTTEN_AT_ONCE: usize = 4096;

/// The networks that these nodes know, with what is kept of them in this data folder.
///
/// # Errors
/// [`RpcError::Address`] or [`RpcError::Tls`] if one of them can't be asked.
pub(crate) fn networks(
    nodes: &[ForkNode],
    kept: Kept,
    proofs: &Proofs,
    randomness: Randomness,
) -> Result<Forks, RpcError> {
    let mut chains: BTreeMap<Felt, Vec<Rpc>> = BTreeMap::new();
    for node in nodes {
        chains.entry(node.chain).or_default().push(Rpc::new(&node.url)?);
    }
    Ok(Forks::new(chains, kept, proofs.compile.clone(), Handle::current(), randomness))
}

/// The networks that these nodes know, as far as they are kept: nobody is asked, and nothing is written.
pub(crate) fn kept(nodes: &[ForkNode], kept: Kept, proofs: &Proofs) -> Forks {
    let chains = nodes.iter().map(|node| (node.chain, Vec::new())).collect();
    Forks::new(chains, LookedAt(kept), proofs.compile.clone(), Handle::current(), Randomness::from_seed(0))
}

/// Looks after what can't be read, for as long as the node runs.
pub(crate) fn tend(host: &Arc<Host>, forks: &Arc<Forks>) {
    let looked_at = forks.clone();
    host.telemetry.condition(CONDITION, move || shortfall(&looked_at));
    let (work, randomness, forks) = (host.work, host.randomness.clone(), forks.clone());
    host.tasks.spawn(async move {
        // Drawn from the node's randomness when there is something to wait for.
        let mut waits: Option<Waits> = None;
        loop {
            if forks.troubles().is_empty() {
                waits = None;
                forks.troubled().await;
                continue;
            }
            sleep(waits.get_or_insert_with(|| WAITS.start(randomness.clone())).after_failure()).await;
            let again = forks.clone();
            work.run(move || again.try_again()).await;
        }
    });
}

fn shortfall(forks: &Forks) -> Option<Shortfall> {
    let (ForkId { chain, number, .. }, error) = forks.troubles().into_iter().next()?;
    let chain = ForkNode { chain, url: String::new() }.chain_name();
    let why = format!("network {chain} can't be read at block {number}: {error}");
    Some(Shortfall { code: error.code().to_owned(), why, next_step: error.next_step() })
}

/// What is kept in a data folder.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    store: Store,
    disk: Arc<dyn Disk>,
    folder: PathBuf,
}

impl Kept {
    pub(crate) fn new(paths: &DataPaths, disk: Arc<dyn Disk>, store: Store) -> Self {
        Self { store, disk, folder: paths.forks() }
    }

    fn of_block(&self, fork: &ForkId) -> KeptBlock {
        let name = Hash::of(&fork.to_bytes());
        KeptBlock { name, folder: self.folder.join(name.to_string()), kept: self.clone() }
    }
}

fn unable(error: impl ToString) -> String {
    error.to_string()
}

impl Keeper for Kept {
    #[allow(clippy::disallowed_methods, reason = "on a thread that may wait")]
    fn of(&self, fork: &ForkId) -> Result<Box<dyn Answers>, String> {
        let block = self.of_block(fork);
        let used = self.store.write(|write| {
            let last = write.with_prefix(&FORKS, &[])?.into_iter().map(|(_, it)| it.used).max().unwrap_or_default();
            write.put(&FORKS, &block.name, &KeptFork { fork: *fork, used: last.saturating_add(1) })
        });
        used.map_err(|error: StoreError| unable(error))?;
        Ok(Box::new(block))
    }

    fn kept(&self) -> Result<Vec<ForkId>, String> {
        let mut kept = self.store.all(&FORKS).map_err(unable)?;
        kept.sort_by_key(|(_, it)| it.used);
        Ok(kept.into_iter().map(|(_, it)| it.fork).collect())
    }

    #[allow(clippy::disallowed_methods, reason = "on a thread that may wait")]
    fn forget(&self, fork: &ForkId) -> Result<(), String> {
        let KeptBlock { name, folder, .. } = self.of_block(fork);
        self.disk.remove(&folder).map_err(unable)?;
        let keys = self.store.keys_with_prefix(&FORK_ANSWERS, &name.to_bytes()).map_err(unable)?;
        for some in keys.chunks(FORGOTTEN_AT_ONCE) {
            let forgotten = self.store.write(|write| some.iter().try_for_each(|key| write.remove(&FORK_ANSWERS, key)));
            forgotten.map_err(|error: StoreError| unable(error))?;
        }
        // Last: what is half forgotten is forgotten the next time.
        self.store.write(|write| write.remove(&FORKS, &name)).map_err(|error: StoreError| unable(error))
    }
}

/// What is kept in a data folder that is only looked at.
#[derive(Debug)]
struct LookedAt(Kept);

impl Keeper for LookedAt {
    fn of(&self, fork: &ForkId) -> Result<Box<dyn Answers>, String> {
        Ok(Box::new(self.0.of_block(fork)))
    }

    fn kept(&self) -> Result<Vec<ForkId>, String> {
        Ok(Vec::new())
    }

    fn forget(&self, _: &ForkId) -> Result<(), String> {
        Ok(())
    }
}

/// What is kept of a block.
#[derive(Debug)]
struct KeptBlock {
    name: Hash,
    folder: PathBuf,
    kept: Kept,
}

impl KeptBlock {
    fn class_file(&self, hash: Felt) -> PathBuf {
        self.folder.join(format!("{hash:#x}.json"))
    }
}

impl Answers for KeptBlock {
    fn load(&self) -> Result<Vec<Answered>, String> {
        let rows = self.kept.store.with_prefix(&FORK_ANSWERS, &self.name.to_bytes()).map_err(unable)?;
        let read = |(key, WireFelt(value)): (ForkAnswerKey, WireFelt)| -> Result<Answered, String> {
            let question = Question::from_bytes(&key.question).ok_or("a question that is kept can't be read")?;
            Ok((question, value))
        };
        rows.into_iter().map(read).collect()
    }

    #[allow(clippy::disallowed_methods, reason = "on a thread that may wait")]
    fn keep(&self, answered: &[Answered]) -> Result<(), String> {
        let key = |question: &Question| ForkAnswerKey { fork: self.name, question: question.to_bytes() };
        let kept = self.kept.store.write(|write| {
            answered
                .iter()
                .try_for_each(|(question, value)| write.put(&FORK_ANSWERS, &key(question), &WireFelt(*value)))
        });
        kept.map_err(|error: StoreError| unable(error))
    }

    fn class(&self, hash: Felt) -> Result<Option<Vec<u8>>, String> {
        self.kept.disk.read(&self.class_file(hash), MAX_CLASS_BYTES).map_err(unable)
    }

    fn keep_class(&self, hash: Felt, file: &[u8]) -> Result<(), String> {
        self.kept.disk.write(&self.class_file(hash), &[file], true).map_err(unable)
    }
}

#[cfg(test)]
mod tests;
