//! Checks that every field element in a proof is below the field's characteristic.
//!
//! stwo's `M31` decodes from any 32 bits, and its arithmetic presumes a reduced value. The proof's types are walked
//! with a serde serializer that writes nothing and looks only at `M31`s, so no field of any type can be forgotten.

use std::fmt;

use serde::ser::{self, Impossible, Serialize, Serializer};
use stwo::core::fields::m31;

use super::VerifyError;

/// The name under which stwo's base field serializes, as a newtype of `u32`.
const BASE_FIELD: &str = "M31";

/// Refuses a value that holds a field element which isn't reduced.
pub(super) fn check(value: &impl Serialize) -> Result<(), VerifyError> {
    value.serialize(Walk).map_err(|Unreduced| VerifyError::NotCanonical("a field element"))
}

#[derive(Debug)]
struct Unreduced;

impl fmt::Display for Unreduced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field element isn't reduced")
    }
}
impl std::error::Error for Unreduced {}
impl ser::Error for Unreduced {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// Serializes a value to nothing, looking for field elements.
#[derive(Clone, Copy)]
struct Walk;

macro_rules! pass {
    ($($method:ident($kind:ty))*) => {
        $(fn $method(self, _: $kind) -> Result<(), Unreduced> { Ok(()) })*
    };
}

impl Serializer for Walk {
    type Ok = ();
    type Error = Unreduced;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    pass! {
        serialize_bool(bool) serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_u8(u8)
        serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_f32(f32) serialize_f64(f64)
        serialize_char(char) serialize_str(&str) serialize_bytes(&[u8]) serialize_unit_struct(&'static str)
    }

    fn serialize_none(self) -> Result<(), Unreduced> {
        Ok(())
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unreduced> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), Unreduced> {
        Ok(())
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Unreduced> {
        Ok(())
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<(), Unreduced> {
        if name == BASE_FIELD { value.serialize(Reduced) } else { value.serialize(self) }
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Unreduced> {
        value.serialize(self)
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Self, Unreduced> {
        Ok(self)
    }
    fn serialize_tuple(self, _: usize) -> Result<Self, Unreduced> {
        Ok(self)
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Unreduced> {
        Ok(self)
    }
    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self, Unreduced> {
        Ok(self)
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self, Unreduced> {
        Ok(self)
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Unreduced> {
        Ok(self)
    }
    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self, Unreduced> {
        Ok(self)
    }
}

macro_rules! elements {
    ($($trait:ident::$method:ident)*) => {
        $(impl ser::$trait for Walk {
            type Ok = ();
            type Error = Unreduced;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unreduced> {
                value.serialize(*self)
            }
            fn end(self) -> Result<(), Unreduced> {
                Ok(())
            }
        })*
    };
}
elements! {
    SerializeSeq::serialize_element SerializeTuple::serialize_element SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

macro_rules! fields {
    ($($trait:ident)*) => {
        $(impl ser::$trait for Walk {
            type Ok = ();
            type Error = Unreduced;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), Unreduced> {
                value.serialize(*self)
            }
            fn end(self) -> Result<(), Unreduced> {
                Ok(())
            }
        })*
    };
}
fields! { SerializeStruct SerializeStructVariant }

impl ser::SerializeMap for Walk {
    type Ok = ();
    type Error = Unreduced;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unreduced> {
        key.serialize(*self)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unreduced> {
        value.serialize(*self)
    }
    fn end(self) -> Result<(), Unreduced> {
        Ok(())
    }
}

/// Serializes the inside of an `M31`: a reduced `u32`, and nothing else.
struct Reduced;

macro_rules! refuse {
    ($($method:ident($($arg:ty),*))*) => {
        $(fn $method(self, $(_: $arg),*) -> Result<(), Unreduced> { Err(Unreduced) })*
    };
}
macro_rules! refuse_compound {
    ($($method:ident($($arg:ty),*))*) => {
        $(fn $method(self, $(_: $arg),*) -> Result<Impossible<(), Unreduced>, Unreduced> { Err(Unreduced) })*
    };
}

impl Serializer for Reduced {
    type Ok = ();
    type Error = Unreduced;
    type SerializeSeq = Impossible<(), Unreduced>;
    type SerializeTuple = Impossible<(), Unreduced>;
    type SerializeTupleStruct = Impossible<(), Unreduced>;
    type SerializeTupleVariant = Impossible<(), Unreduced>;
    type SerializeMap = Impossible<(), Unreduced>;
    type SerializeStruct = Impossible<(), Unreduced>;
    type SerializeStructVariant = Impossible<(), Unreduced>;

    fn serialize_u32(self, value: u32) -> Result<(), Unreduced> {
        if value < m31::P { Ok(()) } else { Err(Unreduced) }
    }

    refuse! {
        serialize_bool(bool) serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_u8(u8)
        serialize_u16(u16) serialize_u64(u64) serialize_f32(f32) serialize_f64(f64) serialize_char(char)
        serialize_str(&str) serialize_bytes(&[u8]) serialize_unit_struct(&'static str) serialize_none() serialize_unit()
        serialize_unit_variant(&'static str, u32, &'static str)
    }
    refuse_compound! {
        serialize_seq(Option<usize>) serialize_tuple(usize) serialize_tuple_struct(&'static str, usize)
        serialize_tuple_variant(&'static str, u32, &'static str, usize) serialize_map(Option<usize>)
        serialize_struct(&'static str, usize) serialize_struct_variant(&'static str, u32, &'static str, usize)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), Unreduced> {
        Err(Unreduced)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, _: &T) -> Result<(), Unreduced> {
        Err(Unreduced)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Unreduced> {
        Err(Unreduced)
    }
}

#[cfg(test)]
mod tests {
    use stwo::core::fields::m31::{M31, P};
    use stwo::core::fields::qm31::SecureField;

    use super::*;

    #[test]
    fn an_unreduced_element_is_found_wherever_it_is() {
        assert_eq!(check(&(P, u64::MAX, "text", Some(M31(P - 1)))), Ok(()));
        let refused = Err(VerifyError::NotCanonical("a field element"));
        assert_eq!(check(&M31(P)), refused);
        assert_eq!(check(&vec![Some((1u8, M31(u32::MAX)))]), refused);
        let mut nested = SecureField::from_u32_unchecked(1, 2, 3, 4);
        assert_eq!(check(&[nested]), Ok(()));
        nested.1.1 = M31(P);
        assert_eq!(check(&[nested]), refused);
    }
}
