//! Execution here against the program that is proven: the same random transactions, replayed by it from the record.
//!
//! The program runs each call's bytecode itself and asserts all that the record says: reads, answers, failures, gas, hashes, nonces. What it
//! doesn't get from the record, the state in the end, is compared here: every slot that a script can touch settles.

use super::{
    openzeppelin::{self, ALICE, BOB},
    random,
    shard::{ACCOUNTS, CONTRACTS, FULL_SLOT, Shard, end_event, felts, start},
};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use shardwire_contracts::{
    Class, Spent, Start,
    cost::Cost,
    replay_counted,
    start::{Entry, EntryKind, Rule},
    tree::{State, Transaction},
};
use shardwire_model::{Felt, Key, Selector, execution::Status, starknet_keccak};
use shardwire_native::{Change, Checked, Genesis};
use std::sync::Arc;

/// Every contract is closed, and every slot that a script can touch is listed, as a lock, which may have any value.
pub(crate) fn listing() -> Start {
    let mut start = start();
    start.program = shardwire_contracts::hash();
    let guard = start.shard.0;
    let lock = |contract, key: u64| Entry { kind: EntryKind::Lock, contract, key: Key(key.into()), guard, maximum: 0 };
    start.contracts[..CONTRACTS.len()].iter_mut().for_each(|contract| contract.rule = Rule::Closed);
    start.entries = (0..CONTRACTS.len()).flat_map(|contract| (1..10).map(move |key| lock(contract, key))).collect();
    start
}

/// The state that the shard begins from, as the program reads it.
fn snapshot(genesis: &Genesis) -> State {
    let mut state = State::default();
    for (contract, _) in genesis.contracts() {
        for (key, value) in genesis.storage(contract) {
            state.storage.insert((contract.0, key.0), value);
        }
    }
    state
}

/// The classes in the start data's order.
fn ordered(start: &Start, classes: &[Class]) -> Vec<Class> {
    let class = |hash| classes.iter().find(|class| class.class_hash == hash).unwrap().clone();
    start.classes.iter().map(|pair| class(pair.class_hash)).collect()
}

/// What was counted before each transaction, and its bound, are at least what is counted after it. And the bounds are of use: they aren't far above.
fn bounded(spent: &[Spent], changes: &[Change], whole: Cost) {
    let (opening, spent) = spent.split_first().unwrap();
    let begun = spent[0].cost;
    assert!(begun.is_within(opening.cost), "{begun:?} exceeds {opening:?}");
    assert_eq!(spent.len(), changes.len() + 1);
    let mut bounds = Cost::ZERO;
    for (index, change) in changes.iter().enumerate() {
        let (before, after) = (&spent[index], &spent[index + 1]);
        assert_eq!((before.transactions, after.transactions), (index as u32, index as u32 + 1));
        let bound = change.work().bound();
        let code = change.classes().iter().map(|place| before.unused[*place].cost());
        let most = code.fold(before.cost + bound, |sum, code| sum + code);
        let now = after.cost;
        assert!(now.is_within(most), "transaction {index}, {:?}: {now:?} exceeds {most:?}", change.work());
        bounds += bound;
    }
    let last = spent[changes.len() - 1].cost;
    let counted = last - begun;
    eprintln!("{} transactions: {whole:?}, begun {begun:?}, counted {counted:?}, bounds {bounds:?}", changes.len());
    assert!(bounds.steps < 3 * (whole.steps - begun.steps), "{} steps, {bounds:?}", whole.steps);
}

/// Replays what a shard did, and compares what came of it.
pub(crate) fn repeat(shard: &Shard, genesis: &Genesis, changes: Vec<Change>) {
    let casm = |class: &shardwire_native::Class| serde_json::to_vec(class.casm()).unwrap();
    let classes = genesis.classes().values();
    let classes: Vec<_> = classes.map(|class| Class::from_casm(class.hash(), &casm(class)).unwrap()).collect();
    let start = shard.native.start();
    let count = changes.len();
    let mut trees = changes.iter().map(|change| Transaction::clone(change.tree()));
    let mut spent = vec![Spent::before(start, &ordered(start, &classes))];
    let mut told = |now| spent.push(now);
    let replayed = replay_counted(start, &classes, &snapshot(genesis), &mut trees, &mut told, &mut |_| Ok(()))
        .unwrap_or_else(|error| panic!("{error}"));
    bounded(&spent, &changes, replayed.cost);
    let settled: Vec<_> = replayed.output.updates.iter().map(|update| update.value).collect();
    assert_eq!(settled, shard.native.values().unwrap());
    assert_eq!(replayed.output.count as usize, count);
    assert!(replayed.calls as usize > count);
    // What admission counts is what the list has that travels with the proof.
    assert_eq!(replayed.reads.storage.len(), shard.native.touched());
    assert_eq!(replayed.reads.commitment(start), replayed.output.reads);
}

