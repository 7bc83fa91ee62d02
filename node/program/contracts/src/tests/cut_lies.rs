//! What can't be done between two segments: the program stops, or what it puts out isn't of the run.

use super::{
    cuts::{chest, dungeon, game, segment, segments},
    dungeon::{BEGINS, Dungeon, arena, gold, key, player, world},
    liar::{Liar, Lie},
    proof::fixed,
    run,
};
use crate::{
    Carried, Replay, ReplayError,
    carried::Link,
    hints::Hints,
    places::stopped,
    tree::{Snapshot as _, State, Transaction},
};
use shardwire_model::{Coded as _, Felt};
use shardwire_proving::{segments::Segments, settle::check_segment};
use std::collections::BTreeMap;

/// Where the game is cut: each key has made a call, and makes another.
const CUT: usize = 6;

fn felt(number: u64) -> Felt {
    number.into()
}

/// A settler's view of a run: these segments' outputs in this order, with the lists of what they read. The first thing that it refuses.
fn refused<'a>(dungeon: &Dungeon, before: Felt, replays: impl IntoIterator<Item = &'a Replay>) -> Option<&'static str> {
    let start = fixed(&dungeon.start);
    let mut taken = Segments::new(&start, before);
    for replay in replays {
        let list = replay.reads.to_felts(&dungeon.start);
        if let Err(error) = check_segment(start.program, &replay.output, &list, &taken.next()) {
            return Some(error.code());
        }
        if let Err(error) = taken.take(replay.output.clone()) {
            return Some(error.code());
        }
    }
    None
}

/// The second segment, gone on from another state than the first ended with. Where the program stops, or what a settler says.
fn told_of(dungeon: &Dungeon, first: &Replay, from: &Carried, snapshot: &State, rest: &[Transaction]) -> String {
    match segment(dungeon, Some(from), snapshot, rest, &mut |_| {}) {
        Ok(second) => refused(dungeon, first.output.before, [first, &second]).unwrap_or("believed").to_owned(),
        Err(ReplayError::Broken { reason, .. }) => stopped(&reason).to_owned(),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_segment_goes_on_from_nothing_but_where_the_one_before_ended() {
    let dungeon = dungeon();
    let transactions = game(&dungeon);
    let replays = segments(&dungeon, &transactions, &[CUT]);
    let (first, carried, rest) = (&replays[0], replays[0].carried.clone().unwrap(), &transactions[CUT..]);
    let whole = |from: &Carried| told_of(&dungeon, first, from, &dungeon.state, rest);
    assert_eq!(whole(&carried), "believed");

    let place = |address| dungeon.start.contract_place(address).unwrap();
    let (xp, balance) = ((place(world()), key("xp", &[player(1)])), (place(gold()), key("balances", &[player(0)])));
    assert!(carried.storage.contains_key(&xp) && carried.storage.contains_key(&balance), "{carried:?}");
    let gold_place = balance.0;
    let chest = (gold_place, key("balances", &[chest()]));
    assert!(carried.slacks.contains_key(&gold_place) && carried.chains.len() == 2 && carried.nonces.len() == 2);
    // What the rest of the game reads, or adds to, contradicts some of them; what it doesn't contradict is another state.
    let (squash, other) = ("starkware.cairo.common.squash_dict.squash_dict_inner", "SW-SETTLE-003");
    type Lie<'a> = (&'a str, &'a str, Box<dyn Fn(&mut Carried) + 'a>);
    let put = |it: &mut BTreeMap<usize, Felt>, place: usize, value: u64| _ = it.insert(place, felt(value));
    let lies: Vec<Lie<'_>> = vec![
        ("a counter", squash, Box::new(|it| *it.storage.get_mut(&xp).unwrap() += Felt::ONE)),
        ("an escrow", squash, Box::new(|it| *it.storage.get_mut(&balance).unwrap() += Felt::ONE)),
        ("an escrow of nobody who plays on", other, Box::new(|it| *it.storage.get_mut(&chest).unwrap() += Felt::ONE)),
        ("a slot more", other, Box::new(|it| _ = it.storage.insert((place(arena()), felt(1)), felt(1)))),
        ("a slot less", other, Box::new(|it| _ = it.storage.remove(&chest))),
        ("the number of transactions", other, Box::new(|it| it.count = 0)),
        ("the number of the segment", "SW-SETTLE-002", Box::new(|it| it.segment = 2)),
        ("an earlier time", other, Box::new(|it| it.time = BEGINS)),
        ("the nonce of another account", other, Box::new(|it| put(&mut it.nonces, place(player(0)), 0))),
        ("a nonce that is forgotten", other, Box::new(|it| _ = it.nonces.remove(&place(player(2))))),
        ("more slack", other, Box::new(|it| put(&mut it.slacks, gold_place, 1 << 40))),
        ("slack that is forgotten", other, Box::new(|it| it.slacks.clear())),
        ("calls of a key", other, Box::new(|it| it.chains.values_mut().next().unwrap().calls += Felt::ONE)),
        ("a key more", other, Box::new(|it| _ = it.chains.insert(felt(3), Link { link: felt(4), calls: felt(1) }))),
    ];
    for (what, expected, lie) in lies {
        let mut from = carried.clone();
        lie(&mut from);
        assert_ne!(from, carried, "{what}");
        assert_eq!(whole(&from), expected, "{what}");
    }
    // What the rest of the game doesn't fit to stops it at once.
    let chain = |change: fn(&mut Carried)| {
        let mut from = carried.clone();
        change(&mut from);
        whole(&from)
    };
    assert_eq!(chain(|it| it.chains.clear()), "sessions.add_link", "a link that is forgotten");
    assert_eq!(chain(|it| it.chains.values_mut().for_each(|it| it.link += Felt::ONE)), "sessions.add_link");
    assert_eq!(chain(|it| it.nonces.values_mut().for_each(|nonce| *nonce += Felt::ONE)), squash);
    assert_eq!(chain(|it| it.time += 100), "sessions.run_session_call", "time runs back");
}

