//! Older files become present ones, whole or not at all; newer and unknown ones are refused as they are.

use redb::TableDefinition;
use shardwire_disk::{Medium, SimulatedDisk, Survives};
use shardwire_model::{Coded, Felt, ShardId};
use shardwire_store::{FormatMigration, Layout, Migration, RecordKey as _, Rows, Store, StoreError, SystemDisk, Table};
use std::path::Path;

const NAMES_1: Table<ShardId, u8> = Table::new("names", 1);
const NAMES_3: Table<ShardId, String> = Table::new("names", 3);
const COUNTS: Table<ShardId, u64> = Table::new("counts", 1);

const OLD: Layout = Layout { tables: &[&[NAMES_1.description()]], migrations: &[], formats: &[] };
const NEW: Layout = Layout {
    tables: &[&[NAMES_3.description()], &[COUNTS.description()]],
    migrations: &[
        Migration { table: "names", from: 1, run: doubled },
        Migration { table: "names", from: 2, run: spelt },
    ],
    formats: &[],
};
/// One that meets a record which it can't read, after it has changed others.
const STUCK: Layout = Layout {
    tables: &[&[NAMES_3.description()]],
    migrations: &[
        Migration { table: "names", from: 1, run: doubled },
        Migration { table: "names", from: 2, run: |_| Err(StoreError::Damaged("a record of 'names' is odd".into())) },
    ],
    formats: &[],
};

fn doubled(rows: &mut Rows<'_>) -> Result<(), StoreError> {
    for (key, record) in rows.all("names")? {
        rows.put("names", &key, &[record[0] * 2])?;
    }
    Ok(())
}

fn spelt(rows: &mut Rows<'_>) -> Result<(), StoreError> {
    for (key, record) in rows.all("names")? {
        if record[0] == 0 {
            rows.remove("names", &key)?;
        } else {
            rows.put("names", &key, &[&[1], &[b'a' + record[0]][..]].concat())?;
        }
    }
    Ok(())
}

fn id(n: u64) -> ShardId {
    ShardId(Felt::from(n))
}

/// The names, as a new program reads them.
fn names(store: &Store) -> Vec<String> {
    store.all(&NAMES_3).unwrap().into_iter().map(|(_, name)| name).collect()
}

#[track_caller]
fn refused(path: &Path, layout: &Layout, code: &str, text: &str, next: &str) {
    let before = std::fs::read(path).unwrap();
    for error in
        [Store::view(&SystemDisk, path, layout).unwrap_err(), Store::open(&SystemDisk, path, layout).unwrap_err()]
    {
        assert_eq!((error.code(), error.to_string().as_str()), (code, text));
        assert!(error.next_step().starts_with(next), "{}", error.next_step());
    }
    assert!(std::fs::read(path).unwrap() == before, "the file has changed");
}

#[test]
fn an_older_file_is_migrated_step_by_step_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.redb");
    let store = Store::open(&SystemDisk, &path, &OLD).unwrap();
    for n in 0..3 {
        store.put(&NAMES_1, &id(n), &u8::try_from(n).unwrap()).unwrap();
    }
    drop(store);

    // Looking shows what migrating would make of it, and changes nothing.
    let before = std::fs::read(&path).unwrap();
    assert_eq!(names(&Store::view(&SystemDisk, &path, &NEW).unwrap()), ["c", "e"]);
    assert!(std::fs::read(&path).unwrap() == before);

    assert_eq!(names(&Store::open(&SystemDisk, &path, &NEW).unwrap()), ["c", "e"]);
    let again = Store::open(&SystemDisk, &path, &NEW).unwrap();
    assert_eq!(names(&again), ["c", "e"], "it isn't migrated twice");
    again.put(&COUNTS, &id(0), &1).unwrap();
    drop(again);
    let text = "node.redb has a table 'counts', which this program doesn't know";
    refused(&path, &OLD, "SW-STORE-007", text, "Use a newer version of shardwire");
}

#[test]
fn what_no_migration_leads_from_is_refused_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.redb");
    drop(Store::open(&SystemDisk, &path, &OLD).unwrap());
    const GAP: Layout = Layout { migrations: &[Migration { table: "names", from: 1, run: doubled }], ..STUCK };
    let text = "node.redb has names in version 1, this program reads version 3";
    refused(&path, &GAP, "SW-STORE-003", text, "Run the version of shardwire that wrote it");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.redb");
    drop(Store::open(&SystemDisk, &path, &STUCK).unwrap());
    let text = "node.redb has names in version 3, this program reads version 1";
    refused(&path, &OLD, "SW-STORE-003", text, "Use a newer version of shardwire");
}

