//! Who gets the next job: provers that were useful before others, and nobody waits for ever.
//!
//! A prover gives way to provers of better tiers that ask as well, and so does one that already holds as many leases as its tier may; both for
//! at most [`GIVES_WAY`] of each question, which lasts three times as long. So a job that is free waits for a better prover for that long at
//! most, and whoever asks on gets its turn as an equal in most of its time. One that holds too many leases is then offered a job
//! and told at its claim why it doesn't get it.
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
pub(super) struct Asking(Mutex<BTreeMap<PeerId, Asks>>);

/// A question, until it is answered.
#[derive(Debug)]
pub(super) struct Question<'a> {
    asking: &'a Asking,
    prover: PeerId,
    counted: bool,
    pub(super) since: Instant,
}

impl Asking {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<PeerId, Asks>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A prover of this tier asks.
    pub(super) fn begin(&self, prover: PeerId, tier: Option<Tier>) -> Question<'_> {
        let now = Instant::now();
        let mut asking = self.lock();
        asking.retain(|_, asks| asks.open > 0 || asks.until > now);
        let room = asking.len() < MAX_ASKING || asking.contains_key(&prover);
        let counted = tier.filter(|tier| *tier > Tier::Low && room);
        if let Some(tier) = counted {
            let asks = asking.entry(prover).or_insert(Asks { tier, open: 0, until: now });
            asks.tier = tier;
            asks.open += 1;
        }
        Question { asking: self, prover, counted: counted.is_some(), since: now }
    }

    /// A prover claims or declines: it asks no more.
    pub(super) fn answered(&self, prover: PeerId) {
        let mut asking = self.lock();
        if let Some(asks) = asking.get_mut(&prover) {
            asks.until = Instant::now();
        }
    }

    /// Whether a prover of a better tier asks, who may have the job.
    pub(super) fn better(&self, tier: Option<Tier>, may_have: impl Fn(PeerId) -> bool) -> bool {
        let now = Instant::now();
        let asking = self.lock();
        let mut better =
            asking.iter().filter(|(_, asks)| Some(asks.tier) > tier && (asks.open > 0 || asks.until > now));
        better.any(|(prover, _)| may_have(*prover))
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        if let Some(asks) = self.asking.lock().get_mut(&self.prover).filter(|_| self.counted) {
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
        let (asking, [normal, high]) = (Asking::default(), PEERS);
        let all = |_| true;
        let question = asking.begin(high, Some(Tier::High));
        let _other = asking.begin(normal, Some(Tier::Normal));
        assert!(asking.better(Some(Tier::Normal), all) && asking.better(Some(Tier::Low), all));
        assert!(!asking.better(Some(Tier::High), all), "to equals nobody gives way");
        assert!(!asking.better(Some(Tier::Normal), |prover| prover != high), "it may not have the job");
        drop(question);
        assert!(asking.better(Some(Tier::Normal), all), "it was offered a job and claims it soon");
        asking.answered(high);
        assert!(!asking.better(Some(Tier::Normal), all));
        drop(asking.begin(high, Some(Tier::High)));
        sleep(GIVES_WAY).await;
        assert!(!asking.better(Some(Tier::Normal), all), "it went away");
    }

    #[tokio::test(start_paused = true)]
    async fn newcomers_hold_nobody_up_and_there_is_a_bound() {
        let asking = Asking::default();
        let peer = |n: usize| {
            PeerId(
                [[u8::try_from(n % 256).unwrap(); 16], [u8::try_from(n / 256).unwrap(); 16]]
                    .concat()
                    .try_into()
                    .unwrap(),
            )
        };
        let _low: Vec<_> = (0..2000).map(|n| asking.begin(peer(n), Some(Tier::Low))).collect();
        let _none = asking.begin(peer(2001), None);
        assert!(asking.lock().is_empty() && !asking.better(None, |_| true));
        let normal: Vec<_> = (0..300).map(|n| asking.begin(peer(n), Some(Tier::Normal))).collect();
        assert_eq!(asking.lock().len(), MAX_ASKING);
        drop(normal);
        sleep(GIVES_WAY).await;
        drop(asking.begin(peer(0), Some(Tier::Low)));
        assert!(asking.lock().is_empty(), "who went away is forgotten");
    }
}
