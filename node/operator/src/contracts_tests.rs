//! An operator of a shard of contracts, the dungeon's: from its genesis to the chunks of its witness, with a restart between.

use super::{archive::Archive, tests::assign, *};
use shardwire_host::{
    Tasks,
    testing::{SetWall, host, store},
};
use shardwire_hosted::{
    Contracts, Geneses, Grounds, Limits,
    dungeon::{self, ANNA, BEGINS, BERT, GOLD, WORLD},
};
use shardwire_model::{
    AccountKey, Coded as _, Felt, Invoke, Key, Reads, SessionCall, ShardStart, ShardTransaction, Stage, Terms,
    Timestamp,
};
use shardwire_program::{Program, Rules};
use shardwire_protocols::{
    Failure,
    ingress::{Handler as _, Outcome, ReceiptContent},
    trace::{ChunkAnswer, Grant, Handler as _},
};
use shardwire_store::records::{EXECUTIONS, Executed, LogKey, TRANSACTIONS, WireFelt};
use shardwire_transport::Identity;
use std::path::Path;

/// A proof takes any run.
pub(super) const UNLIMITED: Limits = Limits { proof_bytes: u64::MAX, segments: 1 };

pub(super) fn identity(number: u8) -> Identity {
    Identity::from_secret(&[number; 32])
}

pub(super) fn client() -> PeerId {
    identity(9).peer()
}

fn with(folder: &Path, geneses: Geneses) -> (Arc<Operator>, Tasks) {
    within(folder, geneses, UNLIMITED)
}

/// One for provers that take so much.
pub(super) fn within(folder: &Path, geneses: Geneses, limits: Limits) -> (Arc<Operator>, Tasks) {
    over(folder, contracts(geneses, limits))
}

/// An operator in this folder, with these programs.
pub(super) fn over(folder: &Path, programs: Programs) -> (Arc<Operator>, Tasks) {
    let clock = SetWall::at(Timestamp(BEGINS * 1_000));
    let (host, tasks) = host(identity(2), store(folder), folder, clock, "");
    (Arc::new(Operator::resume(host, programs).unwrap()), tasks)
}

/// All programs, with what these shards begin from, for provers that take so much.
pub(super) fn contracts(grounds: impl Into<Grounds>, limits: Limits) -> Programs {
    let contracts = Contracts::with_limits(Arc::new(grounds.into()), limits);
    Programs::of([Arc::new(Rules) as Arc<dyn Program>, Arc::new(contracts)])
}

fn operator(folder: &Path) -> (Arc<Operator>, Tasks) {
    with(folder, dungeon::geneses())
}

pub(super) fn assignment() -> Assignment {
    let (start, values) = dungeon::shard(identity(2).peer());
    let values = values.into_iter().map(WireFelt).collect();
    Assignment { start, values, settler: identity(1).peer(), epoch: 1 }
}

async fn assigned(folder: &Path) -> (Arc<Operator>, Tasks, ShardStart) {
    assigned_within(folder, UNLIMITED).await
}

pub(super) async fn assigned_within(folder: &Path, limits: Limits) -> (Arc<Operator>, Tasks, ShardStart) {
    let (operator, tasks) = within(folder, dungeon::geneses(), limits);
    let assignment = assignment();
    assign(&operator, assignment.clone()).await.unwrap();
    (operator, tasks, assignment.start)
}

/// Waits until nothing holds the folder any more.
pub(super) async fn gone(operator: Arc<Operator>, tasks: Tasks) {
    let host = operator.host.clone();
    drop((operator, tasks));
    while Arc::strong_count(&host) > 1 {
        tokio::task::yield_now().await;
    }
}

/// Waits until the run is executed to its end. What came of it, by the chunks' hashes.
pub(super) async fn executed(operator: &Operator, shard: ShardId) -> Executed {
    let run = operator.run(shard).unwrap();
    let ended = || match (run.segments.are_whole(), run.stopped()) {
        (true, _) => Ok(Some(())),
        (false, Some(stopped)) => Err(stopped),
        (false, None) => Ok(None),
    };
    run.progress.until(ended).await.unwrap();
    operator.host.store.get(&EXECUTIONS, &run.segments.first().id).unwrap().unwrap()
}

