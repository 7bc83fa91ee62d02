//! Whoever runs the program supplies something else than what happened: the program stops.

use super::dungeon::{
    BEGINS, DEADLINE, Dungeon, Planned, arena, finish, gold, key, plan, player, selector, sword, world,
};
use super::liar::{Liar, Lie};
use super::{replay, run};
use crate::{
    Class, ReplayError,
    class::Segments,
    hints::Hints,
    places::stopped,
    tree::{Call, Invoke, State, Transaction},
};
use shardwire_model::Felt;

fn felt(number: u64) -> Felt {
    number.into()
}

/// One transaction with calls four deep, one with an inner failure, one that reads what it is told, the end.
fn planned() -> Vec<Planned> {
    vec![
        plan(1, world(), "adventure", &[felt(20)]),
        plan(1, world(), "try_adventure", &[felt(5_000)]),
        plan(2, world(), "try_call", &[gold(), selector("missing"), felt(0)]),
        plan(2, world(), "look", &[]),
        finish(),
    ]
}

fn invoke(transaction: &mut Transaction) -> &mut Invoke {
    let Transaction::Invoke(invoke) = transaction else { panic!("{transaction:?}") };
    invoke
}

pub(super) fn refused(dungeon: &Dungeon, state: &State, transactions: Vec<Transaction>) -> String {
    match replay(&dungeon.start, &dungeon.classes, state, &mut transactions.into_iter()) {
        Err(ReplayError::Broken { reason, .. }) => stopped(&reason).to_owned(),
        other => panic!("{other:?}"),
    }
}

/// What is told otherwise of the transactions that were executed.
#[test]
fn a_tree_that_is_not_what_happened_is_refused() {
    let dungeon = Dungeon::new();
    let (honest, _) = dungeon.play(planned());
    replay(&dungeon.start, &dungeon.classes, &dungeon.state, &mut honest.clone().into_iter()).unwrap();
    fn world_call(transactions: &mut [Transaction], i: usize) -> &mut Call {
        &mut invoke(&mut transactions[i]).execute.calls[0]
    }
    type Lie = (&'static str, &'static str, fn(&mut Vec<Transaction>));
    let lies: [Lie; 17] = [
        ("a read", "frames.check_syscalls", |t| world_call(t, 0).reads[0] += Felt::ONE),
        ("a read of a failed frame", "starkware.cairo.common.squash_dict.squash_dict_inner", |t| {
            world_call(t, 1).calls[0].reads[0] += Felt::ONE
        }),
        ("what an inner call returned", "frames.check_syscalls", |t| world_call(t, 0).calls[0].retdata[0] += Felt::ONE),
        ("how much it returned", "frames.check_syscalls", |t| world_call(t, 0).calls[0].retdata.push(Felt::ONE)),
        ("the reason of a failure", "answers.assert_equal_ranges", |t| {
            world_call(t, 1).calls[0].retdata[0] += Felt::ONE
        }),
        ("that a call failed", "frames.check_syscalls", |t| world_call(t, 0).calls[0].failed = true),
        ("that a call didn't fail", "frames.go_on_after_answer", |t| world_call(t, 1).calls[0].failed = false),
        ("that there is such an entry point", "frames.go_on_after_answer", |t| {
            world_call(t, 2).calls[0].failed = false
        }),
        ("less gas than was used", "frames.check_syscalls", |t| world_call(t, 0).calls[0].gas_consumed -= 1),
        ("more gas than was used", "frames.check_syscalls", |t| world_call(t, 0).calls[0].gas_consumed += 1),
        ("gas used without a run", "frames.check_syscalls", |t| world_call(t, 2).calls[0].gas_consumed = 1),
        ("a nonce", "transactions.run_transaction", |t| invoke(&mut t[0]).nonce += Felt::ONE),
        ("a nonce again", "transactions.run_transaction", |t| invoke(&mut t[1]).nonce -= Felt::ONE),
        ("a signature", "transactions.run_transaction", |t| invoke(&mut t[0]).signature[0] += Felt::ONE),
        ("what was called", "transactions.run_transaction", |t| {
            *invoke(&mut t[0]).calldata.last_mut().unwrap() += Felt::ONE
        }),
        ("the limit of gas", "transactions.run_transaction", |t| invoke(&mut t[0]).bounds.l2_gas += 1),
        ("the order of transactions", "starkware.cairo.common.squash_dict.squash_dict_inner", |t| t.swap(0, 1)),
    ];
    let (expected, stopped): (Vec<_>, Vec<_>) = lies
        .into_iter()
        .map(|(what, place, lie)| {
            let mut transactions = honest.clone();
            lie(&mut transactions);
            ((what, place.to_owned()), (what, refused(&dungeon, &dungeon.state, transactions)))
        })
        .unzip();
    assert_eq!(expected, stopped);
}

