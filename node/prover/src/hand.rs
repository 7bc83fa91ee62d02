//! The jobs that this prover has in hand: which it fetches, which it proves or is about to.
//!
//! A job is taken by what is ready to be proven. One whose run goes on is streamed ahead while there is [room](PLACES) for it; it gives its place to one
//! whose run has ended, if nothing has come of it for a while ([`IDLE_AFTER`]). So a game that nobody ends keeps no other from being proven.
//! What was fetched of it stays, and it is taken again when there is room.
//!
//! Bounds: [`PLACES`] jobs of an operator, and [`MAX_WHOLE`] of all operators together whose witness is here: one is proven, the next waits for its
//! turn, and further ones are better left to other provers.

use shardwire_host::Changes;
use shardwire_model::{Hash, PeerId};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// Most jobs of one operator at a time, each with a session and up to twelve chunks under way.
pub(super) const PLACES: usize = 4;
/// Most jobs whose witness is here, of all operators together.
pub(super) const MAX_WHOLE: usize = 2;
/// How long nothing has come of a run that gives its place away. A game in which people think is streamed again soon enough.
const IDLE_AFTER: Duration = Duration::from_secs(10);
/// How long an operator that said that this prover holds as many leases as it may is taken at its word.
const QUOTA_HOLDS: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct HeldJob {
    operator: PeerId,
    /// When the last chunk came; none once the witness is whole.
    fetching: Option<Instant>,
    asked_back: Arc<Notify>,
    is_asked_back: bool,
}

#[derive(Debug, Default)]
struct Table {
    held: BTreeMap<Hash, HeldJob>,
    /// Operators that lease no more than so many for now.
    quotas: BTreeMap<PeerId, (usize, Instant)>,
}

/// See the module's page.
#[derive(Debug)]
pub(super) struct Hands {
    table: Mutex<Table>,
    changes: Changes,
}

/// A job in hand, until this is dropped.
#[derive(Debug)]
pub(super) struct InHand {
    hands: Arc<Hands>,
    job: Hash,
    asked_back: Arc<Notify>,
}

impl Hands {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { table: Mutex::default(), changes: Changes::new() })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job of this operator in hand, unless it is already.
    pub(super) fn take(self: &Arc<Self>, operator: PeerId, job: Hash) -> Option<InHand> {
        let mut table = self.table();
        if table.held.contains_key(&job) {
            return None;
        }
        let asked_back = Arc::new(Notify::new());
        let held =
            HeldJob { operator, fetching: Some(Instant::now()), asked_back: asked_back.clone(), is_asked_back: false };
        table.held.insert(job, held);
        Some(InHand { hands: self.clone(), job, asked_back })
    }

    pub(super) fn has(&self, job: Hash) -> bool {
        self.table().held.contains_key(&job)
    }

    /// Whether a job whose run goes on may be taken from this operator.
    pub(super) fn has_room(&self, operator: PeerId) -> bool {
        let table = self.table();
        let held = table.held.values().filter(|held| held.operator == operator).count();
        let quota = table.quotas.get(&operator).filter(|(_, until)| Instant::now() < *until).map(|(most, _)| *most);
        held < quota.unwrap_or(PLACES).min(PLACES)
    }

    /// Whether this prover has a use for another job of this operator: a place or an idle job, and a turn at the worker that isn't far.
    pub(super) fn wants(&self, operator: PeerId) -> bool {
        let whole = self.table().held.values().filter(|held| held.fetching.is_none()).count();
        whole < MAX_WHOLE && (self.has_room(operator) || self.idlest(operator).is_some())
    }

    /// Waits until it [has](Self::wants).
    pub(super) async fn wanted(&self, operator: PeerId) {
        loop {
            let changed = self.changes.next();
            if self.wants(operator) {
                return;
            }
            // A job becomes idle, or a quota is forgotten, without a change.
            let _ = tokio::time::timeout(IDLE_AFTER, changed).await;
        }
    }

    fn idlest(&self, operator: PeerId) -> Option<Hash> {
        let table = self.table();
        let idle = table.held.iter().filter_map(|(job, held)| {
            let since = held.fetching.filter(|_| held.operator == operator && !held.is_asked_back)?;
            (since.elapsed() >= IDLE_AFTER).then_some((since, *job))
        });
        idle.min().map(|(_, job)| job)
    }

    /// Asks for the place of the job of this operator that has been idle for longest; whether there is one.
    pub(super) fn make_room(&self, operator: PeerId) -> bool {
        let Some(idle) = self.idlest(operator) else { return false };
        if let Some(held) = self.table().held.get_mut(&idle) {
            held.is_asked_back = true;
            held.asked_back.notify_one();
        }
        true
    }

    /// Notes that the operator leases no more than what is in hand.
    pub(super) fn quota_reached(&self, operator: PeerId) {
        let mut table = self.table();
        let now = Instant::now();
        table.quotas.retain(|_, (_, until)| now < *until);
        let held = table.held.values().filter(|held| held.operator == operator).count();
        table.quotas.insert(operator, (held, now + QUOTA_HOLDS));
    }
}

