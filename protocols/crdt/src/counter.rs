//! A number that only grows.

use crate::MergeError;
use serde::{Deserialize, Serialize};
use shardwire_model::Key;

/// A number that only grows: the increments of parallel shards add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    value: u64,
}

impl Counter {
    /// A counter that stands at `value`.
    #[must_use]
    pub const fn new(value: u64) -> Self {
        Self { value }
    }

    /// Where it stands.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.value
    }

    /// Takes in what a shard counted.
    ///
    /// # Errors
    /// If it would exceed 2^64 - 1. This is the one refusal that depends on the order of settlements, because it is a full counter that refuses.
    pub fn merge(self, key: Key, increment: u64) -> Result<Self, MergeError> {
        let value =
            self.value.checked_add(increment).ok_or(MergeError::Overflow { key, value: self.value, increment })?;
        Ok(Self { value })
    }
}
