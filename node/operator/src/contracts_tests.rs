//! An operator of a shard of contracts, the dungeon's: from its genesis to the chunks of its witness, with a restart between.

use super::{tests::assign, *};
use shardwire_host::{
    Tasks,
    testing::{SetWall, host, store},
};
use shardwire_hosted::{
    Contracts, Geneses,
    dungeon::{self, ANNA, BEGINS, BERT, GOLD, WORLD},
};
use shardwire_model::{Coded as _, Invoke, ShardStart, Stage, Terms, Timestamp};
use shardwire_program::{Program, Rules};
use shardwire_protocols::ingress::{Handler as _, Outcome};
use shardwire_store::records::{EXECUTIONS, Executed, LogKey, TRANSACTIONS, WireFelt};
use shardwire_transport::Identity;
use std::path::Path;

fn identity(number: u8) -> Identity {
    Identity::from_secret(&[number; 32])
}

fn client() -> PeerId {
    identity(9).peer()
}

fn with(folder: &Path, geneses: Geneses) -> (Arc<Operator>, Tasks) {
    let clock = SetWall::at(Timestamp(BEGINS * 1_000));
    let (host, tasks) = host(identity(2), store(folder), folder, clock, "");
    let contracts = Contracts::new(Arc::new(geneses));
    let programs = Programs::of([Arc::new(Rules) as Arc<dyn Program>, Arc::new(contracts)]);
    (Arc::new(Operator::resume(host, programs).unwrap()), tasks)
}

fn operator(folder: &Path) -> (Arc<Operator>, Tasks) {
    with(folder, dungeon::geneses())
}

fn assignment() -> Assignment {
    let (start, values) = dungeon::shard(identity(2).peer());
    let values = values.into_iter().map(WireFelt).collect();
    Assignment { start, values, settler: identity(1).peer(), epoch: 1 }
}

async fn assigned(folder: &Path) -> (Arc<Operator>, Tasks, ShardStart) {
    let (operator, tasks) = operator(folder);
    let assignment = assignment();
    assign(&operator, assignment.clone()).await.unwrap();
    (operator, tasks, assignment.start)
}

/// Waits until nothing holds the folder any more.
async fn gone(operator: Arc<Operator>, tasks: Tasks) {
    let host = operator.host.clone();
    drop((operator, tasks));
    while Arc::strong_count(&host) > 1 {
        tokio::task::yield_now().await;
    }
}

/// Waits until the run is executed to its end. What came of it, by the chunks' hashes.
async fn executed(operator: &Operator, shard: ShardId) -> Executed {
    let run = operator.run(shard).unwrap();
    let ended = || match (run.has_ended(), run.stopped()) {
        (true, _) => Ok(Some(())),
        (false, Some(stopped)) => Err(stopped),
        (false, None) => Ok(None),
    };
    run.progress.until(ended).await.unwrap();
    operator.host.store.get(&EXECUTIONS, &run.segment()).unwrap().unwrap()
}

/// What a transaction is answered that is in the log; the third one fails.
fn in_the_log(sequence: u32) -> Outcome {
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
    drop(run);
    gone(running, tasks).await;

    // Without its chunks the run is executed once more, from the log alone.
    std::fs::remove_dir_all(folder.path().join("shards")).unwrap();
    let (running, _tasks) = operator(folder.path());
    let second = executed(&running, shard).await;
    assert_eq!((first.chunks, first.steps, first.output), (second.chunks, second.steps, second.output));
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