impl InHand {
    /// A chunk has come.
    pub(super) fn fetched(&self) {
        if let Some(held) = self.hands.table().held.get_mut(&self.job) {
            held.fetching = held.fetching.map(|_| Instant::now());
        }
    }

    /// The witness is here.
    pub(super) fn whole(&self) {
        if let Some(held) = self.hands.table().held.get_mut(&self.job) {
            held.fetching = None;
        }
        self.hands.changes.announce();
    }

    /// Completes when the job should give its place to another.
    pub(super) async fn asked_back(&self) {
        self.asked_back.notified().await;
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.hands.table().held.remove(&self.job);
        self.hands.changes.announce();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATORS: [PeerId; 2] = [PeerId([1; 32]), PeerId([2; 32])];

    fn job(number: u8) -> Hash {
        Hash([number; 32])
    }

    #[tokio::test(start_paused = true)]
    async fn idle_jobs_have_places_while_there_is_room_and_the_idlest_gives_its_own_away() {
        let hands = Hands::new();
        let mut held = Vec::new();
        for number in 0..4 {
            assert!(hands.wants(OPERATORS[0]) && hands.has_room(OPERATORS[0]));
            held.push(hands.take(OPERATORS[0], job(number)).unwrap());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(hands.take(OPERATORS[0], job(0)).is_none(), "it is in hand");
        assert!(!hands.has_room(OPERATORS[0]) && hands.has_room(OPERATORS[1]), "places are an operator's");
        assert!(!hands.wants(OPERATORS[0]) && !hands.make_room(OPERATORS[0]), "none is idle");
        tokio::time::sleep(IDLE_AFTER).await;
        held[0].fetched();
        assert!(hands.wants(OPERATORS[0]) && hands.make_room(OPERATORS[0]));
        held[1].asked_back().await;
        drop(held.remove(1));
        assert!(hands.has_room(OPERATORS[0]));
    }

    #[tokio::test(start_paused = true)]
    async fn jobs_that_only_wait_for_the_worker_are_left_to_others() {
        let hands = Hands::new();
        let held: Vec<_> = (0..2).map(|number| hands.take(OPERATORS[0], job(number)).unwrap()).collect();
        held.iter().for_each(InHand::whole);
        assert!(!hands.wants(OPERATORS[1]), "of whatever operator");
        drop(held);
        assert!(hands.wants(OPERATORS[1]));
    }

    #[tokio::test(start_paused = true)]
    async fn an_operators_quota_is_believed_for_a_while() {
        let hands = Hands::new();
        let _held = hands.take(OPERATORS[0], job(1)).unwrap();
        hands.quota_reached(OPERATORS[0]);
        assert!(!hands.has_room(OPERATORS[0]) && !hands.wants(OPERATORS[0]));
        tokio::time::sleep(QUOTA_HOLDS).await;
        assert!(hands.wants(OPERATORS[0]));
    }
}
