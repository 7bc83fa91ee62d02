//! Field elements and the identities that are one.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use starknet_types_core::hash::{Pedersen, StarkHash as _};
use std::{fmt, str::FromStr};

pub use starknet_types_core::felt::Felt;

/// A text that is not a felt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a field element: expected 0x and up to 64 hexadecimal digits, below the Stark prime")]
pub struct ParseFeltError(String);

/// Reads `0x…`; refuses anything that is not canonical, an over-long text included.
///
/// # Errors
/// If the text has no `0x`, has other than 1 to 64 hexadecimal digits, or names a value not below the Stark prime.
pub fn parse(text: &str) -> Result<Felt, ParseFeltError> {
    let refuse = || ParseFeltError(text.chars().take(80).collect());
    let digits = text.strip_prefix("0x").ok_or_else(refuse)?;
    if digits.is_empty() || digits.len() > 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(refuse());
    }
    let mut bytes = [0; 32];
    hex::decode_to_slice(format!("{digits:0>64}"), &mut bytes).map_err(|_| refuse())?;
    from_canonical(&bytes).ok_or_else(refuse)
}

/// The felt with these big-endian bytes, unless they are not below the prime.
#[must_use]
pub fn from_canonical(bytes: &[u8; 32]) -> Option<Felt> {
    let felt = Felt::from_bytes_be(bytes);
    (felt.to_bytes_be() == *bytes).then_some(felt)
}

/// `serde` of a felt as the wire and JSON have it: 32 bytes big-endian, or `0x…`. For `#[serde(with = "felt::wire")]`.
pub mod wire {
    use super::{Deserialize, Deserializer, Felt, Serialize, Serializer, from_canonical, parse};
    use crate::hash::{Bytes32, Meaning};
    use serde::de::Error as _;

    struct Canonical;

    impl Meaning for Canonical {
        const TEXT: &'static str = "a felt: 32 bytes, big-endian, at most \
                                    0x0800000000000011000000000000000000000000000000000000000000000000";
    }

    /// See [`wire`](self).
    ///
    /// # Errors
    /// The serializer's own.
    pub fn serialize<S: Serializer>(felt: &Felt, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&format!("{felt:#x}"))
        } else {
            felt.to_bytes_be().serialize(serializer)
        }
    }

    /// See [`wire`](self).
    ///
    /// # Errors
    /// The deserializer's error if the value is not a canonical felt.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Felt, D::Error> {
        if deserializer.is_human_readable() {
            parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
        } else {
            let bytes = deserializer.deserialize_tuple(32, Bytes32::<Canonical>::default())?;
            from_canonical(&bytes).ok_or_else(|| D::Error::custom("a felt that is not below the Stark prime"))
        }
    }
}

macro_rules! felt_identity {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Felt);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
        impl FromStr for $name {
            type Err = ParseFeltError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse(text).map(Self)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                wire::serialize(&self.0, serializer)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                wire::deserialize(deserializer).map(Self).map_err(D::Error::custom)
            }
        }
    };
}

felt_identity! {
    /// A shard, named by a hash of its start (see [`StartRequest::shard_id`](crate::StartRequest::shard_id)).
    ShardId
}
felt_identity! {
    /// An account: the x coordinate of its public key on the Stark curve.
    AccountId
}
felt_identity! {
    /// A contract's address.
    ContractId
}
felt_identity! {
    /// A storage address of the World.
    Key
}
felt_identity! {
    /// The selector of an event.
    Selector
}

impl ShardId {
    /// The first characters, for people.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string().chars().take(10).collect()
    }
}

impl Key {
    /// Where a contract of Cairo keeps a variable, or what it has under these keys where it is a mapping (`LegacyMap`, `Map`).
    #[must_use]
    pub fn of_variable(name: &str, keys: &[Felt]) -> Self {
        let bound = Felt::TWO.pow(251_u32) - Felt::from(256);
        let address = keys.iter().fold(starknet_keccak(name), |address, key| Pedersen::hash(&address, key));
        Self(if address >= bound { address - bound } else { address })
    }
}

/// Starknet's `sn_keccak`: Keccak-256 of the text, its lowest 250 bits.
#[must_use]
pub fn starknet_keccak(text: &str) -> Felt {
    use sha3::{Digest, Keccak256};
    let mut bytes: [u8; 32] = Keccak256::digest(text.as_bytes()).into();
    bytes[0] &= 0x03;
    Felt::from_bytes_be(&bytes)
}

/// A short text as Cairo has it: its bytes are the number, the last the lowest. At most 31 bytes; longer ones are cut.
#[must_use]
pub fn short(text: &str) -> Felt {
    Felt::from_bytes_be_slice(text.as_bytes().get(..31).unwrap_or(text.as_bytes()))
}
