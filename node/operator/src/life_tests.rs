//! An operator of one small shard: the steps of its life, its end, and what provers are told of it.

use super::{
    tests::{assign, worked},
    *,
};
use shardwire_disk::{Medium, SimulatedDisk, Survives};
use shardwire_host::{
    Tasks,
    clock::SystemClock,
    testing::{HeldCommits, host, store},
};
use shardwire_model::{
    Call, Coded as _, Felt, Key, Logged, PeerId, Role, SegmentId, ShardStart, SignedTransaction, Stage, Timestamp,
    life::{AbortCause, Part},
};
use shardwire_program::Programs;
use shardwire_program::rules;
use shardwire_protocols::{
    handoff::{ProofVerdict, Verdict},
    history::verify,
    ingress::{Handler as _, Outcome},
    trace::{
        ChunkAnswer, Finished, Grant, Handler as _, Progress, Progressed, ProverStage, RefusalReason, ResumableJob,
    },
};
use shardwire_sample::small_shard;
use shardwire_store::{
    Store, Work,
    records::{LAYOUT, LogKey, TRANSACTIONS, WireFelt},
};
use shardwire_transport::Identity;
use std::{path::Path, time::Duration};

fn identity(number: u8) -> Identity {
    Identity::from_secret(&[number; 32])
}

fn prover() -> PeerId {
    identity(3).peer()
}

fn settler() -> PeerId {
    identity(1).peer()
}

fn operator(folder: &Path) -> (Arc<Operator>, Tasks) {
    let (host, tasks) = host(identity(2), store(folder), folder, Arc::new(SystemClock), "");
    (Arc::new(Operator::resume(host, Programs::all()).unwrap()), tasks)
}

/// One that was assigned the small shard, and the transaction that ends it.
async fn with_a_shard(folder: &Path) -> (Arc<Operator>, Tasks, ShardId, SignedTransaction) {
    let (operator, tasks) = operator(folder);
    let (start, values, finish) = small_shard(rules::hash(), identity(2).peer());
    let shard = start.shard;
    let values = values.into_iter().map(WireFelt).collect();
    assign(&operator, Assignment { start, values, settler: settler(), epoch: 1 }).await.unwrap();
    (operator, tasks, shard, finish)
}

/// One that was assigned the small shard and has its last transaction.
async fn played(folder: &Path) -> (Arc<Operator>, Tasks, ShardId) {
    let (operator, tasks, shard, finish) = with_a_shard(folder).await;
    assert_eq!(operator.shards()[0].stage, Stage::Assigned);
    let outcome = operator.decided(identity(9).peer(), shard, finish).await.unwrap();
    assert_eq!(outcome, Outcome::Accepted { sequence: 0, duplicate: false, reverted: false });
    (operator, tasks, shard)
}

fn stages(operator: &Operator, shard: ShardId) -> Vec<Stage> {
    let part = Part::of(SegmentId::first(shard), Role::Operator);
    let entries = operator.host.store.entries(&[]).unwrap();
    let history = verify(&identity(2).peer(), part, &entries).unwrap();
    history.life().steps().iter().map(Step::stage).collect()
}

/// As if the commit of the small shard's transaction had failed: after it was done, or before.
fn fails_once(operator: &Operator, shard: ShardId, finish: SignedTransaction, written: bool) {
    let run = operator.run(shard).unwrap();
    if written {
        let entry = Logged { transaction: finish.into(), time: 0, reverted: false };
        let first = entry.transaction.hash();
        let ended = Step::Ended { transactions: 1, log: entry.extend(Hash::default()) };
        let written = operator.host.store.write(|write| {
            write.put(&TRANSACTIONS, &LogKey { shard, sequence: 0 }, &entry)?;
            for step in [Step::Executing { first }, ended] {
                write.advance::<OperatorError>(&identity(2), Timestamp(1), part(shard), step)?;
            }
            Ok::<_, OperatorError>(())
        });
        written.unwrap();
    }
    let sequencer = run.sequencer().unwrap();
    sequencer.failed(sequencer.round());
}

