//! Who is offered a job and who gets it, asked of the operator's side of trace itself.

use super::*;
use crate::waiting::GIVES_WAY;
use shardwire_config::{Config, Environment, Flags};
use shardwire_disk::{Medium, SimulatedDisk, Trouble};
use shardwire_host::{Tasks, clock::SystemClock, peers, platform, testing::HeldCommits};
use shardwire_model::{
    AccountKey, Cause, Coded as _, ContractId, Entry, EventId, Felt, Key, Kind, Output, PeerId, SegmentId, ShardStart,
    ShardTransaction, Terms, Timestamp, finished_selector,
};
use shardwire_program::{Programs, rules};
use shardwire_protocols::{
    Failure,
    ingress::{self, Outcome},
    trace::{DECLINED_FOR, DeclineReason, Grant, Handler as _, ResumableJob},
};
use shardwire_reputation::{Blame, Breach, Event, Tier, Work};
use shardwire_store::{
    Artefacts, Store, SystemDisk,
    records::{Executed, LAYOUT, WireFelt},
};
use shardwire_telemetry::Telemetry;
use shardwire_transport::identity::Identity;
use shardwire_witness::Chunk;
use std::{path::Path, time::Duration};
use tokio::time::{Instant, timeout};

pub(super) const NEWCOMER: PeerId = PeerId([1; 32]);
pub(super) const WORKER: PeerId = PeerId([2; 32]);

impl Operator {
    /// Submits a transaction and waits until it is decided.
    pub(crate) async fn decided(
        &self,
        client: PeerId,
        shard: ShardId,
        transaction: impl Into<ShardTransaction>,
    ) -> Result<Outcome, Failure> {
        <Self as ingress::Handler>::submit(self, client, shard, transaction.into()).await?.await
    }
}

/// An operator of so many shards, which wait for their first transaction.
pub(super) async fn operator(folder: &Path, shards: u64) -> (Arc<Operator>, Tasks) {
    let tasks = Tasks::default();
    let identity = Identity::from_secret(&[9; 32]);
    let store = Store::in_memory(&LAYOUT).unwrap();
    let config = Config::parse(Path::new("f"), "", &Environment::default(), Flags::default()).unwrap();
    let host = Host {
        peers: peers::recall(&config, identity.peer(), Arc::new(SystemClock), &store, &Telemetry::default()).unwrap(),
        identity,
        world: Arc::new(shardwire_host::testing::world()),
        clock: Arc::new(SystemClock),
        store,
        artefacts: Artefacts::new(folder.to_owned(), Arc::new(SystemDisk)),
        work: platform::Work::Beside,
        randomness: shardwire_host::platform::Randomness::from_seed(1),
        telemetry: Telemetry::default(),
        tasks: tasks.spawner(),
    };
    let operator = Arc::new(Operator::resume(Arc::new(host), Programs::all()).unwrap());
    for shard in 0..shards {
        assign(&operator, assignment(shard)).await.unwrap();
    }
    (operator, tasks)
}

/// Assigns a shard as the settler does that the World lists.
pub(super) async fn assign(operator: &Arc<Operator>, assignment: Assignment) -> Result<(), OperatorError> {
    let settler = Identity::from_secret(&[1; 32]);
    let terms = AssignmentTerms::of(&assignment.start, &run::felts(&assignment.values));
    let assignment = Assignment { settler: settler.peer(), ..assignment };
    operator.assign(assignment, Signed::by(&settler, terms)).await
}

pub(super) fn assignment(shard: u64) -> Assignment {
    let game = ContractId(Felt::from(5));
    let start = ShardStart {
        shard: ShardId(Felt::from(77 + shard)),
        program: rules::hash(),
        operator: Identity::from_secret(&[9; 32]).peer(),
        contracts: vec![game],
        accounts: vec![AccountKey::from_secret([9; 32]).id()],
        end_event: EventId { from: game, selector: finished_selector() },
        deadline: Timestamp(1 << 50),
        entries: vec![Entry { kind: Kind::Counter, contract: game, key: Key(Felt::from(6)), guard: Felt::ZERO }],
        terms: Terms::Rules,
    };
    Assignment { start, values: vec![WireFelt(Felt::ONE)], settler: PeerId([3; 32]), epoch: 1 }
}

pub(super) fn worked(operator: &Operator, prover: PeerId, proofs: usize) {
    for _ in 0..proofs {
        operator.host.peers.note(prover, &Event::Worked(Work::Proof));
    }
}

