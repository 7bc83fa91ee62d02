use super::{
    RecordKey as _, Store, StoreError,
    records::{HANDOFFS, Handoff, LogKey},
};
use redb::{Database, TableDefinition, backends::InMemoryBackend};
use shardwire_model::{Coded, Felt, ShardId};

fn id(n: u64) -> ShardId {
    ShardId(Felt::from(n))
}

#[test]
fn records_survive_reopening_and_come_back_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.redb");
    let store = Store::open(&path).unwrap();
    for n in [3, 1, 2] {
        store.put(&HANDOFFS, &id(n), &Handoff { epoch: n, accepted: false }).unwrap();
    }
    drop(store);
    let epochs: Vec<u64> = Store::open(&path).unwrap().all(&HANDOFFS).unwrap().iter().map(|(_, h)| h.epoch).collect();
    assert_eq!(epochs, [1, 2, 3]);
}

#[test]
fn a_failed_write_leaves_nothing_behind() {
    let store = Store::with_backend(InMemoryBackend::new(), true).unwrap();
    let result: Result<(), StoreError> = store.write(|write| {
        write.put(&HANDOFFS, &id(1), &Handoff { epoch: 1, accepted: true })?;
        Err(StoreError::Foreign)
    });
    assert!(result.is_err());
    assert_eq!(store.get(&HANDOFFS, &id(1)).unwrap(), None);
}

#[test]
fn log_keys_sort_by_shard_then_sequence() {
    let key = |shard, sequence| LogKey { shard: id(shard), sequence }.to_bytes();
    assert!(key(1, 255) < key(1, 256));
    assert!(key(1, u32::MAX) < key(2, 0));
    assert_eq!(LogKey::from_bytes(&key(7, 300)), Some(LogKey { shard: id(7), sequence: 300 }));
    assert_eq!(LogKey::from_bytes(&[0; 35]), None);
}

#[test]
fn every_refusal_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.redb");

    let first = Store::open(&path).unwrap();
    let error = Store::open(&path).unwrap_err();
    assert_eq!(error.to_string(), "the data folder's node.redb is in use by another process");
    assert_eq!(error.code(), "SW-STORE-001");
    assert_eq!(error.next_step(), "Stop the other node, or give this one a data folder of its own.");
    drop(first);

    let foreign = folder.path().join("foreign.redb");
    let database = Database::create(&foreign).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(TableDefinition::<u64, u64>::new("theirs")).unwrap().insert(1, 1).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let before = std::fs::read(&foreign).unwrap();
    let error = Store::open(&foreign).unwrap_err();
    assert_eq!(error.to_string(), "node.redb is not a shardwire node's file");
    assert_eq!(error.code(), "SW-STORE-002");
    assert!(Database::open(&foreign).is_ok() && !before.is_empty(), "a foreign file stays usable");

    let newer = folder.path().join("newer.redb");
    let database = Database::create(&newer).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(super::META).unwrap().insert(super::MAGIC, 9).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = Store::open(&newer).unwrap_err();
    assert_eq!(error.to_string(), "node.redb has layout version 9, this program reads version 1");
    assert_eq!(error.code(), "SW-STORE-003");

    let text = folder.path().join("text.redb");
    std::fs::write(&text, "not a database, but long enough to look like one".repeat(400)).unwrap();
    let error = Store::open(&text).unwrap_err();
    assert_eq!(error.to_string(), "node.redb is damaged: it is not a redb file");
    assert_eq!(error.code(), "SW-STORE-004");
    assert_eq!(std::fs::read(&text).unwrap().len(), 48 * 400);
}
