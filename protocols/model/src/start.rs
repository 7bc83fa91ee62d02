//! What a shard is started with, and the commitments to it.
//!
//! A [`StartRequest`](crate::StartRequest) is what somebody asks the World for; a [`ShardStart`] is what the World fixed. Both are refused by
//! [`ShardStart::validate`] where they contradict themselves, before anything moves. What holds for shards of one kind alone is in their
//! [`Terms`].

use crate::{
    Coded, PeerId, Slot, Timestamp, abi_1, bounded, contracts,
    felt::{AccountId, ContractId, Felt, Key, Selector, ShardId, starknet_keccak},
    terms::Terms,
};
use serde::{Deserialize, Serialize};
use starknet_types_core::hash::{Poseidon, StarkHash};
use std::{collections::BTreeSet, fmt};

/// The version of the output's and the start data's layout.
pub const ABI_VERSION: u64 = 2;
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

/// A start that can't be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A list is empty or longer than its bound.
    #[error("{what}: {got} given, 1 to {max} allowed")]
    Size {
        /// What the list is of, such as "account".
        what: &'static str,
        /// How many elements it has.
        got: usize,
        /// How many it may have at most.
        max: usize,
    },
    /// Something is listed twice.
    #[error("{what} {which} is listed twice")]
    Twice {
        /// What the list is of, such as "account".
        what: &'static str,
        /// The element that occurs twice, as it is written.
        which: String,
    },
    /// An entry or the end event names a contract that is not whitelisted.
    #[error("{what} names contract {contract}, which is not whitelisted")]
    ForeignContract {
        /// What names it.
        what: String,
        /// The contract.
        contract: ContractId,
    },
    /// An escrow whose owner is not a whitelisted account.
    #[error("escrow {slot} belongs to {owner:#x}, which is not a whitelisted account")]
    ForeignOwner {
        /// The escrow.
        slot: Slot,
        /// Its owner.
        owner: Felt,
    },
    /// An owner or an amount on an entry that has none.
    #[error("{kind} {slot} can't have an owner or an amount: only escrows do")]
    NotEscrow {
        /// Its kind.
        kind: Kind,
        /// The entry.
        slot: Slot,
    },
    /// A counter or a lock with a guard that is not its own.
    #[error("{kind} {slot} has a wrong guard")]
    Guard {
        /// Its kind.
        kind: Kind,
        /// The entry.
        slot: Slot,
    },
    /// The terms of a shard of contracts contradict themselves or the rest.
    #[error(transparent)]
    Contracts(#[from] contracts::StartError),
    /// The event can't be emitted by any transaction.
    #[error("the end event's selector {selector} is none that a transaction can emit, so the shard could never end")]
    Endless {
        /// The selector.
        selector: Selector,
    },
}

impl Coded for StartError {
    fn code(&self) -> &'static str {
        match self {
            Self::Size { .. } => "SW-START-001",
            Self::Twice { .. } => "SW-START-002",
            Self::ForeignContract { .. } => "SW-START-003",
            Self::ForeignOwner { .. } => "SW-START-004",
            Self::NotEscrow { .. } => "SW-START-005",
            Self::Guard { .. } => "SW-START-006",
            Self::Contracts(error) => error.code(),
            Self::Endless { .. } => "SW-START-007",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Size { .. } => "Split the work over several shards, or list what is missing.".into(),
            Self::Twice { .. } => "Remove one of the two.".into(),
            Self::ForeignContract { .. } => "Add the contract to the whitelist, or correct the address.".into(),
            Self::ForeignOwner { .. } => "Add the account to the whitelist, or correct the owner.".into(),
            Self::NotEscrow { .. } => "Remove the owner and the amount, or make it an escrow.".into(),
            Self::Guard { .. } => "Take the start data from the World as it is.".into(),
            Self::Contracts(error) => error.next_step(),
            Self::Endless { .. } => {
                format!("Use the selector of the event 'Finished': {}.", finished_selector())
            }
        }
    }
}

fn listed<T: Ord + fmt::Display + Copy>(what: &'static str, list: &[T], max: usize) -> Result<BTreeSet<T>, StartError> {
    if list.is_empty() || list.len() > max {
        return Err(StartError::Size { what, got: list.len(), max });
    }
    let mut set = BTreeSet::new();
    match list.iter().find(|it| !set.insert(**it)) {
        Some(again) => Err(StartError::Twice { what, which: again.to_string() }),
        None => Ok(set),
    }
}

