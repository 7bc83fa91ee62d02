use super::*;
use shardwire_workload::Workload;

const PAGE: &str = include_str!("../../../docs/workload.md");

/// The example of `docs/workload.md`, with `from` replaced.
fn with(from: &str, to: &str) -> Workload {
    let (_, rest) = PAGE.split_once("```json\n").expect("the page has an example");
    let example = rest.split_once("```").expect("the example ends").0;
    assert!(example.contains(from), "the example lacks {from}");
    Workload::parse(&example.replacen(from, to, 1)).expect("a workload")
}

fn example() -> Workload {
    with("", "")
}

fn slot(n: u64) -> Slot {
    Slot::new(shardwire_model::ContractId(Felt::from(0xdu64)), Key(Felt::from(n)))
}

#[test]
fn the_example_comes_out_as_one_does_it_by_hand() {
    let workload = example();
    let brom = workload.players[1].key().id().0;
    let expected = recompute(&workload).expect("it obeys the rules");
    let updates: Vec<Felt> = expected.updates.iter().map(|(_, _, value)| *value).collect();
    assert_eq!(updates, [Felt::from(85u64), Felt::from(440u64), Felt::from(525u64), brom]);
    let state: Vec<Felt> = [0x100, 0x101, 0x102, 0x103].map(|n| expected.state[&slot(n)].value).to_vec();
    assert_eq!(state, [Felt::from(95u64), Felt::from(840u64), Felt::from(825u64), brom]);
}

#[test]
fn what_an_operator_would_refuse_is_told_with_the_transaction() {
    for (from, to, text) in [
        (
            "\"amount\":120",
            "\"amount\":601",
            "transaction 2 of Ada would be refused: 600 are left in escrow, 601 are needed",
        ),
        (
            "{\"player\":\"Brom\",\"contract\":\"0xd\",\"call\":{\"spend\":{\"escrow\":\"0x102\"",
            "{\"player\":\"Brom\",\"contract\":\"0xd\",\"call\":{\"spend\":{\"escrow\":\"0x101\"",
            "transaction 6 of Brom would be refused: escrow 0xd/0x101 belongs to 0x7e7edc1c7d134f664f260917acac01f8b880e04990f5a2c3534610c0a4c5043",
        ),
        (
            "{\"player\":\"Ada\",\"contract\":\"0xd\",\"call\":{\"give\"",
            "{\"player\":\"Brom\",\"contract\":\"0xd\",\"call\":{\"give\"",
            "transaction 5 of Brom would be refused: 0x7e7edc1c7d134f664f260917acac01f8b880e04990f5a2c3534610c0a4c5043 holds what it gives away",
        ),
    ] {
        let error = recompute(&with(from, to)).expect_err("it breaks a rule");
        assert_eq!((error.code(), error.to_string().as_str()), ("SW-RECOMPUTE-002", text));
    }
}

#[test]
fn a_start_that_takes_too_much_is_told() {
    let error = recompute(&with("\"amount\":600", "\"amount\":1001")).expect_err("too much");
    assert_eq!(error.code(), "SW-RECOMPUTE-001");
    assert_eq!(error.to_string(), "the shard can't start: escrow 0xd/0x101 takes 1001 of a balance of 1000");
}

#[test]
fn counters_that_outgrow_their_range_are_told() {
    let error = recompute(&with("\"value\":10,", "\"value\":\"340282366920938463463374607431768211440\","))
        .expect_err("too much");
    assert_eq!(error.to_string(), "the shard can't start: counter 0xd/0x100 exceeds 2^128 when it is settled");
}

#[test]
fn every_difference_is_listed_with_its_name() {
    let workload = example();
    let state = recompute(&workload).expect("it obeys the rules").state;
    assert_eq!(differences(&workload.world, &state, &state), []);
    let mut settled = state.clone();
    settled.insert(slot(0x100), Value { kind: Kind::Counter, value: Felt::from(94u64) });
    settled.insert(slot(0x103), Value { kind: Kind::Counter, value: Felt::ONE });
    settled.remove(&slot(0x101));
    settled.insert(slot(0x999), Value { kind: Kind::Lock, value: Felt::TWO });
    let texts: Vec<String> = differences(&workload.world, &state, &settled).iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "experience of guild (0xd/0x100): settled counter 94, recomputed counter 95",
            "gold of Ada (0xd/0x101): settled nothing, recomputed escrow 840",
            "sword (0xd/0x103): settled counter 1, recomputed lock 0x6ddc7caa07c0936d9f808f1136d88df0cb49f897a86a373a3e4af5a092b121b",
            "(0xd/0x999): settled lock 2, recomputed nothing",
        ]
    );
}
