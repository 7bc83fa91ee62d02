//! A number that only grows.

use crate::MergeError;
use serde::{Deserialize, Serialize};
use shardwire_model::{MAX_INCREMENT, Slot};

/// A number that only grows: the increments of parallel shards add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    value: u128,
}

impl Counter {
    /// A counter that stands at `value`.
    #[must_use]
    pub const fn new(value: u128) -> Self {
        Self { value }
    }

    /// Where it stands.
    #[must_use]
    pub const fn value(self) -> u128 {
        self.value
    }

    /// Checks that there is room for what so many shards may add, [`MAX_INCREMENT`] each. If that holds with each start, for all shards that are open and the
    /// new one, no shard meets a full counter.
    ///
    /// # Errors
    /// [`MergeError::Room`] if there isn't.
    pub fn room(self, slot: Slot, shards: u64) -> Result<(), MergeError> {
        let value = self.value;
        let most = u128::from(shards).checked_mul(MAX_INCREMENT).and_then(|most| value.checked_add(most));
        most.map(drop).ok_or(MergeError::Room { slot, value, shards })
    }

    /// Takes in what a shard counted.
    ///
    /// # Errors
    /// [`MergeError::Overflow`] if it would exceed 2^128 - 1. This is the one refusal that depends on the order of settlements, because it is a full counter that refuses.
    pub fn merge(self, slot: Slot, increment: u128) -> Result<Self, MergeError> {
        let value =
            self.value.checked_add(increment).ok_or(MergeError::Overflow { slot, value: self.value, increment })?;
        Ok(Self { value })
    }
}
