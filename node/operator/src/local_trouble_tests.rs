//! An operator whose own machine fails (its disk takes nothing, a chunk's file is damaged, its execution panics): nothing of that is a verdict, nor is it
//! handed on to others.

use super::{tests::assign, *};
use shardwire_disk::{Medium, SimulatedDisk, Survives, Trouble};
use shardwire_host::{Tasks, clock::SystemClock, disk_health, testing};
use shardwire_model::{Cause, Felt, Logged, PeerId, ShardStart, SignedTransaction, Stage};
use shardwire_program::{Admission, ExecuteError, Execution, Program, Rules, Sink, rules};
use shardwire_protocols::{
    ServeError,
    ingress::{self, Handler as _, Ingress, Opening, Outcome, RefusalReason},
    trace::{ChunkAnswer, Grant, Handler as _},
};
use shardwire_sample::small_shard;
use shardwire_store::{
    Artefacts, StoreError, WatchedDisk, Work,
    records::{LAYOUT, WireFelt},
};
use shardwire_transport::{
    Channel, Identity, SessionError, WireCode,
    session::{error::LostCause, pair_over},
};
use std::{
    path::Path,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::Duration,
};
use tokio::time::sleep;

fn identity(number: u8) -> Identity {
    Identity::from_secret(&[number; 32])
}

fn client() -> PeerId {
    identity(9).peer()
}

/// An operator on this disk with these programs.
fn operator(medium: &Medium, programs: Programs) -> (Arc<Operator>, Tasks) {
    let disk = WatchedDisk::new(Arc::new(SimulatedDisk::new(medium)));
    let store = Store::open(&disk, Path::new("/node/node.redb"), &LAYOUT).unwrap().with_work(Work::AtOnce);
    let (host, tasks) = testing::host(identity(2), store, Path::new("/node"), Arc::new(SystemClock), "");
    let artefacts = Artefacts::new("/node".into(), Arc::new(disk.clone()));
    let host = Arc::new(Host { artefacts, work: Work::AtOnce, ..Arc::try_unwrap(host).unwrap() });
    disk_health::watch(&host, disk);
    (Arc::new(Operator::resume(host, programs).unwrap()), tasks)
}

/// The same, that was assigned the small shard, and the transaction that ends it.
async fn with_a_shard(medium: &Medium, programs: Programs) -> (Arc<Operator>, Tasks, ShardId, SignedTransaction) {
    let (operator, tasks) = operator(medium, programs);
    let (start, values, finish) = small_shard(rules::hash(), identity(2).peer());
    let shard = start.shard;
    let values = values.into_iter().map(WireFelt).collect();
    assign(&operator, Assignment { start, values, settler: identity(1).peer(), epoch: 1 }).await.unwrap();
    (operator, tasks, shard, finish)
}

/// A client's session with the operator: how opening it and submitting this ended, and how the operator's half did.
async fn session(
    operator: &Arc<Operator>,
    shard: ShardId,
    transaction: &SignedTransaction,
) -> (Result<Result<Outcome, ingress::Refused>, SessionError>, Result<(), ServeError>) {
    let (theirs, ours) = pair_over::<Ingress>(Channel::pair_between([client(), identity(2).peer()], 1 << 18));
    let asks = async {
        let mut opened = match ingress::open(theirs, shard).await? {
            Opening::Opened(_, client) => client,
            Opening::Refused(refused) => return Ok(Err(refused)),
        };
        opened.submit(transaction).await?;
        let receipt = opened.receipt().await?.expect("one is outstanding");
        opened.close().await?;
        Ok(Ok(receipt.statement.outcome))
    };
    let signer = identity(2);
    tokio::join!(asks, ingress::serve(ours, &**operator, &signer))
}