impl ShardStart {
    /// Whether it names no program: it is of [ABI 1](abi_1), and nothing executes, proves or settles it any more.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        self.program == Felt::ZERO
    }

    /// Refuses start data that contradicts itself or exceeds a bound.
    ///
    /// # Errors
    /// [`StartError::Size`] if a list is empty or too long, [`StartError::Twice`], [`StartError::ForeignContract`], [`StartError::ForeignOwner`], [`StartError::NotEscrow`],
    /// [`StartError::Guard`] or [`StartError::Endless`] if it contradicts itself, [`StartError::Contracts`] if its terms do: the first that is found.
    pub fn validate(&self) -> Result<(), StartError> {
        let contracts = listed("contract", &self.contracts, MAX_CONTRACTS)?;
        let accounts = listed("account", &self.accounts, MAX_ACCOUNTS)?;
        let slots: Vec<Slot> = self.entries.iter().map(Entry::slot).collect();
        listed("storage slot", &slots, MAX_ENTRIES)?;
        if !contracts.contains(&self.end_event.from) {
            return Err(StartError::ForeignContract { what: "the end event".into(), contract: self.end_event.from });
        }
        for entry in &self.entries {
            let (Entry { kind, contract, guard, .. }, slot) = (entry, entry.slot());
            if !contracts.contains(contract) {
                return Err(StartError::ForeignContract { what: format!("{kind} {slot}"), contract: *contract });
            }
            match kind {
                Kind::Lock if *guard != self.shard.0 => return Err(StartError::Guard { kind: *kind, slot }),
                Kind::Counter if *guard != Felt::ZERO => return Err(StartError::Guard { kind: *kind, slot }),
                _ => {}
            }
        }
        match &self.terms {
            Terms::Contracts(terms) => Ok(contracts::Start::of(self, terms)?.validate()?),
            Terms::Rules => self.validate_rules(&accounts),
        }
    }

    /// What only a shard of the fixed rules must be.
    fn validate_rules(&self, accounts: &BTreeSet<AccountId>) -> Result<(), StartError> {
        if self.end_event.selector != finished_selector() {
            return Err(StartError::Endless { selector: self.end_event.selector });
        }
        let foreign = |it: &&Entry| it.kind == Kind::Escrow && !accounts.contains(&AccountId(it.guard));
        match self.entries.iter().find(foreign) {
            Some(entry) => Err(StartError::ForeignOwner { slot: entry.slot(), owner: entry.guard }),
            None => Ok(()),
        }
    }

    /// The start data as the program of contracts reads it.
    ///
    /// # Errors
    /// [`contracts::StartError::Rules`] if the shard is none of contracts; others as from [`validate`](Self::validate).
    pub fn for_contracts(&self) -> Result<contracts::Start, contracts::StartError> {
        match &self.terms {
            Terms::Contracts(terms) => contracts::Start::of(self, terms),
            Terms::Rules => Err(contracts::StartError::Rules),
        }
    }

    /// The felts that the [commitment](Self::commitment) hashes and the shard program reads. In a shard of contracts they are
    /// [those](contracts::Start::to_felts) of the start data in the program's order; where it contradicts itself, none. In a shard of rules, in this order: abi version,
    /// shard, program, operator (low 128 bits, high 128 bits of its id as a big-endian number), end event (from, selector), deadline
    /// (milliseconds), number of contracts, of accounts, of entries; the contracts; the accounts; (kind, contract's index, key, guard) of each entry.
    ///
    /// A contract that is not whitelisted has the index `n_contracts`, which the shard program refuses. Start data that [names no
    /// program](Self::is_outdated) is of ABI 1, which has neither program nor deadline, so its commitment is what it was.
    #[must_use]
    pub fn to_felts(&self) -> Vec<Felt> {
        if let Terms::Contracts(terms) = &self.terms {
            return contracts::Start::of(self, terms).map(|start| start.to_felts()).unwrap_or_default();
        }
        let count = |n: usize| Felt::from(n as u64);
        let (operator, end) = (operator_felts(self.operator), [self.end_event.from.0, self.end_event.selector.0]);
        let mut felts = if self.is_outdated() {
            [&[Felt::from(abi_1::VERSION), self.shard.0], &operator[..], &end].concat()
        } else {
            let (abi, deadline) = (Felt::from(ABI_VERSION), [Felt::from(self.deadline.0)]);
            [&[abi, self.shard.0, self.program], &operator[..], &end, &deadline].concat()
        };
        felts.extend([self.contracts.len(), self.accounts.len(), self.entries.len()].map(count));
        felts.extend(self.contracts.iter().map(|contract| contract.0));
        felts.extend(self.accounts.iter().map(|account| account.0));
        for entry in &self.entries {
            let contract = self.contract_index(entry.contract).unwrap_or(self.contracts.len());
            felts.extend([Felt::from(entry.kind.number()), count(contract), entry.key.0, entry.guard]);
        }
        felts
    }

    /// What everything in the shard is bound to: Poseidon (Starknet's sponge, `poseidon_hash_many`) of [`Self::to_felts`].
    #[must_use]
    pub fn commitment(&self) -> Felt {
        Poseidon::hash_array(&self.to_felts())
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

/// An operator's id as programs read it: its low 128 bits and its high 128 bits as a big-endian number.
pub(crate) fn operator_felts(operator: PeerId) -> [Felt; 2] {
    let (high, low) = operator.0.split_at(16);
    [low, high].map(Felt::from_bytes_be_slice)
}

/// The commitment to a state of a shard: Poseidon of the start commitment and the value of each entry, in the settlement list's order.
#[must_use]
pub fn state_commitment(start_commitment: Felt, values: &[Felt]) -> Felt {
    let felts: Vec<Felt> = std::iter::once(start_commitment).chain(values.iter().copied()).collect();
    Poseidon::hash_array(&felts)
}
