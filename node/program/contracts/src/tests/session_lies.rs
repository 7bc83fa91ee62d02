//! What a session call can't be made to do: the program stops.

use super::{
    dungeon::{BEGINS, DEADLINE, Dungeon, finish, gold, key, plan, player, selector, sessions, world},
    liar::{Liar, Lie},
    lies::refused,
    replay, run,
    sessions::{Game, Move, scope, session_key, step},
};
use crate::{
    Class, ReplayError,
    hints::Hints,
    places::stopped,
    tree::{Snapshot, Transaction},
};
use shardwire_model::{Coded, Felt, Signature};

const ALLOWED: [&str; 3] = ["train", "look", "gamble"];

fn felt(number: u64) -> Felt {
    number.into()
}

/// Players 1 and 2 allow key 1 some calls, player 2 key 2; then these moves, and the end.
fn game(dungeon: &Dungeon, moves: &[Move]) -> Vec<Transaction> {
    let mut game = Game::new(dungeon);
    let calls = ALLOWED.map(|name| (world(), name));
    game.open(1, 1, DEADLINE, &calls);
    game.open(2, 1, DEADLINE, &calls);
    game.open(2, 2, DEADLINE, &calls);
    for step in moves {
        game.step(step.clone());
    }
    game.invoke(super::dungeon::Planned { time: BEGINS + 100, ..finish() });
    game.over().0
}

fn moves() -> Vec<Move> {
    vec![
        step(1, 1, world(), "train", &[felt(3)]),
        step(2, 2, world(), "train", &[felt(4)]),
        step(1, 1, world(), "look", &[]),
        step(1, 1, world(), "train", &[felt(5)]),
    ]
}

/// The newest signature of key 1.
fn last_signature(transactions: &[Transaction]) -> Signature {
    let of_one = |transaction: &Transaction| match transaction {
        Transaction::Session(session) if session.call.key == session_key(1).id().0 => Some(session.call.signature),
        _ => None,
    };
    transactions.iter().filter_map(of_one).next_back().unwrap()
}

/// The same, with this signature of key 1.
fn with_signature(mut transactions: Vec<Transaction>, signature: Signature) -> Vec<Transaction> {
    for transaction in &mut transactions {
        if let Transaction::Session(session) = transaction
            && session.call.key == session_key(1).id().0
        {
            session.call.signature = signature;
        }
    }
    transactions
}

