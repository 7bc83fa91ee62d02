//! Over a target's corpus and what is near it, from a seed: what the plain tests do with an entry for a moment.

use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};
use std::{fs, path::PathBuf};

/// Mutated inputs a target: some seconds for all. `SHARDWIRE_FUZZ_INPUTS` says another number.
const MUTATIONS: usize = 1000;
/// The longest input; larger ones only take longer.
const MAX_INPUT_BYTES: usize = 8192;

/// Feeds a target its corpus, and mutations of it.
pub(crate) fn try_near(name: &str, target: &dyn Fn(&[u8])) {
    let mut random = ChaCha20Rng::seed_from_u64(7);
    let corpus = corpus(name);
    corpus.iter().for_each(|bytes| target(bytes));
    let asked = std::env::var("SHARDWIRE_FUZZ_INPUTS").ok().map(|text| text.parse().unwrap());
    for _ in 0..asked.unwrap_or(MUTATIONS) {
        target(&mutated(&corpus, &mut random));
    }
}

/// Where a target's corpus is.
pub(crate) fn corpus_of(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target)
}

/// The files of a target's corpus, in the order of their names.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<_> = fs::read_dir(corpus_of(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "the corpus of {target} is gone");
    files.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn mutated(corpus: &[Vec<u8>], random: &mut ChaCha20Rng) -> Vec<u8> {
    let mut below = |n: usize| usize::try_from(random.next_u64() % n.max(1) as u64).unwrap();
    let mut bytes = corpus[below(corpus.len())].clone();
    for _ in 0..=below(4) {
        let at = below(bytes.len());
        match below(7) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << below(8),
            1 if !bytes.is_empty() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][below(5)],
            2 if !bytes.is_empty() => drop(bytes.remove(at)),
            3 => bytes.insert(at, u8::try_from(below(256)).unwrap()),
            4 => bytes.truncate(at),
            5 => {
                let other = &corpus[below(corpus.len())];
                let from = below(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => bytes.extend(std::iter::repeat_n(0xff, below(40))),
        }
    }
    bytes.truncate(MAX_INPUT_BYTES);
    bytes
}
