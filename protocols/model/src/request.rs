//! What somebody asks the World for: a shard over some of its storage.

use crate::{
    Felt, Hash, PeerId, Slot, Timestamp, bounded,
    entry::{Entry, EventId, Kind, MAX_ACCOUNTS, MAX_CONTRACTS, MAX_ENTRIES},
    felt::{AccountId, ContractId, Key, ShardId},
    start::ShardStart,
    terms::Terms,
    validity::StartError,
};
use serde::{Deserialize, Serialize};

/// One storage address that somebody asks a shard to be started over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRequest {
    /// Whether it is a counter, an escrow or a lock.
    pub kind: Kind,
    /// The contract whose storage it is.
    pub contract: ContractId,
    /// The storage address.
    pub key: Key,
    /// For an escrow of a shard of rules: the account that may spend it. Absent otherwise.
    #[serde(default)]
    pub owner: Option<AccountId>,
    /// For an escrow: how much moves from the balance to the shard. Zero otherwise.
    #[serde(default, with = "crate::amount")]
    pub amount: u128,
}

impl EntryRequest {
    /// Which storage slot it is of.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        Slot::new(self.contract, self.key)
    }
}

/// What somebody asks the World for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartRequest {
    /// Chosen by the requester: the same request with the same salt is the same shard, and starts once.
    pub salt: u64,
    /// The hash of the program that will execute it.
    #[serde(with = "crate::felt::wire")]
    pub program: Felt,
    /// Who will execute it.
    pub operator: PeerId,
    /// The contracts whose storage it may touch.
    #[serde(deserialize_with = "bounded::wire_list::<_, _, MAX_CONTRACTS>")]
    pub contracts: Vec<ContractId>,
    /// The accounts whose transactions it takes.
    #[serde(deserialize_with = "bounded::wire_list::<_, _, MAX_ACCOUNTS>")]
    pub accounts: Vec<AccountId>,
    /// The event that ends it.
    pub end_event: EventId,
    /// What it may touch.
    #[serde(deserialize_with = "bounded::wire_list::<_, _, MAX_ENTRIES>")]
    pub entries: Vec<EntryRequest>,
    /// What its program needs to know beyond that.
    #[serde(default)]
    pub terms: Terms,
}

impl StartRequest {
    /// The shard that this request starts in the network of this name: a hash of all of it, so that a request repeated is
    /// the same shard, and no two networks share one.
    #[must_use]
    pub fn shard_id(&self, network: &str) -> ShardId {
        let felts = |it: &mut dyn Iterator<Item = Felt>| it.flat_map(|felt| felt.to_bytes_be()).collect::<Vec<u8>>();
        let entries: Vec<u8> = self
            .entries
            .iter()
            .flat_map(|entry| {
                let owner = entry.owner.unwrap_or_default().0;
                let head =
                    [Felt::from(entry.kind.number()), entry.contract.0, entry.key.0, owner, Felt::from(entry.amount)];
                head.into_iter().flat_map(|felt| felt.to_bytes_be())
            })
            .collect();
        let (salt, program) = (self.salt.to_le_bytes(), self.program.to_bytes_be());
        let contracts = felts(&mut self.contracts.iter().map(|c| c.0));
        let accounts = felts(&mut self.accounts.iter().map(|a| a.0));
        let end_event = felts(&mut [self.end_event.from.0, self.end_event.selector.0].into_iter());
        let terms = self.terms.hashed();
        let mut parts: Vec<&[u8]> = vec![network.as_bytes(), &salt, &program, &self.operator.0];
        parts.extend([&contracts, &accounts, &end_event, &entries].map(Vec::as_slice));
        parts.extend(terms.iter().map(Vec::as_slice));
        let mut hash = Hash::of_parts("shardwire shard", &parts);
        hash.0[0] &= 0x03; // 250 bits: always below the prime.
        ShardId(Felt::from_bytes_be(&hash.0))
    }

    /// The start data that follows from this request and a deadline, which is the World's to give.
    #[must_use]
    pub fn to_start(&self, network: &str, deadline: Timestamp) -> ShardStart {
        let shard = self.shard_id(network);
        let guard = |entry: &EntryRequest| match entry.kind {
            Kind::Counter => Felt::ZERO,
            Kind::Escrow => entry.owner.unwrap_or_default().0,
            Kind::Lock => shard.0,
        };
        ShardStart {
            shard,
            program: self.program,
            operator: self.operator,
            contracts: self.contracts.clone(),
            accounts: self.accounts.clone(),
            end_event: self.end_event,
            deadline,
            entries: self
                .entries
                .iter()
                .map(|e| Entry { kind: e.kind, contract: e.contract, key: e.key, guard: guard(e) })
                .collect(),
            terms: self.terms.clone(),
        }
    }

    /// Refuses what [`ShardStart::validate`] refuses, and owners or amounts where they have no meaning.
    ///
    /// # Errors
    /// [`StartError::NotEscrow`] for an owner or an amount of what is no escrow; the others as [`ShardStart::validate`].
    pub fn validate(&self, network: &str, deadline: Timestamp) -> Result<ShardStart, StartError> {
        let misplaced = |e: &&EntryRequest| e.kind != Kind::Escrow && (e.owner.is_some() || e.amount != 0);
        if let Some(entry) = self.entries.iter().find(misplaced) {
            return Err(StartError::NotEscrow { kind: entry.kind, slot: entry.slot() });
        }
        let start = self.to_start(network, deadline);
        start.validate().map(|()| start)
    }
}
