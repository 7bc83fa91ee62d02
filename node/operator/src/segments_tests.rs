//! A run of contracts that one proof couldn't take, at its operator: its segments, their jobs, and what the settler is told of them.

use super::{contracts_tests::*, *};
use shardwire_host::Tasks;
use shardwire_hosted::{
    Limits,
    dungeon::{self, ANNA, WORLD},
};
use shardwire_model::{Cause, Felt, MAX_SEGMENTS, SegmentId, ShardStart, ShardTransaction, Stage, state_commitment};
use shardwire_protocols::{
    Failure, Signed,
    handoff::{self, Acceptance, Answer, Cut, Handoff, KnownVerdict, ProofVerdict, Verdict},
    ingress::Outcome,
    trace::{ChunkAnswer, Ending, Finished, Grant, Handler as _, JobOffer, RefusalReason, ResumableJob},
};
use shardwire_store::{Artefacts, SystemDisk, records::EXECUTIONS};
use shardwire_transport::{Channel, Identity, session::pair_over};
use std::{future::pending, path::Path, time::Duration};

/// What a proof may take here: a few transactions of the dungeon.
const SMALL: Limits = Limits { proof_bytes: 4_000_000_000, segments: MAX_SEGMENTS };
/// So many need more than one segment.
const TRANSACTIONS: u64 = 48;

fn prover(number: u8) -> PeerId {
    identity(number).peer()
}

fn train(start: &ShardStart, nonce: u64) -> ShardTransaction {
    dungeon::invoke(start, ANNA, nonce, WORLD, "train", &[5]).into()
}

async fn accepted(operator: &Arc<Operator>, shard: ShardId, transaction: ShardTransaction) {
    let outcome = operator.decided(client(), shard, transaction).await.unwrap();
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
}

/// Has so many transactions logged that the run is cut.
async fn played(folder: &Path) -> (Arc<Operator>, Tasks, ShardStart) {
    let (operator, tasks, start) = assigned_within(folder, SMALL).await;
    for nonce in 0..TRANSACTIONS {
        accepted(&operator, start.shard, train(&start, nonce)).await;
    }
    // The execution is behind.
    let run = operator.run(start.shard).unwrap();
    run.progress.until(|| Ok::<_, ()>(run.segments.get(1).map(drop))).await.unwrap();
    drop(run);
    (operator, tasks, start)
}

async fn finished(operator: &Arc<Operator>, start: &ShardStart) {
    let finish = dungeon::invoke(start, ANNA, TRANSACTIONS, WORLD, "finish", &[]);
    accepted(operator, start.shard, finish.into()).await;
    executed(operator, start.shard).await;
}

/// The jobs that this prover is offered one after the other, each leased to it.
async fn leased(operator: &Operator, by: PeerId) -> (JobOffer, u64) {
    let offer = operator.offer(by, &[]).await.unwrap();
    offer.validate().expect("it is what it is called");
    let Grant::Leased(lease) = operator.claim(by, offer.job).await.unwrap() else { panic!("it is free") };
    (offer, lease.statement.epoch)
}

/// The chunks of a job, and how it ends.
async fn pulled(operator: &Operator, by: PeerId, (offer, epoch): &(JobOffer, u64)) -> (Vec<Hash>, Ending) {
    let mut chunks = Vec::new();
    loop {
        let index = u32::try_from(chunks.len()).unwrap();
        match operator.chunk(by, offer.job, *epoch, index).await.unwrap() {
            ChunkAnswer::Chunk(chunk) => chunks.push(chunk.hash),
            ChunkAnswer::End(ending) => return (chunks, *ending),
            other => panic!("the lease goes on: {other:?}"),
        }
    }
}

