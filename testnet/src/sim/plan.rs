//! What a seed decides: how large the network is, what goes wrong in it, and how badly.
//!
//! Each kind of fault is in about half of the runs, so that rare ones meet each other and none hides behind another.

use crate::{
    clients::Patience,
    dice::{Dice, PPM},
};
use shardwire_transport::sim::Link;
use std::time::Duration;

/// MTUs of links, in bytes: what IPv6 guarantees less its headers, IPv6's minimum, a tunnel, Ethernet.
const MTUS: [u16; 4] = [1200, 1280, 1400, 1500];

/// The shortest time with faults, and the longest pause between them, in runs with a long shard.
const LONG_SAFETY: Duration = Duration::from_secs(40);
const LONG_QUIET: Duration = Duration::from_secs(4);

/// How often there is a shard of contracts: executing one costs as much as several runs without.
const WITH_CONTRACTS: u32 = PPM / 10;

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
    /// The power fails at a later write or sync.
    CrashAtWrite,
    /// A node is told to stop, and is started again.
    Restart,
    /// A clock is set to another time: by minutes for good, or by days until somebody sets it right.
    ClockJump,
    /// A disk has no room left, or refuses otherwise: it is read only, a quota is used up, the process has no file left to open.
    FullDisk,
    /// A disk reports read errors.
    ReadErrors,
    /// A process is stopped, and goes on later with what it knew.
    Pause,
    /// A prover's worker is missing, is killed, is too slow or ends without a word.
    Worker,
}

impl Fault {
    /// Those that are drawn with the plan; [`Worker`](Self::Worker), strangers and shards of contracts are drawn after it, so that the plans of older seeds stay.
    const ALL: [Self; 10] = [
        Self::Partition,
        Self::OneWay,
        Self::Clog,
        Self::Crash,
        Self::CrashAtWrite,
        Self::Restart,
        Self::ClockJump,
        Self::FullDisk,
        Self::ReadErrors,
        Self::Pause,
    ];
}

/// How a run is made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The number of operators.
    pub operators: usize,
    /// The number of provers.
    pub provers: usize,
    /// The number of shards.
    pub shards: usize,
    /// The number of players in the World.
    pub people: usize,
    /// Most moves in a shard.
    pub moves: usize,
    /// Whether the first shard is so long that its witness has several chunks.
    pub long: bool,
    /// The worst link, throughout the run. Each direction between two machines is drawn separately.
    pub worst: Link,
    /// The kinds of faults that are injected.
    pub faults: Vec<Fault>,
    /// Whether there is an additional prover that lies.
    pub lying_prover: bool,
    /// Whether there is an additional operator that lies. Its shards are aborted.
    pub lying_operator: bool,
    /// Whether a peer that the World doesn't list says that it settles, until all shards are over.
    pub presumed_settler: bool,
    /// Whether a prover that nobody knows takes jobs, claims proofs of them that nobody sees and holds them with signs of life, until all shards are over.
    pub holder: bool,
    /// Whether a peer that nobody knows offers jobs that it has made up, until all shards are over.
    pub inventor: bool,
    /// Whether there is a shard of contracts besides.
    pub contracts: bool,
    /// Whether some clients give their shards up while they run.
    pub impatient: bool,
    /// How long faults are injected.
    pub safety: Duration,
    /// The longest pause between two faults.
    pub quiet: Duration,
    /// The largest error of the clocks.
    pub skew: Duration,
    /// The longest time that a proof takes.
    pub proof: Duration,
    /// The most bytes of a proof.
    pub proof_bytes: usize,
}

