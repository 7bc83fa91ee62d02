//! An operator of contracts on a system whose clock is set: what it would do by a wrong date can't be undone, so it waits.

use super::{
    contracts_tests::{UNLIMITED, assignment, client, contracts, gone, identity},
    tests::assign,
    *,
};
use shardwire_host::{
    Tasks,
    clock::{BELIEVED_AFTER, NodeClock},
    dated,
    testing::{SetWall, host, store},
};
use shardwire_hosted::dungeon::{self, ANNA, BEGINS, BERT, DEADLINE, WORLD};
use shardwire_model::{AccountKey, Clock as _, Coded as _, Logged, SessionCall, ShardStart, Timestamp, Trust};
use shardwire_protocols::ingress::{Handler as _, Outcome, RefusalReason};
use shardwire_store::{RecordKey as _, records::TRANSACTIONS};
use shardwire_telemetry::Telemetry;
use std::{path::Path, time::Duration};
use tokio::time;

/// Beyond the deadline of the shard.
const TWO_DAYS: i64 = 2 * 24 * 60 * 60 * 1000;
/// Before the deadline, and after the session ends.
const LATE: i64 = 55 * 60 * 1000;
/// When the session ends.
const EXPIRES: u64 = BEGINS + 50 * 60;

/// A node's clock over this one of its system, and an operator that goes by it.
fn operator(folder: &Path, wall: &Arc<SetWall>, config: &str) -> (Arc<NodeClock>, Arc<Operator>, Tasks) {
    let clock = NodeClock::begin(wall.clone(), &Telemetry::default());
    let (host, tasks) = host(identity(2), store(folder), folder, clock.clone(), config);
    (clock, Arc::new(Operator::resume(host, contracts(dungeon::geneses(), UNLIMITED)).unwrap()), tasks)
}

/// The settler tells what its clock shows, which is right.
fn hears(clock: &NodeClock, right: &SetWall) {
    clock.heard(identity(1).peer(), right.wall().ahead_of(clock.steady()));
}

fn log(operator: &Operator, shard: ShardId) -> Vec<Logged> {
    let rows = operator.host.store.with_prefix(&TRANSACTIONS, &shard.to_bytes()).unwrap();
    rows.into_iter().map(|(_, logged)| logged).collect()
}

/// Neither by a session nor through the door does anything enter, nor is anything signed.
async fn takes_nothing(operator: &Arc<Operator>, start: &ShardStart, call: &SessionCall, why: &str) {
    let (shard, before) = (start.shard, log(operator, start.shard));
    let words =
        format!("this operator can't rely on its date, and shard {} takes nothing until it can: {why}", shard.short());
    let failed = operator.decided(client(), shard, call.clone()).await.unwrap_err();
    assert_eq!((failed.error().code(), failed.error().to_string()), ("SW-OPERATOR-015", words.clone()));
    let refused = operator.open(client(), shard).await.unwrap().unwrap_err();
    assert_eq!((refused.reason, refused.cause.reason), (RefusalReason::Later, words));
    let invoke = dungeon::invoke(start, BERT, 0, WORLD, "train", &[1]);
    match operator.include(shard, invoke.into()).await {
        Err(NotIncluded::Operator(error)) => assert_eq!((error.code(), error.declines()), ("SW-OPERATOR-015", false)),
        other => panic!("{other:?}"),
    }
    assert_eq!((log(operator, shard), operator.shards()[0].refused), (before, 0));
    assert_eq!(operator.shards()[0].error, None, "it says nothing about the shard");
}

