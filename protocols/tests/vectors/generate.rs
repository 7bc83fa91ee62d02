//! Values of every message from its shape, so that no message needs code of its own.

use crate::file::{Encoding, Generated};
use bytes::Bytes;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use shardwire_model::Hash;
use shardwire_protocols::catalogue::Entry;
use shardwire_transport::{Shape, graph::MessageInfo};
use std::collections::BTreeSet;

/// Bodies that are read and written again, for each message.
const VALUES: u32 = 10_000;
/// Encodings that are written down for each message, if it has so many values.
const WRITTEN: usize = 8;
/// The most that are written down: all words of the larger messages have come by then.
const MOST_WRITTEN: usize = 16;
/// Among so many candidates.
const CANDIDATES: u32 = 600;
/// Bytes that a written encoding has beyond the least: to be read by people.
const READABLE: usize = 160;

fn random(entry: &Entry, message: &MessageInfo) -> ChaCha8Rng {
    let seed = Hash::of_parts("vectors", &[entry.name.as_bytes(), message.name.as_bytes()]);
    ChaCha8Rng::from_seed(seed.0)
}

/// How many bytes the value of this number may have beyond the least: most few, some as many as the message allows.
fn budget(number: u32) -> usize {
    match number % 1000 {
        0 => usize::MAX,
        1..20 => 8 << 10,
        20..200 => 512,
        _ => 48,
    }
}

fn sample(shape: &Shape, least: usize, random: &mut ChaCha8Rng, budget: usize, message: &MessageInfo) -> Bytes {
    shape.sample(random, least.saturating_add(budget).min(message.max_bytes as usize)).into()
}

/// Reads and writes [`VALUES`] bodies, and hashes them.
pub(crate) fn all(entry: &Entry, message: &MessageInfo) -> Generated {
    let (shape, mut random) = (message.shape(), random(entry, message));
    let least = shape.least();
    let (mut values, mut refused, mut hash) = (0, 0, Hash::default());
    while values < VALUES {
        let body = sample(&shape, least, &mut random, budget(values), message);
        match message.reread(body.clone()) {
            Err(_) => {
                refused += 1;
                assert!(refused < VALUES, "{}: its shape says too little to make values", message.name);
            }
            Ok(again) => {
                assert_eq!(hex::encode(&again), hex::encode(&body), "{} is written otherwise", message.name);
                hash = Hash::of_parts("vector", &[&hash.0, &body]);
                values += 1;
            }
        }
    }
    Generated { values, refused, hash }
}

/// One body of a message.
pub(crate) fn body(entry: &Entry, message: &MessageInfo) -> Bytes {
    let (shape, mut random) = (message.shape(), random(entry, message));
    let least = shape.least();
    let mut bodies = (0..VALUES).map(|_| sample(&shape, least, &mut random, READABLE, message));
    bodies.find(|body| message.read(body.clone()).is_ok()).expect("a body that the type takes")
}

/// Some bodies that say much: the least value, then those that show most of what none before has shown.
pub(crate) fn encodings(entry: &Entry, message: &MessageInfo) -> Vec<Encoding> {
    let (shape, mut random) = (message.shape(), random(entry, message));
    let least = shape.least();
    let mut bodies = BTreeSet::new();
    for number in 0..CANDIDATES {
        let budget = if number == 0 { 0 } else { READABLE };
        let body = sample(&shape, least, &mut random, budget, message);
        if let Ok(value) = message.read(body.clone()) {
            bodies.insert((body.len(), body, format!("{value:?}")));
        }
    }
    let mut candidates: Vec<_> = bodies.into_iter().map(|(_, body, value)| (body, value)).collect();
    let (mut chosen, mut shown) = (Vec::new(), BTreeSet::new());
    while chosen.len() < MOST_WRITTEN && !candidates.is_empty() {
        let news = |(_, value): &(Bytes, String)| words(value).filter(|word| !shown.contains(*word)).count();
        let most = candidates.iter().map(news).max().unwrap_or(0);
        if chosen.len() >= WRITTEN && most == 0 {
            break;
        }
        // Of several that show as much: one of each length in turn. The very first is the least value.
        let best: Vec<usize> = (0..candidates.len()).filter(|at| news(&candidates[*at]) == most).collect();
        let best = if chosen.is_empty() { 0 } else { best[best.len() * (chosen.len() % WRITTEN) / WRITTEN] };
        let (body, value) = candidates.remove(best);
        shown.extend(words(&value).map(str::to_owned));
        chosen.push(Encoding { value, bytes: hex::encode(&body) });
    }
    chosen
}

/// Names of variants, and the numbers that are an edge.
fn words(value: &str) -> impl Iterator<Item = &str> {
    let edge = |word: &str| {
        let edges = [0, 1, u8::MAX.into(), u16::MAX.into(), u32::MAX.into(), u64::MAX];
        word.parse().is_ok_and(|number: u64| edges.contains(&number))
    };
    let name = |word: &str| word.starts_with(|c: char| c.is_ascii_uppercase()) || ["true", "false"].contains(&word);
    value.split(|c: char| !c.is_ascii_alphanumeric()).filter(move |word| edge(word) || name(word))
}