#[tokio::test]
async fn each_step_of_a_run_is_signed_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (operator, _tasks, shard) = played(folder.path()).await;
        assert_eq!(stages(&operator, shard), [Stage::Assigned, Stage::Executing, Stage::Ended]);
        let offer = operator.offer(prover(), &[]).await.unwrap();
        let Grant::Leased(lease) = operator.claim(prover(), offer.job).await.unwrap() else { panic!("leased") };
        assert_eq!(operator.shards()[0].stage, Stage::Streaming);
        let epoch = lease.statement.epoch;
        assert!(matches!(operator.chunk(prover(), offer.job, epoch, 0).await.unwrap(), ChunkAnswer::Chunk(_)));
        let progress = Progress { epoch, stage: ProverStage::Proving, done: 0, of: 0 };
        let renewed = operator.progress(prover(), offer.job, progress).await.unwrap();
        assert!(matches!(renewed, Progressed::Renewed { .. }));
        operator.finished(prover(), offer.job, epoch, Hash::of(b"proof")).await.unwrap();
        assert_eq!(operator.shards()[0].stage, Stage::Proving, "that there is a proof, the settler says");
        let verdict = Verdict::Verified;
        operator.take_in(ProofVerdict { shard, segment: 0, proof: Hash::of(b"proof"), verdict }).await.unwrap();
        assert_eq!(operator.shards()[0].stage, Stage::Proven);
        // A second prover's proof is no contradiction.
        let run = operator.job(offer.job).unwrap().run;
        run.reached(Step::Proven { proof: Hash::of(b"another") }).await.unwrap();
        drop(run);
        let host = operator.host.clone();
        drop((operator, _tasks));
        // The thread of the execution lets go of the store when it ends.
        while Arc::strong_count(&host) > 1 {
            tokio::task::yield_now().await;
        }
    }
    let (operator, _tasks) = operator(folder.path());
    let shard = operator.shards()[0].shard;
    let all = [Stage::Assigned, Stage::Executing, Stage::Ended, Stage::Streaming, Stage::Proving, Stage::Proven];
    assert_eq!(stages(&operator, shard), all);
    assert_eq!(operator.shards()[0].stage, Stage::Proven);
}

/// Found by simulation: a prover that said early that it had a proof kept the run from ever ending.
#[tokio::test]
async fn a_prover_that_says_too_early_that_it_has_a_proof_moves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks, shard, finish) = with_a_shard(folder.path()).await;
    let offer = operator.offer(prover(), &[]).await.unwrap();
    let Grant::Leased(lease) = operator.claim(prover(), offer.job).await.unwrap() else { panic!("leased") };
    operator.finished(prover(), offer.job, lease.statement.epoch, Hash::of(b"none")).await.unwrap();
    assert_eq!(operator.shards()[0].stage, Stage::Assigned);
    operator.decided(identity(9).peer(), shard, finish).await.unwrap();
    let all = [Stage::Assigned, Stage::Executing, Stage::Ended, Stage::Streaming];
    assert_eq!(stages(&operator, shard), all);
}

