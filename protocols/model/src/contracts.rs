//! The start data of a shard of contracts in the order of its program, which takes all of it as given.
//!
//! [`ShardStart`](crate::ShardStart) is what the World fixes and everybody passes on: contracts by their addresses, entries by their slots. The program looks
//! things up by their place in ascending lists, so that what isn't listed is provably not, and has keys that don't settle among those that do:
//! that is [`Start`], and [`ShardStart::for_contracts`](crate::ShardStart::for_contracts) makes it. The program hashes [its felts](Start::to_felts); the commitment to them is in every
//! output. What the program takes from elsewhere (storage, nonces) is in the commitment of the reads. What names the state before isn't among the felts: the shard's name is a
//! hash of it.
//!
//! Bounds are the constants below; [`Start::validate`] refuses what exceeds them.

use crate::{
    AccountId, Coded, ContractId, EventId, Felt, Kind, PeerId, ShardId, ShardStart, Slot,
    entry::{MAX_CONTRACTS, MAX_ENTRIES as MAX_SETTLED},
    felt::{self, Key},
    terms::ContractTerms,
};
use starknet_types_core::hash::{Poseidon, StarkHash};

pub use crate::terms::{ClassPair, MAX_CLASSES, MAX_SCRATCH, Rule};

/// The version of the layout of these felts.
pub const START_VERSION: u64 = 1;
/// Most listed storage addresses of a shard, scratch keys included.
pub const MAX_ENTRIES: usize = MAX_SETTLED + MAX_SCRATCH;
/// Amounts are at most this: the program checks them with range checks of 96 bits.
pub const MAX_AMOUNT: u128 = (1 << 96) - 1;
/// Felts of the fixed part.
const HEADER: usize = 16;

/// A whitelisted contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contract {
    /// Its address.
    pub address: Felt,
    /// Its class's place in the list of classes.
    pub class: usize,
    /// Which of its slots may change.
    pub rule: Rule,
    /// Whether it may send transactions.
    pub account: bool,
}

/// What a listed storage address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// Settles by what it grew.
    Counter,
    /// Settles as what is left; all escrows of a contract together never exceed what they began with.
    Escrow,
    /// Settles as its value; it may change only if the shard holds it.
    Lock,
    /// Doesn't settle: a key of a closed contract that may change, such as an allowance.
    Scratch,
}

impl EntryKind {
    /// The number that stands for it in the program; of the first three also in the output.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Counter => 1,
            Self::Escrow => 2,
            Self::Lock => 3,
            Self::Scratch => 4,
        }
    }
}

impl From<Kind> for EntryKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Counter => Self::Counter,
            Kind::Escrow => Self::Escrow,
            Kind::Lock => Self::Lock,
        }
    }
}

/// A listed storage address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// Its contract's place in the list of contracts.
    pub contract: usize,
    /// The storage address.
    pub key: Key,
    /// For a lock the shard that holds it; zero otherwise.
    pub guard: Felt,
    /// The largest value of a counter or an escrow, at most [`MAX_AMOUNT`]; zero otherwise.
    pub maximum: u128,
}

/// The start data, in the program's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The shard.
    pub shard: ShardId,
    /// The program's hash.
    pub program: Felt,
    /// Who executes it.
    pub operator: PeerId,
    /// The event that ends it: the contract, and the event's first key.
    pub end_event: EventId,
    /// The time before which no transaction is, in seconds since the Unix epoch.
    pub begins: u64,
    /// The time after which no transaction is, in the same unit.
    pub deadline: u64,
    /// The number of the first transaction's block; each transaction is a block.
    pub first_block: u64,
    /// What contracts are told as the sequencer's address.
    pub sequencer: Felt,
    /// The classes, ascending by class hash.
    pub classes: Vec<ClassPair>,
    /// The contracts, ascending by address.
    pub contracts: Vec<Contract>,
    /// The listed storage addresses, ascending by contract and key.
    pub entries: Vec<Entry>,
}

