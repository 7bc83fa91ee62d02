//! How numbers and secrets stand in the file: amounts as whole numbers, felts as `0x…`, secrets as 64 digits.

use serde::{Deserialize, Deserializer, Serializer, de};
use shardwire_model::{Felt, amount, felt};
use std::fmt;

/// A whole number below 2^128 (above 2^53 as text) or `0x…`.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Felt, D::Error> {
    struct Visitor;
    impl<'de> de::Visitor<'de> for Visitor {
        type Value = Felt;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number below 2^128, in quotes if it is above 2^53, or a felt such as \"0x2a\"")
        }
        fn visit_u64<E: de::Error>(self, amount: u64) -> Result<Felt, E> {
            Ok(Felt::from(amount))
        }
        fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Felt, A::Error> {
            Err(amount::no_whole_number(map, &self))
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Felt, E> {
            if text.starts_with("0x") {
                felt::parse(text).map_err(E::custom)
            } else {
                amount::parse(text).map(Felt::from).map_err(E::custom)
            }
        }
    }
    deserializer.deserialize_any(Visitor)
}

/// 32 bytes as 64 hexadecimal digits. The text never appears in an error.
pub(super) mod secret {
    use super::{Deserialize, Deserializer, Serializer, de};

    pub(in super::super) fn serialize<S: Serializer>(secret: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(secret))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let mut bytes = [0; 32];
        let text = String::deserialize(deserializer)?;
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| de::Error::custom("a secret must be 64 hexadecimal digits"))?;
        Ok(bytes)
    }
}