pub(super) async fn claims(operator: &Operator, prover: PeerId, job: Hash) -> Result<u64, String> {
    match operator.claim(prover, job).await.unwrap() {
        Grant::Leased(lease) => Ok(lease.statement.epoch),
        Grant::Refused(refused) => Err(refused.cause.to_string()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_prover_holds_as_many_leases_as_its_tier_may_and_is_told_why_it_gets_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks) = operator(folder.path(), 4).await;
    let jobs: Vec<Hash> = operator.runs().iter().map(|run| run.segments.first().job).collect();
    let refused = "the prover holds 2 leases, and a peer of its tier may hold 2 (SW-OPERATOR-009)";
    for job in &jobs[..2] {
        claims(&operator, NEWCOMER, *job).await.unwrap();
    }
    assert_eq!(claims(&operator, NEWCOMER, jobs[2]).await, Err(refused.to_owned()));
    assert_eq!(claims(&operator, NEWCOMER, jobs[1]).await, Ok(2), "one that it holds already is leased to it again");
    claims(&operator, WORKER, jobs[2]).await.expect("another prover's leases are its own");

    // A prover that holds all it may is told at its next claim, and asks no faster than that.
    let asked = Instant::now();
    let named = [ResumableJob { job: jobs[1], have: 0 }];
    let offer = operator.offer(NEWCOMER, &named).await.unwrap();
    assert!(asked.elapsed() < GIVES_WAY, "its own jobs are offered to it at once, if it names them");
    assert_eq!(offer.job, jobs[1]);
    let offer = operator.offer(NEWCOMER, &[]).await.unwrap();
    assert!(asked.elapsed() >= GIVES_WAY && jobs[2..].contains(&offer.job), "otherwise it asks for another");

    // The quota is that of the tier at that moment.
    worked(&operator, NEWCOMER, 2);
    claims(&operator, NEWCOMER, jobs[3]).await.unwrap();
    let violation =
        Breach::Violation { code: "SW-SESSION-003", protocol: "trace".into(), state: "awaiting Pull".into() };
    operator.host.peers.note(NEWCOMER, &Event::Broke { breach: violation, blame: Blame::Peer });
    operator.abandoned(WORKER, jobs[2], 1, OperatorError::NoJob.into()).await.unwrap();
    let refused = "the prover holds 3 leases, and a peer of its tier may hold 2 (SW-OPERATOR-009)";
    assert_eq!(claims(&operator, NEWCOMER, jobs[2]).await, Err(refused.to_owned()));
    // With a proof a lease is no longer in flight.
    for job in [jobs[0], jobs[3]] {
        operator.finished(NEWCOMER, job, 1, Hash::of(b"proof")).await.unwrap();
    }
    claims(&operator, NEWCOMER, jobs[2]).await.unwrap();
}

/// Claims wait for the disk, so several may be under way.
/// A fixed bug: a prover whose session was lost, and that couldn't go on with the job, kept it from others until its lease ran out.
#[tokio::test(start_paused = true)]
async fn a_prover_that_declines_a_job_which_it_still_holds_hands_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks) = operator(folder.path(), 1).await;
    let job = operator.runs()[0].segments.first().job;
    let cause = || Cause::new("SW-PROVER-011", "this prover takes the job later");
    for (reason, epoch) in [(DeclineReason::Later, 1), (DeclineReason::GivenUp, 3)] {
        assert_eq!(claims(&operator, NEWCOMER, job).await, Ok(epoch));
        assert!(claims(&operator, WORKER, job).await.is_err(), "it is leased");
        operator.declined(NEWCOMER, job, reason, cause()).await.unwrap();
        assert_eq!(claims(&operator, WORKER, job).await, Ok(epoch + 1));
        // Who doesn't hold it hands nothing back.
        operator.declined(NEWCOMER, job, reason, cause()).await.unwrap();
        assert!(operator.runs()[0].segments.first().leases.is_at_work(WORKER));
        operator.declined(WORKER, job, DeclineReason::Later, cause()).await.unwrap();
        operator.runs()[0].segments.first().leases.named_by(NEWCOMER);
    }
}

