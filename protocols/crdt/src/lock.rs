//! A value that one shard at a time may change.

use crate::MergeError;
use serde::{Deserialize, Serialize};
use shardwire_model::{AccountId, ShardId, Slot};

/// A value, here the account that owns something unique, which only the shard that holds the lock may change.
///
/// Each taking has a number of its own, one more than the one before (fencing): a shard that comes late with an old number is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    value: AccountId,
    fence: u64,
    holder: Option<ShardId>,
}

impl Lock {
    /// A lock that nobody holds.
    #[must_use]
    pub const fn new(value: AccountId) -> Self {
        Self { value, fence: 0, holder: None }
    }

    /// Whom the thing belongs to. While a shard holds the lock: before that shard began.
    #[must_use]
    pub const fn value(self) -> AccountId {
        self.value
    }

    /// The number of the latest taking; 0 before the first.
    #[must_use]
    pub const fn fence(self) -> u64 {
        self.fence
    }

    /// The shard that holds it.
    #[must_use]
    pub const fn holder(self) -> Option<ShardId> {
        self.holder
    }

    /// Gives it to a shard. The new [`fence`](Self::fence) is that shard's.
    ///
    /// # Errors
    /// [`MergeError::Locked`] if a shard holds it, be it the same one.
    pub fn take(self, slot: Slot, shard: ShardId) -> Result<Self, MergeError> {
        if let Some(by) = self.holder {
            return Err(MergeError::Locked { slot, by });
        }
        let fence = self.fence.checked_add(1).ok_or(MergeError::Unbalanced { slot })?;
        Ok(Self { value: self.value, fence, holder: Some(shard) })
    }

    /// Frees it, with the value that the shard left there.
    ///
    /// # Errors
    /// [`MergeError::NotHeld`] if this shard does not hold it, or not with this fencing number.
    pub fn release(self, slot: Slot, shard: ShardId, fence: u64, value: AccountId) -> Result<Self, MergeError> {
        if self.holder != Some(shard) || self.fence != fence {
            return Err(MergeError::NotHeld { slot, shard });
        }
        Ok(Self { value, fence, holder: None })
    }
}
