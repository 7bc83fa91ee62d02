//! Files that are refused stay as they were, and what is said about them.

mod dungeon;

use dungeon::*;
use proptest::prelude::*;
use redb::ReadableTable;
use shardwire_model::{Coded, Felt, Hash, Slot};
use shardwire_store::SystemDisk;
use shardwire_world::{EmbeddedLedger, SCHEMA, WorldError, WorldIdentity};
use std::{fs, path::Path, sync::LazyLock};

#[track_caller]
fn reads(error: &WorldError, code: &str, text: &str, next: &str) {
    assert_eq!(error.to_string(), text);
    assert_eq!(error.code(), code);
    assert!(error.next_step().contains(next), "{}", error.next_step());
}

/// Refused, and the file as before.
#[track_caller]
fn refused(path: &Path) -> WorldError {
    let before = fs::read(path).unwrap();
    let error = EmbeddedLedger::open(&SystemDisk, path, &identity()).unwrap_err();
    assert!(fs::read(path).unwrap() == before, "the file has changed");
    error
}

#[test]
fn missing_and_existing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let place = path.display();
    let error = EmbeddedLedger::open(&SystemDisk, &path, &identity()).unwrap_err();
    reads(&error, "SW-LEDGER-002", &format!("there is no ledger at {place}"), "shardwire init");
    assert!(!path.exists());

    fs::write(&path, "precious").unwrap();
    let error = EmbeddedLedger::create(&SystemDisk, &path, &identity(), &genesis()).unwrap_err();
    reads(&error, "SW-LEDGER-001", &format!("{place} exists already"), "another data folder");
    assert_eq!(fs::read(&path).unwrap(), b"precious");

    let nowhere = folder.path().join("no/ledger.redb");
    let error = EmbeddedLedger::create(&SystemDisk, &nowhere, &identity(), &genesis()).unwrap_err();
    let text =
        format!("the ledger at {} can't be read or written: No such file or directory (os error 2)", nowhere.display());
    reads(&error, "SW-LEDGER-009", &text, "Check that the disk has room");
}

#[test]
fn what_an_interrupted_creation_left_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    fs::write(folder.path().join("ledger.redb.partial"), "half").unwrap();
    let world = EmbeddedLedger::create(&SystemDisk, &path, &identity(), &genesis()).unwrap();
    assert_eq!(world.storage(None, 10).unwrap().len(), 4);
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["ledger.redb"]);
}

#[test]
fn foreign() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let place = path.display();
    for (bytes, why) in [
        (vec![], "it is empty or too short"),
        (b"redb".to_vec(), "it is empty or too short"),
        (vec![0; 100_000], "it is no redb file"),
        (b"SQLite format 3\0 and more".to_vec(), "it is no redb file"),
    ] {
        fs::write(&path, bytes).unwrap();
        let text = format!("{place} is not a shardwire ledger: {why}");
        reads(&refused(&path), "SW-LEDGER-003", &text, "nothing there was changed");
    }
    // A redb file of another program, with or without a table of the same name.
    for table in ["notes", "meta"] {
        fs::remove_file(&path).unwrap();
        let database = redb::Database::create(&path).unwrap();
        let txn = database.begin_write().unwrap();
        txn.open_table(redb::TableDefinition::<&str, u64>::new(table)).unwrap().insert("one", 1).unwrap();
        txn.commit().unwrap();
        drop(database);
        let text = format!("{place} is not a shardwire ledger: another program's data is in it");
        reads(&refused(&path), "SW-LEDGER-003", &text, "nothing there was changed");
    }
}

#[test]
fn another_network_or_schema() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let place = path.display();
    drop(EmbeddedLedger::create(&SystemDisk, &path, &of("elsewhere", &genesis()), &genesis()).unwrap());
    let text = format!("the ledger at {place} belongs to network 'elsewhere', not 'test'");
    reads(&refused(&path), "SW-LEDGER-006", &text, "Correct the network's name");

    fs::remove_file(&path).unwrap();
    let other = WorldIdentity::new(NETWORK, genesis().hash().unwrap(), [SETTLER], [Felt::ONE]).unwrap();
    drop(EmbeddedLedger::create(&SystemDisk, &path, &other, &genesis()).unwrap());
    let text = format!("the ledger at {place} is of World {}, not {}", other.hash(), identity().hash());
    reads(&refused(&path), "SW-LEDGER-019", &text, "world.json");
    let error =
        EmbeddedLedger::create(&SystemDisk, &folder.path().join("new"), &other, &Default::default()).unwrap_err();
    assert_eq!(error.code(), "SW-WORLD-013");

    let mut key = [0; 32];
    key[..6].copy_from_slice(b"schema");
    for (found, next) in [(SCHEMA + 1, "newer version"), (0, "version of shardwire that wrote it")] {
        let database = redb::Database::open(&path).unwrap();
        let txn = database.begin_write().unwrap();
        let mut row = vec![u8::try_from(found).unwrap()];
        row.extend(&Hash::of_parts("shardwire ledger row", &[&key, &row]).0[..8]);
        let meta = redb::TableDefinition::<&[u8; 32], &[u8]>::new("meta");
        txn.open_table(meta).unwrap().insert(&key, row.as_slice()).unwrap();
        txn.commit().unwrap();
        drop(database);
        let text = format!("the ledger at {place} has schema {found}, this program writes {SCHEMA}");
        reads(&refused(&path), "SW-LEDGER-005", &text, next);
    }
}

