//! The game against its contracts: what native execution makes of the plans is what the recomputation says, and its replay fits a proof.

use super::{
    game::{Deed, Game, Planned},
    play::Played,
    prepared::{self, Prepared},
    recompute::{Books, Came},
    report::{Counts, Report},
    shard::{Log, Shard},
};
use crate::{dungeon::Options, figures::Figures, report::Outcome as _};
use shardwire_model::{Felt, Key, Kind, ShardId};
use std::time::Duration;

/// Plays the plans, and compares what becomes of each with the recomputation.
fn played(game: &Game, shard: &Shard) -> (Log, Books, Vec<Came>) {
    let (mut books, mut came) = (Books::first(game), Vec::new());
    let log = shard.play(game, &mut |player, planned, change| {
        let now = books.play(player, planned.deeds());
        assert_eq!(change.reverted(), now.reverted, "{planned:?} of {player}");
        came.push(now);
    });
    (log.unwrap(), books, came)
}

#[test]
fn the_contracts_do_what_the_recomputation_says() {
    for (players, seed) in [(8, 7), (1, 1), (2, 9)] {
        let game = Game::of(Options { players, transactions: 160, seed });
        let shard = Shard::of(&game).unwrap();
        let (Log { transactions, admission }, books, came) = played(&game, &shard);
        assert_eq!(transactions.len(), 160);
        assert!(admission.ended());
        let expected = prepared::expected(&game, &books);
        let state: Vec<Felt> = shard
            .start()
            .entries
            .iter()
            .zip(admission.values())
            .map(|(entry, now)| {
                let of = expected.updates.iter().find(|(_, slot, _)| *slot == entry.slot()).unwrap();
                let before = shard.values()[shard.start().entries.iter().position(|it| it == entry).unwrap()];
                assert_eq!(of.0, entry.kind);
                if entry.kind == Kind::Counter { now - before - of.2 } else { now - of.2 }
            })
            .collect();
        assert!(state.iter().all(|difference| *difference == Felt::ZERO), "{state:?}");
        let inner: u64 = came.iter().map(|it| it.inner_failures).sum();
        let reverted = came.iter().filter(|it| it.reverted).count();
        assert!(inner > 0 && reverted > 0, "some fail inside, some at the top");
    }
}

#[test]
fn what_stands_is_what_the_shard_begins_with() {
    let game = Game::of(Options { players: 3, transactions: 30, seed: 5 });
    let standing = Prepared::of(&game).unwrap().standing(&game);
    let shard = Shard::of(&game).unwrap();
    let start = shard.start();
    assert!(standing.iter().map(|it| it.address).eq(start.contracts.iter().copied()));
    for (entry, value) in start.entries.iter().zip(shard.values()) {
        let contract = standing.iter().find(|it| it.address == entry.contract).unwrap();
        assert!(contract.storage.contains(&(entry.key, *value)), "{entry:?}: {value:#x}");
    }
    let first = standing.iter().find(|it| it.address == game.account(0).address()).unwrap();
    assert_eq!(first.storage, [(Key::of_variable("public_key", &[]), game.players[0].public)]);
}

#[test]
fn a_game_is_executed_for_its_proof() {
    let game = Game::of(Options { players: 3, transactions: 30, seed: 5 });
    let shard = Shard::of(&game).unwrap();
    let (Log { transactions, admission }, books, _) = played(&game, &shard);
    let run = shard.execute(transactions, &mut |_| Ok(())).unwrap();
    assert!(run.output.ended && admission.ended());
    let updates: Vec<_> = run.output.updates.iter().map(|it| (it.kind, it.slot(), it.value)).collect();
    assert_eq!(updates, prepared::expected(&game, &books).updates);
    println!("{} steps of 30 transactions", run.steps);
}

#[test]
fn a_game_is_the_same_for_its_seed_and_has_all_sorts_of_deeds() {
    let options = Options { players: 8, transactions: 500, seed: 7 };
    let game = Game::of(options);
    let deeds = |game: &Game| -> Vec<Deed> { game.plans.iter().flatten().flat_map(Planned::deeds).copied().collect() };
    assert_eq!(deeds(&game), deeds(&Game::of(options)));
    assert_ne!(deeds(&game), deeds(&Game::of(Options { seed: 8, ..options })));
    assert_eq!(game.plans.iter().map(Vec::len).sum::<usize>(), 500);
    let has = |wanted: fn(&Deed) -> bool| deeds(&game).iter().any(wanted);
    assert!(has(|it| matches!(it, Deed::Fight(_))) && has(|it| matches!(it, Deed::TryToFight(1_000_000))));
    assert!(has(|it| matches!(it, Deed::Pay { amount: 1_000_000, .. })) && has(|it| matches!(it, Deed::Doom)));
    assert!(has(|it| matches!(it, Deed::Give { .. })) && has(|it| matches!(it, Deed::Roll(_))));
    assert_eq!(game.plans[0].last(), Some(&Planned::Account(vec![Deed::Finish])));
    let invokes = game.plans.iter().flatten().filter(|planned| planned.is_of_account()).count();
    assert!((50..250).contains(&invokes), "{invokes} INVOKEs: most are session calls");
}

#[test]
fn what_came_out_is_told_to_people_and_to_programs() {
    let game = Game::of(Options { players: 2, transactions: 9, seed: 3 });
    let expected = prepared::expected(&game, &Books::first(&game));
    let mut figures = Figures::of(ShardId(Felt::from(0x5a)), &[]);
    figures.transactions = 9;
    figures.segments = 1;
    figures.prove_cpu = Duration::from_millis(1_250);
    let waits = (1..=100).map(Duration::from_millis).collect();
    let played = Played { waits, took: Duration::from_secs(3), ..Played::default() };
    let counts = Counts { invokes: 4, calls: 17, inner_failures: 1, reverted: 2 };
    let names = game.players.iter().map(|it| (it.account.address().0, it.name.clone())).collect();
    let mut report = Report {
        figures,
        counts,
        world: prepared::world(&game),
        names,
        settled: expected.state,
        differences: Vec::new(),
        took: Duration::from_secs(40),
        played,
    };
    let object = report.object();
    let fields: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    let mut promised = [
        "ok",
        "shard_id",
        "transactions",
        "invokes",
        "session_calls",
        "calls",
        "inner_failures",
        "reverted",
        "steps",
        "segments",
        "prove_cpu_s",
        "proof_bytes",
        "updates",
        "tx_per_s",
        "receipt_p50_ms",
        "receipt_p99_ms",
    ];
    promised.sort_unstable();
    assert_eq!(fields, promised);
    let number = |field: &str| object[field].as_f64().unwrap();
    assert_eq!((number("session_calls"), number("prove_cpu_s"), number("tx_per_s")), (5.0, 1.25, 3.0));
    assert_eq!((number("receipt_p50_ms"), number("receipt_p99_ms")), (50.0, 99.0));
    let text = report.text();
    let sword = format!("{0} → {0}", game.players[game.holder].name);
    assert!(text.contains(&sword) && text.contains("9: 4 INVOKEs, the others session calls; 2 reverted"), "{text}");
    assert!(text.ends_with("✓ The settled World equals the recomputation of the game.\n"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");

    report.differences.push("the sword is lost".into());
    assert!(report.text().ends_with("✗ 1 difference from the recomputation of the game:\n  the sword is lost\n"));
    assert_eq!(
        (&report.object()["ok"], &report.object()["differences"][0]),
        (&false.into(), &"the sword is lost".into())
    );
}
