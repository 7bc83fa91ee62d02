//! What a World begins with: a JSON file that people write.
//!
//! `{"storage":[{"key":"0x1","kind":"counter","value":0},{"key":"0x2","kind":"escrow","value":1000},
//! {"key":"0x3","kind":"lock","value":"0x77"}]}`: for a counter where it begins, for an escrow the balance, for a lock the account that
//! the thing belongs to (`"0x0"`: nobody). Refused: unknown fields, an address listed twice, a value of the wrong sort, balances that
//! together exceed 2^64 - 1 (so that no later transfer can overflow one), more than [`MAX_GENESIS`] addresses.

use serde::{Deserialize, Serialize};
use shardwire_crdt::{Cell, Counter, Escrow, Lock};
use shardwire_model::{AccountId, Coded, Felt, Hash, Key, Kind};
use std::collections::BTreeMap;

/// Most storage addresses that a genesis may list; they are written in one transaction.
pub const MAX_GENESIS: usize = 65_536;
/// Most bytes of a genesis text: [`MAX_GENESIS`] entries of at most 256 bytes.
pub const MAX_GENESIS_BYTES: usize = MAX_GENESIS * 256;

/// What a World begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// Its storage.
    pub storage: Vec<GenesisEntry>,
}

/// A storage address and what is there in the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisEntry {
    /// The address.
    pub key: Key,
    /// How it merges.
    pub kind: Kind,
    /// What is there.
    pub value: GenesisValue,
}

/// What is at a storage address in the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a value is a whole number from 0 to 2^64 - 1, or, for a lock, an account \"0x…\"")]
pub enum GenesisValue {
    /// For a counter or an escrow.
    Number(u64),
    /// For a lock.
    Account(AccountId),
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
        /// How many.
        got: usize,
        /// The bound.
        max: usize,
    },
    /// An address is listed twice.
    #[error("the genesis lists storage address {key} twice")]
    Twice {
        /// The address.
        key: Key,
    },
    /// A number for a lock or an account for something else.
    #[error("the genesis gives {kind} {key} {got}")]
    Value {
        /// Its kind.
        kind: Kind,
        /// The address.
        key: Key,
        /// What it gives.
        got: &'static str,
    },
    /// All balances together can't be counted.
    #[error("the balances of the genesis exceed 2^64 - 1 in sum, at escrow {key}")]
    Total {
        /// Where the sum exceeds it.
        key: Key,
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
                r#"Correct it there; it should look like {"storage":[{"key":"0x1","kind":"counter","value":0}]}."#
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
    /// See [`GenesisError`].
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
    /// See [`GenesisError`].
    pub fn validate(&self) -> Result<(), GenesisError> {
        self.cells().map(drop)
    }

    /// The hash of it: of every address in order, with its kind and value. How it was written says nothing.
    ///
    /// # Errors
    /// See [`GenesisError`].
    pub fn hash(&self) -> Result<Hash, GenesisError> {
        let cells = self.cells()?;
        let bytes = |(key, cell): (&Key, &Cell)| {
            let kind = Felt::from(cell.kind().number());
            [kind, key.0, cell.value()].into_iter().flat_map(|felt| felt.to_bytes_be()).collect::<Vec<u8>>()
        };
        Ok(Hash::of_parts("shardwire genesis", &[&cells.iter().flat_map(bytes).collect::<Vec<u8>>()]))
    }

    /// The cells, validated.
    pub(crate) fn cells(&self) -> Result<BTreeMap<Key, Cell>, GenesisError> {
        if self.storage.len() > MAX_GENESIS {
            let got = self.storage.len();
            return Err(GenesisError::Size { what: "storage addresses", got, max: MAX_GENESIS });
        }
        let mut cells = BTreeMap::new();
        let mut total: u64 = 0;
        for &GenesisEntry { key, kind, value } in &self.storage {
            let cell = match (kind, value) {
                (Kind::Counter, GenesisValue::Number(value)) => Cell::Counter(Counter::new(value)),
                (Kind::Escrow, GenesisValue::Number(balance)) => {
                    total = total.checked_add(balance).ok_or(GenesisError::Total { key })?;
                    Cell::Escrow(Escrow::new(balance))
                }
                (Kind::Lock, GenesisValue::Account(account)) => Cell::Lock(Lock::new(account)),
                (_, GenesisValue::Account(_)) => return Err(GenesisError::Value { kind, key, got: "an account" }),
                (_, GenesisValue::Number(_)) => return Err(GenesisError::Value { kind, key, got: "a number" }),
            };
            if cells.insert(key, cell).is_some() {
                return Err(GenesisError::Twice { key });
            }
        }
        Ok(cells)
    }
}