#[test]
fn in_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let world = EmbeddedLedger::create(&SystemDisk, &path, &identity(), &genesis()).unwrap();
    let error = EmbeddedLedger::open(&SystemDisk, &path, &identity()).unwrap_err();
    reads(&error, "SW-LEDGER-008", &format!("the ledger at {} is in use", path.display()), "Stop the other process");
    world.start(&run(1, 1, 1), now()).unwrap();
    drop(world);
    EmbeddedLedger::open(&SystemDisk, &path, &identity()).unwrap();
}

#[test]
fn a_row_that_does_not_match_its_seal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    drop(EmbeddedLedger::create(&SystemDisk, &path, &identity(), &genesis()).unwrap());
    // The row of one address copied to another: well formed, but misplaced.
    let database = redb::Database::open(&path).unwrap();
    let txn = database.begin_write().unwrap();
    {
        let mut table = txn.open_table(redb::TableDefinition::<&[u8; 64], &[u8]>::new("storage")).unwrap();
        let row = table.get(&Slot::new(GAME, GOLD).to_bytes_be()).unwrap().unwrap().value().to_vec();
        table.insert(&Slot::new(GAME, GOLD_2).to_bytes_be(), row.as_slice()).unwrap();
    }
    txn.commit().unwrap();
    drop(database);
    let world = EmbeddedLedger::open(&SystemDisk, &path, &identity()).unwrap();
    let error = world.storage(None, 10).unwrap_err();
    let text = format!("the ledger at {} is damaged: the row of 0xc1/0x21 does not match its seal", path.display());
    reads(&error, "SW-LEDGER-004", &text, "Restore it from a copy");
    assert_eq!(world.start(&run(1, 1, 1), now()), Err(Not::Failed(error.clone())));
    assert_eq!(world.audit(), Err(error));
    assert_eq!(world.storage(None, 2).unwrap().len(), 2);
}

/// A ledger as bytes, copied while it was open, as after a crash, and closed properly; and what could be read after each transition.
static HISTORY: LazyLock<([Vec<u8>; 2], Vec<Dump>)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let world = EmbeddedLedger::create(&SystemDisk, &path, &identity(), &genesis()).unwrap();
    let mut dumps = vec![dump(&world)];
    let started = world.start(&run(1, 100, 50), now()).unwrap();
    dumps.push(dump(&world));
    world.settle(&output(&started, &felts([12, 50, 70, 0xa2])), proof(1), now()).unwrap();
    dumps.push(dump(&world));
    world.start(&run(2, 100, 50), now()).unwrap();
    dumps.push(dump(&world));
    let crashed = fs::read(&path).unwrap();
    drop(world);
    ([crashed, fs::read(&path).unwrap()], dumps)
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is flipped or cut off: no panic gets out, what is refused stays as it was, and what is accepted is what
    /// was there after one of the transitions: after the last, if nothing was damaged.
    #[test]
    fn damage_is_refused_or_harmless(
        closed in any::<bool>(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 1..=255u8), 0..6),
        near in any::<bool>(),
        cut in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = HISTORY.0[usize::from(closed)].clone();
        let range = if near { 4096.min(bytes.len()) } else { bytes.len() };
        for (at, flip) in &flips {
            let at = at.index(range);
            bytes[at] ^= flip;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.redb");
        fs::write(&path, &bytes).unwrap();
        match EmbeddedLedger::open(&SystemDisk, &path, &identity()) {
            Err(error) => {
                prop_assert!(!error.code().is_empty());
                prop_assert!(fs::read(&path).unwrap() == bytes, "the file has changed: {}", error);
            }
            Ok(world) => {
                let found = dump(&world);
                prop_assert!(HISTORY.1.contains(&found), "{:?}", found);
                if flips.is_empty() && cut.is_none() {
                    prop_assert_eq!(Some(&found), HISTORY.1.last());
                }
                prop_assert!(world.audit().is_ok());
            }
        }
    }
}