#[test]
fn the_last_signature_is_for_all_calls_before() {
    let dungeon = Dungeon::new();
    let honest = game(&dungeon, &moves());
    let signature = last_signature(&honest);
    let replayed = replay(&dungeon.start, &dungeon.classes, &dungeon.state, &mut honest.into_iter()).unwrap();
    assert_eq!(replayed.output.count, 8);
    // One signature a key is looked at: the newest.
    type Forge = (&'static str, fn(&mut Vec<Move>));
    let forged: [Forge; 11] = [
        ("the first call is left out", |it| drop(it.remove(0))),
        ("one between is left out", |it| drop(it.remove(2))),
        ("the last is left out", |it| drop(it.pop())),
        ("two change places", |it| it.swap(0, 2)),
        ("one is made twice", |it| it.insert(0, it[0].clone())),
        ("another is made between", |it| it.insert(1, step(1, 1, world(), "look", &[]))),
        ("other calldata", |it| it[0].calldata[0] += Felt::ONE),
        ("more calldata", |it| it[2].calldata.push(Felt::ZERO)),
        ("another selector", |it| it[2].selector = selector("gamble")),
        ("another contract", |it| it[0].contract = gold()),
        ("another account", |it| it[0].player = 2),
    ];
    for (what, forge) in forged {
        let mut dungeon = Dungeon::new();
        allow(&mut dungeon, 1, 1, gold(), "train", DEADLINE);
        let mut moves = moves();
        forge(&mut moves);
        let transactions = with_signature(game(&dungeon, &moves), signature);
        assert_eq!(refused(&dungeon, &dungeon.state, transactions), "sessions.close_chains", "{what}");
    }
}

#[test]
fn a_key_is_cut_off_only_where_it_signed() {
    let dungeon = Dungeon::new();
    let before = last_signature(&game(&dungeon, &moves()[..3]));
    // Its own signature for a shorter chain is good for that chain, and for no longer one.
    let short = with_signature(game(&dungeon, &moves()[..3]), before);
    replay(&dungeon.start, &dungeon.classes, &dungeon.state, &mut short.into_iter()).unwrap();
    let long = with_signature(game(&dungeon, &moves()), before);
    assert_eq!(refused(&dungeon, &dungeon.state, long), "sessions.close_chains");
}

#[test]
fn the_links_are_those_of_the_chain() {
    let dungeon = Dungeon::new();
    let mut transactions = game(&dungeon, &moves());
    // The honest calls, without one between: the next doesn't follow.
    transactions.remove(5);
    assert_eq!(refused(&dungeon, &dungeon.state, transactions), "sessions.add_link");
}

#[test]
fn what_a_key_signs_for_one_shard_is_not_valid_in_another() {
    let mut other = Dungeon::new();
    other.start.shard.0 += Felt::ONE;
    let elsewhere = last_signature(&game(&other, &moves()));
    let dungeon = Dungeon::new();
    let transactions = with_signature(game(&dungeon, &moves()), elsewhere);
    assert_eq!(refused(&dungeon, &dungeon.state, transactions), "sessions.close_chains");
    // Nor its links.
    let calls = game(&other, &moves()).into_iter().filter(|it| matches!(it, Transaction::Session(_)));
    let mut transactions = game(&dungeon, &moves());
    transactions.splice(3..7, calls);
    assert_eq!(refused(&dungeon, &dungeon.state, transactions), "sessions.add_link");
}

#[test]
fn another_key_can_not_sign() {
    let dungeon = Dungeon::new();
    let transactions = game(&dungeon, &moves());
    let foreign = session_key(2).sign(transactions.iter().rev().nth(1).unwrap().hash()).unwrap();
    let transactions = with_signature(transactions, foreign);
    assert_eq!(refused(&dungeon, &dungeon.state, transactions), "sessions.close_chains");
}

/// A permission that the state has at the beginning.
fn allow(dungeon: &mut Dungeon, owner: u64, number: u8, contract: Felt, name: &str, expires: u64) {
    let names = [player(owner), session_key(number).id().0, contract, selector(name)];
    dungeon.state.storage.insert((sessions(), key("allowed", &names)), expires.into());
}

#[test]
fn a_key_does_nothing_that_its_account_did_not_allow() {
    let one = |step: Move| vec![step];
    for (what, moves) in [
        ("a selector", one(step(1, 1, world(), "burn", &[felt(1)]))),
        ("a contract", one(step(1, 1, gold(), "train", &[felt(1)]))),
        ("an account", one(step(0, 1, world(), "train", &[felt(1)]))),
        ("a key", one(step(1, 2, world(), "train", &[felt(1)]))),
        ("a time", one(Move { time: BEGINS + 20, ..step(1, 3, world(), "train", &[felt(1)]) })),
        ("the account itself", one(step(1, 4, player(1), "public_key", &[]))),
        ("the sessions", one(step(1, 4, sessions(), "open", &scope(4, &[felt(1)], &[])))),
        ("__execute__", one(step(1, 4, player(0), "__execute__", &[felt(0)]))),
        ("not an account", one(step(1, 5, world(), "train", &[felt(1)]))),
    ] {
        let mut dungeon = Dungeon::new();
        // The last second is before the one in which it expires.
        allow(&mut dungeon, 1, 3, world(), "train", BEGINS + 20);
        allow(&mut dungeon, 1, 4, player(1), "public_key", DEADLINE);
        allow(&mut dungeon, 1, 4, sessions(), "open", DEADLINE);
        allow(&mut dungeon, 1, 4, player(0), "__execute__", DEADLINE);
        allow(&mut dungeon, 1, 5, world(), "train", DEADLINE);
        let transactions = game(&dungeon, &moves);
        if what == "not an account" {
            // It was one, and then no more: the program has another start.
            let transactions = transactions[3..].to_vec();
            let place = dungeon.start.contract_place(player(1)).unwrap();
            dungeon.start.contracts[place].account = false;
            assert_eq!(refused(&dungeon, &dungeon.state, transactions), "sessions.run_session_call");
            continue;
        }
        assert_eq!(refused(&dungeon, &dungeon.state, transactions), "sessions.run_session_call", "{what}");
    }
}

#[test]
fn a_key_acts_until_its_time_and_no_more_when_it_is_taken_back() {
    let mut dungeon = Dungeon::new();
    allow(&mut dungeon, 1, 3, world(), "train", BEGINS + 20);
    let last = Move { time: BEGINS + 19, ..step(1, 3, world(), "train", &[felt(1)]) };
    let transactions = game(&dungeon, &[last]);
    replay(&dungeon.start, &dungeon.classes, &dungeon.state, &mut transactions.into_iter()).unwrap();

    let mut game = Game::new(&dungeon);
    game.step(step(1, 3, world(), "train", &[felt(1)]));
    game.invoke(plan(1, sessions(), "close", &scope(3, &[], &[(world(), "train")])));
    game.step(step(1, 3, world(), "train", &[felt(1)]));
    game.invoke(finish());
    let (transactions, after) = game.over();
    let names = [player(1), session_key(3).id().0, world(), selector("train")];
    assert_eq!(after.storage(sessions(), key("allowed", &names)), Felt::ZERO);
    assert_eq!(refused(&dungeon, &dungeon.state, transactions), "sessions.run_session_call");
}

#[test]
fn the_keeper_of_sessions_is_one_contract_of_its_class() {
    let run_with = |dungeon: &Dungeon, transactions: Vec<Transaction>, keeper: Option<Felt>| {
        let mut transactions = transactions.into_iter();
        let classes: Vec<&Class> = dungeon.classes.iter().collect();
        let mut hints = Hints::new(&dungeon.start, classes, &dungeon.state, &mut transactions);
        hints.sessions = keeper.map(|address| dungeon.start.contract_place(address).unwrap());
        match run(&mut hints) {
            Err(ReplayError::Broken { reason, .. }) => stopped(&reason).to_owned(),
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("it ran"),
        }
    };
    let dungeon = Dungeon::new();
    let honest = game(&dungeon, &moves());
    assert_eq!(run_with(&dungeon, honest.clone(), Some(world())), "settlement.open_contracts");
    assert_eq!(run_with(&dungeon, honest, None), "settlement.open_contracts");
    // Where there is none, nothing else is it, and no session call is proven.
    let mut without = Dungeon::new();
    let keeper = without.start.contract_place(sessions()).unwrap();
    without.start.contracts.remove(keeper);
    allow(&mut without, 1, 3, world(), "train", DEADLINE);
    let mut game = Game::new(&without);
    game.step(step(1, 3, world(), "train", &[felt(1)]));
    game.invoke(finish());
    let (transactions, _) = game.over();
    assert_eq!(run_with(&without, transactions.clone(), Some(world())), "settlement.open_contracts");
    let mut transactions = transactions.into_iter();
    let honest = Hints::new(&without.start, without.classes.iter().collect(), &without.state, &mut transactions);
    assert_eq!(honest.sessions, None);
    let mut liar = Liar { honest, lie: Lie::Nowhere, asked: 0 };
    let Err(ReplayError::Broken { reason, .. }) = run(&mut liar) else { panic!("it ran") };
    assert_eq!((stopped(&reason), liar.asked), ("__main__.main", 3), "{reason}");
    // Two of them are refused before.
    let mut two = Dungeon::new();
    let class = two.start.contracts[keeper].class;
    let place = two.start.contract_place(world()).unwrap();
    two.start.contracts[place].class = class;
    let error = replay(&two.start, &two.classes, &two.state, &mut std::iter::empty()).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string(), error.next_step()),
        (
            "SW-CONTRACTS-027",
            "the start data is refused: contracts 0x3031d and 0x5e551035 both keep sessions, and a shard has one at most".into(),
            "List one of them.".into()
        )
    );
    assert_eq!(run_with(&two, Vec::new(), Some(sessions())), "settlement.open_contracts");
}

