//! Shards of contracts in the World: what their terms let them begin with, and what their locks may hold.

mod dungeon;

use dungeon::*;
use shardwire_model::{
    Coded as _, ContractId, ContractTerms, EntryRequest, Felt, Hash, Instance, Maximum, StartRequest, Terms,
    contracts::{ClassPair, Rule},
};

/// A shard of everything that there is, where nothing may exceed this.
fn contracts(salt: u64, gold: u128, most: u128) -> StartRequest {
    let mut request = run(salt, gold, 50);
    for entry in &mut request.entries {
        entry.owner = None;
    }
    request.entries.sort_by_key(EntryRequest::slot);
    request.contracts = vec![ContractId(ANNA.0), ContractId(BERT.0), GAME];
    let class = Felt::from(0xc1a55);
    let maximum = |entry: &EntryRequest| Maximum(if entry.key == SWORD { 0 } else { most });
    request.terms = Terms::Contracts(Box::new(ContractTerms {
        origin: Hash::of(b"genesis").into(),
        begins: 1,
        first_block: 1,
        sequencer: ContractId(Felt::ONE),
        classes: vec![ClassPair { class_hash: class, compiled_class_hash: class }],
        instances: vec![Instance { class, rule: Rule::Closed }; 3],
        maxima: request.entries.iter().map(maximum).collect(),
        scratch: Vec::new(),
    }));
    request
}

#[test]
fn what_would_begin_above_its_maximum_is_refused() {
    let world = world();
    let before = dump(&world);
    let refused = |gold, most| {
        let error = world.start(&contracts(1, gold, most), now()).unwrap_err();
        assert_eq!(dump(&world), before);
        assert_eq!(error.code(), "SW-WORLD-006");
        assert_eq!(error.next_step(), "Ask for it with a larger maximum of that entry, or with a smaller amount.");
        error.to_string()
    };
    assert_eq!(refused(101, 100), "slot 0xc1/0x20 would begin with 0x65, above its maximum 100");
    assert_eq!(refused(1, 4), "slot 0xc1/0x10 would begin with 0x5, above its maximum 4");
    // Locks have none.
    assert_eq!(world.start(&contracts(1, 100, 100), now()).unwrap().values, felts([5, 100, 50, 0xa1]));
}

/// Contracts decide what their locks hold. If a lock could settle with an account of the shard alone, who has it could keep the whole shard from settling.
#[test]
fn a_lock_of_contracts_may_be_given_to_anybody() {
    let world = world();
    let started = world.start(&contracts(1, 100, 1000), now()).unwrap();
    world.settle(&output(&started, &felts([12, 50, 70, 0x999])), proof(1), now()).unwrap();
    assert_eq!(at(&world, SWORD), (Felt::from(0x999), 0, None));
    world.audit().unwrap();
    // The next one begins with it; one of the fixed rules as well.
    let started = world.start(&run(2, 100, 50), now()).unwrap();
    assert_eq!(started.values.last(), Some(&Felt::from(0x999)));
    let strange = output(&started, &felts([12, 50, 70, 0x998]));
    assert_eq!(world.settle(&strange, proof(2), now()).unwrap_err().code(), "SW-MERGE-009");
    world.settle(&output(&started, &felts([12, 50, 70, 0x999])), proof(3), now()).unwrap();
}
