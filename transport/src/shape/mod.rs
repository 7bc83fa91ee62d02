//! The layout of a message's body, derived from its type.
//!
//! [`Shape::of`] asks a type's own `Deserialize` what it reads, field by field and variant by variant, so a shape
//! can't disagree with what is decoded. Bounds beyond the structure are what the type's visitor says it expects: "at
//! most 16 elements", "at most 0x08…" (see [`Shape::most`]). [`Shape::sample`] makes the bytes of a random value of a
//! shape, for tests that need many.
//!
//! The encoding is postcard's: a byte and a bool as one byte, larger integers as varints (signed ones zigzag),
//! lengths and the numbers of variants as varints, an option as a byte 0 or 1 and the value, everything else in
//! sequence.
//!
//! A type that has no shape (it reads what it finds, contains itself, or refuses everything offered) becomes
//! [`Shape::Opaque`] with the reason. Bounds: a type is read at most [`MAX_PASSES`] times, [`MAX_DEPTH`] levels deep.

mod recorder;
mod sample;

pub use recorder::{MAX_DEPTH, MAX_PASSES};
use serde::de::DeserializeOwned;

/// The layout of a value's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// No bytes.
    Unit,
    /// A byte, 0 or 1.
    Bool,
    /// 8 bits: the byte. More: a varint of at most this many bits.
    Unsigned {
        /// The width: 8, 16, 32, 64 or 128.
        bits: u8,
    },
    /// 8 bits: the byte. More: a zigzag varint.
    Signed {
        /// The width: 8, 16, 32, 64 or 128.
        bits: u8,
    },
    /// IEEE 754, little-endian.
    Float {
        /// The width: 32 or 64.
        bits: u8,
    },
    /// Its length in bytes as a varint, and the UTF-8 text.
    Text {
        /// The bound that the type states, if any.
        note: Option<String>,
    },
    /// The number of bytes as a varint, and the bytes.
    Bytes {
        /// The bound that the type states, if any.
        note: Option<String>,
    },
    /// A byte 0; or a byte 1 and the value.
    Option(Box<Self>),
    /// The number of elements as a varint, and the elements.
    List {
        /// The shape of each element.
        of: Box<Self>,
        /// The bound that the type states, if any.
        note: Option<String>,
    },
    /// The number of entries as a varint, and each entry's key and value.
    Map {
        /// The shape of each key.
        key: Box<Self>,
        /// The shape of each value.
        value: Box<Self>,
        /// The bound that the type states, if any.
        note: Option<String>,
    },
    /// A fixed number of values of one shape.
    Array {
        /// The shape of each value.
        of: Box<Self>,
        /// The number of values.
        len: usize,
        /// The bound that the type states, if any.
        note: Option<String>,
    },
    /// Values of different shapes, one after the other.
    Tuple {
        /// The shapes, in order.
        of: Vec<Self>,
        /// The bound that the type states, if any.
        note: Option<String>,
    },
    /// A name for another shape.
    Newtype {
        /// The type's name.
        name: &'static str,
        /// The shape behind the name.
        of: Box<Self>,
    },
    /// The fields, in order.
    Struct {
        /// The type's name.
        name: &'static str,
        /// Name and shape of each field.
        fields: Vec<(&'static str, Self)>,
    },
    /// The variant's place in this list as a varint, and what the variant holds.
    Enum {
        /// The type's name.
        name: &'static str,
        /// Name and content of each variant: [`Shape::Unit`], a [`Shape::Struct`] of the variant's name, or a value.
        variants: Vec<(&'static str, Self)>,
    },
    /// All bytes up to the frame's end.
    Rest {
        /// What the bytes are.
        note: Option<String>,
    },
    /// The layout isn't known.
    Opaque {
        /// Why it isn't known.
        reason: String,
    },
}

impl Shape {
    /// The shape of a type, from its `Deserialize`.
    #[must_use]
    pub fn of<T: DeserializeOwned>() -> Self {
        recorder::record::<T>()
    }

    /// Bulk up to the frame's end.
    #[must_use]
    pub fn rest(note: impl Into<String>) -> Self {
        Self::Rest { note: Some(note.into()) }
    }

    /// Adds a field to a struct, for a message that writes a head and something after it.
    #[must_use]
    pub fn and(mut self, name: &'static str, shape: Self) -> Self {
        match &mut self {
            Self::Struct { fields, .. } => fields.push((name, shape)),
            other => *other = Self::Opaque { reason: format!("{name} follows what is no struct") },
        }
        self
    }

    /// Replaces the content of one variant of an enum, for a message whose head says what follows it.
    #[must_use]
    pub fn with(mut self, variant: &str, content: impl FnOnce(Self) -> Self) -> Self {
        let found = match &mut self {
            Self::Enum { variants, .. } => variants.iter_mut().find(|(name, _)| *name == variant),
            _ => None,
        };
        match found {
            Some((_, shape)) => *shape = content(std::mem::replace(shape, Self::Unit)),
            None => self = Self::Opaque { reason: format!("there is no variant {variant}") },
        }
        self
    }

    /// The bound that the type states beyond its structure.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        match self {
            Self::Text { note }
            | Self::Bytes { note }
            | Self::List { note, .. }
            | Self::Map { note, .. }
            | Self::Array { note, .. }
            | Self::Tuple { note, .. }
            | Self::Rest { note } => note.as_deref(),
            _ => None,
        }
    }

    /// The most elements or bytes, if the note says so: the number after "at most".
    #[must_use]
    pub fn most(&self) -> Option<usize> {
        let (_, after) = self.note()?.split_once("at most ")?;
        after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }

    /// The shapes inside this one.
    pub fn parts(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        match self {
            Self::Option(of) | Self::List { of, .. } | Self::Array { of, .. } | Self::Newtype { of, .. } => {
                Box::new(std::iter::once(&**of))
            }
            Self::Map { key, value, .. } => Box::new([&**key, &**value].into_iter()),
            Self::Tuple { of, .. } => Box::new(of.iter()),
            Self::Struct { fields: named, .. } | Self::Enum { variants: named, .. } => {
                Box::new(named.iter().map(|(_, shape)| shape))
            }
            _ => Box::new(std::iter::empty()),
        }
    }

    /// Why this shape, or a part of it, isn't known; `None` if all of it is.
    #[must_use]
    pub fn unknown(&self) -> Option<&str> {
        match self {
            Self::Opaque { reason } => Some(reason),
            _ => self.parts().find_map(Self::unknown),
        }
    }

    /// The fewest bytes that a value of this shape takes.
    #[must_use]
    pub fn least(&self) -> usize {
        match self {
            Self::Unit | Self::Rest { .. } | Self::Opaque { .. } => 0,
            Self::Float { bits } => usize::from(*bits) / 8,
            Self::Array { of, len, .. } => of.least() * len,
            Self::Newtype { of, .. } => of.least(),
            Self::Tuple { .. } | Self::Struct { .. } => self.parts().map(Self::least).sum(),
            Self::Enum { .. } => 1 + self.parts().map(Self::least).min().unwrap_or(0),
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests;
