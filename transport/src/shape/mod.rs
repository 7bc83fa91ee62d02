//! What the bytes of a message's body are, derived from its type.
//!
//! [`Shape::of`] asks a type's own `Deserialize` what it reads, field by field and variant by variant, so a shape can't
//! disagree with what is decoded. Bounds that a type has beyond its structure are what its visitor says that it expects:
//! "at most 16 elements", "at most 0x08…" (see [`Shape::most`]). [`Shape::sample`] makes the bytes of a value of a
//! shape, for tests that need many.
//!
//! The encoding is postcard's: a byte and a bool as one byte, larger integers as varints (signed ones zigzag), lengths and
//! the numbers of variants as varints, an option as a byte 0 or 1 and the value, everything else one after the other.
//!
//! What has no shape (a type that reads what it finds, contains itself, or refuses all that is offered to it) becomes
//! [`Shape::Opaque`] with the reason. Bounds: a type is read at most [`MAX_PASSES`] times, [`MAX_DEPTH`] levels deep.

mod recorder;
mod sample;

pub use recorder::{MAX_DEPTH, MAX_PASSES};
use serde::de::DeserializeOwned;

/// What the bytes of a value are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Nothing.
    Unit,
    /// A byte, 0 or 1.
    Bool,
    /// 8 bits: the byte. More: a varint, at most so many bits.
    Unsigned {
        /// 8, 16, 32, 64 or 128.
        bits: u8,
    },
    /// 8 bits: the byte. More: a zigzag varint.
    Signed {
        /// 8, 16, 32, 64 or 128.
        bits: u8,
    },
    /// IEEE 754, little-endian.
    Float {
        /// 32 or 64.
        bits: u8,
    },
    /// Its length in bytes as a varint, and the UTF-8 text.
    Text {
        /// What the type says about it.
        note: Option<String>,
    },
    /// Their number as a varint, and the bytes.
    Bytes {
        /// What the type says about them.
        note: Option<String>,
    },
    /// A byte 0; or a byte 1 and the value.
    Option(Box<Self>),
    /// The number of elements as a varint, and the elements.
    List {
        /// Of each element.
        of: Box<Self>,
        /// What the type says about it.
        note: Option<String>,
    },
    /// The number of entries as a varint, and each entry's key and value.
    Map {
        /// Of each key.
        key: Box<Self>,
        /// Of each value.
        value: Box<Self>,
        /// What the type says about it.
        note: Option<String>,
    },
    /// So many values of one shape.
    Array {
        /// Of each.
        of: Box<Self>,
        /// How many.
        len: usize,
        /// What the type says about it.
        note: Option<String>,
    },
    /// One after the other.
    Tuple {
        /// What follows what.
        of: Vec<Self>,
        /// What the type says about it.
        note: Option<String>,
    },
    /// A name for another shape.
    Newtype {
        /// The type's name.
        name: &'static str,
        /// What it is.
        of: Box<Self>,
    },
    /// The fields, in this order.
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
    /// All bytes to the frame's end.
    Rest {
        /// What they are.
        note: Option<String>,
    },
    /// Not known.
    Opaque {
        /// Why not.
        reason: String,
    },
}

impl Shape {
    /// The shape of a type, from its `Deserialize`.
    #[must_use]
    pub fn of<T: DeserializeOwned>() -> Self {
        recorder::record::<T>()
    }

    /// Bulk to the frame's end.
    #[must_use]
    pub fn rest(note: impl Into<String>) -> Self {
        Self::Rest { note: Some(note.into()) }
    }

    /// This struct with one more field: for a message that writes a head and something after it.
    #[must_use]
    pub fn and(mut self, name: &'static str, shape: Self) -> Self {
        match &mut self {
            Self::Struct { fields, .. } => fields.push((name, shape)),
            other => *other = Self::Opaque { reason: format!("{name} follows what is no struct") },
        }
        self
    }

    /// This enum with another content of one variant: for a message whose head says what follows it.
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

    /// What the type says about the value beyond its structure.
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

    /// The shapes that this one is made of.
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

    /// Why this shape or a part of it isn't known; nothing if all of it is.
    #[must_use]
    pub fn unknown(&self) -> Option<&str> {
        match self {
            Self::Opaque { reason } => Some(reason),
            _ => self.parts().find_map(Self::unknown),
        }
    }

    /// The fewest bytes that a value of this shape has.
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
