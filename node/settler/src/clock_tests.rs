//! What the system's clock does to open shards when it is set: nothing.

use super::{
    SettlerError,
    life_tests::{MINUTE, Machine, Run, gold, identity, lived, output, request, somebody, verdict},
};
use shardwire_host::{
    clock::{ALONE_AFTER, BELIEVED_AFTER, LOOK_EVERY, NodeClock},
    testing::SetWall,
};
use shardwire_model::{
    Clock as _, Coded as _, Felt, Hash, PeerId, Role, SegmentId, Stage, Timestamp, Trust,
    life::{AbortCause, Part, Step},
};
use shardwire_store::records::history_of;
use shardwire_telemetry::Telemetry;
use std::{sync::Arc, time::Duration};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

const NOON: u64 = 1_800_000_000_000;
const TWO_DAYS: i64 = 2 * 24 * 60 * 60 * 1000;
/// Longer than the settler waits before it looks at deadlines again.
const LOOK: Duration = Duration::from_secs(6);

/// A node's clock that looks at the system's, until dropped.
struct Watched {
    clock: Arc<NodeClock>,
    watch: JoinHandle<()>,
}

impl Watched {
    /// A node begins: it reads the system's clock.
    fn over(wall: &Arc<SetWall>) -> Self {
        let clock = NodeClock::begin(wall.clone(), &Telemetry::default());
        let watch = tokio::spawn(clock.clone().watch());
        Self { clock, watch }
    }

    /// A peer tells what its clock shows, which is always right.
    fn hears(&self, peer: u8, right: &SetWall) {
        self.clock.heard(PeerId([peer; 32]), right.wall().ahead_of(self.clock.steady()));
    }

