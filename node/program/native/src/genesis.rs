//! The genesis file: the state that a shard of contracts begins from.
//!
//! ```json
//! { "version": 1,
//!   "classes":   [ { "sierra": "arena.contract_class.json", "casm": "arena.casm.json", "class_hash": "0x…", "compiled_class_hash": "0x…" } ],
//!   "contracts": [ { "address": "0x…", "class_hash": "0x…", "storage": { "0x…": "0x…" }, "nonce": 0 } ] }
//! ```
//!
//! `sierra` is the name of a file, or the class itself. `casm`, the two hashes, storage and nonce may be left out; hashes and bytecode that are
//! given are compared. Accounts are contracts. All are as they are after their constructors: the file has their storage. One file may have
//! more than a shard lists. A misspelt field is an error.

use crate::{Class, ClassError, Ground, GroundError, bounds, class::cut};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use shardwire_contracts::{StartError, sessions::TwoSessions};
use shardwire_files::text;
use shardwire_model::{Coded, ContractId, Felt, Key, Slot};
use starknet_api::core::{ContractAddress, PatriciaKey};
use std::{collections::BTreeMap, fmt, io, sync::Arc};

/// The version of the file's format.
const VERSION: u64 = 1;

/// A contract before the first transaction.
#[derive(Clone, Debug)]
struct Contract {
    class: Felt,
    storage: BTreeMap<Key, Felt>,
    nonce: u64,
}

/// The state that a shard of contracts begins from.
#[derive(Clone, Debug, Default)]
pub struct Genesis {
    classes: BTreeMap<Felt, Arc<Class>>,
    contracts: BTreeMap<ContractId, Contract>,
}

impl Genesis {
    /// Reads a genesis file and checks what it says of its classes. `open` gives the content of a file that the genesis names, `compile` the class of a file
    /// ([`Class::compile`], in this process or in another).
    ///
    /// # Errors
    /// [`GenesisError::File`] or [`GenesisError::Version`] if the file is none that this program reads, [`GenesisError::Size`] if it exceeds a bound, [`GenesisError::Open`] or
    /// [`GenesisError::Class`] if a class can't be used, [`GenesisError::UnknownClass`] if a contract's class is missing, [`GenesisError::Twice`] or
    /// [`GenesisError::TwiceSlot`] if something is given twice, [`GenesisError::Address`] or [`GenesisError::Key`] if something can't be in Starknet's state.
    pub fn read(
        file: &[u8],
        open: &mut dyn FnMut(&str) -> io::Result<Vec<u8>>,
        compile: &mut dyn FnMut(&[u8]) -> Result<Class, ClassError>,
    ) -> Result<Self, GenesisError> {
        bounded("bytes", file.len(), bounds::MAX_GENESIS_BYTES)?;
        let text = text::decode(file.to_vec()).map_err(|error| GenesisError::File(error.to_string()))?;
        let file: File<'_> =
            serde_json::from_str(&text).map_err(|error| GenesisError::File(cut(&error.to_string())))?;
        if file.version != VERSION {
            return Err(GenesisError::Version(file.version));
        }
        bounded("classes", file.classes.len(), bounds::MAX_CLASSES)?;
        let mut genesis = Self::default();
        for (at, given) in file.classes.iter().enumerate() {
            let class = given.compile(at, open, compile)?;
            let hash = class.hash();
            if genesis.classes.insert(hash, Arc::new(class)).is_some() {
                return Err(GenesisError::Twice { what: "class", which: hash });
            }
        }
        bounded("contracts", file.contracts.len(), bounds::MAX_GENESIS_CONTRACTS)?;
        bounded("storage slots", file.contracts.iter().map(|it| it.storage.0.len()).sum(), bounds::MAX_STORAGE_SLOTS)?;
        for given in file.contracts {
            let (address, contract) = given.read()?;
            if !genesis.classes.contains_key(&contract.class) {
                return Err(GenesisError::UnknownClass { contract: address, class: contract.class });
            }
            if genesis.contracts.insert(address, contract).is_some() {
                return Err(GenesisError::Twice { what: "address", which: address.0 });
            }
        }
        Ok(genesis)
    }

