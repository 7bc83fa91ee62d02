//! How much of what one proof can take the segment that a shard is in has used, and whether a transaction still fits.
//!
//! Where it doesn't fit any more, the run is cut before it ([`Segments`](crate::Segments)), and it begins the next segment. So what is asked of a transaction is whether it fits the segment
//! that is executed, or else whether there is another one and it fits that as its first, whatever state that goes on from. A shard that has written to very many slots, or is in its last segment, takes only what fits where it is.
//!
//! The replay counts, exactly, and is behind what enters. So a transaction is held against what is replayed, and a bound for each that isn't yet, itself included
//! (`shardwire_contracts::cost`). If that fits, it fits. If it doesn't and something isn't replayed yet, nothing is said ([`Refusal::Behind`]): who asks waits for the replay. Only with all before it replayed is
//! it refused, so what is refused follows from the log alone: a restarted operator, which replays its log, says the same. What fits the next segment as its first waits for no replay.
//!
//! What is in the log isn't asked again. [`END`] is left to the transaction that ends the shard.
//!
//! Bounds: as many transactions aren't replayed as an operator has room for on their way and before its execution; a [`Meter`] for each shard that is open.

use shardwire_contracts::{
    Opening, Size, Spent,
    cost::{Cost, END, PROVER_BYTES, Work},
};
use shardwire_model::{MAX_SEGMENTS, ShardId};
use shardwire_native::{Change, Native, Refusal};
use shardwire_program::Budget;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// What the replay of a shard has counted.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<Counted>);

/// In which segment it is, and what that has cost.
#[derive(Clone, Debug, Default)]
struct Counted {
    segment: u32,
    spent: Spent,
}

impl Meter {
    /// Takes in what a replay tells of a segment. One that begins again tells what is known.
    pub(crate) fn take(&self, segment: u32, spent: Spent) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if (segment, spent.transactions) > (known.segment, known.spent.transactions) || known.spent.cost == Cost::ZERO {
            *known = Counted { segment, spent };
        }
    }

    /// What it has counted; nothing before it has begun.
    fn counted(&self) -> Option<Counted> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (known.spent.cost != Cost::ZERO).then(|| known.clone())
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

/// What provers take: how much of their memory a proof, and how many segments a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a prover's memory that one proof may take.
    pub proof_bytes: u64,
    /// Most segments of a run, at least one and at most [`MAX_SEGMENTS`].
    pub segments: u32,
}

impl Limits {
    /// What provers take that nobody has told otherwise.
    pub const DEFAULT: Self = Self { proof_bytes: PROVER_BYTES, segments: MAX_SEGMENTS };

    /// Whether there may be a segment after this one.
    pub(crate) fn have_another(self, segment: u32) -> bool {
        segment < self.segments.min(MAX_SEGMENTS).saturating_sub(1)
    }
}

/// A transaction that wasn't replayed when it was applied.
#[derive(Clone, Debug)]
struct Ahead {
    index: u32,
    work: Work,
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

/// A transaction's work in the first segment of a run or in a later one.
fn work(work: &Work, is_later: bool) -> Cost {
    if is_later { work.in_later_segment().bound() } else { work.bound() }
}

/// The most that a proof takes of what was counted and this transaction after it, and can be ended then.
pub(crate) fn bytes_with(spent: &Spent, change: &Change, is_later: bool) -> u64 {
    let own = work(change.work(), is_later);
    (spent.cost + own + reserve(change) + code(change.classes().iter().copied(), spent)).bytes()
}

/// The most that a segment may go on from, of a shard that is in this state. Accounts are contracts.
fn handed_on(native: &Native) -> Size {
    let (slots, chains) = native.written();
    let start = native.start();
    let of = |count: usize| count as u64;
    Size { slots: of(slots), nonces: of(start.contracts.len()), slacks: of(start.contracts.len()), chains: of(chains) }
}

/// The budget of a shard, as far as its admission is.
#[derive(Clone, Debug)]
pub(crate) struct ShardBudget {
    meter: Arc<Meter>,
    limits: Limits,
    opening: Arc<Opening>,
    /// What is counted before the replay has begun.
    begun: Spent,
    ahead: VecDeque<Ahead>,
    accepted: u32,
}

impl ShardBudget {
    /// Of a shard before its first transaction. Before the replay has begun, what opens it counts.
    pub(crate) fn new(opening: Opening, meter: Arc<Meter>, limits: Limits) -> Self {
        let begun = opening.before(Size::default());
        Self { meter, limits, opening: Arc::new(opening), begun, ahead: VecDeque::new(), accepted: 0 }
    }