/// Start data that can't be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A list is empty or too long.
    #[error("{what}: {got} given, {least} to {most} allowed")]
    Size {
        /// What the list is of, such as "contracts".
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How few there may be.
        least: usize,
        /// How many there may be.
        most: usize,
    },
    /// A list isn't in ascending order, or names something twice.
    #[error("{what} {which} isn't above the one before it")]
    Order {
        /// What the list is of, such as "contract".
        what: &'static str,
        /// The element, as it is written.
        which: String,
    },
    /// Something names a class or contract that isn't listed.
    #[error("{what} {which} needs a {missing} that isn't listed")]
    Missing {
        /// What names it.
        what: &'static str,
        /// Which, as it is written.
        which: String,
        /// What is missing.
        missing: &'static str,
    },
    /// A maximum, a guard or a contract that doesn't go with the kind, or a maximum that is too large.
    #[error("storage slot {slot} has a maximum, a guard or a contract that doesn't go with its kind")]
    Terms {
        /// The slot.
        slot: Slot,
    },
    /// The end event's contract isn't whitelisted.
    #[error("the end event is one of {0:#x}, which isn't a listed contract, so the shard could never end")]
    Endless(Felt),
    /// The deadline is before the beginning.
    #[error("the shard begins at {begins} and its deadline is {deadline}, in seconds since 1970")]
    Times {
        /// When it begins.
        begins: u64,
        /// When it must have ended.
        deadline: u64,
    },
    /// The number of the first block is that of the state before it.
    #[error("the first transaction's block can't have the number 0: that is the block of the state before it")]
    Block,
    /// The first transaction's block isn't after the one that the shard goes on from.
    #[error("the shard goes on from block {number}, and its first transaction's block has the number {first_block}")]
    Behind {
        /// The number of the network's block.
        number: u64,
        /// That of the first transaction's.
        first_block: u64,
    },
    /// The shard is one of the fixed rules.
    #[error("the start data has no terms of contracts: it is of a shard of rules")]
    Rules,
}

impl Coded for StartError {
    fn code(&self) -> &'static str {
        match self {
            Self::Size { .. } => "SW-CONTRACTS-001",
            Self::Order { .. } => "SW-CONTRACTS-002",
            Self::Missing { .. } => "SW-CONTRACTS-003",
            Self::Terms { .. } => "SW-CONTRACTS-004",
            Self::Endless(_) => "SW-CONTRACTS-005",
            Self::Times { .. } => "SW-CONTRACTS-006",
            Self::Block => "SW-CONTRACTS-007",
            Self::Rules => "SW-CONTRACTS-008",
            Self::Behind { .. } => "SW-CONTRACTS-009",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Size { .. } => "Split the work over several shards, or list what is missing.".into(),
            Self::Order { .. } => "Sort the list and remove what is there twice.".into(),
            Self::Missing { .. } => "Add it to its list, or correct what names it.".into(),
            Self::Terms { .. } => format!(
                "Give counters and escrows a maximum of 1 to {MAX_AMOUNT} and no guard or owner, locks their shard as a guard and the maximum 0, and scratch keys neither; escrows and locks are of closed contracts."
            ),
            Self::Endless(_) => "Add the contract to the list, or name an event of one that is there.".into(),
            Self::Times { .. } => "Give the shard a deadline after its beginning.".into(),
            Self::Block | Self::Behind { .. } => "Give the block after the one that the state is of, from 1.".into(),
            Self::Rules => "Ask for the shard with `terms` of contracts, or with the program `rules`.".into(),
        }
    }
}

/// The chain id of a shard: `SW_` and 28 characters of base 32 (RFC 4648) for the lowest 140 bits of its id. Nothing that is signed for
/// a shard is valid elsewhere.
#[must_use]
pub fn chain_id(shard: ShardId) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bytes = shard.0.to_bytes_be();
    let bit = |place: usize| bytes.get(31 - place / 8).is_some_and(|byte| byte >> (place % 8) & 1 == 1);
    let digit = |i: usize| (0..5).rev().fold(0, |digit, j| digit * 2 + usize::from(bit(5 * i + j)));
    let characters = (0..28).rev().map(|i| ALPHABET.get(digit(i)).map_or('A', |byte| char::from(*byte)));
    "SW_".chars().chain(characters).collect()
}

/// Refuses a list with an element that isn't above the one before it.
fn ascending<T, K: Ord>(
    what: &'static str,
    list: &[T],
    key: impl Fn(&T) -> K,
    written: impl Fn(&T) -> String,
) -> Result<(), StartError> {
    let unordered = list.iter().zip(list.iter().skip(1)).find(|(one, next)| key(one) >= key(next));
    unordered.map_or(Ok(()), |(_, next)| Err(StartError::Order { what, which: written(next) }))
}

