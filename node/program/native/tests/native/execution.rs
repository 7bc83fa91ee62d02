//! What is accepted, and what comes of it.

use super::shard::{
    ACCOUNTS, CONTRACTS, DEADLINE, FIRST_BLOCK, FULL_SLOT, Shard, end_event, felts, probe_hash, run, short, start,
};
use shardwire_contracts::tree::Transaction;
use shardwire_model::{
    Coded as _, ContractId, Felt, Invoke, Key, Slot,
    execution::{CallKind, Event, Invocation, Simulate, Status},
    starknet_keccak,
};
use shardwire_native::{Checked, Refusal};

const A: u64 = CONTRACTS[0];
const B: u64 = CONTRACTS[1];
const C: u64 = CONTRACTS[2];

#[test]
fn a_transaction_has_a_receipt_with_all_that_it_did() {
    let mut shard = Shard::open();
    let receipt = shard.run(A, &felts(&[0, FULL_SLOT, 2, 9, 5, 3, 2, 11, 12, 1, 13])).unwrap();
    assert_eq!((receipt.index, receipt.block, receipt.time), (0, FIRST_BLOCK, shard.time));
    assert_eq!(receipt.status, Status::Succeeded);
    assert_eq!(receipt.returned, felts(&[1, 1, 105]), "one answer, of one felt");
    let event = Event { from: ContractId(A.into()), keys: felts(&[11, 12]), data: felts(&[13]) };
    assert_eq!(receipt.events, [event]);
    assert_eq!(receipt.diff.storage, [(Slot::new(ContractId(A.into()), Key(Felt::from(9))), Felt::from(105))]);
    assert_eq!((receipt.diff.account, receipt.diff.nonce), (ContractId(ACCOUNTS[0].into()), 1));
    assert!(receipt.gas.validate > 10_000 && receipt.gas.execute > receipt.gas.validate);
    assert_eq!(shard.slot(A, 9), Felt::from(105));
    assert_eq!(shard.native.place(receipt.hash), Some(0));
    assert_eq!(shard.native.receipt(0), Some(&receipt));
    let second = shard.run(A, &felts(&[7])).unwrap();
    assert_eq!((second.index, second.block), (1, FIRST_BLOCK + 1));
}

#[test]
fn checking_changes_nothing() {
    let mut shard = Shard::open();
    let invoke = shard.script(A, &felts(&[1, 9, 5]));
    for _ in 0..2 {
        assert!(matches!(shard.native.check(&invoke, shard.time), Ok(Checked::New(_))));
        assert_eq!((shard.slot(A, 9), shard.native.accepted()), (Felt::ZERO, 0));
        assert_eq!(shard.native.nonce_at(ContractId(ACCOUNTS[0].into())).unwrap(), 0);
    }
    let copy = shard.clone();
    shard.submit(&invoke).unwrap();
    assert_eq!((shard.slot(A, 9), shard.native.accepted()), (Felt::from(5), 1));
    assert_eq!((copy.slot(A, 9), copy.native.accepted()), (Felt::ZERO, 0), "a clone goes its own way");
}

#[test]
fn the_same_transaction_again_is_a_duplicate_whatever_its_signature() {
    let mut shard = Shard::open();
    let mut invoke = shard.script(A, &felts(&[1, 9, 5]));
    shard.submit(&invoke).unwrap();
    shard.run(A, &felts(&[1, 9, 6])).unwrap();
    invoke.signature = felts(&[1, 2]);
    assert!(matches!(shard.native.check(&invoke, shard.time), Ok(Checked::Duplicate { index: 0 })));
    assert_eq!(shard.slot(A, 9), Felt::from(6));
}

#[test]
fn a_signature_is_checked_by_the_account() {
    let mut shard = Shard::open();
    let mut invoke = shard.invoke(ACCOUNTS[2], &[run(A, &felts(&[1, 9, 5]))]);
    let good = invoke.signature.clone();
    invoke.signature[0] += Felt::ONE;
    let refusal = shard.submit(&invoke).unwrap_err();
    assert!(matches!(&refusal, Refusal::Invalid { reason, .. } if reason.contains("signature")), "{refusal}");
    invoke.signature = good;
    assert_eq!(shard.submit(&invoke).unwrap().status, Status::Succeeded);
}

