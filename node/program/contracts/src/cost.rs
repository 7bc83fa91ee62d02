//! What a run costs its prover, and how much of that one proof can take.
//!
//! A prover's memory is the bound: time it can take, memory it can't. So everything that is counted has a price in bytes of that memory ([`Cost::bytes`]), and a
//! proof may have [`PROVER_BYTES`] of it. The prices are those of runs that were proven here, with stwo 2.3 and stwo-cairo 1.3 at the parameters that a settler asks for:
//!
//! | run | measured | by these prices |
//! |---|---|---|
//! | fixed rules, 1,048,363 steps, 12,480 Poseidon | 11.6 GB | 12.0 GB |
//! | fixed rules, 1,038,043 steps, 500 Poseidon | 3.1 GB | 3.6 GB |
//! | contracts, 910,936 steps | 3.2 GB | 3.5 GB |
//! | contracts, 1,509,701 steps | 3.7 GB | 4.2 GB |
//! | contracts, 6,023,909 steps | 9.0 GB | 9.8 GB |
//!
//! Memory cells have no price of their own: a step's has the cells in it that steps fill, one in the mean.
//!
//! [`Spent`](crate::Spent) is what a replay has counted, exactly, after each transaction. To it belongs what will be left to do at the end, when the program goes through all that was accessed, hashes
//! lists and code, and checks signatures: [`Closing`] bounds that from what there is to go through. [`Work`] is what is known of a transaction before its replay; its
//! [`bound`](Work::bound) is never below what the replay then counts. Tests hold both against real replays.
//!
//! The numbers of steps are those of the longest ways through the functions of `program/`, loops by their rounds; a test walks the compiled program and compares.

use crate::carried::Size;
use shardwire_model::Felt;
use std::ops::{Add, AddAssign, Sub};

/// Bytes of a prover's memory that one proof may take: three quarters of what a node gives its worker unless it is told otherwise (12 GiB). The rest is for what the prices don't
/// see. The largest run of contracts that was proven here took 9.0 GB.
pub const PROVER_BYTES: u64 = 9 << 30;
/// What is left to the transaction that ends a shard, so that a shard whose budget is used up can be ended.
pub const END: Cost =
    Cost { steps: 150_000, range_checks: 30_000, bitwise: 200, pedersen: 128, poseidon: 128, ec_ops: 24, blakes: 256 };

/// The least that a proof takes: the prover's own, and the tables that come with the first Blake2s.
const BASE_BYTES: u64 = 2_150_000_000;
const STEP_BYTES: u64 = 1_150;
const RANGE_CHECK_BYTES: u64 = 300;
const BITWISE_BYTES: u64 = 2_000;
/// Of one with inputs that the run hasn't hashed before: the prover makes equal ones once.
const PEDERSEN_BYTES: u64 = 500_000;
/// Rows of these are filled up to a power of two.
const POSEIDON_BYTES: u64 = 525_000;
const BLAKE_BYTES: u64 = 170_000;
const EC_OP_BYTES: u64 = 2_000_000;

/// What a prover pays for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Steps of the machine.
    pub steps: u64,
    /// Range checks, of 128 and of 96 bits.
    pub range_checks: u64,
    /// Instances of the builtin bitwise.
    pub bitwise: u64,
    /// Pedersen hashes of different inputs.
    pub pedersen: u64,
    /// Poseidon permutations.
    pub poseidon: u64,
    /// Instances of the builtin ec_op. A signature has three to seven.
    pub ec_ops: u64,
    /// Compressions of Blake2s: one hashes two felts.
    pub blakes: u64,
}

impl Cost {
    /// What costs nothing.
    pub const ZERO: Self =
        Self { steps: 0, range_checks: 0, bitwise: 0, pedersen: 0, poseidon: 0, ec_ops: 0, blakes: 0 };

