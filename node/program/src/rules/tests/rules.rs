//! What the program runs and what it refuses, whatever it is fed.

use super::{ADD, FINISH, FINISHED, GIVE, PASS, SPEND, Table};
use crate::{
    ExecuteError,
    rules::{compiled, execute::execute, hints::ShardHints},
};
use cairo_vm::{
    types::layout_name::LayoutName,
    vm::{errors::vm_errors::VirtualMachineError, runners::cairo_runner::CairoRunner},
};
use shardwire_model::{ChainHead, Coded, ContractId, Felt, Selector};
use shardwire_sample::workload;
use std::io;

#[test]
fn it_runs_what_the_rules_allow() {
    let run = Table::new()
        .transaction(0, [1, ADD, 2, 0, 10, 0, 0, 0])
        .transaction(0, [2, SPEND, 1, 0, 400, 0, 0, 0])
        .transaction(0, [3, PASS, 1, 3, 600, 0, 0, 0])
        .transaction(0, [4, GIVE, 4, 1, 0, 0, 0, 0])
        .transaction(1, [1, SPEND, 3, 0, 605, 0, 0, 0])
        .transaction(1, [2, GIVE, 4, 1, 0, 0, 0, 0])
        .transaction(1, [3, FINISH, 1, 0, 0, 0, 0, 0])
        .run()
        .expect("all is allowed");
    assert_eq!(run.output.count, 7);
    assert!(run.output.ended);
    let values: Vec<Felt> = run.output.updates.iter().map(|update| update.value).collect();
    let holder = Table::new().work.keys[1].id().0;
    assert_eq!(values, [Felt::ZERO, Felt::ZERO, Felt::from(10), Felt::ZERO, holder]);
}

#[test]
fn it_refuses_what_breaks_a_rule() {
    let cases: &[(&str, usize, [u32; 8])] = &[
        ("nonce 0", 0, [0, ADD, 0, 0, 1, 0, 0, 0]),
        ("a nonce left out", 0, [2, ADD, 0, 0, 1, 0, 0, 0]),
        ("action 0", 0, [1, 0, 1, 0, 0, 0, 0, 0]),
        ("action 6", 0, [1, 6, 1, 3, 1, 0, 0, 0]),
        ("add: another word", 0, [1, ADD, 0, 1, 1, 0, 0, 0]),
        ("add: to an escrow", 0, [1, ADD, 1, 0, 1, 0, 0, 0]),
        ("add: to a lock", 0, [1, ADD, 4, 0, 1, 0, 0, 0]),
        ("add: no such entry", 0, [1, ADD, 5, 0, 1, 0, 0, 0]),
        ("add: above 2^128 - 1", 0, [1, ADD, 2, 0, 11, 0, 0, 0]),
        ("add: 2^96 above it", 0, [1, ADD, 2, 0, 0, 0, 0, 1]),
        ("add: far above it", 0, [1, ADD, 2, 0, u32::MAX, u32::MAX, u32::MAX, u32::MAX]),
        ("spend: another word", 0, [1, SPEND, 1, 3, 1, 0, 0, 0]),
        ("spend: too much", 0, [1, SPEND, 1, 0, 1001, 0, 0, 0]),
        ("spend: far too much", 0, [1, SPEND, 1, 0, 0, u32::MAX, 0, 0]),
        ("spend: 2^96 too much", 0, [1, SPEND, 1, 0, 0, 0, 0, 1]),
        ("spend: all there can be", 0, [1, SPEND, 1, 0, u32::MAX, u32::MAX, u32::MAX, u32::MAX]),
        ("spend: another's escrow", 1, [1, SPEND, 1, 0, 1, 0, 0, 0]),
        ("spend: from a counter", 0, [1, SPEND, 0, 0, 1, 0, 0, 0]),
        ("pass: too much", 0, [1, PASS, 1, 3, 1001, 0, 0, 0]),
        ("pass: another's escrow", 1, [1, PASS, 1, 3, 1, 0, 0, 0]),
        ("pass: to itself", 0, [1, PASS, 1, 1, 1, 0, 0, 0]),
        ("pass: to a counter", 0, [1, PASS, 1, 0, 1, 0, 0, 0]),
        ("pass: to no entry", 0, [1, PASS, 1, 9, 1, 0, 0, 0]),
        ("give: what another holds", 1, [1, GIVE, 4, 1, 0, 0, 0, 0]),
        ("give: an amount", 0, [1, GIVE, 4, 1, 1, 0, 0, 0]),
        ("give: a high amount", 0, [1, GIVE, 4, 1, 0, 1, 0, 0]),
        ("give: a higher amount", 0, [1, GIVE, 4, 1, 0, 0, 1, 0]),
        ("give: the highest amount", 0, [1, GIVE, 4, 1, 0, 0, 0, 1]),
        ("give: to no account", 0, [1, GIVE, 4, 2, 0, 0, 0, 0]),
        ("give: a counter", 0, [1, GIVE, 0, 1, 0, 0, 0, 0]),
        ("finish: another contract", 0, [1, FINISH, 0, 0, 0, 0, 0, 0]),
        ("finish: no such contract", 0, [1, FINISH, 2, 0, 0, 0, 0, 0]),
        ("finish: with another word", 0, [1, FINISH, 1, 1, 0, 0, 0, 0]),
        ("finish: with an amount", 0, [1, FINISH, 1, 0, 1, 0, 0, 0]),
        ("finish: with a high amount", 0, [1, FINISH, 1, 0, 0, 1, 0, 0]),
        ("finish: with a higher amount", 0, [1, FINISH, 1, 0, 0, 0, 1, 0]),
        ("finish: with the highest amount", 0, [1, FINISH, 1, 0, 0, 0, 0, 1]),
    ];
    for (what, account, words) in cases {
        let table = Table::new().transaction(*account, *words).transaction(1 - *account, FINISHED);
        match table.run() {
            // What an index leads to is known to be wrong only when the lists are squashed, at the end.
            Err(ExecuteError::Broken { transaction: 1 | 2, .. }) => {}
            other => panic!("{what}: expected a refusal, got {other:?}"),
        }
    }
}

