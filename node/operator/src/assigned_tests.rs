//! Provers are offered what a settler of the World has signed for, and an assignment that was kept without that is assigned again.

use super::{
    tests::{assign, assignment},
    *,
};
use shardwire_host::{
    Tasks,
    clock::SystemClock,
    testing::{host, store},
};
use shardwire_model::{Cause, PeerId, Stage, Timestamp};
use shardwire_protocols::{
    Failure,
    handoff::{self, Acceptance, Answer, Assign, Closed, Cut, Handoff, KnownVerdict, Outcome},
    trace::Handler as _,
};
use shardwire_transport::{Channel, Identity, session::pair_over};
use std::{future::pending, path::Path, time::Duration};
use tokio::time::timeout;

fn settler() -> Identity {
    Identity::from_secret(&[1; 32])
}

fn me() -> Identity {
    Identity::from_secret(&[9; 32])
}

/// An operator that was assigned this shard by a settler that didn't sign for it.
fn operator(folder: &Path, assignment: &Assignment) -> (Arc<Operator>, Tasks) {
    let (host, tasks) = host(me(), store(folder), folder, Arc::new(SystemClock), "");
    let (shard, peer) = (assignment.start.shard, assignment.settler);
    let step = Step::Assigned { commitment: assignment.start.commitment(), peer };
    let kept = host.store.write(|write| {
        write.put(&ASSIGNMENTS, &shard, assignment)?;
        write.advance::<OperatorError>(&me(), Timestamp(1), part(shard), step)
    });
    kept.unwrap();
    (Arc::new(Operator::resume(host, Programs::all()).unwrap()), tasks)
}

/// A settler that assigns this shard as long as it isn't named, or says that it is over once it is.
struct Settler {
    assign: Assign,
    over: bool,
    named: Mutex<Vec<usize>>,
}

impl Settler {
    fn of(assignment: &Assignment, over: bool) -> Self {
        let (start, values) = (assignment.start.clone(), run::felts(&assignment.values));
        let signature = Signed::by(&settler(), AssignmentTerms::of(&start, &values)).signature;
        let assign = Assign { start, values, epoch: 2, expires: Timestamp(1), signature };
        Self { assign, over, named: Mutex::default() }
    }
}

impl handoff::Handler for Settler {
    async fn next(&self, _: PeerId, known: &[ShardId], _: &[KnownVerdict]) -> Result<Answer, Failure> {
        self.named.lock().unwrap().push(known.len());
        match (known.first(), self.over) {
            (None, false) => Ok(Answer::Assign(Box::new(self.assign.clone()))),
            (Some(shard), true) => Ok(Answer::Closed(Closed { shard: *shard, outcome: Outcome::Aborted })),
            _ => pending().await,
        }
    }

    async fn cut(&self, _: PeerId, _: &[Cut]) -> Result<(), Failure> {
        Ok(())
    }

    async fn accepted(&self, _: PeerId, _: Signed<Acceptance>) -> Result<(), Failure> {
        Ok(())
    }

    async fn declined(&self, _: PeerId, _: ShardId, cause: Cause) -> Result<(), Failure> {
        panic!("declined: {cause}")
    }
}

/// The operator asks this settler for a minute; how many shards it named each time.
async fn asks(operator: &Arc<Operator>, other: &Settler) -> Vec<usize> {
    let (ours, theirs) = pair_over::<Handoff>(Channel::pair_between([me().peer(), settler().peer()], 1 << 18));
    let both = async { tokio::join!(operator.follow(ours), handoff::serve(theirs, other)) };
    let _ = timeout(Duration::from_secs(60), both).await;
    std::mem::take(&mut *other.named.lock().unwrap())
}

#[tokio::test(start_paused = true)]
async fn an_assignment_that_was_kept_without_its_signature_is_assigned_again_and_then_offered() {
    let folder = tempfile::tempdir().unwrap();
    let assignment = Assignment { settler: settler().peer(), ..assignment(0) };
    let (operator, _tasks) = operator(folder.path(), &assignment);
    let run = operator.runs()[0].clone();
    assert!(Job::of(&run)[0].offer().is_none() && !run.is_assigned());
    let prover = PeerId([1; 32]);
    assert!(timeout(Duration::from_secs(60), operator.offer(prover, &[])).await.is_err(), "nobody would take it");
    let named = asks(&operator, &Settler::of(&assignment, false)).await;
    assert_eq!(named[..2], [0, 1], "then it is named, as any other");
    let offer = timeout(Duration::from_secs(60), operator.offer(prover, &[])).await.unwrap().unwrap();
    assert!(offer.is_assigned_to(me().peer()));
    let kept = operator.host.store.get(&ASSIGNED, &assignment.start.shard).unwrap().unwrap();
    assert!(run.is_assigned_by(&signed::read(&kept).unwrap()));
}

#[tokio::test(start_paused = true)]
async fn one_whose_shard_is_over_meanwhile_ends_though_it_is_not_assigned_again() {
    let folder = tempfile::tempdir().unwrap();
    let assignment = Assignment { settler: settler().peer(), ..assignment(0) };
    let (operator, _tasks) = operator(folder.path(), &assignment);
    let named = asks(&operator, &Settler::of(&assignment, true)).await;
    assert_eq!(named[..2], [0, 1]);
    assert_eq!(operator.shards()[0].stage, Stage::Aborted);
}

#[tokio::test]
async fn no_prover_is_offered_a_job_of_a_settler_that_the_world_does_not_list() {
    let folder = tempfile::tempdir().unwrap();
    let unlisted = Identity::from_secret(&[7; 32]);
    let before = Assignment { settler: unlisted.peer(), ..assignment(0) };
    let (operator, _tasks) = operator(folder.path(), &before);
    let terms = AssignmentTerms::of(&before.start, &run::felts(&before.values));
    operator.assign(before.clone(), Signed::by(&unlisted, terms)).await.unwrap();
    assert!(operator.jobs()[0].offer().is_none(), "it was listed once");
    assign(&operator, assignment(1)).await.unwrap();
    let offered = operator.jobs().iter().filter_map(Job::offer).count();
    assert_eq!(offered, 1);
}
