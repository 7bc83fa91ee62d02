//! Content hashes: Blake2s-256, the one hash of everything that only peers compare.

use blake2::{Blake2s256, Digest};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, SeqAccess, Visitor},
};
use std::{fmt, marker::PhantomData, str::FromStr};

/// A Blake2s-256 hash (RFC 7693, no key, 32 bytes). 64 hexadecimal digits in text, 32 bytes on the wire.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The hash of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Blake2s256::digest(bytes).into())
    }

    /// The hash of several parts, each preceded by its length (8 bytes, little-endian), under a name of its use: parts can't
    /// flow into each other, and a hash made for one purpose is never one made for another.
    #[must_use]
    pub fn of_parts(context: &str, parts: &[&[u8]]) -> Self {
        let mut hasher = Blake2s256::new();
        for part in std::iter::once(&context.as_bytes()).chain(parts) {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// The first characters, for people.
    #[must_use]
    pub fn short(&self) -> String {
        hex::encode(&self.0[..5])
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// A text that is not 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits")]
pub struct ParseHexError;

impl FromStr for Hash {
    type Err = ParseHexError;
    fn from_str(text: &str) -> Result<Self, ParseHexError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ParseHexError)?;
        Ok(Self(bytes))
    }
}

/// What 32 bytes are: in errors, and in descriptions of the wire that are derived from the types.
pub(crate) trait Meaning {
    /// Such as `a peer's id: 32 bytes`.
    const TEXT: &'static str;
}

/// Reads 32 bytes.
pub(crate) struct Bytes32<M>(PhantomData<M>);

impl<M> Default for Bytes32<M> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<'de, M: Meaning> Visitor<'de> for Bytes32<M> {
    type Value = [u8; 32];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(M::TEXT)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<[u8; 32], A::Error> {
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(at, &self))?;
        }
        Ok(bytes)
    }
}

/// `serde` of 32 bytes: hexadecimal text for people, the bytes on the wire.
pub(crate) mod bytes32 {
    use super::{Bytes32, Deserialize, Deserializer, Meaning, ParseHexError, Serialize, Serializer};
    use serde::de::Error as _;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&hex::encode(bytes))
        } else {
            bytes.serialize(serializer)
        }
    }

    pub(crate) fn deserialize<'de, M: Meaning, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        if deserializer.is_human_readable() {
            let mut bytes = [0; 32];
            let text = String::deserialize(deserializer)?;
            hex::decode_to_slice(text, &mut bytes).map_err(|_| D::Error::custom(ParseHexError))?;
            Ok(bytes)
        } else {
            deserializer.deserialize_tuple(32, Bytes32::<M>::default())
        }
    }
}

impl Meaning for Hash {
    const TEXT: &'static str = "a Blake2s-256 hash: 32 bytes";
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        bytes32::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        bytes32::deserialize::<Self, _>(deserializer).map(Self).map_err(D::Error::custom)
    }
}
