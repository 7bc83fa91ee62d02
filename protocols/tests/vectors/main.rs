//! Golden vectors: the bytes of every version of every protocol, in `protocols/vectors/<protocol>-v<version>.json`.
//!
//! A file has, for each message, some encodings with what they mean, the hash of ten thousand more, and whole sessions
//! as both sides' bytes. The tests read each byte with the types of today and write it again. They also replay each
//! session: the real half of either side, given the other side's bytes, says exactly its own.
//!
//! From a release on, the bytes of its versions never change, because peers speak them: [`FROZEN`](file::FROZEN) holds a digest of each
//! file, so a changed file fails too. Until then a changed byte is a reviewed change of these files. `WRITE_VECTORS=1` writes the files of
//! versions that aren't frozen.
//!
//! Statements that peers sign, and evidence, have [vectors of their own](signed); what a shard is made of has them in `vectors/shard`, from a real run
//! (`node/program/tests/shard_vectors.rs`; of one of contracts, `node/program/hosted/src/vector_tests.rs`).

mod derived;
mod dialogue;
mod file;
mod generate;
mod scripts;
mod signed;

use file::{FROZEN, File, unchanged, what_next};
use shardwire_protocols::catalogue::{self, Entry};
use std::collections::BTreeSet;

/// Fails unless the types say what the version's file says.
async fn check(entry: &Entry) -> Result<(), String> {
    let current = file::read(&file::name(entry))?;
    let checked = async {
        current.check_messages(entry)?;
        for session in &current.sessions {
            dialogue::replay(entry, session).await?;
        }
        unchanged(FROZEN, entry, &current)
    };
    checked.await.map_err(|what: String| what_next(FROZEN, entry, &what))
}

/// Writes the file of a version that isn't frozen, if that is asked for.
async fn write(entry: &Entry) {
    if std::env::var_os("WRITE_VECTORS").is_some() {
        let fresh = File::of(entry, dialogue::record(entry).await);
        file::write(entry, &fresh);
    }
}

/// Each protocol on a thread and in a time of its own.
#[test]
fn the_bytes_of_every_protocol_are_what_they_were() {
    let checked = |entry: Entry| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            write(&entry).await;
            check(&entry).await
        })
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = catalogue::all().into_iter().map(|entry| scope.spawn(move || checked(entry))).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap().err()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_belongs_to_a_version_and_every_frozen_version_has_its_file() {
    let known: BTreeSet<String> = catalogue::all().iter().map(file::name).collect();
    assert_eq!(file::all(), known, "a file without types, or types without a file: see WRITE_VECTORS");
    for (name, _) in FROZEN {
        assert!(known.contains(*name), "{name} is frozen: keep its types and its file");
    }
}

#[test]
fn the_sessions_have_every_message_of_their_protocol() {
    for entry in catalogue::all() {
        let sessions = file::read(&file::name(&entry)).unwrap().sessions;
        let said: BTreeSet<&str> =
            sessions.iter().flat_map(|session| session.steps.iter().map(|step| step.message.as_str())).collect();
        let missing: Vec<&str> = entry.messages().into_keys().filter(|name| !said.contains(name)).collect();
        assert!(missing.is_empty(), "{}: no session has {missing:?}", entry.name);
    }
}

#[test]
fn a_changed_byte_is_found_and_the_reason_says_what_to_do() {
    let entry = catalogue::all().into_iter().find(|entry| entry.name == "keepalive").unwrap();
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

    // Before a release it is reviewed; after it, it is another version.
    let text = what_next(FROZEN, &entry, &what);
    assert!(text.contains("No release speaks this version") && text.contains("WRITE_VECTORS=1"), "{text}");
    let released = [("keepalive-v1", "the digest of another file")];
    let text = what_next(&released, &entry, &what);
    for step in
        ["keepalive version 1", "VERSION = 2", "protocols/src/lib.rs", "WRITE_VECTORS=1", "keepalive-v2.json", "FROZEN"]
    {
        assert!(text.contains(step), "{step} isn't in: {text}");
    }
    assert!(unchanged(FROZEN, &entry, &file).is_ok());
    assert!(unchanged(&released, &entry, &file).unwrap_err().contains("keepalive-v1.json itself was changed"));
}
