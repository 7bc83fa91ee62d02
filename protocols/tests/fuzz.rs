//! The fuzz targets' entries, for a moment: over the corpus, and over mutations of it from a seed. `fuzz/` runs them for longer, led by
//! coverage.

#[path = "../../fuzz/src/protocols/mod.rs"]
#[allow(unreachable_pub)]
mod fuzz;

use fuzz::{INITIATOR, SILENT};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};
use std::{fs, path::PathBuf};

/// Mutated inputs a target: some seconds for all.
const MUTATIONS: usize = 1000;
/// The longest input; larger ones only take longer.
const MAX_INPUT_BYTES: usize = 8192;

/// At how many places a recorded session is broken off.
const CUTS: usize = 250;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 8] = [
    ("frames", fuzz::frames),
    ("handshake", fuzz::handshake),
    ("control", fuzz::control),
    ("handoff", fuzz::handoff),
    ("ingress", fuzz::ingress),
    ("keepalive", fuzz::keepalive),
    ("proof", fuzz::proof),
    ("trace", fuzz::trace),
];

fn corpus_of(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target)
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

#[test]
fn no_target_falls_over_its_corpus_or_what_is_near_it() {
    let mut random = ChaCha20Rng::seed_from_u64(7);
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        corpus.iter().for_each(|bytes| target(bytes));
        for _ in 0..MUTATIONS {
            target(&mutated(&corpus, &mut random));
        }
    }
}

/// The real halves in every one of their states: an honest session up to some byte, then silence, the end, or bytes that are nothing.
#[tokio::test(start_paused = true)]
async fn a_session_that_breaks_off_anywhere_ends_in_good_order() {
    let recorded = fuzz::honest().await;
    // An entry has a runtime of its own.
    tokio::task::spawn_blocking(move || {
        for (name, said) in recorded {
            let target = TARGETS.iter().find(|target| target.0 == name).unwrap().1;
            for (side, said) in [(0, &said[0]), (INITIATOR, &said[1])] {
                // Every byte of most; of the long ones so many, and never always the same place of a field.
                for cut in (0..=said.len()).step_by(1 + said.len() / CUTS) {
                    for end in [&[][..], &[0xff; 64], &[0x80, 0], &[1, 1, 1, 0, 0]] {
                        for silent in [0, SILENT] {
                            target(&[&[side | silent], &said[..cut], end].concat());
                        }
                    }
                }
            }
        }
    })
    .await
    .unwrap();
}

/// Coverage-led fuzzing begins with what honest peers say. `SHARDWIRE_BLESS=1` writes it anew after a change of a protocol.
#[tokio::test(start_paused = true)]
async fn the_corpus_begins_with_an_honest_session_of_each_protocol() {
    for (name, said) in fuzz::honest().await {
        for (side, file, said) in [(0, "honest-initiator", &said[0]), (INITIATOR, "honest-responder", &said[1])] {
            let path = corpus_of(name).join(file);
            let bytes = [&[side][..], said].concat();
            if std::env::var_os("SHARDWIRE_BLESS").is_some() {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, &bytes).unwrap();
            }
            let kept = fs::read(&path).unwrap_or_default();
            assert!(
                kept == bytes,
                "{} isn't what the halves say: run this test with SHARDWIRE_BLESS=1",
                path.display()
            );
        }
    }
}