/// A fixed bug: the times that were logged by a clock that was ahead ended all sessions of the shard for ever, since a log's time never runs back; beyond the deadline each INVOKE was refused in a signed
/// receipt.
#[tokio::test]
async fn an_operator_that_restarts_with_its_clock_ahead_takes_nothing_while_its_peers_contradict_it() {
    let folder = tempfile::tempdir().unwrap();
    let [wall, right] = [(), ()].map(|()| SetWall::at(Timestamp(BEGINS * 1_000)));
    let key = AccountKey::from_secret([5; 32]);
    let accepted = |sequence| Outcome::Accepted { sequence, duplicate: false, reverted: false };
    let (clock, running, tasks) = operator(folder.path(), &wall, "");
    hears(&clock, &right);
    assign(&running, assignment()).await.unwrap();
    let start = assignment().start;
    let shard = start.shard;
    let allow = dungeon::allow(&start, ANNA, 0, &key, EXPIRES, &["train", "finish"]);
    assert_eq!(running.decided(client(), shard, allow).await.unwrap(), accepted(0));
    let mut link = dungeon::first_link(&start, &key);
    gone(running, tasks).await;

    for (ahead, sequence) in [(LATE, 1), (TWO_DAYS, 2)] {
        wall.jump(ahead);
        let (clock, running, tasks) = operator(folder.path(), &wall, "");
        hears(&clock, &right);
        assert_eq!(clock.trust(), Trust::Contradicted);
        let call = dungeon::session_call(ANNA, &key, link, "train", &[1]);
        takes_nothing(&running, &start, &call, "most of its peers contradict it").await;
        let unmet = running.host.telemetry.unmet().into_iter().find(|it| it.condition == dated::CONDITION);
        assert_eq!(unmet.unwrap().shortfall.code, "SW-READY-007", "it isn't ready");
        // Somebody sets the clock, and it is believed.
        wall.jump(-ahead);
        clock.look();
        time::pause();
        time::advance(BELIEVED_AFTER).await;
        time::resume();
        hears(&clock, &right);
        clock.look();
        assert!(clock.now().ahead_of(right.now()).abs() < 1000 && clock.trust() == Trust::Confirmed);
        assert!(running.host.telemetry.is_met(dated::CONDITION));
        assert_eq!(running.decided(client(), shard, call.clone()).await.unwrap(), accepted(sequence));
        link = call.link();
        gone(running, tasks).await;
    }
    let (clock, running, _tasks) = operator(folder.path(), &wall, "");
    hears(&clock, &right);
    let finish = dungeon::session_call(ANNA, &key, link, "finish", &[]);
    assert_eq!(running.decided(client(), shard, finish.clone()).await.unwrap(), accepted(3));
    let times: Vec<u64> = log(&running, shard).iter().map(|logged| logged.time).collect();
    assert!(times.is_sorted() && times[3] < EXPIRES && EXPIRES < DEADLINE, "{times:?}");
    // After its end event no time is logged any more, so what was accepted is answered whatever the date is.
    wall.jump(TWO_DAYS);
    clock.heard(identity(1).peer(), -TWO_DAYS);
    assert_eq!(clock.trust(), Trust::Contradicted);
    let again = Outcome::Accepted { sequence: 3, duplicate: true, reverted: false };
    assert_eq!(running.decided(client(), shard, finish).await.unwrap(), again);
    assert!(running.open(client(), shard).await.unwrap().unwrap().ended);
}

#[tokio::test]
async fn an_operator_that_names_peers_waits_a_moment_for_the_first_ones_date_before_it_takes_anything() {
    let folder = tempfile::tempdir().unwrap();
    let wall = SetWall::at(Timestamp(BEGINS * 1_000));
    let named = format!("peers = ['{}@127.0.0.1:1']", identity(1).peer());
    let (clock, running, _tasks) = operator(folder.path(), &wall, &named);
    assign(&running, assignment()).await.unwrap();
    let start = assignment().start;
    let train = dungeon::invoke(&start, ANNA, 0, WORLD, "train", &[5]);
    time::pause();
    let began = time::Instant::now();
    let failed = running.decided(client(), start.shard, train.clone()).await.unwrap_err();
    assert_eq!(failed.error().code(), "SW-OPERATOR-015");
    assert!((dated::FIRST_WORD..dated::FIRST_WORD + Duration::from_secs(1)).contains(&began.elapsed()));
    time::resume();
    let submitted = tokio::join!(running.decided(client(), start.shard, train), async { hears(&clock, &wall) });
    assert_eq!(submitted.0.unwrap(), Outcome::Accepted { sequence: 0, duplicate: false, reverted: false });
}
