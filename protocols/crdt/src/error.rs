//! Why a claim or a merge is refused.

use shardwire_model::{AccountId, Coded, ContractId, Felt, Key, Kind, ShardId};

/// Why a claim or a merge is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// A counter is full.
    #[error("counter {key} stands at {value} and can't grow by {increment}: that is beyond 2^64 - 1")]
    Overflow {
        /// The counter.
        key: Key,
        /// Where it stands.
        value: u64,
        /// What was to be added.
        increment: u64,
    },
    /// A balance does not suffice.
    #[error("escrow {key} needs {needs}, but its balance is {has}")]
    Balance {
        /// The storage address.
        key: Key,
        /// The balance.
        has: u64,
        /// What was asked for.
        needs: u64,
    },
    /// A shard holds the lock.
    #[error("lock {key} is held by shard {by}")]
    Locked {
        /// The lock.
        key: Key,
        /// The shard that holds it.
        by: ShardId,
    },
    /// A shard that does not hold the lock, or no longer.
    #[error("lock {key} is not held by shard {shard}")]
    NotHeld {
        /// The lock.
        key: Key,
        /// The shard that thought so.
        shard: ShardId,
    },
    /// It merges in another way.
    #[error("storage address {key} is of kind {is}, not {asked}")]
    Kind {
        /// The storage address.
        key: Key,
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
        expected: (Kind, Key),
        /// What the output has there.
        got: (Kind, Key),
    },
    /// A value that is no number below 2^64.
    #[error("the value {value:#x} of {kind} {key} is not below 2^64")]
    Range {
        /// Its kind.
        kind: Kind,
        /// The storage address.
        key: Key,
        /// The value.
        value: Felt,
    },
    /// A lock's value that the shard can't have given it.
    #[error("lock {key} was given to {account}, which is not an account of the shard")]
    Owner {
        /// The lock.
        key: Key,
        /// Whom it was given to.
        account: AccountId,
    },
    /// Value out of nothing.
    #[error("the escrows of contract {contract} return {returned}, but held {deposited}")]
    Created {
        /// The contract.
        contract: ContractId,
        /// What they held at the start, in sum.
        deposited: u128,
        /// What they return, in sum.
        returned: u128,
    },
    /// A cell that these rules could not have led to.
    #[error("what is stored for {key} contradicts what its shards hold")]
    Unbalanced {
        /// The storage address.
        key: Key,
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
            Self::Kind { is, .. } => format!("List the storage address as {is}."),
            Self::NotHeld { .. }
            | Self::Length { .. }
            | Self::Order { .. }
            | Self::Range { .. }
            | Self::Owner { .. }
            | Self::Created { .. } => {
                "Refuse this output: an honest run of the shard has another one. Ask another operator or prover for it."
                    .into()
            }
            Self::Unbalanced { .. } => {
                "Stop the node and check its ledger; restore it from a copy if it is damaged.".into()
            }
        }
    }
}
