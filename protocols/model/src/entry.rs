//! What a shard's settlement list is of, the event that ends a shard, and how much of each there may be.

use crate::{
    Slot,
    felt::{ContractId, Felt, Key, Selector, starknet_keccak},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Most accounts a shard may whitelist. Each that acts costs the prover one signature (about 65 ms).
pub const MAX_ACCOUNTS: usize = 256;
/// Most contracts a shard may whitelist: as many accounts as there may be, which in a shard of contracts are contracts, and 64 others.
pub const MAX_CONTRACTS: usize = 320;
/// Most storage addresses a shard may settle.
pub const MAX_ENTRIES: usize = 1024;

/// How a storage address merges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Only grows; increments of parallel shards add up.
    Counter,
    /// An amount taken out of a balance, which the shard alone may spend; the rest returns.
    Escrow,
    /// A value that one shard at a time may change.
    Lock,
}

impl Kind {
    /// The number that stands for it in the shard program and its output.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Counter => 1,
            Self::Escrow => 2,
            Self::Lock => 3,
        }
    }

    /// The kind with this number.
    #[must_use]
    pub fn from_felt(felt: Felt) -> Option<Self> {
        [Self::Counter, Self::Escrow, Self::Lock].into_iter().find(|kind| felt == Felt::from(kind.number()))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Escrow => "escrow",
            Self::Lock => "lock",
        })
    }
}

/// The event that ends a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventId {
    /// The contract that emits it.
    pub from: ContractId,
    /// Its selector.
    pub selector: Selector,
}

/// The selector of the event that [`Call::Finish`](crate::Call::Finish) emits.
#[must_use]
pub fn finished_selector() -> Selector {
    Selector(starknet_keccak("Finished"))
}

/// One storage address that a shard may touch and will settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Whether it is a counter, an escrow or a lock.
    pub kind: Kind,
    /// The contract whose storage it is; only transactions to that contract touch it.
    pub contract: ContractId,
    /// The storage address.
    pub key: Key,
    /// Whose it is: for an escrow the account that may spend it (zero in a shard of contracts, which decide that), for a lock the shard that holds
    /// it, for a counter zero.
    #[serde(with = "crate::felt::wire")]
    pub guard: Felt,
}

impl Entry {
    /// Which storage slot it is of.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        Slot::new(self.contract, self.key)
    }
}
