//! An operator of a shard of contracts that one proof can't take any longer.

use super::{contracts_tests::*, *};
use shardwire_hosted::{
    Limits,
    dungeon::{self, ANNA, WORLD},
};
use shardwire_model::{Felt, ShardTransaction};
use shardwire_protocols::ingress::Outcome;

/// What a proof may take here: a few dozen transactions of the dungeon, and no run has another segment.
const BUDGET: Limits = Limits { proof_bytes: 4_000_000_000, segments: 1 };

#[tokio::test]
async fn an_operator_refuses_what_one_proof_cannot_take_and_says_the_same_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (running, tasks, start) = assigned_within(folder.path(), BUDGET).await;
    let shard = start.shard;
    let train = |nonce: u64| -> ShardTransaction { dungeon::invoke(&start, ANNA, nonce, WORLD, "train", &[5]).into() };
    let used = |operator: &Operator| operator.shards()[0].budget.unwrap();
    let mut accepted = 0;
    // Four at once, so that some aren't replayed when the next is looked at.
    let refused = loop {
        let four = [0, 1, 2, 3].map(|more| running.decided(client(), shard, train(accepted + more)));
        let [a, b, c, d] = four;
        let outcomes = tokio::join!(a, b, c, d);
        let outcomes = [outcomes.0, outcomes.1, outcomes.2, outcomes.3].map(Result::unwrap);
        let taken = outcomes.iter().filter(|it| matches!(it, Outcome::Accepted { .. })).count() as u64;
        accepted += taken;
        if taken < 4 {
            break outcomes.into_iter().find(|it| matches!(it, Outcome::Refused { .. })).unwrap();
        }
    };
    let Outcome::Refused { cause, due } = refused else { panic!("it was found as one") };
    assert_eq!((cause.code.as_str(), due), ("SW-NATIVE-130", Some(accepted)), "{cause}");
    assert!(accepted > 8, "{accepted}");
    let before = used(&running);
    assert!(before.used_bytes < BUDGET.proof_bytes && before.most_bytes == BUDGET.proof_bytes, "{before:?}");
    gone(running, tasks).await;

    let (running, _tasks) = within(folder.path(), dungeon::geneses(), BUDGET);
    let Outcome::Refused { cause: again, due } = running.decided(client(), shard, train(accepted)).await.unwrap()
    else {
        panic!("the log is the same")
    };
    assert_eq!((again, due), (cause, Some(accepted)));
    assert_eq!(used(&running), before);

    let finish = dungeon::invoke(&start, ANNA, accepted, WORLD, "finish", &[]);
    let outcome = running.decided(client(), shard, finish).await.unwrap();
    assert!(matches!(outcome, Outcome::Accepted { .. }), "there is room for the end: {outcome:?}");
    let executed = executed(&running, shard).await;
    assert_eq!((u64::from(executed.output.count), executed.output.ended), (accepted + 1, true));
    assert!(used(&running).used_bytes <= BUDGET.proof_bytes);
    assert_ne!(executed.output.after, Felt::ZERO);
}