#[test]
fn the_values_of_before_the_run_are_those_of_the_first_segment() {
    let dungeon = dungeon();
    let transactions = game(&dungeon);
    let replays = segments(&dungeon, &transactions, &[CUT]);
    let (first, carried, rest) = (&replays[0], replays[0].carried.clone().unwrap(), &transactions[CUT..]);
    let xp = (world(), key("xp", &[player(1)]));
    // Less experience to begin with, so that more of it settles: the commitment of the run is another.
    let mut state = dungeon.state.clone();
    *state.storage.get_mut(&xp).unwrap() -= Felt::ONE;
    assert_eq!(told_of(&dungeon, first, &carried, &state, rest), "__main__.main");
    // With the commitment that fits, the segment begins elsewhere.
    let values = dungeon.start.settled().map(|entry| dungeon.start.slot(entry));
    let values: Vec<Felt> = values.map(|slot| state.storage(slot.contract.0, slot.key.0)).collect();
    let from = Carried { run: Carried::first(&dungeon.start, &values).run, ..carried.clone() };
    assert_eq!(told_of(&dungeon, first, &from, &state, rest), "SW-SETTLE-003");
}

/// Where the program stops a liar that goes on from there; nowhere, if it believes it.
fn stops_at(dungeon: &Dungeon, carried: &Carried, rest: &[Transaction], lie: Lie) -> &'static str {
    let mut rest = rest.iter().cloned();
    let mut honest = Hints::new(&dungeon.start, dungeon.classes.iter().collect(), &dungeon.state, &mut rest);
    honest.go_on_from(carried.clone());
    match run(&mut Liar { honest, lie, asked: 0 }) {
        Ok(_) => "",
        Err(ReplayError::Broken { reason, .. }) => stopped(&reason),
        Err(error) => panic!("{error}"),
    }
}

/// An entry that the state doesn't have began this segment with the value that it had before the run.
#[test]
fn an_entry_that_no_segment_changed_can_not_begin_with_another_value() {
    let dungeon = dungeon();
    let transactions = game(&dungeon);
    let carried = segments(&dungeon, &transactions, &[1])[0].carried.clone().unwrap();
    for (lie, place) in [(Lie::Nothing, ""), (Lie::Reopened, "settlement.settle_slot")] {
        assert_eq!(stops_at(&dungeon, &carried, &transactions[1..], lie), place, "{lie:?}");
    }
}