#[tokio::test]
async fn a_shard_of_a_program_that_is_not_here_is_declined_and_one_taken_before_stops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (mut start, values, _) = small_shard(rules::hash(), identity(2).peer());
    let assignment = |start: &ShardStart| {
        let values = values.iter().copied().map(WireFelt).collect();
        Assignment { start: start.clone(), values, settler: settler(), epoch: 1 }
    };
    let host = {
        let (operator, _tasks) = operator(folder.path());
        let known = assignment(&start);
        start.program = Felt::TWO;
        let error = assign(&operator, assignment(&start)).await.unwrap_err();
        assert_eq!(error.code(), "SW-PROGRAM-003");
        assert!(error.to_string().starts_with("there is no program 0x2 here, only rules (0x"), "{error}");
        assert!(operator.shards().is_empty());
        assign(&operator, known).await.unwrap();
        operator.host.clone()
    };
    while Arc::strong_count(&host) > 1 {
        tokio::task::yield_now().await;
    }
    drop(host);
    // A release without the program.
    let store = store(folder.path());
    let (without, _tasks) = shardwire_host::testing::host(identity(2), store, folder.path(), Arc::new(SystemClock), "");
    let operator = Operator::resume(without, Programs::of([])).unwrap();
    let status = &operator.shards()[0];
    assert_eq!(
        (status.stage, status.error.as_ref().map(|it| it.code.as_str())),
        (Stage::Failed, Some("SW-PROGRAM-003"))
    );
}

/// A disk that fails once: the rules must not be ahead of the log then.
#[tokio::test]
async fn a_write_that_fails_leaves_rules_hash_and_counters_where_the_log_is() {
    let folder = tempfile::tempdir().unwrap();
    let client = identity(9).peer();
    let (start, values, finish) = small_shard(rules::hash(), identity(2).peer());
    let shard = start.shard;
    for survives in [Survives::Nothing, Survives::All] {
        let medium = Medium::new(7);
        let operator = || {
            let store = Store::open(&SimulatedDisk::new(&medium), Path::new("node.redb"), &LAYOUT).unwrap();
            let (host, tasks) = host(identity(2), store, folder.path(), Arc::new(SystemClock), "");
            (Arc::new(Operator::resume(host, Programs::all()).unwrap()), tasks)
        };
        {
            let (operator, _tasks) = operator();
            let values = values.iter().copied().map(WireFelt).collect();
            assign(&operator, Assignment { start: start.clone(), values, settler: settler(), epoch: 1 }).await.unwrap();
            // The write of the transaction fails at its end: it may be on the disk, or not.
            medium.power_off_after(1);
            assert!(operator.decided(client, shard, finish).await.is_err());
            let status = &operator.shards()[0];
            assert_eq!((status.stage, status.transactions, &status.error), (Stage::Assigned, 0, &None));
        }
        medium.power_on(survives);
        let (operator, _tasks) = operator();
        let outcome = operator.decided(client, shard, finish).await.unwrap();
        assert!(matches!(outcome, Outcome::Accepted { sequence: 0, .. }), "{outcome:?}");
        assert_eq!(stages(&operator, shard), [Stage::Assigned, Stage::Executing, Stage::Ended]);
    }
}

/// What a failed write has written all the same is taken in before the next transaction.
#[tokio::test]
async fn what_a_failed_write_has_written_after_all_is_taken_in() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks, shard, finish) = with_a_shard(folder.path()).await;
    fails_once(&operator, shard, finish, true);
    let opened = operator.open(identity(9).peer(), shard).await.unwrap().unwrap();
    assert_eq!((opened.nonces, opened.accepted, opened.ended), (vec![2], 1, true));
    assert_eq!(operator.shards()[0].transactions, 1);
    let outcome = operator.decided(identity(9).peer(), shard, finish).await.unwrap();
    assert_eq!(outcome, Outcome::Accepted { sequence: 0, duplicate: true, reverted: false });
    assert_eq!(stages(&operator, shard), [Stage::Assigned, Stage::Executing, Stage::Ended]);
}

/// What a failed write hasn't written is taken as if it had never come, by the same run.
#[tokio::test]
async fn a_shard_goes_on_after_a_write_that_failed() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks, shard, finish) = with_a_shard(folder.path()).await;
    fails_once(&operator, shard, finish, false);
    assert_eq!(operator.shards()[0].transactions, 0);
    let outcome = operator.decided(identity(9).peer(), shard, finish).await.unwrap();
    assert_eq!(outcome, Outcome::Accepted { sequence: 0, duplicate: false, reverted: false });
    assert_eq!(stages(&operator, shard), [Stage::Assigned, Stage::Executing, Stage::Ended]);
}

