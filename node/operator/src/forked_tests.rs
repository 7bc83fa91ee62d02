//! An operator of a shard that goes on from a network: what it does while the network can't be read, and that it goes on by itself when it can.

use super::{
    contracts_tests::{UNLIMITED, client, contracts, executed, gone, identity, in_the_log, over},
    submit::MAX_FETCHES,
    tests::assign,
    *,
};
use shardwire_fork::testing::{Fault, Memory, StandIn, forks};
use shardwire_host::Tasks;
use shardwire_hosted::{
    Class, Geneses, Grounds, Limits,
    dungeon::{self, ANNA, BEGINS, BERT, BLOCK, GOLD, WORLD},
};
use shardwire_model::{
    Coded as _, Felt, ForkId, ShardStart, Stage, Terms,
    life::{AbortCause, Step},
};
use shardwire_protocols::ingress::{Handler as _, Outcome, RefusalReason};
use shardwire_store::records::WireFelt;
use std::path::Path;

/// What a proof may take here: a few dozen transactions of the dungeon.
const BUDGET: Limits = Limits { proof_bytes: 4_000_000_000, segments: 1 };

fn node() -> StandIn {
    StandIn::new(BLOCK, BEGINS, dungeon::state(), dungeon::class_files())
}

/// An operator that asks this node, and keeps what it is told here.
fn operator(folder: &Path, node: &StandIn, keeper: &Memory) -> (Arc<Operator>, Tasks) {
    let none = Grounds::from(Geneses::new(|_, _| Ok(None), Class::compile));
    over(folder, contracts(none.with_networks(forks(&[node], keeper)), UNLIMITED))
}

fn assignment() -> Assignment {
    let (start, values) = dungeon::forked(identity(2).peer(), BLOCK);
    let values = values.into_iter().map(WireFelt).collect();
    Assignment { start, values, settler: identity(1).peer(), epoch: 1 }
}

fn start() -> ShardStart {
    assignment().start
}