fn size(what: &'static str, got: usize, least: usize, most: usize) -> Result<(), StartError> {
    if (least..=most).contains(&got) { Ok(()) } else { Err(StartError::Size { what, got, least, most }) }
}

impl Start {
    /// The start data in the program's order. What [`validate`](Self::validate) can see isn't looked at.
    ///
    /// # Errors
    /// [`StartError::Size`], [`StartError::Order`] or [`StartError::Missing`]: lists that don't fit each other have no such order.
    pub(crate) fn of(start: &ShardStart, terms: &ContractTerms) -> Result<Self, StartError> {
        let ContractTerms { begins, first_block, sequencer, classes, instances, maxima, scratch, .. } = terms;
        let (contracts, settled) = (start.contracts.len(), start.entries.len());
        size("instances", instances.len(), contracts, contracts)?;
        size("maxima", maxima.len(), settled, settled)?;
        size("scratch keys", scratch.len(), 0, MAX_SCRATCH)?;
        ascending("class", classes, |pair| pair.class_hash, |pair| format!("{:#x}", pair.class_hash))?;
        ascending("contract", &start.contracts, |it| *it, ToString::to_string)?;
        ascending("account", &start.accounts, |it| *it, ToString::to_string)?;
        ascending("storage slot", &start.entries, |it| it.slot(), |it| it.slot().to_string())?;
        ascending("scratch key", scratch, |it| *it, ToString::to_string)?;
        let missing =
            |what, which: &dyn ToString, missing| StartError::Missing { what, which: which.to_string(), missing };
        let listed = |contract| start.contracts.binary_search(&contract);
        if let Some(account) = start.accounts.iter().find(|it| listed(ContractId(it.0)).is_err()) {
            return Err(missing("account", account, "contract"));
        }
        let contracts = start.contracts.iter().zip(instances).map(|(address, instance)| {
            let class = classes.binary_search_by_key(&instance.class, |pair| pair.class_hash);
            let class = class.map_err(|_| missing("contract", address, "class"))?;
            let account = start.accounts.binary_search(&AccountId(address.0)).is_ok();
            Ok(Contract { address: address.0, class, rule: instance.rule, account })
        });
        let settled = start.entries.iter().zip(maxima).map(|(it, maximum)| {
            let kind = EntryKind::from(it.kind);
            (it.slot(), Entry { kind, contract: 0, key: it.key, guard: it.guard, maximum: maximum.0 })
        });
        let scratch = scratch.iter().map(|slot| {
            let entry = Entry { kind: EntryKind::Scratch, contract: 0, key: slot.key, guard: Felt::ZERO, maximum: 0 };
            (*slot, entry)
        });
        let entries = settled.chain(scratch).map(|(slot, entry)| {
            let contract = listed(slot.contract).map_err(|_| missing("storage slot", &slot, "contract"))?;
            Ok(Entry { contract, ..entry })
        });
        let mut entries = entries.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(|entry| (entry.contract, entry.key));
        Ok(Self {
            shard: start.shard,
            program: start.program,
            operator: start.operator,
            end_event: start.end_event,
            begins: *begins,
            deadline: start.deadline.0 / 1000,
            first_block: *first_block,
            sequencer: sequencer.0,
            classes: classes.clone(),
            contracts: contracts.collect::<Result<_, _>>()?,
            entries,
        })
    }

    /// The chain id as transactions and contracts have it.
    #[must_use]
    pub fn chain_id(&self) -> Felt {
        felt::short(&chain_id(self.shard))
    }

