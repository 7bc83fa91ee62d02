//! A settler over a World on a simulated disk: what becomes of shards that are started, settled, aborted and forgotten.

use super::{life::Applied, *};
use error::Objection;
use proptest::prelude::*;
use shardwire_disk::{Medium, SimulatedDisk, Survives};
use shardwire_host::{
    Tasks,
    history::Lives as _,
    testing::{HeldCommits, TestClock, host},
};
use shardwire_model::life::AbortReason;
use shardwire_model::life::Ended;
use shardwire_model::{
    AccountId, AccountKey, Clock, Coded, ContractId, EntryRequest, EventId, Felt, Hash, Key, Output, PeerId, Role,
    SegmentId, ShardStart, Stage, StartRequest, Terms, Timestamp, Update, finished_selector,
    life::{AbortCause, Life, MAX_TIMEOUT, Part, Step},
};
use shardwire_protocols::{
    handoff::{Answer, Handler as _, Outcome},
    history::verify,
};
use shardwire_proving::verify::Verify;
use shardwire_proving::verify::{Proven, VerifyError};
use shardwire_store::{
    Store, Work,
    records::{INTENTS, Intent, KeptVerdict, LAYOUT},
};
use shardwire_transport::Identity;
use shardwire_world::{
    EmbeddedLedger, EmbeddedWorld, Genesis, GenesisEntry, GenesisValue, ShardRecord, ShardState, WorldIdentity,
};
use std::path::Path;
use tokio::time::sleep;

const PROGRAM: Felt = super::tests::PROGRAM;
pub(super) const GOLD: u64 = 0x20;
const SWORD: u64 = 0x30;
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const PROOF: Hash = Hash([5; 32]);

pub(super) fn identity(number: u8) -> Identity {
    Identity::from_secret(&[number; 32])
}

pub(super) fn somebody() -> PeerId {
    identity(7).peer()
}

fn account() -> AccountId {
    AccountKey::from_secret([9; 32]).id()
}

/// Believes nothing: these tests bring outputs that are verified already.
#[derive(Debug)]
struct NoVerifier;

impl Verify for NoVerifier {
    fn verify(&self, _: &[u8]) -> Result<Proven, VerifyError> {
        Err(VerifyError::Rejected("nothing is believed here".into()))
    }
}

fn genesis() -> Genesis {
    let entry =
        |key, kind, value| GenesisEntry { contract: ContractId(Felt::from(5)), key: Key(Felt::from(key)), kind, value };
    let gold = entry(GOLD, shardwire_model::Kind::Escrow, GenesisValue::Number(100));
    let sword = entry(SWORD, shardwire_model::Kind::Lock, GenesisValue::Hex(account().0));
    Genesis { storage: vec![gold, sword] }
}

fn world() -> WorldIdentity {
    WorldIdentity::new("test", genesis().hash().unwrap(), [identity(1).peer()], [PROGRAM]).unwrap()
}

/// A machine with two databases.
pub(super) struct Machine {
    medium: Medium,
    folder: tempfile::TempDir,
}

pub(super) struct Run {
    pub(super) settler: Arc<Settler>,
    pub(super) world: Arc<dyn World>,
    _tasks: Tasks,
}

impl Machine {
    pub(super) fn new() -> Self {
        let machine = Self { medium: Medium::new(1), folder: tempfile::tempdir().unwrap() };
        let disk = SimulatedDisk::new(&machine.medium);
        drop(EmbeddedLedger::create(&disk, Path::new("ledger"), &world(), &genesis()).unwrap());
        drop(Store::open(&disk, Path::new("store"), &LAYOUT).unwrap());
        machine
    }

    fn store(&self) -> Result<Store, String> {
        let disk = SimulatedDisk::new(&self.medium);
        Store::open(&disk, Path::new("store"), &LAYOUT).map_err(|error| error.to_string())
    }

