//! What a seed decides: how large the network is, what goes wrong in it, and how hard.
//!
//! Each kind of fault is there in about half of the runs, so that the rare ones meet each other and none hides behind another.

use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shardwire_transport::sim::{Link, PPM};
use std::time::Duration;

/// A source of chances.
#[derive(Clone, Debug)]
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// Each purpose has a stream of its own, so that more draws for one leave the others as they were.
    pub(super) fn of(seed: u64, purpose: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(purpose);
        Self(rng)
    }

    /// A number below this one, which is not zero.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0.random_range(0..bound)
    }

    /// As [`below`](Self::below), for places in lists.
    pub(super) fn index(&mut self, bound: usize) -> usize {
        self.0.random_range(0..bound)
    }

    /// Whether something happens that does so many times in a million.
    pub(super) fn chance(&mut self, in_a_million: u32) -> bool {
        self.0.random_range(0..PPM) < in_a_million
    }

    pub(super) fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    pub(super) fn secret(&mut self) -> [u8; 32] {
        self.0.random()
    }

    /// A time between these two, in whole milliseconds.
    pub(super) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.0.random_range(milliseconds(least)..=milliseconds(most)))
    }
}

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Two groups of machines can't reach each other.
    Partition,
    /// A machine is heard and hears nothing, or the other way round.
    OneWay,
    /// What a link carries arrives late, and then all at once.
    Clog,
    /// A machine loses its power.
    Crash,
    /// The power fails at a write or sync that is still to come.
    CrashAtWrite,
    /// A node is told to stop, and is started again.
    Restart,
    /// A clock is set to another time.
    ClockJump,
    /// A disk has no room left.
    FullDisk,
    /// A disk reports read errors.
    ReadErrors,
}

impl Fault {
    const ALL: [Self; 9] = [
        Self::Partition,
        Self::OneWay,
        Self::Clog,
        Self::Crash,
        Self::CrashAtWrite,
        Self::Restart,
        Self::ClockJump,
        Self::FullDisk,
        Self::ReadErrors,
    ];
}

/// How a run is made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Nodes that execute.
    pub operators: usize,
    /// Nodes that prove.
    pub provers: usize,
    /// Shards that are started.
    pub shards: usize,
    /// People in the World.
    pub people: usize,
    /// Most moves in a shard.
    pub moves: usize,
    /// What links do all the time.
    pub link: Link,
    /// What goes wrong now and then.
    pub faults: Vec<Fault>,
    /// Whether one of the provers lies.
    pub liar: bool,
    /// How long things go wrong.
    pub safety: Duration,
    /// How long it is quiet between two faults, at most.
    pub quiet: Duration,
    /// How wrong the clocks are, at most.
    pub skew: Duration,
    /// How long a proof takes, at most.
    pub proof: Duration,
    /// How long a proof is, at most.
    pub proof_bytes: usize,
}

impl Plan {
    /// What this seed decides.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let dice = &mut Dice::of(seed, 0);
        let mut sometimes = |value: u32| if dice.chance(PPM / 2) { value } else { 0 };
        let (lost, duplicated, reordered) = (sometimes(20_000), sometimes(20_000), sometimes(20_000));
        let milliseconds = Duration::from_millis;
        let link = Link {
            latency: dice.between(milliseconds(1), milliseconds(80)),
            jitter: dice.between(milliseconds(0), milliseconds(30)),
            bytes_per_second: dice.chance(PPM / 4).then(|| 100_000 + dice.below(1_000_000)),
            lost,
            duplicated,
            reordered,
            mtu: [1200, 1280, 1400, 1500][dice.index(4)],
            ..Link::default()
        };
        let seconds = Duration::from_secs;
        let faults: Vec<Fault> = Fault::ALL.into_iter().filter(|_| dice.chance(PPM / 2)).collect();
        // Long ones are cut into several chunks.
        let most_moves = if dice.chance(PPM / 12) { 200 } else { 1 + dice.index(8) };
        let longest_proof = seconds(if dice.chance(PPM / 8) { 90 } else { 15 });
        let most_bytes = if dice.chance(PPM / 8) { 800_000 } else { 40_000 };
        Self {
            operators: 1 + dice.index(2),
            provers: 1 + dice.index(2),
            shards: 1 + dice.index(3),
            people: 2 + dice.index(3),
            moves: most_moves,
            link,
            faults,
            liar: dice.chance(PPM / 4),
            safety: dice.between(seconds(5), seconds(60)),
            quiet: dice.between(seconds(1), seconds(15)),
            skew: dice.between(seconds(0), seconds(30)),
            proof: dice.between(seconds(1), longest_proof),
            proof_bytes: dice.index(most_bytes),
        }
    }

    /// As [`of`](Self::of), in a world in which nothing goes wrong.
    #[must_use]
    pub fn without_faults(seed: u64) -> Self {
        Self { link: Link::default(), faults: Vec::new(), liar: false, skew: Duration::ZERO, ..Self::of(seed) }
    }
}
