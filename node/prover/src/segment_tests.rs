//! Two segments of one shard at one prover. These are made by hand.
#![allow(clippy::disallowed_methods, reason = "the tests look at the files that a prover leaves")]

use super::{
    operator_half::Operator,
    sound_tests::PROOF,
    tests::{ask, identities, meet, prover_with, settlers},
    *,
};
use shardwire_host::{
    clock::SystemClock,
    history::Lives as _,
    testing::{host, store},
};
use shardwire_model::{Cause, Coded as _, Felt, Output, Timestamp};
use shardwire_protocols::{
    proof::{self, Handler as _, SkipReason},
    trace::{JobOffer, job_id},
};
use shardwire_proving::{
    verify::{Proven, Verify, VerifyError},
    worker::Proved,
};
use std::{
    fs,
    future::{Future as _, pending},
    path::Path,
    pin::pin,
    sync::atomic::{AtomicBool, AtomicU8, Ordering},
    task::{Context, Wake},
    time::Duration,
};

/// What it proves for the first time is of the first segment, and so on.
#[derive(Debug, Default)]
struct InOrder(AtomicU8);

impl Prove for InOrder {
    fn prove<'a>(&'a self, _: &'a Path, proof: &'a Path, _: Cancelled<'a>) -> Proving<'a> {
        Box::pin(async move {
            fs::write(proof, [PROOF, &[self.0.fetch_add(1, Ordering::SeqCst)]].concat()).unwrap();
            Ok(Proved { proof_bytes: 8, prove_s: 1.0, cpu_s: 1.0, peak_bytes: 1 })
        })
    }
}

/// The proofs of these, of which the prover has none yet.
async fn proven(prover: &Arc<Prover>, segments: &[Arc<Operator>; 2]) -> Vec<Hash> {
    let mut proofs = Vec::new();
    for operator in segments {
        let [taking, _serving] = meet(prover, operator);
        taking.await.unwrap();
        proofs.push(operator.finished.lock().unwrap().take().expect("the operator is told"));
    }
    proofs
}

#[tokio::test(start_paused = true)]
async fn two_segments_of_a_shard_are_two_jobs_with_a_life_and_a_receipt_each() {
    let folder = tempfile::tempdir().unwrap();
    let (prover, _tasks) = prover_with(folder.path(), "", Arc::new(InOrder::default()));
    let segments = [Operator::of_segment(0), Operator::of_segment(1)].map(Arc::new);
    let [first, second] = [0, 1].map(|segment| segments[segment].offer.job);
    assert_ne!(first, second);
    let proofs = proven(&prover, &segments).await;
    assert_ne!(proofs[0], proofs[1], "each has a proof of its own");
    for (job, (proof, segment)) in [first, second].into_iter().zip(proofs.iter().zip(0..)) {
        let known = prover.job(job).unwrap();
        assert_eq!((known.job.segment, known.job.proof.as_ref()), (segment, Some(proof)));
    }

    // A receipt for the second one.
    let [settler, _] = settlers();
    let skipped = Cause::new("SW-SETTLER-005", "it is another job's");
    let skip = proof::Reply::Skipped { shard: segments[0].offer.shard, reason: SkipReason::OtherJob, cause: skipped };
    prover.replied(settler.peer(), proofs[0], skip).await.unwrap();
    let signs = settler.clone();
    ask(&prover, &settler, |offered| async move {
        assert_eq!(offered.announcement().statement.ready.segment, 1);
        offered.settled(&signs, Timestamp(2)).await.map(|it| it.1)
    })
    .await;
    let stages = [first, second].map(|job| prover.job(job).unwrap().stage());
    assert_eq!(stages, [Some(Stage::Proven), Some(Stage::Settled)], "the first one's proof is still on offer");
    let shard = segments[0].offer.shard;
    for (job, (stage, segment)) in [first, second].into_iter().zip(stages.into_iter().zip(0..)) {
        let part = Part::of_job(SegmentId { shard, segment }, job);
        assert_eq!(prover.host.store.life(part).unwrap().stage(), stage);
        let other = Part::of_job(SegmentId { shard, segment: 1 - segment }, job);
        assert_eq!(prover.host.store.life(other).unwrap().stage(), None, "no entry of it is the other segment's");
    }
    drop(prover);
}

