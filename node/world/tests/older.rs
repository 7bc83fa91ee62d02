//! A ledger of schema 1 becomes one of today's with everything in it, or is refused and stays as it is.

use redb::{ReadableTable as _, TableDefinition};
use shardwire_model::{
    Coded as _, ContractId, Felt, Hash, Key, Output, PeerId, Slot, Timestamp, abi_1, life::AbortReason,
    state_commitment,
};
use shardwire_store::{
    SystemDisk,
    older::{self, SETTLER},
};
use shardwire_world::{
    Aborted, EmbeddedLedger, Genesis, Operation, Receipt, Refusal, ShardStage, ShardState, WorldError, WorldIdentity,
};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

const ME: PeerId = PeerId([1; 32]);
const LATER: Timestamp = Timestamp(1 << 41);

fn folder() -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    SETTLER.unpack(&SystemDisk, place.path()).unwrap();
    let path = place.path().join("ledger.redb");
    (place, path)
}

fn identity(path: &Path) -> WorldIdentity {
    EmbeddedLedger::older_identity(&SystemDisk, path, &[ME], &[Felt::ONE]).unwrap().unwrap()
}

fn id(text: &str) -> shardwire_model::ShardId {
    text.parse().unwrap()
}

#[test]
fn the_identity_of_an_older_world_is_of_what_it_began_with() {
    let (_place, path) = folder();
    let before = fs::read(&path).unwrap();
    let identity = identity(&path);
    let genesis = Genesis::from_json(older::GENESIS).unwrap();
    assert_eq!(identity, WorldIdentity::new("older", genesis.hash().unwrap(), [ME], [Felt::ONE]).unwrap());
    assert!(fs::read(&path).unwrap() == before, "looking has changed it");
    drop(EmbeddedLedger::open(&SystemDisk, &path, &identity).unwrap());
    let present = EmbeddedLedger::older_identity(&SystemDisk, &path, &[ME], &[Felt::ONE]);
    assert_eq!(present.unwrap(), None, "a ledger of today's says it itself");
    let nowhere = EmbeddedLedger::older_identity(&SystemDisk, &path.with_extension("none"), &[ME], &[Felt::ONE]);
    assert_eq!(nowhere.unwrap_err().code(), "SW-LEDGER-002");
}

#[test]
fn everything_in_an_older_ledger_is_found() {
    let (_place, path) = folder();
    let identity = identity(&path);
    let viewed = EmbeddedLedger::view(&SystemDisk, &path, &identity).unwrap();
    let audit = viewed.audit().unwrap();
    assert_eq!((audit.storage, audit.shards, audit.open), (7, 4, 2));
    drop(viewed);
    let ledger = EmbeddedLedger::open(&SystemDisk, &path, &identity).unwrap();
    assert_eq!(ledger.audit().unwrap(), audit);

    let storage = ledger.storage(None, 100).unwrap();
    let unused = Slot::new(ContractId(Felt::ZERO), Key(Felt::from(7)));
    assert!(storage.iter().any(|entry| entry.slot() == unused && entry.value == Felt::from(55)), "{storage:?}");
    assert_eq!(storage.iter().filter(|entry| entry.contract == unused.contract).count(), 1);

    for summary in ledger.shards(None, 100).unwrap() {
        let record = ledger.shard(summary.shard).unwrap().unwrap();
        assert!(record.start.is_outdated());
        // Today's start data commits to what the older one committed to.
        assert_eq!(state_commitment(record.start.commitment(), &record.values), record.before);
        match record.state {
            ShardState::Settled(settled) => {
                assert_eq!(summary.shard, id(older::SETTLED));
                assert_eq!(summary.stage, ShardStage::Settled { proof: settled.proof, at: settled.at });
                let slots = settled.output.updates.iter().map(|update| update.slot());
                assert!(slots.eq(record.start.entries.iter().map(|entry| entry.slot())));
            }
            ShardState::Aborted { reason, .. } => {
                assert_eq!((summary.shard, reason), (id(older::ABORTED), AbortReason::Outdated));
            }
            ShardState::Started => assert!([older::PROVING, older::ASSIGNED].map(id).contains(&summary.shard)),
        }
    }
}