    pub(super) fn ledger(&self, clock: &Arc<impl Clock + 'static>) -> Result<EmbeddedWorld, String> {
        let disk = SimulatedDisk::new(&self.medium);
        let ledger = EmbeddedLedger::open(&disk, Path::new("ledger"), &world());
        Ok(EmbeddedWorld::new(ledger.map_err(|error| error.to_string())?, clock.clone(), Work::AtOnce))
    }

    /// The settler begins, or begins again.
    pub(super) async fn settler(&self, clock: &Arc<impl Clock + 'static>) -> Result<Run, String> {
        self.configured("", clock).await
    }

    /// As [`settler`](Self::settler), over this World.
    pub(super) async fn over(&self, world: Arc<dyn World>, clock: &Arc<impl Clock + 'static>) -> Result<Run, String> {
        self.settler_of(self.store()?, world, clock, "").await
    }

    /// As [`settler`](Self::settler), configured like this.
    pub(super) async fn configured(&self, config: &str, clock: &Arc<impl Clock + 'static>) -> Result<Run, String> {
        self.settler_of(self.store()?, Arc::new(self.ledger(clock)?), clock, config).await
    }

    async fn settler_of(
        &self,
        store: Store,
        world: Arc<dyn World>,
        clock: &Arc<impl Clock + 'static>,
        config: &str,
    ) -> Result<Run, String> {
        let judge = Arc::new(Judge::new(Arc::new(NoVerifier), Arc::new(super::tests::NoOrigins)));
        self.judged(store, world, clock, config, judge).await
    }

    /// As [`settler`](Self::settler), with this judge.
    pub(super) async fn with_judge(&self, clock: &Arc<impl Clock + 'static>, judge: Judge) -> Result<Run, String> {
        self.judged(self.store()?, Arc::new(self.ledger(clock)?), clock, "", Arc::new(judge)).await
    }

    async fn judged(
        &self,
        store: Store,
        world: Arc<dyn World>,
        clock: &Arc<impl Clock + 'static>,
        config: &str,
        judge: Arc<Judge>,
    ) -> Result<Run, String> {
        let (host, tasks) = host(identity(1), store, self.folder.path(), clock.clone(), config);
        let settler =
            Settler::resume(host, world.clone(), judge, 10 * MINUTE).await.map_err(|error| error.to_string())?;
        Ok(Run { settler, world, _tasks: tasks })
    }
}

pub(super) fn request(salt: u64) -> StartRequest {
    let contract = ContractId(Felt::from(5));
    let entry = |kind, key, owner, amount| EntryRequest { kind, contract, key: Key(Felt::from(key)), owner, amount };
    StartRequest {
        salt,
        program: PROGRAM,
        operator: identity(2).peer(),
        contracts: vec![contract],
        accounts: vec![account()],
        end_event: EventId { from: contract, selector: finished_selector() },
        entries: vec![
            entry(shardwire_model::Kind::Escrow, GOLD, Some(account()), 40),
            entry(shardwire_model::Kind::Lock, SWORD, None, 0),
        ],
        terms: Terms::Rules,
    }
}

/// What a run that spent ten puts out.
pub(super) async fn output(world: &dyn World, start: &ShardStart) -> Output {
    output_of(&world.shard(start.shard).await.unwrap().unwrap())
}

/// As [`output`], of this record.
pub(super) fn output_of(record: &ShardRecord) -> Output {
    let values = [Felt::from(30), record.values[1]];
    let updates = record.start.entries.iter().zip(values);
    Output {
        program: record.start.program,
        shard: record.start.shard,
        segment: 0,
        before: record.before,
        after: Felt::ONE,
        reads: Felt::ZERO,
        transactions: Felt::ONE,
        count: 3,
        ended: true,
        updates: updates
            .map(|(it, value)| Update { kind: it.kind, contract: it.contract, key: it.key, value })
            .collect(),
    }
}

