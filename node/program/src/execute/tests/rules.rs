//! What the program runs and what it refuses, whatever it is fed.

use super::{ADD, FINISH, FINISHED, GIVE, PASS, SPEND, Table};
use crate::{
    execute::{ExecuteError, execute, hints::ShardHints},
    program,
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
        .step(0, [1, ADD, 1, 2, 0, 10, 0, 0])
        .step(0, [2, SPEND, 0, 1, 0, 400, 0, 0])
        .step(0, [3, PASS, 0, 1, 3, 600, 0, 0])
        .step(0, [4, GIVE, 1, 4, 1, 0, 0, 0])
        .step(1, [1, SPEND, 0, 3, 0, 605, 0, 0])
        .step(1, [2, GIVE, 1, 4, 1, 0, 0, 0])
        .step(1, [3, FINISH, 1, 0, 0, 0, 0, 0])
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
        ("nonce 0", 0, [0, ADD, 1, 0, 0, 1, 0, 0]),
        ("a nonce left out", 0, [2, ADD, 1, 0, 0, 1, 0, 0]),
        ("an unused last word", 0, [1, ADD, 1, 0, 0, 1, 0, 1]),
        ("action 0", 0, [1, 0, 0, 1, 0, 0, 0, 0]),
        ("action 6", 0, [1, 6, 0, 1, 3, 1, 0, 0]),
        ("add: another word", 0, [1, ADD, 1, 0, 1, 1, 0, 0]),
        ("add: another contract", 0, [1, ADD, 0, 0, 0, 1, 0, 0]),
        ("add: no such contract", 0, [1, ADD, 2, 0, 0, 1, 0, 0]),
        ("add: to an escrow", 0, [1, ADD, 0, 1, 0, 1, 0, 0]),
        ("add: to a lock", 0, [1, ADD, 1, 4, 0, 1, 0, 0]),
        ("add: no such entry", 0, [1, ADD, 1, 5, 0, 1, 0, 0]),
        ("add: above 2^64 - 1", 0, [1, ADD, 1, 2, 0, 11, 0, 0]),
        ("add: far above 2^64 - 1", 0, [1, ADD, 1, 2, 0, u32::MAX, u32::MAX, 0]),
        ("spend: another word", 0, [1, SPEND, 0, 1, 3, 1, 0, 0]),
        ("spend: too much", 0, [1, SPEND, 0, 1, 0, 1001, 0, 0]),
        ("spend: far too much", 0, [1, SPEND, 0, 1, 0, 0, u32::MAX, 0]),
        ("spend: another's escrow", 1, [1, SPEND, 0, 1, 0, 1, 0, 0]),
        ("spend: from a counter", 0, [1, SPEND, 1, 0, 0, 1, 0, 0]),
        ("spend: another contract", 0, [1, SPEND, 1, 1, 0, 1, 0, 0]),
        ("pass: too much", 0, [1, PASS, 0, 1, 3, 1001, 0, 0]),
        ("pass: another's escrow", 1, [1, PASS, 0, 1, 3, 1, 0, 0]),
        ("pass: to itself", 0, [1, PASS, 0, 1, 1, 1, 0, 0]),
        ("pass: to a counter", 0, [1, PASS, 0, 1, 0, 1, 0, 0]),
        ("pass: to no entry", 0, [1, PASS, 0, 1, 9, 1, 0, 0]),
        ("give: what another holds", 1, [1, GIVE, 1, 4, 1, 0, 0, 0]),
        ("give: an amount", 0, [1, GIVE, 1, 4, 1, 1, 0, 0]),
        ("give: a high amount", 0, [1, GIVE, 1, 4, 1, 0, 1, 0]),
        ("give: to no account", 0, [1, GIVE, 1, 4, 2, 0, 0, 0]),
        ("give: a counter", 0, [1, GIVE, 1, 0, 1, 0, 0, 0]),
        ("finish: another contract", 0, [1, FINISH, 0, 0, 0, 0, 0, 0]),
        ("finish: no such contract", 0, [1, FINISH, 2, 0, 0, 0, 0, 0]),
        ("finish: with an entry", 0, [1, FINISH, 1, 1, 0, 0, 0, 0]),
        ("finish: with another word", 0, [1, FINISH, 1, 0, 1, 0, 0, 0]),
        ("finish: with an amount", 0, [1, FINISH, 1, 0, 0, 1, 0, 0]),
        ("finish: with a high amount", 0, [1, FINISH, 1, 0, 0, 0, 1, 0]),
    ];
    for (what, account, words) in cases {
        let table = Table::new().step(*account, *words).step(1 - *account, FINISHED);
        match table.run() {
            // What an index leads to is known to be wrong only when the lists are squashed, at the end.
            Err(ExecuteError::Broken { transaction: 1 | 2, .. }) => {}
            other => panic!("{what}: expected a refusal, got {other:?}"),
        }
    }
}