    /// The bytes of a prover's memory that a proof of this takes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        let rows = |count: u64, bytes: u64| match count {
            0 => 0,
            count => count.checked_next_power_of_two().map_or(u64::MAX, |rows| rows.saturating_mul(bytes)),
        };
        [
            self.steps.saturating_mul(STEP_BYTES),
            self.range_checks.saturating_mul(RANGE_CHECK_BYTES),
            self.bitwise.saturating_mul(BITWISE_BYTES),
            self.pedersen.saturating_mul(PEDERSEN_BYTES),
            rows(self.poseidon, POSEIDON_BYTES),
            self.ec_ops.saturating_mul(EC_OP_BYTES),
            rows(self.blakes, BLAKE_BYTES),
        ]
        .into_iter()
        .fold(BASE_BYTES, u64::saturating_add)
    }

    fn with(self, other: Self, each: fn(u64, u64) -> u64) -> Self {
        Self {
            steps: each(self.steps, other.steps),
            range_checks: each(self.range_checks, other.range_checks),
            bitwise: each(self.bitwise, other.bitwise),
            pedersen: each(self.pedersen, other.pedersen),
            poseidon: each(self.poseidon, other.poseidon),
            ec_ops: each(self.ec_ops, other.ec_ops),
            blakes: each(self.blakes, other.blakes),
        }
    }

    /// So many times this.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        let count = Self {
            steps: count,
            range_checks: count,
            bitwise: count,
            pedersen: count,
            poseidon: count,
            ec_ops: count,
            blakes: count,
        };
        self.with(count, u64::saturating_mul)
    }

    /// Whether nothing of this is more than there.
    #[must_use]
    pub fn is_within(self, other: Self) -> bool {
        self - other == Self::ZERO
    }

    const fn steps(steps: u64, range_checks: u64) -> Self {
        Self { steps, range_checks, ..Self::ZERO }
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.with(other, u64::saturating_add)
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// What is above zero.
impl Sub for Cost {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.with(other, u64::saturating_sub)
    }
}

/// Hashing so many felts with Blake2s, in one go.
fn blake(felts: u64) -> Cost {
    Cost { blakes: felts / 2 + 1, ..Cost::steps(BLAKE_CALL, 2) + Cost::steps(BLAKE_LARGE, 4).times(felts) }
}

/// Hashing so many felts with Poseidon, in one go.
fn poseidon(felts: u64) -> Cost {
    Cost { poseidon: felts / 2 + 1, ..Cost::steps(POSEIDON_CALL, 0) + Cost::steps(POSEIDON_FELT, 0).times(felts) }
}

/// A squashed dictionary: so many accesses of so many keys.
fn squash(accesses: u64, keys: u64) -> Cost {
    Cost::steps(SQUASH, 4) + Cost::steps(SQUASH_ACCESS, 2).times(accesses) + Cost::steps(SQUASH_KEY, 12).times(keys)
}

/// What hashing the code of a class costs that isn't hashed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// Felts below 2^63: instructions, mostly. Eight go into a compression.
    pub small: u64,
    /// Other felts.
    pub large: u64,
    /// How many pieces they are, each hashed alone.
    pub pieces: u64,
}

impl Code {
    /// One piece.
    pub(crate) fn piece(felts: &[Felt]) -> Self {
        let small = felts.iter().filter(|felt| **felt < Felt::from(1_u64 << 63)).count() as u64;
        Self { small, large: felts.len() as u64 - small, pieces: 1 }
    }

    /// What hashing it costs.
    #[must_use]
    pub fn cost(self) -> Cost {
        let Self { small, large, pieces } = self;
        // Each piece may end in a compression of its own.
        let blakes = (small + 4 * large) / 8 + pieces;
        let felts = Cost::steps(BLAKE_SMALL, 4).times(small) + Cost::steps(BLAKE_LARGE, 4).times(large);
        Cost { blakes, ..felts + Cost::steps(BLAKE_CALL, 2).times(pieces) }
    }
}

impl Add for Code {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { small: self.small + other.small, large: self.large + other.large, pieces: self.pieces + other.pieces }
    }
}

