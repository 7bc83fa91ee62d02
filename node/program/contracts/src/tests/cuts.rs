//! A run in segments comes to what it comes to in one, wherever it is cut.

use super::{
    dungeon::{BEGINS, DEADLINE, Dungeon, Planned, finish, gold, key, plan, player, world},
    proof::fixed,
    sessions::{Game, Move, step},
};
use crate::{
    Carried, Replay, ReplayError, Segment, Spent,
    cost::{Cost, END},
    replay_segment,
    tree::{Snapshot, Transaction},
};
use shardwire_model::Felt;
use shardwire_proving::{segments::Segments, settle::check_segment};

fn felt(number: u64) -> Felt {
    number.into()
}

/// Where gold may go that isn't any escrow's.
pub(super) fn chest() -> Felt {
    felt(0xc4e57)
}

pub(super) fn dungeon() -> Dungeon {
    Dungeon::new().with_scratch(gold(), key("balances", &[chest()]))
}

/// Players 1 and 2 with session keys and without, failures within and at the top, escrows that move, a counter that grows in every part of it, time that goes on.
pub(super) fn game(dungeon: &Dungeon) -> Vec<Transaction> {
    let mut game = Game::new(dungeon);
    let later = |time: u64, planned: Planned| Planned { time: BEGINS + time, ..planned };
    let at = |time: u64, step: Move| Move { time: BEGINS + time, ..step };
    game.invoke(plan(1, world(), "adventure", &[felt(20)]));
    game.open(1, 1, DEADLINE, &[(world(), "train"), (world(), "try_adventure")]);
    game.invoke(later(1, plan(2, gold(), "transfer", &[chest(), felt(4), felt(0)])));
    game.open_at(1, 2, 2, &[(gold(), "transfer")]);
    game.step(at(2, step(1, 1, world(), "train", &[felt(3)])));
    game.step(at(2, step(2, 2, gold(), "transfer", &[player(0), felt(1), felt(0)])));
    game.step(at(3, step(1, 1, world(), "try_adventure", &[felt(5_000)])));
    game.invoke(later(3, plan(1, world(), "doom", &[])));
    game.invoke(later(4, plan(0, gold(), "transfer", &[player(2), felt(2), felt(0)])));
    game.step(at(5, step(1, 1, world(), "train", &[felt(4)])));
    game.invoke(later(9, finish()));
    game.over().0
}

/// Replays a segment: these transactions, and the cut after them if the run isn't over.
pub(super) fn segment(
    dungeon: &Dungeon,
    from: Option<&Carried>,
    snapshot: &dyn Snapshot,
    transactions: &[Transaction],
    told: &mut dyn FnMut(Spent),
) -> Result<Replay, ReplayError> {
    let mut transactions = transactions.iter().cloned();
    let segment = Segment { from, is_cut: &|| true };
    replay_segment(&dungeon.start, &dungeon.classes, snapshot, segment, &mut transactions, told, &mut |_| Ok(()))
}

/// Replays a run that is cut after so many transactions, again and again.
pub(super) fn segments(dungeon: &Dungeon, transactions: &[Transaction], cuts: &[usize]) -> Vec<Replay> {
    let mut replays: Vec<Replay> = Vec::new();
    let ends = cuts.iter().copied().chain([transactions.len()]);
    let mut begin = 0;
    for end in ends {
        let from = replays.last().and_then(|last| last.carried.clone());
        let part = &transactions[begin..end];
        replays.push(segment(dungeon, from.as_ref(), &dungeon.state, part, &mut |_| {}).unwrap());
        begin = end;
    }
    replays
}

#[test]
fn a_run_comes_to_the_same_wherever_it_is_cut() {
    let dungeon = dungeon();
    let transactions = game(&dungeon);
    let n = transactions.len();
    let [whole] = <[Replay; 1]>::try_from(segments(&dungeon, &transactions, &[])).unwrap();
    assert_eq!(whole.carried, None);
    let start = fixed(&dungeon.start);
    let every: Vec<usize> = (1..n).collect();
    for cuts in [vec![1], vec![4], vec![n - 1], vec![3, 6], every] {
        let replays = segments(&dungeon, &transactions, &cuts);
        let mut taken = Segments::new(&start, whole.output.before);
        for replay in &replays {
            // As a settler takes them.
            let list = replay.reads.to_felts(&dungeon.start);
            check_segment(start.program, &replay.output, &list, &taken.next()).unwrap();
            taken.take(replay.output.clone()).unwrap();
            // What was read is of before the run, and only what no segment has changed is read again.
            for ((place, key), value) in &replay.reads.storage {
                assert_eq!(*value, dungeon.state.storage(dungeon.start.contracts[*place].address, *key));
            }
            assert!(replay.output.ended || replay.output.updates.is_empty());
        }
        let joined = taken.whole().unwrap();
        assert_eq!((joined.count as usize, &joined.updates), (n, &whole.output.updates), "{cuts:?}");
        assert_eq!((joined.before, joined.after), (whole.output.before, whole.output.after), "{cuts:?}");
        let calls: u64 = replays.iter().map(|it| it.calls).sum();
        assert_eq!(calls, whole.calls);
        let steps: u64 = replays.iter().map(|it| it.steps).sum();
        println!("{} segments: {steps} steps, {} in one", replays.len(), whole.steps);
    }
}

#[test]
fn chunks_of_a_segment_are_the_same_each_time() {
    let dungeon = dungeon();
    let transactions = game(&dungeon);
    let [first, second] = [0, 1].map(|_| segments(&dungeon, &transactions, &[5]));
    for (first, second) in first.iter().zip(&second) {
        assert_eq!((&first.manifest, &first.carried), (&second.manifest, &second.carried));
    }
    assert_eq!(first.len(), 2);
}

#[test]
fn a_segment_has_a_transaction() {
    let dungeon = dungeon();
    let Err(ReplayError::Broken { transaction, reason }) = segment(&dungeon, None, &dungeon.state, &[], &mut |_| {})
    else {
        panic!("it ended before it began")
    };
    assert!(reason.contains("a segment without a transaction"), "{reason}");
    assert_eq!(transaction, 0);
}

/// What is counted while a segment runs is never below what it costs when it is cut there, nor is what is said before its first transaction.
#[test]
fn a_segment_costs_no_more_than_was_counted() {
    let dungeon = dungeon();
    let transactions = game(&dungeon);
    let mut from: Option<Carried> = None;
    for part in transactions.chunks(3) {
        let mut told: Vec<Spent> = Vec::new();
        let opening = Spent::before_segment(&dungeon.start, &dungeon.classes, from.as_ref());
        let replay = segment(&dungeon, from.as_ref(), &dungeon.state, part, &mut |spent| told.push(spent)).unwrap();
        let [begun, .., counted, whole] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(begun.transactions, opening.transactions);
        assert!(begun.cost.is_within(opening.cost), "{:?}, {:?}", begun.cost, opening.cost);
        assert_eq!(whole.cost, replay.cost);
        if !replay.output.ended {
            assert!(whole.cost.is_within(counted.cost), "{:?}, {:?}", whole.cost, counted.cost);
            let spare = counted.cost - whole.cost;
            assert!(spare.is_within(Cost { steps: 60_000, ..END.times(2) }), "{spare:?}");
        }
        from = replay.carried;
    }
    assert_eq!(from, None);
}