/// Found by simulation (seed 1127): the last receipt was lost, the shard settled, and its client asked for that receipt for ever.
#[tokio::test]
async fn what_was_accepted_is_answered_as_before_when_the_shard_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let client = identity(9).peer();
    let (_, _, finish) = small_shard(rules::hash(), identity(2).peer());
    let mut other = finish;
    other.transaction.call = Call::Add { counter: Key(Felt::from(6)), amount: 1 };
    let again = async |operator: &Operator, shard| {
        let opened = operator.open(client, shard).await.unwrap().unwrap();
        assert_eq!((opened.nonces, opened.accepted, opened.ended), (vec![2], 1, true));
        let outcome = operator.decided(client, shard, finish).await.unwrap();
        assert_eq!(outcome, Outcome::Accepted { sequence: 0, duplicate: true, reverted: false });
        // One of that nonce isn't that one.
        assert!(matches!(operator.decided(client, shard, other).await.unwrap(), Outcome::Refused { due: None, .. }));
    };
    let host = {
        let (operator, _tasks, shard) = played(folder.path()).await;
        operator.close(shard, Step::Settled { proof: None }).await.unwrap();
        again(&operator, shard).await;
        operator.host.clone()
    };
    while Arc::strong_count(&host) > 1 {
        tokio::task::yield_now().await;
    }
    drop(host);
    let (operator, _tasks) = operator(folder.path());
    again(&operator, operator.shards()[0].shard).await;
}

#[tokio::test]
async fn an_aborted_run_is_closed_its_chunks_are_gone_and_its_prover_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks, shard) = played(folder.path()).await;
    let offer = operator.offer(prover(), &[]).await.unwrap();
    let Grant::Leased(lease) = operator.claim(prover(), offer.job).await.unwrap() else { panic!("leased") };
    let epoch = lease.statement.epoch;
    assert!(matches!(operator.chunk(prover(), offer.job, epoch, 0).await.unwrap(), ChunkAnswer::Chunk(_)));
    let chunks = operator.host.artefacts.segment(SegmentId::first(shard));
    assert!(chunks.exists());

    operator.close(shard, Step::Aborted { why: AbortCause::Told { by: settler() } }).await.unwrap();
    assert!(!chunks.exists());
    assert_eq!(operator.shards()[0].stage, Stage::Aborted);
    let lost = operator.chunk(prover(), offer.job, epoch, 1).await.unwrap();
    assert!(matches!(lost, ChunkAnswer::Lost { epoch: later } if later > epoch));
    let (_, _, finish) = small_shard(rules::hash(), identity(2).peer());
    let later = {
        let mut later = finish;
        later.transaction.nonce += 1;
        later
    };
    let refused = operator.decided(identity(9).peer(), shard, later).await.unwrap();
    let Outcome::Refused { cause, .. } = refused else { panic!("refused") };
    assert_eq!(cause.code, "SW-OPERATOR-005");

    let begun = [ResumableJob { job: offer.job, have: 1 }];
    let again = operator.offer(prover(), &begun).await.unwrap();
    let Grant::Refused(refused) = operator.claim(prover(), again.job).await.unwrap() else { panic!("refused") };
    assert_eq!((refused.reason, refused.cause.code.as_str()), (RefusalReason::Aborted, "SW-OPERATOR-020"));
    let nothing = tokio::time::timeout(std::time::Duration::ZERO, operator.offer(prover(), &begun)).await;
    assert!(nothing.is_err(), "it is told once");
    // Who hasn't begun it isn't offered what is over.
    let other = tokio::time::timeout(std::time::Duration::ZERO, operator.offer(identity(4).peer(), &[])).await;
    assert!(other.is_err());
}