#[test]
fn the_order_of_inner_calls_is_the_order_of_the_syscalls() {
    let dungeon = Dungeon::new();
    let calls = vec![(world(), selector("train"), vec![felt(3)]), (world(), selector("train"), vec![felt(4)])];
    let twice = Planned { player: 1, calls, l2_gas: 50_000_000, time: BEGINS };
    let (mut transactions, _) = dungeon.play(vec![twice, finish()]);
    invoke(&mut transactions[0]).execute.calls.swap(0, 1);
    refused(&dungeon, &dungeon.state, transactions);
}

#[test]
fn time_neither_runs_back_nor_beyond_the_deadline_nor_begins_early() {
    let dungeon = Dungeon::new();
    for times in [[BEGINS + 1, BEGINS], [BEGINS, DEADLINE + 1], [BEGINS - 1, BEGINS]] {
        let mut planned = vec![plan(1, world(), "train", &[felt(1)]), finish()];
        for (planned, time) in planned.iter_mut().zip(times) {
            planned.time = time;
        }
        let (transactions, _) = dungeon.play(planned);
        refused(&dungeon, &dungeon.state, transactions);
    }
}

#[test]
fn what_is_signed_for_one_shard_is_not_valid_in_another() {
    let mut other = Dungeon::new();
    other.start.shard.0 += Felt::ONE;
    let (transactions, _) = other.play(planned());
    let dungeon = Dungeon::new();
    assert_ne!(other.start.chain_id(), dungeon.start.chain_id());
    refused(&dungeon, &dungeon.state, transactions);
}

#[test]
fn only_accounts_send() {
    let mut dungeon = Dungeon::new();
    let (transactions, _) = dungeon.play(planned());
    let place = dungeon.start.contract_place(player(1)).unwrap();
    dungeon.start.contracts[place].account = false;
    refused(&dungeon, &dungeon.state, transactions);
}

#[test]
fn a_foreign_first_value_is_in_the_commitment_of_the_reads() {
    let dungeon = Dungeon::new();
    let mut foreign = Dungeon::new();
    foreign.state.storage.insert((arena(), key("fights", &[])), felt(99));
    let (transactions, _) = foreign.play(planned());
    // Nobody can tell from the run alone; a settler compares the list with the state that the shard was forked from.
    let replayed = replay(&dungeon.start, &dungeon.classes, &foreign.state, &mut transactions.into_iter()).unwrap();
    let place = dungeon.start.contract_place(arena()).unwrap();
    assert_eq!(replayed.reads.storage[&(place, key("fights", &[]))], felt(99));
    assert_eq!(replayed.output.reads, replayed.reads.commitment(&dungeon.start));
    let mut honest = replayed.reads.clone();
    honest.storage.insert((place, key("fights", &[])), felt(0));
    assert_ne!(replayed.output.reads, honest.commitment(&dungeon.start));
    // The value of a listed slot is in the commitment before, which is compared with the World's.
    let mut listed = Dungeon::new();
    listed.state.storage.insert((world(), key("xp", &[player(1)])), felt(1_000));
    let (transactions, _) = listed.play(planned());
    let other = replay(&dungeon.start, &dungeon.classes, &listed.state, &mut transactions.into_iter()).unwrap();
    assert_ne!(other.output.before, replayed.output.before);
}

#[test]
fn a_closed_contract_keeps_every_slot_that_is_not_listed() {
    let dungeon = Dungeon::new();
    let stranger = felt(0xbad);
    // One coin to an address that isn't listed; gold out of nothing; a lock that the shard doesn't hold.
    for planned in [
        plan(1, gold(), "transfer", &[stranger, felt(1), felt(0)]),
        plan(0, gold(), "mint", &[player(0), felt(1), felt(0)]),
        plan(1, gold(), "approve", &[player(2), felt(1), felt(0)]),
        plan(1, sword(), "give", &[felt(8), player(2)]),
    ] {
        let (transactions, _) = dungeon.play(vec![planned, finish()]);
        assert!(!transactions[0].reverted());
        refused(&dungeon, &dungeon.state, transactions);
    }
}