pub(super) fn verdict(proof: Hash) -> KeptVerdict {
    KeptVerdict { proof, prover: identity(3).peer(), bytes: 1000, verify_us: 5, fault: None }
}

pub(super) async fn gold(world: &dyn World) -> (Felt, u128, Option<ShardId>) {
    let storage = world.storage(None, 10).await.unwrap();
    (storage[0].value, storage[0].in_escrow, storage[1].held_by)
}

pub(super) fn lived(settler: &Settler, shard: ShardId) -> Life {
    settler.life(shard).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_aborted_shard_gives_back_what_it_took_and_everybody_is_told() {
    let (machine, clock) = (Machine::new(), TestClock::new());
    let Run { settler, world, .. } = &machine.settler(&clock).await.unwrap();
    let start = settler.start(&request(1), somebody(), Some(60)).await.unwrap();
    let deadline = start.deadline;
    assert_eq!((deadline, settler.starter(start.shard)), (Timestamp(60_000), Some(somebody())));
    assert_eq!(gold(&**world).await, (Felt::from(60), 40, Some(start.shard)));
    let Answer::Assign(assigned) = settler.next(start.operator, &[], &[]).await.unwrap() else { panic!("assigned") };
    assert_eq!(assigned.start, start);

    sleep(MINUTE / 2).await;
    let asked = AbortReason::Asked { by: somebody() };
    assert_eq!(settler.abort(start.shard, asked).await.unwrap(), Timestamp(30_000));
    assert_eq!(gold(&**world).await, (Felt::from(100), 0, None));
    sleep(2 * MINUTE).await;
    assert_eq!(
        settler.abort(start.shard, AbortReason::Deadline).await.unwrap(),
        Timestamp(30_000),
        "again changes nothing"
    );
    assert_eq!(
        lived(settler, start.shard).steps().last(),
        Some(&Step::Aborted { why: AbortCause::Asked { by: somebody() } })
    );

    let Answer::Closed(closed) = settler.next(start.operator, &[start.shard], &[]).await.unwrap() else {
        panic!("closed")
    };
    assert_eq!((closed.shard, closed.outcome), (start.shard, Outcome::Aborted));
    // A proof that comes now is late.
    let late = settler.settle(start.shard, output(&**world, &start).await, &verdict(PROOF)).await.unwrap();
    assert!(matches!(late, Applied::Not(Objection::Ended(Ended::Aborted))), "{late:?}");
    assert_eq!(gold(&**world).await, (Felt::from(100), 0, None));
    let error = settler.abort(ShardId(Felt::ONE), asked).await.unwrap_err();
    assert!(matches!(error, SettlerError::Refused(Refusal::UnknownShard { .. })), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_shard_times_out_on_the_clock_of_its_settler_and_one_that_settled_does_not() {
    let (machine, clock) = (Machine::new(), TestClock::new());
    let Run { settler, world, _tasks } = machine.settler(&clock).await.unwrap();
    let first = settler.start(&request(1), somebody(), Some(60)).await.unwrap();
    let applied = settler.settle(first.shard, output(&*world, &first).await, &verdict(PROOF)).await.unwrap();
    assert!(matches!(applied, Applied::Settled(settled) if settled.proof == PROOF));
    let second = settler.start(&request(2), somebody(), Some(60)).await.unwrap();
    sleep(MINUTE - Duration::from_secs(1)).await;
    assert!(!lived(&settler, second.shard).is_over());
    sleep(2 * LOOK).await;
    assert_eq!(lived(&settler, second.shard).steps().last(), Some(&Step::Aborted { why: AbortCause::TimedOut }));
    assert_eq!(lived(&settler, first.shard).stage(), Some(Stage::Settled));
    assert_eq!(gold(&*world).await, (Felt::from(90), 0, None));
    let refused = settler.abort(first.shard, AbortReason::Deadline).await.unwrap_err();
    assert_eq!(refused.code(), "SW-LEDGER-013");
}

#[tokio::test(start_paused = true)]
async fn a_shard_whose_proof_holds_and_cannot_be_merged_is_aborted_and_says_why() {
    let (machine, clock) = (Machine::new(), TestClock::new());
    let shard = {
        let Run { settler, world, .. } = &machine.settler(&clock).await.unwrap();
        let start = settler.start(&request(1), somebody(), None).await.unwrap();
        // Proven, whatever the program should have said.
        let mut output = output(&**world, &start).await;
        output.updates[0].value = Felt::from(41);
        let applied = settler.settle(start.shard, output, &verdict(PROOF)).await.unwrap();
        assert!(matches!(&applied, Applied::Not(Objection::World(Refusal::Merge(_)))), "{applied:?}");
        assert_eq!(lived(settler, start.shard).steps().last(), Some(&Step::Aborted { why: AbortCause::Unmergeable }));
        assert_eq!(gold(&**world).await, (Felt::from(100), 0, None), "escrow and lock are back");
        let status = settler.shards(Some(start.shard), 1).await.unwrap().remove(0);
        assert_eq!((status.stage, status.error.unwrap().code.as_str()), (Stage::Aborted, "SW-MERGE-010"));
        assert_eq!(settler.host.store.all(&INTENTS).unwrap(), []);
        world.audit().await.unwrap();
        start.shard
    };
    // A settler that lost its power in between goes on with the abort; one that comes again finds it done.
    let Run { settler, .. } = &machine.settler(&clock).await.unwrap();
    let asked = AbortReason::Asked { by: somebody() };
    assert_eq!(settler.abort(shard, asked).await.unwrap(), Timestamp(0));
}

#[tokio::test(start_paused = true)]
async fn a_settler_that_crashed_before_the_abort_of_what_cannot_be_merged_goes_on_with_it() {
    let (machine, clock) = (Machine::new(), TestClock::new());
    let shard = {
        let Run { settler, world, .. } = &machine.settler(&clock).await.unwrap();
        let start = settler.start(&request(1), somebody(), None).await.unwrap();
        let mut output = output(&**world, &start).await;
        output.updates.truncate(1);
        let step = Step::Verified { proof: PROOF, prover: identity(3).peer() };
        let intent = Intent::Settle { proof: PROOF, output };
        let shard = start.shard;
        let note =
            move |write: &mut shardwire_store::Write<'_>| Ok(write.put(&INTENTS, &SegmentId::first(shard), &intent)?);
        settler.advance(start.shard, step, note).await.unwrap();
        start.shard
    };
    let Run { settler, world, .. } = &machine.settler(&clock).await.unwrap();
    assert_eq!(lived(settler, shard).steps().last(), Some(&Step::Aborted { why: AbortCause::Unmergeable }));
    assert_eq!(gold(&**world).await, (Felt::from(100), 0, None));
}

/// Longer than the settler waits before it looks at deadlines again.
const LOOK: Duration = Duration::from_secs(6);

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passed_while_the_node_was_down_is_kept_when_it_starts() {
    let (machine, clock) = (Machine::new(), TestClock::new());
    let shard = {
        let Run { settler, .. } = &machine.settler(&clock).await.unwrap();
        settler.start(&request(1), somebody(), None).await.unwrap().shard
    };
    sleep(11 * MINUTE).await;
    let Run { settler, world, _tasks } = machine.settler(&clock).await.unwrap();
    assert!(!lived(&settler, shard).is_over());
    sleep(LOOK).await;
    assert_eq!(lived(&settler, shard).steps().last(), Some(&Step::Aborted { why: AbortCause::TimedOut }));
    assert_eq!(gold(&*world).await, (Felt::from(100), 0, None));
}

#[tokio::test(start_paused = true)]
async fn what_was_verified_is_settled_after_a_crash_without_its_proof() {
    let (machine, clock) = (Machine::new(), TestClock::new());
    let start = {
        let Run { settler, world, .. } = &machine.settler(&clock).await.unwrap();
        let start = settler.start(&request(1), somebody(), None).await.unwrap();
        // As far as the World's transaction.
        let step = Step::Verified { proof: PROOF, prover: identity(3).peer() };
        let intent = Intent::Settle { proof: PROOF, output: output(&**world, &start).await };
        let shard = start.shard;
        settler
            .advance(shard, step, move |write| Ok(write.put(&INTENTS, &SegmentId::first(shard), &intent)?))
            .await
            .unwrap();
        start
    };
    let Run { settler, world, .. } = &machine.settler(&clock).await.unwrap();
    assert_eq!(lived(settler, start.shard).steps().last(), Some(&Step::Settled { proof: Some(PROOF) }));
    assert_eq!(gold(&**world).await, (Felt::from(90), 0, None));
    assert_eq!(settler.host.store.all(&INTENTS).unwrap(), []);
    // The operator never got to say that it accepts: too late to matter.
    settler.assigned(start.operator, start.shard).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_refused_leaves_nothing_and_a_timeout_has_bounds() {
    let (machine, clock) = (Machine::new(), TestClock::new());
    let Run { settler, .. } = &machine.settler(&clock).await.unwrap();
    let start = settler.start(&request(1), somebody(), None).await.unwrap();
    // The sword is taken.
    let refused = settler.start(&request(2), somebody(), None).await.unwrap_err();
    assert!(matches!(refused, SettlerError::Refused(Refusal::Merge(_))), "{refused}");
    let again = settler.start(&request(1), identity(8).peer(), Some(5)).await.unwrap_err();
    assert_eq!(again.code(), "SW-LEDGER-011");
    assert_eq!(settler.starter(start.shard), Some(somebody()));
    assert_eq!(settler.host.store.all(&INTENTS).unwrap(), []);
    for seconds in [0, MAX_TIMEOUT.as_secs() + 1] {
        let error = settler.start(&request(3), somebody(), Some(seconds)).await.unwrap_err();
        assert_eq!(error.to_string(), format!("a time-out of {seconds} s is not between one second and 30 days"));
        assert_eq!(error.code(), "SW-SETTLER-007");
        assert_eq!(error.next_step(), "Give a time within these bounds, or none for the node's own.");
    }
}

/// What is done in one life: each as far as the power lasts.
async fn attempt(life: &Run, settles: bool) -> Result<(), SettlerError> {
    let (settler, world) = (&life.settler, &*life.world);
    let start = match settler.start(&request(1), somebody(), None).await {
        Err(SettlerError::Refused(Refusal::AlreadyStarted { shard })) => world.shard(shard).await?.unwrap().start,
        started => started?,
    };
    if settles {
        settler.assigned(start.operator, start.shard).await?;
        drop(settler.settle(start.shard, output(world, &start).await, &verdict(PROOF)).await?);
    }
    match settler.abort(start.shard, AbortReason::Asked { by: somebody() }).await {
        Err(SettlerError::Refused(Refusal::AlreadySettled { .. })) if settles => Ok(()),
        ended => ended.map(drop),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever write the power fails at, and as often: World and history agree when the settler has begun again, nothing is lost or
    /// doubled, and the history verifies.
    #[test]
    fn a_crash_anywhere_costs_only_time(settles in any::<bool>(), crashes in prop::collection::vec((0..120u64, any::<u64>()), 0..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (machine, clock) = (Machine::new(), TestClock::new());
            for (acts, seed) in crashes {
                machine.medium.power_off_after(acts);
                if let Ok(life) = machine.settler(&clock).await {
                    drop(attempt(&life, settles).await);
                }
                machine.medium.power_on(Survives::Some(seed));
            }
            let life = machine.settler(&clock).await.unwrap();
            attempt(&life, settles).await.unwrap();
            let Run { settler, world, .. } = &life;
            let shard = world.shards(None, 10).await.unwrap()[0].shard;
            let history = settler.host.store.entries(&[]).unwrap();
            let part = Part::of(SegmentId::first(shard), Role::Settler);
            let read = verify(&identity(1).peer(), part, &history).unwrap();
            let last = read.life().stage();
            let settled = matches!(world.shard(shard).await.unwrap().unwrap().state, ShardState::Settled(_));
            assert_eq!(last, Some(if settled { Stage::Settled } else { Stage::Aborted }));
            assert_eq!(gold(&**world).await, (Felt::from(if settled { 90 } else { 100 }), 0, None));
            // One that was settled before it was tried to be aborted is settled.
            assert!(settled || !settles || read.life().step(Stage::Verified).is_none());
            assert_eq!(settler.host.store.all(&INTENTS).unwrap(), []);
            world.audit().await.unwrap();
        });
    }
}

/// A fixed bug: notes, steps and verdicts were committed on the threads of all sessions.
#[tokio::test]
async fn while_the_disk_takes_its_time_others_are_served_and_what_the_world_decided_is_seen_through() {
    let (machine, clock) = (Machine::new(), TestClock::new());
    let Run { settler, _tasks, .. } = &machine.settler(&clock).await.unwrap();
    let first = settler.start(&request(1), somebody(), None).await.unwrap();
    let shard = first.shard;

    let held = HeldCommits::of(&settler.host.store);
    let aborts = settler.clone();
    let session = tokio::spawn(async move { aborts.abort(shard, AbortReason::Asked { by: somebody() }).await });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!session.is_finished());
    assert_eq!(
        settler.shards(None, 10).await.unwrap()[0].stage,
        Stage::Started,
        "nothing is seen before it is durable"
    );
    assert!(matches!(settler.world.shard(shard).await.unwrap().unwrap().state, ShardState::Started));
    session.abort();
    assert!(session.await.unwrap_err().is_cancelled());
    drop(held);
    // The note is durable, so the abort is done, by the settler itself.
    let told = settler.assignments.of(first.operator);
    while !lived(settler, shard).is_over() {
        let _ = tokio::time::timeout(Duration::from_millis(50), told.next()).await;
    }
    assert_eq!(settler.host.store.all(&INTENTS).unwrap(), []);
    let Answer::Closed(closed) = settler.next(first.operator, &[shard], &[]).await.unwrap() else { panic!("closed") };
    assert_eq!(closed.outcome, Outcome::Aborted);
}

/// A fixed bug: a session that went away gave the turn to others while its note was on its way to the disk, so an abort could take its place.
#[tokio::test]
async fn a_proof_whose_session_goes_while_it_is_noted_comes_before_an_abort_that_is_asked_for_then() {
    let (machine, clock) = (Machine::new(), TestClock::new());
    let Run { settler, _tasks, .. } = &machine.settler(&clock).await.unwrap();
    let start = settler.start(&request(1), somebody(), None).await.unwrap();
    let (shard, proven) = (start.shard, output(&*settler.world, &start).await);
    let waits = async || {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    };

    let held = HeldCommits::of(&settler.host.store);
    let settles = settler.clone();
    let session = tokio::spawn(async move { settles.settle(shard, proven, &verdict(PROOF)).await });
    waits().await;
    session.abort();
    assert!(session.await.unwrap_err().is_cancelled());
    let aborts = settler.clone();
    let abort = tokio::spawn(async move { aborts.abort(shard, AbortReason::Asked { by: somebody() }).await });
    waits().await;
    drop(held);
    let refused = abort.await.unwrap().unwrap_err();
    assert!(matches!(refused, SettlerError::Refused(Refusal::AlreadySettled { .. })), "{refused}");
    assert_eq!(lived(settler, shard).steps().last(), Some(&Step::Settled { proof: Some(PROOF) }));
}