/// A fixed bug: a chunk that couldn't be written once made the shard fail until a restart.
#[tokio::test(start_paused = true)]
async fn a_run_that_this_machine_interrupts_is_executed_again_by_itself_and_has_not_failed() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks, shard, finish) = with_a_shard(folder.path()).await;
    // Where the folder of its chunks should be.
    let obstacle = folder.path().join("shards");
    std::fs::write(&obstacle, "in the way").unwrap();
    let unmet = || operator.host.telemetry.unmet().iter().map(|it| it.condition).collect::<Vec<_>>();
    operator.decided(identity(9).peer(), shard, finish).await.unwrap();
    let run = operator.run(shard).unwrap();
    for _ in 0..3 {
        run.progress.until(|| Ok::<_, ()>(run.state().interrupted.is_some().then_some(()))).await.unwrap();
        let status = &operator.shards()[0];
        assert_eq!((status.stage, status.error.as_ref().unwrap().code.as_str()), (Stage::Ended, "SW-EXEC-007"));
        // The execution's thread says so a moment after it has noted why.
        while unmet().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(unmet(), ["execution"]);
        // It is tried again, in vain.
        tokio::time::sleep(Duration::from_secs(31)).await;
    }
    let outcome = operator.decided(identity(9).peer(), shard, finish).await.unwrap();
    assert_eq!(outcome, Outcome::Accepted { sequence: 0, duplicate: true, reverted: false }, "clients are served");
    std::fs::remove_file(&obstacle).unwrap();
    run.progress.until(|| Ok::<_, ()>(run.segments.are_whole().then_some(()))).await.unwrap();
    let offer = operator.offer(prover(), &[]).await.unwrap();
    assert!(offer.ended, "it is ready to be proven");
    let Grant::Leased(lease) = operator.claim(prover(), offer.job).await.unwrap() else { panic!("leased") };
    let answer = operator.chunk(prover(), offer.job, lease.statement.epoch, 0).await.unwrap();
    assert!(matches!(answer, ChunkAnswer::Chunk(_)));
    assert_eq!((operator.shards()[0].error.clone(), unmet()), (None, vec![]));

    // A chunk that is gone is made again.
    std::fs::remove_dir_all(&obstacle).unwrap();
    assert!(operator.chunk(prover(), offer.job, lease.statement.epoch, 0).await.is_err());
    run.progress.until(|| Ok::<_, ()>((!run.segments.are_whole()).then_some(()))).await.unwrap();
    run.progress.until(|| Ok::<_, ()>(run.segments.are_whole().then_some(()))).await.unwrap();
    let answer = operator.chunk(prover(), offer.job, lease.statement.epoch, 0).await.unwrap();
    assert!(matches!(answer, ChunkAnswer::Chunk(_)));
}

/// A fixed bug: a claim that the disk couldn't take counted all the same, so that it held the job for no time when it came again.
#[tokio::test(start_paused = true)]
async fn a_claim_that_could_not_be_noted_holds_the_job_when_it_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    let medium = Medium::new(1);
    let store = Store::open(&SimulatedDisk::new(&medium), Path::new("node.redb"), &LAYOUT).unwrap();
    let (host, _tasks) = host(identity(2), store.with_work(Work::AtOnce), folder.path(), Arc::new(SystemClock), "");
    let operator = Arc::new(Operator::resume(host, Programs::all()).unwrap());
    let (start, values, _) = small_shard(rules::hash(), identity(2).peer());
    let values = values.into_iter().map(WireFelt).collect();
    assign(&operator, Assignment { start, values, settler: settler(), epoch: 1 }).await.unwrap();
    let (job, proof) = (operator.runs()[0].segments.first().job, Hash::of(b"proof"));
    worked(&operator, prover(), 2);
    let Grant::Leased(lease) = operator.claim(prover(), job).await.unwrap() else { panic!("leased") };
    let epoch = lease.statement.epoch;
    medium.fail_once_after(0);
    assert!(operator.finished(prover(), job, epoch, proof).await.is_err());
    assert!(matches!(operator.finished(prover(), job, epoch, proof).await.unwrap(), Finished::Acknowledged));
    let other = operator.claim(identity(4).peer(), job).await.unwrap();
    assert!(matches!(other, Grant::Refused(refused) if refused.reason == RefusalReason::Leased));
}