#[test]
fn an_inner_failure_is_undone_and_its_caller_goes_on() {
    let mut shard = Shard::open();
    // A has B write, emit, have C write, and panic; then A goes on with what it caught.
    let inner = [1, 9, 1, 3, 1, 1, 0, 4, C, 1, 3, 1, 9, 1, 6, 30];
    let script = [&[1, 9, 2, 4, B, 1, inner.len() as u64][..], &inner, &[2, 8, 0]].concat();
    let receipt = shard.run(A, &felts(&script)).unwrap();
    assert_eq!(receipt.status, Status::Succeeded);
    assert_eq!([shard.slot(A, 9), shard.slot(B, 9), shard.slot(C, 9)], [2, 0, 0].map(Felt::from));
    assert!(receipt.events.is_empty());
    assert_eq!(shard.slot(A, 8), Felt::from(30) + short("ENTRYPOINT_FAILED"));
}

#[test]
fn a_failure_at_the_top_is_reverted_and_logged() {
    let mut shard = Shard::open();
    let receipt = shard.run(A, &felts(&[1, 9, 5, 3, 1, 1, 0, 6, 30])).unwrap();
    let Status::Reverted { reason } = &receipt.status else { panic!("{receipt:?}") };
    assert!(reason.contains("0x1e") && reason.contains(&format!("{:#066x}", Felt::from(A))), "{reason}");
    assert_eq!(receipt.returned, [Felt::from(30), short("ENTRYPOINT_FAILED")]);
    assert!(receipt.events.is_empty() && receipt.diff.storage.is_empty());
    assert_eq!((shard.native.accepted(), receipt.diff.nonce), (1, 1), "its nonce is used");
    assert_eq!(shard.slot(A, 9), Felt::ZERO);
}