/// A fixed bug: a proof that only waited for the other segments was counted as tried again, and where a shard stood was where any of its jobs did.
#[tokio::test(start_paused = true)]
async fn of_a_shards_segments_those_alone_are_tried_again_that_were_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let (prover, _tasks) = prover_with(folder.path(), "", Arc::new(InOrder::default()));
    let segments = [Operator::of_segment(0), Operator::of_segment(1)].map(Arc::new);
    let proofs = proven(&prover, &segments).await;
    let (shard, jobs) = (segments[0].offer.shard, segments.each_ref().map(|it| it.offer.job));
    let settlers = [settlers()[0].peer(), identities()[0].peer()];
    let skipped = async |settler, proof, reason| {
        let cause = Cause::new("SW-SETTLER-002", "it is skipped");
        prover.replied(settler, proof, proof::Reply::Skipped { shard, reason, cause }).await.unwrap();
    };
    let stages = || jobs.map(|job| prover.job(job).unwrap().stage().unwrap());
    for settler in settlers {
        skipped(settler, proofs[0], SkipReason::Pending).await;
        skipped(settler, proofs[1], SkipReason::Unknown).await;
    }
    assert_eq!(stages(), [Stage::Proven, Stage::Failed]);
    assert_eq!(prover.retry(shard).await.unwrap(), 1);
    assert_eq!(stages(), [Stage::Proven, Stage::Proven]);
    for settler in settlers {
        let offered = prover.proof_for(settler).await.unwrap().expect("what was given up is offered");
        assert_eq!((offered.segment, offered.proof), (1, proofs[1]));
        skipped(settler, proofs[1], SkipReason::Pending).await;
        assert!(prover.proof_for(settler).await.unwrap().is_none());
    }
    assert_eq!(prover.retry(shard).await.unwrap_err().code(), "SW-PROVER-014", "both only wait");
    // Whichever it sees first.
    let first = usize::from(jobs[1] < jobs[0]);
    skipped(settlers[0], proofs[first], SkipReason::Settled).await;
    let error = prover.retry(shard).await.unwrap_err().to_string();
    assert!(error.ends_with("its job is proven"), "{error}");
}

/// The second of several, which begins with a state of its own and ends no run.
fn in_the_middle() -> Operator {
    Operator::of(|_, output| {
        (output.segment, output.before, output.ended) = (1, Felt::from(77), false);
        output.updates.clear();
    })
}

/// Believes what proves this.
#[derive(Debug)]
struct Believer(Output);

impl Verify for Believer {
    fn verify(&self, _: &[u8]) -> Result<Proven, VerifyError> {
        Ok(Proven { program: self.0.program, output: self.0.to_felts() })
    }
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_is_not_the_last_is_proven_from_the_state_that_the_job_names_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let operator = Arc::new(in_the_middle());
    let (job, before) = (operator.offer.job, operator.offer.before);
    assert_eq!((operator.offer.validate(), before), (Ok(()), Felt::from(77)));
    let resumed = || {
        let (host, tasks) =
            host(identities()[0].clone(), store(folder.path()), folder.path(), Arc::new(SystemClock), "");
        let believer = Arc::new(Believer(operator.ending.output.clone()));
        (Prover::resume(host, Arc::new(InOrder::default()), believer).unwrap(), tasks)
    };
    let (prover, tasks) = resumed();
    let [taking, _serving] = meet(&prover, &operator);
    taking.await.unwrap();
    let returned = operator.abandoned.lock().unwrap().take();
    let told = operator.finished.lock().unwrap().take();
    let proof = told.unwrap_or_else(|| panic!("the operator is told: {returned:?}"));
    drop((prover, tasks));

