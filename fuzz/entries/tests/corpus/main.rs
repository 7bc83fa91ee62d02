//! The fuzz targets' entries, for a moment: over the corpus, and over mutations of it from a seed. `fuzz/` runs them for longer, led by
//! coverage.

#![allow(missing_docs)]

mod near;

use near::corpus_of;
use shardwire_fuzz::{self as fuzz, INITIATOR, SILENT};
use shardwire_protocols::catalogue;
use std::{collections::BTreeSet, fs, path::Path};

/// At how many places a recorded session is broken off.
const CUTS: usize = 250;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 9] = [
    ("configuration", fuzz::configuration),
    ("frames", fuzz::frames),
    ("handshake", fuzz::handshake),
    ("administration", fuzz::administration),
    ("handoff", fuzz::handoff),
    ("ingress", fuzz::ingress),
    ("keepalive", fuzz::keepalive),
    ("proof", fuzz::proof),
    ("trace", fuzz::trace),
];

/// What is listed somewhere and not everywhere would be fuzzed by nobody.
#[test]
fn every_protocol_of_the_catalogue_is_a_target_and_every_target_a_program() {
    let here: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let of_no_protocol = ["configuration", "frames"].map(str::to_owned);
    let protocols = catalogue::all().into_iter().map(|entry| entry.name.to_owned());
    assert_eq!(here, of_no_protocol.into_iter().chain(protocols).collect());

    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = fs::read_dir(fuzz.join("fuzz_targets")).unwrap();
    let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    assert_eq!(here, files.map(|file| stem(&file.unwrap().path())).collect());
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    let named = |line: &str| line.strip_prefix("path = \"fuzz_targets/").map(|rest| stem(Path::new(rest)));
    assert_eq!(here, manifest.lines().filter_map(named).collect());
}

#[test]
fn no_target_falls_over_its_corpus_or_what_is_near_it() {
    for (name, target) in TARGETS {
        near::try_near(name, target);
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
