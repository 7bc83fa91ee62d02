//! The life of shards, as it should go.

mod dungeon;

use dungeon::*;
use shardwire_model::life::AbortReason;
use shardwire_model::{Coded as _, Felt, Key, PeerId, ShardId, Timestamp, state_commitment};
use shardwire_store::SystemDisk;
use shardwire_world::{EmbeddedLedger, MAX_STORAGE_PAGE, Operation, Refusal, ShardStage, ShardState};

#[test]
fn from_start_to_settled() {
    let world = world();
    let started = world.start(&run(1, 100, 50), now()).unwrap();
    let shard = started.start.shard;
    assert_eq!(shard, run(1, 100, 50).shard_id(NETWORK));
    assert_eq!(started.values, felts([5, 100, 50, 0xa1]));
    assert_eq!(started.before, state_commitment(started.start.commitment(), &started.values));
    assert_eq!(at(&world, EXPERIENCE), (Felt::from(5), 0, None));
    assert_eq!(at(&world, GOLD), (Felt::from(900), 100, None));
    assert_eq!(at(&world, GOLD_2), (Felt::from(250), 50, None));
    assert_eq!(at(&world, SWORD), (ANNA.0, 0, Some(shard)));
    assert_eq!(world.open_shards(PeerId([7; 32]), None, 10).unwrap(), [shard]);
    assert_eq!(world.open_shards(PeerId([8; 32]), None, 10).unwrap(), []);

    // Anna passed 20 to Bert and spent 30; Bert has the sword.
    let output = output(&started, &felts([12, 50, 70, 0xa2]));
    let settled = world.settle(&output, proof(1), Timestamp(2_000)).unwrap();
    assert_eq!((&settled.output, settled.proof), (&output, proof(1)));
    assert_eq!(at(&world, EXPERIENCE), (Felt::from(17), 0, None));
    assert_eq!(at(&world, GOLD), (Felt::from(950), 0, None));
    assert_eq!(at(&world, GOLD_2), (Felt::from(320), 0, None));
    assert_eq!(at(&world, SWORD), (BERT.0, 0, None));
    assert_eq!(world.open_shards(PeerId([7; 32]), None, 10).unwrap(), []);
    let audit = world.audit().unwrap();
    assert_eq!((audit.shards, audit.open, audit.balances, audit.in_escrow, audit.spent), (1, 0, 1270, 0, 30));

    let record = world.shard(shard).unwrap().unwrap();
    assert_eq!((record.start, record.values, record.before), (started.start, started.values, started.before));
    assert_eq!(record.state, ShardState::Settled(Box::new(settled)));
    assert_eq!(record.started_at, now());
}

#[test]
fn a_settlement_is_applied_once() {
    let world = world();
    let started = world.start(&run(1, 100, 50), now()).unwrap();
    let output = output(&started, &felts([12, 50, 70, 0xa2]));
    let first = world.settle(&output, proof(1), Timestamp(2_000)).unwrap();
    let after = dump(&world);
    let again = world.settle(&output, proof(1), Timestamp(3_000)).unwrap();
    assert_eq!(again, first);
    assert_eq!(again.at, Timestamp(2_000));
    assert_eq!(dump(&world), after);
}

#[test]
fn an_abort_returns_everything_once() {
    let world = world();
    let before = dump(&world).storage;
    let started = world.start(&run(1, 100, 50), now()).unwrap();
    let shard = started.start.shard;
    let aborted = world.abort(shard, Timestamp(2_000)).unwrap();
    assert_eq!(aborted.at, Timestamp(2_000));
    assert_eq!(dump(&world).storage, before);
    let again = world.abort(shard, Timestamp(3_000)).unwrap();
    assert_eq!(again, aborted);
    assert_eq!(dump(&world).storage, before);
    assert_eq!(
        world.shard(shard).unwrap().unwrap().state,
        ShardState::Aborted { reason: AbortReason::Asked { by: SETTLER }, at: Timestamp(2_000) }
    );

    let late = world.settle(&output(&started, &felts([12, 50, 70, 0xa2])), proof(1), now());
    assert_eq!(late, Err(Not::Refused(Refusal::Aborted { shard })));
    assert_eq!(dump(&world).storage, before);
    // The lock is free for others.
    world.start(&run(2, 1000, 300), now()).unwrap();
    world.audit().unwrap();
}

