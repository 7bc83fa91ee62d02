//! How long a lease keeps others away, and how long a claim to have a proof holds a job.

use super::{
    lease::{Asker, Leases, Work, fair},
    tests::{NEWCOMER, WORKER, claims, operator, worked},
    *,
};
use shardwire_model::{Felt, PeerId, SegmentId};
use shardwire_protocols::{
    handoff::{ProofVerdict, Verdict},
    trace::{Finished, Handler as _, Progress, Progressed, ProverStage, ResumableJob},
};
use shardwire_reputation::{AddressRange, Breach, Event, Standing, Tier};
use std::{net::Ipv4Addr, time::Duration};
use tokio::time::{Instant, sleep, timeout};

const JOB: Hash = Hash([7; 32]);
const MINUTE: Duration = Duration::from_secs(60);
/// Of a run of 240,000 steps, which documented machines prove in half a minute, a slow one has three minutes.
const STEPS: u64 = 240_000;
const FAIR: Duration = Duration::from_secs(180);

/// Fresh keys.
fn key(number: u8) -> PeerId {
    PeerId([number; 32])
}

/// Leases of one run, as the operator and these provers see them.
struct LeasedRun {
    operator: Arc<Operator>,
    leases: Leases,
    work: Work,
}

impl LeasedRun {
    fn of(operator: Arc<Operator>, work: Work) -> Self {
        Self { operator, leases: Leases::new(SegmentId { shard: ShardId(Felt::from(7)), segment: 0 }), work }
    }

    fn asker(&self, prover: PeerId) -> Asker {
        Asker { prover, tier: self.operator.host.peers.standing(prover).tier(), has_begun: false, network: None }
    }

    /// The epoch under which this prover gets the job, if it does.
    async fn takes(&self, prover: PeerId) -> Option<u64> {
        self.takes_as(self.asker(prover)).await
    }

    /// As [`takes`](Self::takes), of a newcomer from this network.
    async fn takes_from(&self, network: [u8; 3], prover: PeerId) -> Option<u64> {
        let [a, b, c] = network;
        let network = Some(AddressRange::network(Ipv4Addr::new(a, b, c, 9).into()));
        self.takes_as(Asker { network, ..self.asker(prover) }).await
    }

    async fn takes_as(&self, asker: Asker) -> Option<u64> {
        let tier = |peer| self.operator.host.peers.standing(peer).tier();
        let offered = self.leases.is_free(asker, self.work, tier);
        let granted = self.leases.grant(&self.operator.host, JOB, asker, self.work).await;
        assert!(!offered || granted.is_ok(), "what is offered is granted");
        granted.ok().map(|(lease, _)| lease.statement.epoch)
    }

    /// Its holder gives the job back.
    async fn ends(&self) {
        let held = self.leases.present().map(|lease| (lease.prover, lease.epoch)).unwrap();
        assert!(self.leases.end(&self.operator.host, held, self.work).await.unwrap());
    }

    /// Reports every ten seconds during this time.
    async fn reports(&self, prover: PeerId, epoch: u64, length: Duration) {
        let began = Instant::now();
        while began.elapsed() < length {
            sleep(Duration::from_secs(10)).await;
            self.leases.renew(prover, epoch, None).expect("the lease goes on");
        }
    }
}

fn ended() -> Work {
    Work { steps: STEPS, chunks: 15, ended: Some(Instant::now()) }
}

#[test]
fn what_is_fair_follows_from_the_steps() {
    assert_eq!([0, STEPS].map(fair), [MINUTE, FAIR]);
    assert!(fair(u64::MAX) > FAIR);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_only_signs_of_life_hold_goes_to_a_proven_prover_that_waits_after_the_time_that_the_work_takes() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks) = operator(folder.path(), 0).await;
    worked(&operator, WORKER, 2);
    let run = LeasedRun::of(operator, ended());
    assert_eq!(run.takes(NEWCOMER).await, Some(1));
    run.reports(NEWCOMER, 1, FAIR - Duration::from_secs(10)).await;
    assert_eq!(run.takes(WORKER).await, None, "a slow machine has its time");
    run.reports(NEWCOMER, 1, Duration::from_secs(10)).await;
    assert_eq!(run.takes(key(5)).await, None, "to its equals it gives way later");
    assert_eq!(run.takes(WORKER).await, Some(2));
    assert_eq!(run.leases.renew(NEWCOMER, 1, None), Err(2), "it is told so");
    // Nobody takes it from one that is proven, for long.
    run.reports(WORKER, 2, FAIR * 15).await;
    assert_eq!((run.takes(NEWCOMER).await, run.takes(key(5)).await), (None, None));
    run.reports(WORKER, 2, FAIR).await;
    assert_eq!(run.takes(key(5)).await, Some(3), "for ever nobody has it");
}

