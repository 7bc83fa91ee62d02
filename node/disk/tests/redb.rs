//! redb on a simulated disk: after any crash a database has everything that was committed, whatever happens to the
//! rest.

use proptest::prelude::*;
use redb::{Database, ReadableDatabase, TableDefinition, TableError};
use shardwire_disk::{Medium, Survives};
use std::collections::BTreeMap;

const NAME: &str = "a.redb";
const TABLE: TableDefinition<'_, u8, &[u8]> = TableDefinition::new("table");

type Content = BTreeMap<u8, Vec<u8>>;
type Failed = Box<dyn std::error::Error>;

fn open(medium: &Medium) -> Result<Database, Failed> {
    Ok(Database::builder().create_with_backend(medium.storage(NAME))?)
}

fn content(database: &Database) -> Result<Content, Failed> {
    let table = match database.begin_read()?.open_table(TABLE) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(Content::new()),
        table => table?,
    };
    let mut content = Content::new();
    for row in redb::ReadableTable::iter(&table)? {
        let (key, value) = row?;
        content.insert(key.value(), value.value().to_vec());
    }
    Ok(content)
}

fn commit(database: &Database, rows: &[(u8, Vec<u8>)]) -> Result<(), Failed> {
    let transaction = database.begin_write()?;
    for (key, value) in rows {
        transaction.open_table(TABLE)?.insert(key, value.as_slice())?;
    }
    Ok(transaction.commit()?)
}

fn survives() -> impl Strategy<Value = Survives> {
    prop_oneof![Just(Survives::Nothing), Just(Survives::All), any::<u64>().prop_map(Survives::Some)]
}

fn rows() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..3_000)), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_crash_leaves_the_last_commit_or_the_one_under_way(
        transactions in prop::collection::vec(rows(), 1..6),
        crashes in prop::collection::vec((0..120u64, survives()), 1..6),
    ) {
        let medium = Medium::new(0);
        let mut committed = Content::new();
        // A database whose creation is interrupted may not be one; a node creates it under another name first.
        drop(open(&medium).unwrap());
        for (after, survives) in crashes {
            let mut attempted = committed.clone();
            medium.power_off_after(after);
            let _interrupted: Result<(), Failed> = open(&medium).and_then(|database| {
                for rows in &transactions {
                    attempted = committed.clone();
                    attempted.extend(rows.iter().cloned());
                    commit(&database, rows)?;
                    committed = attempted.clone();
                }
                Ok(())
            });
            medium.power_off();
            medium.power_on(survives);
            let found = content(&open(&medium).unwrap()).unwrap();
            prop_assert!(found == committed || found == attempted, "neither before nor after");
            committed = found;
        }
    }
}

#[test]
fn a_full_disk_is_reported_and_loses_nothing() {
    let medium = Medium::new(0);
    let database = open(&medium).unwrap();
    commit(&database, &[(1, vec![1; 100])]).unwrap();
    medium.set_capacity(Some(medium.used()));
    let mut rows = (2..=u8::MAX).map(|n| [(n, vec![n; 20_000])]);
    let error = rows.find_map(|rows| commit(&database, &rows).err()).expect("it fits into no disk").to_string();
    assert!(error.contains("no storage space"), "{error}");
    let last = content(&open_again(database, &medium)).unwrap();
    assert!(last.contains_key(&1) && last.iter().all(|(n, value)| value.iter().all(|byte| byte == n)));
    medium.set_capacity(None);
    let database = open_again(open(&medium).unwrap(), &medium);
    commit(&database, &[(250, vec![250; 20_000])]).unwrap();
    assert!(content(&database).unwrap().contains_key(&250));
}

fn open_again(database: Database, medium: &Medium) -> Database {
    drop(database);
    open(medium).unwrap()
}

#[test]
fn a_disk_that_can_not_read_says_so() {
    let medium = Medium::new(0);
    let database = open(&medium).unwrap();
    commit(&database, &(0..200).map(|n| (n, vec![n; 3_000])).collect::<Vec<_>>()).unwrap();
    drop(database);
    medium.fail_reads(1_000_000);
    let error = open(&medium).expect_err("nothing can be read").to_string();
    assert!(error.contains("the disk can't read this"), "{error}");
    medium.fail_reads(0);
    assert_eq!(content(&open(&medium).unwrap()).unwrap().len(), 200);
}