#[tokio::test]
async fn of_claims_at_one_time_a_job_goes_to_one_prover_and_a_prover_gets_no_more_than_its_quota() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks) = operator(folder.path(), 4).await;
    let jobs: Vec<Hash> = operator.runs().iter().map(|run| run.segments.first().job).collect();
    let claim = |prover, job| {
        let operator = operator.clone();
        tokio::spawn(async move { claims(&operator, prover, job).await })
    };
    let held = HeldCommits::of(&operator.host.store);
    let newcomers: Vec<_> = jobs[..3].iter().map(|job| claim(NEWCOMER, *job)).collect();
    let same: Vec<_> = [WORKER, PeerId([5; 32])].map(|prover| claim(prover, jobs[3])).into();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    drop(held);
    let mut granted = Vec::new();
    for claims in [newcomers, same] {
        let mut epochs = Vec::new();
        for claim in claims {
            epochs.extend(claim.await.unwrap().ok());
        }
        granted.push(epochs);
    }
    assert_eq!(granted, [vec![1, 1], vec![1]]);
}

/// As if the run were executed to its end.
fn ended(operator: &Operator, shard: usize) {
    let run = &operator.runs()[shard];
    let output = Output {
        program: Felt::ZERO,
        shard: run.shard,
        segment: 0,
        before: Felt::ZERO,
        after: Felt::ZERO,
        reads: Felt::ZERO,
        transactions: Felt::ZERO,
        count: 1,
        ended: true,
        updates: vec![],
    };
    run.segments.first().chunk_store.end(Executed { chunks: vec![], steps: 2, output, execute_ms: 1 });
    operator.changes.announce();
}

#[tokio::test(start_paused = true)]
async fn jobs_are_offered_by_what_is_ready_to_be_proven() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks) = operator(folder.path(), 3).await;
    let jobs: Vec<Hash> = operator.runs().iter().map(|run| run.segments.first().job).collect();
    let named = [ResumableJob { job: jobs[1], have: 3 }];
    let offered = async |named: &[ResumableJob]| operator.offer(WORKER, named).await.unwrap();
    assert_eq!(offered(&named).await.job, jobs[1], "one that it has begun, while all runs go on");
    ended(&operator, 2);
    let ready = offered(&named).await;
    assert_eq!((ready.job, ready.ended), (jobs[2], true));

    // What it doesn't take now is offered to it again after a while, or once it is ready.
    let cause = || Cause::new("SW-TEST-001", "later");
    operator.declined(WORKER, jobs[2], DeclineReason::Later, cause()).await.unwrap();
    operator.declined(WORKER, jobs[0], DeclineReason::Later, cause()).await.unwrap();
    assert_eq!(offered(&[]).await.job, jobs[1]);
    ended(&operator, 0);
    assert_eq!(offered(&[]).await.job, jobs[0], "it waits for a prover now");
    assert_eq!(operator.offer(NEWCOMER, &[]).await.unwrap().job, jobs[0], "for others nothing has changed");
    tokio::time::sleep(DECLINED_FOR).await;
    operator.declined(WORKER, jobs[0], DeclineReason::GivenUp, cause()).await.unwrap();
    assert_eq!(offered(&[]).await.job, jobs[2]);
    // What it has given up it is offered again when it names it.
    operator.declined(WORKER, jobs[2], DeclineReason::GivenUp, cause()).await.unwrap();
    tokio::time::sleep(DECLINED_FOR).await;
    assert_eq!(offered(&[]).await.job, jobs[1]);
    assert_eq!(offered(&[ResumableJob { job: jobs[2], have: 0 }]).await.job, jobs[2]);
}

#[tokio::test(start_paused = true)]
async fn useful_provers_come_first_and_newcomers_come_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks) = operator(folder.path(), 1).await;
    let job = operator.runs()[0].segments.first().job;
    worked(&operator, WORKER, 4);

    // Alone a newcomer waits for nobody.
    let asked = Instant::now();
    assert_eq!(operator.offer(NEWCOMER, &[]).await.unwrap().job, job);
    assert_eq!(asked.elapsed(), Duration::ZERO);

    // Beside a better one it does, until that one has the job.
    let better = operator.waiting.begin(WORKER, Some(shardwire_reputation::Tier::High));
    let waiting = operator.clone();
    let mut newcomer = tokio::spawn(async move { waiting.offer(NEWCOMER, &[]).await.unwrap().job });
    assert!(timeout(GIVES_WAY / 2, &mut newcomer).await.is_err());
    drop(better);
    claims(&operator, WORKER, job).await.unwrap();
    assert!(timeout(GIVES_WAY, &mut newcomer).await.is_err(), "the job is leased");
    operator.abandoned(WORKER, job, 1, OperatorError::NoJob.into()).await.unwrap();
    assert_eq!(newcomer.await.unwrap(), job);

    // A better one that asks and asks, and takes nothing, holds nobody up for longer than that.
    let asked = Instant::now();
    let _better = operator.waiting.begin(WORKER, Some(shardwire_reputation::Tier::High));
    assert_eq!(operator.offer(NEWCOMER, &[]).await.unwrap().job, job);
    assert_eq!(asked.elapsed(), GIVES_WAY);
}

