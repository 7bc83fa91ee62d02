//! Many callers, one commit: who is answered what, and when.

use shardwire_disk::{Medium, SimulatedDisk, Survives};
use shardwire_model::{Coded, Felt, ShardId};
use shardwire_store::{Layout, MAX_WAITING, Store, StoreError, Table, Work};
use std::{
    path::Path,
    sync::{Arc, Mutex, mpsc},
};

const EPOCHS: Table<ShardId, u64> = Table::new("epochs", 1);
const ORDER: Table<ShardId, Vec<u64>> = Table::new("order", 1);
const LAYOUT: Layout =
    Layout { tables: &[&[EPOCHS.description(), ORDER.description()]], migrations: &[], formats: &[] };

/// What a caller may be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Store(StoreError),
    Refused,
}

impl From<StoreError> for Answer {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn id(n: u64) -> ShardId {
    ShardId(Felt::from(n))
}

fn on(medium: &Medium) -> Store {
    let store = Store::open(&SimulatedDisk::new(medium), Path::new("node.redb"), &LAYOUT).unwrap();
    store.with_work(Work::AtOnce)
}

fn epochs(store: &Store) -> Vec<u64> {
    store.all(&EPOCHS).unwrap().into_iter().map(|(_, epoch)| epoch).collect()
}

/// So many callers at once; every third one refuses, after it has changed something.
async fn callers(store: &Store, from: u64, to: u64) -> Vec<Result<u64, Answer>> {
    let mut tasks = Vec::new();
    for n in from..to {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            let changes = move |write: &mut shardwire_store::Write<'_>| {
                let mut order = write.get(&ORDER, &id(0))?.unwrap_or_default();
                order.push(n);
                write.put(&ORDER, &id(0), &order)?;
                write.put(&EPOCHS, &id(n), &n)?;
                write.remove(&EPOCHS, &id(1))?;
                if n % 3 == 2 { Err(Answer::Refused) } else { Ok(n) }
            };
            store.commit(changes).await
        }));
    }
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

#[tokio::test]
async fn a_group_is_one_commit_and_a_refusal_is_its_callers_alone() {
    let medium = Medium::new(0);
    let store = on(&medium);
    store.put(&EPOCHS, &id(1), &77).unwrap();
    let before = medium.acts();
    store.put(&EPOCHS, &id(50), &50).unwrap();
    let of_one = medium.acts() - before;

    let before = medium.acts();
    let answers = callers(&store, 2, 42).await;
    assert!(medium.acts() - before < 3 * of_one, "{} acts where one commit has {of_one}", medium.acts() - before);
    let (kept, refused): (Vec<u64>, Vec<u64>) = (2..42).partition(|n| n % 3 != 2);
    for (n, answer) in (2..42).zip(answers) {
        assert_eq!(answer, if kept.contains(&n) { Ok(n) } else { Err(Answer::Refused) }, "{n}");
    }
    assert_eq!(store.get(&ORDER, &id(0)).unwrap().unwrap(), kept, "the order in which they came, without the refused");
    assert_eq!(epochs(&store), [&kept[..], &[50]].concat());
    assert!(refused.iter().all(|n| store.get(&EPOCHS, &id(*n)).unwrap().is_none()));
}

#[tokio::test]
async fn a_commit_that_fails_is_told_to_all_of_its_group_and_the_next_one_goes_on() {
    let medium = Medium::new(0);
    let store = on(&medium);
    store.put(&EPOCHS, &id(0), &0).unwrap();
    medium.set_capacity(Some(medium.used()));
    let big = store.commit(|write| -> Result<(), Answer> {
        for n in 100..20_000 {
            write.put(&EPOCHS, &id(n), &n)?;
        }
        Ok(())
    });
    let (big, small) = tokio::join!(big, callers(&store, 2, 9));
    let full = big.unwrap_err();
    assert!(matches!(&full, Answer::Store(error) if error.code() == "SW-STORE-006"), "{full:?}");
    assert!(small.iter().all(|answer| *answer == Err(full.clone())), "{small:?}");
    drop(store);
    medium.set_capacity(None);
    let store = on(&medium);
    assert_eq!(epochs(&store), [0], "nothing of the group");
    assert_eq!(callers(&store, 3, 4).await, [Ok(3)]);
}

