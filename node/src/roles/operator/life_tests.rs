//! An operator of one small shard: the steps of its life, its end, and what provers are told of it.

use super::*;
use crate::{
    clock::SystemClock,
    roles::testing::{host, small_shard},
    tasks::Tasks,
};
use shardwire_model::{
    Call, Felt, Key, PeerId,
    life::{Part, Why},
};
use shardwire_protocols::{
    history::verify,
    ingress::{Handler as _, Outcome},
    trace::{Begun, Grant, Handler as _, Part as Piece, Progress, Progressed, ProverStage},
};
use shardwire_store::{
    Store, SystemDisk,
    records::{LAYOUT, WireFelt},
};
use shardwire_transport::Identity;
use std::path::Path;

fn identity(number: u8) -> Identity {
    Identity::from_secret(&[number; 32])
}

fn prover() -> PeerId {
    identity(3).peer()
}

fn settler() -> PeerId {
    identity(1).peer()
}

fn operator(folder: &Path) -> (Operator, Tasks) {
    let store = Store::open(&SystemDisk, &folder.join("node.redb"), &LAYOUT).unwrap();
    let (host, tasks) = host(identity(2), store, folder, Arc::new(SystemClock), "");
    (Operator::resume(host).unwrap(), tasks)
}

/// One that was assigned the small shard and has its last transaction.
async fn played(folder: &Path) -> (Operator, Tasks, ShardId) {
    let (operator, tasks) = operator(folder);
    let (start, values, finish) = small_shard(identity(2).peer());
    let shard = start.shard;
    let values = values.into_iter().map(WireFelt).collect();
    operator.assign(Assignment { start, values, settler: settler(), epoch: 1 }).unwrap();
    assert_eq!(operator.shards()[0].stage, Stage::Assigned);
    let outcome = operator.submit(identity(9).peer(), shard, finish).await.unwrap();
    assert_eq!(outcome, Outcome::Accepted { sequence: 0, duplicate: false });
    (operator, tasks, shard)
}

fn stages(operator: &Operator, shard: ShardId) -> Vec<Stage> {
    let part = Part::of(shard, Role::Operator);
    let entries = operator.host.store.entries(&[]).unwrap();
    let history = verify(&identity(2).peer(), part, &entries).unwrap();
    history.life().steps().iter().map(Step::stage).collect()
}

#[tokio::test]
async fn each_step_of_a_run_is_signed_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (operator, _tasks, shard) = played(folder.path()).await;
        assert_eq!(stages(&operator, shard), [Stage::Assigned, Stage::Executing, Stage::Ended]);
        let offer = operator.offer(prover(), &[]).await.unwrap();
        let Grant::Leased(lease) = operator.claim(prover(), offer.job).await.unwrap() else { panic!("leased") };
        assert_eq!(operator.shards()[0].stage, Stage::Streaming);
        let epoch = lease.statement.epoch;
        assert!(matches!(operator.chunk(prover(), offer.job, epoch, 0).await.unwrap(), Piece::Chunk(_)));
        let progress = Progress { epoch, stage: ProverStage::Proving, done: 0, of: 0 };
        let renewed = operator.progress(prover(), offer.job, progress).await.unwrap();
        assert!(matches!(renewed, Progressed::Renewed { .. }));
        operator.finished(prover(), offer.job, epoch, Hash::of(b"proof")).await.unwrap();
        assert_eq!(operator.shards()[0].stage, Stage::Proven);
        // A second prover's proof is no contradiction.
        let run = operator.job(offer.job).unwrap();
        run.reached(Step::Proven { proof: Hash::of(b"another") }).unwrap();
        drop(run);
        let host = operator.host.clone();
        drop((operator, _tasks));
        // The thread of the execution lets go of the store when it ends.
        while Arc::strong_count(&host) > 1 {
            tokio::task::yield_now().await;
        }
    }
    let (operator, _tasks) = operator(folder.path());
    let shard = operator.shards()[0].shard;
    let all = [Stage::Assigned, Stage::Executing, Stage::Ended, Stage::Streaming, Stage::Proving, Stage::Proven];
    assert_eq!(stages(&operator, shard), all);
    assert_eq!(operator.shards()[0].stage, Stage::Proven);
}

