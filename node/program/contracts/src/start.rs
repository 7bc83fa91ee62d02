//! What a shard of contracts is started with: all that the program takes as given.
//!
//! The program hashes these felts; the commitment to them is in every output. What it takes from elsewhere (storage, nonces) is in the
//! commitment of the reads.

use shardwire_model::{Coded, EventId, Felt, PeerId, ShardId, felt::Key};
use starknet_types_core::hash::{Poseidon, StarkHash};

/// The version of the layout of these felts.
pub const START_VERSION: u64 = 1;
/// Most classes of a shard.
pub const MAX_CLASSES: usize = 64;
/// Most contracts of a shard, accounts included.
pub const MAX_CONTRACTS: usize = 320;
/// Most listed storage addresses of a shard, scratch keys included.
pub const MAX_ENTRIES: usize = 2048;
/// Amounts are below this: the program checks them with range checks of 96 bits.
pub const MAX_AMOUNT: u128 = (1 << 96) - 1;
/// Felts of the fixed part.
pub(crate) const HEADER: usize = 16;

/// A class, and the compiled form that stands for it. Settlers check that the one is what the other compiles to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassPair {
    /// The hash of the Sierra.
    pub class_hash: Felt,
    /// The hash of the CASM, version 2 (Blake).
    pub compiled_class_hash: Felt,
}

/// Which slots of a contract may differ after a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Listed ones alone: every other slot has its first value again when a transaction ends.
    Closed,
    /// Any; what isn't listed is forgotten when the shard ends.
    Scratch,
}

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

/// The start data.
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
    #[error("{what} number {place} isn't above the one before it")]
    Order {
        /// What the list is of.
        what: &'static str,
        /// Which, from 0.
        place: usize,
    },
    /// Something names a class or contract that isn't listed.
    #[error("{what} number {place} names a {missing} that isn't listed")]
    Missing {
        /// What names it.
        what: &'static str,
        /// Which, from 0.
        place: usize,
        /// What is missing.
        missing: &'static str,
    },
    /// A maximum, a guard or a contract that doesn't go with the kind, or a maximum that is too large.
    #[error("entry number {place} has a maximum, a guard or a contract that doesn't go with its kind")]
    Terms {
        /// Which, from 0.
        place: usize,
    },
    /// The end event's contract isn't whitelisted.
    #[error("the end event is one of {0:#x}, which isn't a listed contract, so the shard could never end")]
    Endless(Felt),
    /// The deadline is before the beginning.
    #[error("the shard begins at {begins} and its deadline is {deadline}")]
    Times {
        /// When it begins.
        begins: u64,
        /// When it must have ended.
        deadline: u64,
    },
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
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Size { .. } => "Split the work over several shards, or list what is missing.".into(),
            Self::Order { .. } => "Sort the list and remove what is there twice.".into(),
            Self::Missing { .. } => "Add it to its list, or correct the place.".into(),
            Self::Terms { .. } => format!(
                "Give counters and escrows a maximum of 1 to {MAX_AMOUNT} and no guard, locks their shard as a guard, and scratch keys neither; escrows and locks are of closed contracts."
            ),
            Self::Endless(_) => "Add the contract to the list, or name an event of one that is there.".into(),
            Self::Times { .. } => "Give the shard a deadline after its beginning.".into(),
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

/// The first that isn't above the one before it.
fn unordered<T, K: Ord>(list: &[T], key: impl Fn(&T) -> K) -> Option<usize> {
    let pairs = list.iter().zip(list.iter().skip(1));
    pairs.into_iter().position(|(one, next)| key(one) >= key(next)).map(|at| at + 1)
}

impl Start {
    /// The chain id as transactions and contracts have it.
    #[must_use]
    pub fn chain_id(&self) -> Felt {
        crate::tree::short(&chain_id(self.shard))
    }

    /// The felts, as the program reads and hashes them: a fixed part, the classes, the contracts, the entries.
    #[must_use]
    pub fn to_felts(&self) -> Vec<Felt> {
        let (low, high) = self.operator.0.split_at(16);
        let half = |bytes: &[u8]| bytes.iter().rev().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
        let mut felts = vec![
            START_VERSION.into(),
            self.shard.0,
            self.program,
            half(low).into(),
            half(high).into(),
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
    /// [`StartError`], the first that is found.
    pub fn validate(&self) -> Result<(), StartError> {
        let sizes = [
            ("classes", self.classes.len(), 1, MAX_CLASSES),
            ("contracts", self.contracts.len(), 1, MAX_CONTRACTS),
            ("entries", self.entries.len(), 1, MAX_ENTRIES),
        ];
        if let Some((what, got, least, most)) =
            sizes.into_iter().find(|(_, got, least, most)| got < least || got > most)
        {
            return Err(StartError::Size { what, got, least, most });
        }
        let orders = [
            ("class", unordered(&self.classes, |pair| pair.class_hash)),
            ("contract", unordered(&self.contracts, |contract| contract.address)),
            ("entry", unordered(&self.entries, |entry| (entry.contract, entry.key.0))),
        ];
        if let Some((what, place)) = orders.into_iter().find_map(|(what, place)| Some((what, place?))) {
            return Err(StartError::Order { what, place });
        }
        if let Some(place) = self.contracts.iter().position(|contract| contract.class >= self.classes.len()) {
            return Err(StartError::Missing { what: "contract", place, missing: "class" });
        }
        if let Some(place) = self.entries.iter().position(|entry| entry.contract >= self.contracts.len()) {
            return Err(StartError::Missing { what: "entry", place, missing: "contract" });
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
        if let Some(place) = self.entries.iter().position(|entry| !fits(entry)) {
            return Err(StartError::Terms { place });
        }
        if self.contract_place(self.end_event.from.0).is_none() {
            return Err(StartError::Endless(self.end_event.from.0));
        }
        if self.deadline <= self.begins {
            return Err(StartError::Times { begins: self.begins, deadline: self.deadline });
        }
        Ok(())
    }
}
