//! What a World begins with: a JSON file that people write.
//!
//! `{"storage":[{"contract":"0xd","key":"0x1","kind":"counter","value":0},{"contract":"0xd","key":"0x2","kind":"escrow","value":1000},
//! {"contract":"0xd","key":"0x3","kind":"lock","value":"0x77"}]}`: for a counter where it begins, for an escrow the balance, for a lock
//! the account that the thing belongs to (`"0x0"`: nobody). Numbers above 2^53 are text, decimal or `0x…`. Refused: unknown fields, a
//! slot listed twice, a value of the wrong sort, balances that together exceed 2^128 - 1 (so that no later transfer can overflow
//! one), more than [`MAX_GENESIS`] slots.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use shardwire_crdt::{Cell, Counter, Escrow, Lock};
use shardwire_model::{AccountId, Coded, ContractId, Felt, Hash, Key, Kind, Slot, amount, felt};
use std::{collections::BTreeMap, fmt};

/// Most storage addresses that a genesis may list; they are written in one transaction.
pub const MAX_GENESIS: usize = 65_536;
/// Most bytes of a genesis text: [`MAX_GENESIS`] entries of at most 256 bytes.
pub const MAX_GENESIS_BYTES: usize = MAX_GENESIS * 256;

/// What a World begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// Each storage address with its first value, at most [`MAX_GENESIS`].
    pub storage: Vec<GenesisEntry>,
}

/// A storage address and what is there in the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisEntry {
    /// The contract whose storage it is.
    pub contract: ContractId,
    /// The address in it.
    pub key: Key,
    /// Whether it is a counter, an escrow or a lock.
    pub kind: Kind,
    /// What is there.
    pub value: GenesisValue,
}

/// What is at a storage address in the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenesisValue {
    /// Of a counter or an escrow: a number, or its decimal digits as text.
    Number(u128),
    /// `"0x…"`: of a lock the account; of a counter or an escrow a number.
    Hex(Felt),
}

