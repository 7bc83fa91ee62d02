//! Golden vectors: the bytes of every version of every protocol, in `protocols/vectors/<protocol>-v<version>.json`.
//!
//! A file has, for each message, some encodings with what they mean, the hash of ten thousand more, and whole sessions
//! as both sides' bytes. The tests read each byte with the types of today and write it again. They also replay each
//! session: the real half of either side, given the other side's bytes, says exactly its own.
//!
//! The bytes of a version never change, because peers speak it: [`FROZEN`](file::FROZEN) holds a digest of each file,
//! so a changed file fails too. `WRITE_VECTORS=1` writes the files of versions that aren't frozen yet. Where a version
//! is no longer spoken, its types stay here, in [`retired`], and its file and its tests with them.

mod dialogue;
mod file;
mod generate;
mod scripts;

use file::{File, frozen, how_to_version};
use shardwire_protocols::catalogue::{self, Entry};
use std::collections::BTreeSet;

/// Versions that this build no longer speaks: their types are kept here for their vectors.
fn retired() -> Vec<Entry> {
    Vec::new()
}

fn every() -> Vec<Entry> {
    [catalogue::all(), retired()].concat()
}

/// Fails unless the types say what the version's file says.
async fn check(entry: &Entry) -> Result<(), String> {
    let name = file::name(entry);
    let current = file::read(&name)?;
    current.check_messages(entry).map_err(|what| how_to_version(entry, &what))?;
    for session in &current.sessions {
        dialogue::replay(entry, session).await.map_err(|what| how_to_version(entry, &what))?;
    }
    frozen(entry, &current)
}

/// Writes the file of a version that isn't frozen, if that is asked for.
async fn write(entry: &Entry) {
    if std::env::var_os("WRITE_VECTORS").is_some() {
        let fresh = File::of(entry, dialogue::record(entry).await);
        file::write(entry, &fresh);
    }
}

macro_rules! protocols {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $test() {
                let versions: Vec<Entry> = every().into_iter().filter(|entry| entry.name == $name).collect();
                assert!(!versions.is_empty(), "no protocol {}", $name);
                for entry in &versions {
                    write(entry).await;
                    check(entry).await.unwrap_or_else(|what| panic!("{what}"));
                }
            }
        )*

        #[test]
        fn no_protocol_is_left_out() {
            let tested = BTreeSet::from([$($name),*]);
            let all: BTreeSet<&str> = every().iter().map(|entry| entry.name).collect();
            assert_eq!(tested, all);
        }
    };
}

protocols! {
    the_bytes_of_handshake_are_what_they_were: "handshake",
    the_bytes_of_handoff_are_what_they_were: "handoff",
    the_bytes_of_ingress_are_what_they_were: "ingress",
    the_bytes_of_trace_are_what_they_were: "trace",
    the_bytes_of_proof_are_what_they_were: "proof",
    the_bytes_of_keepalive_are_what_they_were: "keepalive",
    the_bytes_of_control_are_what_they_were: "control",
    the_bytes_of_reputation_are_what_they_were: "reputation",
    the_bytes_of_life_are_what_they_were: "life",
}

#[test]
fn every_file_belongs_to_a_version_and_every_frozen_version_has_its_file() {
    let known: BTreeSet<String> = every().iter().map(file::name).collect();
    assert_eq!(file::all(), known, "a file without types, or types without a file: see `retired` and WRITE_VECTORS");
    for (name, _) in file::FROZEN {
        assert!(known.contains(name), "{name} is frozen: keep its types in `retired` and its file");
    }
}

#[test]
fn the_sessions_have_every_message_of_their_protocol() {
    for entry in every() {
        let sessions = file::read(&file::name(&entry)).unwrap().sessions;
        let said: BTreeSet<&str> =
            sessions.iter().flat_map(|session| session.steps.iter().map(|step| step.message.as_str())).collect();
        let missing: Vec<&str> = entry.messages().into_keys().filter(|name| !said.contains(name)).collect();
        assert!(missing.is_empty(), "{}: no session has {missing:?}", entry.name);
    }
}

#[test]
fn a_changed_byte_is_found_and_the_reason_says_how_to_version() {
    let entry = every().into_iter().find(|entry| entry.name == "keepalive").unwrap();
    let file = file::read(&file::name(&entry)).unwrap();

    let mut changed = file.clone();
    let ping = changed.messages.get_mut("Ping").unwrap();
    ping.encodings[0].bytes = "7b".into();
    let what = changed.check_messages(&entry).unwrap_err();
    assert_eq!(what, "message Ping: 7b is Ping { sent: Timestamp(123) }, and was Ping { sent: Timestamp(0) }");

    let mut changed = file.clone();
    changed.messages.get_mut("Ping").unwrap().encodings[0].bytes = "8000".into();
    let what = changed.check_messages(&entry).unwrap_err();
    assert_eq!(what, "message Ping: Ping { sent: Timestamp(0) } is now written as 00, and was 8000");

    let mut changed = file.clone();
    changed.messages.get_mut("Pong").unwrap().generated.hash = shardwire_model::Hash::default();
    let what = changed.check_messages(&entry).unwrap_err();
    assert!(what.starts_with("message Pong: 10000 generated values have the hash "), "{what}");

    let text = how_to_version(&entry, &what);
    for step in ["keepalive version 1", "VERSION = 2", "catalogue.rs", "WRITE_VECTORS=1", "keepalive-v2.json", "FROZEN"]
    {
        assert!(text.contains(step), "{step} isn't in: {text}");
    }

    let mut changed = file;
    changed.messages.get_mut("Ping").unwrap().encodings.pop();
    assert!(frozen(&entry, &changed).unwrap_err().contains("keepalive-v1.json itself was changed"));
}
