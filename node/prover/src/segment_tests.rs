//! Two segments of one shard at one prover. Today a run has one; these are made by hand.
#![allow(clippy::disallowed_methods, reason = "the tests look at the files that a prover leaves")]

use super::{
    tests::{Operator, ask, meet, prover_with, settlers},
    *,
};
use shardwire_host::history::Lives as _;
use shardwire_model::{Cause, Timestamp};
use shardwire_protocols::proof::{self, Handler as _, SkipReason};
use shardwire_proving::worker::Proved;
use std::{fs, path::Path};

/// The proof is the hash of the witness.
#[derive(Debug)]
struct OfWitness;

impl Prove for OfWitness {
    fn prove<'a>(&'a self, witness: &'a Path, proof: &'a Path, _: Cancelled<'a>) -> Proving<'a> {
        Box::pin(async move {
            fs::write(proof, Hash::of(&fs::read(witness).unwrap()).0).unwrap();
            Ok(Proved { proof_bytes: 32, prove_s: 1.0, cpu_s: 1.0, peak_bytes: 1 })
        })
    }
}

#[tokio::test(start_paused = true)]
async fn two_segments_of_a_shard_are_two_jobs_with_a_life_and_a_receipt_each() {
    let folder = tempfile::tempdir().unwrap();
    let (prover, _tasks) = prover_with(folder.path(), "", Arc::new(OfWitness));
    let segments = [Operator::of_segment(0), Operator::of_segment(1)].map(Arc::new);
    let [first, second] = [0, 1].map(|segment| segments[segment].offer.job);
    assert_ne!(first, second);
    let mut proofs = Vec::new();
    for operator in &segments {
        let [taking, _serving] = meet(&prover, operator);
        taking.await.unwrap();
        proofs.push(operator.finished.lock().unwrap().take().expect("the operator is told"));
    }
    assert_ne!(proofs[0], proofs[1], "each was proven of its own witness");
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

#[tokio::test(start_paused = true)]
async fn the_witness_of_another_segment_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (prover, _tasks) = prover_with(folder.path(), "", Arc::new(OfWitness));
    let mut liar = Operator::of_segment(1);
    let offer = Operator::of_segment(0).offer;
    let job = offer.job;
    liar.offer = offer;
    let [taking, _serving] = meet(&prover, &Arc::new(liar));
    taking.await.unwrap();
    let fault = prover.job(job).unwrap().job.fault.expect("it is given up");
    assert_eq!(fault.code, "SW-PROVER-001");
}