impl Serialize for GenesisValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => amount::serialize(number, serializer),
            Self::Hex(felt) => felt::wire::serialize(felt, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for GenesisValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = GenesisValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number from 0 to 2^128 - 1, in quotes if it is above 2^53, or, for a lock, an account \"0x…\"")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<GenesisValue, E> {
                Ok(GenesisValue::Number(number.into()))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<GenesisValue, A::Error> {
                Err(amount::no_whole_number(map, &self))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<GenesisValue, E> {
                if text.starts_with("0x") {
                    felt::parse(text).map(GenesisValue::Hex).map_err(E::custom)
                } else {
                    amount::parse(text).map(GenesisValue::Number).map_err(E::custom)
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl GenesisValue {
    fn number(self) -> Option<u128> {
        match self {
            Self::Number(number) => Some(number),
            Self::Hex(felt) => u128::try_from(felt).ok(),
        }
    }
}

/// A genesis that no World can begin with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// It is not the JSON that it should be.
    #[error("the genesis can't be read: {0}")]
    Syntax(String),
    /// It is too large.
    #[error("the genesis has {got} {what}, at most {max} are allowed")]
    Size {
        /// What it has too many of.
        what: &'static str,
        /// How many it has.
        got: usize,
        /// How many it may have.
        max: usize,
    },
    /// An address is listed twice.
    #[error("the genesis lists storage slot {slot} twice")]
    Twice {
        /// The slot that is listed twice.
        slot: Slot,
    },
    /// A number for a lock or an account for something else.
    #[error("the genesis gives {kind} {slot} {got}")]
    Value {
        /// The kind that the slot is given.
        kind: Kind,
        /// The slot whose value doesn't fit its kind.
        slot: Slot,
        /// What it gives.
        got: &'static str,
    },
    /// All balances together can't be counted.
    #[error("the balances of the genesis exceed 2^128 - 1 in sum, at escrow {slot}")]
    Total {
        /// Where the sum exceeds it.
        slot: Slot,
    },
}

impl Coded for GenesisError {
    fn code(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "SW-GENESIS-001",
            Self::Size { .. } => "SW-GENESIS-002",
            Self::Twice { .. } => "SW-GENESIS-003",
            Self::Value { .. } => "SW-GENESIS-004",
            Self::Total { .. } => "SW-GENESIS-005",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Syntax(_) => {
                r#"Correct it there; it should look like {"storage":[{"contract":"0xd","key":"0x1","kind":"counter","value":0}]}."#
                    .into()
            }
            Self::Size { .. } => "Begin with fewer storage addresses.".into(),
            Self::Twice { .. } => "Remove one of the two.".into(),
            Self::Value { .. } => {
                r#"Give counters and escrows a number and locks an account, such as "value":"0x77"."#.into()
            }
            Self::Total { .. } => "Begin with smaller balances.".into(),
        }
    }
}

impl Genesis {
    /// Reads and validates a genesis.
    ///
    /// # Errors
    /// [`GenesisError::Size`] if it is too long, [`GenesisError::Syntax`] if it isn't the JSON that it should be, and as [`validate`](Self::validate).
    pub fn from_json(text: &str) -> Result<Self, GenesisError> {
        if text.len() > MAX_GENESIS_BYTES {
            return Err(GenesisError::Size { what: "bytes", got: text.len(), max: MAX_GENESIS_BYTES });
        }
        let genesis: Self = serde_json::from_str(text).map_err(|error| GenesisError::Syntax(error.to_string()))?;
        genesis.validate().map(|()| genesis)
    }

    /// Refuses what no World can begin with.
    ///
    /// # Errors
    /// [`GenesisError::Size`], [`GenesisError::Twice`], [`GenesisError::Value`] or [`GenesisError::Total`]: the first entry that breaks a rule.
    pub fn validate(&self) -> Result<(), GenesisError> {
        self.cells().map(drop)
    }

    /// Its hash: of every slot in order, with its kind and value. How the file was written doesn't matter.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn hash(&self) -> Result<Hash, GenesisError> {
        let cells = self.cells()?;
        let bytes = |(slot, cell): (&Slot, &Cell)| {
            let kind = Felt::from(cell.kind().number());
            [kind, slot.contract.0, slot.key.0, cell.value()]
                .into_iter()
                .flat_map(|felt| felt.to_bytes_be())
                .collect::<Vec<u8>>()
        };
        Ok(Hash::of_parts("shardwire genesis", &[&cells.iter().flat_map(bytes).collect::<Vec<u8>>()]))
    }

    /// The cells, validated.
    pub(crate) fn cells(&self) -> Result<BTreeMap<Slot, Cell>, GenesisError> {
        if self.storage.len() > MAX_GENESIS {
            let got = self.storage.len();
            return Err(GenesisError::Size { what: "storage addresses", got, max: MAX_GENESIS });
        }
        let mut cells = BTreeMap::new();
        let mut total: u128 = 0;
        for &GenesisEntry { contract, key, kind, value } in &self.storage {
            let slot = Slot::new(contract, key);
            let number = || {
                value.number().ok_or(GenesisError::Value { kind, slot, got: "a number above 2^128 - 1, or an account" })
            };
            let cell = match (kind, value) {
                (Kind::Counter, _) => Cell::Counter(Counter::new(number()?)),
                (Kind::Escrow, _) => {
                    let balance = number()?;
                    total = total.checked_add(balance).ok_or(GenesisError::Total { slot })?;
                    Cell::Escrow(Escrow::new(balance))
                }
                (Kind::Lock, GenesisValue::Hex(account)) => Cell::Lock(Lock::new(AccountId(account))),
                (Kind::Lock, GenesisValue::Number(_)) => {
                    return Err(GenesisError::Value { kind, slot, got: "a number" });
                }
            };
            if cells.insert(slot, cell).is_some() {
                return Err(GenesisError::Twice { slot });
            }
        }
        Ok(cells)
    }
}
