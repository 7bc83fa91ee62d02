//! A message's shape as plain data, and in words.

use serde::Serialize;
use shardwire_transport::Shape;

/// What the bytes of a value are: [`Shape`], as JSON has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Body {
    /// No bytes.
    Nothing,
    /// One byte, 0 or 1.
    Bool,
    /// An unsigned number: the byte of 8 bits, a varint of more.
    Unsigned {
        /// How many bits at most.
        bits: u8,
    },
    /// A signed number: the byte of 8 bits, a zigzag varint of more.
    Signed {
        /// How many bits at most.
        bits: u8,
    },
    /// A floating-point number, little-endian.
    Float {
        /// 32 or 64.
        bits: u8,
    },
    /// A length and UTF-8 text.
    Text {
        /// What else is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// A length and bytes.
    Bytes {
        /// What else is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// A byte 0; or 1 and the value.
    Option {
        /// The value.
        of: Box<Self>,
    },
    /// How many, and the elements.
    List {
        /// The shape of each element.
        of: Box<Self>,
        /// What else is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// How many, and the entries.
    Map {
        /// Each entry's key.
        key: Box<Self>,
        /// Its value.
        value: Box<Self>,
        /// What else is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// So many, with no length before them.
    Array {
        /// The shape of each element.
        of: Box<Self>,
        /// The number of elements.
        len: usize,
        /// What else is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// One after the other.
    Tuple {
        /// What follows what.
        of: Vec<Self>,
        /// What else is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// A name for another type.
    Named {
        /// The name.
        name: &'static str,
        /// What it is.
        of: Box<Self>,
    },
    /// Fields, one after the other.
    Struct {
        /// The type's name.
        name: &'static str,
        /// The fields.
        fields: Vec<Field>,
    },
    /// A variant's number and what it holds.
    Enum {
        /// The type's name.
        name: &'static str,
        /// The variants; the first has number 0.
        variants: Vec<Variant>,
    },
    /// All bytes to the frame's end.
    Rest {
        /// What they are.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// A type whose layout can't be described.
    Opaque {
        /// What stands in the way, in words.
        reason: String,
    },
}

/// A field of a struct.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Its name.
    pub field: &'static str,
    /// What it is.
    pub body: Body,
}

/// A variant of an enum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Variant {
    /// Its number on the wire.
    pub number: usize,
    /// Its name.
    pub variant: &'static str,
    /// What follows the number.
    pub body: Body,
}

impl Body {
    /// Of a shape.
    #[must_use]
    pub fn of(shape: &Shape) -> Self {
        let boxed = |shape: &Shape| Box::new(Self::of(shape));
        match shape {
            Shape::Unit => Self::Nothing,
            Shape::Bool => Self::Bool,
            Shape::Unsigned { bits } => Self::Unsigned { bits: *bits },
            Shape::Signed { bits } => Self::Signed { bits: *bits },
            Shape::Float { bits } => Self::Float { bits: *bits },
            Shape::Text { note } => Self::Text { note: note.clone() },
            Shape::Bytes { note } => Self::Bytes { note: note.clone() },
            Shape::Option(of) => Self::Option { of: boxed(of) },
            Shape::List { of, note } => Self::List { of: boxed(of), note: note.clone() },
            Shape::Map { key, value, note } => Self::Map { key: boxed(key), value: boxed(value), note: note.clone() },
            Shape::Array { of, len, note } => Self::Array { of: boxed(of), len: *len, note: note.clone() },
            Shape::Tuple { of, note } => Self::Tuple { of: of.iter().map(Self::of).collect(), note: note.clone() },
            Shape::Newtype { name, of } => Self::Named { name, of: boxed(of) },
            Shape::Struct { name, fields } => Self::Struct {
                name,
                fields: fields.iter().map(|(field, shape)| Field { field, body: Self::of(shape) }).collect(),
            },
            Shape::Enum { name, variants } => Self::Enum {
                name,
                variants: variants
                    .iter()
                    .enumerate()
                    .map(|(number, (variant, shape))| Variant { number, variant, body: Self::of(shape) })
                    .collect(),
            },
            Shape::Rest { note } => Self::Rest { note: note.clone() },
            Shape::Opaque { reason } => Self::Opaque { reason: reason.clone() },
        }
    }

    /// The type's name, if it has one and what it is fills a table of its own.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        match self {
            Self::Named { name, .. } | Self::Struct { name, .. } | Self::Enum { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The type in a few words; a named one by its name.
    #[must_use]
    pub fn words(&self) -> String {
        let noted = |what: String, note: &Option<String>| match note {
            Some(note) => format!("{what} ({note})"),
            None => what,
        };
        match self {
            Self::Nothing => "nothing".into(),
            Self::Bool => "bool".into(),
            Self::Unsigned { bits: 8 } => "byte".into(),
            Self::Unsigned { bits } => format!("u{bits}"),
            Self::Signed { bits } => format!("i{bits}"),
            Self::Float { bits } => format!("f{bits}"),
            Self::Text { note } => note.clone().unwrap_or_else(|| "text".into()),
            Self::Bytes { note } => noted("a length and bytes".into(), note),
            Self::Option { of } => format!("option of {}", of.words()),
            Self::List { of, note } => noted(format!("list of {}", of.words()), note),
            Self::Map { key, value, note } => noted(format!("map of {} to {}", key.words(), value.words()), note),
            Self::Array { of, len, note } if **of == (Self::Unsigned { bits: 8 }) => {
                // "a felt: 32 bytes, big-endian, …": the page says once what a felt is.
                let what = note.as_deref().map(|note| note.split_once(": ").map_or(note, |(what, _)| what));
                what.map_or_else(|| format!("{len} bytes"), |what| format!("{len} bytes, {what}"))
            }
            Self::Array { of, len, note } => noted(format!("{len} of {}", of.words()), note),
            Self::Tuple { of, note } => noted(of.iter().map(Self::words).collect::<Vec<_>>().join(", then "), note),
            Self::Named { name, .. } | Self::Struct { name, .. } | Self::Enum { name, .. } => format!("`{name}`"),
            Self::Rest { note } => noted("the rest of the body".into(), note),
            Self::Opaque { reason } => format!("unknown: {reason}"),
        }
    }

    /// What it is made of: the parts that may have names of their own.
    #[must_use]
    pub fn parts(&self) -> Vec<&Self> {
        match self {
            Self::Option { of } | Self::List { of, .. } | Self::Array { of, .. } | Self::Named { of, .. } => vec![of],
            Self::Map { key, value, .. } => vec![key, value],
            Self::Tuple { of, .. } => of.iter().collect(),
            Self::Struct { fields, .. } => fields.iter().map(|field| &field.body).collect(),
            // A variant's own struct is shown with the variant.
            Self::Enum { variants, .. } => variants.iter().flat_map(Variant::parts).collect(),
            _ => Vec::new(),
        }
    }
}

impl Variant {
    /// What the variant holds, if that has no name but the variant's.
    pub(super) fn fields(&self) -> Option<&[Field]> {
        match &self.body {
            Body::Struct { name, fields } if *name == self.variant => Some(fields),
            _ => None,
        }
    }

    fn parts(&self) -> Vec<&Body> {
        self.fields().map_or_else(|| vec![&self.body], |fields| fields.iter().map(|field| &field.body).collect())
    }
}

/// The named types within these bodies, the bodies themselves not among them, in the order in which they come; each once.
pub(super) fn named<'a>(bodies: impl IntoIterator<Item = &'a Body>) -> Vec<&'a Body> {
    fn add<'a>(body: &'a Body, found: &mut Vec<&'a Body>) {
        if body.name().is_some() {
            if found.contains(&body) {
                return;
            }
            found.push(body);
        }
        body.parts().into_iter().for_each(|part| add(part, found));
    }
    let mut found = Vec::new();
    for body in bodies {
        body.parts().into_iter().for_each(|part| add(part, &mut found));
    }
    found
}