/// What the program goes through when the last transaction has run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Closing {
    /// How many transactions ran.
    pub transactions: u64,
    /// Contracts of the start data.
    pub contracts: u64,
    /// Entries that settle.
    pub settled: u64,
    /// Stays in a contract.
    pub visits: u64,
    /// Accesses of storage.
    pub accesses: u64,
    /// Slots that were accessed.
    pub slots: u64,
    /// Nonces that were used, and by how many accounts.
    pub nonces: (u64, u64),
    /// Calls of session keys, and how many keys there are.
    pub chains: (u64, u64),
    /// How many of these keys made calls in this segment.
    pub called: u64,
    /// Changes of what a contract's escrows hold, and of how many contracts.
    pub slacks: (u64, u64),
    /// What the classes cost whose code wasn't used, and whose code was.
    pub classes: Cost,
}

impl Closing {
    /// What all that costs at most.
    #[must_use]
    pub fn cost(&self) -> Cost {
        let reads = 4 * self.contracts + 2 * self.slots + 2 * self.nonces.1;
        // The state for another segment, were it cut here.
        let state = 7 + self.contracts + 2 * (self.slots + self.nonces.1 + self.slacks.1) + 3 * self.chains.1;
        let signature = Cost { ec_ops: 3, ..Cost::steps(SIGNATURE, 20) } + blake(3);
        squash(self.visits, self.contracts)
            + (squash(0, 0) + Cost::steps(CLOSE_CONTRACT, 8)).times(self.contracts)
            + squash(self.accesses, self.slots)
            + Cost::steps(CLOSE_SLOT, 4).times(self.slots)
            + blake(reads)
            + blake(state)
            + squash(self.nonces.0, self.nonces.1)
            + Cost::steps(CLOSE_NONCE, 0).times(self.nonces.1)
            + squash(self.slacks.0, self.slacks.1)
            + Cost::steps(CLOSE_SLACK, 0).times(self.slacks.1)
            + squash(self.chains.0, self.chains.1)
            + Cost::steps(CLOSE_CHAIN, 2).times(self.chains.1)
            + signature.times(self.called)
            + Cost::steps(CLOSE_LISTS, 0)
            + blake(2 * self.transactions)
            + poseidon(1 + self.settled)
            + self.classes
            + Cost::steps(MAIN, 8)
    }
}

/// What a class costs that no call uses: its entry points, and the hashes of its pieces.
pub(crate) fn unused_class(entry_points: u64, pieces: u64) -> Cost {
    Cost::steps(CHECK_CLASS, 8)
        + (Cost::steps(ENTRY_POINT, 12) + blake(5)).times(entry_points)
        + blake(3 * entry_points)
        + Cost::steps(PIECE, 0).times(pieces)
        + blake(2 * pieces)
        + blake(5)
        + blake(0)
}

/// What begins a segment, at most: so many felts of start data, contracts and entries, and the state that it goes on from.
pub(crate) fn opening(felts: u64, contracts: u64, entries: u64, from: Size) -> Cost {
    let values = from.slots + from.nonces + from.slacks;
    let state = 7 + contracts + 2 * values + 3 * from.chains;
    let hash = if from == Size::default() { Cost::ZERO } else { blake(state) };
    hash + Cost::steps(OPEN_VALUE, 0).times(values + from.chains + contracts + 3)
        + poseidon(felts)
        + poseidon(1 + entries)
        + Cost::steps(OPEN_CONTRACT, 8).times(contracts)
        + Cost::steps(OPEN_ENTRY, 3).times(entries)
        + Cost::steps(MAIN, 8)
}

/// What is known of a transaction that was executed and not replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Whether it is an INVOKE; otherwise it is a session call.
    pub is_invoke: bool,
    /// Felts of its calldata.
    pub calldata: u64,
    /// Its calls, each with the calls that it made.
    pub calls: u64,
    /// System calls of all of them.
    pub syscalls: u64,
    /// Of these, those that write to storage.
    pub writes: u64,
    /// Felts that its calls returned.
    pub returned: u64,
    /// Slots that no transaction before it has touched.
    pub slots: u64,
    /// What the contracts' own code does.
    pub code: Cost,
}

