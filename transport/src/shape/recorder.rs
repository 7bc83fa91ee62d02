//! A serde `Deserializer` that reads no bytes: it records what the type asks for and returns the least valid value.
//!
//! One reading shows one variant of each enum. So a type is read repeatedly, each time into a variant that isn't
//! completely known yet, until all are.

use super::Shape;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, EnumAccess, Expected, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

/// How often a type is read at most. Each reading shows one more variant.
pub const MAX_PASSES: usize = 4096;
/// How deep a type is read. A type that contains itself has no end.
pub const MAX_DEPTH: usize = 48;

type Error = de::value::Error;

/// The values returned for numbers. A type that refuses the first (it may not be zero) gets the second.
const FILLS: [u8; 2] = [0, 1];

/// The expectations of types that add nothing to their structure.
const PLAIN: [&str; 10] = [
    "a string",
    "a borrowed string",
    "a character",
    "a sequence",
    "a map",
    "a byte array",
    "byte array",
    "an array of length ",
    "a tuple of size ",
    "tuple ",
];

const UNRECORDED: &str = "it was never read";

pub(super) fn record<T: DeserializeOwned>() -> Shape {
    let mut shape = unrecorded();
    for _ in 0..MAX_PASSES {
        let mut read = Ok(());
        for fill in FILLS {
            read = T::deserialize(Recorder { slot: &mut shape, fill, depth: 0 }).map(drop);
            if read.is_ok() {
                break;
            }
        }
        if let Err(error) = read {
            return Shape::Opaque { reason: error.to_string() };
        }
        if shape.unknown().is_none() {
            gather(&mut shape);
            return shape;
        }
    }
    Shape::Opaque { reason: "it has too many variants".to_owned() }
}

fn unrecorded() -> Shape {
    Shape::Opaque { reason: UNRECORDED.to_owned() }
}

/// Turns tuples of equal parts into arrays.
fn gather(shape: &mut Shape) {
    match shape {
        Shape::Option(of) | Shape::List { of, .. } | Shape::Array { of, .. } | Shape::Newtype { of, .. } => gather(of),
        Shape::Map { key, value, .. } => [key, value].into_iter().for_each(|part| gather(part)),
        Shape::Struct { fields: named, .. } | Shape::Enum { variants: named, .. } => {
            named.iter_mut().for_each(|(_, part)| gather(part));
        }
        Shape::Tuple { of, note } => {
            of.iter_mut().for_each(gather);
            if let [first, rest @ ..] = &of[..]
                && rest.iter().all(|part| part == first)
            {
                *shape = Shape::Array { of: Box::new(first.clone()), len: of.len(), note: note.take() };
            }
        }
        _ => {}
    }
}

/// The visitor's expectation, unless it only states the structure.
fn note<'de, V: Visitor<'de>>(visitor: &V) -> Option<String> {
    let text = (visitor as &dyn Expected).to_string();
    let plain = PLAIN.iter().any(|plain| text.starts_with(plain));
    (!plain).then_some(text)
}

struct Recorder<'a> {
    slot: &'a mut Shape,
    fill: u8,
    depth: usize,
}

impl<'a> Recorder<'a> {
    /// Sets the shape here to `fresh`, unless an earlier reading has set it.
    fn open(self, fresh: impl FnOnce() -> Shape) -> Result<(&'a mut Shape, Within), Error> {
        if self.depth == MAX_DEPTH {
            return Err(de::Error::custom("it contains itself"));
        }
        if matches!(self.slot, Shape::Opaque { .. }) {
            *self.slot = fresh();
        }
        Ok((self.slot, Within { fill: self.fill, depth: self.depth + 1 }))
    }
}

/// How to read the parts of a value.
#[derive(Clone, Copy)]
struct Within {
    fill: u8,
    depth: usize,
}

impl Within {
    fn recorder(self, slot: &mut Shape) -> Recorder<'_> {
        Recorder { slot, fill: self.fill, depth: self.depth }
    }
}

/// This reading met another structure than an earlier one: the type reads what it finds.
fn changed<T>() -> Result<T, Error> {
    Err(de::Error::custom("it doesn't read the same twice"))
}

fn boxed() -> Box<Shape> {
    Box::new(unrecorded())
}