#[test]
fn an_open_shard_of_an_older_ledger_is_given_up_and_nothing_settles_it() {
    let (_place, path) = folder();
    let ledger = EmbeddedLedger::open(&SystemDisk, &path, &identity(&path)).unwrap();
    let record = ledger.shard(id(older::PROVING)).unwrap().unwrap();
    let output = Output {
        program: Felt::ZERO,
        shard: id(older::PROVING),
        segment: 0,
        before: record.before,
        after: Felt::ONE,
        reads: Felt::ZERO,
        transactions: Felt::ONE,
        count: 1,
        ended: true,
        updates: vec![],
    };
    let settle = Operation::Settle { output, proof: Hash::of(b"proof") };
    let refused = ledger.apply(&settle, LATER).unwrap().unwrap_err();
    assert_eq!(refused, Refusal::Program { program: Felt::ZERO });

    let held = ledger.audit().unwrap();
    assert!(held.in_escrow > 0);
    for shard in [older::PROVING, older::ASSIGNED].map(id) {
        let abort = Operation::Abort { shard, reason: AbortReason::Outdated };
        let receipt = ledger.apply(&abort, LATER).unwrap().unwrap();
        assert_eq!(receipt, Receipt::Aborted(Aborted { shard, reason: AbortReason::Outdated, at: LATER }));
        assert_eq!(ledger.recall(abort.ticket("older")).unwrap(), Some(receipt));
    }
    let audit = ledger.audit().unwrap();
    assert_eq!((audit.open, audit.in_escrow, audit.balances), (0, 0, held.balances + held.in_escrow));
    assert!(ledger.storage(None, 100).unwrap().iter().all(|entry| entry.held_by.is_none()));
    let settled = Operation::Abort { shard: id(older::SETTLED), reason: AbortReason::Outdated };
    assert_eq!(ledger.apply(&settled, LATER).unwrap().unwrap_err().code(), "SW-LEDGER-013");
}

#[test]
fn an_older_ledger_is_refused_as_another_world_and_where_it_is_damaged_and_stays_as_it_is() {
    let (_place, path) = folder();
    let before = fs::read(&path).unwrap();
    let genesis = identity(&path).genesis();
    let open = |network: &str, genesis: Hash| {
        let world = WorldIdentity::new(network, genesis, [ME], [Felt::ONE]).unwrap();
        EmbeddedLedger::open(&SystemDisk, &path, &world).unwrap_err()
    };
    assert_eq!(open("other", genesis).code(), "SW-LEDGER-006");
    assert_eq!(open("older", Hash::of(b"another")).code(), "SW-WORLD-013");
    assert!(fs::read(&path).unwrap() == before);

    let mut refusals = 0;
    for page in 1..before.len() / 4096 {
        let mut damaged = before.clone();
        damaged[page * 4096 + 100] ^= 0xff;
        fs::write(&path, &damaged).unwrap();
        let opened = EmbeddedLedger::older_identity(&SystemDisk, &path, &[ME], &[Felt::ONE])
            .and_then(|identity| EmbeddedLedger::open(&SystemDisk, &path, &identity.unwrap()));
        if let Err(error) = opened {
            refusals += 1;
            assert!(matches!(error, WorldError::Damaged { .. }), "{error}");
            assert!(fs::read(&path).unwrap() == damaged, "page {page}");
        }
    }
    assert!(refusals > 3, "{refusals}");
}

/// Storage was known by its address alone: where shards of two contracts used one, it can't be said whose it is.
#[test]
fn an_address_that_two_contracts_used_is_refused_by_name() {
    let (_place, path) = folder();
    // The shard with counters only, over the storage of another contract.
    let at = id(older::ASSIGNED).0.to_bytes_be();
    let database = redb::Database::open(&path).unwrap();
    let write = database.begin_write().unwrap();
    {
        let mut shards = write.open_table(TableDefinition::<&[u8; 32], &[u8]>::new("shards")).unwrap();
        let sealed = shards.get(&at).unwrap().unwrap().value().to_vec();
        let row = sealed.split_last_chunk::<8>().unwrap().0;
        let (mut start, rest) = postcard::take_from_bytes::<abi_1::Start>(row).unwrap();
        start.entries[0].contract = ContractId(Felt::from(9));
        let mut row = [&postcard::to_allocvec(&start).unwrap(), rest].concat();
        row.extend(&Hash::of_parts("shardwire ledger row", &[&at, &row]).0[..8]);
        shards.insert(&at, &*row).unwrap();
    }
    write.commit().unwrap();
    drop(database);
    let before = fs::read(&path).unwrap();
    let error = EmbeddedLedger::older_identity(&SystemDisk, &path, &[ME], &[Felt::ONE]).unwrap_err();
    assert_eq!(error.code(), "SW-LEDGER-020");
    assert!(error.to_string().contains("where shards of two contracts used storage address 0x"), "{error}");
    assert!(error.next_step().starts_with("Use the version of shardwire that wrote it"));
    assert!(fs::read(&path).unwrap() == before);
}
