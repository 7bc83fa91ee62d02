//! Honest runs: what is proven is what was executed.

use super::dungeon::{
    BEGINS, Dungeon, PLAYERS, Planned, arena, finish, gold, key, plan, player, selector, sword, world,
};
use super::{replay, run};
use crate::{
    hints::Hints,
    places::function,
    start::EntryKind,
    tree::{Snapshot, State, Transaction, short},
};
use shardwire_model::{Felt, Output};
use starknet_types_core::hash::{Poseidon, StarkHash};
use std::collections::BTreeMap;

fn felt(number: u64) -> Felt {
    number.into()
}

/// Plays and replays; the output's updates are what native execution left.
fn check(dungeon: &Dungeon, planned: Vec<Planned>) -> (Output, u64, u64) {
    let (transactions, after) = dungeon.play(planned);
    check_played(dungeon, transactions, &after)
}

/// Replays; the output's updates are what native execution left. Also the steps, and the calls.
pub(super) fn check_played(dungeon: &Dungeon, transactions: Vec<Transaction>, after: &State) -> (Output, u64, u64) {
    let calls: u64 = transactions.iter().map(Transaction::calls).sum();
    let count = transactions.len();
    let order: Vec<Felt> = transactions.iter().flat_map(|it| [it.hash(), it.time().into()]).collect();
    let replayed = replay(&dungeon.start, &dungeon.classes, &dungeon.state, &mut transactions.into_iter())
        .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(replayed.output.count as usize, count);
    assert_eq!(replayed.calls, calls);
    assert!(replayed.output.ended);
    // What a settler computes of the list that comes with the proof, and compares.
    assert_eq!(replayed.output.reads, replayed.reads.commitment(&dungeon.start));
    for ((place, key), value) in &replayed.reads.storage {
        assert_eq!(*value, dungeon.state.storage(dungeon.start.contracts[*place].address, *key));
    }
    let settled = |state: &dyn Snapshot| {
        let values =
            dungeon.start.settled().map(|it| state.storage(dungeon.start.contracts[it.contract].address, it.key.0));
        Poseidon::hash_array(&std::iter::once(dungeon.start.commitment()).chain(values).collect::<Vec<_>>())
    };
    assert_eq!((replayed.output.before, replayed.output.after), (settled(&dungeon.state), settled(after)));
    assert_eq!(replayed.output.transactions, shardwire_model::program_hash(&order));
    let settled: Vec<_> = dungeon.start.settled().collect();
    assert_eq!(settled.len(), replayed.output.updates.len());
    for (entry, update) in settled.into_iter().zip(&replayed.output.updates) {
        let address = dungeon.start.contracts[entry.contract].address;
        assert_eq!((update.contract.0, update.key), (address, entry.key));
        let (first, last) = (dungeon.state.storage(address, entry.key.0), after.storage(address, entry.key.0));
        let expected = if entry.kind == EntryKind::Counter { last - first } else { last };
        assert_eq!(update.value, expected, "{entry:?}");
    }
    (replayed.output, replayed.steps, calls)
}

#[test]
fn nothing_but_the_end_event() {
    let (output, steps, _) = check(&Dungeon::new(), vec![finish()]);
    println!("{steps} steps, {output:?}");
}

#[test]
fn a_game_is_proven_as_it_was_executed() {
    let dungeon = Dungeon::new();
    let two = vec![(world(), selector("train"), vec![felt(3)]), (world(), selector("adventure"), vec![felt(2)])];
    let planned = vec![
        plan(1, world(), "train", &[felt(7)]),
        plan(0, world(), "adventure", &[felt(20)]),
        plan(2, gold(), "transfer", &[player(1), felt(4), felt(0)]),
        Planned { player: 1, calls: two, l2_gas: 50_000_000, time: BEGINS + 5 },
        plan_at(0, gold(), "approve", &[player(1), felt(6), felt(0)], BEGINS + 5),
        plan_at(1, gold(), "transfer_from", &[player(0), player(2), felt(5), felt(0)], BEGINS + 3700),
        plan_at(1, sword(), "give", &[felt(7), player(2)], BEGINS + 3700),
        plan_at(2, world(), "gamble", &[felt(6)], BEGINS + 3701),
        plan_at(2, world(), "look", &[], BEGINS + 3702),
        plan_at(0, world(), "finish", &[], BEGINS + 9000),
    ];
    check(&dungeon, planned);
}

fn plan_at(player: u64, contract: Felt, name: &str, calldata: &[Felt], time: u64) -> Planned {
    Planned { time, ..plan(player, contract, name, calldata) }
}

fn last_answer(transaction: &Transaction) -> Felt {
    transaction.execute().calls.last().unwrap().retdata[0]
}

