//! A settler over a World that takes minutes to decide: it goes on with everything else meanwhile, also after a restart, and tells what was refused.

use super::{
    life::{Applied, CaughtUp},
    life_tests::{MINUTE, Machine, PROOF, gold, lived, output, request, somebody, verdict},
    *,
};
use shardwire_host::testing::TestClock;
use shardwire_model::life::AbortReason;
use shardwire_model::{Coded, Felt, PeerId, SegmentId, ShardId, Slot, Stage, life::Step};
use shardwire_protocols::handoff::Handler as _;
use shardwire_store::records::{INTENTS, VERDICTS};
use shardwire_world::{
    Answering, Audit, EmbeddedWorld, Operation, ShardRecord, ShardSummary, Standing, StorageEntry, Ticket, WorldError,
    WorldIdentity,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};

/// An embedded World that decides about held shards only when it is told to: what it has noted outlives its settlers.
#[derive(Debug)]
struct Undecided {
    decides: EmbeddedWorld,
    held: Mutex<BTreeSet<ShardId>>,
    noted: Mutex<Vec<Operation>>,
    changed: Notify,
    /// How often something was submitted.
    submitted: Mutex<u64>,
    revision: Mutex<u64>,
}

impl Undecided {
    fn over(decides: EmbeddedWorld) -> Arc<Self> {
        let (held, noted, changed) = (Mutex::default(), Mutex::default(), Notify::new());
        Arc::new(Self { decides, held, noted, changed, submitted: Mutex::default(), revision: Mutex::default() })
    }

    fn hold(&self, shard: ShardId) {
        self.held.lock().unwrap().insert(shard);
    }

    fn is_noted(&self, ticket: Ticket) -> bool {
        self.noted.lock().unwrap().iter().any(|it| it.ticket("test") == ticket)
    }

    /// Decides about everything that is pending.
    async fn decide(&self) {
        self.held.lock().unwrap().clear();
        let noted = std::mem::take(&mut *self.noted.lock().unwrap());
        for operation in noted {
            self.decides.submit(operation).await.unwrap();
        }
        self.announce();
    }

    fn announce(&self) {
        *self.revision.lock().unwrap() += 1;
        self.changed.notify_waiters();
    }
}

impl World for Undecided {
    fn identity(&self) -> &Arc<WorldIdentity> {
        self.decides.identity()
    }

    fn submit(&self, operation: Operation) -> Answering<'_, Result<Standing, WorldError>> {
        Box::pin(async move {
            *self.submitted.lock().unwrap() += 1;
            let ticket = operation.ticket("test");
            if self.is_noted(ticket) {
                return Ok(Standing::Pending);
            }
            if self.held.lock().unwrap().contains(&operation.shard("test")) {
                self.noted.lock().unwrap().push(operation);
                return Ok(Standing::Pending);
            }
            let standing = self.decides.submit(operation).await;
            self.announce();
            standing
        })
    }

    fn standing(&self, ticket: Ticket) -> Answering<'_, Result<Standing, WorldError>> {
        Box::pin(async move {
            if self.is_noted(ticket) { Ok(Standing::Pending) } else { self.decides.standing(ticket).await }
        })
    }

    fn revision(&self) -> u64 {
        *self.revision.lock().unwrap()
    }

    fn changed(&self, since: u64) -> Answering<'_, ()> {
        Box::pin(async move {
            loop {
                let changed = self.changed.notified();
                if self.revision() != since {
                    return;
                }
                changed.await;
            }
        })
    }

    fn shard(&self, shard: ShardId) -> Answering<'_, Result<Option<ShardRecord>, WorldError>> {
        self.decides.shard(shard)
    }

    fn shards(&self, after: Option<ShardId>, limit: usize) -> Answering<'_, Result<Vec<ShardSummary>, WorldError>> {
        self.decides.shards(after, limit)
    }

    fn open_shards(
        &self,
        operator: PeerId,
        after: Option<ShardId>,
        limit: usize,
    ) -> Answering<'_, Result<Vec<ShardId>, WorldError>> {
        self.decides.open_shards(operator, after, limit)
    }

    fn storage(&self, after: Option<Slot>, limit: usize) -> Answering<'_, Result<Vec<StorageEntry>, WorldError>> {
        self.decides.storage(after, limit)
    }

    fn audit(&self) -> Answering<'_, Result<Audit, WorldError>> {
        self.decides.audit()
    }
}