impl Work {
    /// The same in a segment that isn't the run's first: what was touched before and not carried on is read again, so each system call may be for a slot that is new here.
    #[must_use]
    pub fn in_later_segment(&self) -> Self {
        Self { slots: self.slots.max(self.syscalls), ..*self }
    }

    /// What it costs at most, with what it adds to the closing; the code of classes that is used for the first time aside.
    #[must_use]
    pub fn bound(&self) -> Cost {
        // In the first two each may be a call, an access, or both; in the third it is undone and looked at again as well.
        let (visits, accesses) =
            (2 * self.calls + 2 * self.syscalls + 3 * self.writes + 4, self.syscalls + 3 * self.writes + 1);
        // Of each contract whose escrows changed all notes are looked at again.
        let movers = self.writes.min(self.calls);
        let own = if self.is_invoke {
            let hash = poseidon(4) + poseidon(self.calldata) + poseidon(10);
            // Its account's nonce, which may be the first.
            hash + Cost::steps(INVOKE, 24) + squash(1, 1) + Cost::steps(CLOSE_NONCE, 0) + blake(4)
        } else {
            let link = blake(self.calldata + 2) + blake(3) + blake(3);
            let signature = Cost { ec_ops: 3, ..Cost::steps(SIGNATURE + CLOSE_CHAIN, 22) };
            link + Cost { pedersen: 4, ..Cost::steps(SESSION, 24) } + squash(1, 1) + signature
        };
        self.code
            + own
            + Cost::steps(CALL, 40).times(self.calls)
            + Cost::steps(SYSCALL, 8).times(self.syscalls)
            + Cost::steps(WRITE, 8).times(self.writes)
            + Cost::steps(NOTE, 2).times(movers.saturating_mul(self.writes))
            + Cost::steps(RETURNED, 0).times(self.returned)
            + squash(visits + accesses + movers, movers)
            + (Cost::steps(CLOSE_SLACK, 0) + blake(2)).times(movers)
            + squash(0, self.slots + 1)
            + (Cost::steps(CLOSE_SLOT, 4) + blake(4)).times(self.slots + 1)
            + blake(2)
    }
}

#[cfg(test)]
pub(crate) mod ways;

// Steps, at most, of one round of each; see the module's page.
const MAIN: u64 = 500;
const POSEIDON_CALL: u64 = 70;
const POSEIDON_FELT: u64 = 12;
const BLAKE_CALL: u64 = 140;
/// A felt below 2^63, and any other, with their part of a compression.
const BLAKE_SMALL: u64 = 16;
const BLAKE_LARGE: u64 = 38;
const SQUASH: u64 = 30;
const SQUASH_ACCESS: u64 = 12;
const SQUASH_KEY: u64 = 90;
const OPEN_CONTRACT: u64 = 150;
const OPEN_ENTRY: u64 = 46;
/// A value of the state that a segment goes on from.
const OPEN_VALUE: u64 = 14;
const CLOSE_CONTRACT: u64 = 120;
const CLOSE_SLOT: u64 = 170;
const CLOSE_NONCE: u64 = 50;
const CLOSE_SLACK: u64 = 40;
const CLOSE_CHAIN: u64 = 80;
const CLOSE_LISTS: u64 = 120;
/// The check of a signature: 322 steps were measured.
const SIGNATURE: u64 = 400;
const CHECK_CLASS: u64 = 150;
const ENTRY_POINT: u64 = 130;
const PIECE: u64 = 24;
/// An INVOKE's own, its hash aside.
const INVOKE: u64 = 420;
/// A session call's own, its link aside.
const SESSION: u64 = 370;
/// A call's frame, with the check that there is no such entry point and what its caller does.
const CALL: u64 = 420;
/// A system call, whichever it is.
const SYSCALL: u64 = 180;
/// What a write can need beyond that: a note, a look at it, being undone.
const WRITE: u64 = 160;
/// A look at a note for one contract whose escrows changed.
const NOTE: u64 = 20;
/// A felt that a caller compares with its answer.
const RETURNED: u64 = 10;