/// Where the supply may change, minting changes escrows alone.
#[test]
fn an_escrow_that_is_hidden_while_it_rises_gives_its_contract_no_slack() {
    let dungeon = Dungeon::new().with_scratch(gold(), key("supply", &[]));
    // To oneself: the balance rises and falls again.
    let to_oneself = plan(1, gold(), "transfer", &[player(1), felt(4), felt(0)]);
    let mint = plan(0, gold(), "mint", &[player(1), felt(4), felt(0)]);
    let (transactions, _) = dungeon.play(vec![to_oneself, mint, finish()]);
    assert!(transactions.iter().all(|it| !it.reverted()));
    for lie in [Lie::Nothing, Lie::Hidden] {
        let mut transactions = transactions.clone().into_iter();
        let honest = Hints::new(&dungeon.start, dungeon.classes.iter().collect(), &dungeon.state, &mut transactions);
        let mut liar = Liar { honest, lie, asked: 0 };
        let Err(ReplayError::Broken { reason, .. }) = run(&mut liar) else { panic!("{lie:?} got gold for nothing") };
        assert_eq!((stopped(&reason), liar.honest.taken), ("closing.close_moves", 2), "{lie:?}");
    }
}

#[test]
fn what_a_closed_contract_takes_back_in_the_same_transaction_counts_for_nothing() {
    let dungeon = Dungeon::new();
    let stranger = felt(0xbad);
    let transfer = |to: Felt, amount: u64| (gold(), selector("transfer"), vec![to, felt(amount), felt(0)]);
    let approve = |amount: u64| (gold(), selector("approve"), vec![player(2), felt(amount), felt(0)]);
    let many = |calls| Planned { player: 1, calls, l2_gas: 50_000_000, time: BEGINS };
    let failing = vec![transfer(stranger, 1), (world(), selector("doom"), vec![])];
    let planned = vec![
        many(vec![approve(3), approve(5), approve(0)]),
        many(failing),
        // An inner failure: the gold pays nobody.
        plan(1, world(), "try_call", &[gold(), selector("transfer"), felt(3), stranger, felt(9_999), felt(0)]),
        finish(),
    ];
    let (transactions, _) = dungeon.play(planned);
    replay(&dungeon.start, &dungeon.classes, &dungeon.state, &mut transactions.into_iter()).unwrap();
}

#[test]
fn code_that_is_not_the_class_is_refused() {
    let dungeon = Dungeon::new();
    let mut other = Dungeon::new();
    // An instruction that no transaction reaches.
    *other.classes[0].bytecode.last_mut().unwrap() += Felt::ONE;
    let (transactions, _) = dungeon.play(planned());
    let error =
        replay(&dungeon.start, &other.classes, &dungeon.state, &mut transactions.clone().into_iter()).unwrap_err();
    assert!(matches!(error, ReplayError::Class { .. }), "{error}");
    // A prover would not look.
    for spoil in [
        (|class: &mut Class| *class.bytecode.last_mut().unwrap() += Felt::ONE) as fn(&mut Class),
        |class| class.entry_points.last_mut().unwrap().selector += Felt::ONE,
        |class| class.entry_points[0].builtins[2] ^= true,
        |class| class.constructors += Felt::ONE,
    ] {
        let mut classes = Dungeon::new().classes;
        let spoilt = classes.iter_mut().find(|class| class.class_hash == crate::tree::short("Sword")).unwrap();
        spoil(spoilt);
        let mut transactions = transactions.clone().into_iter();
        let mut hints = Hints::new(&dungeon.start, classes.iter().collect(), &dungeon.state, &mut transactions);
        assert!(matches!(run(&mut hints), Err(ReplayError::Broken { .. })));
    }
}