fn segments(operator: &Operator, shard: ShardId) -> usize {
    operator.run(shard).unwrap().segments.all().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_one_proof_cannot_take_has_a_job_for_each_segment_while_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (running, tasks, start) = played(folder.path()).await;
    let shard = start.shard;
    let count = segments(&running, shard);
    assert!((2..8).contains(&count), "{count} segments");
    // The first has ended and is complete, whatever becomes of the run.
    let first = leased(&running, prover(20)).await;
    assert_eq!((first.0.segment, first.0.ended), (0, true));
    assert_eq!(first.0.before, state_commitment(start.commitment(), &first.0.values));
    let (chunks, ending) = pulled(&running, prover(20), &first).await;
    assert_eq!(ending.chunks, chunks);
    assert_eq!((ending.output.segment, ending.output.before, ending.output.ended), (0, first.0.before, false));
    // Another prover has the next one meanwhile, which begins where that ended.
    let second = leased(&running, prover(21)).await;
    assert_eq!((second.0.segment, second.0.before), (1, ending.output.after));
    assert_ne!(second.0.job, first.0.job);
    assert_eq!(running.shards()[0].segments as usize, count);
    finished(&running, &start).await;
    let ended = segments(&running, shard);
    let last = running.run(shard).unwrap().segments.all().pop().unwrap();
    let executed = running.host.store.get(&EXECUTIONS, &last.id).unwrap().unwrap();
    assert!(executed.output.ended && last.id.segment as usize == ended - 1);
    let count: u32 = (0..ended as u32)
        .map(|segment| running.host.store.get(&EXECUTIONS, &SegmentId { shard, segment }).unwrap().unwrap())
        .map(|it| it.output.count)
        .sum();
    assert_eq!(u64::from(count), TRANSACTIONS + 1, "each transaction is in one of them");
    gone(running, tasks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_operator_has_the_same_segments_jobs_and_chunks_and_gives_no_epoch_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (running, tasks, start) = played(folder.path()).await;
    let shard = start.shard;
    let before: Vec<_> = running.run(shard).unwrap().segments.all().iter().map(|it| (it.job, it.before)).collect();
    let first = leased(&running, prover(20)).await;
    let (chunks, _) = pulled(&running, prover(20), &first).await;
    let second = leased(&running, prover(21)).await;
    gone(running, tasks).await;

    // One file of the first is gone, and is made again.
    let artefacts = Artefacts::new(folder.path().into(), Arc::new(SystemDisk));
    std::fs::remove_file(artefacts.operator_chunk(SegmentId { shard, segment: 0 }, 0)).unwrap();
    let (running, tasks) = within(folder.path(), dungeon::geneses(), SMALL);
    accepted(&running, shard, train(&start, TRANSACTIONS)).await;
    let run = running.run(shard).unwrap();
    let all: Vec<_> = run.segments.all().iter().map(|it| (it.job, it.before)).collect();
    assert_eq!(all[..before.len()], before);
    drop(run);
    let named = |offer: &JobOffer| [ResumableJob { job: offer.job, have: 0 }];
    for (by, (offer, epoch)) in [(prover(20), &first), (prover(21), &second)] {
        let again = running.offer(by, &named(offer)).await.unwrap();
        assert_eq!((again.job, again.before), (offer.job, offer.before));
        let Grant::Leased(lease) = running.claim(by, again.job).await.unwrap() else { panic!("it is its own") };
        assert_eq!(lease.statement.epoch, epoch + 1);
    }
    let again = pulled(&running, prover(20), &(first.0, first.1 + 1)).await;
    assert_eq!(again.0, chunks, "the same ones are made again");
    gone(running, tasks).await;
}

/// A fixed bug: the lease of a shard that is over was taken up again, and shown as if somebody worked at it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_begun_a_later_segment_of_a_shard_that_is_over_is_told_so_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (running, tasks, start) = played(folder.path()).await;
    let (first, second) = (leased(&running, prover(20)).await, leased(&running, prover(21)).await);
    let end = Step::Aborted { why: AbortCause::Asked { by: client() } };
    running.run(start.shard).unwrap().close(end).await.unwrap();
    gone(running, tasks).await;

    let (running, tasks) = within(folder.path(), dungeon::geneses(), SMALL);
    for (by, (offer, _)) in [(prover(20), first), (prover(21), second)] {
        let again = running.offer(by, &[ResumableJob { job: offer.job, have: 0 }]).await.unwrap();
        assert_eq!((again.job, again.segment), (offer.job, offer.segment));
        let Grant::Refused(refused) = running.claim(by, again.job).await.unwrap() else { panic!("it is over") };
        assert_eq!(refused.reason, RefusalReason::Aborted);
    }
    assert_eq!(running.shards()[0].prover, None, "nobody works at it");
    gone(running, tasks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_proven_when_each_segment_is_and_a_disputed_one_is_leased_again() {
    let folder = tempfile::tempdir().unwrap();
    let (running, tasks, start) = played(folder.path()).await;
    finished(&running, &start).await;
    let shard = start.shard;
    let jobs: Vec<Hash> = running.run(shard).unwrap().segments.all().iter().map(|it| it.job).collect();
    let proof = |segment: usize| Hash::of(&[u8::try_from(segment).unwrap()]);
    for (job, segment) in jobs.iter().zip(0..) {
        let by = prover(20 + u8::try_from(segment).unwrap());
        let Grant::Leased(lease) = running.claim(by, *job).await.unwrap() else { panic!("it is free") };
        let told = running.finished(by, *job, lease.statement.epoch, proof(segment)).await.unwrap();
        assert_eq!(told, Finished::Acknowledged);
    }
    let told = |segment: usize, proof, verdict| {
        let news = ProofVerdict { shard, segment: u32::try_from(segment).unwrap(), proof, verdict };
        let running = running.clone();
        async move { running.take_in(news).await.unwrap() }
    };
    let stage = || running.shards()[0].stage;
    // The last one first; the first one's is disputed.
    for segment in (1..jobs.len()).rev() {
        told(segment, proof(segment), Verdict::Verified).await;
        assert_ne!(stage(), Stage::Proven, "another one is missing");
    }
    let cause = Cause::new("SW-TEST-001", "it ends elsewhere");
    told(0, proof(0), Verdict::Disputed { cause }).await;
    let newcomer = prover(60);
    let (offer, epoch) = leased(&running, newcomer).await;
    assert_eq!(offer.segment, 0, "the others are proven");
    running.finished(newcomer, offer.job, epoch, Hash::of(b"another")).await.unwrap();
    told(0, Hash::of(b"another"), Verdict::Verified).await;
    assert_eq!(stage(), Stage::Proven);
    assert_eq!(running.shards()[0].proof, Some(proof(jobs.len() - 1)), "the last one's proof stands for the run");
    // A segment that there isn't changes nothing.
    told(60, Hash::of(b"none"), Verdict::Verified).await;
    gone(running, tasks).await;
}

/// A settler's half that notes where runs are cut.
#[derive(Default)]
struct Settler {
    cuts: Mutex<Vec<Vec<Cut>>>,
}

impl handoff::Handler for Settler {
    async fn next(&self, _: PeerId, _: &[ShardId], _: &[KnownVerdict]) -> Result<Answer, Failure> {
        pending().await
    }

    async fn cut(&self, _: PeerId, cuts: &[Cut]) -> Result<(), Failure> {
        self.cuts.lock().unwrap().push(cuts.to_vec());
        Ok(())
    }

    async fn accepted(&self, _: PeerId, _: Signed<Acceptance>) -> Result<(), Failure> {
        Ok(())
    }

    async fn declined(&self, _: PeerId, _: ShardId, cause: Cause) -> Result<(), Failure> {
        panic!("declined: {cause}")
    }
}

fn settler() -> Identity {
    identity(1)
}

/// What this settler is told of cuts in a session of some questions.
async fn told(operator: &Arc<Operator>) -> Vec<Vec<Cut>> {
    let settler_half = Settler::default();
    let (ours, theirs) = pair_over::<Handoff>(Channel::pair_between([identity(2).peer(), settler().peer()], 1 << 18));
    let asking = tokio::time::timeout(Duration::from_secs(40), operator.follow(ours));
    tokio::select! {
        _ = asking => {}
        served = handoff::serve(theirs, &settler_half) => panic!("{served:?}"),
    }
    settler_half.cuts.into_inner().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_settler_is_told_once_a_session_where_runs_were_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (running, tasks, start) = played(folder.path()).await;
    let cuts = running.run(start.shard).unwrap().segments.cuts();
    let [Cut { shard, segment: 0, after }, ..] = cuts[..] else { panic!("{cuts:?}") };
    assert_eq!(shard, start.shard);
    let executed = running.host.store.get(&EXECUTIONS, &SegmentId { shard, segment: 0 }).unwrap().unwrap();
    assert_eq!(executed.output.after, after);
    assert_ne!(after, Felt::ZERO);
    for session in 0..2 {
        assert_eq!(told(&running).await, std::slice::from_ref(&cuts), "in session {session}");
    }
    gone(running, tasks).await;
}