#[test]
fn it_takes_amounts_of_128_bits_and_not_one_more() {
    let high = 1u128 << 100;
    let table = |values: [u128; 4]| {
        let mut table = Table::new();
        let holder = table.work.values[4];
        table.work.values = values.map(Felt::from).into_iter().chain([holder]).collect();
        let commitment = table.work.start.commitment();
        table.heads = table.work.start.accounts.iter().map(|account| ChainHead::start(commitment, *account)).collect();
        table
    };
    let words = |n: u32, action, entry, other, amount: u128| {
        let part = |place: u32| (amount >> (32 * place)) as u32;
        [n, action, entry, other, part(0), part(1), part(2), part(3)]
    };
    let run = table([0, u128::MAX, 7, high])
        .transaction(0, words(1, ADD, 0, 0, u128::MAX))
        .transaction(0, words(2, SPEND, 1, 0, u128::MAX - high))
        .transaction(0, words(3, PASS, 1, 3, high))
        .transaction(1, words(1, SPEND, 3, 0, 2 * high - 1))
        .transaction(1, words(2, FINISH, 1, 0, 0))
        .run()
        .expect("all is allowed");
    let values: Vec<Felt> = run.output.updates.iter().map(|update| update.value).take(4).collect();
    assert_eq!(values, [u128::MAX, 0, 0, 1].map(Felt::from));
    // One more than fits, at the receiving end of a passage too.
    let receiver = table([0, 5, 7, u128::MAX - 4]);
    receiver.transaction(0, words(1, PASS, 1, 3, 5)).transaction(1, FINISHED).breaks_at(1);
    table([1, 5, 7, 0]).transaction(0, words(1, ADD, 0, 0, u128::MAX)).transaction(1, FINISHED).breaks_at(1);
    table([1, 5, 7, 0]).transaction(0, words(1, SPEND, 1, 0, 6)).transaction(1, FINISHED).breaks_at(1);
}

#[test]
fn it_passes_nothing_to_another_contract_and_echoes_contracts_and_program() {
    let mut table = Table::new();
    // The second escrow is the other contract's.
    table.work.start.entries[3].contract = table.work.start.contracts[1];
    let commitment = table.work.start.commitment();
    table.heads = table.work.start.accounts.iter().map(|account| ChainHead::start(commitment, *account)).collect();
    let start = table.work.start.clone();
    let run = table.transaction(1, FINISHED).run().expect("it ends");
    assert_eq!((run.output.program, run.output.reads), (start.program, Felt::ZERO));
    assert!(run.output.updates.iter().map(|it| it.slot()).eq(start.entries.iter().map(|it| it.slot())));
    let mut table = Table::new();
    table.work.start = start;
    table.heads = table.work.start.accounts.iter().map(|account| ChainHead::start(commitment, *account)).collect();
    table.transaction(0, [1, PASS, 1, 3, 1, 0, 0, 0]).transaction(1, FINISHED).breaks_at(1);
}

#[test]
fn it_executes_no_shard_of_another_program() {
    let mut table = Table::new().transaction(1, FINISHED);
    table.work.start.program = Felt::TWO;
    let error = table.run().expect_err("another program");
    assert_eq!(error.code(), "SW-EXEC-008");
    assert!(error.to_string().starts_with("the start data is of program 0x2, and this is 0x"), "{error}");
}

#[test]
fn it_refuses_a_nonce_used_twice() {
    Table::new()
        .transaction(0, [1, ADD, 0, 0, 1, 0, 0, 0])
        .transaction(0, [1, ADD, 0, 0, 1, 0, 0, 0])
        .transaction(1, FINISHED)
        .breaks_at(2);
}

