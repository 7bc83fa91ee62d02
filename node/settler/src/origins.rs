//! The states that shards of contracts begin from, at their settler.
//!
//! One is [opened](shardwire_proving::origin::Origins::open) before its shard is started, when the settler begins and the shard is open, and when a proof is decided on. Each time its classes are compared with
//! what the start data says they compile to. Before the start a state that can't be opened is a refusal, and nothing has moved. Afterwards it is this machine's trouble, whatever is wrong: the shard was
//! started because it could be opened. So no proof is disputed for it. Provers are told to come again, without their proofs being fetched; the node has the unmet condition `origin`; and the state
//! is opened again after [waits](TRY_AGAIN), until it can be or the shard is over.
//!
//! Bounds: one start opens a genesis at a time, and one a network at a block, since reading and compiling may take minutes, and each waits as long as its command does: what isn't open by then goes on, and the next start finds it. [`MAX_UNOPENED`] shards are
//! remembered; the proof of one that isn't is fetched and looked at again.

use super::{
    Settler, SettlerError,
    events::{OriginOpened, OriginUnopened},
};
use shardwire_host::Changes;
use shardwire_model::{Cause, Coded as _, OriginId, ShardId, ShardStart, Terms};
use shardwire_proving::origin::OriginError;
use shardwire_telemetry::Shortfall;
use shardwire_transport::{Backoff, backoff::Waits};
use shardwire_world::ShardState;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// Between two tries to open what couldn't be.
const TRY_AGAIN: Backoff = Backoff::between(Duration::from_secs(2), Duration::from_secs(60));
/// Most shards of which it is remembered that their state can't be opened, some hundred bytes each.
const MAX_UNOPENED: usize = 256;

/// The condition that isn't met while there is one.
const CONDITION: &str = "origin";

/// Why the state of a shard can't be opened.
#[derive(Debug)]
struct Trouble {
    /// For this node's people.
    shortfall: Shortfall,
    /// For provers.
    told: Cause,
}

/// What can't be opened.
#[derive(Debug)]
pub(super) struct Unopened {
    shards: Arc<Mutex<BTreeMap<ShardId, Trouble>>>,
    /// Announced when there is one more.
    changes: Changes,
    /// Held while a genesis is opened for a start.
    pub(super) opening: Arc<tokio::sync::Mutex<()>>,
    /// Held while a network at a block is opened for a start: while one doesn't answer, shards of geneses start.
    opening_fork: Arc<tokio::sync::Mutex<()>>,
}

impl Unopened {
    pub(super) fn new() -> Self {
        Self { shards: Arc::default(), changes: Changes::new(), opening: Arc::default(), opening_fork: Arc::default() }
    }

    fn shards(&self) -> MutexGuard<'_, BTreeMap<ShardId, Trouble>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the state that a shard begins from couldn't be opened the last time; none if it could.
    pub(super) fn why(&self, shard: ShardId) -> Option<Cause> {
        self.shards().get(&shard).map(|it| it.told.clone())
    }

    /// The first of them, as a condition for the node to be ready.
    fn shortfall(&self) -> impl Fn() -> Option<Shortfall> + Send + Sync + 'static {
        let shards = self.shards.clone();
        move || {
            let shards = shards.lock().unwrap_or_else(PoisonError::into_inner);
            let (shard, Trouble { shortfall: first, .. }) = shards.first_key_value()?;
            let why = format!("no proof of shard {} can be decided on: {}", shard.short(), first.why);
            Some(Shortfall { why, ..first.clone() })
        }
    }
}

impl Settler {
    /// Looks after the open shards: whether the states that they began from can be opened.
    pub(super) fn tend_origins(self: &Arc<Self>, open: Vec<ShardId>) {
        self.host.telemetry.condition(CONDITION, self.unopened.shortfall());
        let settler = self.clone();
        self.host.tasks.spawn(async move {
            for shard in open {
                settler.look_at_origin(shard).await;
            }
            // Drawn from the node's randomness when there is something to wait for.
            let mut waits: Option<Waits> = None;
            loop {
                let changed = settler.unopened.changes.next();
                let unopened: Vec<ShardId> = settler.unopened.shards().keys().copied().collect();
                if unopened.is_empty() {
                    waits = None;
                    changed.await;
                    continue;
                }
                let waits = waits.get_or_insert_with(|| TRY_AGAIN.start(settler.host.randomness.clone()));
                sleep(waits.after_failure()).await;
                for shard in unopened {
                    settler.look_at_origin(shard).await;
                }
            }
        });
    }

    /// Opens the state that an open shard began from.
    async fn look_at_origin(&self, shard: ShardId) {
        // A World that doesn't answer has a condition of its own.
        let Ok(record) = self.world.shard(shard).await else { return };
        let Some(record) = record.filter(|it| matches!(it.state, ShardState::Started)) else {
            self.unopened.shards().remove(&shard);
            return;
        };
        let origins = self.judge.origins().clone();
        let Some(opened) = self.host.work.run(move || origins.open(&record.start).map(drop)).await else { return };
        if let Err(error) = opened {
            self.note_unopened(shard, &error);
        } else if self.unopened.shards().remove(&shard).is_some() {
            self.events.emit(OriginOpened { shard });
        }
    }

    /// Notes that a shard's proof can't be decided on.
    pub(super) fn note_unopened(&self, shard: ShardId, error: &OriginError) {
        let shortfall =
            Shortfall { code: error.code().to_owned(), why: error.to_string(), next_step: error.next_step() };
        let trouble = Trouble { shortfall, told: Cause::new(error.code(), &error.told()) };
        let known = {
            let mut shards = self.unopened.shards();
            if shards.len() >= MAX_UNOPENED && !shards.contains_key(&shard) {
                return;
            }
            shards.insert(shard, trouble).map(|before| before.told.code)
        };
        if known.as_deref() != Some(error.code()) {
            self.events.emit(OriginUnopened { shard, code: error.code(), error: error.to_string() });
            self.unopened.changes.announce();
        }
    }

    /// Whether a shard can begin: the state that it names can be opened, and its classes are what they are said to be. That is known within this time, or not yet.
    ///
    /// # Errors
    /// [`SettlerError::Origin`] if not, [`SettlerError::Opening`] if that isn't known yet.
    pub(super) async fn can_begin(&self, start: ShardStart, patience: Duration) -> Result<(), SettlerError> {
        let (origins, shard) = (self.judge.origins().clone(), start.shard);
        let open = async {
            let opening = match &start.terms {
                // A shard of the fixed rules has nothing to wait for.
                Terms::Rules => None,
                Terms::Contracts(terms) => Some(match terms.origin {
                    OriginId::Genesis(_) => &self.unopened.opening,
                    OriginId::Fork(_) => &self.unopened.opening_fork,
                }),
            };
            let alone = match opening {
                Some(opening) => Some(opening.clone().lock_owned().await),
                None => None,
            };
            let open = move || {
                let opened = origins.open(&start).map(drop);
                drop(alone);
                opened
            };
            self.host.work.run(open).await
        };
        match timeout(patience, open).await {
            Ok(Some(opened)) => Ok(opened?),
            Ok(None) => Err(SettlerError::Verifier),
            Err(_) => Err(SettlerError::Opening { shard }),
        }
    }
}