/// The list of what the run read, as a prover gets it with the end of its witness.
async fn list(operator: &Operator, shard: ShardId) -> Result<Vec<Felt>, Failure> {
    let run = operator.run(shard).unwrap();
    let Grant::Leased(lease) = operator.claim(client(), run.segments.first().job).await? else { panic!("it is free") };
    match operator.chunk(client(), run.segments.first().job, lease.statement.epoch, u32::MAX).await? {
        ChunkAnswer::End(ending) => Ok(ending.reads),
        other => panic!("the run has ended: {other:?}"),
    }
}

/// What a transaction is answered that is in the log; the third one fails.
pub(super) fn in_the_log(sequence: u32) -> Outcome {
    Outcome::Accepted { sequence, duplicate: false, reverted: sequence == 2 }
}

#[tokio::test]
async fn a_game_of_contracts_is_executed_logged_and_cut_in_the_same_chunks_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (running, tasks, start) = assigned(folder.path()).await;
    let shard = start.shard;
    let [train, pay, doom, finish] = dungeon::game(&start);
    assert_eq!(running.open(client(), shard).await.unwrap().unwrap().nonces, [0, 0]);
    assert_eq!(running.decided(client(), shard, train.clone()).await.unwrap(), in_the_log(0));
    // Two at once: a check executes, and nothing enters between it and what it led to.
    let early = dungeon::invoke(&start, ANNA, 3, WORLD, "train", &[1]);
    let both = tokio::join!(running.decided(client(), shard, pay), running.decided(client(), shard, early));
    assert_eq!(both.0.unwrap(), in_the_log(1));
    let Outcome::Refused { cause, due } = both.1.unwrap() else { panic!("its nonce isn't due") };
    assert_eq!((cause.code.as_str(), due), ("SW-NATIVE-106", Some(1)));
    gone(running, tasks).await;

    // The log is executed again, and the game goes on.
    let (running, tasks) = operator(folder.path());
    let again = running.decided(client(), shard, train).await.unwrap();
    assert_eq!(again, Outcome::Accepted { sequence: 0, duplicate: true, reverted: false });
    assert_eq!(running.decided(client(), shard, doom.clone()).await.unwrap(), in_the_log(2));
    let again = running.decided(client(), shard, doom).await.unwrap();
    assert_eq!(again, Outcome::Accepted { sequence: 2, duplicate: true, reverted: true });
    // A commit fails: what was executed ahead of the log isn't there any more.
    let run = running.run(shard).unwrap();
    let sequencer = run.sequencer().unwrap();
    sequencer.failed(sequencer.round());
    assert_eq!(running.decided(client(), shard, finish).await.unwrap(), in_the_log(3));
    let first = executed(&running, shard).await;
    assert_eq!((first.output.count, first.output.ended), (4, true));
    let values = [(GOLD, "balances", ANNA, 80), (GOLD, "balances", BERT, 20), (WORLD, "xp", ANNA, 5)];
    assert!(first.output.updates.iter().map(|update| update.value).eq(dungeon::values(&start, &values)));
    let times = (0..4).map(|sequence| running.host.store.get(&TRANSACTIONS, &LogKey { shard, sequence }));
    let times: Vec<_> = times.map(|logged| logged.unwrap().unwrap().time).collect();
    assert!(times.is_sorted() && times[0] >= BEGINS, "{times:?}");
    let over = running.open(client(), shard).await.unwrap().unwrap();
    assert_eq!((over.nonces, over.accepted, over.ended), (vec![2, 2], 4, true));
    // What it read: all that the genesis and the World have of the slots that were touched, and the accounts' nonces.
    let felts = list(&running, shard).await.unwrap();
    let ordered = start.for_contracts().unwrap();
    let reads = Reads::from_felts(&ordered, &felts).unwrap();
    assert_eq!(reads.commitment(&ordered), first.output.reads);
    let value = |at: u64, key: Key| reads.storage.get(&(ordered.contract_place(at.into()).unwrap(), key.0)).copied();
    let purses = [ANNA, BERT].map(|account| value(GOLD, dungeon::key("balances", &[account])));
    assert_eq!(purses, [Some(Felt::from(50)); 2]);
    assert_eq!(value(WORLD, dungeon::key("xp", &[ANNA])), Some(Felt::from(7)));
    assert_eq!(value(WORLD, dungeon::key("master", &[])), Some(Felt::from(ANNA)));
    assert!(reads.nonces.values().eq(&[Felt::ZERO; 2]), "both sent transactions");

    // Without the list, or with a damaged one, the run is executed once more, and the list is the same.
    let file = running.host.artefacts.operator_reads(run.segments.first().id);
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    list(&running, shard).await.expect_err("it isn't sent");
    let is_whole = || run.state().interrupted.is_none() && run.segments.are_whole();
    run.progress.until(|| Ok::<_, ()>(is_whole().then_some(()))).await.unwrap();
    assert_eq!(list(&running, shard).await.unwrap(), felts);
    drop(run);
    gone(running, tasks).await;
    std::fs::remove_file(&file).unwrap();
    let (running, tasks) = operator(folder.path());
    executed(&running, shard).await;
    assert_eq!(list(&running, shard).await.unwrap(), felts);
    gone(running, tasks).await;

    // Without its chunks the run is executed once more, from the log alone.
    std::fs::remove_dir_all(folder.path().join("shards")).unwrap();
    let (running, _tasks) = operator(folder.path());
    let second = executed(&running, shard).await;
    assert_eq!((first.chunks, first.steps, first.output), (second.chunks, second.steps, second.output));
}