#[test]
fn a_guess_that_is_not_so_is_refused() {
    let dungeon = Dungeon::with_unused(64);
    let (transactions, _) = dungeon.play(planned());
    let classes = || dungeon.classes.iter().collect::<Vec<&Class>>();
    let lies = [
        (Lie::Nothing, ""),
        (Lie::Contract, "frames.check_syscalls"),
        (Lie::EntryPoint, "frames.run"),
        (Lie::NoEntryPoint, "starkware.cairo.common.math.assert_lt_felt"),
        (Lie::Caller, "frames.check_syscalls"),
        (Lie::Poor, "answers.out_of_gas"),
        (Lie::Overwritten, "starkware.cairo.common.squash_dict.squash_dict_inner"),
        (Lie::Undo, "starkware.cairo.common.squash_dict.squash_dict_inner"),
        (Lie::Storage, "starkware.cairo.common.squash_dict.squash_dict_inner"),
        (Lie::Listed, "frames.go_on_after_change"),
        (Lie::RichRead, "frames.check_syscalls"),
        (Lie::PoorRead, "answers.out_of_gas"),
        (Lie::RichWrite, "frames.check_syscalls"),
        (Lie::PoorWrite, "answers.out_of_gas"),
        (Lie::RichEvent, "frames.check_syscalls"),
        (Lie::PoorEvent, "frames.check_syscalls"),
        (Lie::RichInfo, "frames.check_syscalls"),
        (Lie::PoorInfo, "answers.out_of_gas"),
        (Lie::Unused, "classes.write_segments"),
        (Lie::Unhashed, "classes.check_class"),
    ];
    let mut places = Vec::new();
    for (lie, _) in lies {
        let mut transactions = transactions.clone().into_iter();
        let honest = Hints::new(&dungeon.start, classes(), &dungeon.state, &mut transactions);
        let mut liar = Liar { honest, lie, asked: 0 };
        match run(&mut liar) {
            Ok(_) => places.push((lie, "")),
            Err(ReplayError::Broken { reason, .. }) => {
                assert!(liar.asked > 0, "{lie:?} was never told: {reason}");
                places.push((lie, stopped(&reason)));
            }
            Err(other) => panic!("{lie:?}: {other}"),
        }
    }
    assert_eq!(places, lies);
}

/// Code written by hand, which no compiler made: it returns its range-check pointer, or its Poseidon pointer, moved by `by`.
fn moving(builtin: usize, by: Felt) -> Class {
    let mut class = Dungeon::new().class("Dice").clone();
    class.bytecode = vec![
        // [ap] = [fp - 7] + by: the builtin's pointer.
        felt(0x4826_8001_7ff9_8000),
        by,
        // [ap] = [fp - 6], [ap] = [fp - 5]: gas and syscalls as they came.
        felt(0x480a_7ffa_7fff_8000),
        felt(0x480a_7ffb_7fff_8000),
        // [ap] = 0, twice [ap] = [fp - 4]: it didn't panic and returns nothing.
        felt(0x4806_8001_7fff_8000),
        felt(0),
        felt(0x480a_7ffc_7fff_8000),
        felt(0x480a_7ffc_7fff_8000),
        felt(0x208b_7fff_7fff_7ffe),
    ];
    class.segments = Segments::Leaf(class.bytecode.len());
    class.hints.clear();
    for entry_point in &mut class.entry_points {
        entry_point.offset = 0;
        entry_point.builtins = [false; 5];
        entry_point.builtins[builtin] = true;
    }
    class
}

#[test]
fn builtin_pointers_only_go_forward_by_whole_instances() {
    const RANGE_CHECK: usize = 1;
    const POSEIDON: usize = 4;
    let honest = Dungeon::new();
    let (transactions, _) = honest.play(vec![plan(1, world(), "gamble", &[felt(6)]), finish()]);
    // What it returns isn't what was found either: a liar that gets past the pointers is stopped there.
    for (builtin, by, place) in [
        (RANGE_CHECK, felt(0), "frames.go_on_after_library_call"),
        (RANGE_CHECK, felt(5), "frames.go_on_after_library_call"),
        (RANGE_CHECK, -felt(1), "frames.run"),
        (POSEIDON, felt(6), "frames.go_on_after_library_call"),
        (POSEIDON, felt(1), "frames.run"),
        (POSEIDON, -felt(6), "frames.run"),
    ] {
        let dungeon = Dungeon::new().with(moving(builtin, by));
        assert_eq!(refused(&dungeon, &dungeon.state, transactions.clone()), place, "{builtin} by {by}");
    }
}
