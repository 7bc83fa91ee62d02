//! How much of what one proof can take a shard has used, and whether a transaction still fits.
//!
//! The replay counts, exactly, and is behind what enters. So a transaction is held against what is replayed, and a bound for each that isn't yet, itself included
//! (`shardwire_contracts::cost`). If that fits, it fits. If it doesn't and something isn't replayed yet, nothing is said ([`Refusal::Behind`]): who asks waits for the replay. Only with all before it replayed is
//! it refused, so what is refused follows from the log alone: a restarted operator, which replays its log, says the same.
//!
//! What is in the log isn't asked again. [`END`] is left to the transaction that ends the shard.
//!
//! Bounds: as many transactions aren't replayed as an operator has room for on their way and before its execution; a [`Meter`] for each shard that is open.

use shardwire_contracts::{
    Spent,
    cost::{Cost, END},
};
use shardwire_model::ShardId;
use shardwire_native::{Change, Refusal};
use shardwire_program::Budget;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// What the replay of a shard has counted.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<Spent>);

impl Meter {
    /// Takes in what a replay tells. One that begins again tells what is known.
    pub(crate) fn take(&self, spent: Spent) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.transactions > known.transactions || known.cost == Cost::ZERO {
            *known = spent;
        }
    }

    /// What it has counted; nothing before it has begun.
    fn spent(&self) -> Option<Spent> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (known.cost != Cost::ZERO).then(|| known.clone())
    }
}

/// The meters of the shards that are open, by which their admission and their replay know each other.
#[derive(Debug, Default)]
pub(crate) struct Meters(Mutex<BTreeMap<ShardId, Weak<Meter>>>);

impl Meters {
    /// That of a shard.
    pub(crate) fn of(&self, shard: ShardId) -> Arc<Meter> {
        let mut meters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        meters.retain(|_, meter| meter.strong_count() > 0);
        let known = meters.get(&shard).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let meter = Arc::default();
            meters.insert(shard, Arc::downgrade(&meter));
            meter
        })
    }
}

/// A transaction that wasn't replayed when it was applied.
#[derive(Clone, Debug)]
struct Ahead {
    index: u32,
    bound: Cost,
    classes: Arc<[usize]>,
}

/// What is kept for the transaction that ends the shard.
fn reserve(change: &Change) -> Cost {
    if change.receipt().ends { Cost::ZERO } else { END }
}

/// What the code of these classes costs that nothing has used.
fn code(places: impl IntoIterator<Item = usize>, spent: &Spent) -> Cost {
    let code = places.into_iter().filter_map(|place| spent.unused.get(place));
    code.fold(Cost::ZERO, |sum, code| sum + code.cost())
}

/// The most that a proof takes of what was counted and this transaction after it, and can be ended then.
pub(crate) fn bytes_with(spent: &Spent, change: &Change, is_later_segment: bool) -> u64 {
    let work = if is_later_segment { change.work().in_later_segment() } else { *change.work() };
    (spent.cost + work.bound() + reserve(change) + code(change.classes().iter().copied(), spent)).bytes()
}

/// The budget of a shard, as far as its admission is.
#[derive(Clone, Debug)]
pub(crate) struct ShardBudget {
    meter: Arc<Meter>,
    most: u64,
    /// What is counted before the replay has begun.
    opening: Spent,
    ahead: VecDeque<Ahead>,
    accepted: u32,
}

impl ShardBudget {
    /// Of a shard before its first transaction, of which a proof may take so many bytes. Before the replay has begun, this much counts.
    pub(crate) fn new(opening: Spent, meter: Arc<Meter>, most: u64) -> Self {
        Self { meter, most, opening, ahead: VecDeque::new(), accepted: 0 }
    }

    /// What is replayed, what all before this moment cost at most, and those of them that aren't replayed.
    fn so_far(&self) -> (Spent, Cost, impl Iterator<Item = &Ahead>) {
        let spent = self.meter.spent().unwrap_or_else(|| self.opening.clone());
        let replayed = spent.transactions;
        let ahead = self.ahead.iter().filter(move |it| it.index >= replayed);
        let bounds = ahead.clone().fold(Cost::ZERO, |sum, it| sum + it.bound);
        (spent.clone(), spent.cost + bounds, ahead)
    }

    /// Whether one proof can take the shard with this transaction.
    ///
    /// # Errors
    /// [`Refusal::TooCostly`] if it couldn't even alone, [`Refusal::OverBudget`] if it can't, [`Refusal::Behind`] if that isn't known yet.
    pub(crate) fn affords(&self, change: &Change) -> Result<(), Refusal> {
        let (spent, so_far, ahead) = self.so_far();
        let (bound, own) = (change.work().bound(), change.classes().iter().copied());
        let reserve = reserve(change);
        let most = self.most;
        let alone = bytes_with(&self.opening, change, false);
        if alone > most {
            return Err(Refusal::TooCostly { bytes: alone, most });
        }
        let called: BTreeSet<usize> = ahead.flat_map(|it| it.classes.iter().copied()).chain(own).collect();
        let bytes = (so_far + bound + reserve + code(called, &spent)).bytes();
        if bytes <= most {
            Ok(())
        } else if spent.transactions < self.accepted {
            Err(Refusal::Behind { replayed: spent.transactions, accepted: self.accepted })
        } else {
            Err(Refusal::OverBudget { bytes, most })
        }
    }

    /// Takes in a transaction that has its place.
    pub(crate) fn apply(&mut self, change: &Change) {
        let replayed = self.meter.spent().map_or(0, |spent| spent.transactions);
        while self.ahead.front().is_some_and(|it| it.index < replayed) {
            self.ahead.pop_front();
        }
        let index = change.receipt().index;
        self.accepted = index + 1;
        if index >= replayed {
            self.ahead.push_back(Ahead { index, bound: change.work().bound(), classes: change.classes().clone() });
        }
    }

    /// How much is used; of a shard that has ended only what was counted.
    pub(crate) fn used(&self, ended: bool) -> Option<Budget> {
        let (spent, so_far, _) = self.so_far();
        let is_known = !ended || spent.transactions == self.accepted;
        is_known.then(|| Budget { used_bytes: so_far.bytes(), most_bytes: self.most })
    }
}
