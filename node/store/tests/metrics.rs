//! What a store's metrics say.

use shardwire_disk::{Medium, SimulatedDisk};
use shardwire_model::{Felt, ShardId};
use shardwire_store::{Layout, Store, StoreError, Table, Work};
use shardwire_telemetry::Telemetry;
use std::path::Path;

const EPOCHS: Table<ShardId, u64> = Table::new("epochs", 1);
const LAYOUT: Layout = Layout { tables: &[&[EPOCHS.description()]], migrations: &[], formats: &[] };

fn store(medium: &Medium) -> (Store, Telemetry) {
    let store = Store::open(&SimulatedDisk::new(medium), Path::new("node.redb"), &LAYOUT).unwrap();
    let (store, telemetry) = (store.with_work(Work::AtOnce), Telemetry::default());
    store.register(&telemetry);
    (store, telemetry)
}

#[track_caller]
fn says(telemetry: &Telemetry, line: &str) {
    let text = telemetry.to_text();
    assert!(text.lines().any(|it| it == line), "{line} isn't in:\n{text}");
}

#[tokio::test]
async fn commits_are_counted_with_their_callers() {
    let (store, telemetry) = store(&Medium::new(0));
    let callers = (0..4_u64).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { store.commit(move |write| write.put(&EPOCHS, &ShardId(Felt::from(n)), &n)).await })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap().unwrap();
    }
    store.put(&EPOCHS, &ShardId(Felt::ONE), &1).unwrap();
    says(&telemetry, "shardwire_store_commit_changes_sum 5.0");
    says(&telemetry, "shardwire_store_commit_changes_count 2");
    says(&telemetry, "shardwire_store_commit_changes_bucket{le=\"1.0\"} 1");
    says(&telemetry, "shardwire_store_reopened_total 0");
}

#[test]
fn a_store_that_was_opened_again_says_so() {
    let medium = Medium::new(0);
    let (store, telemetry) = store(&medium);
    medium.set_capacity(Some(medium.used()));
    let much: Result<(), StoreError> =
        store.write(|write| (1..20_000_u64).try_for_each(|n| write.put(&EPOCHS, &ShardId(Felt::from(n)), &n)));
    assert!(much.is_err());
    medium.set_capacity(None);
    store.put(&EPOCHS, &ShardId(Felt::ONE), &1).unwrap();
    says(&telemetry, "shardwire_store_reopened_total 1");
    says(&telemetry, "shardwire_store_commit_changes_count 1");
}
