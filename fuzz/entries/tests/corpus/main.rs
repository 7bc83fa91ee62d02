//! The fuzz targets' entries, for a moment: over the corpus, and over mutations of it from a seed. `fuzz/` runs them for longer, led by
//! coverage.

#![allow(missing_docs)]

mod near;

use near::corpus_of;
use shardwire_fuzz::{self as fuzz, INITIATOR, SILENT};
use shardwire_protocols::catalogue;
use std::fs;

/// At how many places a recorded session is broken off.
const CUTS: usize = 250;

/// A target: its corpus' name, and what it does with an input.
type Target = (&'static str, Box<dyn Fn(&[u8])>);

/// What reads no session of a protocol, and then every protocol.
fn targets() -> Vec<Target> {
    let mut targets: Vec<Target> = vec![
        ("configuration", Box::new(fuzz::configuration)),
        ("frames", Box::new(fuzz::frames)),
        ("reads", Box::new(fuzz::reads)),
    ];
    targets.extend(catalogue::all().into_iter().map(protocol));
    targets
}

fn protocol(entry: catalogue::Entry) -> Target {
    (entry.name, Box::new(move |bytes| fuzz::session(entry, bytes)))
}

#[test]
fn no_target_falls_over_its_corpus_or_what_is_near_it() {
    for (name, target) in targets() {
        near::try_near(name, &target);
    }
}

/// The real halves in every one of their states: an honest session up to some byte, then silence, the end, or bytes that are nothing.
#[tokio::test(start_paused = true)]
async fn a_session_that_breaks_off_anywhere_ends_in_good_order() {
    let recorded = fuzz::honest().await;
    // An entry has a runtime of its own.
    tokio::task::spawn_blocking(move || {
        for (name, said) in recorded {
            let target = targets().into_iter().find(|target| target.0 == name).unwrap().1;
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
            begins_with(name, file, &[&[side][..], said].concat());
        }
    }
}

#[test]
fn the_corpus_of_lists_begins_with_an_honest_one() {
    begins_with("reads", "honest", &fuzz::honest_reads());
}

fn begins_with(target: &str, file: &str, bytes: &[u8]) {
    let path = corpus_of(target).join(file);
    if std::env::var_os("SHARDWIRE_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
    }
    let kept = fs::read(&path).unwrap_or_default();
    assert!(kept == bytes, "{} isn't what is honest: run this test with SHARDWIRE_BLESS=1", path.display());
}