/// A fixed bug: the operator let go of the session as if it had crashed (0x01), and a client that opened the shard again was told that it had stopped.
#[tokio::test(start_paused = true)]
async fn a_client_of_an_operator_whose_disk_takes_nothing_is_told_to_come_later_and_then_served() {
    let medium = Medium::new(1);
    let (operator, _tasks, shard, finish) = with_a_shard(&medium, Programs::all()).await;
    medium.trouble(Some(Trouble::ReadOnly));
    let (asked, served) = session(&operator, shard, &finish).await;
    let Err(SessionError::Lost(lost)) = asked else { panic!("{asked:?}") };
    assert_eq!(lost.cause, LostCause::Reset(WireCode::Failed));
    assert!(matches!(served, Err(ServeError::Handler(_))), "{served:?}");
    // Now it is known, and said before anything is sent.
    let (asked, served) = session(&operator, shard, &finish).await;
    let refused = asked.unwrap().unwrap_err();
    assert_eq!(refused.reason, RefusalReason::Later);
    assert_eq!(
        refused.cause.to_string(),
        format!(
            "this operator's disk fails, and shard {} takes nothing until it works again (SW-OPERATOR-012)",
            shard.short()
        )
    );
    served.unwrap();
    let status = &operator.shards()[0];
    assert_eq!((status.stage, status.transactions, &status.error), (Stage::Assigned, 0, &None));

    medium.trouble(None);
    while !operator.host.telemetry.is_met(disk_health::CONDITION) {
        sleep(Duration::from_secs(1)).await;
    }
    let accepted = |duplicate| Ok(Outcome::Accepted { sequence: 0, duplicate, reverted: false });
    assert_eq!(session(&operator, shard, &finish).await.0.unwrap(), accepted(false));
    // What was accepted of a run that takes no more is answered whatever the disk does.
    medium.trouble(Some(Trouble::ReadOnly));
    while operator.host.telemetry.is_met(disk_health::CONDITION) {
        sleep(Duration::from_secs(1)).await;
    }
    assert!(operator.open(client(), shard).await.unwrap().unwrap().ended);
    assert_eq!(session(&operator, shard, &finish).await.0.unwrap(), accepted(true));
}

/// The bytes of a chunk, as a prover gets them.
async fn pulled(operator: &Operator, job: Hash, epoch: u64) -> Result<Vec<u8>, String> {
    match operator.chunk(client(), job, epoch, 0).await {
        Ok(ChunkAnswer::Chunk(chunk)) => Ok(chunk.body.to_vec()),
        other => Err(format!("{other:?}")),
    }
}

/// A fixed bug: a chunk whose file was damaged was served as it was, which is an offence of its operator, and every prover met with the same.
#[tokio::test(start_paused = true)]
async fn a_damaged_chunk_is_not_served_and_is_made_again() {
    let medium = Medium::new(1);
    let (operator, _tasks, shard, finish) = with_a_shard(&medium, Programs::all()).await;
    operator.decided(client(), shard, finish).await.unwrap();
    let run = operator.run(shard).unwrap();
    run.progress.until(|| Ok::<_, ()>(run.segments.are_whole().then_some(()))).await.unwrap();
    let Grant::Leased(lease) = operator.claim(client(), run.segments.first().job).await.unwrap() else {
        panic!("leased")
    };
    let epoch = lease.statement.epoch;
    let whole = pulled(&operator, run.segments.first().job, epoch).await.unwrap();
    let file = operator.host.artefacts.operator_chunk(run.segments.first().id, 0);
    let grown = vec![0; 8 << 20];
    for damage in [[&whole[..whole.len() - 1], &[whole[whole.len() - 1] ^ 1]].concat(), whole[1..].to_vec(), grown] {
        operator.host.artefacts.write(&file, &[&damage], true).unwrap();
        pulled(&operator, run.segments.first().job, epoch).await.expect_err("it isn't sent");
        let again = loop {
            sleep(Duration::from_secs(1)).await;
            if let Ok(again) = pulled(&operator, run.segments.first().job, epoch).await {
                break again;
            }
        };
        assert_eq!(again, whole, "it is the same again");
    }
    assert_eq!((operator.shards()[0].stage, &operator.shards()[0].error), (Stage::Streaming, &None));
}

/// A fixed bug: a chunk of which a sector couldn't be read was tried again for ever, though a damaged one was made again.
#[tokio::test(start_paused = true)]
async fn a_chunk_that_cannot_be_read_any_more_is_made_again() {
    let medium = Medium::new(1);
    let (operator, _tasks, shard, finish) = with_a_shard(&medium, Programs::all()).await;
    operator.decided(client(), shard, finish).await.unwrap();
    let run = operator.run(shard).unwrap();
    run.progress.until(|| Ok::<_, ()>(run.segments.are_whole().then_some(()))).await.unwrap();
    let Grant::Leased(lease) = operator.claim(client(), run.segments.first().job).await.unwrap() else {
        panic!("leased")
    };
    let epoch = lease.statement.epoch;
    let whole = pulled(&operator, run.segments.first().job, epoch).await.unwrap();
    let file = operator.host.artefacts.operator_chunk(run.segments.first().id, 0);
    assert!(medium.wear_out(&file.to_string_lossy()));
    let mut refused = 0;
    let again = loop {
        match pulled(&operator, run.segments.first().job, epoch).await {
            Ok(again) => break again,
            Err(_) => refused += 1,
        }
        sleep(Duration::from_secs(1)).await;
    };
    assert!(again == whole && refused >= 3, "{refused}");
    assert_eq!((operator.shards()[0].stage, &operator.shards()[0].error), (Stage::Streaming, &None));
}

