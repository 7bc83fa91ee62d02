//! What a settler makes of provers' announcements: whom it can show to have broken their word, and whom nothing is shown against.

use super::*;
use crate::evidence::Checking;
use redb::backends::InMemoryBackend;
use shardwire_config::{Config, Environment, Flags};
use shardwire_host::{Tasks, clock::SystemClock, evidence, history::Lives as _, peers, platform::Work};
use shardwire_model::{
    AccountKey, Cause, Clock, ContractId, Entry, EntryRequest, EventId, Felt, Hash, Key, Kind, Output, PeerId, Role,
    SegmentId, ShardStart, StartRequest, Terms, Timestamp, Update, finished_selector,
    life::{AbortCause, AbortReason, Part, Step},
    reads::join,
};
use shardwire_protocols::{
    Failure, Signed,
    evidence::{Accusation, Shown},
    handoff::{self, Answer},
    proof::{self, Leased, Proof, Reply, SkipReason, StoredProof},
    trace::LeaseTerms,
};
use shardwire_proving::{
    origin::{Origin, OriginError, Origins},
    verify::{Proven, Verify, VerifyError},
};
use shardwire_reputation::{Standing, Tier};
use shardwire_store::{
    Artefacts, Store, SystemDisk, Write,
    records::{INTENTS, Intent, KeptCause, LAYOUT, VERDICTS, history_of},
};
use shardwire_telemetry::Telemetry;
use shardwire_transport::{Channel, identity::Identity, session::pair_over};
use shardwire_world::{
    EmbeddedLedger, EmbeddedWorld, Genesis, GenesisEntry, GenesisValue, Operation, ShardState, WorldIdentity,
};
use std::{
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

pub(super) const PROGRAM: Felt = Felt::THREE;
const OTHER_PROGRAM: Felt = Felt::TWO;

pub(super) fn identity(number: u8) -> Identity {
    Identity::from_secret(&[number; 32])
}

fn operator() -> Identity {
    identity(9)
}

/// Believes bytes that say so, and what they say.
#[derive(Debug)]
pub(super) struct Believer;

impl Verify for Believer {
    fn verify(&self, bytes: &[u8]) -> Result<Proven, VerifyError> {
        let (program, bytes) = match bytes.strip_prefix(b"other ") {
            Some(bytes) => (Some(OTHER_PROGRAM), bytes),
            None => (None, bytes),
        };
        let output = bytes.strip_prefix(b"proof").and_then(|output| postcard::from_bytes::<Output>(output).ok());
        let proven = output.map(|it| Proven { program: program.unwrap_or(it.program), output: it.to_felts() });
        proven.ok_or_else(|| VerifyError::Undecodable("not this one".into()))
    }
}

/// For shards that read nothing but the World's values.
#[derive(Debug)]
pub(super) struct NoOrigins;

impl Origins for NoOrigins {
    fn open(&self, _: &ShardStart) -> Result<Option<Box<dyn Origin>>, OriginError> {
        Ok(None)
    }
}

fn identity_of(genesis: &Genesis) -> WorldIdentity {
    WorldIdentity::new("test", genesis.hash().unwrap(), [identity(1).peer()], [PROGRAM]).unwrap()
}

/// A date that a test sets.
#[derive(Debug)]
struct SetClock(AtomicU64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// For a shard with one counter.
fn request(salt: u64) -> StartRequest {
    let (game, key) = (ContractId(Felt::from(5)), Key(Felt::from(6)));
    StartRequest {
        salt,
        program: PROGRAM,
        operator: operator().peer(),
        contracts: vec![game],
        accounts: vec![AccountKey::from_secret([7; 32]).id()],
        end_event: EventId { from: game, selector: finished_selector() },
        entries: vec![EntryRequest { kind: Kind::Counter, contract: game, key, owner: None, amount: 0 }],
        terms: Terms::Rules,
    }
}

/// A settler with one shard, and the shard.
async fn settler(folder: &Path) -> (Arc<Settler>, Tasks, ShardStart, Felt) {
    settler_by(folder, Arc::new(SystemClock)).await
}

/// The same, by this clock, which is its World's, too.
async fn settler_by(folder: &Path, clock: Arc<dyn Clock>) -> (Arc<Settler>, Tasks, ShardStart, Felt) {
    let (game, key) = (ContractId(Felt::from(5)), Key(Felt::from(6)));
    let storage = vec![GenesisEntry { contract: game, key, kind: Kind::Counter, value: GenesisValue::Number(3) }];
    let genesis = Genesis { storage };
    let ledger = EmbeddedLedger::create_with_backend(InMemoryBackend::new(), &identity_of(&genesis), &genesis);
    let world = EmbeddedWorld::new(ledger.expect("a World"), clock.clone(), Work::AtOnce);
    let (store, tasks) = (Store::in_memory(&LAYOUT).unwrap(), Tasks::default());
    let config = Config::parse(Path::new("f"), "", &Environment::default(), Flags::default()).unwrap();
    let host = Host {
        peers: peers::recall(&config, identity(1).peer(), clock.clone(), &store, &Telemetry::default()).unwrap(),
        identity: identity(1),
        world: Arc::new(identity_of(&genesis)),
        clock: clock.clone(),
        store,
        artefacts: Artefacts::new(folder.to_owned(), Arc::new(SystemDisk)),
        work: Work::AtOnce,
        randomness: shardwire_host::platform::Randomness::from_seed(1),
        telemetry: Telemetry::default(),
        tasks: tasks.spawner(),
    };
    let judge = Arc::new(Judge::new(Arc::new(Believer), Arc::new(NoOrigins)));
    let day = std::time::Duration::from_secs(24 * 60 * 60);
    let settler = Settler::resume(Arc::new(host), Arc::new(world), judge, day).await.unwrap();
    let start = settler.start(&request(1), identity(1).peer(), None).await.unwrap();
    let before = settler.world.shard(start.shard).await.unwrap().unwrap().before;
    (settler, tasks, start, before)
}

/// A prover with one proof.
struct Prover(Mutex<Option<StoredProof>>, Mutex<Vec<Reply>>);

impl proof::Handler for Prover {
    async fn next(&self, _: PeerId) -> Result<StoredProof, Failure> {
        let held = self.0.lock().unwrap().take();
        match held {
            Some(held) => Ok(held),
            None => std::future::pending().await,
        }
    }

    async fn replied(&self, _: PeerId, _: Hash, reply: Reply) -> Result<(), Failure> {
        self.1.lock().unwrap().push(reply);
        Ok(())
    }
}

/// What the settler says to a prover with this number that offers this.
pub(super) async fn offers(settler: &Arc<Settler>, prover: u8, held: StoredProof) -> Reply {
    let offering = Prover(Mutex::new(Some(held)), Mutex::default());
    let peers = [settler.host.identity.peer(), identity(prover).peer()];
    let (ours, theirs) = pair_over::<Proof>(Channel::pair_between(peers, 1 << 18));
    let signer = identity(prover);
    let serve = proof::serve(theirs, &signer, &offering);
    // The next question stays open; what became of this one is known by then.
    tokio::select! { biased;
        ended = settler.collect(ours) => panic!("the settler ended it: {ended:?}"),
        ended = serve => panic!("the prover ended it: {ended:?}"),
        () = tokio::time::sleep(std::time::Duration::from_secs(5)) => {}
    }
    offering.1.into_inner().unwrap().pop().expect("a reply")
}

/// Bytes offered as a proof of this shard, under a lease with this epoch.
pub(super) fn held(start: &ShardStart, before: Felt, bytes: Vec<u8>, prover: u8, epoch: u64) -> StoredProof {
    let job = shardwire_protocols::trace::job_id(start.program, start.commitment(), before, 0);
    let terms = LeaseTerms { job, epoch, expires: Timestamp(1), prover: identity(prover).peer() };
    let leased = Some(Leased::by(operator().peer(), &Signed::by(&operator(), terms)));
    StoredProof { shard: start.shard, segment: 0, job, proof: Hash::of(&bytes), bytes: bytes.into(), leased }
}

fn output(start: &ShardStart, before: Felt) -> Output {
    Output {
        program: PROGRAM,
        shard: start.shard,
        segment: 0,
        before,
        after: Felt::ONE,
        reads: Felt::ZERO,
        transactions: Felt::ONE,
        count: 1,
        ended: true,
        updates: vec![],
    }
}

fn proves(start: &ShardStart, before: Felt) -> Vec<u8> {
    [&b"proof"[..], &postcard::to_allocvec(&output(start, before)).unwrap()].concat()
}

/// What is kept against a peer, and what it shows.
pub(super) fn shown(settler: &Settler, peer: PeerId) -> Vec<Shown> {
    let store = &settler.host.store;
    let count = u32::try_from(evidence::accusations(store, peer).unwrap()).unwrap();
    let piece =
        |number| Accusation::from_bytes(&evidence::read(store, peer, number, 0).unwrap().unwrap().bytes).unwrap();
    (0..count).map(|number| piece(number).check(&Checking { verify: &Believer, program: PROGRAM }).unwrap()).collect()
}

pub(super) fn is_banned(settler: &Settler, peer: PeerId) -> bool {
    matches!(settler.host.peers.standing(peer), Standing::Banned { .. })
}

#[tokio::test(start_paused = true)]
async fn bad_proofs_show_their_provers_to_anybody() {
    let folder = tempfile::tempdir().unwrap();
    let (settler, _tasks, start, before) = settler(folder.path()).await;
    let nothing = held(&start, before, vec![7; 100], 2, 1);
    assert!(matches!(offers(&settler, 2, nothing).await, Reply::Disputed(_)));
    let other = held(&start, before, proves(&start, Felt::TWO), 3, 2);
    assert!(matches!(offers(&settler, 3, other).await, Reply::Disputed(_)));
    // A proof that holds, after a list that it doesn't commit to.
    let listed = held(&start, before, join(&[Felt::ONE], &proves(&start, before)), 4, 3);
    assert!(matches!(offers(&settler, 4, listed).await, Reply::Disputed(_)));
    assert!(matches!(shown(&settler, identity(2).peer())[..], [Shown::NoProof(_)]));
    assert_eq!(shown(&settler, identity(3).peer()), [Shown::OtherProof]);
    let other_list = &shown(&settler, identity(4).peer())[..];
    assert!(matches!(other_list, [Shown::NoProof(cause)] if cause.code == "SW-SETTLE-007"), "{other_list:?}");
    assert!([2, 3, 4].iter().all(|prover| is_banned(&settler, identity(*prover).peer())));
    assert!(!is_banned(&settler, operator().peer()) && shown(&settler, operator().peer()).is_empty());
    // Found by strangers: each fresh key left a file of four megabytes.
    let artefacts = &settler.host.artefacts;
    for bytes in [vec![7; 100], proves(&start, Felt::TWO)] {
        assert!(!artefacts.is_there(&artefacts.proof(Hash::of(&bytes))).unwrap(), "evidence is kept, no file");
    }
}

/// A fixed bug: what a stranger had sent was shown as the shard's error, prover and proof, and took the place of the verdict on a proof that holds.
#[tokio::test(start_paused = true)]
async fn a_strangers_bad_proof_is_not_the_shards_error_and_hides_no_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let (settler, _tasks, start, before) = settler(folder.path()).await;
    let shown = async || {
        let status = settler.status(start.shard).await.unwrap().unwrap();
        (status.error, status.verdict.map(|verdict| verdict.proof))
    };
    let lie = |prover: u8| held(&start, before, vec![prover; 100], prover, prover.into());
    assert!(matches!(offers(&settler, 2, lie(2)).await, Reply::Disputed(_)));
    assert_eq!(shown().await, (None, None));
    let (proof, prover, segment) = (Hash::of(b"it holds"), identity(4).peer(), SegmentId::first(start.shard));
    let verdict = shardwire_store::records::KeptVerdict { proof, prover, bytes: 1, verify_us: 1, fault: None };
    let put = move |write: &mut Write<'_>| Ok(write.put(&VERDICTS, &segment, &verdict)?);
    settler.advance(start.shard, Step::Verified { proof, prover }, put).await.unwrap();
    assert!(matches!(offers(&settler, 3, lie(3)).await, Reply::Disputed(_)));
    assert_eq!(shown().await, (None, Some(proof)));
}

/// Says no once, as memory that errs may make any verifier do.
#[derive(Debug, Default)]
struct Wavering(AtomicBool);

impl Verify for Wavering {
    fn verify(&self, bytes: &[u8]) -> Result<Proven, VerifyError> {
        if self.0.swap(true, Ordering::SeqCst) {
            Believer.verify(bytes)
        } else {
            Err(VerifyError::Rejected("no".into()))
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_contradicts_itself_gives_no_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let (settler, _tasks, start, before) = settler(folder.path()).await;
    let record = settler.world.shard(start.shard).await.unwrap().unwrap();
    let updates =
        |entry: &Entry| Update { kind: entry.kind, contract: entry.contract, key: entry.key, value: Felt::ONE };
    let output = Output { updates: start.entries.iter().map(updates).collect(), ..output(&start, before) };
    let bytes = [&b"proof"[..], &postcard::to_allocvec(&output).unwrap()].concat();
    let decide = |judge: &Judge, hash| judge.decide(&bytes, hash, &record, 0, before);
    let judge = Judge::new(Arc::new(Wavering::default()), Arc::new(NoOrigins));
    assert!(matches!(decide(&judge, Hash::of(&bytes)), Err(SettlerError::Wavers)));
    assert_eq!(decide(&judge, Hash::of(&bytes)).unwrap().unwrap(), output);
    // The bytes have changed since they came.
    let judge = Judge::new(Arc::new(Wavering::default()), Arc::new(NoOrigins));
    assert!(matches!(decide(&judge, Hash::of(b"others")), Err(SettlerError::Wavers)));
}

/// The output says what the settler wants to read: it is the proof's own program that is compared.
#[tokio::test(start_paused = true)]
async fn a_proof_of_another_program_is_refused_whatever_its_output_says() {
    let folder = tempfile::tempdir().unwrap();
    let (settler, _tasks, start, before) = settler(folder.path()).await;
    let bytes = [&b"other "[..], &proves(&start, before)].concat();
    let Reply::Disputed(dispute) = offers(&settler, 2, held(&start, before, bytes, 2, 1)).await else {
        panic!("it is disputed")
    };
    assert_eq!(dispute.statement.cause.code, "SW-SETTLE-005");
    let text = format!("the proof is of program 0x2, and shard {} was started with 0x3", start.shard);
    assert_eq!(dispute.statement.cause.reason, text);
    assert!(
        matches!(&shown(&settler, identity(2).peer())[..], [Shown::NoProof(cause)] if cause.code == "SW-SETTLE-005")
    );
    assert!(is_banned(&settler, identity(2).peer()));
    assert!(matches!(settler.world.shard(start.shard).await.unwrap().unwrap().state, ShardState::Started));
}

#[tokio::test(start_paused = true)]
async fn a_proof_of_another_job_is_not_fetched_and_nobodys_fault() {
    let folder = tempfile::tempdir().unwrap();
    let (settler, _tasks, start, before) = settler(folder.path()).await;
    let other = StoredProof { job: Hash::of(b"another"), leased: None, ..held(&start, before, vec![7; 10], 2, 1) };
    let reply = offers(&settler, 2, other).await;
    assert!(
        matches!(&reply, Reply::Skipped { reason: SkipReason::OtherJob, cause, .. } if cause.code == "SW-SETTLER-005"),
        "{reply:?}"
    );
    assert_eq!(settler.host.peers.view(identity(2).peer()).components, shardwire_reputation::Components::default());
}

/// A run of the fixed rules has one segment; this one is made by hand.
#[tokio::test(start_paused = true)]
async fn a_proof_of_another_segment_decides_nothing_about_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let (settler, _tasks, start, before) = settler(folder.path()).await;
    let job = shardwire_protocols::trace::job_id(PROGRAM, start.commitment(), before, 1);
    let bytes = proves(&start, before);
    let second = StoredProof { segment: 1, job, leased: None, ..held(&start, before, bytes.clone(), 2, 1) };
    let reply = offers(&settler, 2, second).await;
    assert!(matches!(reply, Reply::Skipped { reason: SkipReason::OtherJob, .. }), "{reply:?}");
    let [first, second] = [0, 1].map(|segment| SegmentId { shard: start.shard, segment });
    // What is noted of the second one isn't the first one's.
    let verdict = shardwire_store::records::KeptVerdict {
        proof: Hash::of(&bytes),
        prover: identity(2).peer(),
        bytes: 1,
        verify_us: 1,
        fault: Some(KeptCause { code: "SW-X-001".to_owned(), reason: "the second segment's".to_owned() }),
    };
    settler.host.store.put(&VERDICTS, &second, &verdict).unwrap();
    let lease = |segment| {
        let job = shardwire_protocols::trace::job_id(PROGRAM, start.commitment(), before, segment);
        let terms = |prover: u8| LeaseTerms { job, epoch: 1, expires: Timestamp(1), prover: identity(prover).peer() };
        [2, 3].map(|prover| Leased::by(operator().peer(), &Signed::by(&operator(), terms(prover))))
    };
    settler.compare(first, &lease(0)[0]).await.unwrap();
    settler.compare(second, &lease(1)[1]).await.unwrap();
    assert!(shown(&settler, operator().peer()).is_empty(), "one epoch of two jobs");
    // It is judged itself: `proves` names an update that isn't in the list.
    let reply = offers(&settler, 2, held(&start, before, bytes, 2, 1)).await;
    assert!(matches!(&reply, Reply::Disputed(it) if it.statement.cause.code == "SW-SETTLE-004"), "{reply:?}");
    let faults = [first, second].map(|segment| settler.host.store.get(&VERDICTS, &segment).unwrap().unwrap().fault);
    assert_eq!(faults.map(|fault| fault.unwrap().code), ["SW-SETTLE-004", "SW-X-001"]);
}

#[tokio::test(start_paused = true)]
async fn an_operator_that_leases_a_job_twice_at_once_is_shown_and_its_provers_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let (settler, _tasks, start, before) = settler(folder.path()).await;
    // An honest operator: each lease has an epoch of its own, and a prover shows its lease again and again.
    let record = |prover: u8, epoch| held(&start, before, vec![7; 10], prover, epoch).leased.unwrap();
    for (prover, epoch) in [(2, 1), (3, 2), (2, 1), (2, 3)] {
        settler.compare(SegmentId::first(start.shard), &record(prover, epoch)).await.unwrap();
    }
    assert!(shown(&settler, operator().peer()).is_empty());

    settler.compare(SegmentId::first(start.shard), &record(4, 2)).await.unwrap();
    assert_eq!(shown(&settler, operator().peer()), [Shown::TwoLeases]);
    assert!(is_banned(&settler, operator().peer()));
    for prover in [2, 3, 4] {
        assert_eq!(settler.host.peers.standing(identity(prover).peer()), Standing::Admitted(Tier::Low));
    }
    settler.compare(SegmentId::first(start.shard), &record(4, 2)).await.unwrap();
    assert_eq!(shown(&settler, operator().peer()).len(), 1, "once is enough");

    // Somebody else's leases of the job show nothing against anybody.
    let other = identity(8);
    for prover in [2, 3] {
        let terms = LeaseTerms { prover: identity(prover).peer(), ..record(2, 1).terms };
        settler
            .compare(SegmentId::first(start.shard), &Leased::by(other.peer(), &Signed::by(&other, terms)))
            .await
            .unwrap();
    }
    assert!(shown(&settler, other.peer()).is_empty() && !is_banned(&settler, other.peer()));
}

/// Each name costs a reading of a history, and anybody may name a thousand in every question.
#[tokio::test(start_paused = true)]
async fn of_shards_that_are_not_an_operators_a_few_are_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let (settler, _tasks, start, _) = settler(folder.path()).await;
    settler.assigned(start.operator, start.shard).await.unwrap();
    settler.abort(start.shard, AbortReason::Asked { by: identity(1).peer() }).await.unwrap();
    let told = async |foreign: u64, repeated: usize| {
        // Before its own in the order in which they are looked at.
        let others = (0..foreign).map(|number| ShardId(Felt::from(number)));
        let known: Vec<ShardId> = others.chain(vec![start.shard; repeated]).collect();
        let asked = handoff::Handler::next(&*settler, start.operator, &known, &[]);
        tokio::time::timeout(std::time::Duration::from_secs(15), asked).await.is_ok()
    };
    let most = super::handoff::MAX_FOREIGN as u64;
    assert_eq!([told(0, 1).await, told(most, 100).await, told(most + 1, 1).await], [true, true, false]);
}