#[test]
fn the_first_segment_goes_on_from_nothing() {
    let dungeon = dungeon();
    let transactions = game(&dungeon);
    let values = dungeon.start.settled().map(|entry| dungeon.start.slot(entry));
    let values: Vec<Felt> = values.map(|slot| dungeon.state.storage(slot.contract.0, slot.key.0)).collect();
    let first = Carried::first(&dungeon.start, &values);
    let stops = |change: fn(&mut Carried)| {
        let mut from = first.clone();
        change(&mut from);
        match segment(&dungeon, Some(&from), &dungeon.state, &transactions[..1], &mut |_| {}) {
            Ok(_) => "",
            Err(ReplayError::Broken { reason, .. }) => stopped(&reason),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(stops(|_| {}), "");
    assert_eq!(stops(|it| it.run += Felt::ONE), "__main__.main");
    let changes: [fn(&mut Carried); 6] = [
        |it| it.count = 1,
        |it| it.time = BEGINS - 1,
        |it| _ = it.storage.insert((0, felt(5)), felt(1)),
        |it| _ = it.nonces.insert(0, felt(1)),
        |it| _ = it.slacks.insert(0, felt(1 << 40)),
        |it| _ = it.chains.insert(felt(3), Link { link: felt(4), calls: felt(1) }),
    ];
    for change in changes {
        assert_eq!(stops(change), "__main__.commit_before");
    }
}

#[test]
fn chains_go_on_from_the_record_that_was_carried() {
    let dungeon = dungeon();
    let transactions = game(&dungeon);
    let carried = segments(&dungeon, &transactions, &[CUT])[0].carried.clone().unwrap();
    let squash = "starkware.cairo.common.squash_dict.squash_dict_inner";
    for (lie, place) in [(Lie::Nothing, ""), (Lie::Origin, "sessions.add_link"), (Lie::Resumed, squash)] {
        assert_eq!(stops_at(&dungeon, &carried, &transactions[CUT..], lie), place, "{lie:?}");
    }
}

#[test]
fn segments_of_a_run_are_all_there_in_their_order_and_of_one_history() {
    let dungeon = dungeon();
    let transactions = game(&dungeon);
    let replays = segments(&dungeon, &transactions, &[3, CUT]);
    let [first, second, last] = replays.as_slice() else { panic!("three segments") };
    let before = first.output.before;
    let all = |replays: &[&Replay]| refused(&dungeon, before, replays.iter().copied());
    assert_eq!(all(&[first, second, last]), None);
    assert_eq!(all(&[first, last]), Some("SW-SETTLE-002"), "one is left out");
    assert_eq!(all(&[second, last]), Some("SW-SETTLE-002"), "the first is left out");
    assert_eq!(all(&[first, last, second]), Some("SW-SETTLE-002"), "two change places");
    assert_eq!(all(&[first, second, second]), Some("SW-SETTLE-002"), "one comes twice");
    // Without its last a run isn't over: nothing settles, whoever asks for a whole run.
    let start = fixed(&dungeon.start);
    let mut taken = Segments::new(&start, before);
    taken.take(first.output.clone()).unwrap();
    taken.take(second.output.clone()).unwrap();
    assert_eq!(taken.whole(), None);
    assert!(!second.output.ended && second.output.updates.is_empty());
    // A segment with the same number of a history that began alike and went on otherwise.
    let mut other = transactions[..3].to_vec();
    other.swap_remove(2);
    let other = segments(&dungeon, &other, &[1]);
    assert_eq!(other[0].carried.as_ref().map(|it| it.segment), first.carried.as_ref().map(|it| it.segment));
    assert_eq!(all(&[&other[0], second]), Some("SW-SETTLE-003"), "two histories");
    // An output that says that it has ended, and hasn't what settles.
    let mut early = second.clone();
    early.output.ended = true;
    assert_eq!(all(&[first, &early]), Some("SW-SETTLE-004"));
}