impl Plan {
    /// The plan of this seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let dice = &mut Dice::of(seed, 0);
        let mut sometimes = |value: u32| if dice.chance(PPM / 2) { value } else { 0 };
        let (lost, duplicated, reordered) = (sometimes(20_000), sometimes(20_000), sometimes(20_000));
        let milliseconds = Duration::from_millis;
        let worst = Link {
            latency: dice.between(milliseconds(1), milliseconds(80)),
            jitter: dice.between(milliseconds(0), milliseconds(30)),
            bytes_per_second: dice.chance(PPM / 4).then(|| 100_000 + dice.below(1_000_000)),
            lost,
            duplicated,
            reordered,
            mtu: MTUS[dice.index(MTUS.len())],
            ..Link::default()
        };
        let seconds = Duration::from_secs;
        let faults: Vec<Fault> = Fault::ALL.into_iter().filter(|_| dice.chance(PPM / 2)).collect();
        // Some take longer than a lease.
        let (shortest_proof, longest_proof) = if dice.chance(PPM / 8) { (70, 140) } else { (1, 15) };
        let most_bytes = if dice.chance(PPM / 8) { 800_000 } else { 40_000 };
        let mut plan = Self {
            operators: 1 + dice.index(2),
            provers: 1 + dice.index(2),
            shards: 1 + dice.index(3),
            people: 2 + dice.index(3),
            moves: 1 + dice.index(8),
            long: dice.chance(PPM / 8),
            worst,
            faults,
            lying_prover: dice.chance(PPM / 4),
            safety: dice.between(seconds(5), seconds(60)),
            quiet: dice.between(seconds(1), seconds(15)),
            skew: dice.between(seconds(0), seconds(30)),
            proof: dice.between(seconds(shortest_proof), seconds(longest_proof)),
            proof_bytes: dice.index(most_bytes),
            lying_operator: dice.chance(PPM / 5),
            impatient: dice.chance(PPM / 3),
            presumed_settler: false,
            holder: false,
            inventor: false,
            contracts: false,
        };
        if dice.chance(PPM / 2) {
            plan.faults.push(Fault::Worker);
        }
        plan.presumed_settler = dice.chance(PPM / 4);
        plan.holder = dice.chance(PPM / 6);
        plan.inventor = dice.chance(PPM / 4);
        plan.contracts = dice.chance(WITH_CONTRACTS);
        if plan.long { plan.interrupted() } else { plan }
    }

    /// A witness of several chunks is fetched for seconds. Makes sure that fetching is interrupted and resumed.
    fn interrupted(mut self) -> Self {
        for fault in [Fault::Partition, Fault::Restart] {
            if !self.faults.contains(&fault) {
                self.faults.push(fault);
            }
        }
        self.safety = self.safety.max(LONG_SAFETY);
        self.quiet = self.quiet.min(LONG_QUIET);
        self
    }

    /// One direction between two machines.
    pub(super) fn link(&self, dice: &mut Dice) -> Link {
        let Link { latency, jitter, bytes_per_second, lost, duplicated, reordered, mtu, .. } = self.worst;
        let mut up_to = |most: u32| u32::try_from(dice.below(u64::from(most) + 1)).unwrap_or(most);
        let (lost, duplicated, reordered) = (up_to(lost), up_to(duplicated), up_to(reordered));
        let mtus: Vec<u16> = MTUS.into_iter().filter(|it| *it >= mtu).collect();
        Link {
            latency: dice.between(Duration::from_millis(1).min(latency), latency),
            jitter: dice.between(Duration::ZERO, jitter),
            bytes_per_second: bytes_per_second.filter(|_| dice.chance(PPM / 2)).map(|rate| rate + dice.below(rate)),
            lost,
            duplicated,
            reordered,
            mtu: mtus[dice.index(mtus.len())],
            ..self.worst
        }
    }

    /// The patience of a client whose shard a liar has or not.
    pub(super) fn patience(&self, lied_to: bool, dice: &mut Dice) -> Patience {
        let gives_up = lied_to || (self.impatient && dice.chance(PPM / 2));
        if !gives_up {
            return Patience::Endless;
        }
        let after = dice.between(Duration::from_secs(1), self.safety);
        if dice.chance(PPM / 2) { Patience::Aborts(after) } else { Patience::TimesOut(after) }
    }

    /// As [`of`](Self::of), without faults.
    #[must_use]
    pub fn without_faults(seed: u64) -> Self {
        Self {
            worst: Link::default(),
            faults: Vec::new(),
            lying_prover: false,
            lying_operator: false,
            presumed_settler: false,
            holder: false,
            inventor: false,
            impatient: false,
            skew: Duration::ZERO,
            ..Self::of(seed)
        }
    }
}