#[tokio::test]
async fn a_caller_that_goes_away_holds_nobody_up_and_what_it_queued_is_kept() {
    let medium = Medium::new(0);
    let store = on(&medium);
    // The first of a group, which would have committed it.
    drop(store.reserve().await.unwrap().enqueue::<_, StoreError, _>(|write| write.put(&EPOCHS, &id(1), &1)));
    assert_eq!(epochs(&store), [1]);
    assert_eq!(callers(&store, 3, 5).await, [Ok(3), Ok(4)]);
}

/// The number of reservations is a bound, and one that is given back is taken again.
#[tokio::test]
async fn a_full_queue_makes_callers_wait() {
    let store = on(&Medium::new(0));
    let mut reservations = Vec::new();
    for _ in 0..MAX_WAITING {
        reservations.push(store.reserve().await.unwrap());
    }
    let more = tokio::spawn({
        let store = store.clone();
        async move { store.commit(|write| write.put(&EPOCHS, &id(1), &1)).await }
    });
    tokio::task::yield_now().await;
    assert!(!more.is_finished());
    drop(reservations.pop());
    more.await.unwrap().unwrap();
    assert_eq!(epochs(&store), [1]);
}

/// On threads: while one group is being committed the next one comes together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_group_comes_together_while_one_is_committed() {
    let store = Store::in_memory(&LAYOUT).unwrap();
    let groups = Arc::new(Mutex::new(Vec::new()));
    let (release, released) = mpsc::sync_channel::<()>(1);
    let (began, begins) = tokio::sync::oneshot::channel();
    let first = store.reserve().await.unwrap().enqueue::<_, StoreError, _>(move |write| {
        began.send(()).unwrap();
        released.recv().unwrap();
        write.put(&EPOCHS, &id(0), &0)
    });
    begins.await.unwrap();
    let mut pending = Vec::new();
    for n in 1..100 {
        let groups = groups.clone();
        pending.push(store.reserve().await.unwrap().enqueue::<_, StoreError, _>(move |write| {
            groups.lock().unwrap().push(write.get(&EPOCHS, &id(0))?.is_some());
            write.put(&EPOCHS, &id(n), &n)
        }));
    }
    assert!(groups.lock().unwrap().is_empty() && epochs(&store).is_empty(), "nothing is there before its commit");
    release.send(()).unwrap();
    first.await.unwrap();
    for pending in pending {
        pending.await.unwrap();
    }
    assert_eq!(*groups.lock().unwrap(), [true; 99]);
    assert_eq!(epochs(&store), (0..100).collect::<Vec<_>>());
}

/// Whatever act the power fails at: who was answered finds what it was answered.
#[tokio::test]
async fn a_crash_takes_nothing_that_was_answered() {
    let medium = Medium::new(0);
    drop(on(&medium));
    for (acts, seed) in (0..60).zip(7..) {
        medium.power_off_after(acts);
        let disk = SimulatedDisk::new(&medium);
        let answers = match Store::open(&disk, Path::new("node.redb"), &LAYOUT) {
            Ok(store) => callers(&store.with_work(Work::AtOnce), 100 * acts + 3, 100 * acts + 13).await,
            Err(_) => Vec::new(),
        };
        if medium.is_powered() {
            medium.power_off();
        }
        medium.power_on(Survives::Some(seed));
        let kept = epochs(&on(&medium));
        for answered in answers.into_iter().flatten() {
            assert!(kept.contains(&answered), "{answered} at act {acts}");
        }
    }
}
