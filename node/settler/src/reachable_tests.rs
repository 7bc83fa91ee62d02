//! A World that can't be reached for a while: the settler isn't ready and says why, asks it again by itself, and goes on.

use super::{
    life_tests::{MINUTE, Machine, gold, lived, request, somebody},
    *,
};
use shardwire_host::testing::TestClock;
use shardwire_model::{Coded as _, Felt, Slot, Stage};
use shardwire_telemetry::{Shortfall, Unmet};
use shardwire_world::{
    Answering, Audit, EmbeddedWorld, Operation, ShardRecord, ShardSummary, Standing, StorageEntry, WorldError,
    WorldIdentity,
};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tokio::time::sleep;

/// The code of a World that can't be read or written.
const AWAY: &str = "SW-LEDGER-009";

/// An embedded World that takes no submissions, or answers no questions, while it is told so.
#[derive(Debug)]
struct Away {
    decides: EmbeddedWorld,
    takes: AtomicBool,
    answers: AtomicBool,
    /// How often it was asked or told something in vain.
    in_vain: AtomicU32,
}

impl Away {
    fn over(decides: EmbeddedWorld) -> Arc<Self> {
        Arc::new(Self { decides, takes: true.into(), answers: true.into(), in_vain: AtomicU32::new(0) })
    }

    /// What it answers, unless it is away.
    fn unless_away<'a, T: Send + 'a>(
        &'a self,
        is_there: &AtomicBool,
        answer: Answering<'a, Result<T, WorldError>>,
    ) -> Answering<'a, Result<T, WorldError>> {
        if is_there.load(Ordering::SeqCst) {
            return answer;
        }
        self.in_vain.fetch_add(1, Ordering::SeqCst);
        let why = "no route to host".to_owned();
        Box::pin(std::future::ready(Err(WorldError::Disk { place: "the chain".to_owned(), why })))
    }
}

impl World for Away {
    fn identity(&self) -> &Arc<WorldIdentity> {
        self.decides.identity()
    }

    fn submit(&self, operation: Operation) -> Answering<'_, Result<Standing, WorldError>> {
        self.unless_away(&self.takes, Box::pin(async move { self.decides.submit(operation).await }))
    }

    fn standing(&self, ticket: Ticket) -> Answering<'_, Result<Standing, WorldError>> {
        self.unless_away(&self.answers, self.decides.standing(ticket))
    }

    fn revision(&self) -> u64 {
        self.decides.revision()
    }

    fn changed(&self, since: u64) -> Answering<'_, ()> {
        self.decides.changed(since)
    }

    fn shard(&self, shard: ShardId) -> Answering<'_, Result<Option<ShardRecord>, WorldError>> {
        self.unless_away(&self.answers, self.decides.shard(shard))
    }

    fn shards(&self, after: Option<ShardId>, limit: usize) -> Answering<'_, Result<Vec<ShardSummary>, WorldError>> {
        self.unless_away(&self.answers, self.decides.shards(after, limit))
    }

    fn open_shards(
        &self,
        operator: PeerId,
        after: Option<ShardId>,
        limit: usize,
    ) -> Answering<'_, Result<Vec<ShardId>, WorldError>> {
        self.unless_away(&self.answers, self.decides.open_shards(operator, after, limit))
    }

    fn storage(&self, after: Option<Slot>, limit: usize) -> Answering<'_, Result<Vec<StorageEntry>, WorldError>> {
        self.unless_away(&self.answers, self.decides.storage(after, limit))
    }

    fn audit(&self) -> Answering<'_, Result<Audit, WorldError>> {
        self.decides.audit()
    }
}

/// Why the condition `world` isn't met, if it isn't.
fn lacks(settler: &Settler) -> Option<Shortfall> {
    let unmet = settler.host.telemetry.unmet().into_iter();
    unmet.filter(|Unmet { condition, .. }| *condition == "world").map(|it| it.shortfall).next()
}

#[tokio::test(start_paused = true)]
async fn a_settler_whose_world_does_not_answer_is_not_ready_and_asks_until_it_does() {
    let (machine, clock) = (Machine::new(), TestClock::new());
    let world = Away::over(machine.ledger(&clock).unwrap());
    let run = machine.over(world.clone(), &clock).await.unwrap();
    let settler = &run.settler;
    assert_eq!(lacks(settler), None);
    world.answers.store(false, Ordering::SeqCst);
    assert_eq!(lacks(settler), None, "nobody has asked it anything");
    let error = settler.storage(None, 10).await.unwrap_err();
    assert_eq!(error.code(), AWAY);
    let lack = lacks(settler).expect("it isn't ready");
    assert_eq!((lack.code.as_str(), &lack.why, &lack.next_step), (AWAY, &error.to_string(), &error.next_step()));
    assert!(!lack.next_step.is_empty());
    // Nobody asks for anything; the settler does, with waits.
    let before = world.in_vain.load(Ordering::SeqCst);
    sleep(10 * MINUTE).await;
    let asked = world.in_vain.load(Ordering::SeqCst) - before;
    assert!((60..=600).contains(&asked) && lacks(settler).is_some(), "{asked} times in ten minutes");
    world.answers.store(true, Ordering::SeqCst);
    sleep(MINUTE).await;
    assert_eq!(lacks(settler), None, "it is ready again by itself");
    settler.storage(None, 10).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_world_did_not_take_is_submitted_again_and_until_then_answers_make_no_settler_ready() {
    let (machine, clock) = (Machine::new(), TestClock::new());
    let world = Away::over(machine.ledger(&clock).unwrap());
    let run = machine.over(world.clone(), &clock).await.unwrap();
    let settler = &run.settler;
    world.takes.store(false, Ordering::SeqCst);
    let failed = settler.start(&request(1), somebody(), None).await.unwrap_err();
    assert_eq!(failed.code(), AWAY);
    settler.storage(None, 10).await.unwrap();
    assert_eq!(lacks(settler).map(|it| it.code).as_deref(), Some(AWAY), "it answers, and takes nothing");
    sleep(5 * MINUTE).await;
    assert!(lacks(settler).is_some());
    assert_eq!(gold(&*world).await.0, Felt::from(100), "nothing is locked");
    world.takes.store(true, Ordering::SeqCst);
    sleep(MINUTE).await;
    assert_eq!(lacks(settler), None);
    let shard = request(1).shard_id("test");
    assert_eq!(lived(settler, shard).stage(), Some(Stage::Started), "what was noted is done");
    assert_eq!(gold(&*world).await.1, 40);
}
