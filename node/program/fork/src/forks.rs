//! The blocks that shards of this node go on from.

use crate::{Answers, Compile, Fork, ForkError, Network, views::Visitors};
use rand::{RngCore, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use shardwire_model::{Felt, ForkId};
use shardwire_native::{Forked, GroundError, Networks};
use shardwire_starknet::Rpc;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};
use tokio::{runtime::Handle, sync::Notify, time::Instant};

/// Most blocks that shards go on from at the same time, and most of which anything is kept: each takes some tens of megabytes, of memory and of the disk.
pub const MAX_FORKS: usize = 16;

/// Keeps answers about several blocks.
pub trait Keeper: Send + Sync + fmt::Debug {
    /// What is kept of this block. It is the one that was used last, from now on.
    ///
    /// # Errors
    /// The reason, if the disk can't tell.
    fn of(&self, fork: &ForkId) -> Result<Box<dyn Answers>, String>;

    /// The blocks of which anything is kept, that which wasn't used for longest first.
    ///
    /// # Errors
    /// The reason, if the disk can't tell.
    fn kept(&self) -> Result<Vec<ForkId>, String>;

    /// Forgets what is kept of this block.
    ///
    /// # Errors
    /// The reason, if the disk can't.
    fn forget(&self, fork: &ForkId) -> Result<(), String>;
}

/// The blocks that shards of this node go on from. Shards that go on from the same one share it.
pub struct Forks {
    /// Who is asked about each chain, the first one first.
    nodes: BTreeMap<Felt, Vec<Rpc>>,
    keeper: Box<dyn Keeper>,
    compile: Arc<Compile>,
    runtime: Handle,
    randomness: Mutex<ChaCha8Rng>,
    /// That which was opened longest ago first.
    open: Mutex<Vec<Arc<Fork>>>,
    /// Held while one is opened, which waits for the disk.
    finding: Mutex<()>,
    troubled: Arc<Notify>,
    visitors: Arc<Visitors>,
    /// Has those let go of blocks who don't need them any more.
    let_go: OnceLock<Box<LetGo>>,
}

type LetGo = dyn Fn() + Send + Sync;

impl fmt::Debug for Forks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forks").field("nodes", &self.nodes).field("keeper", &self.keeper).finish_non_exhaustive()
    }
}

impl Forks {
    /// Those of the networks that these nodes know, by chain id. Answers are awaited on `runtime`; `compile` makes classes of what a network has of them.
    #[must_use]
    pub fn new(
        nodes: BTreeMap<Felt, Vec<Rpc>>,
        keeper: impl Keeper + 'static,
        compile: Arc<Compile>,
        runtime: Handle,
        mut randomness: impl RngCore,
    ) -> Self {
        let randomness = Mutex::new(ChaCha8Rng::seed_from_u64(randomness.next_u64()));
        Self {
            nodes,
            keeper: Box::new(keeper),
            compile,
            runtime,
            randomness,
            open: Mutex::default(),
            finding: Mutex::default(),
            troubled: Arc::default(),
            visitors: Arc::default(),
            let_go: OnceLock::new(),
        }
    }

    /// Calls this when shards hold as many blocks as may be, before one more is refused: who shows shards that are over lets go of them.
    pub fn when_full(&self, let_go: impl Fn() + Send + Sync + 'static) {
        let _ = self.let_go.set(Box::new(let_go));
    }

    fn opened(&self) -> MutexGuard<'_, Vec<Arc<Fork>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The network at this block; none if this node isn't told who knows that network. Nothing is asked yet; the disk is read.
    ///
    /// # Errors
    /// [`ForkError::Full`] if shards go on from as many others as may be, [`ForkError::Kept`] if the disk fails.
    pub fn find(&self, id: &ForkId) -> Result<Option<Arc<Fork>>, ForkError> {
        let _alone = self.finding.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |it: &&Arc<Fork>| it.id() == *id;
        if let Some(found) = self.opened().iter().find(is_it) {
            return Ok(Some(found.clone()));
        }
        let Some(nodes) = self.nodes.get(&id.chain) else { return Ok(None) };
        if !self.has_room() {
            if let Some(let_go) = self.let_go.get() {
                let_go();
            }
            if !self.has_room() {
                return Err(ForkError::Full);
            }
        }
        let open: Vec<ForkId> = self.opened().iter().map(|fork| fork.id()).collect();
        self.make_room(id, &open)?;
        let randomness = {
            let mut seeds = self.randomness.lock().unwrap_or_else(PoisonError::into_inner);
            ChaCha8Rng::seed_from_u64(seeds.next_u64())
        };
        let source = Network::new(*id, nodes.clone(), self.runtime.clone(), randomness);
        let answers = self.keeper.of(id).map_err(ForkError::Kept)?;
        let fork = Fork::open(*id, source, answers, self.compile.clone())?
            .of_node(self.troubled.clone(), self.visitors.clone());
        let fork = Arc::new(fork);
        self.opened().push(fork.clone());
        Ok(Some(fork))
    }

    /// Whether one more may be open; one that no shard goes on from is closed for it.
    fn has_room(&self) -> bool {
        let mut open = self.opened();
        if open.len() >= MAX_FORKS
            && let Some(unused) = open.iter().position(|fork| !is_used(fork))
        {
            open.remove(unused);
        }
        open.len() < MAX_FORKS
    }

    /// Forgets what is kept of blocks that no shard has open, until there is room for this one.
    fn make_room(&self, id: &ForkId, open: &[ForkId]) -> Result<(), ForkError> {
        let kept = self.keeper.kept().map_err(ForkError::Kept)?;
        let others: Vec<ForkId> = kept.into_iter().filter(|it| it != id).collect();
        let unused = others.iter().filter(|it| !open.contains(it));
        for fork in unused.take((others.len() + 1).saturating_sub(MAX_FORKS)) {
            self.keeper.forget(fork).map_err(ForkError::Kept)?;
        }
        Ok(())
    }

    /// The blocks that can't be read at the moment, each with the reason.
    #[must_use]
    pub fn troubles(&self) -> Vec<(ForkId, ForkError)> {
        self.troubles_at(Instant::now())
    }

    fn troubles_at(&self, now: Instant) -> Vec<(ForkId, ForkError)> {
        let trouble = |fork: &Arc<Fork>| if is_used(fork) { fork.trouble() } else { fork.remembered_trouble(now) };
        self.opened().iter().filter_map(|fork| Some((fork.id(), trouble(fork)?))).collect()
    }

    /// Completes when a question had no answer, since the last time that somebody was told so.
    pub async fn troubled(&self) {
        self.troubled.notified().await;
    }

    /// Asks again what had no answer the last time. Takes as long as networks do.
    pub fn try_again(&self) {
        let now = Instant::now();
        let is_troubled = |fork: &&Arc<Fork>| is_used(fork) || fork.remembered_trouble(now).is_some();
        let open: Vec<Arc<Fork>> = self.opened().iter().filter(is_troubled).cloned().collect();
        open.iter().for_each(|fork| fork.try_again());
    }
}

/// Whether a shard goes on from it.
fn is_used(fork: &Arc<Fork>) -> bool {
    Arc::strong_count(fork) > 1
}

impl Networks for Forks {
    fn at(&self, fork: &ForkId) -> Result<Option<Arc<dyn Forked>>, GroundError> {
        Ok(self.find(fork)?.map(|fork| fork as Arc<dyn Forked>))
    }
}

#[cfg(test)]
mod tests;