/// A shard of gold alone, so that several run at once.
fn gold_alone(salt: u64) -> shardwire_model::StartRequest {
    let mut request = request(salt);
    request.entries.truncate(1);
    request
}

async fn prepared() -> (Machine, Arc<TestClock>, Arc<Undecided>) {
    let (machine, clock) = (Machine::new(), TestClock::new());
    let world = Undecided::over(machine.ledger(&clock).unwrap());
    (machine, clock, world)
}

#[tokio::test(start_paused = true)]
async fn while_a_start_is_pending_everything_else_goes_on() {
    let (machine, clock, world) = prepared().await;
    let life = machine.over(world.clone(), &clock).await.unwrap();
    let settler = &life.settler;
    let slow = gold_alone(1).shard_id("test");
    world.hold(slow);
    let began = Instant::now();
    let starting = {
        let settler = settler.clone();
        tokio::spawn(async move { settler.start(&gold_alone(1), somebody(), None).await })
    };
    tokio::task::yield_now().await;

    // Another shard starts, is handed off, settles; what is asked is answered: all at once.
    let other = settler.start(&gold_alone(2), somebody(), None).await.unwrap();
    assert!(timeout(MINUTE, settler.next(other.operator, &[], &[])).await.unwrap().is_ok());
    let applied = settler.settle(other.shard, small_output(&*world, &other).await, &verdict(PROOF)).await.unwrap();
    assert!(matches!(applied, Applied::Settled(_)), "{applied:?}");
    assert_eq!(settler.storage(None, 10).await.unwrap().len(), 2);
    assert_eq!(began.elapsed(), Duration::ZERO);

    // Who asked is told that it is pending, and so is who looks; nobody is told that it has started.
    let pending = starting.await.unwrap().unwrap_err();
    assert_eq!(pending.code(), "SW-SETTLER-008");
    assert!(pending.next_step().contains("shardwire shard status"), "{}", pending.next_step());
    let again = settler.start(&gold_alone(1), somebody(), None).await.unwrap_err();
    assert_eq!(again.code(), "SW-SETTLER-008");
    let statuses = settler.shards(None, 10).await.unwrap();
    let status = statuses.iter().find(|status| status.shard == slow).unwrap();
    assert_eq!(status.error.as_ref().unwrap().code, "SW-SETTLER-008");
    assert!(
        timeout(MINUTE, settler.next(other.operator, &[other.shard], &[])).await.is_ok(),
        "the other one has closed"
    );
    assert!(lived(settler, slow).stage().is_none());

    sleep(5 * MINUTE).await;
    assert_eq!(gold(&*world).await.0, Felt::from(90));
    world.decide().await;
    sleep(Duration::from_millis(1)).await;
    assert_eq!(lived(settler, slow).stage(), Some(Stage::Started));
    assert!(settler.status(slow).await.unwrap().unwrap().error.is_none());
    assert_eq!((settler.starter(slow), gold(&*world).await.1), (Some(somebody()), 40));
    // Its deadline counts from when it was asked for.
    sleep(5 * MINUTE + Duration::from_secs(6)).await;
    assert_eq!(lived(settler, slow).stage(), Some(Stage::Aborted));
    assert!(settler.turns.try_take(slow).is_some());
}

/// The output of a run that spent ten of its gold.
async fn small_output(world: &dyn World, start: &shardwire_model::ShardStart) -> shardwire_model::Output {
    let mut record = world.shard(start.shard).await.unwrap().unwrap();
    record.values.push(Felt::ZERO);
    let mut output = super::life_tests::output_of(&record);
    output.updates.truncate(1);
    output
}

