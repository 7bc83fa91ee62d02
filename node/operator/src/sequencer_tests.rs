//! Many clients of one shard at once: one log, whole groups, and rules that are where the log is, also when the disk fails.

use super::{sequencer::Sequencer, tests::assign, *};
use shardwire_disk::{Medium, SimulatedDisk};
use shardwire_host::{Tasks, clock::SystemClock, testing::host};
use shardwire_model::{
    AccountKey, Call, ChainHead, Felt, Logged, PeerId, ShardStart, ShardTransaction, SignedTransaction, Transaction,
};
use shardwire_program::rules;
use shardwire_protocols::ingress::{Handler as _, Outcome};
use shardwire_sample::small_shard;
use shardwire_store::{
    RecordKey, Store, Work,
    records::{LAYOUT, TRANSACTIONS, WireFelt},
};
use shardwire_transport::Identity;
use std::{path::Path, sync::LazyLock};

/// How many clients there are, each with an account.
const CLIENTS: u8 = 6;
/// How many transactions each of them submits.
const EACH: u32 = 3;

fn me() -> Identity {
    Identity::from_secret(&[2; 32])
}

fn key(client: u8) -> AccountKey {
    AccountKey::from_secret([100 + client; 32])
}

/// The small shard, with an account for each client.
fn start() -> (ShardStart, Vec<Felt>) {
    let (mut start, values, _) = small_shard(rules::hash(), me().peer());
    start.accounts = (0..CLIENTS).map(|client| key(client).id()).collect();
    (start, values)
}

/// What each client adds, in its order. Signed once: signing is slow.
static ADDITIONS: LazyLock<Vec<Vec<SignedTransaction>>> =
    LazyLock::new(|| (0..CLIENTS).map(|client| additions(&START.0, client)).collect());
/// The shard that they are of, and its values.
static START: LazyLock<(ShardStart, Vec<Felt>)> = LazyLock::new(start);

fn additions(start: &ShardStart, client: u8) -> Vec<SignedTransaction> {
    let account = key(client).id();
    let mut head = ChainHead::start(start.commitment(), account);
    let call = Call::Add { counter: start.entries[0].key, amount: 1 };
    let signed = |nonce| {
        let transaction = Transaction { account, nonce, contract: start.contracts[0], call };
        head = head.extend(transaction.words(start).unwrap());
        SignedTransaction { transaction, signature: key(client).sign(head.message()).unwrap() }
    };
    (1..=EACH).map(signed).collect()
}

fn operator(store: Store, folder: &Path) -> (Arc<Operator>, Tasks) {
    let (host, tasks) = host(me(), store, folder, Arc::new(SystemClock), "");
    (Arc::new(Operator::resume(host, Programs::all()).unwrap()), tasks)
}

async fn assigned(store: Store, folder: &Path) -> (Arc<Operator>, Tasks, ShardStart) {
    let (operator, tasks) = operator(store, folder);
    let (start, values) = START.clone();
    let values = values.into_iter().map(WireFelt).collect();
    assign(&operator, Assignment { start: start.clone(), values, settler: PeerId([1; 32]), epoch: 1 }).await.unwrap();
    (operator, tasks, start)
}

/// Each client submits its transactions one after the other until one fails; all clients at once. What each was told.
async fn play(operator: &Arc<Operator>, start: &ShardStart) -> Vec<Vec<Result<Outcome, String>>> {
    let mut clients = Vec::new();
    for client in 0..CLIENTS {
        let (operator, start) = (operator.clone(), start.clone());
        clients.push(tokio::spawn(async move {
            let mut told = Vec::new();
            for transaction in ADDITIONS[usize::from(client)].iter().copied() {
                let outcome = operator.decided(PeerId([client; 32]), start.shard, transaction).await;
                told.push(outcome.map_err(|failure| format!("{failure:?}")));
                if told.last().is_some_and(Result::is_err) {
                    break;
                }
            }
            told
        }));
    }
    let mut told = Vec::new();
    for client in clients {
        told.push(client.await.unwrap());
    }
    told
}

fn log(store: &Store, start: &ShardStart) -> Vec<Logged> {
    let log = store.with_prefix(&TRANSACTIONS, &RecordKey::to_bytes(&start.shard)).unwrap();
    let log: Vec<Logged> = log.into_iter().map(|(_, entry)| entry).collect();
    assert!(log.is_sorted_by_key(|entry| entry.time), "times don't run back");
    log
}

