//! The value that some bytes are, by a shape: enough of it for a person to read.
//!
//! The bytes have been decoded by their own type before, so they are known to be such a value; where this reading fails nevertheless it
//! says so in place of the value. What is shown is bounded: long lists and bytes are shown by their beginning and their length.

use serde::{Serialize, Serializer, ser::SerializeMap};
use shardwire_model::plain::plain;
use shardwire_transport::Shape;
use std::fmt;

/// Elements of a list that are shown.
pub const MAX_SHOWN_ELEMENTS: usize = 16;
/// Bytes, and characters of a text, that are shown: a signature is shown whole.
pub const MAX_SHOWN_BYTES: usize = 64;
/// How deep a shape is read: deeper than any that can be derived.
const MAX_DEPTH: usize = shardwire_transport::shape::MAX_DEPTH + 1;

/// A value read from the bytes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// No bytes.
    Nothing,
    /// A bool.
    Bool(bool),
    /// A number.
    Number(u128),
    /// A signed number.
    Signed(i128),
    /// A text.
    Text(String),
    /// Bytes, and how many they are.
    Bytes(Vec<u8>, usize),
    /// Elements, and how many there are.
    List(Vec<Self>, usize),
    /// Names and values.
    Fields(Vec<(&'static str, Self)>),
    /// A variant.
    Variant(&'static str, Box<Self>),
    /// What can't be shown, and why.
    Unreadable(&'static str),
}

const UNREADABLE: Value = Value::Unreadable("not of this shape");

impl Value {
    /// The value of a whole body.
    #[must_use]
    pub fn of(shape: &Shape, body: &[u8]) -> Self {
        let mut reader = Reader { rest: body };
        match reader.value(shape, 0) {
            Some(value) if reader.rest.is_empty() => value,
            _ => UNREADABLE,
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(n)?;
        self.rest = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn varint(&mut self) -> Option<u128> {
        let mut value = 0_u128;
        for shift in (0..128).step_by(7) {
            let byte = self.byte()?;
            value |= u128::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn length(&mut self) -> Option<usize> {
        self.varint().and_then(|length| usize::try_from(length).ok())
    }

    fn number(&mut self, bits: u8) -> Option<u128> {
        if bits == 8 { self.byte().map(u128::from) } else { self.varint() }
    }

    fn bytes(&mut self, n: usize) -> Option<Value> {
        let bytes = self.take(n)?;
        Some(Value::Bytes(bytes.get(..MAX_SHOWN_BYTES).unwrap_or(bytes).to_vec(), n))
    }

    fn many<'s>(&mut self, shapes: impl Iterator<Item = &'s Shape>, n: usize, depth: usize) -> Option<Value> {
        let mut shown = Vec::new();
        for shape in shapes.take(n) {
            let before = self.rest.len();
            let value = self.value(shape, depth)?;
            if shown.len() < MAX_SHOWN_ELEMENTS {
                shown.push(value);
            } else if self.rest.len() == before {
                break; // elements without bytes: there may be any number of them
            }
        }
        Some(Value::List(shown, n))
    }

    fn value(&mut self, shape: &Shape, depth: usize) -> Option<Value> {
        if depth > MAX_DEPTH {
            return None;
        }
        let depth = depth + 1;
        Some(match shape {
            Shape::Unit => Value::Nothing,
            Shape::Bool => Value::Bool(self.byte()? != 0),
            Shape::Unsigned { bits } => Value::Number(self.number(*bits)?),
            Shape::Signed { bits: 8 } => Value::Signed(i8::from_le_bytes([self.byte()?]).into()),
            Shape::Signed { .. } => {
                let zigzag = self.varint()?;
                let half = i128::try_from(zigzag >> 1).ok()?;
                Value::Signed(if zigzag & 1 == 0 { half } else { -half - 1 })
            }
            Shape::Float { bits } => self.bytes(usize::from(*bits / 8))?,
            Shape::Text { .. } => {
                let length = self.length()?;
                let text = String::from_utf8_lossy(self.take(length)?);
                // A peer's words go to a person's terminal.
                Value::Text(plain(&text.chars().take(MAX_SHOWN_BYTES).collect::<String>()))
            }
            Shape::Bytes { .. } => {
                let length = self.length()?;
                self.bytes(length)?
            }
            Shape::Rest { .. } => self.bytes(self.rest.len())?,
            Shape::Option(of) => match self.byte()? {
                0 => Value::Nothing,
                _ => self.value(of, depth)?,
            },
            Shape::List { of, .. } => {
                let length = self.length()?;
                if **of == (Shape::Unsigned { bits: 8 }) {
                    self.bytes(length)?
                } else {
                    self.many(std::iter::repeat(&**of), length, depth)?
                }
            }
            Shape::Map { key, value, .. } => {
                let entries = self.length()?;
                let both = [&**key, &**value];
                self.many(both.into_iter().cycle(), entries.saturating_mul(2), depth)?
            }
            Shape::Array { of, len, .. } if **of == (Shape::Unsigned { bits: 8 }) => self.bytes(*len)?,
            Shape::Array { of, len, .. } => self.many(std::iter::repeat(&**of), *len, depth)?,
            Shape::Tuple { of, .. } => self.many(of.iter(), of.len(), depth)?,
            Shape::Newtype { of, .. } => self.value(of, depth)?,
            Shape::Struct { fields, .. } => {
                let mut values = Vec::new();
                for (name, shape) in fields {
                    values.push((*name, self.value(shape, depth)?));
                }
                Value::Fields(values)
            }
            Shape::Enum { variants, .. } => {
                let (name, shape) = variants.get(self.length()?)?;
                Value::Variant(name, Box::new(self.value(shape, depth)?))
            }
            Shape::Opaque { .. } => {
                self.rest = &[];
                Value::Unreadable("of no known shape")
            }
        })
    }
}

fn hex(bytes: &[u8], length: usize) -> String {
    let shown: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    if length > bytes.len() { format!("{shown}… ({length} bytes)") } else { shown }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("-"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Signed(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Bytes(bytes, length) => f.write_str(&hex(bytes, *length)),
            Self::List(values, length) => {
                let shown: Vec<String> = values.iter().map(Self::to_string).collect();
                let more = if *length > values.len() { format!(", … ({length} in all)") } else { String::new() };
                write!(f, "[{}{more}]", shown.join(", "))
            }
            Self::Fields(fields) => {
                let shown: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                write!(f, "{{{}}}", shown.join(", "))
            }
            Self::Variant(name, value) if **value == Self::Nothing => f.write_str(name),
            Self::Variant(name, value) => write!(f, "{name} {value}"),
            Self::Unreadable(why) => write!(f, "({why})"),
        }
    }
}

/// As people expect it of JSON: numbers as numbers (beyond 64 bits as text), bytes in hexadecimal digits, a variant as an object with its name.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let one = |serializer: S, name: &'static str, value: &Self| {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry(name, value)?;
            map.end()
        };
        match self {
            Self::Nothing => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => match u64::try_from(*number) {
                Ok(number) => serializer.serialize_u64(number),
                Err(_) => serializer.collect_str(number),
            },
            Self::Signed(number) => match i64::try_from(*number) {
                Ok(number) => serializer.serialize_i64(number),
                Err(_) => serializer.collect_str(number),
            },
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes, length) => serializer.serialize_str(&hex(bytes, *length)),
            Self::List(values, length) if *length == values.len() => serializer.collect_seq(values),
            Self::List(values, length) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("first", values)?;
                map.serialize_entry("length", length)?;
                map.end()
            }
            Self::Fields(fields) => serializer.collect_map(fields.iter().map(|(name, value)| (name, value))),
            Self::Variant(name, value) if **value == Self::Nothing => serializer.serialize_str(name),
            Self::Variant(name, value) => one(serializer, name, value),
            Self::Unreadable(why) => serializer.serialize_str(why),
        }
    }
}