#[tokio::test(start_paused = true)]
async fn an_operator_gets_what_is_in_the_history_though_another_shard_is_not_yet() {
    let folder = tempfile::tempdir().unwrap();
    let (settler, _tasks, start, _) = settler(folder.path()).await;
    // The World has more, of which the history says nothing yet: one before this shard in the order of the ids, one after it.
    let deadline = settler.host.clock.now().plus(std::time::Duration::from_secs(3600));
    for is_before in [true, false] {
        let id = |request: &StartRequest| request.validate("test", deadline).unwrap().shard;
        let request = (2..).map(request).find(|it| (id(it) < start.shard) == is_before).unwrap();
        settler.world.submit(Operation::Start { request, deadline }).await.unwrap();
    }
    let Answer::Assign(assign) = handoff::Handler::next(&*settler, operator().peer(), &[], &[]).await.unwrap() else {
        panic!("an assignment")
    };
    assert_eq!(assign.start.shard, start.shard);
    let known = [start.shard];
    let asks = handoff::Handler::next(&*settler, operator().peer(), &known, &[]);
    assert!(tokio::time::timeout(std::time::Duration::from_secs(60), asks).await.is_err(), "there is nothing else yet");
}

/// A fixed bug: the open shard with the lowest id was assigned again at once after each decline, under an epoch more each time, and no other one before it was accepted.
#[tokio::test(start_paused = true)]
async fn a_declined_shard_waits_and_stands_in_no_other_ones_way() {
    let folder = tempfile::tempdir().unwrap();
    let (settler, _tasks, one, _) = settler(folder.path()).await;
    let two = settler.start(&request(2), identity(1).peer(), None).await.unwrap();
    let (first, second) = (one.shard.min(two.shard), one.shard.max(two.shard));
    let me = operator().peer();
    let assigned = async |known: &[ShardId]| {
        let asked = handoff::Handler::next(&*settler, me, known, &[]);
        match tokio::time::timeout(super::declined::WAITS.longest, asked).await {
            Ok(Ok(Answer::Assign(assign))) => (assign.start.shard, assign.epoch),
            other => panic!("{other:?}"),
        }
    };
    let decline = async |shard| {
        let cause = Cause::new("SW-TEST-001", "no room");
        handoff::Handler::declined(&*settler, me, shard, cause).await.unwrap();
    };
    assert_eq!(assigned(&[]).await, (first, 1));
    decline(first).await;
    assert_eq!(assigned(&[]).await, (second, 1), "the other one comes next");
    let accepted = Signed::by(&operator(), handoff::Acceptance { shard: second, epoch: 1 });
    handoff::Handler::accepted(&*settler, me, accepted).await.unwrap();
    for times in 1..4 {
        let began = tokio::time::Instant::now();
        assert_eq!(assigned(&[second]).await, (first, 1), "nobody held it, so its epoch stays");
        let most = super::declined::WAITS.first * 2_u32.pow(times);
        assert!((super::declined::WAITS.first..most).contains(&began.elapsed()), "{:?}", began.elapsed());
        decline(first).await;
    }
    assert_eq!(
        assigned(&[]).await,
        (second, 2),
        "an operator that has lost what it accepted gets it under the next epoch"
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_of_a_shard_wakes_its_operator_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (settler, _tasks, start, _) = settler(folder.path()).await;
    let (its, another) = (settler.assignments.of(operator().peer()), settler.assignments.of(identity(8).peer()));
    let (its, another) = (its.next(), another.next());
    settler.abort(start.shard, AbortReason::Asked { by: identity(1).peer() }).await.unwrap();
    its.await;
    assert!(tokio::time::timeout(std::time::Duration::from_secs(60), another).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_the_world_decided_is_dated_by_the_world_though_the_clock_was_set_back() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SetClock(AtomicU64::new(1_000_000)));
    let (settler, _tasks, start, _) = settler_by(folder.path(), clock.clone()).await;
    // The World aborts when the deadline has passed; before the settler hears of it, its clock is set back.
    let late = start.deadline.plus(std::time::Duration::from_secs(1));
    clock.0.store(late.0, Ordering::SeqCst);
    let reason = AbortReason::Deadline;
    settler.host.store.put(&INTENTS, &SegmentId::first(start.shard), &Intent::Abort { reason }).unwrap();
    settler.world.submit(Operation::Abort { shard: start.shard, reason }).await.unwrap();
    clock.0.store(2_000_000, Ordering::SeqCst);
    settler.catch_up(&settler.turns.take(start.shard).await).await.unwrap();
    let part = Part::of(SegmentId::first(start.shard), Role::Settler);
    let entries = settler.host.store.entries(&history_of(&part)).unwrap();
    let last = &entries.last().unwrap().statement;
    assert_eq!((&last.step, last.at), (&Step::Aborted { why: AbortCause::TimedOut }, late));
}
