//! Segments are believed in their order, all of them, and settle once.

use crate::segments::Segments;
use shardwire_model::{
    Coded as _, EventId, Felt, MAX_SEGMENTS, MAX_TRANSACTIONS, Output, PeerId, Selector, ShardId, ShardStart, Terms,
    Timestamp, felt::ContractId, program_hash,
};

const BEFORE: Felt = Felt::from_hex_unchecked("0xbe0");

fn start() -> ShardStart {
    ShardStart {
        shard: ShardId(Felt::from(7)),
        program: Felt::THREE,
        operator: PeerId([9; 32]),
        contracts: Vec::new(),
        accounts: Vec::new(),
        end_event: EventId { from: ContractId(Felt::ONE), selector: Selector(Felt::TWO) },
        deadline: Timestamp(9_000),
        entries: Vec::new(),
        terms: Terms::Rules,
    }
}

/// Segment `n` of `of`; each ends with the state that has the number of the next.
fn segment(n: u32, of: u32) -> Output {
    let state = |n: u32| if n == 0 { BEFORE } else { Felt::from(n) };
    Output {
        program: Felt::THREE,
        shard: ShardId(Felt::from(7)),
        segment: n,
        before: state(n),
        after: state(n + 1),
        reads: Felt::from(100 + n),
        transactions: Felt::from(200 + n),
        count: 10 + n,
        ended: n + 1 == of,
        updates: Vec::new(),
    }
}

#[test]
fn what_three_segments_come_to_begins_with_the_first_and_ends_with_the_last() {
    let start = start();
    let mut segments = Segments::new(&start, BEFORE);
    for n in 0..3 {
        assert_eq!((segments.next().segment, segments.whole()), (n, None));
        segments.take(segment(n, 3)).unwrap();
    }
    let hash = |numbers: [u32; 3]| program_hash(&numbers.map(Felt::from));
    let whole = segments.whole().unwrap();
    assert_eq!((whole.segment, whole.before, whole.after, whole.count), (0, BEFORE, Felt::THREE, 33));
    assert_eq!((whole.reads, whole.transactions), (hash([100, 101, 102]), hash([200, 201, 202])));
    assert!(whole.ended && segments.is_over());
    let mut alone = Segments::new(&start, BEFORE);
    alone.take(segment(0, 1)).unwrap();
    assert_eq!(alone.whole(), Some(segment(0, 1)), "a run in one has its own output");
}

#[test]
fn nothing_is_taken_out_of_its_turn_and_nothing_settles_before_the_last() {
    let start = start();
    let taken = |outputs: &[Output]| {
        let mut segments = Segments::new(&start, BEFORE);
        let refused = outputs.iter().find_map(|output| segments.take(output.clone()).err());
        assert!(refused.as_ref().is_none_or(|error| !error.next_step().is_empty()));
        (refused.map(|error| error.code()), segments.whole().is_some())
    };
    let [first, second, last] = [0, 1, 2].map(|n| segment(n, 3));
    let all = |outputs: &[&Output]| taken(&outputs.iter().map(|it| (*it).clone()).collect::<Vec<_>>());
    assert_eq!(all(&[&first, &second]), (None, false), "the last is missing");
    assert_eq!(all(&[&first, &last]), (Some("SW-SETTLE-002"), false), "one is left out");
    assert_eq!(all(&[&second, &first, &last]), (Some("SW-SETTLE-002"), false), "two change places");
    assert_eq!(all(&[&first, &first]), (Some("SW-SETTLE-002"), false), "one comes twice");
    // With another number it begins elsewhere.
    let renamed = Output { segment: 1, ..last.clone() };
    assert_eq!(all(&[&first, &renamed]), (Some("SW-SETTLE-003"), false));
    // A second segment of another history.
    let other = Output { before: Felt::from(77), ..second.clone() };
    assert_eq!(all(&[&first, &other]), (Some("SW-SETTLE-003"), false));
    assert_eq!(all(&[&Output { before: Felt::ONE, ..first.clone() }]), (Some("SW-SETTLE-003"), false));
    assert_eq!(all(&[&Output { shard: ShardId(Felt::ONE), ..first.clone() }]), (Some("SW-SETTLE-001"), false));
    // After the end nothing comes, whatever it says.
    assert_eq!(all(&[&segment(0, 1), &second]), (Some("SW-SETTLE-011"), true));
}

#[test]
fn a_run_has_so_many_segments_and_transactions_and_no_more() {
    let start = start();
    let mut segments = Segments::new(&start, BEFORE);
    for n in 0..MAX_SEGMENTS {
        segments.take(segment(n, u32::MAX)).unwrap();
    }
    assert_eq!(segments.take(segment(MAX_SEGMENTS, u32::MAX)).unwrap_err().code(), "SW-SETTLE-012");
    let mut segments = Segments::new(&start, BEFORE);
    segments.take(Output { count: MAX_TRANSACTIONS, ..segment(0, 3) }).unwrap();
    assert_eq!(segments.take(Output { count: 1, ..segment(1, 3) }).unwrap_err().code(), "SW-SETTLE-012");
    segments.take(Output { count: 0, ..segment(1, 3) }).unwrap();
}