macro_rules! numbers {
    ($($method:ident $visit:ident $kind:ident $bits:literal,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            *self.slot = Shape::$kind { bits: $bits };
            visitor.$visit(self.fill.into())
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Recorder<'_> {
    type Error = Error;

    numbers! {
        deserialize_u16 visit_u16 Unsigned 16,
        deserialize_u32 visit_u32 Unsigned 32,
        deserialize_u64 visit_u64 Unsigned 64,
        deserialize_u128 visit_u128 Unsigned 128,
        deserialize_i16 visit_i16 Signed 16,
        deserialize_i32 visit_i32 Signed 32,
        deserialize_i64 visit_i64 Signed 64,
        deserialize_i128 visit_i128 Signed 128,
        deserialize_f32 visit_f32 Float 32,
        deserialize_f64 visit_f64 Float 64,
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *self.slot = Shape::Unsigned { bits: 8 };
        visitor.visit_u8(self.fill)
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *self.slot = Shape::Signed { bits: 8 };
        visitor.visit_i8(i8::try_from(self.fill).unwrap_or_default())
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *self.slot = Shape::Bool;
        visitor.visit_bool(self.fill != 0)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *self.slot = Shape::Text { note: Some("one character, at most 4 bytes".to_owned()) };
        visitor.visit_char('a')
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *self.slot = Shape::Text { note: note(&visitor) };
        visitor.visit_borrowed_str(if self.fill == 0 { "" } else { "a" })
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *self.slot = Shape::Bytes { note: note(&visitor) };
        visitor.visit_borrowed_bytes(if self.fill == 0 { &[] } else { &[1] })
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *self.slot = Shape::Unit;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        *self.slot = Shape::Struct { name, fields: Vec::new() };
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.open(|| Shape::Option(boxed()))? {
            (Shape::Option(of), within) => visitor.visit_some(within.recorder(of)),
            _ => changed(),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        match self.open(|| Shape::Newtype { name, of: boxed() })? {
            (Shape::Newtype { of, .. }, within) => visitor.visit_newtype_struct(within.recorder(of)),
            _ => changed(),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.open(|| Shape::List { of: boxed(), note: note(&visitor) })? {
            (Shape::List { of, .. }, within) => visitor.visit_seq(Parts::new([&mut **of], within)),
            _ => changed(),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.open(|| Shape::Map { key: boxed(), value: boxed(), note: note(&visitor) })? {
            (Shape::Map { key, value, .. }, within) => {
                visitor.visit_map(Parts::new([&mut **key, &mut **value], within))
            }
            _ => changed(),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        let of = || std::iter::repeat_with(unrecorded).take(len).collect();
        match self.open(|| Shape::Tuple { of: of(), note: note(&visitor) })? {
            (Shape::Tuple { of, .. }, within) => visitor.visit_seq(Parts::new(of, within)),
            _ => changed(),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let of = || std::iter::repeat_with(unrecorded).take(len).collect();
        let fresh = || Shape::Newtype { name, of: Box::new(Shape::Tuple { of: of(), note: None }) };
        match self.open(fresh)? {
            (Shape::Newtype { of, .. }, within) => match &mut **of {
                Shape::Tuple { of, .. } => visitor.visit_seq(Parts::new(of, within)),
                _ => changed(),
            },
            _ => changed(),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let fields = || fields.iter().map(|field| (*field, unrecorded())).collect();
        match self.open(|| Shape::Struct { name, fields: fields() })? {
            (Shape::Struct { fields, .. }, within) => {
                visitor.visit_seq(Parts::new(fields.iter_mut().map(|(_, shape)| shape), within))
            }
            _ => changed(),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let variants = || variants.iter().map(|variant| (*variant, unrecorded())).collect();
        match self.open(|| Shape::Enum { name, variants: variants() })? {
            (Shape::Enum { variants, .. }, within) => {
                let at = variants.iter().position(|(_, shape)| shape.unknown().is_some()).unwrap_or(0);
                match variants.get_mut(at) {
                    Some((name, slot)) => visitor.visit_enum(Variant { at, name, slot, within }),
                    None => Err(de::Error::custom("it has no variants")),
                }
            }
            _ => changed(),
        }
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(de::Error::custom("it reads whatever it finds"))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_any(visitor)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Reads elements, fields, or a key and its value.
struct Parts<'a> {
    left: std::vec::IntoIter<&'a mut Shape>,
    within: Within,
}

impl<'a> Parts<'a> {
    fn new(slots: impl IntoIterator<Item = &'a mut Shape>, within: Within) -> Self {
        Self { left: slots.into_iter().collect::<Vec<_>>().into_iter(), within }
    }

    fn next<'de, S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        self.left.next().map(|slot| seed.deserialize(self.within.recorder(slot))).transpose()
    }
}

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        self.next(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

impl<'de> MapAccess<'de> for Parts<'_> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        self.next(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        self.next(seed)?.ok_or_else(|| de::Error::custom("it reads a value without its key"))
    }
}

struct Variant<'a> {
    at: usize,
    name: &'static str,
    slot: &'a mut Shape,
    within: Within,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let number = u32::try_from(self.at).unwrap_or(u32::MAX);
        let value = seed.deserialize(IntoDeserializer::<Error>::into_deserializer(number))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        *self.slot = Shape::Unit;
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.within.recorder(self.slot))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_tuple(self.within.recorder(self.slot), len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_struct(self.within.recorder(self.slot), self.name, fields, visitor)
    }
}