    /// How long it tells that.
    async fn hears_for(&self, peer: u8, right: &SetWall, length: Duration) {
        for _ in 0..length.as_secs() / 10 {
            self.hears(peer, right);
            sleep(Duration::from_secs(10)).await;
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

fn walls() -> [Arc<SetWall>; 2] {
    [(), ()].map(|()| SetWall::at(Timestamp(NOON)))
}

#[tokio::test(start_paused = true)]
async fn a_clock_two_days_ahead_for_three_seconds_aborts_no_live_shard() {
    for by in [TWO_DAYS, -TWO_DAYS] {
        let (machine, [wall, _]) = (Machine::new(), walls());
        let node = Watched::over(&wall);
        let Run { settler, world, .. } = &machine.settler(&node.clock).await.unwrap();
        let start = settler.start(&request(1), somebody(), None).await.unwrap();
        let deadline = start.deadline;
        assert_eq!(deadline, Timestamp(NOON).plus(10 * MINUTE));
        sleep(MINUTE).await;
        wall.jump(by);
        sleep(Duration::from_secs(3)).await;
        wall.jump(-by);
        sleep(8 * MINUTE).await;
        assert!(!lived(settler, start.shard).is_over());
        let applied = settler.settle(start.shard, output(&**world, &start).await, &verdict(Hash([5; 32]))).await;
        applied.unwrap();
        assert_eq!(lived(settler, start.shard).stage(), Some(Stage::Settled));
    }
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_began_on_a_clock_set_back_has_its_whole_time_when_that_is_corrected() {
    let (machine, [wall, right]) = (Machine::new(), walls());
    wall.jump(-TWO_DAYS);
    let node = Watched::over(&wall);
    let Run { settler, .. } = &machine.settler(&node.clock).await.unwrap();
    let hour = Some(60 * 60);
    let start = settler.start(&request(1), somebody(), hour).await.unwrap();
    let deadline = start.deadline;
    assert_eq!(deadline, right.wall().moved(-TWO_DAYS).plus(60 * MINUTE));
    // Corrected, and believed.
    wall.jump(TWO_DAYS);
    sleep(BELIEVED_AFTER + 2 * LOOK_EVERY).await;
    assert_eq!(node.clock.now(), right.wall());
    assert!(node.clock.now() > deadline);
    sleep(40 * MINUTE).await;
    assert!(!lived(settler, start.shard).is_over(), "fifty minutes");
    sleep(10 * MINUTE + LOOK).await;
    assert_eq!(lived(settler, start.shard).steps().last(), Some(&Step::Aborted { why: AbortCause::TimedOut }));
}

#[tokio::test(start_paused = true)]
async fn a_settler_that_restarts_two_days_ahead_aborts_nothing_while_its_peers_contradict_it() {
    let (machine, [wall, right]) = (Machine::new(), walls());
    let shard = {
        let node = Watched::over(&wall);
        node.hears(3, &right);
        let Run { settler, .. } = &machine.settler(&node.clock).await.unwrap();
        settler.start(&request(1), somebody(), Some(24 * 60 * 60)).await.unwrap().shard
    };
    wall.jump(TWO_DAYS);
    let node = Watched::over(&wall);
    let Run { settler, world, .. } = &machine.settler(&node.clock).await.unwrap();
    // Before it has heard a peer, and after it has.
    sleep(MINUTE).await;
    assert!(!lived(settler, shard).is_over());
    node.hears_for(3, &right, 10 * ALONE_AFTER).await;
    assert_eq!(node.clock.trust(), Trust::Contradicted);
    assert!(!lived(settler, shard).is_over());
    let refused = settler.start(&request(2), somebody(), None).await.unwrap_err();
    assert!(matches!(refused, SettlerError::Date));
    let unmet: Vec<_> = settler.host.telemetry.unmet().into_iter().map(|it| it.condition).collect();
    assert!(unmet.contains(&"date"), "it isn't ready: {unmet:?}");
    assert_eq!(gold(&**world).await.1, 40, "nothing more is locked");
    // Somebody sets the clock. The shard ends when its time is over.
    wall.jump(-TWO_DAYS);
    sleep(2 * BELIEVED_AFTER).await;
    assert_eq!((node.clock.trust(), node.clock.now()), (Trust::Confirmed, right.wall()));
    assert!(!lived(settler, shard).is_over());
    sleep(24 * 60 * MINUTE).await;
    assert_eq!(lived(settler, shard).steps().last(), Some(&Step::Aborted { why: AbortCause::TimedOut }));
    assert_eq!(gold(&**world).await, (Felt::from(100), 0, None));
}

#[tokio::test(start_paused = true)]
async fn a_start_waits_for_the_first_peers_date_and_is_refused_if_none_comes_in_five_seconds() {
    let named = format!("peers = ['{}@127.0.0.1:1']", PeerId([3; 32]));
    for (says, waits) in
        [(Some(Duration::from_millis(1234)), Duration::from_millis(1234)), (None, Duration::from_secs(5))]
    {
        let (machine, [wall, right]) = (Machine::new(), walls());
        let node = Watched::over(&wall);
        let Run { settler, .. } = &machine.configured(&named, &node.clock).await.unwrap();
        let began = Instant::now();
        let word = async {
            if let Some(after) = says {
                sleep(after).await;
                node.hears(3, &right);
            }
        };
        let request = request(1);
        // Over, and its lock free, long before the node goes on alone.
        let (started, ()) = tokio::join!(settler.start(&request, somebody(), Some(60)), word);
        assert_eq!(began.elapsed(), waits);
        match says {
            Some(_) => drop(started.unwrap()),
            // Found by simulation: its deadline was three days off, by a clock that was set right a second later.
            None => assert!(matches!(started, Err(SettlerError::Unconfirmed))),
        }
        sleep(ALONE_AFTER).await;
        settler.start(&self::request(2), somebody(), None).await.unwrap();
    }
    // A word that contradicts is one as well.
    let (machine, [wall, right]) = (Machine::new(), walls());
    wall.jump(TWO_DAYS);
    let node = Watched::over(&wall);
    let Run { settler, .. } = &machine.configured(&named, &node.clock).await.unwrap();
    let word = async {
        sleep(LOOK_EVERY / 3).await;
        node.hears(3, &right);
    };
    let request = request(1);
    let (refused, ()) = tokio::join!(settler.start(&request, somebody(), None), word);
    assert!(matches!(refused, Err(SettlerError::Date)));
}

#[tokio::test(start_paused = true)]
async fn a_settler_without_anybody_to_ask_keeps_a_deadline_after_ten_minutes() {
    let (machine, [wall, _]) = (Machine::new(), walls());
    let shard = {
        let node = Watched::over(&wall);
        let Run { settler, .. } = &machine.settler(&node.clock).await.unwrap();
        settler.start(&request(1), somebody(), None).await.unwrap().shard
    };
    sleep(60 * MINUTE).await;
    let node = Watched::over(&wall);
    let Run { settler, .. } = &machine.settler(&node.clock).await.unwrap();
    sleep(ALONE_AFTER - LOOK).await;
    assert!(!lived(settler, shard).is_over());
    sleep(2 * LOOK).await;
    assert_eq!(lived(settler, shard).steps().last(), Some(&Step::Aborted { why: AbortCause::TimedOut }));
}

#[tokio::test(start_paused = true)]
async fn a_settler_that_names_nobody_and_restarts_two_days_ahead_aborts_nothing_before_its_clock_is_set_or_its_operator_comes()
 {
    for operator_comes in [false, true] {
        let (machine, [wall, right]) = (Machine::new(), walls());
        let shard = {
            let node = Watched::over(&wall);
            let Run { settler, .. } = &machine.settler(&node.clock).await.unwrap();
            settler.start(&request(1), somebody(), Some(24 * 60 * 60)).await.unwrap().shard
        };
        wall.jump(TWO_DAYS);
        let node = Watched::over(&wall);
        let Run { settler, .. } = &machine.settler(&node.clock).await.unwrap();
        // It did after half a minute.
        sleep(5 * MINUTE).await;
        assert!(!lived(settler, shard).is_over());
        if operator_comes {
            node.hears_for(3, &right, 2 * ALONE_AFTER).await;
        } else {
            wall.jump(-TWO_DAYS);
            sleep(2 * ALONE_AFTER).await;
        }
        let trust = if operator_comes { Trust::Contradicted } else { Trust::Confirmed };
        assert_eq!(node.clock.trust(), trust);
        assert!(!lived(settler, shard).is_over());
    }
}

#[tokio::test(start_paused = true)]
async fn a_history_never_goes_back_though_the_clock_is_set_back_between_two_lives() {
    let (machine, [wall, _]) = (Machine::new(), walls());
    let (start, at) = {
        let node = Watched::over(&wall);
        let Run { settler, .. } = &machine.settler(&node.clock).await.unwrap();
        sleep(MINUTE).await;
        (settler.start(&request(1), somebody(), None).await.unwrap(), node.clock.now())
    };
    wall.jump(-TWO_DAYS);
    let node = Watched::over(&wall);
    let Run { settler, world, .. } = &machine.settler(&node.clock).await.unwrap();
    settler.assigned(start.operator, start.shard).await.unwrap();
    settler.settle(start.shard, output(&**world, &start).await, &verdict(Hash([5; 32]))).await.unwrap();
    let part = Part::of(SegmentId::first(start.shard), Role::Settler);
    let entries = shardwire_host::history::Lives::entries(&settler.host.store, &history_of(&part)).unwrap();
    assert_eq!(entries.iter().map(|entry| entry.statement.at).collect::<Vec<_>>(), [at; 4]);
    assert_eq!(identity(1).peer(), settler.host.identity.peer());
}

#[test]
fn a_settler_whose_date_is_not_to_be_relied_on_says_what_to_do() {
    let error = SettlerError::Date;
    assert_eq!(
        format!("{} {error} | {}", error.code(), error.next_step()),
        "SW-SETTLER-010 most peers of this settler contradict its date, and the shard's deadline would be by it | Set the clock of the \
         settler's system, or of its peers: `shardwire status` shows which is apart. Nothing was started."
    );
    let error = SettlerError::Unconfirmed;
    assert_eq!(
        format!("{} {error} | {}", error.code(), error.next_step()),
        "SW-SETTLER-011 no peer that this settler names has confirmed its date yet, and the shard's deadline would be by it | Start the shard again \
         when one of them is connected, or 10 minutes after this settler was started: it goes by its own date then. Nothing was started."
    );
}