#[test]
fn parallel_shards_share_counters_and_balances() {
    let world = world();
    let request = |salt| request(salt, vec![counter(EXPERIENCE), escrow(GOLD, ANNA, 400)]);
    let first = world.start(&request(1), now()).unwrap();
    let second = world.start(&request(2), now()).unwrap();
    assert_eq!(at(&world, GOLD), (Felt::from(200), 800, None));
    let refused = world.start(&request(3), now()).unwrap_err();
    assert_eq!(refused.to_string(), "escrow 0xc1/0x20 needs 400, but its balance is 200");
    world.settle(&output(&second, &felts([10, 1, 0, 0])[..2]), proof(2), now()).unwrap();
    world.settle(&output(&first, &felts([20, 399, 0, 0])[..2]), proof(1), now()).unwrap();
    assert_eq!(at(&world, EXPERIENCE), (Felt::from(35), 0, None));
    assert_eq!(at(&world, GOLD), (Felt::from(600), 0, None));
    world.audit().unwrap();
}

#[test]
fn pages_follow_each_other_and_are_bounded() {
    let storage: Vec<String> = (1..=MAX_STORAGE_PAGE + 5)
        .map(|n| format!(r#"{{"contract":"0xc1","key":"{n:#x}","kind":"counter","value":{n}}}"#))
        .collect();
    let genesis = shardwire_world::Genesis::from_json(&format!(r#"{{"storage":[{}]}}"#, storage.join(","))).unwrap();
    let world =
        EmbeddedLedger::create_with_backend(redb::backends::InMemoryBackend::new(), &of(NETWORK, &genesis), &genesis)
            .unwrap();
    let first = world.storage(None, usize::MAX).unwrap();
    assert_eq!(first.len(), MAX_STORAGE_PAGE);
    let rest = world.storage(first.last().map(|entry| entry.slot()), usize::MAX).unwrap();
    assert_eq!(rest.len(), 5);
    assert_eq!(rest[0].key, Key(Felt::from(MAX_STORAGE_PAGE as u64 + 1)));
    assert_eq!(world.storage(None, 3).unwrap(), first[..3]);
    assert_eq!(world.storage(None, 0).unwrap(), []);

    let mut shards: Vec<ShardId> = (0..5)
        .map(|salt| world.start(&request(salt, vec![counter(Key(Felt::ONE))]), now()).unwrap().start.shard)
        .collect();
    shards.sort_unstable();
    let listed = |after, limit| -> Vec<ShardId> {
        let page = world.shards(after, limit).unwrap();
        assert!(page.iter().all(|it| it.stage == ShardStage::Started && it.operator == PeerId([7; 32])));
        page.iter().map(|it| it.shard).collect()
    };
    assert_eq!(listed(None, 10), shards);
    assert_eq!(listed(Some(shards[1]), 2), shards[2..4]);
    assert_eq!(world.open_shards(PeerId([7; 32]), Some(shards[1]), 2).unwrap(), shards[2..4]);
    assert_eq!(world.open_shards(PeerId([7; 32]), Some(shards[4]), 2).unwrap(), []);
    assert_eq!(world.shard(ShardId(Felt::ONE)).unwrap(), None);
}

#[test]
fn everything_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let world = EmbeddedLedger::create(&SystemDisk, &path, &identity(), &genesis()).unwrap();
    let started = world.start(&run(1, 100, 50), now()).unwrap();
    let open = world.start(&request(2, vec![escrow(GOLD, ANNA, 1)]), now()).unwrap();
    let output_1 = output(&started, &felts([12, 50, 70, 0xa2]));
    world.settle(&output_1, proof(1), now()).unwrap();
    let before = dump(&world);
    drop(world);
    let world = EmbeddedLedger::open(&SystemDisk, &path, &identity()).unwrap();
    assert_eq!(dump(&world), before);
    assert_eq!(world.identity(), &identity());
    assert_eq!(world.settle(&output_1, proof(1), Timestamp(9_000)).unwrap().at, now());
    world.settle(&output(&open, &[Felt::ONE]), proof(2), now()).unwrap();
    world.audit().unwrap();
}

#[test]
fn a_shard_of_todays_layout_is_never_aborted_as_outdated() {
    let world = world();
    let shard = world.start(&run(1, 100, 50), now()).unwrap().start.shard;
    let before = dump(&world);
    let outdated = Operation::Abort { shard, reason: AbortReason::Outdated };
    let refusal = Refusal::NotOutdated { shard };
    assert_eq!(world.act(&outdated, Timestamp(u64::MAX)), Err(Not::Refused(refusal.clone())));
    assert_eq!(
        (refusal.code(), refusal.to_string()),
        ("SW-WORLD-005", format!("shard {shard} is not of an older layout"))
    );
    assert!(refusal.next_step().starts_with("Wait for its deadline"));
    assert_eq!(dump(&world), before);
}