/// Found by simulation: a prover that said early that it had a proof kept the run from ever ending.
#[tokio::test]
async fn a_prover_that_says_too_early_that_it_has_a_proof_moves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks) = operator(folder.path());
    let (start, values, finish) = small_shard(identity(2).peer());
    let shard = start.shard;
    let values = values.into_iter().map(WireFelt).collect();
    operator.assign(Assignment { start, values, settler: settler(), epoch: 1 }).unwrap();
    let offer = operator.offer(prover(), &[]).await.unwrap();
    let Grant::Leased(lease) = operator.claim(prover(), offer.job).await.unwrap() else { panic!("leased") };
    operator.finished(prover(), offer.job, lease.statement.epoch, Hash::of(b"none")).await.unwrap();
    assert_eq!(operator.shards()[0].stage, Stage::Assigned);
    operator.submit(identity(9).peer(), shard, finish).await.unwrap();
    let all = [Stage::Assigned, Stage::Executing, Stage::Ended, Stage::Streaming];
    assert_eq!(stages(&operator, shard), all);
}

/// Found by simulation (seed 1127): the last receipt was lost, the shard settled, and its client asked for that receipt for ever.
#[tokio::test]
async fn what_was_accepted_is_answered_as_before_when_the_shard_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let client = identity(9).peer();
    let (_, _, finish) = small_shard(identity(2).peer());
    let mut other = finish;
    other.transaction.call = Call::Add { counter: Key(Felt::from(6)), amount: 1 };
    let again = async |operator: &Operator, shard| {
        let opened = operator.open(client, shard).await.unwrap().unwrap();
        assert_eq!((opened.nonces, opened.accepted, opened.ended), (vec![2], 1, true));
        let outcome = operator.submit(client, shard, finish).await.unwrap();
        assert_eq!(outcome, Outcome::Accepted { sequence: 0, duplicate: true });
        // One of that nonce isn't that one.
        assert!(matches!(operator.submit(client, shard, other).await.unwrap(), Outcome::Refused(_)));
    };
    let host = {
        let (operator, _tasks, shard) = played(folder.path()).await;
        operator.close(shard, Step::Settled { proof: None }).unwrap();
        again(&operator, shard).await;
        operator.host.clone()
    };
    while Arc::strong_count(&host) > 1 {
        tokio::task::yield_now().await;
    }
    drop(host);
    let (operator, _tasks) = operator(folder.path());
    again(&operator, operator.shards()[0].shard).await;
}

#[tokio::test]
async fn an_aborted_run_is_closed_its_chunks_are_gone_and_its_prover_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, _tasks, shard) = played(folder.path()).await;
    let offer = operator.offer(prover(), &[]).await.unwrap();
    let Grant::Leased(lease) = operator.claim(prover(), offer.job).await.unwrap() else { panic!("leased") };
    let epoch = lease.statement.epoch;
    assert!(matches!(operator.chunk(prover(), offer.job, epoch, 0).await.unwrap(), Piece::Chunk(_)));
    let chunks = operator.host.artefacts.shard(shard);
    assert!(chunks.exists());

    operator.close(shard, Step::Aborted { why: Why::Told { by: settler() } }).unwrap();
    assert!(!chunks.exists());
    assert_eq!(operator.shards()[0].stage, Stage::Aborted);
    let lost = operator.chunk(prover(), offer.job, epoch, 1).await.unwrap();
    assert!(matches!(lost, Piece::Lost { epoch: later } if later > epoch));
    let (_, _, finish) = small_shard(identity(2).peer());
    let later = {
        let mut later = finish;
        later.transaction.nonce += 1;
        later
    };
    let refused = operator.submit(identity(9).peer(), shard, later).await.unwrap();
    let Outcome::Refused(cause) = refused else { panic!("refused") };
    assert_eq!(cause.code, "SW-OPERATOR-005");

    let begun = [Begun { job: offer.job, have: 1 }];
    let again = operator.offer(prover(), &begun).await.unwrap();
    let Grant::Refused(cause) = operator.claim(prover(), again.job).await.unwrap() else { panic!("refused") };
    assert_eq!(cause.code, ABORTED);
    let nothing = tokio::time::timeout(std::time::Duration::ZERO, operator.offer(prover(), &begun)).await;
    assert!(nothing.is_err(), "it is told once");
    // Who hasn't begun it isn't offered what is over.
    let other = tokio::time::timeout(std::time::Duration::ZERO, operator.offer(identity(4).peer(), &[])).await;
    assert!(other.is_err());
}