/// What the operator signs for a transaction.
async fn receipt(operator: &Operator, shard: ShardId, transaction: impl Into<ShardTransaction>) -> ReceiptContent {
    let receipt = match operator.include(shard, transaction.into()).await {
        Ok(receipt) => receipt,
        Err(NotIncluded::Refused(_, receipt) | NotIncluded::Duplicate(_, receipt)) => *receipt,
        Err(NotIncluded::Operator(error)) => panic!("{error}"),
    };
    receipt.verify(&identity(2).peer()).unwrap().clone()
}

#[tokio::test]
async fn session_calls_among_invokes_are_logged_answered_again_and_cut_in_the_same_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let (running, tasks, start) = assigned(folder.path()).await;
    let (shard, key) = (start.shard, AccountKey::from_secret([5; 32]));
    let call = |previous, name: &str, arguments: &[u64]| dungeon::session_call(ANNA, &key, previous, name, arguments);
    let first = call(dungeon::first_link(&start, &key), "train", &[5]);
    let second = call(first.link(), "train", &[2]);
    let third = call(second.link(), "doom", &[]);
    let fourth = call(third.link(), "train", &[1]);
    let last = call(fourth.link(), "finish", &[]);
    let allow = dungeon::allow(&start, ANNA, 0, &key, dungeon::DEADLINE, &["train", "doom", "finish"]);
    assert_eq!(running.decided(client(), shard, allow).await.unwrap(), in_the_log(0));
    // A key's calls at once: each is checked after those that are on their way to the log.
    let [_, pay, ..] = dungeon::game(&start);
    let at_once = tokio::join!(
        running.decided(client(), shard, first.clone()),
        running.decided(client(), shard, second.clone()),
        running.decided(client(), shard, third.clone()),
        running.decided(client(), shard, pay),
    );
    let accepted = |sequence, reverted| Outcome::Accepted { sequence, duplicate: false, reverted };
    assert_eq!(
        [at_once.0.unwrap(), at_once.1.unwrap(), at_once.2.unwrap(), at_once.3.unwrap()],
        [accepted(1, false), accepted(2, false), accepted(3, true), accepted(4, false)]
    );
    let told = receipt(&running, shard, third.clone()).await;
    assert_eq!(told.outcome, Outcome::Accepted { sequence: 3, duplicate: true, reverted: true });
    assert_eq!(
        (told.account, told.nonce, told.transaction),
        (start.accounts[0], None, ShardTransaction::from(third.clone()).hash())
    );
    // With another signature it is the same: two receipts of it contradict each other in nothing.
    let anew = SessionCall { signature: first.signature, ..third.clone() };
    assert_eq!(receipt(&running, shard, anew.clone()).await, told);
    for (refused, code) in [
        (call(second.link(), "train", &[9]), "SW-NATIVE-127"),
        (call(third.link(), "gamble", &[6]), "SW-NATIVE-126"),
        (SessionCall { signature: third.signature, ..fourth.clone() }, "SW-NATIVE-128"),
    ] {
        let told = receipt(&running, shard, refused).await;
        let Outcome::Refused { cause, due } = told.outcome else { panic!("{code}") };
        assert_eq!((cause.code.as_str(), due), (code, Some(1)));
    }
    gone(running, tasks).await;

    // The log is executed again, and the key's chain goes on.
    let (running, tasks) = operator(folder.path());
    assert_eq!(receipt(&running, shard, third.clone()).await, told);
    // A commit fails: the chain is where the log is.
    assert_eq!(running.decided(client(), shard, fourth.clone()).await.unwrap(), accepted(5, false));
    let run = running.run(shard).unwrap();
    let sequencer = run.sequencer().unwrap();
    sequencer.failed(sequencer.round());
    assert_eq!(running.decided(client(), shard, last.clone()).await.unwrap(), accepted(6, false));
    let late = receipt(&running, shard, anew).await;
    assert_eq!(late, told, "also after the end");
    let whole = executed(&running, shard).await;
    assert_eq!((whole.output.count, whole.output.ended), (7, true));
    let values = [(GOLD, "balances", ANNA, 80), (GOLD, "balances", BERT, 20), (WORLD, "xp", ANNA, 8)];
    assert!(whole.output.updates.iter().map(|update| update.value).eq(dungeon::values(&start, &values)));
    // What a shard that is over had accepted is found in its archive.
    let archive = Archive::of(&running.host.store, &start).unwrap();
    assert_eq!((archive.accepted(), archive.next_nonces()), (7, vec![1, 1]));
    let known = |call: &SessionCall| archive.outcome(&running.host.store, &start, &call.clone().into()).unwrap();
    let again = |sequence, reverted| Some(Outcome::Accepted { sequence, duplicate: true, reverted });
    assert_eq!([known(&first), known(&third), known(&last)], [again(1, false), again(3, true), again(6, false)]);
    assert_eq!(known(&call(third.link(), "train", &[7])), None);
    drop(run);
    gone(running, tasks).await;

    std::fs::remove_dir_all(folder.path().join("shards")).unwrap();
    let (running, _tasks) = operator(folder.path());
    let second = executed(&running, shard).await;
    assert_eq!((whole.chunks, whole.steps, whole.output), (second.chunks, second.steps, second.output));
}

