//! Whether the World can be used: each of its answers is noted, and a World that can't be reached, read or written is the condition `world`.
//!
//! What was submitted in vain is submitted again by the settler itself, so a failed submission stands until one succeeds; a failed question stands until
//! one is answered. It changes nothing of what the World says.

use shardwire_host::Changes;
use shardwire_model::{Coded as _, PeerId, ShardId, Slot};
use shardwire_telemetry::Shortfall;
use shardwire_world::{
    Answering, Audit, Operation, ShardRecord, ShardSummary, Standing, StorageEntry, Ticket, World, WorldError,
    WorldIdentity,
};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What failed last.
#[derive(Debug, Default)]
struct Failing {
    to_answer: Option<WorldError>,
    to_submit: Option<WorldError>,
}

/// See the module's page.
pub(super) struct Reachable {
    world: Arc<dyn World>,
    failing: Arc<Mutex<Failing>>,
    /// Announced when a question isn't answered that was before.
    fails: Arc<Changes>,
}

impl fmt::Debug for Reachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.world.fmt(f)
    }
}

impl Reachable {
    /// A World that hasn't failed yet. `fails` is announced when it stops to answer questions: somebody has to ask again, until it does.
    pub(super) fn new(world: Arc<dyn World>, fails: Arc<Changes>) -> Self {
        Self { world, failing: Arc::default(), fails }
    }

    /// Whether the last question wasn't answered.
    pub(super) fn is_silent(&self) -> bool {
        self.failing().to_answer.is_some()
    }

    fn failing(&self) -> MutexGuard<'_, Failing> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the World can't be used now.
    pub(super) fn shortfall(&self) -> impl Fn() -> Option<Shortfall> + Send + Sync + 'static {
        let failing = self.failing.clone();
        move || {
            let failing = failing.lock().unwrap_or_else(PoisonError::into_inner);
            let error = failing.to_submit.as_ref().or(failing.to_answer.as_ref())?;
            let next_step = error.next_step();
            Some(Shortfall { code: error.code().to_owned(), why: error.to_string(), next_step })
        }
    }

    fn noted<'a, T: 'a>(
        &'a self,
        answer: Answering<'a, Result<T, WorldError>>,
        of: fn(&mut Failing) -> &mut Option<WorldError>,
    ) -> Answering<'a, Result<T, WorldError>> {
        Box::pin(async move {
            let answer = answer.await;
            let falls_silent = {
                let mut failing = self.failing();
                let was_silent = failing.to_answer.is_some();
                *of(&mut failing) = answer.as_ref().err().cloned();
                failing.to_answer.is_some() && !was_silent
            };
            if falls_silent {
                self.fails.announce();
            }
            answer
        })
    }

    fn asked<'a, T: 'a>(
        &'a self,
        answer: Answering<'a, Result<T, WorldError>>,
    ) -> Answering<'a, Result<T, WorldError>> {
        self.noted(answer, |failing| &mut failing.to_answer)
    }
}

impl World for Reachable {
    fn identity(&self) -> &Arc<WorldIdentity> {
        self.world.identity()
    }

    fn submit(&self, operation: Operation) -> Answering<'_, Result<Standing, WorldError>> {
        self.noted(self.world.submit(operation), |failing| &mut failing.to_submit)
    }

    fn standing(&self, ticket: Ticket) -> Answering<'_, Result<Standing, WorldError>> {
        self.asked(self.world.standing(ticket))
    }

    fn revision(&self) -> u64 {
        self.world.revision()
    }

    fn changed(&self, since: u64) -> Answering<'_, ()> {
        self.world.changed(since)
    }

    fn shard(&self, shard: ShardId) -> Answering<'_, Result<Option<ShardRecord>, WorldError>> {
        self.asked(self.world.shard(shard))
    }

    fn shards(&self, after: Option<ShardId>, limit: usize) -> Answering<'_, Result<Vec<ShardSummary>, WorldError>> {
        self.asked(self.world.shards(after, limit))
    }

    fn open_shards(
        &self,
        operator: PeerId,
        after: Option<ShardId>,
        limit: usize,
    ) -> Answering<'_, Result<Vec<ShardId>, WorldError>> {
        self.asked(self.world.open_shards(operator, after, limit))
    }

    fn storage(&self, after: Option<Slot>, limit: usize) -> Answering<'_, Result<Vec<StorageEntry>, WorldError>> {
        self.asked(self.world.storage(after, limit))
    }

    fn audit(&self) -> Answering<'_, Result<Audit, WorldError>> {
        self.asked(self.world.audit())
    }
}