#[tokio::test(start_paused = true)]
async fn a_pending_settlement_survives_a_restart_and_is_applied_once() {
    let (machine, clock, world) = prepared().await;
    let shard = {
        let life = machine.over(world.clone(), &clock).await.unwrap();
        let start = life.settler.start(&request(1), somebody(), None).await.unwrap();
        world.hold(start.shard);
        let output = output(&*world, &start).await;
        let applied = life.settler.settle(start.shard, output, &verdict(PROOF)).await.unwrap();
        assert!(matches!(applied, Applied::Pending), "{applied:?}");
        let abort = life.settler.abort(start.shard, AbortReason::Asked { by: somebody() }).await.unwrap_err();
        assert_eq!(abort.code(), "SW-SETTLER-008", "one thing after the other");
        start.shard
    };
    sleep(3 * MINUTE).await;
    let life = machine.over(world.clone(), &clock).await.unwrap();
    assert_eq!(lived(&life.settler, shard).stage(), Some(Stage::Verified));
    let turn = life.settler.turns.take(shard).await;
    assert!(matches!(life.settler.catch_up(&turn).await.unwrap(), CaughtUp::Pending));
    drop(turn);
    assert_eq!(world.noted.lock().unwrap().len(), 1, "submitted again, it is the same operation");
    sleep(MINUTE).await;
    let submitted = *world.submitted.lock().unwrap();
    world.decide().await;
    sleep(Duration::from_millis(1)).await;
    assert_eq!(lived(&life.settler, shard).steps().last(), Some(&Step::Settled { proof: Some(PROOF) }));
    assert_eq!(gold(&*world).await, (Felt::from(90), 0, None));
    assert_eq!(*world.submitted.lock().unwrap(), submitted, "what is known to be pending is asked for, not submitted");
    assert_eq!(life.settler.host.store.all(&INTENTS).unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_after_minutes_is_told() {
    let (machine, clock, world) = prepared().await;
    let life = machine.over(world.clone(), &clock).await.unwrap();
    let settler = &life.settler;
    // Somebody else takes the sword while the start is pending.
    let slow = request(1).shard_id("test");
    world.hold(slow);
    assert_eq!(settler.start(&request(1), somebody(), None).await.unwrap_err().code(), "SW-SETTLER-008");
    let other = settler.start(&request(2), somebody(), None).await.unwrap();
    world.decide().await;
    sleep(Duration::from_millis(1)).await;
    let status = settler.status(slow).await.unwrap().unwrap();
    assert_eq!(status.error.unwrap().code, "SW-MERGE-003");
    assert!(lived(settler, slow).stage().is_none());

    // A settlement that the World refuses is disputed when its proof is offered again.
    world.hold(other.shard);
    let mut output = output(&*world, &other).await;
    output.updates[0].value = Felt::from(41);
    let applied = settler.settle(other.shard, output, &verdict(PROOF)).await.unwrap();
    assert!(matches!(applied, Applied::Pending), "{applied:?}");
    world.decide().await;
    sleep(Duration::from_millis(1)).await;
    let verdict = settler.host.store.get(&VERDICTS, &SegmentId::first(other.shard)).unwrap().unwrap();
    assert_eq!(verdict.fault.unwrap().code, "SW-MERGE-010");
    assert_eq!(gold(&*world).await.1, 0, "nothing else could settle the shard, so it is aborted");

    // In time, who asked hears it at once.
    world.hold(gold_alone(3).shard_id("test"));
    let late = {
        let (settler, world) = (settler.clone(), world.clone());
        tokio::spawn(async move {
            sleep(Duration::from_secs(10)).await;
            world.decide().await;
            drop(settler);
        })
    };
    let mut poor = gold_alone(3);
    poor.entries[0].amount = 101;
    world.hold(poor.shard_id("test"));
    let refused = settler.start(&poor, somebody(), None).await.unwrap_err();
    assert_eq!(refused.code(), "SW-MERGE-002");
    late.await.unwrap();
}
