//! A balance, out of which each shard gets an amount of its own.

use crate::MergeError;
use serde::{Deserialize, Serialize};
use shardwire_model::Slot;

/// A balance, and how much of it shards hold in escrow at the moment.
///
/// How much each shard holds is in its [`Claim`](crate::Claim), so any number of shards may hold escrow of one balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escrow {
    balance: u128,
    in_escrow: u128,
}

impl Escrow {
    /// A balance that no shard holds anything of.
    #[must_use]
    pub const fn new(balance: u128) -> Self {
        Self { balance, in_escrow: 0 }
    }

    /// What a new shard can have of it.
    #[must_use]
    pub const fn balance(self) -> u128 {
        self.balance
    }

    /// What running shards hold.
    #[must_use]
    pub const fn in_escrow(self) -> u128 {
        self.in_escrow
    }

    /// Moves an amount from the balance to a shard.
    ///
    /// # Errors
    /// [`MergeError::Balance`] if the balance does not suffice, [`MergeError::Unbalanced`] if shards would hold more than 2^128 - 1.
    pub fn deposit(self, slot: Slot, amount: u128) -> Result<Self, MergeError> {
        let short = MergeError::Balance { slot, has: self.balance, needs: amount };
        let balance = self.balance.checked_sub(amount).ok_or(short)?;
        let in_escrow = self.in_escrow.checked_add(amount).ok_or(MergeError::Unbalanced { slot })?;
        Ok(Self { balance, in_escrow })
    }

    /// Takes back what is left of a shard's amount, or, where others of the shard passed some on to it, what it grew to.
    /// That all of a shard's escrows together did not grow is [`settlement`](crate::settlement)'s to see.
    ///
    /// # Errors
    /// [`MergeError::Unbalanced`] if less than `deposited` is out, or the balance would exceed 2^128 - 1: neither happens to a ledger that obeys these rules and
    /// began with balances which together stay below 2^128.
    pub fn settle(self, slot: Slot, deposited: u128, returned: u128) -> Result<Self, MergeError> {
        let in_escrow = self.in_escrow.checked_sub(deposited).ok_or(MergeError::Unbalanced { slot })?;
        let balance = self.balance.checked_add(returned).ok_or(MergeError::Unbalanced { slot })?;
        Ok(Self { balance, in_escrow })
    }
}
