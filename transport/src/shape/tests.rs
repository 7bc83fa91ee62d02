use super::*;
use crate::message;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use serde::{Deserialize, Deserializer, Serialize};
use std::{collections::BTreeMap, fmt, num::NonZeroU16};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    yes: bool,
    byte: u8,
    number: u64,
    below: i32,
    #[serde(deserialize_with = "short")]
    text: String,
    list: Vec<Choice>,
    map: BTreeMap<u8, String>,
    id: [u8; 4],
    pair: (u8, u16),
    maybe: Option<Wrapped>,
    never_zero: NonZeroU16,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Choice {
    Nothing,
    One(Wrapped),
    Two(u8, u16),
    Named { inner: Inner },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Inner {
    Left,
    Right(bool),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(u32);

fn short<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Short;
    impl serde::de::Visitor<'_> for Short {
        type Value = String;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text of at most 5 bytes")
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<String, E> {
            if text.len() > 5 { Err(E::invalid_length(text.len(), &self)) } else { Ok(text.to_owned()) }
        }
    }
    deserializer.deserialize_str(Short)
}

const BYTE: Shape = Shape::Unsigned { bits: 8 };

fn wrapped() -> Shape {
    Shape::Newtype { name: "Wrapped", of: Box::new(Shape::Unsigned { bits: 32 }) }
}

#[test]
fn a_shape_is_what_the_type_reads() {
    let inner = Shape::Enum { name: "Inner", variants: vec![("Left", Shape::Unit), ("Right", Shape::Bool)] };
    let pair = Shape::Tuple { of: vec![BYTE, Shape::Unsigned { bits: 16 }], note: None };
    let choice = Shape::Enum {
        name: "Choice",
        variants: vec![
            ("nothing", Shape::Unit),
            ("one", wrapped()),
            ("two", pair.clone()),
            ("named", Shape::Struct { name: "named", fields: vec![("inner", inner)] }),
        ],
    };
    let expected = Shape::Struct {
        name: "Everything",
        fields: vec![
            ("yes", Shape::Bool),
            ("byte", BYTE),
            ("number", Shape::Unsigned { bits: 64 }),
            ("below", Shape::Signed { bits: 32 }),
            ("text", Shape::Text { note: Some("a text of at most 5 bytes".into()) }),
            ("list", Shape::List { of: Box::new(choice), note: None }),
            ("map", Shape::Map { key: Box::new(BYTE), value: Box::new(Shape::Text { note: None }), note: None }),
            ("id", Shape::Array { of: Box::new(BYTE), len: 4, note: None }),
            ("pair", pair),
            ("maybe", Shape::Option(Box::new(wrapped()))),
            ("never_zero", Shape::Unsigned { bits: 16 }),
        ],
    };
    let shape = Shape::of::<Everything>();
    assert_eq!(shape, expected);
    assert_eq!(shape.unknown(), None);
    let text = shape.parts().find(|part| part.note().is_some());
    assert_eq!(text.and_then(Shape::most), Some(5));
}

#[test]
fn what_has_no_shape_says_why() {
    #[derive(Deserialize)]
    #[serde(untagged)]
    #[allow(dead_code)]
    enum Either {
        Number(u8),
    }
    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Endless {
        more: Option<Box<Self>>,
    }
    assert_eq!(Shape::of::<Either>().unknown(), Some("it reads whatever it finds"));
    assert_eq!(Shape::of::<Endless>().unknown(), Some("it contains itself"));
    assert_eq!(Shape::Bool.and("x", Shape::Unit).unknown(), Some("x follows what is no struct"));
    assert_eq!(Shape::of::<Inner>().with("Up", |it| it).unknown(), Some("there is no variant Up"));
}

#[test]
fn samples_are_values_within_their_budget() {
    let shape = Shape::of::<Everything>();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let (mut refused, mut longest, mut whole) = (0, 0, 0);
    for round in 0..5000 {
        let budget = [0, shape.least() + 3, 60, 300][round % 4];
        let bytes = shape.sample(&mut random, budget);
        assert!(bytes.len() <= budget.max(shape.least()), "{} of {budget}", bytes.len());
        longest = longest.max(bytes.len());
        match postcard::take_from_bytes::<Everything>(&bytes) {
            Ok((value, rest)) => {
                assert!(rest.is_empty(), "{rest:?} after {value:?}");
                // A map that names a key twice is read as a shorter one.
                if value.map.is_empty() {
                    assert_eq!(postcard::to_stdvec(&value).unwrap(), bytes);
                    whole += 1;
                }
            }
            Err(_) => refused += 1, // the number that is never zero
        }
    }
    assert!(
        refused < 2500 && whole > 1000 && longest > 250,
        "{refused} refused, {whole} whole, at most {longest} bytes"
    );
}

#[test]
fn every_edge_comes() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut all = |shape: &Shape, budget: usize| -> Vec<Vec<u8>> {
        (0..400).map(|_| shape.sample(&mut random, budget)).collect()
    };
    let numbers = all(&Shape::Unsigned { bits: 32 }, 100);
    for edge in [0, 1, 127, 128, u32::MAX - 1, u32::MAX] {
        let bytes = postcard::to_stdvec(&edge).unwrap();
        assert!(numbers.contains(&bytes), "{edge}");
    }
    let short = Shape::Text { note: Some("a text of at most 5 bytes".into()) };
    let texts = all(&short, 100);
    assert!((0..=5).all(|len| texts.iter().any(|text| text.len() == len + 1)));
    let felt = Shape::Array { of: Box::new(BYTE), len: 2, note: Some("at most 0x0801".into()) };
    let felts = all(&felt, 2);
    assert!(felts.iter().all(|felt| felt[..] <= [8, 1][..]));
    assert!([[0, 0], [0, 1], [8, 1]].iter().all(|edge| felts.contains(&edge.to_vec())));
    assert!(felts.iter().collect::<std::collections::BTreeSet<_>>().len() > 100);
    let variants = all(&Shape::of::<Choice>(), 100);
    assert!((0..4).all(|tag| variants.iter().any(|bytes| bytes[0] == tag)));
}

message!(Wrapped, max_bytes = 5, deadline = std::time::Duration::from_secs(1));

#[test]
fn a_messages_shape_is_that_of_its_type() {
    assert_eq!(crate::graph::MessageInfo::of::<Wrapped>().shape(), wrapped());
}