    /// The classes, by their hash.
    #[must_use]
    pub const fn classes(&self) -> &BTreeMap<Felt, Arc<Class>> {
        &self.classes
    }

    /// The contracts' addresses, in order, with the hashes of their classes.
    pub fn contracts(&self) -> impl Iterator<Item = (ContractId, Felt)> {
        self.contracts.iter().map(|(address, it)| (*address, it.class))
    }

    /// The storage that the file gives a contract, by key.
    pub fn storage(&self, contract: ContractId) -> impl Iterator<Item = (Key, Felt)> {
        self.contracts.get(&contract).into_iter().flat_map(|it| it.storage.iter().map(|(key, value)| (*key, *value)))
    }
}

impl Ground for Genesis {
    fn storage_at(&self, contract: ContractId, key: Key) -> Result<Felt, GroundError> {
        Ok(self.contracts.get(&contract).and_then(|it| it.storage.get(&key)).copied().unwrap_or_default())
    }

    fn nonce_at(&self, contract: ContractId) -> Result<u64, GroundError> {
        Ok(self.contracts.get(&contract).map_or(0, |it| it.nonce))
    }

    fn class_hash_at(&self, contract: ContractId) -> Result<Option<Felt>, GroundError> {
        Ok(self.contracts.get(&contract).map(|it| it.class))
    }

    fn class(&self, hash: Felt) -> Result<Option<Arc<Class>>, GroundError> {
        Ok(self.classes.get(&hash).cloned())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'a> {
    version: u64,
    #[serde(borrow)]
    classes: Vec<GivenClass<'a>>,
    contracts: Vec<GivenContract>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenClass<'a> {
    #[serde(borrow)]
    sierra: &'a RawValue,
    #[serde(borrow)]
    casm: Option<&'a RawValue>,
    class_hash: Option<Hex>,
    compiled_class_hash: Option<Hex>,
}

impl GivenClass<'_> {
    /// The class, the `at`-th of the file, compiled and compared with what is said of it.
    fn compile(
        &self,
        at: usize,
        open: &mut dyn FnMut(&str) -> io::Result<Vec<u8>>,
        compile: &mut dyn FnMut(&[u8]) -> Result<Class, ClassError>,
    ) -> Result<Class, GenesisError> {
        let (name, sierra) = content(self.sierra, open)?;
        let name = name.unwrap_or_else(|| format!("classes[{at}]"));
        let refused = |error| GenesisError::Class { class: name.clone(), error };
        let class = compile(&sierra).map_err(refused)?;
        if let Some(stated) = self.class_hash.filter(|it| it.0 != class.hash()) {
            return Err(refused(ClassError::Hash { stated: stated.0, computed: class.hash() }));
        }
        if let Some(stated) = self.compiled_class_hash.filter(|it| it.0 != class.compiled_hash()) {
            let computed = class.compiled_hash();
            return Err(refused(ClassError::CompiledHash { class: class.hash(), stated: stated.0, computed }));
        }
        if let Some(casm) = self.casm {
            class.check_casm(&content(casm, open)?.1).map_err(refused)?;
        }
        Ok(class)
    }
}

