//! Every refusal of a transaction, with its code, its words and its next step; and that nothing changes.

use super::shard::{BEGINS, CONTRACTS, DEADLINE, Shard, felts, genesis_json, read, run, short, start};
use shardwire_model::{Coded, ContractId, Felt, Invoke, MAX_SIGNATURE_FELTS, starknet_keccak};
use shardwire_native::Refusal;
use std::time::Instant;

const A: u64 = CONTRACTS[0];

/// Refuses a transaction, and checks that nothing changed and what a person reads.
fn refused(shard: &Shard, invoke: &Invoke, code: &str, words: &str, step: &str) -> Refusal {
    let refusal = shard.native.check(invoke, shard.time).unwrap_err();
    assert_eq!(refusal.code(), code, "{refusal}");
    assert!(refusal.to_string().contains(words), "{refusal}");
    assert!(refusal.next_step().contains(step), "{}", refusal.next_step());
    assert_eq!(shard.native.accepted(), 0);
    assert!(!refusal.is_of_this_machine());
    refusal
}

#[test]
fn an_account_that_is_not_listed() {
    let shard = Shard::open();
    for account in [0xbad, A] {
        let invoke = shard.invoke(account, &[run(A, &[])]);
        refused(
            &shard,
            &invoke,
            "SW-NATIVE-101",
            &format!("account {account:#x} is not one of this shard's"),
            "started with",
        );
    }
    let mut invoke = shard.script(A, &[]);
    invoke.sender = ContractId(Felt::from(-1));
    refused(&shard, &invoke, "SW-NATIVE-102", "can't be the address of an account", "2^251");
}

#[test]
fn more_than_its_bounds() {
    let shard = Shard::open();
    let mut invoke = shard.script(A, &[]);
    invoke.calldata = vec![Felt::ZERO; 1 << 20];
    let words = "the calldata has 1048576 felts, and 5000 are allowed";
    refused(&shard, &invoke, "SW-NATIVE-104", words, "fewer calls");
    let mut invoke = shard.script(A, &[]);
    invoke.signature = vec![Felt::ZERO; MAX_SIGNATURE_FELTS + 1];
    refused(&shard, &invoke, "SW-NATIVE-104", "the signature has 257 felts, and 256 are allowed", "fewer calls");
}

#[test]
fn no_gas() {
    let shard = Shard::open();
    let mut invoke = shard.script(A, &[]);
    invoke.bounds.l2_gas = 0;
    refused(&shard, &invoke, "SW-NATIVE-105", "l2_gas.max_amount is 0", "Estimate the transaction");
}

#[test]
fn another_nonce() {
    let shard = Shard::open();
    let mut invoke = shard.script(A, &[]);
    invoke.nonce = 2;
    refused(&shard, &invoke, "SW-NATIVE-106", "account 0xa01 must use nonce 0, not 2", "'pre_confirmed'");
}

#[test]
fn a_time_that_runs_back_or_leaves_the_shard() {
    let mut shard = Shard::open();
    let invoke = shard.script(A, &[]);
    for time in [BEGINS - 1, DEADLINE + 1] {
        let refusal = shard.native.check(&invoke, time).unwrap_err();
        let words = format!("the time is {time} s, and it must be from {BEGINS} s to {DEADLINE} s");
        assert_eq!((refusal.code(), refusal.to_string()), ("SW-NATIVE-109", words));
        assert!(refusal.next_step().contains("clock"));
    }
    shard.submit(&invoke).unwrap();
    let later = shard.script(A, &[]);
    assert!(shard.native.check(&later, shard.time).is_ok(), "the same second");
    assert!(matches!(shard.native.check(&later, shard.time - 1), Err(Refusal::Time { .. })));
}

