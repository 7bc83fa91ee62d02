//! How amounts are written: a [`u128`] on the wire; in JSON a number where every reader keeps it exact, text above.
//!
//! Tokens with 18 decimals don't fit 64 bits, and most readers of JSON keep 53. So JSON has a number up to 2^53 - 1 and decimal digits in
//! quotes above; both are read, as is `"0x…"`. For `#[serde(with = "amount")]`.

use serde::{
    Deserialize, Deserializer, Serializer,
    de::{Error, Expected, MapAccess, Unexpected, Visitor},
};
use std::fmt;

/// The largest number that every reader of JSON keeps.
pub const MAX_JSON_NUMBER: u64 = (1 << 53) - 1;

/// A text that is no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no amount: expected a whole number from 0 to 2^128 - 1, in decimal digits or 0x and hexadecimal ones"
)]
pub struct ParseAmountError(String);

/// Reads decimal digits, or `0x` and hexadecimal ones.
///
/// # Errors
/// [`ParseAmountError`] if the text is neither, or names a number of 2^128 or more.
pub fn parse(text: &str) -> Result<u128, ParseAmountError> {
    let (digits, radix) = text.strip_prefix("0x").map_or((text, 10), |digits| (digits, 16));
    let refuse = || ParseAmountError(text.chars().take(80).collect());
    // `from_str_radix` takes a sign.
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(refuse());
    }
    u128::from_str_radix(digits, radix).map_err(|_| refuse())
}

/// See [`amount`](self).
///
/// # Errors
/// The serializer's own.
pub fn serialize<S: Serializer>(amount: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    if !serializer.is_human_readable() {
        return serializer.serialize_u128(*amount);
    }
    match u64::try_from(*amount) {
        Ok(number) if number <= MAX_JSON_NUMBER => serializer.serialize_u64(number),
        _ => serializer.collect_str(amount),
    }
}

/// See [`amount`](self).
///
/// # Errors
/// The deserializer's error if the value is no amount.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
    if deserializer.is_human_readable() {
        deserializer.deserialize_any(Amount)
    } else {
        u128::deserialize(deserializer)
    }
}

/// The key under which the parser of JSON hands over a number that it keeps as its text: one with a fraction or an exponent, or beyond 64 bits.
const NUMBER_TEXT: &str = "$serde_json::private::Number";

/// What to say of a map where a whole number is expected: for a visitor's `visit_map`, which gets numbers such as `1e2` as well as objects.
pub fn no_whole_number<'de, A: MapAccess<'de>>(mut map: A, expected: &dyn Expected) -> A::Error {
    match map.next_key::<String>() {
        Ok(Some(key)) if key == NUMBER_TEXT => match map.next_value::<String>() {
            Ok(number) => A::Error::custom(format_args!("invalid number: {number}, expected {expected}")),
            Err(error) => error,
        },
        _ => A::Error::invalid_type(Unexpected::Map, expected),
    }
}

struct Amount;

impl<'de> Visitor<'de> for Amount {
    type Value = u128;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number from 0 to 2^128 - 1, in quotes if it is above 2^64 - 1")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<u128, E> {
        u128::try_from(number).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u128, E> {
        Ok(number.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u128, E> {
        parse(text).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<u128, A::Error> {
        Err(no_whole_number(map, &self))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct It(#[serde(with = "super")] u128);

    #[test]
    fn json_keeps_every_amount() {
        for (amount, text) in [
            (0, "0"),
            ((1 << 53) - 1, "9007199254740991"),
            (1 << 53, r#""9007199254740992""#),
            (u128::MAX, r#""340282366920938463463374607431768211455""#),
        ] {
            assert_eq!(serde_json::to_string(&It(amount)).unwrap(), text);
            assert_eq!(serde_json::from_str::<It>(text).unwrap(), It(amount));
        }
        for (text, amount) in [("18446744073709551615", u64::MAX.into()), (r#""0x10""#, 16), (r#""007""#, 7)] {
            assert_eq!(serde_json::from_str::<It>(text).unwrap(), It(amount), "{text}");
        }
        for text in ["-1", "1.5", "18446744073709551616", r#""""#, r#""0x""#, r#""+1""#, r#""1f""#, "null"] {
            assert!(serde_json::from_str::<It>(text).is_err(), "{text}");
        }
        // Also where the parser keeps numbers as their text, as it does beside the virtual machine.
        for text in ["1e2", "1.5"] {
            let error = serde_json::from_str::<It>(text).unwrap_err().to_string();
            assert!(error.contains("expected a whole number from 0") && !error.contains("map"), "{error}");
        }
        let error = serde_json::from_str::<It>("{}").unwrap_err().to_string();
        assert!(error.starts_with("invalid type: map, expected a whole number"), "{error}");
        let beyond = r#""340282366920938463463374607431768211456""#;
        let error = serde_json::from_str::<It>(beyond).unwrap_err().to_string();
        assert!(error.contains("is no amount: expected a whole number from 0 to 2^128 - 1"), "{error}");
    }

    #[test]
    fn the_wire_has_a_number() {
        for amount in [0, 300, u128::MAX] {
            let bytes = postcard::to_allocvec(&It(amount)).unwrap();
            assert_eq!(bytes, postcard::to_allocvec(&amount).unwrap());
            assert_eq!(postcard::from_bytes::<It>(&bytes).unwrap(), It(amount));
        }
    }
}