/// The name of a file and what is in it, or what is written in its place.
fn content(
    given: &RawValue,
    open: &mut dyn FnMut(&str) -> io::Result<Vec<u8>>,
) -> Result<(Option<String>, Vec<u8>), GenesisError> {
    if !given.get().starts_with('"') {
        return Ok((None, given.get().as_bytes().to_vec()));
    }
    let name: String =
        serde_json::from_str(given.get()).map_err(|error| GenesisError::File(cut(&error.to_string())))?;
    match open(&name) {
        Ok(bytes) => Ok((Some(name), bytes)),
        Err(error) => Err(GenesisError::Open { name: cut(&name), reason: error.to_string() }),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenContract {
    address: ContractId,
    class_hash: Hex,
    #[serde(default)]
    storage: Slots,
    #[serde(default)]
    nonce: u64,
}

impl GivenContract {
    fn read(self) -> Result<(ContractId, Contract), GenesisError> {
        let contract = self.address;
        // The lowest addresses belong to Starknet itself.
        if ContractAddress::try_from(contract.0).is_err() || contract.0 <= Felt::THREE {
            return Err(GenesisError::Address(contract));
        }
        let mut storage = BTreeMap::new();
        for (key, value) in self.storage.0 {
            if PatriciaKey::try_from(key.0).is_err() {
                return Err(GenesisError::Key { contract, key });
            }
            if storage.insert(key, value.0).is_some() {
                return Err(GenesisError::TwiceSlot(Slot::new(contract, key)));
            }
        }
        Ok((contract, Contract { class: self.class_hash.0, storage, nonce: self.nonce }))
    }
}

/// Slots in the order of the file: one that is there twice is told.
#[derive(Default)]
struct Slots(Vec<(Key, Hex)>);

impl<'de> Deserialize<'de> for Slots {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Slots;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("values by key")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Slots, A::Error> {
                let mut slots = Vec::new(); // The file is bounded.
                while let Some(slot) = map.next_entry()? {
                    slots.push(slot);
                }
                Ok(Slots(slots))
            }
        }

        deserializer.deserialize_map(Read)
    }
}

