//! Start data and requests as records had them before shards had [`Terms`]: all were of the fixed rules.
//!
//! These types are read by the migrations of records and of the World, and by nothing else. Everything in them means what it does today.

use crate::{
    AccountId, ContractId, Entry, EntryRequest, EventId, Felt, PeerId, ShardId, ShardStart, StartRequest, Terms,
    Timestamp, felt,
};
use serde::{Deserialize, Serialize};

/// Start data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The shard.
    pub shard: ShardId,
    /// The hash of its program.
    #[serde(with = "felt::wire")]
    pub program: Felt,
    /// Who executes it.
    pub operator: PeerId,
    /// Whitelisted contracts.
    pub contracts: Vec<ContractId>,
    /// Whitelisted accounts.
    pub accounts: Vec<AccountId>,
    /// The event that ends it.
    pub end_event: EventId,
    /// Until when nobody may abort it for being late.
    pub deadline: Timestamp,
    /// The settlement list.
    pub entries: Vec<Entry>,
}

impl Start {
    /// As start data is today.
    #[must_use]
    pub fn into_present(self) -> ShardStart {
        let Self { shard, program, operator, contracts, accounts, end_event, deadline, entries } = self;
        let terms = Terms::Rules;
        ShardStart { shard, program, operator, contracts, accounts, end_event, deadline, entries, terms }
    }
}

/// What somebody asked the World for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the requester.
    pub salt: u64,
    /// The hash of the program.
    #[serde(with = "felt::wire")]
    pub program: Felt,
    /// Who was to execute it.
    pub operator: PeerId,
    /// The contracts whose storage it might touch.
    pub contracts: Vec<ContractId>,
    /// The accounts whose transactions it took.
    pub accounts: Vec<AccountId>,
    /// The event that ended it.
    pub end_event: EventId,
    /// What it might touch.
    pub entries: Vec<EntryRequest>,
}

impl Request {
    /// As requests are today. Its shard is the same.
    #[must_use]
    pub fn into_present(self) -> StartRequest {
        let Self { salt, program, operator, contracts, accounts, end_event, entries } = self;
        StartRequest { salt, program, operator, contracts, accounts, end_event, entries, terms: Terms::Rules }
    }
}

impl From<&StartRequest> for Request {
    /// All of a request but its terms.
    fn from(request: &StartRequest) -> Self {
        let StartRequest { salt, program, operator, contracts, accounts, end_event, entries, terms: _ } = request;
        Self {
            salt: *salt,
            program: *program,
            operator: *operator,
            contracts: contracts.clone(),
            accounts: accounts.clone(),
            end_event: *end_event,
            entries: entries.clone(),
        }
    }
}
