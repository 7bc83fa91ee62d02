//! Why a claim or a merge is refused.

use shardwire_model::{AccountId, Coded, ContractId, Felt, Kind, MAX_INCREMENT, ShardId, Slot};
use std::fmt;

/// A sum of amounts: at most 2^32 of them, so nothing is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sum {
    /// How often it went beyond 2^128. First, because sums are compared.
    carry: u32,
    low: u128,
}

impl Sum {
    /// This sum and an amount more.
    #[must_use]
    pub const fn plus(self, amount: u128) -> Self {
        let (low, carried) = self.low.overflowing_add(amount);
        Self { carry: self.carry.saturating_add(carried as u32), low }
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.carry == 0 { self.low.fmt(f) } else { f.write_str("2^128 or more") }
    }
}

/// Why a claim or a merge is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// A counter is full.
    #[error("counter {slot} stands at {value} and can't grow by {increment}: that is beyond 2^128 - 1")]
    Overflow {
        /// The counter.
        slot: Slot,
        /// Where it stands.
        value: u128,
        /// What was to be added.
        increment: u128,
    },
    /// A balance does not suffice.
    #[error("escrow {slot} needs {needs}, but its balance is {has}")]
    Balance {
        /// The storage slot.
        slot: Slot,
        /// The balance.
        has: u128,
        /// What was asked for.
        needs: u128,
    },
    /// A shard holds the lock.
    #[error("lock {slot} is held by shard {by}")]
    Locked {
        /// The lock.
        slot: Slot,
        /// The shard that holds it.
        by: ShardId,
    },
    /// A shard that does not hold the lock, or no longer.
    #[error("lock {slot} is not held by shard {shard}")]
    NotHeld {
        /// The lock.
        slot: Slot,
        /// The shard that thought so.
        shard: ShardId,
    },
    /// It merges in another way.
    #[error("storage slot {slot} is of kind {is}, not {asked}")]
    Kind {
        /// The storage slot.
        slot: Slot,
        /// Its kind.
        is: Kind,
        /// What was asked for.
        asked: Kind,
    },
    /// An output with too many or too few updates.
    #[error("the output has {got} updates, the settlement list {expected}")]
    Length {
        /// The settlement list's length.
        expected: usize,
        /// How many updates there are.
        got: usize,
    },
    /// An output with updates of something else.
    #[error("update {index} is of {} {}, where the settlement list has {} {}", got.0, got.1, expected.0, expected.1)]
    Order {
        /// The position in the list, from 0.
        index: usize,
        /// What the list has there.
        expected: (Kind, Slot),
        /// What the output has there.
        got: (Kind, Slot),
    },
    /// A value that is no number below 2^128.
    #[error("the value {value:#x} of {kind} {slot} is not below 2^128")]
    Range {
        /// Its kind.
        kind: Kind,
        /// The storage slot.
        slot: Slot,
        /// The value.
        value: Felt,
    },
    /// A lock's value that the shard can't have given it.
    #[error("lock {slot} was given to {account}, which is not an account of the shard")]
    Owner {
        /// The lock.
        slot: Slot,
        /// Whom it was given to.
        account: AccountId,
    },
    /// Value out of nothing.
    #[error("the escrows of contract {contract} return {returned}, but held {deposited}")]
    Created {
        /// The contract.
        contract: ContractId,
        /// What they held at the start, in sum.
        deposited: Sum,
        /// What they return, in sum.
        returned: Sum,
    },
    /// A shard that added more to a counter than any may.
    #[error("counter {slot} grew by {increment}, and a shard adds at most {MAX_INCREMENT}")]
    Increment {
        /// The counter.
        slot: Slot,
        /// What was to be added.
        increment: u128,
    },
    /// A counter that is too full for another shard.
    #[error(
        "counter {slot} stands at {value}: below 2^128 it has no room for {shards} open shards, which may add {MAX_INCREMENT} each"
    )]
    Room {
        /// The counter.
        slot: Slot,
        /// Where it stands.
        value: u128,
        /// How many shards would be open.
        shards: u64,
    },
    /// A cell that these rules could not have led to.
    #[error("what is stored for {slot} contradicts what its shards hold")]
    Unbalanced {
        /// The storage slot.
        slot: Slot,
    },
}

impl Coded for MergeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Overflow { .. } => "SW-MERGE-001",
            Self::Balance { .. } => "SW-MERGE-002",
            Self::Locked { .. } => "SW-MERGE-003",
            Self::NotHeld { .. } => "SW-MERGE-004",
            Self::Kind { .. } => "SW-MERGE-005",
            Self::Length { .. } => "SW-MERGE-006",
            Self::Order { .. } => "SW-MERGE-007",
            Self::Range { .. } => "SW-MERGE-008",
            Self::Owner { .. } => "SW-MERGE-009",
            Self::Created { .. } => "SW-MERGE-010",
            Self::Unbalanced { .. } => "SW-MERGE-011",
            Self::Increment { .. } => "SW-MERGE-012",
            Self::Room { .. } => "SW-MERGE-013",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Overflow { .. } => {
                "Abort the shard, so that its escrows and locks return: this counter is full.".into()
            }
            Self::Balance { .. } => {
                "Ask for less, or wait until running shards return what they hold: `shardwire world show` lists it."
                    .into()
            }
            Self::Locked { by, .. } => {
                format!("Wait until that shard is settled or aborted: `shardwire shard status {by}`.")
            }
            Self::Kind { is, .. } => format!("List the storage slot as {is}."),
            Self::NotHeld { .. }
            | Self::Length { .. }
            | Self::Order { .. }
            | Self::Range { .. }
            | Self::Owner { .. }
            | Self::Created { .. }
            | Self::Increment { .. } => {
                "Refuse this output: an honest run of the shard has another one. Ask another operator or prover for it."
                    .into()
            }
            Self::Room { shards: 1, .. } => "List another counter: this one is as good as full.".into(),
            Self::Room { .. } => {
                "Wait until open shards are settled or aborted (`shardwire shard status` lists them), or list another counter."
                    .into()
            }
            Self::Unbalanced { .. } => {
                "Stop the node and check its ledger; restore it from a copy if it is damaged.".into()
            }
        }
    }
}
