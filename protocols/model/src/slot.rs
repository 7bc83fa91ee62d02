//! A place in a contract's storage.

use crate::felt::{ContractId, Key, ParseFeltError};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};

/// A place in a contract's storage. The same key in another contract is another slot. `0x<contract>/0x<key>` in text, both felts on
/// the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// The contract whose storage it is.
    pub contract: ContractId,
    /// The storage address in it.
    pub key: Key,
}

impl Slot {
    /// The slot of this contract with this key.
    #[must_use]
    pub const fn new(contract: ContractId, key: Key) -> Self {
        Self { contract, key }
    }

    /// 64 bytes, in the order of slots: contract, then key, each big-endian.
    #[must_use]
    pub fn to_bytes_be(self) -> [u8; 64] {
        let mut bytes = [0; 64];
        let (contract, key) = bytes.split_at_mut(32);
        contract.copy_from_slice(&self.contract.0.to_bytes_be());
        key.copy_from_slice(&self.key.0.to_bytes_be());
        bytes
    }

    /// The slot with these bytes, unless a half is no felt.
    #[must_use]
    pub fn from_bytes_be(bytes: &[u8; 64]) -> Option<Self> {
        let (contract, key) = bytes.split_first_chunk::<32>()?;
        let felt = crate::felt::from_canonical;
        Some(Self { contract: ContractId(felt(contract)?), key: Key(felt(key.first_chunk::<32>()?)?) })
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.contract, self.key)
    }
}

/// A text that is no slot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseSlotError {
    /// It isn't two parts.
    #[error("'{0}' is no storage slot: expected a contract and a key, such as 0xd/0x100")]
    Form(String),
    /// A part is no felt.
    #[error(transparent)]
    Felt(#[from] ParseFeltError),
}

impl FromStr for Slot {
    type Err = ParseSlotError;

    fn from_str(text: &str) -> Result<Self, ParseSlotError> {
        let (contract, key) =
            text.split_once('/').ok_or_else(|| ParseSlotError::Form(text.chars().take(160).collect()))?;
        Ok(Self { contract: contract.parse()?, key: key.parse()? })
    }
}

impl Serialize for Slot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            (self.contract, self.key).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Slot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
        } else {
            Deserialize::deserialize(deserializer).map(|(contract, key)| Self { contract, key })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Felt;

    #[test]
    fn a_slot_comes_back_from_text_bytes_and_the_wire() {
        let slot = Slot::new(ContractId(Felt::from(13)), Key(Felt::MAX));
        assert_eq!(slot.to_string().parse(), Ok(slot));
        assert_eq!(Slot::from_bytes_be(&slot.to_bytes_be()), Some(slot));
        assert_eq!(Slot::from_bytes_be(&[255; 64]), None);
        let wire = postcard::to_allocvec(&slot).unwrap();
        assert_eq!((wire.len(), postcard::from_bytes::<Slot>(&wire).unwrap()), (64, slot));
        assert_eq!(serde_json::from_str::<Slot>(r#""0xd/0x1""#).unwrap().key, Key(Felt::ONE));
        let text = "0xd".parse::<Slot>().unwrap_err().to_string();
        assert_eq!(text, "'0xd' is no storage slot: expected a contract and a key, such as 0xd/0x100");
    }
}