/// The rules, executed by something that panics for the first time.
#[derive(Debug, Default)]
struct PanicsOnce(AtomicBool);

impl Program for PanicsOnce {
    fn name(&self) -> &'static str {
        Rules.name()
    }

    fn hash(&self) -> Felt {
        Rules.hash()
    }

    fn admission(&self, start: ShardStart, values: &[Felt]) -> Result<Box<dyn Admission>, ExecuteError> {
        Rules.admission(start, values)
    }

    fn execute(
        &self,
        start: &ShardStart,
        values: &[Felt],
        transactions: &mut dyn Iterator<Item = Logged>,
        sink: &mut Sink<'_>,
    ) -> Result<Execution, ExecuteError> {
        assert!(self.0.swap(true, Ordering::SeqCst), "on purpose");
        Rules.execute(start, values, transactions, sink)
    }
}

/// A fixed bug: nobody noticed that the execution had gone, so the run had no end, and its provers waited for ever.
#[tokio::test(start_paused = true)]
async fn an_execution_that_panics_is_shown_and_begins_again() {
    let medium = Medium::new(1);
    let programs = Programs::of([Arc::new(PanicsOnce::default()) as Arc<dyn Program>]);
    let (operator, _tasks, shard, finish) = with_a_shard(&medium, programs).await;
    let run = operator.run(shard).unwrap();
    run.progress.until(|| Ok::<_, ()>(run.state().interrupted.is_some().then_some(()))).await.unwrap();
    let error = operator.shards()[0].error.clone().unwrap();
    assert_eq!(
        error.to_string(),
        "the execution ended without an answer: it stopped at 'on purpose' (SW-OPERATOR-013)"
    );
    operator.decided(client(), shard, finish).await.unwrap();
    run.progress.until(|| Ok::<_, ()>(run.segments.are_whole().then_some(()))).await.unwrap();
    assert_eq!((operator.shards()[0].stage, &operator.shards()[0].error), (Stage::Ended, &None));
}

/// The rules on a machine that can't look at a shard so many times, that lacks something of it so many times, and whose virtual machine then fails so many times.
#[derive(Debug, Default)]
struct Ails {
    unable: AtomicU32,
    lacks: AtomicU32,
    stops: AtomicU32,
}

fn once_less(times: &AtomicU32) -> bool {
    times.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |times| times.checked_sub(1)).is_ok()
}

impl Program for Ails {
    fn name(&self) -> &'static str {
        Rules.name()
    }

    fn hash(&self) -> Felt {
        Rules.hash()
    }

    fn admission(&self, start: ShardStart, values: &[Felt]) -> Result<Box<dyn Admission>, ExecuteError> {
        if once_less(&self.unable) {
            return Err(ExecuteError::Unable(Box::new(StoreError::Disk("/mnt/old can't be read".into()))));
        }
        if once_less(&self.lacks) {
            return Err(ExecuteError::Other(Box::new(StoreError::Lost)));
        }
        Rules.admission(start, values)
    }

    fn execute(
        &self,
        start: &ShardStart,
        values: &[Felt],
        transactions: &mut dyn Iterator<Item = Logged>,
        sink: &mut Sink<'_>,
    ) -> Result<Execution, ExecuteError> {
        if once_less(&self.stops) {
            return Err(ExecuteError::Vm("a cell is odd".into()));
        }
        Rules.execute(start, values, transactions, sink)
    }
}

fn ailing(ails: &Arc<Ails>) -> Programs {
    Programs::of([ails.clone() as Arc<dyn Program>])
}

/// A node that has taken a shard and is started again after a loss of power, when this ails it so many times.
async fn started_again(
    ails: &Arc<Ails>,
    what: &AtomicU32,
    times: u32,
) -> (Arc<Operator>, Tasks, ShardId, SignedTransaction) {
    let medium = Medium::new(1);
    let (shard, finish) = {
        let (_operator, _tasks, shard, finish) = with_a_shard(&medium, ailing(ails)).await;
        (shard, finish)
    };
    medium.power_off();
    medium.power_on(Survives::All);
    what.store(times, Ordering::SeqCst);
    let (operator, tasks) = operator(&medium, ailing(ails));
    (operator, tasks, shard, finish)
}

/// The shard takes its first transaction.
async fn is_taken(operator: &Arc<Operator>, shard: ShardId, transaction: &SignedTransaction) {
    let accepted = Outcome::Accepted { sequence: 0, duplicate: false, reverted: false };
    assert_eq!(session(operator, shard, transaction).await.0.unwrap(), Ok(accepted));
}