#[test]
fn a_guess_about_a_session_that_is_not_so_is_refused() {
    let dungeon = Dungeon::new();
    let twice = {
        // A key that signed two first calls.
        let mut game = Game::new(&dungeon);
        game.open(1, 1, DEADLINE, &[(world(), "train")]);
        game.step(step(1, 1, world(), "train", &[felt(3)]));
        game.links.clear();
        game.step(step(1, 1, world(), "train", &[felt(4)]));
        game.invoke(finish());
        game.over().0
    };
    let forbidden = {
        let mut game = Game::new(&dungeon);
        game.open(1, 1, BEGINS, &[(world(), "train")]);
        game.step(step(1, 1, world(), "train", &[felt(3)]));
        game.invoke(finish());
        game.over().0
    };
    let foreign = {
        let mut game = Game::new(&dungeon);
        game.open(1, 1, DEADLINE, &[(world(), "train")]);
        game.links.insert(session_key(1).id().0, super::liar::FOREIGN_LINK);
        game.step(step(1, 1, world(), "train", &[felt(3)]));
        game.invoke(finish());
        game.over().0
    };
    let squash = "starkware.cairo.common.squash_dict.squash_dict_inner";
    for (lie, transactions, place) in [
        (Lie::Allowed, forbidden, squash),
        (Lie::Anew, twice, squash),
        (Lie::Origin, foreign, "sessions.check_first"),
        (Lie::Calls, game(&dungeon, &moves()[..1]), "sessions.check_first"),
    ] {
        let mut transactions = transactions.into_iter();
        let classes = dungeon.classes.iter().collect();
        let honest = Hints::new(&dungeon.start, classes, &dungeon.state, &mut transactions);
        let mut liar = Liar { honest, lie, asked: 0 };
        let Err(ReplayError::Broken { reason, .. }) = run(&mut liar) else { panic!("{lie:?}") };
        assert!(liar.asked > 0, "{lie:?} was never told: {reason}");
        assert_eq!(stopped(&reason), place, "{lie:?}: {reason}");
    }
}