#[test]
fn it_refuses_a_nonce_used_twice() {
    Table::new().step(0, [1, ADD, 1, 0, 0, 1, 0, 0]).step(0, [1, ADD, 1, 0, 0, 1, 0, 0]).step(1, FINISHED).breaks_at(2);
}

#[test]
fn it_refuses_a_signature_that_is_not_over_the_whole_chain() {
    let mut table =
        Table::new().step(0, [1, ADD, 1, 0, 0, 1, 0, 0]).step(0, [2, ADD, 1, 0, 0, 1, 0, 0]).step(1, FINISHED);
    assert!(table.run().is_ok());
    // Only the last signature of an account counts in the proof; the operator has checked the others.
    let right = table.steps[1].signature;
    table.steps[0].signature = right;
    assert!(table.run().is_ok());
    table.steps[1].signature.s += Felt::ONE;
    table.breaks_at(3);
    // Of another transaction, of another account.
    table.steps[1].signature = table.steps[2].signature;
    table.breaks_at(3);
    table.steps[1].signature = right;
    table.steps[0].words[5] = 2;
    table.breaks_at(3);
}

#[test]
fn it_takes_nothing_after_the_end_event() {
    let table = Table::new().step(1, FINISHED).step(0, [1, ADD, 1, 0, 0, 1, 0, 0]).step(1, [2, ADD, 1, 0, 0, 1, 0, 0]);
    let run = table.run().expect("it ends at the first");
    assert_eq!(run.output.count, 1);
    assert_eq!(run.output.updates[0].value, Felt::ZERO);
}

#[test]
fn it_needs_the_end_event() {
    let error = Table::new().step(0, [1, ADD, 1, 0, 0, 1, 0, 0]).run().expect_err("no end");
    assert!(matches!(error, ExecuteError::Dry));
    assert_eq!(error.to_string(), "there is no further transaction, and the shard has not ended");
}

#[test]
fn what_can_not_begin() {
    let mut table = Table::new().step(1, FINISHED);
    let removed = table.work.values.pop();
    let error = table.run().expect_err("a value is missing");
    assert_eq!(error.to_string(), "the snapshot has 4 values for 5 entries");
    table.work.values.extend(removed);
    table.work.values[1] = Felt::from(1u128 << 64);
    let error = table.run().expect_err("a value is too large");
    let key = table.work.start.entries[1].key;
    assert_eq!(error.to_string(), format!("the snapshot's value of escrow {key} is not below 2^64"));
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
    let mut steps = table.steps.iter().copied();
    let mut hints = ShardHints::new(&table.work.start, &table.work.values, &mut steps);
    hints.grant(1 << 20);
    let mut runner = CairoRunner::new(program::program(), LayoutName::all_cairo_stwo, None, true, true, true).unwrap();
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
        unchecked(&table.step(0, [1, GIVE, 1, 4, 1, 0, 0, 0]).step(1, FINISHED))
    };
    assert!(table(|_| {}).is_ok());
    assert!(table(|it| it.work.start.entries[4].guard = Felt::ONE).is_err(), "a lock that the shard doesn't hold");
    assert!(table(|it| it.work.start.entries[0].contract = ContractId(Felt::ONE)).is_err(), "a foreign contract");
    assert!(table(|it| it.work.start.end_event.selector = Selector(Felt::ONE)).is_err(), "another event");
    assert!(table(|it| it.work.start.end_event.from = it.work.start.contracts[0]).is_err(), "another emitter");
    assert!(table(|it| it.work.values[0] = Felt::from(1u128 << 64)).is_err(), "a counter above 2^64 - 1");
    assert!(table(|it| it.work.values[1] = Felt::MAX).is_err(), "an escrow below zero");
}