#[test]
fn a_migration_that_fails_leaves_the_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.redb");
    let store = Store::open(&SystemDisk, &path, &OLD).unwrap();
    store.put(&NAMES_1, &id(1), &1).unwrap();
    drop(store);
    let text = "node.redb is damaged: a record of 'names' is odd";
    refused(&path, &STUCK, "SW-STORE-004", text, "Restore the data folder");
    assert_eq!(Store::open(&SystemDisk, &path, &OLD).unwrap().all(&NAMES_1).unwrap(), [(id(1), 1)]);
}

/// Whatever act the power fails at while a file is migrated: afterwards it is the older one or the newer one.
#[test]
fn a_crash_while_migrating_leaves_one_layout_or_the_other() {
    let path = Path::new("node.redb");
    let mut crashes = 0;
    for acts in 0.. {
        let medium = Medium::new(acts);
        let store = Store::open(&SimulatedDisk::new(&medium), path, &OLD).unwrap();
        store.put(&NAMES_1, &id(1), &1).unwrap();
        drop(store);
        medium.power_off_after(acts);
        let migrated = Store::open(&SimulatedDisk::new(&medium), path, &NEW).map(|store| names(&store));
        if medium.is_powered() {
            assert_eq!(migrated.unwrap(), ["c"]);
            break;
        }
        crashes += 1;
        medium.power_on(Survives::Some(acts));
        // Of whichever layout it is now, the newer program reads it.
        let store = Store::open(&SimulatedDisk::new(&medium), path, &NEW).unwrap();
        assert_eq!(names(&store), ["c"], "{acts}");
    }
    assert!(crashes > 5, "{crashes}");
}

/// A file with one number for all tables, as they were before each had a version, with the name 1.
fn of_format(path: &Path, format: u64) {
    let database = redb::Database::create(path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(TableDefinition::<&str, u64>::new("meta")).unwrap().insert("shardwire node", format).unwrap();
    let names = TableDefinition::<&[u8], &[u8]>::new("names");
    write.open_table(names).unwrap().insert(&*id(1).to_bytes(), &[1_u8][..]).unwrap();
    write.commit().unwrap();
}

/// One whose older format is that of the names' version 1.
const WITH_FORMAT: Layout = Layout {
    formats: &[FormatMigration { format: 2, tables: &[("names", 1), ("counts", 1)], run: |_| Ok(()) }],
    ..NEW
};

#[test]
fn a_file_of_an_older_format_is_migrated_table_by_table_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.redb");
    of_format(&path, 2);
    let store = Store::open(&SystemDisk, &path, &WITH_FORMAT).unwrap();
    assert!(store.was_older());
    assert_eq!(names(&store), ["c"]);
    drop(store);
    let again = Store::open(&SystemDisk, &path, &WITH_FORMAT).unwrap();
    assert!(!again.was_older());
    assert_eq!(names(&again), ["c"]);
}

#[test]
fn an_older_format_without_a_migration_or_whose_migration_fails_is_refused_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.redb");
    of_format(&path, 2);
    const FAILS: Layout = Layout {
        formats: &[FormatMigration {
            format: 2,
            tables: &[("names", 1)],
            run: |rows| {
                doubled(rows)?;
                Err(StoreError::Damaged("a record of 'names' is odd".into()))
            },
        }],
        ..NEW
    };
    refused(
        &path,
        &FAILS,
        "SW-STORE-004",
        "node.redb is damaged: a record of 'names' is odd",
        "Restore the data folder",
    );
    let text = "node.redb has its table of versions in version 2, this program reads version 3";
    refused(&path, &NEW, "SW-STORE-003", text, "Run the version of shardwire that wrote it");
    const NARROW: Layout =
        Layout { formats: &[FormatMigration { format: 2, tables: &[("counts", 1)], run: |_| Ok(()) }], ..NEW };
    let text = "node.redb has a table 'names', which this program doesn't know";
    refused(&path, &NARROW, "SW-STORE-007", text, "Use a newer version of shardwire");
}