#[test]
fn inner_failures_are_undone_and_proven() {
    let dungeon = Dungeon::new();
    let planned = vec![
        // The arena can't pay; what it and the gold wrote is undone.
        plan(1, world(), "try_adventure", &[felt(5_000)]),
        plan(1, world(), "try_adventure", &[felt(5)]),
        // A library call that fails undoes what it wrote to its caller's storage.
        plan(2, world(), "try_library", &[selector("spoil")]),
        plan(2, world(), "try_library", &[selector("missing")]),
        plan(2, world(), "try_call", &[gold(), selector("missing"), felt(0)]),
        plan(2, world(), "try_call", &[gold(), felt(0), felt(0)]),
        plan(2, world(), "try_call", &[gold(), -felt(1), felt(0)]),
        plan(2, world(), "try_call", &[player(0), selector("__execute__"), felt(1), felt(0)]),
        // A contract that calls itself.
        plan(0, world(), "try_call", &[world(), selector("train"), felt(1), felt(9)]),
        plan(0, world(), "try_call", &[world(), selector("doom"), felt(0)]),
        finish(),
    ];
    let (transactions, after) = dungeon.play(planned);
    let failed = short("ENTRYPOINT_FAILED");
    assert_eq!(transactions.iter().filter(|it| it.reverted()).count(), 0);
    let answers: Vec<Felt> = transactions[..10].iter().map(last_answer).collect();
    let one = Felt::ONE;
    let invalid = short("Invalid argument");
    assert_eq!(answers, [failed, one, failed, failed, failed, failed, failed, invalid, one, failed]);
    assert_eq!(after.storage(world(), key("failures", &[])), felt(8));
    assert_eq!(after.storage(arena(), key("fights", &[])), felt(1));
    let replayed = replay(&dungeon.start, &dungeon.classes, &dungeon.state, &mut transactions.into_iter());
    assert_eq!(replayed.unwrap().output.count, 11);
}

#[test]
fn a_transaction_that_fails_at_the_top_leaves_its_nonce_and_nothing_else() {
    let dungeon = Dungeon::new();
    let planned = vec![
        plan(1, world(), "adventure", &[felt(5_000)]),
        plan(1, world(), "doom", &[]),
        // An end event that is undone doesn't end the shard.
        Planned {
            player: 0,
            calls: vec![(world(), selector("finish"), vec![]), (world(), selector("doom"), vec![])],
            l2_gas: 50_000_000,
            time: BEGINS,
        },
        plan(1, world(), "train", &[felt(1)]),
        finish(),
    ];
    let (transactions, _) = dungeon.play(planned);
    let reverted: Vec<bool> = transactions.iter().map(Transaction::reverted).collect();
    assert_eq!(reverted, [true, true, true, false, false]);
    let Transaction::Invoke(last_but_one) = &transactions[3] else { panic!("{:?}", transactions[3]) };
    assert_eq!(last_but_one.nonce, felt(43));
    let replayed = replay(&dungeon.start, &dungeon.classes, &dungeon.state, &mut transactions.into_iter()).unwrap();
    let xp = replayed.output.updates.iter().find(|it| it.key.0 == key("xp", &[player(1)])).unwrap();
    assert_eq!(xp.value, felt(1));
}

#[test]
fn running_out_of_gas_is_proven_wherever_it_happens() {
    let dungeon = Dungeon::new();
    // Validation needs some 400,000; each amount runs out somewhere else: in code, at a read, at a write, at a call, at an entry.
    let mut planned: Vec<Planned> = (0..60)
        .map(|i| Planned { l2_gas: 700_000 + 23_000 * i, ..plan(1, world(), "try_adventure", &[felt(1)]) })
        .collect();
    planned.push(Planned { l2_gas: 3_000_000, ..plan(1, world(), "burn", &[felt(1_000)]) });
    planned.push(finish());
    let (transactions, _) = dungeon.play(planned);
    let reverted = transactions.iter().filter(|it| it.reverted()).count();
    assert!(reverted > 10 && reverted < 62, "{reverted}");
    replay(&dungeon.start, &dungeon.classes, &dungeon.state, &mut transactions.into_iter()).unwrap();
}

fn mix(n: u64) -> Vec<Planned> {
    (0..n)
        .map(|i| {
            let calls = (0..4)
                .map(|j| {
                    let name = if j % 2 == 0 { "adventure" } else { "try_adventure" };
                    (world(), selector(name), vec![felt(if j == 3 { 5_000 } else { 1 })])
                })
                .collect();
            Planned { player: i % PLAYERS, calls, l2_gas: 50_000_000, time: BEGINS }
        })
        .collect()
}

/// Prints what the steps are for.
pub(super) fn spread(dungeon: &Dungeon, transactions: Vec<Transaction>) {
    let calls: u64 = transactions.iter().map(Transaction::calls).sum();
    let mut transactions = transactions.into_iter();
    let classes = dungeon.classes.iter().collect();
    let mut hints = Hints::new(&dungeon.start, classes, &dungeon.state, &mut transactions);
    let (_, runner) = run(&mut hints).unwrap();
    let mut by = BTreeMap::<&str, u64>::new();
    for entry in runner.get_relocatable_trace().unwrap() {
        let name = if entry.pc.segment_index == 0 { function(entry.pc.offset) } else { "the contracts' own" };
        *by.entry(name).or_default() += 1;
    }
    let mut by: Vec<_> = by.into_iter().collect();
    by.sort_by_key(|it| std::cmp::Reverse(it.1));
    for (name, steps) in by.into_iter().take(16) {
        println!("{:5} a call: {name}", steps / calls);
    }
}

#[test]
fn steps_of_a_call_are_few() {
    let dungeon = Dungeon::new();
    let many = 40;
    let planned = |n: u64| {
        let mut planned = mix(n);
        planned.push(finish());
        planned
    };
    let (_, few_steps, few_calls) = check(&dungeon, planned(1));
    let (_, steps, calls) = check(&dungeon, planned(many));
    let each = (steps - few_steps) / (calls - few_calls);
    println!("{each} steps a call of the nested mix, of {} calls", calls - few_calls);
    spread(&dungeon, dungeon.play(planned(many)).0);
    // 849 of them are the contracts' own.
    assert!(each <= 1_374, "{each} steps a call");
}