    /// The felts, as the program reads and hashes them: a fixed part, the classes, the contracts, the entries.
    #[must_use]
    pub fn to_felts(&self) -> Vec<Felt> {
        let [operator_low, operator_high] = self.operator.to_felts();
        let mut felts = vec![
            START_VERSION.into(),
            self.shard.0,
            self.program,
            operator_low,
            operator_high,
            self.end_event.from.0,
            self.end_event.selector.0,
            self.chain_id(),
            self.begins.into(),
            self.deadline.into(),
            self.first_block.into(),
            self.sequencer,
            (self.classes.len() as u64).into(),
            (self.contracts.len() as u64).into(),
            (self.entries.len() as u64).into(),
            (self.settled().count() as u64).into(),
        ];
        debug_assert_eq!(felts.len(), HEADER);
        felts.extend(self.classes.iter().flat_map(|pair| [pair.class_hash, pair.compiled_class_hash]));
        felts.extend(self.contracts.iter().flat_map(|contract| {
            [
                contract.address,
                (contract.class as u64).into(),
                u64::from(contract.rule == Rule::Closed).into(),
                u64::from(contract.account).into(),
            ]
        }));
        felts.extend(self.entries.iter().flat_map(|entry| {
            [
                entry.kind.number().into(),
                (entry.contract as u64).into(),
                entry.key.0,
                entry.guard,
                Felt::from(entry.maximum),
            ]
        }));
        felts
    }

    /// What stands for all of it.
    #[must_use]
    pub fn commitment(&self) -> Felt {
        Poseidon::hash_array(&self.to_felts())
    }

    /// Where an entry is in the storage of the World.
    #[must_use]
    pub fn slot(&self, entry: &Entry) -> Slot {
        let contract = self.contracts.get(entry.contract).map(|contract| contract.address).unwrap_or_default();
        Slot::new(ContractId(contract), entry.key)
    }

    /// The entries that settle, in order.
    pub fn settled(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.kind != EntryKind::Scratch)
    }

    /// Where a contract is in the list.
    #[must_use]
    pub fn contract_place(&self, address: Felt) -> Option<usize> {
        self.contracts.binary_search_by_key(&address, |contract| contract.address).ok()
    }

    /// The contradictions in it that the program relies on not being there are refused by the program as well; here a person is told.
    ///
    /// # Errors
    /// [`StartError::Size`], [`StartError::Order`], [`StartError::Missing`], [`StartError::Terms`], [`StartError::Endless`], [`StartError::Times`] or [`StartError::Block`]: the first that
    /// is found.
    pub fn validate(&self) -> Result<(), StartError> {
        size("classes", self.classes.len(), 1, MAX_CLASSES)?;
        size("contracts", self.contracts.len(), 1, MAX_CONTRACTS)?;
        size("entries", self.entries.len(), 1, MAX_ENTRIES)?;
        let hex = |felt: Felt| format!("{felt:#x}");
        ascending("class", &self.classes, |pair| pair.class_hash, |pair| hex(pair.class_hash))?;
        ascending("contract", &self.contracts, |contract| contract.address, |contract| hex(contract.address))?;
        ascending("storage slot", &self.entries, |it| (it.contract, it.key), |it| self.slot(it).to_string())?;
        if let Some(contract) = self.contracts.iter().find(|contract| contract.class >= self.classes.len()) {
            return Err(StartError::Missing { what: "contract", which: hex(contract.address), missing: "class" });
        }
        if let Some(entry) = self.entries.iter().find(|entry| entry.contract >= self.contracts.len()) {
            return Err(StartError::Missing { what: "storage key", which: entry.key.to_string(), missing: "contract" });
        }
        let closed = |entry: &Entry| self.contracts.get(entry.contract).is_some_and(|it| it.rule == Rule::Closed);
        let fits = |entry: &Entry| match entry.kind {
            EntryKind::Counter | EntryKind::Escrow => {
                let amount = entry.guard == Felt::ZERO && (1..=MAX_AMOUNT).contains(&entry.maximum);
                amount && (entry.kind == EntryKind::Counter || closed(entry))
            }
            EntryKind::Lock => entry.maximum == 0 && closed(entry),
            EntryKind::Scratch => entry.guard == Felt::ZERO && entry.maximum == 0,
        };
        if let Some(entry) = self.entries.iter().find(|entry| !fits(entry)) {
            return Err(StartError::Terms { slot: self.slot(entry) });
        }
        if self.contract_place(self.end_event.from.0).is_none() {
            return Err(StartError::Endless(self.end_event.from.0));
        }
        if self.deadline <= self.begins {
            return Err(StartError::Times { begins: self.begins, deadline: self.deadline });
        }
        if self.first_block == 0 {
            return Err(StartError::Block);
        }
        Ok(())
    }
}