#[tokio::test(start_paused = true)]
async fn provers_in_tier_low_have_a_job_together_as_long_as_one_of_them_has() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks) = operator(folder.path(), 0).await;
    worked(&operator, WORKER, 2);
    let run = LeasedRun::of(operator, ended());
    for (number, epoch) in (10..13).zip(1..) {
        assert_eq!(run.takes(key(number)).await, Some(epoch));
        assert_eq!(run.takes(WORKER).await, None);
        run.reports(key(number), epoch, MINUTE).await;
        if epoch < 3 {
            run.ends().await;
        }
    }
    assert_eq!(run.takes(WORKER).await, Some(4), "three keys had a minute each");
    run.ends().await;
    assert_eq!(run.takes(key(13)).await, Some(5));
    assert_eq!(run.takes(WORKER).await, Some(6), "the next key has no time of its own");

    // Nor by claiming a proof just before its time is over.
    let run = LeasedRun::of(run.operator, ended());
    assert_eq!(run.takes(key(20)).await, Some(1));
    run.reports(key(20), 1, FAIR - Duration::from_secs(10)).await;
    run.leases.claims(&run.operator.host, (key(20), 1), Hash::of(b"lie"), run.work).await.unwrap().unwrap();
    sleep(MINUTE).await;
    assert_eq!(run.takes(key(21)).await, Some(2));
    run.reports(key(21), 2, Duration::from_secs(10)).await;
    assert_eq!(run.takes(WORKER).await, Some(3));
}

#[tokio::test(start_paused = true)]
async fn who_is_alone_works_on_beyond_every_bound_and_is_replaced_then_by_whom_comes() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks) = operator(folder.path(), 0).await;
    let run = LeasedRun::of(operator, ended());
    assert_eq!(run.takes(NEWCOMER).await, Some(1));
    let low = Some(Tier::Low);
    assert_eq!(run.leases.lasts(low, run.work), MINUTE);
    run.reports(NEWCOMER, 1, FAIR * 4 - MINUTE / 2).await;
    assert_eq!(run.leases.lasts(low, run.work), MINUTE / 2, "what it is told never goes beyond its bound");
    assert_eq!(run.takes(key(5)).await, None);
    run.reports(NEWCOMER, 1, FAIR * 10).await;
    assert_eq!(run.leases.lasts(low, run.work), Duration::ZERO);
    // A new epoch of the same prover begins no new bound.
    assert_eq!(run.takes(NEWCOMER).await, Some(2));
    assert_eq!(run.takes(key(5)).await, Some(3));
}

/// Fresh keys of one network, however many, hold a job against a newcomer of another one for one bound.
#[tokio::test(start_paused = true)]
async fn newcomers_take_turns_by_their_networks_and_not_by_their_keys() {
    const THEIRS: [u8; 3] = [10, 0, 1];
    const MINE: [u8; 3] = [10, 0, 2];
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks) = operator(folder.path(), 0).await;
    let run = LeasedRun::of(operator, ended());
    assert_eq!(run.takes_from(THEIRS, key(10)).await, Some(1));
    run.reports(key(10), 1, FAIR * 4).await;
    assert_eq!(run.takes_from(THEIRS, key(11)).await, None, "its network had its turn");
    run.reports(key(10), 1, Duration::from_secs(10)).await;
    assert_eq!(run.takes_from(THEIRS, key(12)).await, None);
    assert_eq!(run.takes_from(MINE, key(20)).await, Some(2));
    // Nor by letting the lease run out, or by giving it back.
    sleep(MINUTE).await;
    assert_eq!((run.takes_from(THEIRS, key(13)).await, run.takes_from(MINE, key(21)).await), (None, None));
    assert_eq!(run.takes_from([10, 0, 3], key(30)).await, Some(3));
    run.ends().await;
    assert_eq!(run.takes_from(THEIRS, key(14)).await, None);
    // Nobody of another one has come.
    sleep(Duration::from_secs(20)).await;
    assert_eq!(run.takes_from(THEIRS, key(14)).await, Some(4));
    run.ends().await;
    assert_eq!(run.takes_from(THEIRS, key(14)).await, Some(5), "who gave it back may have it again");
}

