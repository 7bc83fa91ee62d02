//! What keeps a shard settleable, and is refused before it is logged.

use super::shard::{CONTRACTS, Shard, felts, start};
use shardwire_contracts::{
    Start,
    start::{Entry, EntryKind, Rule},
};
use shardwire_model::{Coded, Felt, Key, execution::Status};
use shardwire_native::Refusal;

const A: u64 = CONTRACTS[0];
const B: u64 = CONTRACTS[1];
/// The shard's maximum of each counter and escrow.
const MOST: u128 = 1_000;

/// A shard whose first contract is closed, with a counter, two escrows, two locks and a scratch key: slots 1 to 6.
fn closed() -> Start {
    let mut start = start();
    let shard = start.shard.0;
    let entry = |kind, key: u64, guard, maximum| Entry { kind, contract: 0, key: Key(key.into()), guard, maximum };
    start.entries = vec![
        entry(EntryKind::Counter, 1, Felt::ZERO, MOST),
        entry(EntryKind::Escrow, 2, Felt::ZERO, MOST),
        entry(EntryKind::Escrow, 3, Felt::ZERO, MOST),
        entry(EntryKind::Lock, 4, shard, 0),
        entry(EntryKind::Lock, 5, Felt::from(0xbad), 0),
        entry(EntryKind::Scratch, 6, Felt::ZERO, 0),
    ];
    start.contracts[0].rule = Rule::Closed;
    start
}

/// Its counter begins at 10, its escrows at 600 and 400, its locks at 1.
fn open() -> Shard {
    Shard::of(&closed(), &felts(&[10, 600, 400, 1, 1]))
}

fn write(slots: &[(u64, u64)]) -> Vec<Felt> {
    felts(&slots.iter().flat_map(|(key, value)| [1, *key, *value]).collect::<Vec<_>>())
}

#[test]
fn what_keeps_the_rules_is_accepted() {
    let mut shard = open();
    let slots = [(1, 11), (2, 1_000), (3, 0), (4, 2), (6, 99)];
    assert_eq!(shard.run(A, &write(&slots)).unwrap().status, Status::Succeeded);
    assert_eq!(shard.native.values().unwrap(), felts(&[11, 1_000, 0, 2, 1]));
    shard.run(A, &write(&[(2, 1), (3, 1), (1, 10)])).unwrap();
    shard.run(A, &write(&[(2, 500), (3, 500)])).unwrap();
    // A slot that isn't listed may change within a transaction.
    shard.run(A, &write(&[(9, 5), (9, 0), (7, 1), (7, 100)])).unwrap();
    // Other contracts are scratch.
    shard.run(B, &write(&[(9, 5)])).unwrap();
    assert_eq!(shard.slot(B, 9), Felt::from(5));
}

#[test]
fn what_breaks_them_is_refused_and_nothing_of_it_stays() {
    let mut shard = open();
    let cases = [
        (
            vec![(9, 5)],
            "SW-NATIVE-117",
            "slot 0x101/0x9 of a closed contract would be 0x5, and it began as 0x0",
            "List the slot",
        ),
        (
            vec![(7, 0)],
            "SW-NATIVE-117",
            "slot 0x101/0x7 of a closed contract would be 0x0, and it began as 0x64",
            "scratch key",
        ),
        (
            vec![(2, 601)],
            "SW-NATIVE-118",
            "the escrows of contract 0x101 would hold 1001, and they began with 1000",
            "put in escrow",
        ),
        (
            vec![(1, 9)],
            "SW-NATIVE-119",
            "counter 0x101/0x1 would be 0x9, less than the 0xa that it began with",
            "as an escrow",
        ),
        (vec![(1, 1_001)], "SW-NATIVE-120", "entry 0x101/0x1 would be 0x3e9, above its maximum 1000", "higher maximum"),
        (
            vec![(3, 0), (2, 1_001)],
            "SW-NATIVE-120",
            "entry 0x101/0x2 would be 0x3e9, above its maximum 1000",
            "higher maximum",
        ),
        (
            vec![(5, 2)],
            "SW-NATIVE-121",
            "lock 0x101/0x5 is held by shard 0xbad: it can't change here",
            "takes the lock",
        ),
    ];
    for (slots, code, words, step) in cases {
        let refusal = shard.run(A, &write(&slots)).unwrap_err();
        assert_eq!((refusal.code(), refusal.to_string().as_str()), (code, words));
        assert!(refusal.next_step().contains(step), "{}", refusal.next_step());
    }
    assert_eq!(shard.native.accepted(), 0);
    assert_eq!(shard.native.values().unwrap(), felts(&[10, 600, 400, 1, 1]));
    // Undone by a panic, it breaks nothing.
    let script = [write(&[(9, 5)]), felts(&[6, 1])].concat();
    assert!(matches!(shard.run(A, &script).unwrap().status, Status::Reverted { .. }));
}

#[test]
fn the_sum_of_escrows_may_shrink_and_not_grow_back_above_its_start() {
    let mut shard = open();
    shard.run(A, &write(&[(2, 0), (3, 0)])).unwrap();
    shard.run(A, &write(&[(2, 1_000)])).unwrap();
    let refusal = shard.run(A, &write(&[(3, 1)])).unwrap_err();
    assert!(matches!(refusal, Refusal::Escrows { now, .. } if now == Felt::from(1_001)), "{refusal}");
}
