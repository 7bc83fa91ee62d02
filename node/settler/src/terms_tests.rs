//! What a settler says to shards of other terms than it can settle.

use super::{
    SettlerError,
    life_tests::{Machine, request},
};
use shardwire_host::testing::SetWall;
use shardwire_model::{
    ContractId, ContractTerms, EntryRequest, Felt, Hash, Instance, Kind, Maximum, PeerId, Terms, Timestamp,
    contracts::{ClassPair, Rule},
};

#[tokio::test(start_paused = true)]
async fn a_shard_of_contracts_is_refused_before_anything_moves() {
    let machine = Machine::new();
    let run = machine.settler(&SetWall::at(Timestamp(10_000))).await.unwrap();
    let mut asked = request(1);
    asked.contracts.push(ContractId(asked.accounts[0].0));
    asked.contracts.sort();
    for entry in &mut asked.entries {
        entry.owner = None;
    }
    asked.entries.sort_by_key(EntryRequest::slot);
    let maximum = |entry: &EntryRequest| Maximum(if entry.kind == Kind::Lock { 0 } else { 100 });
    let class = Felt::from(0xc1a55);
    asked.terms = Terms::Contracts(Box::new(ContractTerms {
        genesis: Hash::of(b"genesis"),
        begins: 1,
        first_block: 1,
        sequencer: ContractId(Felt::ONE),
        classes: vec![ClassPair { class_hash: class, compiled_class_hash: class }],
        instances: vec![Instance { class, rule: Rule::Closed }; 2],
        maxima: asked.entries.iter().map(maximum).collect(),
        scratch: Vec::new(),
    }));
    let by = PeerId([7; 32]);
    let refused = run.settler.start(&asked, by, Some(60)).await.unwrap_err();
    assert!(matches!(refused, SettlerError::Terms { program } if program == asked.program), "{refused}");
    let shard = asked.shard_id(run.world.identity().network());
    assert!(run.world.shard(shard).await.unwrap().is_none());
    run.settler.start(&request(2), by, Some(60)).await.expect("nothing is locked");
}