/// A hash in the file.
#[derive(Clone, Copy, Deserialize)]
struct Hex(#[serde(with = "shardwire_model::felt::wire")] Felt);

fn bounded(what: &'static str, got: usize, max: usize) -> Result<(), GenesisError> {
    if got > max { Err(GenesisError::Size { what, got, max }) } else { Ok(()) }
}

/// A genesis that a shard can't begin from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// The file is no genesis.
    #[error("the genesis can't be read: {0}")]
    File(String),
    /// The file's format is of another version.
    #[error("the genesis is of version {0}, and this release reads version {VERSION}")]
    Version(u64),
    /// There is too much in it.
    #[error("the genesis has {got} {what}, and {max} are allowed")]
    Size {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How many there may be.
        max: usize,
    },
    /// A file that it names can't be read.
    #[error("file {name}, which the genesis names, can't be read: {reason}")]
    Open {
        /// The file's name.
        name: String,
        /// The system's reason.
        reason: String,
    },
    /// A class of it is refused.
    #[error("class {class}: {error}")]
    Class {
        /// The class' file, or its place in the list.
        class: String,
        /// What is wrong with the class.
        error: ClassError,
    },
    /// A contract of a class that isn't there.
    #[error("contract {contract} is of class {class:#x}, which the genesis doesn't have")]
    UnknownClass {
        /// The contract or account.
        contract: ContractId,
        /// The class.
        class: Felt,
    },
    /// Something is there twice.
    #[error("{what} {which:#x} is given twice")]
    Twice {
        /// What it is.
        what: &'static str,
        /// Which one.
        which: Felt,
    },
    /// A slot is there twice.
    #[error("slot {0} is given twice")]
    TwiceSlot(Slot),
    /// No contract can have this address.
    #[error("{0} can't be the address of a contract")]
    Address(ContractId),
    /// No slot can have this key.
    #[error("contract {contract} can't have a slot {key}: keys are below 2^251 - 256")]
    Key {
        /// The contract.
        contract: ContractId,
        /// The key.
        key: Key,
    },
    /// The start data can't be, or lists what is not as the state has it.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The start data lists a class that isn't declared.
    #[error("the start data lists class {0:#x}, which isn't there")]
    NoClass(Felt),
    /// A class of an old account, for which Starknet makes an exception.
    #[error("class {0:#x} is one of the old accounts that Starknet shows their transactions in another version")]
    OldAccount(Felt),
    /// The start data lists a contract that isn't there.
    #[error("the start data lists contract {0}, and there is none at this address")]
    Missing(ContractId),
    /// The start data lists a contract with another class.
    #[error("the start data lists contract {contract} with class {listed:#x}, and it is of class {class:#x}")]
    OtherClass {
        /// The contract.
        contract: ContractId,
        /// The class in the start data.
        listed: Felt,
        /// The contract's class.
        class: Felt,
    },
    /// The start data lists more than one contract that keeps sessions.
    #[error(transparent)]
    Sessions(#[from] TwoSessions),
    /// Not one first value an entry.
    #[error("there are {got} first values for {expected} entries that settle")]
    Values {
        /// How many there are.
        got: usize,
        /// How many entries there are.
        expected: usize,
    },
    /// A counter or an escrow begins above its maximum.
    #[error("entry {slot} begins at {value:#x}, above its maximum {maximum}")]
    FirstValue {
        /// The entry.
        slot: Slot,
        /// The value.
        value: Felt,
        /// The entry's maximum.
        maximum: u128,
    },
    /// The state that it stands on can't be read.
    #[error(transparent)]
    Ground(#[from] GroundError),
}

impl Coded for GenesisError {
    fn code(&self) -> &'static str {
        match self {
            Self::File(_) => "SW-NATIVE-001",
            Self::Version(_) => "SW-NATIVE-002",
            Self::Size { .. } => "SW-NATIVE-003",
            Self::Open { .. } => "SW-NATIVE-004",
            Self::Class { error, .. } => error.code(),
            Self::UnknownClass { .. } => "SW-NATIVE-005",
            Self::Twice { .. } => "SW-NATIVE-006",
            Self::Address(_) => "SW-NATIVE-007",
            Self::Key { .. } => "SW-NATIVE-008",
            Self::Start(error) => error.code(),
            Self::Missing(_) => "SW-NATIVE-009",
            Self::OtherClass { .. } => "SW-NATIVE-010",
            Self::Values { .. } => "SW-NATIVE-011",
            Self::FirstValue { .. } => "SW-NATIVE-012",
            Self::NoClass(_) => "SW-NATIVE-013",
            Self::OldAccount(_) => "SW-NATIVE-014",
            Self::TwiceSlot(_) => "SW-NATIVE-015",
            Self::Sessions(_) => "SW-NATIVE-017",
            Self::Ground(error) => error.code(),
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::File(_) => "Correct the file; the page of shardwire-native's module genesis shows one.".into(),
            Self::Version(_) => "Write the genesis again with this release, or take the release that wrote it.".into(),
            Self::Size { .. } => "Split the game over several shards, or leave out what this one doesn't touch.".into(),
            Self::Open { .. } => "Put the file beside the genesis, or correct its name.".into(),
            Self::Class { error, .. } => error.next_step(),
            Self::UnknownClass { .. } => "Add the class, or correct the contract's class hash.".into(),
            Self::Twice { .. } | Self::TwiceSlot(_) => "Remove one of the two.".into(),
            Self::Address(_) => "Give the contract's address on its network: above 3 and below 2^251 - 256.".into(),
            Self::Key { .. } => "Correct the key.".into(),
            Self::Start(error) => error.next_step(),
            Self::Sessions(_) => "List one of them.".into(),
            Self::NoClass(_) | Self::Missing(_) => "Add it to the genesis, or take it out of the start data.".into(),
            Self::OldAccount(_) => "Upgrade the accounts on their network, or use others.".into(),
            Self::OtherClass { .. } => "Write the start data from the genesis that the shard begins from.".into(),
            Self::Values { .. } => "Take start data and snapshot from the World together.".into(),
            Self::FirstValue { .. } => {
                "List slots that hold a plain number (of a u256, the low one), with a maximum that it can't exceed."
                    .into()
            }
            Self::Ground(error) => error.next_step(),
        }
    }
}