#[tokio::test]
async fn a_shard_whose_genesis_is_not_here_is_declined_and_one_that_cannot_be_read_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let none = Geneses::new(|_, _| Ok(None), shardwire_hosted::Class::compile);
    let (running, tasks) = with(folder.path(), none);
    let error = assign(&running, assignment()).await.unwrap_err();
    assert_eq!((error.code(), error.declines()), ("SW-PROGRAM-004", true));
    let mut other = assignment();
    other.start.terms = Terms::Rules;
    let error = assign(&running, other).await.unwrap_err();
    assert_eq!((error.code(), error.declines()), ("SW-EXEC-009", true));
    assert!(running.shards().is_empty());
    gone(running, tasks).await;
    let broken = Geneses::new(|_, _| Err(io::Error::other("a bad sector")), shardwire_hosted::Class::compile);
    let (running, _tasks) = with(folder.path(), broken);
    let error = assign(&running, assignment()).await.unwrap_err();
    assert_eq!((error.code(), error.declines()), ("SW-PROGRAM-008", false));
    assert!(running.shards().is_empty());
}

#[tokio::test]
async fn a_shard_whose_genesis_is_gone_stops_until_it_is_back_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (running, tasks, start) = assigned(folder.path()).await;
    let [train, ..]: [Invoke; 4] = dungeon::game(&start);
    assert_eq!(running.decided(client(), start.shard, train.clone()).await.unwrap(), in_the_log(0));
    gone(running, tasks).await;
    let none = Geneses::new(|_, _| Ok(None), shardwire_hosted::Class::compile);
    let (running, tasks) = with(folder.path(), none);
    let status = &running.shards()[0];
    assert_eq!((status.stage, status.error.as_ref().unwrap().code.as_str()), (Stage::Failed, "SW-PROGRAM-004"));
    assert!(running.decided(client(), start.shard, train.clone()).await.is_err());
    gone(running, tasks).await;
    let (running, _tasks) = operator(folder.path());
    let again = running.decided(client(), start.shard, train).await.unwrap();
    assert_eq!(again, Outcome::Accepted { sequence: 0, duplicate: true, reverted: false });
}
