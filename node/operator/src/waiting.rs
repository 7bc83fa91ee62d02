//! Who gets the next job: provers that were useful before others, and nobody waits for ever.
//!
//! A prover gives way to provers of better tiers that ask as well, and so does one that already holds as many leases as its tier may; both for
//! at most [`GIVES_WAY`] of each question, which lasts three times as long. So a job that is free waits for a better prover for that long at
//! most, and a prover that asks on gets its turn as an equal in most of its time. One that holds too many leases is then offered a job
//! and told at its claim why it doesn't get it.
//!
//! Identities cost nothing, but each lease costs a write to disk, and each look at all jobs some time. So newcomers (provers in tier low) look after a change at
//! most every [`LOOK_AGAIN_SOON`], and all of them together are offered [`OFFERS`] jobs at once and then one every [`OFFER_EVERY`]: more than any number of
//! honest ones takes, since a job is proven for seconds at least. Those of better tiers are told of a change at once.
//!
//! Bound: [`MAX_ASKING`] provers of tier normal and better are known to ask. One that doesn't fit isn't waited for. Provers in tier low aren't
//! waited for in any case, so identities, which cost nothing, hold nobody up.

use shardwire_model::PeerId;
use shardwire_reputation::Tier;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// For how long of a question a prover gives way: a better one that asks claims within a round trip.
pub(super) const GIVES_WAY: Duration = Duration::from_secs(5);
/// How soon a newcomer looks again for a job after the last look.
pub(super) const LOOK_AGAIN_SOON: Duration = Duration::from_millis(100);
/// How many jobs newcomers are offered at once: a quarter of all that an operator may have.
const OFFERS: u32 = 16;
/// How soon after that they are offered another one.
const OFFER_EVERY: Duration = Duration::from_millis(125);
/// Most provers that are waited for.
const MAX_ASKING: usize = 256;

/// A prover that asks, or was offered a job and hasn't answered yet.
#[derive(Clone, Copy, Debug)]
struct Asks {
    tier: Tier,
    /// Questions that are open.
    open: u32,
    /// Until when it counts, once none is.
    until: Instant,
}

/// The provers that ask for a job.
#[derive(Debug, Default)]
pub(super) struct WaitingProvers(Mutex<BTreeMap<PeerId, Asks>>);

/// A question, until it is answered.
#[derive(Debug)]
pub(super) struct Question<'a> {
    waiting: &'a WaitingProvers,
    prover: PeerId,
    counted: bool,
    pub(super) since: Instant,
}

/// What newcomers are offered, all of them together.
#[derive(Debug, Default)]
pub(super) struct NewcomersOffers(Mutex<Option<Instant>>);

impl NewcomersOffers {
    /// Counts an offer, if another one is due.
    pub(super) fn take(&self) -> bool {
        let now = Instant::now();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // From then on all of them may be had at once.
        let full = all.map_or(now, |full| full.max(now));
        let due = full.saturating_duration_since(now) <= OFFER_EVERY * (OFFERS - 1);
        if due {
            *all = Some(full + OFFER_EVERY);
        }
        due
    }
}

