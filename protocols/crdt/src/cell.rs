//! What the World keeps for a storage address, what a shard holds of it, and what a shard does to it.

use crate::{Counter, Escrow, Lock, MergeError};
use serde::{Deserialize, Serialize};
use shardwire_model::{AccountId, Felt, Kind, ShardId, Slot};

/// What the World keeps for a storage address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cell {
    /// See [`Counter`].
    Counter(Counter),
    /// See [`Escrow`].
    Escrow(Escrow),
    /// See [`Lock`].
    Lock(Lock),
}

/// What a running shard holds of a storage address; good for one [`Delta`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Claim {
    /// Nothing: counters are never taken.
    Counter,
    /// An amount out of the balance.
    Escrow {
        /// The amount, in whole units.
        amount: u128,
    },
    /// The lock.
    Lock {
        /// The number of this taking.
        fence: u64,
        /// The value when it was taken.
        value: AccountId,
    },
}

/// What a shard did to a storage address. Deltas of different shards commute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delta {
    /// It grew.
    Counter {
        /// By how much.
        increment: u128,
    },
    /// It returns what is left.
    Escrow {
        /// What the shard had at the start.
        deposited: u128,
        /// What it returns.
        returned: u128,
    },
    /// It frees the lock.
    Lock {
        /// The shard that held it.
        shard: ShardId,
        /// The number of that taking.
        fence: u64,
        /// The new value.
        value: AccountId,
    },
}

/// A cell after a shard claimed its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The cell, to be stored.
    pub cell: Cell,
    /// What the shard holds from now on.
    pub claim: Claim,
    /// The value that the shard begins with: where the counter stands, the amount in escrow, the lock's value.
    pub value: Felt,
}

impl Cell {
    /// Whether it is a counter, an escrow or a lock.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Counter(_) => Kind::Counter,
            Self::Escrow(_) => Kind::Escrow,
            Self::Lock(_) => Kind::Lock,
        }
    }

    /// Where the counter stands, the balance, the lock's value.
    #[must_use]
    pub fn value(&self) -> Felt {
        match self {
            Self::Counter(counter) => Felt::from(counter.value()),
            Self::Escrow(escrow) => Felt::from(escrow.balance()),
            Self::Lock(lock) => lock.value().0,
        }
    }

    /// What running shards hold of it; 0 for what is no escrow.
    #[must_use]
    pub const fn in_escrow(&self) -> u128 {
        match self {
            Self::Escrow(escrow) => escrow.in_escrow(),
            _ => 0,
        }
    }

    /// Which shard holds it; none for what is no lock.
    #[must_use]
    pub const fn held_by(&self) -> Option<ShardId> {
        match self {
            Self::Lock(lock) => lock.holder(),
            _ => None,
        }
    }

    /// Claims a starting shard's part, which it knows as of this kind; `amount` is for an escrow.
    ///
    /// # Errors
    /// [`MergeError::Kind`] if it is of another kind, [`MergeError::Balance`] if the balance does not suffice, [`MergeError::Locked`] if a shard
    /// holds the lock.
    pub fn claim(self, slot: Slot, kind: Kind, shard: ShardId, amount: u128) -> Result<Claimed, MergeError> {
        match (self, kind) {
            (Self::Counter(counter), Kind::Counter) => {
                Ok(Claimed { cell: self, claim: Claim::Counter, value: Felt::from(counter.value()) })
            }
            (Self::Escrow(escrow), Kind::Escrow) => Ok(Claimed {
                cell: Self::Escrow(escrow.deposit(slot, amount)?),
                claim: Claim::Escrow { amount },
                value: Felt::from(amount),
            }),
            (Self::Lock(lock), Kind::Lock) => {
                let lock = lock.take(slot, shard)?;
                let claim = Claim::Lock { fence: lock.fence(), value: lock.value() };
                Ok(Claimed { cell: Self::Lock(lock), claim, value: lock.value().0 })
            }
            _ => Err(MergeError::Kind { slot, is: self.kind(), asked: kind }),
        }
    }

    /// Checks that a counter has room for what so many shards may add; anything else has it.
    ///
    /// # Errors
    /// [`MergeError::Room`] if it hasn't.
    pub fn room(&self, slot: Slot, shards: u64) -> Result<(), MergeError> {
        match self {
            Self::Counter(counter) => counter.room(slot, shards),
            Self::Escrow(_) | Self::Lock(_) => Ok(()),
        }
    }

    /// Takes in what a shard did.
    ///
    /// # Errors
    /// [`MergeError::Kind`] if it is of another kind, [`MergeError::Overflow`] if a counter is full, [`MergeError::NotHeld`] if the shard does not
    /// hold the lock.
    pub fn merge(self, slot: Slot, delta: Delta) -> Result<Self, MergeError> {
        match (self, delta) {
            (Self::Counter(counter), Delta::Counter { increment }) => counter.merge(slot, increment).map(Self::Counter),
            (Self::Escrow(escrow), Delta::Escrow { deposited, returned }) => {
                escrow.settle(slot, deposited, returned).map(Self::Escrow)
            }
            (Self::Lock(lock), Delta::Lock { shard, fence, value }) => {
                lock.release(slot, shard, fence, value).map(Self::Lock)
            }
            _ => Err(MergeError::Kind { slot, is: self.kind(), asked: delta.kind() }),
        }
    }
}

impl Claim {
    /// The kind of what is held.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Counter => Kind::Counter,
            Self::Escrow { .. } => Kind::Escrow,
            Self::Lock { .. } => Kind::Lock,
        }
    }
}

impl Delta {
    /// The kind that it merges into.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Counter { .. } => Kind::Counter,
            Self::Escrow { .. } => Kind::Escrow,
            Self::Lock { .. } => Kind::Lock,
        }
    }
}