/// Plays transactions of a seed to the end event and replays them. Gives how many were reverted.
fn play(seed: u64, transactions: u32) -> u32 {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let genesis: Arc<Genesis> = super::shard::genesis();
    let start = listing();
    let first = |entry: &Entry| if entry.key.0 == Felt::from(FULL_SLOT) { Felt::from(100) } else { Felt::ZERO };
    let values: Vec<_> = start.settled().map(first).collect();
    let mut shard = Shard::over(genesis.clone(), &start, &values);
    let mut changes = Vec::new();
    let mut reverted = 0;
    while !shard.native.ended() {
        let account = *ACCOUNTS.choose(&mut random).unwrap();
        let mut calls = random::calls(&mut random);
        if shard.native.accepted() + 1 >= transactions {
            calls = vec![super::shard::run(CONTRACTS[0], &[felts(&[3, 1]), vec![end_event()], felts(&[0])].concat())];
        }
        let mut invoke = shard.invoke(account, &calls);
        if random.random_bool(0.1) {
            // Enough to validate, and to run out of gas somewhere on the way.
            let Checked::New(change) = shard.native.check(&invoke, shard.time).unwrap() else { panic!("it is new") };
            let gas = change.receipt().gas;
            invoke.bounds.l2_gas = gas.validate + 100_000 + gas.execute * random.random_range(0..100) / 100;
            if account == ACCOUNTS[2] {
                shard.sign(&mut invoke);
            }
        }
        shard.time += random.random_range(0..3);
        let Checked::New(change) = shard.native.check(&invoke, shard.time).unwrap() else { panic!("it is new") };
        shard.native.apply(&change);
        reverted += u32::from(change.receipt().status != Status::Succeeded);
        changes.push(change);
    }
    repeat(&shard, &genesis, changes);
    reverted
}

#[test]
fn the_program_repeats_random_transactions() {
    let reverted: u32 = (0..4).map(|seed| play(seed, 25)).sum();
    assert!(reverted > 5, "{reverted}");
}

#[test]
fn the_program_repeats_two_thousand_random_transactions() {
    for seed in 100..110 {
        play(seed, 200);
    }
}

#[test]
fn the_program_repeats_real_accounts_and_a_token() {
    let mut start = openzeppelin::settled();
    start.program = shardwire_contracts::hash();
    start.end_event.selector = Selector(starknet_keccak("Approval"));
    let mut shard = openzeppelin::over(&start);
    let mut changes = Vec::new();
    let transactions: [(u64, &str, &[u64]); 6] = [
        (ALICE, "transfer", &[BOB, 300, 0]),
        (BOB, "transfer", &[ALICE, 301, 0]),
        (BOB, "transfer", &[ALICE, 100, 0]),
        (BOB, "transfer_from", &[ALICE, BOB, 1, 0]),
        (ALICE, "transfer", &[ALICE, 5, 0]),
        (ALICE, "approve", &[BOB, 5, 0]),
    ];
    let mut reverted = 0;
    for (account, name, arguments) in transactions {
        let invoke = openzeppelin::token(&shard, account, name, arguments);
        shard.time += 1;
        let Checked::New(change) = shard.native.check(&invoke, shard.time).unwrap() else { panic!("it is new") };
        shard.native.apply(&change);
        reverted += u32::from(change.receipt().status != Status::Succeeded);
        changes.push(change);
    }
    assert!(shard.native.ended() && reverted == 2);
    repeat(&shard, &openzeppelin::genesis(), changes);
}