/// A fixed bug: a flipped bit in the virtual machine's memory stopped a run until the node was started again.
#[tokio::test(start_paused = true)]
async fn an_execution_that_stops_begins_again_and_one_that_stops_at_the_same_twice_is_shown_and_tried_less_often() {
    let medium = Medium::new(1);
    let ails = Arc::new(Ails { stops: 1.into(), ..Ails::default() });
    let (operator, _tasks, shard, finish) = with_a_shard(&medium, ailing(&ails)).await;
    let run = operator.run(shard).unwrap();
    let status = || operator.shards()[0].clone();
    assert_eq!(status().error.unwrap().to_string(), "the virtual machine failed: a cell is odd (SW-EXEC-006)");
    assert_eq!(status().stage, Stage::Assigned);
    sleep(Duration::from_secs(5)).await;
    assert_eq!((status().stage, status().error), (Stage::Assigned, None));

    // The same again, and again: it may be the run.
    ails.stops.store(2, Ordering::SeqCst);
    run.state().interrupt(Cause::new("SW-TEST-001", "a chunk is lost"));
    run.progress.announce();
    while status().stage != Stage::Failed {
        sleep(Duration::from_secs(1)).await;
    }
    let refused = session(&operator, shard, &finish).await.0.unwrap().unwrap_err();
    assert_eq!(refused.reason, RefusalReason::Stopped);
    let told = format!("shard {} has stopped: SW-EXEC-006 (SW-OPERATOR-006)", shard.short());
    assert_eq!(refused.cause.to_string(), told);
    let began = tokio::time::Instant::now();
    while ails.stops.load(Ordering::SeqCst) > 0 || status().stage == Stage::Failed {
        sleep(Duration::from_secs(1)).await;
    }
    let waited = began.elapsed();
    assert!((Duration::from_secs(90)..Duration::from_secs(240)).contains(&waited), "a minute, then two: {waited:?}");
    is_taken(&operator, shard, &finish).await;
    run.progress.until(|| Ok::<_, ()>(run.segments.are_whole().then_some(()))).await.unwrap();
    assert_eq!((status().stage, status().error), (Stage::Ended, None));
}

/// A fixed bug: what a shard begins from couldn't be read at the node's start, and the shard had failed until the next one.
#[tokio::test(start_paused = true)]
async fn a_shard_that_cannot_be_taken_up_at_the_start_is_taken_up_once_it_can() {
    let ails = Arc::new(Ails::default());
    let (operator, _tasks, shard, finish) = started_again(&ails, &ails.unable, 3).await;
    let status = || operator.shards()[0].clone();
    assert_eq!(status().stage, Stage::Assigned, "no verdict");
    assert!(status().error.unwrap().reason.contains("/mnt/old can't be read"), "its people read all of it");
    let refused = session(&operator, shard, &finish).await.0.unwrap().unwrap_err();
    assert_eq!(refused.reason, RefusalReason::Later);
    let told = format!("shard {} isn't taken up again yet: SW-STORE-006 (SW-OPERATOR-014)", shard.short());
    assert_eq!(refused.cause.to_string(), told);
    sleep(Duration::from_secs(1)).await;
    assert!(!operator.host.telemetry.is_met("execution"), "it isn't ready");
    while status().error.is_some() {
        sleep(Duration::from_secs(1)).await;
    }
    is_taken(&operator, shard, &finish).await;
    let run = operator.run(shard).unwrap();
    run.progress.until(|| Ok::<_, ()>(run.segments.are_whole().then_some(()))).await.unwrap();
    assert_eq!((status().stage, status().error), (Stage::Ended, None));
}

/// The same where something is gone that was there when the shard was accepted, its genesis say: that shows as failed, and somebody may bring it back.
#[tokio::test(start_paused = true)]
async fn a_shard_of_which_something_is_gone_at_the_start_has_failed_until_it_is_back() {
    let ails = Arc::new(Ails::default());
    let (operator, _tasks, shard, finish) = started_again(&ails, &ails.lacks, 2).await;
    let status = || operator.shards()[0].clone();
    assert_eq!(status().stage, Stage::Failed);
    let refused = session(&operator, shard, &finish).await.0.unwrap().unwrap_err();
    let told = format!("shard {} has stopped: SW-STORE-009 (SW-OPERATOR-006)", shard.short());
    assert_eq!((refused.reason, refused.cause.to_string()), (RefusalReason::Stopped, told));
    let began = tokio::time::Instant::now();
    while status().error.is_some() {
        sleep(Duration::from_secs(1)).await;
    }
    let waited = began.elapsed();
    assert!((Duration::from_secs(90)..Duration::from_secs(240)).contains(&waited), "a minute, then two: {waited:?}");
    is_taken(&operator, shard, &finish).await;
}
