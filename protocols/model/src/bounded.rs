//! Lists and texts that refuse to be longer than their bound *while* they are read.
//!
//! A frame is no longer than its message's limit, so what a peer can make us allocate is bounded already. These bounds are
//! the narrower ones of each field, so that a legal frame can't carry a million empty texts where 16 roles are meant. Memory is
//! reserved for what the bound allows, never for what the peer announces.
//!
//! Used as `#[serde(deserialize_with = "bounded::list::<_, _, MAX>")]`. Messages and what is stored use them alike.

use crate::{Felt, felt};
use serde::{
    Deserialize, Deserializer, Serializer,
    de::{Error, SeqAccess, Visitor},
    ser::SerializeSeq,
};
use std::{fmt, marker::PhantomData};

/// Elements for which room is made before the first is read; lists grow from there as elements arrive. A peer that announces a
/// long list and sends none costs this much.
const RESERVED: usize = 64;

struct List<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for List<T, MAX> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MAX} elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let announced = seq.size_hint().unwrap_or(0);
        if announced > MAX {
            return Err(A::Error::invalid_length(announced, &self));
        }
        let mut list = Vec::with_capacity(announced.min(RESERVED));
        while let Some(element) = seq.next_element()? {
            if list.len() == MAX {
                return Err(A::Error::invalid_length(MAX + 1, &self));
            }
            list.push(element);
        }
        Ok(list)
    }
}

/// A list of at most `MAX` elements.
///
/// # Errors
/// The deserializer's own, and `invalid_length` for a longer list.
pub fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>, const MAX: usize>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_seq(List::<T, MAX>(PhantomData))
}

/// As [`list`] on the wire. In JSON, which people write, a list may be longer: what checks it afterwards says how much longer.
///
/// # Errors
/// As [`list`].
pub fn wire_list<'de, D: Deserializer<'de>, T: Deserialize<'de>, const MAX: usize>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    if deserializer.is_human_readable() { Vec::deserialize(deserializer) } else { list::<_, _, MAX>(deserializer) }
}

/// Felts, each as 32 canonical bytes.
///
/// # Errors
/// The serializer's own.
pub fn serialize_felts<S: Serializer>(felts: &[Felt], serializer: S) -> Result<S::Ok, S::Error> {
    let mut seq = serializer.serialize_seq(Some(felts.len()))?;
    for felt in felts {
        seq.serialize_element(&Wire(*felt))?;
    }
    seq.end()
}

/// A list of at most `MAX` felts, canonical ones only.
///
/// # Errors
/// As [`list`], and for a felt that isn't canonical.
pub fn felts<'de, D: Deserializer<'de>, const MAX: usize>(deserializer: D) -> Result<Vec<Felt>, D::Error> {
    let wire: Vec<Wire> = list::<_, _, MAX>(deserializer)?;
    Ok(wire.into_iter().map(|it| it.0).collect())
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
struct Wire(#[serde(with = "felt::wire")] Felt);

struct Text<const MAX: usize>;

impl<const MAX: usize> Visitor<'_> for Text<MAX> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a text of at most {MAX} bytes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        if text.len() > MAX {
            return Err(E::invalid_length(text.len(), &self));
        }
        Ok(text.to_owned())
    }
}

/// A text of at most `MAX` bytes.
///
/// # Errors
/// The deserializer's own, and `invalid_length` for a longer text.
pub fn text<'de, D: Deserializer<'de>, const MAX: usize>(deserializer: D) -> Result<String, D::Error> {
    deserializer.deserialize_str(Text::<MAX>)
}

struct Bounded<const MAX: usize>(String);

impl<'de, const MAX: usize> Deserialize<'de> for Bounded<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::<_, MAX>(deserializer).map(Self)
    }
}

/// A list of at most `MAX` texts of at most `LENGTH` bytes each.
///
/// # Errors
/// As [`list`] and [`text`].
pub fn texts<'de, D: Deserializer<'de>, const MAX: usize, const LENGTH: usize>(
    deserializer: D,
) -> Result<Vec<String>, D::Error> {
    let texts: Vec<Bounded<LENGTH>> = list::<_, _, MAX>(deserializer)?;
    Ok(texts.into_iter().map(|it| it.0).collect())
}

/// As much of a text as `max` bytes hold, without breaking a character.
#[must_use]
pub fn cut(text: &str, max: usize) -> String {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Holder {
        #[serde(deserialize_with = "list::<_, _, 3>")]
        list: Vec<u8>,
        #[serde(deserialize_with = "texts::<_, 2, 4>")]
        texts: Vec<String>,
    }

    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    struct Written(#[serde(deserialize_with = "wire_list::<_, _, 3>")] Vec<u8>);

    fn holds(list: Vec<u8>, texts: &[&str]) -> bool {
        let holder = Holder { list, texts: texts.iter().map(|t| (*t).to_owned()).collect() };
        let wire = postcard::from_bytes::<Holder>(&postcard::to_allocvec(&holder).unwrap()).is_ok();
        let json = serde_json::from_str::<Holder>(&serde_json::to_string(&holder).unwrap()).is_ok();
        assert_eq!(wire, json);
        wire
    }

    #[test]
    fn a_list_or_text_over_its_bound_is_refused_while_it_is_read() {
        assert!(holds(vec![1, 2, 3], &["four", "four"]));
        assert!(!holds(vec![1, 2, 3, 4], &[]));
        assert!(!holds(vec![], &["a", "b", "c"]));
        assert!(!holds(vec![], &["fives"]));
    }

    #[test]
    fn a_list_that_people_write_is_bounded_on_the_wire_alone() {
        for list in [vec![1, 2, 3], vec![1, 2, 3, 4]] {
            let within = list.len() <= 3;
            let written = Written(list);
            let wire = postcard::from_bytes::<Written>(&postcard::to_allocvec(&written).unwrap());
            assert_eq!(wire.is_ok(), within, "{wire:?}");
            let json = serde_json::from_str::<Written>(&serde_json::to_string(&written).unwrap()).unwrap();
            assert_eq!(json.0, written.0);
        }
    }

    #[test]
    fn a_cut_keeps_characters_whole() {
        assert_eq!(cut("añb", 2), "a");
        assert_eq!(cut("añb", 3), "añ");
        assert_eq!(cut("añb", 9), "añb");
    }
}