#[test]
fn an_account_that_does_not_accept() {
    for (manner, words) in [("0x1", "not today"), ("0x2", "__validate__ doesn't return VALID"), ("0x3", "Out of gas")] {
        let manner = format!(r#""{:#x}": "{manner}""#, starknet_keccak("manner"));
        let shard = Shard::over(read(&genesis_json(&manner)).into(), &start(), &[Felt::ZERO]);
        let mut invoke = shard.script(A, &[]);
        invoke.bounds.l2_gas = u64::MAX;
        let began = Instant::now();
        let refusal =
            refused(&shard, &invoke, "SW-NATIVE-110", "account 0xa01 doesn't accept the transaction", "Sign with");
        assert!(refusal.to_string().contains(words), "{refusal}");
        assert!(began.elapsed().as_secs() < 60, "a loop is bounded by gas");
    }
}

#[test]
fn a_run_that_the_machine_stops() {
    let shard = Shard::open();
    refused(&shard, &shard.script(A, &felts(&[12])), "SW-NATIVE-112", "calls are nested deeper than 24", "less deeply");
    let events = [
        (felts(&[9, 10_000, 0]), "Exceeded the maximum keys length, keys length: 10000, max keys length: 50"),
        (felts(&[9, 0, 10_000]), "Exceeded the maximum data length, data length: 10000, max data length: 300"),
        (felts(&[9, 0, 0].repeat(1_001)), "Exceeded the maximum number of events"),
    ];
    for (script, words) in events {
        let mut invoke = shard.script(A, &script);
        invoke.bounds.l2_gas = 1_000_000_000;
        refused(&shard, &invoke, "SW-NATIVE-113", words, "at most 1000 events of 50 keys and 300 felts");
    }
}

#[test]
fn what_no_proof_covers_by_its_name() {
    let shard = Shard::open();
    let names = ["keccak", "send_message_to_l1", "deploy", "replace_class", "get_block_hash"];
    for (which, name) in (0..).zip(names) {
        let words = format!("contract {A:#x} makes system call {name}, which a shard can't prove");
        refused(&shard, &shard.script(A, &felts(&[10, which])), "SW-NATIVE-114", &words, "on the chain");
        // Also where the failure of the call that made it is caught.
        let caught = felts(&[4, A, 1, 4, 10, which, 6, 1]);
        refused(&shard, &shard.script(CONTRACTS[1], &caught), "SW-NATIVE-114", &words, "on the chain");
    }
}

#[test]
fn what_the_shard_does_not_have() {
    let shard = Shard::open();
    for caught in [0, 1] {
        let call = shard.script(A, &felts(&[4, 0xbad, caught, 0]));
        refused(&shard, &call, "SW-NATIVE-115", "contract 0xbad is not one of this shard's", "next shard");
        let library = shard.script(A, &felts(&[5, 0xbad, caught, 0]));
        refused(&shard, &library, "SW-NATIVE-116", "class 0xbad is not one of this shard's", "next shard");
    }
    let refusal = shard.native.call(ContractId(Felt::from(0xbad)), Felt::ONE, &[], BEGINS).unwrap_err();
    assert_eq!(refusal, Refusal::UnknownContract(ContractId(Felt::from(0xbad))));
}

#[test]
fn calldata_that_is_no_list_of_calls() {
    let mut shard = Shard::open();
    let mut invoke = shard.script(A, &[]);
    invoke.calldata = vec![Felt::from(9)];
    let refusal = shard.submit(&invoke).unwrap_err();
    assert!(
        matches!(&refusal, Refusal::Invalid { reason, .. } if reason.contains("Input too short for arguments")),
        "{refusal}"
    );
    assert_eq!(short("VALID"), Felt::from_hex_unchecked("0x56414c4944"));
}

#[test]
fn each_refusal_has_a_code_of_its_own() {
    let refusals = [Refusal::Ended, Refusal::Full, Refusal::Broken("…".into()), Refusal::Machine("no thread".into())];
    let read: Vec<_> = refusals.iter().map(|it| format!("{} {it}. {}", it.code(), it.next_step())).collect();
    assert_eq!(
        read,
        [
            "SW-NATIVE-107 the shard has ended: nothing happens after its end event. Start another shard, or read the result of this one.",
            "SW-NATIVE-108 the shard is full: of its 65536 transactions only one that ends it is left. End the shard and start another one.",
            "SW-NATIVE-111 the run breaks a rule of the machine: …. Correct the calls, or the contract; simulate the transaction to see where it stops.",
            "SW-NATIVE-123 the transaction can't be executed at the moment: no thread. Submit the transaction again; if this lasts, free memory on the operator's machine.",
        ]
    );
    assert!(Refusal::Machine(String::new()).is_of_this_machine());
}