/// The transactions of a log.
fn signed(log: &[Logged]) -> Vec<SignedTransaction> {
    let signed = log.iter().map(|entry| match entry.transaction {
        ShardTransaction::Rules(signed) => signed,
        ShardTransaction::Invoke(_) => panic!("an INVOKE"),
    });
    signed.collect()
}

async fn everything_is_logged_once(work: Work) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::in_memory(&LAYOUT).unwrap().with_work(work);
    let (operator, _tasks, start) = assigned(store, folder.path()).await;
    let told = play(&operator, &start).await;
    let mut sequences = Vec::new();
    for outcome in told.into_iter().flatten() {
        let Ok(Outcome::Accepted { sequence, duplicate: false, .. }) = outcome else { panic!("{outcome:?}") };
        sequences.push(sequence);
    }
    sequences.sort_unstable();
    let all = u32::from(CLIENTS) * EACH;
    assert!(sequences.into_iter().eq(0..all), "each place once");
    let log = log(&operator.host.store, &start);
    assert_eq!(log.len(), all as usize);
    // The log replays: its order is the one in which the rules took them.
    let rules = Programs::all().get(start.program).unwrap().admission(start.clone(), &[Felt::from(3)]).unwrap();
    assert_eq!(Sequencer::of(rules, &log, None).unwrap().progress().accepted, all);
    // All of it again, at once: told as before, and nothing changes.
    let again = play(&operator, &start).await;
    let known = |outcome: &Result<Outcome, String>| matches!(outcome, Ok(Outcome::Accepted { duplicate: true, .. }));
    assert!(again.iter().flatten().all(known), "{again:?}");
    assert_eq!(operator.shards()[0].transactions, all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_at_once_make_one_log() {
    everything_is_logged_once(Work::Beside).await;
}

#[tokio::test]
async fn one_thing_at_a_time_makes_the_same_log() {
    everything_is_logged_once(Work::AtOnce).await;
}

#[tokio::test]
async fn a_clients_transactions_have_their_places_before_the_first_of_them_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::in_memory(&LAYOUT).unwrap().with_work(Work::AtOnce);
    let (mut host, _tasks) = host(me(), store, folder.path(), Arc::new(SystemClock), "");
    // Nothing else has its turn until this test waits for something.
    Arc::get_mut(&mut host).unwrap().work = Work::AtOnce;
    let operator = Arc::new(Operator::resume(host, Programs::all()).unwrap());
    let (start, values) = START.clone();
    let values = values.into_iter().map(WireFelt).collect();
    assign(&operator, Assignment { start: start.clone(), values, settler: PeerId([1; 32]), epoch: 1 }).await.unwrap();
    let mut under_way = Vec::new();
    for transaction in &ADDITIONS[0] {
        under_way.push(operator.submit(PeerId([0; 32]), start.shard, transaction.into()).await.unwrap());
    }
    assert_eq!(log(&operator.host.store, &start), []);
    for (outcome, sequence) in under_way.into_iter().zip(0..) {
        assert_eq!(outcome.await.unwrap(), Outcome::Accepted { sequence, duplicate: false, reverted: false });
    }
    assert_eq!(signed(&log(&operator.host.store, &start)), ADDITIONS[0]);
}

#[tokio::test]
async fn the_receipt_of_a_refusal_says_which_nonce_is_due() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks, start) =
        assigned(Store::in_memory(&LAYOUT).unwrap().with_work(Work::AtOnce), folder.path()).await;
    let submit =
        async |signed: SignedTransaction| match operator.decided(PeerId([9; 32]), start.shard, signed).await.unwrap() {
            Outcome::Refused { cause, due } => (cause.code, due),
            accepted => (format!("{accepted:?}"), None),
        };
    let first = ADDITIONS[0][0];
    let mut nothing = first;
    nothing.transaction.call = Call::Add { counter: start.entries[0].key, amount: 0 };
    assert_eq!(submit(nothing).await, ("SW-REFUSED-012".to_owned(), Some(1)), "it has used up no nonce");
    assert_eq!(submit(ADDITIONS[0][1]).await, ("SW-REFUSED-004".to_owned(), Some(1)));
    operator.decided(PeerId([9; 32]), start.shard, first).await.unwrap();
    assert_eq!(submit(ADDITIONS[0][2]).await, ("SW-REFUSED-004".to_owned(), Some(2)));
    let mut stranger = first;
    stranger.transaction.account = AccountKey::from_secret([77; 32]).id();
    assert_eq!(submit(stranger).await, ("SW-REFUSED-001".to_owned(), None));
    // After the end event none is due any more.
    let account = key(1).id();
    let transaction = Transaction { account, nonce: 1, contract: start.contracts[0], call: Call::Finish };
    let head = ChainHead::start(start.commitment(), account).extend(transaction.words(&start).unwrap());
    let finish = SignedTransaction { transaction, signature: key(1).sign(head.message()).unwrap() };
    assert_eq!(submit(finish).await.1, None);
    assert_eq!(submit(ADDITIONS[0][1]).await, ("SW-REFUSED-002".to_owned(), None));
}