/// A run has one segment today; these are made by hand.
#[tokio::test]
async fn leases_and_chunks_of_two_segments_are_not_mixed_up() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks) = operator(folder.path(), 0).await;
    let host = &operator.host;
    let segments = [0, 1].map(|segment| SegmentId { shard: ShardId(Felt::from(7)), segment });
    let job = |segment: SegmentId| Hash::of(&segment.segment.to_be_bytes());
    let asker = |prover| lease::Asker { prover, tier: Some(Tier::Low), has_begun: false, network: None };
    let leases = segments.map(lease::Leases::new);
    for epoch in 1..=2 {
        let granted = leases[0].grant(host, job(segments[0]), asker(NEWCOMER), lease::Work::default()).await;
        assert_eq!(granted.unwrap().0.statement.epoch, epoch);
    }
    let granted = leases[1].grant(host, job(segments[1]), asker(WORKER), lease::Work::default()).await;
    let second = granted.unwrap().0.statement;
    assert_eq!((second.epoch, second.job), (1, job(segments[1])), "the first one's lease doesn't count for it");
    let again = segments.map(lease::Leases::new);
    let restored = again.each_ref().map(|leases| {
        leases.restore(host).unwrap();
        leases.present().map(|lease| (lease.epoch, lease.prover)).unwrap()
    });
    assert_eq!(restored, [(2, NEWCOMER), (1, WORKER)]);

    let stores = segments.map(|segment| chunk_store::ChunkStore::new(host.artefacts.clone(), segment));
    for (chunk_store, body) in stores.iter().zip([vec![1; 100], vec![2; 200]]) {
        let chunk = Chunk { index: 0, steps: 1, closing: true, hash: Hash::of(&body), body };
        chunk_store.push(&chunk).unwrap();
    }
    for (chunk_store, bytes) in stores.iter().zip([100, 200]) {
        let Some(chunk_store::Found::Chunk(found)) = chunk_store.find(0) else { panic!("it is there") };
        assert_eq!(found.raw_bytes, bytes);
        let shardwire_protocols::trace::ChunkAnswer::Chunk(chunk) = chunk_store.chunk(0, found).unwrap() else {
            panic!("a chunk")
        };
        let body = shardwire_witness::decompress(&chunk.body, found.raw_bytes as usize).unwrap();
        assert_eq!(Hash::of(&body), found.hash, "each has its own file");
    }
}

/// Whatever the system refuses with a chunk's file is this machine's trouble: the chunk is as it was, and is served again once that is over.
#[test]
fn a_chunk_whose_file_the_system_refuses_is_served_when_it_does_not_any_more() {
    let medium = Medium::new(1);
    let artefacts = Artefacts::new("/node".into(), Arc::new(SimulatedDisk::new(&medium)));
    let store = chunk_store::ChunkStore::new(artefacts, SegmentId { shard: ShardId(Felt::ONE), segment: 0 });
    let chunk = |index| {
        let body = vec![1; 100];
        Chunk { index, steps: 1, closing: false, hash: Hash::of(&body), body }
    };
    store.push(&chunk(0)).unwrap();
    for trouble in Trouble::ALL {
        medium.trouble(Some(trouble));
        let refused = store.push(&chunk(1)).unwrap_err().to_string();
        assert!(refused.contains(&trouble.error().to_string()), "{refused}");
        assert!(store.find(1).is_none(), "it isn't there");
        let Some(chunk_store::Found::Chunk(found)) = store.find(0) else { panic!("it is there") };
        let read = store.chunk(0, found);
        if trouble == Trouble::NoFilesLeft {
            let error = read.unwrap_err();
            assert_eq!(error.code(), "SW-ARTEFACT-001");
            assert!(error.to_string().ends_with("can't be read: Too many open files (os error 24)"), "{error}");
        } else {
            read.unwrap();
        }
        medium.trouble(None);
        store.chunk(0, found).unwrap();
    }
    store.push(&chunk(1)).unwrap();
    assert!(store.find(1).is_some());
}