#[test]
fn it_refuses_a_signature_that_is_not_over_the_whole_chain() {
    let mut table = Table::new()
        .transaction(0, [1, ADD, 0, 0, 1, 0, 0, 0])
        .transaction(0, [2, ADD, 0, 0, 1, 0, 0, 0])
        .transaction(1, FINISHED);
    assert!(table.run().is_ok());
    // Only the last signature of an account counts in the proof; the operator has checked the others.
    let right = table.transactions[1].signature;
    table.transactions[0].signature = right;
    assert!(table.run().is_ok());
    table.transactions[1].signature.s += Felt::ONE;
    table.breaks_at(3);
    // Of another transaction, of another account.
    table.transactions[1].signature = table.transactions[2].signature;
    table.breaks_at(3);
    table.transactions[1].signature = right;
    table.transactions[0].words[4] = 2;
    table.breaks_at(3);
}

#[test]
fn it_takes_nothing_after_the_end_event() {
    let table = Table::new()
        .transaction(1, FINISHED)
        .transaction(0, [1, ADD, 0, 0, 1, 0, 0, 0])
        .transaction(1, [2, ADD, 0, 0, 1, 0, 0, 0]);
    let run = table.run().expect("it ends at the first");
    assert_eq!(run.output.count, 1);
    assert_eq!(run.output.updates[0].value, Felt::ZERO);
}

#[test]
fn it_needs_the_end_event() {
    let error = Table::new().transaction(0, [1, ADD, 0, 0, 1, 0, 0, 0]).run().expect_err("no end");
    assert!(matches!(error, ExecuteError::Dry));
    assert_eq!(error.to_string(), "there is no further transaction, and the shard has not ended");
}

#[test]
fn what_can_not_begin() {
    let mut table = Table::new().transaction(1, FINISHED);
    let removed = table.work.values.pop();
    let error = table.run().expect_err("a value is missing");
    assert_eq!(error.to_string(), "the snapshot has 4 values for 5 entries");
    table.work.values.extend(removed);
    table.work.values[1] = Felt::from(u128::MAX) + Felt::ONE;
    let error = table.run().expect_err("a value is too large");
    let key = table.work.start.entries[1].slot();
    assert_eq!(error.to_string(), format!("the snapshot's value of escrow {key} is not below 2^128"));
    table.work.start.accounts.clear();
    let error = table.run().expect_err("no accounts");
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        ("SW-EXEC-001", "the start data is refused: account: 0 given, 1 to 256 allowed")
    );
}

#[test]
fn a_transaction_that_is_not_listed_and_a_full_disk_stop_the_run() {
    let mut work = workload(2, 10, 5);
    let error = execute(&work.start, &work.values, work.transactions.clone(), |_| Err(io::Error::other("full")));
    assert_eq!(error.expect_err("full").to_string(), "a witness chunk can't be stored: full");
    work.transactions[4].transaction.contract = ContractId(Felt::from(0xc0));
    let error = execute(&work.start, &work.values, work.transactions, |_| Ok(())).expect_err("not listed");
    let text = "the shard program stopped at transaction 5: contract 0xc0 is not whitelisted in this shard";
    assert_eq!(error.to_string(), text);
}

/// Runs the program on start data and values that nobody has looked at.
fn unchecked(table: &Table) -> Result<(), VirtualMachineError> {
    let mut steps = table.transactions.iter().copied();
    let mut hints = ShardHints::new(&table.work.start, &table.work.values, &mut steps);
    let mut runner = CairoRunner::new(compiled::program(), LayoutName::all_cairo_stwo, None, true, true, true).unwrap();
    let end = runner.initialize(true).unwrap();
    runner.run_until_pc(end, &mut hints)
}

#[test]
fn it_refuses_start_data_that_the_world_would_not_give() {
    let table = |change: fn(&mut Table)| {
        let mut table = Table::new();
        change(&mut table);
        let commitment = table.work.start.commitment();
        table.heads = table.work.start.accounts.iter().map(|account| ChainHead::start(commitment, *account)).collect();
        unchecked(&table.transaction(0, [1, GIVE, 4, 1, 0, 0, 0, 0]).transaction(1, FINISHED))
    };
    assert!(table(|_| {}).is_ok());
    assert!(table(|it| it.work.start.entries[4].guard = Felt::ONE).is_err(), "a lock that the shard doesn't hold");
    assert!(table(|it| it.work.start.entries[0].contract = ContractId(Felt::ONE)).is_err(), "a foreign contract");
    assert!(table(|it| it.work.start.end_event.selector = Selector(Felt::ONE)).is_err(), "another event");
    assert!(table(|it| it.work.start.end_event.from = it.work.start.contracts[0]).is_err(), "another emitter");
    assert!(table(|it| it.work.values[0] = Felt::from(u128::MAX) + Felt::ONE).is_err(), "a counter above 2^128 - 1");
    assert!(table(|it| it.work.values[1] = Felt::MAX).is_err(), "an escrow below zero");
}
