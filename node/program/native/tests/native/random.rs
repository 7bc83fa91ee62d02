//! Random transactions from a seed, over six contracts, calls three deep, failures inside and at the top: execution against the model.

use super::{
    model::{self, Model, Op, Told},
    shard::{ACCOUNTS, CONTRACTS, FULL_SLOT, Shard, class_of, run, short},
};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use shardwire_contracts::start::chain_id;
use shardwire_model::{Felt, execution::Status};
use shardwire_native::Checked;

/// Calls within calls that a script may have, the account's `__execute__` aside.
const DEPTH: u32 = 3;

fn value(random: &mut ChaCha8Rng) -> Felt {
    match random.random_range(0..4) {
        0 => Felt::ZERO,
        1 => Felt::from(-1),
        _ => Felt::from(random.random_range(0..1_000u64)),
    }
}

fn values(random: &mut ChaCha8Rng, most: usize) -> Vec<Felt> {
    (0..random.random_range(0..=most)).map(|_| value(random)).collect()
}

/// A script that may call `depth` deep.
fn script(random: &mut ChaCha8Rng, depth: u32) -> Vec<Op> {
    (0..random.random_range(1..=5)).map(|_| operation(random, depth)).collect()
}

fn operation(random: &mut ChaCha8Rng, depth: u32) -> Op {
    let key = random.random_range(1..10);
    let contract = *CONTRACTS.choose(random).unwrap();
    let caught = random.random_bool(0.8);
    match random.random_range(0..100) {
        0..20 => Op::Read(key),
        20..35 => Op::Write(key, value(random)),
        35..45 => Op::WriteSum(key, value(random)),
        45..55 => Op::Emit(values(random, 4), values(random, 6)),
        55..80 if depth > 0 => Op::Call { contract, caught, script: script(random, depth - 1) },
        80..88 if depth > 0 => Op::Library { class: class_of(contract), caught, script: script(random, depth - 1) },
        88..91 => Op::Nowhere { contract, caught },
        91..95 => Op::Panic(value(random)),
        95..98 => Op::Info,
        _ => Op::Rounds(random.random_range(0..20)),
    }
}

/// The calls of a transaction: one or two, each of a script.
pub(crate) fn calls(random: &mut ChaCha8Rng) -> Vec<(u64, Felt, Vec<Felt>)> {
    scripts(random).iter().map(|(to, script)| run(*to, &model::felts(script))).collect()
}

/// A contract, and what it is to do.
pub(crate) fn script_of(random: &mut ChaCha8Rng) -> (u64, Vec<Op>) {
    (*CONTRACTS.choose(random).unwrap(), script(random, DEPTH))
}

fn scripts(random: &mut ChaCha8Rng) -> Vec<(u64, Vec<Op>)> {
    (0..random.random_range(1..=2)).map(|_| script_of(random)).collect()
}

/// Transactions of a seed, submitted one after the other and each compared with the model. Gives the receipts' fingerprint.
fn play(seed: u64, transactions: u32) -> Vec<String> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut shard = Shard::open();
    let mut model = Model::default();
    model.slots.extend(CONTRACTS.iter().map(|contract| ((*contract, FULL_SLOT), Felt::from(100))));
    let chain = short(&chain_id(shard.native.start().shard));
    let (mut reverted, mut failed_inside, mut deepest) = (0, 0, 0);
    let mut seen = Vec::new();
    for number in 0..transactions {
        let account = *ACCOUNTS[..2].choose(&mut random).unwrap();
        let calls = scripts(&mut random);
        let list: Vec<_> = calls.iter().map(|(to, script)| run(*to, &model::felts(script))).collect();
        let invoke = shard.invoke(account, &list);
        shard.time += random.random_range(0..3);
        let Checked::New(change) = shard.native.check(&invoke, shard.time).unwrap() else { panic!("it is new") };
        shard.native.apply(&change);
        let (receipt, tree) = (change.receipt(), change.tree());

        let told = Told { block: receipt.block, time: shard.time, hash: receipt.hash, nonce: invoke.nonce, chain };
        let before = model.clone();
        model.events.clear();
        let answers: Result<Vec<Felt>, _> =
            calls.iter().map(|(to, script)| model.run(&told, account, *to, script)).collect();
        match answers {
            Ok(answers) => {
                assert_eq!(receipt.status, Status::Succeeded, "transaction {number} of seed {seed}");
                let spans = answers.iter().flat_map(|answer| [Felt::ONE, *answer]);
                let expected: Vec<_> = [Felt::from(answers.len())].into_iter().chain(spans).collect();
                assert_eq!(receipt.returned, expected, "transaction {number} of seed {seed}");
            }
            Err(mut reason) => {
                model = before;
                model.events.clear();
                reason.push(short("ENTRYPOINT_FAILED"));
                assert!(matches!(receipt.status, Status::Reverted { .. }), "transaction {number} of seed {seed}");
                assert_eq!(receipt.returned, reason, "transaction {number} of seed {seed}");
                reverted += 1;
            }
        }
        let events: Vec<_> = receipt.events.iter().map(|it| (it.from.0, it.keys.clone(), it.data.clone())).collect();
        let expected: Vec<_> =
            model.events.iter().map(|(from, keys, data)| (Felt::from(*from), keys.clone(), data.clone())).collect();
        assert_eq!(events, expected, "transaction {number} of seed {seed}");
        for ((contract, key), value) in &model.slots {
            assert_eq!(
                shard.slot(*contract, *key),
                *value,
                "slot {key} of {contract:#x}, transaction {number} of seed {seed}"
            );
        }
        failed_inside += failures(tree.execute()) - u64::from(tree.execute().failed);
        deepest = deepest.max(depth(tree.execute()));
        seen.push(format!("{receipt:?}{tree:?}"));
    }
    if transactions >= 100 {
        assert!(
            reverted > 0 && failed_inside > 0 && deepest >= u64::from(DEPTH) + 2,
            "{reverted} {failed_inside} {deepest}"
        );
    }
    seen
}

fn failures(call: &shardwire_contracts::tree::Call) -> u64 {
    u64::from(call.failed) + call.calls.iter().map(failures).sum::<u64>()
}

fn depth(call: &shardwire_contracts::tree::Call) -> u64 {
    1 + call.calls.iter().map(depth).max().unwrap_or(0)
}

#[test]
fn random_transactions_do_what_the_model_says() {
    play(1, 200);
}

#[test]
fn the_same_transactions_give_the_same_receipts_and_trees() {
    assert_eq!(play(2, 40), play(2, 40));
}