    /// What is replayed of the segment, what all before this moment cost at most if it goes on, and those of them that aren't replayed.
    fn so_far(&self) -> (Counted, Cost, impl Iterator<Item = &Ahead> + Clone) {
        let counted = self.meter.counted().unwrap_or_else(|| Counted { segment: 0, spent: self.begun.clone() });
        let (replayed, is_later) = (counted.spent.transactions, counted.segment > 0);
        let ahead = self.ahead.iter().filter(move |it| it.index >= replayed);
        let bounds = ahead.clone().fold(Cost::ZERO, |sum, it| sum + work(&it.work, is_later));
        let all = counted.spent.cost + bounds;
        (counted, all, ahead)
    }

    /// Whether proofs can take the shard, which is in this state, with this transaction.
    ///
    /// # Errors
    /// [`Refusal::TooCostly`] if none could take it even alone, [`Refusal::OverBudget`] if it fits neither the segment nor another one, [`Refusal::Behind`] if that isn't known yet.
    pub(crate) fn affords(&self, native: &Native, change: &Change) -> Result<(), Refusal> {
        let (Counted { segment, spent }, so_far, ahead) = self.so_far();
        let most = self.limits.proof_bytes;
        let alone = bytes_with(&self.begun, change, false);
        if alone > most {
            return Err(Refusal::TooCostly { bytes: alone, most });
        }
        let waiting = u32::try_from(ahead.clone().count()).unwrap_or(u32::MAX);
        let own = change.classes().iter().copied();
        let called: BTreeSet<usize> = ahead.flat_map(|it| it.classes.iter().copied()).chain(own).collect();
        let bound = work(change.work(), segment > 0);
        let bytes = (so_far + bound + reserve(change) + code(called, &spent)).bytes();
        if bytes <= most {
            return Ok(());
        }
        // Each of those that wait may begin a segment.
        let has_another = self.limits.have_another(segment.saturating_add(waiting));
        if has_another && bytes_with(&self.opening.before(handed_on(native)), change, true) <= most {
            return Ok(());
        }
        match spent.transactions < self.accepted {
            true => Err(Refusal::Behind { replayed: spent.transactions, accepted: self.accepted }),
            false => Err(Refusal::OverBudget { bytes, most }),
        }
    }

    /// Takes in a transaction that has its place.
    pub(crate) fn apply(&mut self, change: &Change) {
        let replayed = self.meter.counted().map_or(0, |counted| counted.spent.transactions);
        while self.ahead.front().is_some_and(|it| it.index < replayed) {
            self.ahead.pop_front();
        }
        let index = change.receipt().index;
        self.accepted = index + 1;
        if index >= replayed {
            self.ahead.push_back(Ahead { index, work: *change.work(), classes: change.classes().clone() });
        }
    }

    /// How much of the segment's proof is used; of a shard that has ended only what was counted.
    pub(crate) fn used(&self, ended: bool) -> Option<Budget> {
        let (Counted { spent, .. }, so_far, _) = self.so_far();
        let is_known = !ended || spent.transactions == self.accepted;
        is_known.then(|| Budget { used_bytes: so_far.bytes(), most_bytes: self.limits.proof_bytes })
    }
}