/// The code of what the shard's status says.
fn trouble(operator: &Operator) -> Option<String> {
    let status = &operator.shards()[0];
    assert_ne!(status.stage, Stage::Failed);
    status.error.clone().map(|cause| cause.code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_goes_on_from_a_network_and_after_a_restart_without_it() {
    let (folder, node, keeper) = (tempfile::tempdir().unwrap(), node(), Memory::default());
    let (running, tasks) = operator(folder.path(), &node, &keeper);
    assign(&running, assignment()).await.unwrap();
    let (start, shard) = (start(), start().shard);
    let [train, pay, doom, _] = dungeon::game(&start);
    assert_eq!(running.decided(client(), shard, train).await.unwrap(), in_the_log(0));
    assert_eq!(running.decided(client(), shard, pay).await.unwrap(), in_the_log(1));
    gone(running, tasks).await;
    // Nobody knows the network any more: what the game has read so far is here.
    node.fail(Fault::Silent);
    let (running, _tasks) = operator(folder.path(), &node, &keeper);
    assert_eq!(running.open(client(), shard).await.unwrap().unwrap().nonces, [1, 1]);
    let again = dungeon::invoke(&start, ANNA, 1, WORLD, "train", &[5]);
    let accepted = |sequence, reverted| Outcome::Accepted { sequence, duplicate: false, reverted };
    assert_eq!(running.decided(client(), shard, again).await.unwrap(), accepted(2, false));
    assert_eq!(trouble(&running), None);
    // What Bert calls now, and who may end the game, was never asked.
    assert!(running.decided(client(), shard, doom.clone()).await.is_err());
    assert_eq!(trouble(&running).as_deref(), Some("SW-STARKNET-003"));
    node.fail(Fault::None);
    assert_eq!(running.decided(client(), shard, doom).await.unwrap(), accepted(3, true));
    let finish = dungeon::invoke(&start, ANNA, 2, WORLD, "finish", &[]);
    assert_eq!(running.decided(client(), shard, finish).await.unwrap(), accepted(4, false));
    let executed = executed(&running, shard).await;
    assert!(executed.output.ended && executed.output.count == 5);
    assert_eq!(trouble(&running), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_whose_network_cannot_be_read_is_neither_taken_nor_declined() {
    let (folder, node, keeper) = (tempfile::tempdir().unwrap(), node(), Memory::default());
    let (running, _tasks) = operator(folder.path(), &node, &keeper);
    node.fail(Fault::NoBlock);
    let error = assign(&running, assignment()).await.unwrap_err();
    assert_eq!((error.code(), error.declines()), ("SW-FORK-005", false));
    assert!(running.shards().is_empty());
    // A network that it isn't told of, it can't carry: that is a word on the shard.
    let mut other = assignment();
    let Terms::Contracts(terms) = &mut other.start.terms else { panic!("contracts have terms") };
    terms.origin = ForkId { chain: Felt::ONE, ..BLOCK }.into();
    let error = assign(&running, other).await.unwrap_err();
    assert_eq!((error.code(), error.declines()), ("SW-PROGRAM-010", true));
    node.fail(Fault::None);
    assign(&running, assignment()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_that_cannot_be_taken_up_for_want_of_its_network_waits_and_goes_on_by_itself() {
    let (folder, node, keeper) = (tempfile::tempdir().unwrap(), node(), Memory::default());
    let (running, tasks) = operator(folder.path(), &node, &keeper);
    assign(&running, assignment()).await.unwrap();
    let (start, shard) = (start(), start().shard);
    let [train, ..] = dungeon::game(&start);
    assert_eq!(running.decided(client(), shard, train.clone()).await.unwrap(), in_the_log(0));
    gone(running, tasks).await;
    // What was kept is lost, and the node has dropped the block.
    node.fail(Fault::NoBlock);
    let (running, _tasks) = operator(folder.path(), &node, &Memory::default());
    assert_eq!(trouble(&running).as_deref(), Some("SW-FORK-005"));
    let why = loop {
        let unmet = running.host.telemetry.unmet();
        match unmet.into_iter().find(|it| it.condition == "execution") {
            Some(execution) => break execution.shortfall,
            None => tokio::task::yield_now().await,
        }
    };
    assert_eq!(why.code, "SW-FORK-005");
    assert!(why.why.contains("doesn't know block 0xb10c41 (any more)"), "{}", why.why);
    let refused = running.open(client(), shard).await.unwrap().unwrap_err();
    assert_eq!((refused.reason, refused.cause.code.as_str()), (RefusalReason::Later, "SW-OPERATOR-014"));
    node.fail(Fault::None);
    // By itself: nobody asks for it.
    while trouble(&running).is_some() {
        tokio::task::yield_now().await;
    }
    let again = running.decided(client(), shard, train).await.unwrap();
    assert_eq!(again, Outcome::Accepted { sequence: 0, duplicate: true, reverted: false });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_needs_what_cannot_be_read_is_no_refusal_and_shows_in_the_status() {
    let (folder, node, keeper) = (tempfile::tempdir().unwrap(), node(), Memory::default());
    let (running, _tasks) = operator(folder.path(), &node, &keeper);
    assign(&running, assignment()).await.unwrap();
    let (start, shard) = (start(), start().shard);
    let [train, pay, ..] = dungeon::game(&start);
    assert_eq!(running.decided(client(), shard, train).await.unwrap(), in_the_log(0));
    // Bert's key wasn't read so far. The node says what one says that has dropped the state: there is no such contract.
    for fault in [Fault::Pruned, Fault::NoBlock] {
        node.fail(fault);
        assert!(running.decided(client(), shard, pay.clone()).await.is_err());
        let code = if fault == Fault::Pruned { "SW-FORK-006" } else { "SW-FORK-005" };
        assert_eq!(trouble(&running).as_deref(), Some(code));
        assert_eq!((running.shards()[0].refused, running.shards()[0].transactions), (0, 1));
    }
    // Who needs nothing new plays on.
    let train = dungeon::invoke(&start, ANNA, 1, WORLD, "train", &[1]);
    let accepted = |sequence| Outcome::Accepted { sequence, duplicate: false, reverted: false };
    assert_eq!(running.decided(client(), shard, train).await.unwrap(), accepted(1));
    assert_eq!(trouble(&running), None);
    node.fail(Fault::None);
    assert_eq!(running.decided(client(), shard, pay).await.unwrap(), accepted(2));
    let back = dungeon::invoke(&start, ANNA, 2, GOLD, "transfer", &[BERT, 1, 0]);
    assert_eq!(running.decided(client(), shard, back).await.unwrap(), accepted(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_waits_for_the_network_holds_up_no_other() {
    let (folder, node, keeper) = (tempfile::tempdir().unwrap(), node(), Memory::default());
    let (running, _tasks) = operator(folder.path(), &node, &keeper);
    assign(&running, assignment()).await.unwrap();
    let (start, shard) = (start(), start().shard);
    let [train, pay, ..] = dungeon::game(&start);
    assert_eq!(running.decided(client(), shard, train).await.unwrap(), in_the_log(0));
    // Bert's key is asked for, and there is no answer for as long as this lasts.
    let before = node.requests();
    node.fail(Fault::Stalled);
    let waiting = {
        let (running, pay) = (running.clone(), pay.clone());
        tokio::spawn(async move { running.decided(client(), shard, pay).await })
    };
    while node.requests() == before {
        tokio::task::yield_now().await;
    }
    let accepted = |sequence| Outcome::Accepted { sequence, duplicate: false, reverted: false };
    for (nonce, sequence) in (1..=3).zip(1..) {
        let train = dungeon::invoke(&start, ANNA, nonce, WORLD, "train", &[1]);
        assert_eq!(running.decided(client(), shard, train).await.unwrap(), accepted(sequence));
    }
    assert_eq!(running.open(client(), shard).await.unwrap().unwrap().nonces, [4, 0]);
    assert!(!waiting.is_finished());
    node.fail(Fault::None);
    assert_eq!(waiting.await.unwrap().unwrap(), accepted(4));
    assert_eq!(trouble(&running), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_transactions_than_may_wait_for_the_network() {
    let (folder, node, keeper) = (tempfile::tempdir().unwrap(), node(), Memory::default());
    let (running, _tasks) = operator(folder.path(), &node, &keeper);
    assign(&running, assignment()).await.unwrap();
    let (start, shard) = (start(), start().shard);
    let [train, pay, ..] = dungeon::game(&start);
    assert_eq!(running.decided(client(), shard, train).await.unwrap(), in_the_log(0));
    // As many as may, wait.
    let run = running.run(shard).unwrap();
    let places = run.fetches.clone().acquire_many_owned(u32::try_from(MAX_FETCHES).unwrap()).await.unwrap();
    let before = node.requests();
    let error = running.include(shard, pay.clone().into()).await.unwrap_err();
    assert!(matches!(error, NotIncluded::Operator(OperatorError::Fetching { .. })), "{error}");
    assert_eq!(node.requests(), before);
    drop(places);
    assert_eq!(running.decided(client(), shard, pay).await.unwrap(), in_the_log(1));
}

/// A shard that goes on from a network is held to what one proof takes, as every other: the replay reads what admission has read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_that_goes_on_from_a_network_has_the_budget_of_one_proof() {
    let (folder, node, keeper) = (tempfile::tempdir().unwrap(), node(), Memory::default());
    let grounds =
        || Grounds::from(Geneses::new(|_, _| Ok(None), Class::compile)).with_networks(forks(&[&node], &keeper));
    let (running, _tasks) = over(folder.path(), contracts(grounds(), BUDGET));
    assign(&running, assignment()).await.unwrap();
    let (start, shard) = (start(), start().shard);
    let (mut nonce, mut refusal) = (0, None);
    while refusal.is_none() {
        let train = dungeon::invoke(&start, ANNA, nonce, WORLD, "train", &[1]);
        match running.decided(client(), shard, train).await.unwrap() {
            Outcome::Accepted { .. } => nonce += 1,
            Outcome::Refused { cause, .. } => refusal = Some(cause.code),
        }
    }
    assert_eq!(refusal.as_deref(), Some("SW-NATIVE-130"));
    assert!(nonce > 0);
    let budget = running.shards()[0].budget.unwrap();
    assert!(budget.used_bytes <= budget.most_bytes && budget.most_bytes == BUDGET.proof_bytes);
    // There is room for its end.
    let finish = dungeon::invoke(&start, ANNA, nonce, WORLD, "finish", &[]);
    running.decided(client(), shard, finish).await.unwrap();
    let executed = executed(&running, shard).await;
    assert!(executed.output.ended);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_that_is_over_leaves_the_network_to_others() {
    let (folder, node, keeper) = (tempfile::tempdir().unwrap(), node(), Memory::default());
    let networks = forks(&[&node], &keeper);
    let grounds = Grounds::from(Geneses::new(|_, _| Ok(None), Class::compile)).with_networks(networks.clone());
    let (running, _tasks) = over(folder.path(), contracts(grounds, UNLIMITED));
    assign(&running, assignment()).await.unwrap();
    let shard = start().shard;
    let fork = networks.find(&BLOCK).unwrap().unwrap();
    assert!(Arc::strong_count(&fork) > 2, "the shard has it");
    let run = running.run(shard).unwrap();
    run.close(Step::Aborted { why: AbortCause::Asked { by: client() } }).await.unwrap();
    drop(run);
    // Its execution ends on a thread of its own.
    while Arc::strong_count(&fork) > 2 {
        tokio::task::yield_now().await;
    }
    let refused = running.open(client(), shard).await.unwrap();
    assert!(refused.is_ok_and(|opened| opened.ended), "it is over, and answered");
}