    let (prover, _tasks) = resumed();
    let known = prover.job(job).unwrap();
    assert_eq!((known.job.segment, known.job.before.0, known.job.proof), (1, before, Some(proof)));
    // It waits for the others: the settler has it already, and asks again.
    let [settler, _] = settlers();
    for _ in 0..3 {
        let offered = prover.proof_for(settler.peer()).await.unwrap().expect("it is offered");
        assert_eq!((offered.segment, offered.proof), (1, proof));
        let cause = Cause::new("SW-SETTLER-009", "other segments are still to be proven");
        let skip = proof::Reply::Skipped { shard: operator.offer.shard, reason: SkipReason::Pending, cause };
        prover.replied(settler.peer(), proof, skip).await.unwrap();
        assert!(prover.proof_for(settler.peer()).await.unwrap().is_none(), "not again at once");
        tokio::time::sleep(Duration::from_secs(15)).await;
    }
    assert_eq!(prover.job(job).unwrap().stage(), Some(Stage::Proven), "it hasn't failed by waiting");
    drop(prover);
}

#[tokio::test(start_paused = true)]
async fn a_witness_that_begins_with_another_state_than_the_job_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (prover, _tasks) = prover_with(folder.path(), "", Arc::new(InOrder::default()));
    let (mut liar, honest) = (in_the_middle(), in_the_middle().offer);
    let before = Felt::from(78);
    let job = job_id(honest.program, honest.start.commitment(), before, 1);
    liar.offer = JobOffer { before, job, ..honest };
    let [taking, _serving] = meet(&prover, &Arc::new(liar));
    taking.await.unwrap();
    let fault = prover.job(job).unwrap().job.fault.expect("it is given up");
    assert_eq!(fault.code, "SW-PROVER-001");
}

#[tokio::test(start_paused = true)]
async fn the_witness_of_another_segment_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (prover, _tasks) = prover_with(folder.path(), "", Arc::new(InOrder::default()));
    let mut liar = Operator::of_segment(1);
    let offer = Operator::of_segment(0).offer;
    let job = offer.job;
    liar.offer = offer;
    let [taking, _serving] = meet(&prover, &Arc::new(liar));
    taking.await.unwrap();
    let fault = prover.job(job).unwrap().job.fault.expect("it is given up");
    assert_eq!(fault.code, "SW-PROVER-001");
}

/// Proves for ever.
#[derive(Debug)]
struct Endless;

impl Prove for Endless {
    fn prove<'a>(&'a self, _: &'a Path, _: &'a Path, _: Cancelled<'a>) -> Proving<'a> {
        Box::pin(pending())
    }
}

/// Whether somebody was woken.
#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_a_job_wakes_neither_another_ones_report_nor_a_settler_that_waits_for_a_proof() {
    let folder = tempfile::tempdir().unwrap();
    let (prover, _tasks) = prover_with(folder.path(), "", Arc::new(Endless));
    let operator = Arc::new(Operator::new());
    let (job, another) = (operator.offer.job, Operator::of_segment(1).offer.job);
    let _sessions = meet(&prover, &operator);
    let is_fetched = || Ok::<_, ()>(prover.job(job).is_some_and(|known| known.is_fetched()).then_some(()));
    prover.changes.of(job).until(is_fetched).await.unwrap();

    let woken = [(); 3].map(|()| Arc::new(Woken::default()));
    let [for_proof, for_job, for_another] = &woken;
    let (of_job, of_another) = (prover.changes.of(job), prover.changes.of(another));
    let mut proof = pin!(prover.next(settlers()[0].peer()));
    assert!(proof.as_mut().poll(&mut Context::from_waker(&for_proof.clone().into())).is_pending());
    let (mut changed, mut other) = (pin!(of_job.next()), pin!(of_another.next()));
    assert!(changed.as_mut().poll(&mut Context::from_waker(&for_job.clone().into())).is_pending());
    assert!(other.as_mut().poll(&mut Context::from_waker(&for_another.clone().into())).is_pending());
    prover.update(job, None, |job| job.attempts = 1).await.unwrap();
    assert_eq!(woken.map(|woken| woken.0.load(Ordering::SeqCst)), [false, true, false]);
}