#[tokio::test(start_paused = true)]
async fn while_a_run_goes_on_its_prover_keeps_it_by_keeping_up_and_not_by_signs_of_life() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks) = operator(folder.path(), 0).await;
    worked(&operator, WORKER, 2);
    let mut run = LeasedRun::of(operator, Work { steps: 1 << 14, chunks: 1, ended: None });
    assert_eq!(run.takes(NEWCOMER).await, Some(1));
    for chunk in 0..20 {
        run.work.chunks = chunk + 1;
        run.leases.renew(NEWCOMER, 1, Some(chunk)).unwrap();
        run.reports(NEWCOMER, 1, MINUTE).await;
        assert_eq!(run.takes(key(5)).await, None, "a game may last");
    }
    run.work.chunks += 1;
    run.leases.renew(NEWCOMER, 1, Some(3)).unwrap();
    run.reports(NEWCOMER, 1, MINUTE).await;
    assert_eq!(run.takes(key(5)).await, Some(2), "it asks for nothing new, and there is some");
    // One that has worked needn't wait until a game is over, perhaps nobody ends it.
    assert_eq!(run.takes(WORKER).await, Some(3));
    let run = LeasedRun::of(run.operator, Work::default());
    assert_eq!(run.takes(NEWCOMER).await, Some(1));
    run.reports(NEWCOMER, 1, MINUTE - Duration::from_secs(10)).await;
    assert_eq!(run.takes(WORKER).await, None);
    run.reports(NEWCOMER, 1, Duration::from_secs(10)).await;
    assert_eq!(run.takes(WORKER).await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_claim_holds_a_job_for_a_minute_and_no_fresh_key_makes_that_longer() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks) = operator(folder.path(), 1).await;
    let job = operator.runs()[0].segments.first().job;
    worked(&operator, WORKER, 2);
    let lie = |number: u8| Hash::of(&[number]);
    claims(&operator, key(10), job).await.unwrap();
    assert!(matches!(operator.finished(key(10), job, 1, lie(1)).await.unwrap(), Finished::Acknowledged));
    let claimed = Instant::now();
    assert!(claims(&operator, WORKER, job).await.is_err(), "a settler may be fetching the proof");
    // It isn't asked again, unless it says that it has none.
    let nothing = timeout(MINUTE / 2, operator.offer(key(10), &[])).await;
    assert!(nothing.is_err());
    assert_eq!(operator.offer(key(11), &[]).await.unwrap().job, job);
    // It looks again every second.
    let held = claimed.elapsed();
    assert!((MINUTE..MINUTE + Duration::from_secs(1)).contains(&held), "{held:?}");
    for number in 11..15 {
        claims(&operator, key(number), job).await.unwrap();
        let epoch = u64::from(number) - 9;
        operator.finished(key(number), job, epoch, lie(number)).await.unwrap();
        // A claim again, of who has claimed and of a lease that is another's.
        assert!(matches!(operator.finished(key(10), job, 1, lie(1)).await.unwrap(), Finished::Lost { .. }));
    }
    assert_eq!(claims(&operator, WORKER, job).await, Ok(6), "all of them together had their minute");
    // One that has worked has a minute of its own, once.
    operator.finished(WORKER, job, 6, lie(6)).await.unwrap();
    assert!(claims(&operator, key(20), job).await.is_err());
    sleep(MINUTE).await;
    claims(&operator, WORKER, job).await.unwrap();
    operator.finished(WORKER, job, 7, lie(7)).await.unwrap();
    assert_eq!(claims(&operator, key(20), job).await, Ok(8));
}