/// A fixed bug: the execution that was still waiting for transactions ended for want of them, and that stopped the run.
#[tokio::test(start_paused = true)]
async fn an_execution_that_begins_again_while_the_one_before_still_runs_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks, shard, finish) = with_a_shard(folder.path()).await;
    let run = operator.run(shard).unwrap();
    let before = Arc::downgrade(run.executor().as_ref().unwrap());
    run.state().interrupt(OperatorError::Reader.into());
    run.progress.announce();
    while before.upgrade().is_some() || run.executor().is_none() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(run.stopped().is_none(), "{:?}", run.stopped());
    operator.decided(identity(9).peer(), shard, finish).await.unwrap();
    run.progress.until(|| Ok::<_, ()>(run.segments.are_whole().then_some(()))).await.unwrap();
    assert_eq!((operator.shards()[0].stage, operator.shards()[0].error.clone()), (Stage::Ended, None));
}

/// A fixed bug: leases, assignments and steps were committed on the threads of all sessions, some of them under a lock that every transaction takes.
#[tokio::test]
async fn while_the_disk_takes_its_time_others_are_served_and_what_was_begun_is_seen_through() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks, shard) = played(folder.path()).await;
    let run = operator.run(shard).unwrap();
    run.progress.until(|| Ok::<_, ()>(run.segments.are_whole().then_some(()))).await.unwrap();
    let (claims, assigns, job) = (operator.clone(), operator.clone(), run.segments.first().job);

    let held = HeldCommits::of(&operator.host.store);
    let claim = tokio::spawn(async move { claims.claim(prover(), job).await });
    let assign = tokio::spawn(async move {
        let (mut start, values, _) = small_shard(rules::hash(), identity(2).peer());
        start.shard = ShardId(Felt::from(1234));
        let values = values.into_iter().map(WireFelt).collect();
        let assignment = Assignment { start, values, settler: settler(), epoch: 1 };
        let it = assigns.clone();
        assigns.host.see_through(async move { super::tests::assign(&it, assignment).await }).await
    });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!claim.is_finished() && !assign.is_finished());
    assert_eq!(
        (operator.shards()[0].stage, operator.shards().len()),
        (Stage::Ended, 1),
        "nothing is seen before it is durable"
    );
    assert_eq!(run.segments.first().leases.present(), None);
    assert!(matches!(operator.open(identity(9).peer(), shard).await, Ok(Ok(opened)) if opened.ended));
    let (_, _, finish) = small_shard(rules::hash(), identity(2).peer());
    let again = operator.decided(identity(9).peer(), shard, finish).await.unwrap();
    assert_eq!(again, Outcome::Accepted { sequence: 0, duplicate: true, reverted: false });
    assert_eq!(operator.offer(identity(4).peer(), &[]).await.unwrap().job, job);

    // Both sessions end.
    for session in [claim.abort_handle(), assign.abort_handle()] {
        session.abort();
    }
    assert!(claim.await.unwrap_err().is_cancelled() && assign.await.unwrap_err().is_cancelled());
    drop(held);
    operator.changes.until(|| Ok::<_, ()>((operator.runs().len() == 2).then_some(()))).await.unwrap();
    // Its own lease is in the way of none but others.
    let other = operator.claim(identity(4).peer(), job).await.unwrap();
    assert!(matches!(other, Grant::Refused(refused) if refused.reason == RefusalReason::Leased));
    let Grant::Leased(lease) = operator.claim(prover(), job).await.unwrap() else { panic!("leased") };
    assert_eq!(lease.statement.epoch, 2);
    assert_eq!(operator.shards().iter().find(|it| it.shard == shard).unwrap().stage, Stage::Streaming);
}
