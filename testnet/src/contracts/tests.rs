//! The game against its contracts: what native execution makes of the plans is what the recomputation says, and its replay fits a proof.

use super::{
    game::{Deed, Game, Planned, Player, addresses, allowed},
    play::{L2_GAS, Played},
    prepared::{self, Prepared},
    recompute::{Books, Came},
    report::{Counts, Report},
};
use crate::{dungeon::Options, figures::Figures, report::Outcome as _};
use shardwire_hosted::{Class, Contracts, Geneses};
use shardwire_model::{Felt, Hash, Kind, Logged, PeerId, ShardId, ShardStart, ShardTransaction, Slot, Timestamp};
use shardwire_program::{Admission, Checked, Program as _};
use shardwire_starknet::{Call, Session, allow};
use std::{path::Path, sync::Arc, time::Duration};

const BEGINS: u64 = 1_764_460_800;

/// A shard of a game, and the World's values of what settles.
struct Shard {
    program: Contracts,
    start: ShardStart,
    values: Vec<Felt>,
}

impl Shard {
    fn of(game: &Game) -> Self {
        let prepared = Prepared::of(game).unwrap();
        let name = format!("{}.json", Hash::of(&prepared.genesis));
        let request = prepared.request(game, shardwire_contracts::hash(), PeerId([7; 32]), BEGINS);
        let genesis = prepared.genesis;
        let read = move |path: &Path, _| Ok((path == Path::new(&name)).then(|| genesis.clone()));
        let program = Contracts::new(Arc::new(Geneses::new(read, Class::compile)));
        let start = request.validate("testnet", Timestamp((BEGINS + 3_600) * 1_000)).unwrap();
        let world = prepared::world(game);
        let value = |slot: Slot| {
            let storage = world.storage.iter().find(|it| it.slot() == slot).unwrap();
            let asked = request.entries.iter().find(|it| (it.contract, it.key) == (slot.contract, slot.key)).unwrap();
            if asked.amount > 0 { asked.amount.into() } else { storage.value }
        };
        let values = start.entries.iter().map(|entry| value(entry.slot())).collect();
        Self { program, start, values }
    }
}

/// Plays the plans round by round, as players that take turns would; returns the log and what the recomputation says of it.
fn played(game: &Game, shard: &Shard) -> (Vec<Logged>, Box<dyn Admission>, Books, Vec<Came>) {
    let chain = shard.start.for_contracts().unwrap().chain_id();
    let mut admission = shard.program.admission(shard.start.clone(), &shard.values).unwrap();
    let of = |player: &Player| Session::new(chain, player.account.address(), player.session.clone());
    let mut sessions: Vec<_> = game.players.iter().map(of).collect();
    let mut nonces = vec![0; game.players.len()];
    let (mut log, mut books, mut came) = (Vec::new(), Books::first(game), Vec::new());
    let rounds = game.plans.iter().map(Vec::len).max().unwrap_or_default();
    let turns = (0..rounds).flat_map(|round| (0..game.players.len()).map(move |player| (round, player)));
    let mut turns: Vec<_> = turns.filter(|(round, player)| *round < game.plans[*player].len()).collect();
    // What ends the game comes after all else.
    let finish = turns.iter().position(|(round, player)| *player == 0 && round + 1 == game.plans[0].len()).unwrap();
    let finish = turns.remove(finish);
    turns.push(finish);
    for ((round, player), time) in turns.into_iter().zip(BEGINS..) {
        let planned = &game.plans[player][round];
        let deeds = planned.deeds();
        let calls: Vec<_> = deeds.iter().map(|deed| deed.call(&game.players)).collect();
        let mut invoke = |calls: &[Call]| -> ShardTransaction {
            nonces[player] += 1;
            game.players[player].account.invoke(chain, nonces[player] - 1, calls, L2_GAS).unwrap().into()
        };
        let session = &mut sessions[player];
        let transaction: ShardTransaction = match planned {
            Planned::Allow => invoke(&[allow(addresses().sessions, session.key(), BEGINS + 3_600, &allowed())]),
            Planned::Account(_) => invoke(&calls),
            Planned::Session(_) => session.sign(calls[0].clone()).unwrap().into(),
        };
        let Checked::New(change) = admission.check(&transaction, time).unwrap() else { panic!("it is new") };
        let reverted = change.reverted();
        let now = books.play(player, deeds);
        assert_eq!(reverted, now.reverted, "{deeds:?} of {player} in round {round}");
        came.push(now);
        admission.apply(change);
        log.push(Logged { transaction, time, reverted });
    }
    (log, admission, books, came)
}

#[test]
fn the_contracts_do_what_the_recomputation_says() {
    for (players, seed) in [(8, 7), (1, 1), (2, 9)] {
        let game = Game::of(Options { players, transactions: 160, seed });
        let shard = Shard::of(&game);
        let (log, admission, books, came) = played(&game, &shard);
        assert_eq!(log.len(), 160);
        assert!(admission.ended());
        let expected = prepared::expected(&game, &books);
        let state: Vec<Felt> = shard
            .start
            .entries
            .iter()
            .zip(admission.values())
            .map(|(entry, now)| {
                let of = expected.updates.iter().find(|(_, slot, _)| *slot == entry.slot()).unwrap();
                let before = shard.values[shard.start.entries.iter().position(|it| it == entry).unwrap()];
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
fn a_game_is_executed_for_its_proof() {
    let game = Game::of(Options { players: 3, transactions: 30, seed: 5 });
    let shard = Shard::of(&game);
    let (log, admission, books, _) = played(&game, &shard);
    let run = shard.program.execute(&shard.start, &shard.values, &mut log.into_iter(), &mut |_| Ok(())).unwrap();
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
    figures.prove_cpu = Duration::from_millis(1_250);
    let waits = (1..=100).map(Duration::from_millis).collect();
    let played = Played { waits, took: Duration::from_secs(3), ..Played::default() };
    let counts = Counts { invokes: 4, calls: 17, inner_failures: 1, reverted: 2 };
    let names = game.players.iter().map(|it| (it.account.address().0, it.name.clone())).collect();
    let mut report = Report {
        figures,
        segments: 1,
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