#[tokio::test(start_paused = true)]
async fn a_settlers_dispute_frees_a_job_at_once_and_that_it_holds_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks) = operator(folder.path(), 1).await;
    let (job, shard) = (operator.runs()[0].segments.first().job, operator.runs()[0].shard);
    let [lie, proof] = [b"lie", b"tru"].map(|bytes| Hash::of(bytes));
    let says =
        async |proof, verdict| operator.take_in(ProofVerdict { shard, segment: 0, proof, verdict }).await.unwrap();
    let disputed = || Verdict::Disputed { cause: OperatorError::NoJob.into() };
    worked(&operator, NEWCOMER, 4);
    claims(&operator, NEWCOMER, job).await.unwrap();
    operator.finished(NEWCOMER, job, 1, lie).await.unwrap();
    says(Hash::of(b"another"), disputed()).await;
    assert!(claims(&operator, WORKER, job).await.is_err(), "it is another proof");
    let before = operator.host.peers.view(NEWCOMER).components.broken;
    let waits = operator.clone();
    let waiting = tokio::spawn(async move { waits.offer(WORKER, &[]).await.unwrap().job });
    tokio::task::yield_now().await;
    let now = Instant::now();
    says(lie, disputed()).await;
    assert_eq!(waiting.await.unwrap(), job);
    assert!(now.elapsed() < Duration::from_secs(1), "at once");
    assert!(operator.host.peers.view(NEWCOMER).components.broken > before, "who claimed it broke its word");
    // What was disputed before it is claimed holds nothing.
    claims(&operator, WORKER, job).await.unwrap();
    operator.finished(WORKER, job, 2, lie).await.unwrap();
    claims(&operator, key(5), job).await.unwrap();
    // And what a settler has verified isn't proven again while its World decides.
    operator.finished(key(5), job, 3, proof).await.unwrap();
    says(proof, Verdict::Verified).await;
    sleep(MINUTE * 9).await;
    assert!(claims(&operator, key(6), job).await.is_err());
    sleep(MINUTE).await;
    claims(&operator, key(6), job).await.unwrap();
}

/// Found by reading: the minute that newcomers' claims have together began, and ended, with the claim of a proof that was disputed before.
#[tokio::test(start_paused = true)]
async fn a_claim_of_a_disputed_proof_takes_nothing_of_the_newcomers_minute() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks) = operator(folder.path(), 1).await;
    let (job, shard) = (operator.runs()[0].segments.first().job, operator.runs()[0].shard);
    let [lie, proof] = [b"lie", b"tru"].map(|bytes| Hash::of(bytes));
    worked(&operator, WORKER, 2);
    let verdict = Verdict::Disputed { cause: OperatorError::NoJob.into() };
    operator.take_in(ProofVerdict { shard, segment: 0, proof: lie, verdict }).await.unwrap();
    claims(&operator, key(10), job).await.unwrap();
    operator.finished(key(10), job, 1, lie).await.unwrap();
    assert_eq!(claims(&operator, key(11), job).await, Ok(2), "it holds nothing");
    operator.finished(key(11), job, 2, proof).await.unwrap();
    assert!(claims(&operator, WORKER, job).await.is_err(), "a settler may be fetching the proof");
    sleep(MINUTE).await;
    claims(&operator, WORKER, job).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_job_that_a_banned_prover_holds_or_claims_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks) = operator(folder.path(), 1).await;
    let job = operator.runs()[0].segments.first().job;
    for (liar, epoch) in [(key(10), 1), (key(11), 3)] {
        claims(&operator, liar, job).await.unwrap();
        if epoch == 3 {
            operator.finished(liar, job, epoch, Hash::of(b"lie")).await.unwrap();
        }
        assert!(claims(&operator, WORKER, job).await.is_err());
        let broke = Event::Broke { breach: Breach::Proof, blame: shardwire_reputation::Blame::Peer };
        operator.host.peers.note(liar, &broke);
        assert!(matches!(operator.host.peers.standing(liar), Standing::Banned { .. }));
        assert_eq!(claims(&operator, WORKER, job).await, Ok(epoch + 1));
        operator.abandoned(WORKER, job, epoch + 1, OperatorError::NoJob.into()).await.unwrap();
    }
}

/// A prover that lost its proof says so by naming the job as begun.
#[tokio::test(start_paused = true)]
async fn who_claimed_a_proof_and_has_none_after_all_may_have_the_job_again() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks) = operator(folder.path(), 1).await;
    let job = operator.runs()[0].segments.first().job;
    claims(&operator, NEWCOMER, job).await.unwrap();
    operator.finished(NEWCOMER, job, 1, Hash::of(b"proof")).await.unwrap();
    let begun = [ResumableJob { job, have: 0 }];
    assert_eq!(operator.offer(NEWCOMER, &begun).await.unwrap().job, job);
    assert_eq!(claims(&operator, NEWCOMER, job).await, Ok(2));
    let progress = Progress { epoch: 2, stage: ProverStage::Proving, done: 0, of: 0 };
    let renewed = operator.progress(NEWCOMER, job, progress).await.unwrap();
    assert!(matches!(renewed, Progressed::Renewed { .. }));
}
