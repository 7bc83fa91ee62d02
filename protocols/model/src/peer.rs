//! Who a peer is.

use crate::{
    felt::Felt,
    hash::{Meaning, ParseHexError, bytes32},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};

/// A peer: its ed25519 public key (32 bytes; 64 hexadecimal digits in text).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub [u8; 32]);

impl PeerId {
    /// The first characters, for people.
    #[must_use]
    pub fn short(&self) -> String {
        hex::encode(&self.0[..5])
    }

    /// As programs read it: the low 128 bits and the high 128 bits of it as a big-endian number.
    pub(crate) fn to_felts(self) -> [Felt; 2] {
        let (high, low) = self.0.split_at(16);
        [low, high].map(Felt::from_bytes_be_slice)
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}

impl FromStr for PeerId {
    type Err = ParseHexError;
    fn from_str(text: &str) -> Result<Self, ParseHexError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ParseHexError)?;
        Ok(Self(bytes))
    }
}

impl Serialize for PeerId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        bytes32::serialize(&self.0, serializer)
    }
}

impl Meaning for PeerId {
    const TEXT: &'static str = "a peer's id, its ed25519 public key: 32 bytes";
}

impl<'de> Deserialize<'de> for PeerId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        bytes32::deserialize::<Self, _>(deserializer).map(Self).map_err(D::Error::custom)
    }
}
