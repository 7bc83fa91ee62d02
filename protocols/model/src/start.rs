//! What a shard is started with.
//!
//! A [`StartRequest`](crate::StartRequest) is what somebody asks the World for; a [`ShardStart`] is what the World fixed. Both are refused by
//! [`ShardStart::validate`] where they contradict themselves, before anything moves. What holds for shards of one kind alone is in their
//! [`Terms`].

use crate::{
    PeerId, Slot, Timestamp, bounded,
    entry::{Entry, EventId, MAX_ACCOUNTS, MAX_CONTRACTS, MAX_ENTRIES},
    felt::{AccountId, ContractId, Felt, ShardId},
    terms::Terms,
};
use serde::{Deserialize, Serialize};

/// What the World fixed when the shard started: the whole of what the shard may touch, and when it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardStart {
    /// Its name.
    pub shard: ShardId,
    /// The hash of the program that executes it: no proof of another program settles it.
    #[serde(with = "crate::felt::wire")]
    pub program: Felt,
    /// Who executes it.
    pub operator: PeerId,
    /// Whitelisted contracts, at most [`MAX_CONTRACTS`].
    #[serde(deserialize_with = "bounded::wire_list::<_, _, MAX_CONTRACTS>")]
    pub contracts: Vec<ContractId>,
    /// Whitelisted accounts, at most [`MAX_ACCOUNTS`].
    #[serde(deserialize_with = "bounded::wire_list::<_, _, MAX_ACCOUNTS>")]
    pub accounts: Vec<AccountId>,
    /// The event that ends it.
    pub end_event: EventId,
    /// Until when nobody may abort it for being late.
    pub deadline: Timestamp,
    /// The settlement list, at most [`MAX_ENTRIES`]: nothing else appears in the output.
    #[serde(deserialize_with = "bounded::wire_list::<_, _, MAX_ENTRIES>")]
    pub entries: Vec<Entry>,
    /// What its program needs to know beyond that.
    #[serde(default)]
    pub terms: Terms,
}

impl ShardStart {
    /// Whether it names no program: it is of [ABI 1](crate::abi_1), and nothing executes, proves or settles it any more.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        self.program == Felt::ZERO
    }

    /// Where this contract is in the whitelist.
    #[must_use]
    pub fn contract_index(&self, contract: ContractId) -> Option<usize> {
        self.contracts.iter().position(|it| *it == contract)
    }

    /// Where this account is in the whitelist.
    #[must_use]
    pub fn account_index(&self, account: AccountId) -> Option<usize> {
        self.accounts.iter().position(|it| *it == account)
    }

    /// Where this slot is in the settlement list.
    #[must_use]
    pub fn entry_index(&self, slot: Slot) -> Option<usize> {
        self.entries.iter().position(|it| it.slot() == slot)
    }
}