/// The same transaction from two sessions while it is on its way: one place, and neither is told before it is logged.
#[tokio::test]
async fn a_transaction_that_comes_twice_at_once_has_one_place() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks, start) =
        assigned(Store::in_memory(&LAYOUT).unwrap().with_work(Work::AtOnce), folder.path()).await;
    let first = ADDITIONS[0][0];
    let submit = || operator.decided(PeerId([9; 32]), start.shard, first);
    let (one, two, three) = tokio::join!(submit(), submit(), submit());
    let outcomes = [one.unwrap(), two.unwrap(), three.unwrap()];
    // Whichever was first: its signature is checked beside those of the others.
    let count = |duplicate| {
        outcomes
            .iter()
            .filter(|outcome| **outcome == Outcome::Accepted { sequence: 0, duplicate, reverted: false })
            .count()
    };
    assert_eq!((count(false), count(true)), (1, 2), "{outcomes:?}");
    assert_eq!(signed(&log(&operator.host.store, &start)), [first]);
}

/// Whatever act the disk fails at: all of the group are told so, the rules are where the log is, and what was accepted is there.
#[tokio::test]
async fn a_disk_that_fails_leaves_the_rules_where_the_log_is() {
    for acts in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let medium = Medium::new(acts);
        let open = || Store::open(&SimulatedDisk::new(&medium), Path::new("node.redb"), &LAYOUT).unwrap();
        let (operator, tasks, start) = assigned(open().with_work(Work::AtOnce), folder.path()).await;
        medium.power_off_after(acts);
        let told = play(&operator, &start).await;
        if medium.is_powered() {
            assert!(acts > 5 && told.iter().flatten().all(Result::is_ok), "{told:?}");
            break;
        }
        let failed: Vec<&String> = told.iter().flatten().filter_map(|outcome| outcome.as_ref().err()).collect();
        let is_told = |failure: &&String| failure.contains("SW-STORE-006") || failure.contains("SW-OPERATOR-011");
        assert!(!failed.is_empty() && failed.iter().all(is_told), "{failed:?}");
        let accepted = told.iter().flatten().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(operator.shards()[0].transactions as usize, accepted, "nothing is told that isn't logged");
        drop((operator, tasks));

        medium.power_on(shardwire_disk::Survives::Some(acts));
        let (operator, _tasks) = self::operator(open().with_work(Work::AtOnce), folder.path());
        assert!(log(&operator.host.store, &start).len() >= accepted);
        let told = play(&operator, &start).await;
        assert!(told.iter().flatten().all(Result::is_ok), "{told:?}");
        assert_eq!(log(&operator.host.store, &start).len(), usize::from(CLIENTS) * EACH as usize);
    }
}

/// As above, by the same operator: it goes on as soon as the disk does, and what the failed commit has written after all is taken in.
#[tokio::test]
async fn a_disk_that_fails_once_is_looked_at_and_the_shard_goes_on() {
    let mut after_all = 0;
    for acts in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let medium = Medium::new(acts);
        let store = Store::open(&SimulatedDisk::new(&medium), Path::new("node.redb"), &LAYOUT).unwrap();
        let (operator, _tasks, start) = assigned(store.with_work(Work::AtOnce), folder.path()).await;
        medium.fail_once_after(acts);
        let told = play(&operator, &start).await;
        if medium.will_fail_once() {
            assert!(acts > 5 && told.iter().flatten().all(Result::is_ok), "{told:?}");
            break;
        }
        let accepted = told.iter().flatten().filter(|outcome| outcome.is_ok()).count();
        let opened = operator.run(start.shard).unwrap().opened().await.unwrap();
        let log = log(&operator.host.store, &start);
        assert_eq!((opened.accepted as usize, log.len() >= accepted), (log.len(), true));
        after_all += log.len() - accepted;
        let told = play(&operator, &start).await;
        assert!(told.iter().flatten().all(Result::is_ok), "{told:?}");
        assert_eq!(self::log(&operator.host.store, &start).len(), usize::from(CLIENTS) * EACH as usize);
        assert_eq!(operator.shards()[0].transactions, u32::from(CLIENTS) * EACH);
    }
    assert!(after_all > 0, "some failed commit was on the disk all the same");
}
