//! What is asked about the World that a settler keeps. In JSON as well: these types are what `--json` prints.

use crate::size;
use serde::{Deserialize, Serialize};
use shardwire_model::{ContractId, Felt, Key, Kind, ShardId, Slot, amount, bounded, felt};

/// Most storage addresses in one response.
pub const MAX_STORAGE_LISTED: usize = 1024;

/// What a settler may be asked about the World.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "WorldRequest", rename_all = "snake_case")]
pub enum Request {
    /// Its storage, in the order of the slots. Answer: [`Response::Storage`].
    Storage {
        /// Only what comes after this slot.
        after: Option<Slot>,
    },
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "WorldResponse", rename_all = "snake_case")]
pub enum Response {
    /// A page of the World's storage.
    Storage {
        /// In the order of the slots.
        #[serde(deserialize_with = "bounded::list::<_, _, MAX_STORAGE_LISTED>")]
        storage: Vec<StorageStatus>,
        /// Whether there is another page after the last slot.
        more: bool,
    },
}

impl Response {
    pub(super) fn within_bounds(mut self) -> Self {
        let Self::Storage { storage, more } = &mut self;
        *more |= storage.len() > MAX_STORAGE_LISTED;
        storage.truncate(MAX_STORAGE_LISTED);
        self
    }
}

/// How a storage address of the World is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageStatus {
    /// The contract whose storage it is.
    pub contract: ContractId,
    /// The storage address.
    pub key: Key,
    /// Whether it is a counter, an escrow or a lock.
    pub kind: Kind,
    /// Its value; of an escrow, what isn't in any shard.
    #[serde(with = "felt::wire")]
    pub value: Felt,
    /// Of an escrow: how much is in shards.
    #[serde(with = "amount")]
    pub in_escrow: u128,
    /// Of a lock: the shard that holds it.
    pub held_by: Option<ShardId>,
}

impl StorageStatus {
    /// Which storage slot it is of.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        Slot::new(self.contract, self.key)
    }
}

pub(super) const REQUEST: u32 = size::TAG + (size::TAG + 2 * size::FELT);
/// Contract, key, kind, value, amount in escrow, holder.
const STORAGE: u32 = 2 * size::FELT + size::TAG + size::FELT + size::U128 + (size::TAG + size::FELT);
pub(super) const RESPONSE: u32 = size::TAG + size::list(MAX_STORAGE_LISTED, STORAGE) + size::TAG;