impl WaitingProvers {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<PeerId, Asks>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A prover of this tier asks.
    pub(super) fn begin(&self, prover: PeerId, tier: Option<Tier>) -> Question<'_> {
        let now = Instant::now();
        let mut waiting = self.lock();
        waiting.retain(|_, asks| asks.open > 0 || asks.until > now);
        let room = waiting.len() < MAX_ASKING || waiting.contains_key(&prover);
        let counted = tier.filter(|tier| *tier > Tier::Low && room);
        if let Some(tier) = counted {
            let asks = waiting.entry(prover).or_insert(Asks { tier, open: 0, until: now });
            asks.tier = tier;
            asks.open += 1;
        }
        Question { waiting: self, prover, counted: counted.is_some(), since: now }
    }

    /// A prover claims or declines: it asks no more.
    pub(super) fn answered(&self, prover: PeerId) {
        let mut waiting = self.lock();
        if let Some(asks) = waiting.get_mut(&prover) {
            asks.until = Instant::now();
        }
    }

    /// Whether a prover of a better tier asks, who may have the job.
    pub(super) fn better(&self, tier: Option<Tier>, may_have: impl Fn(PeerId) -> bool) -> bool {
        let now = Instant::now();
        let waiting = self.lock();
        let mut better =
            waiting.iter().filter(|(_, asks)| Some(asks.tier) > tier && (asks.open > 0 || asks.until > now));
        better.any(|(prover, _)| may_have(*prover))
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        if let Some(asks) = self.waiting.lock().get_mut(&self.prover).filter(|_| self.counted) {
            asks.open -= 1;
            // It may have been offered a job: it is about to claim it.
            asks.until = Instant::now() + GIVES_WAY;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    const PEERS: [PeerId; 2] = [PeerId([1; 32]), PeerId([2; 32])];

    #[tokio::test(start_paused = true)]
    async fn a_better_prover_is_waited_for_while_it_asks_and_until_it_answers() {
        let (waiting, [normal, high]) = (WaitingProvers::default(), PEERS);
        let all = |_| true;
        let question = waiting.begin(high, Some(Tier::High));
        let _other = waiting.begin(normal, Some(Tier::Normal));
        assert!(waiting.better(Some(Tier::Normal), all) && waiting.better(Some(Tier::Low), all));
        assert!(!waiting.better(Some(Tier::High), all), "to equals nobody gives way");
        assert!(!waiting.better(Some(Tier::Normal), |prover| prover != high), "it may not have the job");
        drop(question);
        assert!(waiting.better(Some(Tier::Normal), all), "it was offered a job and claims it soon");
        waiting.answered(high);
        assert!(!waiting.better(Some(Tier::Normal), all));
        drop(waiting.begin(high, Some(Tier::High)));
        sleep(GIVES_WAY).await;
        assert!(!waiting.better(Some(Tier::Normal), all), "it went away");
    }

    #[tokio::test(start_paused = true)]
    async fn newcomers_are_offered_some_jobs_at_once_and_then_one_after_another() {
        let offers = NewcomersOffers::default();
        let at_once = std::iter::repeat_with(|| offers.take()).take_while(|offered| *offered).count();
        assert_eq!(at_once, 16);
        for _ in 0..3 {
            sleep(OFFER_EVERY).await;
            assert!(offers.take() && !offers.take());
        }
        sleep(OFFER_EVERY * 100).await;
        let at_once = std::iter::repeat_with(|| offers.take()).take_while(|offered| *offered).count();
        assert_eq!(at_once, 16, "what isn't used isn't saved up");
    }

    #[tokio::test(start_paused = true)]
    async fn newcomers_hold_nobody_up_and_there_is_a_bound() {
        let waiting = WaitingProvers::default();
        let peer = |n: usize| {
            PeerId(
                [[u8::try_from(n % 256).unwrap(); 16], [u8::try_from(n / 256).unwrap(); 16]]
                    .concat()
                    .try_into()
                    .unwrap(),
            )
        };
        let _low: Vec<_> = (0..2000).map(|n| waiting.begin(peer(n), Some(Tier::Low))).collect();
        let _none = waiting.begin(peer(2001), None);
        assert!(waiting.lock().is_empty() && !waiting.better(None, |_| true));
        let normal: Vec<_> = (0..300).map(|n| waiting.begin(peer(n), Some(Tier::Normal))).collect();
        assert_eq!(waiting.lock().len(), MAX_ASKING);
        drop(normal);
        sleep(GIVES_WAY).await;
        drop(waiting.begin(peer(0), Some(Tier::Low)));
        assert!(waiting.lock().is_empty(), "who went away is forgotten");
    }
}