#[test]
fn what_validation_wrote_stands_when_execution_fails() {
    let accepting = format!(r#""{:#x}": "0x4""#, starknet_keccak("manner"));
    let genesis = super::shard::read(&super::shard::genesis_json(&accepting));
    let mut shard = Shard::over(genesis.into(), &start(), &[Felt::ZERO]);
    let receipt = shard.run(A, &felts(&[6, 30])).unwrap();
    assert!(matches!(receipt.status, Status::Reverted { .. }));
    assert_eq!(shard.slot(ACCOUNTS[0], 77), Felt::ONE);
}

#[test]
fn running_out_of_gas_reverts() {
    let mut shard = Shard::open();
    let mut invoke = shard.script(A, &felts(&[8, 1_000_000]));
    invoke.bounds.l2_gas = 3_000_000;
    let receipt = shard.submit(&invoke).unwrap();
    let Status::Reverted { reason } = &receipt.status else { panic!("{receipt:?}") };
    assert!(reason.contains("Out of gas"), "{reason}");
    assert!(receipt.gas.total() <= 3_000_000, "{:?}", receipt.gas);
}

#[test]
fn the_tree_has_every_call_with_what_it_found() {
    let shard = Shard::open();
    let inner = [0, FULL_SLOT, 4, C, 1, 2, 6, 1];
    let library = [0, FULL_SLOT, 1, FULL_SLOT, 3, 0, FULL_SLOT];
    let mut script = felts(&[&[0, FULL_SLOT, 4, B, 0, inner.len() as u64][..], &inner].concat());
    script.extend([Felt::from(5), probe_hash(), Felt::ZERO, Felt::from(library.len())]);
    script.extend(felts(&library));
    let invoke = shard.script(A, &script);
    let Checked::New(change) = shard.native.check(&invoke, shard.time).unwrap() else { panic!("it is new") };
    let calls = change.tree().calls();
    let Transaction::Invoke(tree) = &**change.tree() else { panic!("{:?}", change.tree()) };
    assert_eq!((tree.sender, tree.nonce, calls), (Felt::from(ACCOUNTS[0]), Felt::ZERO, 6));
    assert_eq!(tree.validate.retdata, [short("VALID")]);
    assert_eq!(tree.validate.reads.len(), 2, "the manner and the key");
    let execute = &tree.execute;
    assert_eq!((execute.caller, execute.contract, execute.failed), (Felt::ZERO, Felt::from(ACCOUNTS[0]), false));
    assert_eq!(execute.initial_gas, 100_000_000 - tree.validate.gas_consumed);
    let [first] = &execute.calls[..] else { panic!("{execute:?}") };
    assert_eq!((first.caller, first.contract, &first.reads), (Felt::from(ACCOUNTS[0]), Felt::from(A), &felts(&[100])));
    let [called, library] = &first.calls[..] else { panic!("{first:?}") };
    assert_eq!((called.kind, called.caller, called.contract), (CallKind::Call, Felt::from(A), Felt::from(B)));
    assert_eq!(
        (library.kind, library.caller, library.contract),
        (CallKind::Library, Felt::from(ACCOUNTS[0]), Felt::from(A))
    );
    assert_eq!(library.reads, felts(&[100, 3]));
    let [failed] = &called.calls[..] else { panic!("{called:?}") };
    assert!(failed.failed && failed.calls.is_empty());
    assert_eq!(failed.retdata, felts(&[1]), "without what the caller finds appended");
}

#[test]
fn a_trace_has_each_calls_events_in_their_place() {
    let shard = Shard::open();
    let inner = [3, 1, 1, 0, 4, C, 1, 6, 3, 1, 2, 0, 6, 1];
    let script = [&[3, 1, 3, 0, 4, B, 0, inner.len() as u64][..], &inner, &[3, 1, 4, 0]].concat();
    let invoke = shard.script(A, &felts(&script));
    let Checked::New(change) = shard.native.check(&invoke, shard.time).unwrap() else { panic!("it is new") };
    let outcome = change.outcome();
    assert_eq!(outcome.validation().unwrap().returned, [short("VALID")]);
    let execution = outcome.execution();
    let places =
        |call: &Invocation| call.events.iter().map(|(place, event)| (*place, event.keys[0])).collect::<Vec<_>>();
    let [first] = &execution.calls[..] else { panic!("{execution:?}") };
    assert_eq!(places(first), [(0, Felt::THREE), (2, Felt::from(4))]);
    let [second] = &first.calls[..] else { panic!("{first:?}") };
    assert_eq!((places(second), second.caller), (vec![(1, Felt::ONE)], ContractId(A.into())));
    let [failed] = &second.calls[..] else { panic!("{second:?}") };
    assert!(failed.failed && failed.events.is_empty());
    assert_eq!(change.receipt().events.len(), 3);
}

#[test]
fn an_account_can_not_be_told_to_execute_by_a_contract() {
    let mut shard = Shard::open();
    let account = Felt::from(ACCOUNTS[1]);
    let script =
        [Felt::from(11), account, starknet_keccak("__execute__"), Felt::ONE, Felt::TWO, Felt::from(9), Felt::ZERO];
    shard.run(A, &script).unwrap();
    assert_eq!(shard.slot(A, 9), short("Invalid argument") + short("Invalid argument"), "no call was made");
}

#[test]
fn a_reading_call_answers_and_changes_nothing() {
    let shard = Shard::open();
    let read = |script: &[u64]| {
        let (contract, selector, calldata) = run(A, &felts(script));
        shard.native.call(ContractId(contract.into()), selector, &calldata, shard.time)
    };
    assert_eq!(read(&[2, 9, 5]).unwrap(), felts(&[5]));
    assert_eq!(shard.slot(A, 9), Felt::ZERO);
    let refusal = read(&[6, 30]).unwrap_err();
    assert!(matches!(&refusal, Refusal::CallFailed(reason) if reason.contains("0x1e")), "{refusal}");
    let refusal = shard.native.call(ContractId(A.into()), Felt::ONE, &[], shard.time).unwrap_err();
    assert_eq!(refusal.code(), "SW-NATIVE-103");
    assert_eq!(refusal.to_string(), "contract 0x101 has no entry point 0x1");
    assert!(refusal.next_step().contains("starknet_getClassAt"), "{}", refusal.next_step());
}

#[test]
fn a_simulation_needs_neither_gas_nor_signature() {
    let shard = Shard::open();
    let mut invoke = shard.invoke(ACCOUNTS[2], &[run(A, &felts(&[1, 9, 5]))]);
    let simulate = |transaction: &Invoke, leaving_out: bool| {
        let (skip_validate, only_query) = (leaving_out, leaving_out);
        let simulate = Simulate { transaction: transaction.clone(), skip_validate, only_query };
        shard.native.simulate(&[simulate], shard.time)
    };
    let signed = simulate(&invoke, false).unwrap().remove(0);
    (invoke.signature, invoke.bounds.l2_gas) = (Vec::new(), 0);
    let unsigned = simulate(&invoke, true).unwrap().remove(0);
    assert_eq!((unsigned.gas.validate, unsigned.gas.execute), (0, signed.gas.execute));
    assert_eq!((unsigned.validate, unsigned.execute.calls.len()), (None, 1));
    assert_eq!((unsigned.diff.storage.len(), shard.native.accepted()), (1, 0));
    assert_eq!(simulate(&invoke, false).unwrap_err().0, 0, "unsigned, but to be validated");
}

#[test]
fn transactions_are_simulated_one_after_the_other() {
    let shard = Shard::open();
    let simulate = |nonce: u64, script: &[u64]| {
        let transaction = Invoke { nonce, ..shard.script(A, &felts(script)) };
        Simulate { transaction, skip_validate: false, only_query: false }
    };
    // One writes, one reverts, one reads what the first wrote.
    let all = [simulate(0, &[1, 9, 5]), simulate(1, &[6, 30]), simulate(2, &[0, 9]), simulate(5, &[7])];
    let simulated = shard.native.simulate(&all[..3], shard.time).unwrap();
    assert!(matches!(simulated[1].status, Status::Reverted { .. }) && simulated[1].execute.failed);
    assert_eq!(simulated[2].execute.returned.last(), Some(&Felt::from(5)));
    let (place, refusal) = shard.native.simulate(&all, shard.time).unwrap_err();
    assert!(place == 3 && matches!(refusal, Refusal::Nonce { expected: 3, got: 5, .. }), "{refusal}");
    assert_eq!((shard.slot(A, 9), shard.native.accepted()), (Felt::ZERO, 0));
}

#[test]
fn the_end_event_ends_the_shard() {
    let mut shard = Shard::open();
    let emit = |from| (from, [Felt::THREE, Felt::ONE, end_event(), Felt::ZERO]);
    let (other, event) = emit(B);
    assert!(!shard.run(other, &event).unwrap().ends, "another contract's event");
    assert!(!shard.run(A, &[event.to_vec(), felts(&[6, 1])].concat()).unwrap().ends, "an event that is undone");
    assert!(shard.run(A, &event).unwrap().ends);
    assert!(shard.native.ended());
    let invoke = shard.script(A, &[]);
    assert_eq!(shard.native.check(&invoke, DEADLINE).unwrap_err(), Refusal::Ended);
}

#[test]
fn contracts_are_told_caller_block_time_and_transaction() {
    let shard = Shard::open();
    let invoke = shard.script(A, &felts(&[7]));
    let Checked::New(change) = shard.native.check(&invoke, shard.time).unwrap() else { panic!("it is new") };
    let receipt = change.receipt();
    let chain = short(shard.native.chain());
    let expected = Felt::from(ACCOUNTS[0] + A + FIRST_BLOCK + 1_000 * shard.time) + receipt.hash + chain;
    assert_eq!(receipt.returned, [Felt::ONE, Felt::ONE, expected]);
}
