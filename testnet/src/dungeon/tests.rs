use super::*;
use crate::recompute::recompute;
use proptest::prelude::*;
use shardwire_model::{Hash, PeerId, Timestamp};

#[test]
fn the_same_seed_is_the_same_dungeon_for_ever() {
    let text = generate(Options { seed: 1, ..Options::default() }).expect("a dungeon").to_text();
    assert_eq!(
        Hash::of(text.as_bytes()).to_string(),
        "5dc475293402222e71debaec457a2597aa01ea1d5c6383c4994bd4bb9b304c8a",
        "a seed that somebody wrote down must mean the same run: give the format or the generator a new version instead"
    );
    let other = generate(Options { seed: 2, ..Options::default() }).expect("a dungeon");
    assert_ne!(other.to_text(), text);
}

#[test]
fn the_default_run_has_everything() {
    let workload = generate(Options::default()).expect("a dungeon");
    assert_eq!((workload.players.len(), workload.transactions.len()), (8, 500));
    let count = |deed: fn(&Call) -> bool| workload.transactions.iter().filter(|step| deed(&step.call)).count();
    assert!(count(|call| matches!(call, Call::Add { .. })) > 200);
    assert!(count(|call| matches!(call, Call::Spend { .. })) > 60);
    assert!(count(|call| matches!(call, Call::Pass { .. })) > 50);
    assert!(count(|call| matches!(call, Call::Give { .. })) > 20);
    assert_eq!(count(|call| matches!(call, Call::Finish)), 1);
}

#[test]
fn a_short_run_has_one_of_each_deed() {
    let workload = generate(Options { players: 2, transactions: 6, seed: 9 }).expect("a dungeon");
    let calls: Vec<Call> = workload.transactions.iter().map(|step| step.call).collect();
    assert!(
        matches!(
            calls[..],
            [
                Call::Add { .. },
                Call::Add { .. },
                Call::Spend { .. },
                Call::Pass { .. },
                Call::Give { .. },
                Call::Finish
            ]
        ),
        "{calls:?}"
    );
}

#[test]
fn impossible_dungeons_say_what_is_possible() {
    for (options, code, text) in [
        (Options { players: 0, ..Options::default() }, "SW-DUNGEON-001", "a dungeon run has 1 to 256 players, not 0"),
        (
            Options { players: 257, ..Options::default() },
            "SW-DUNGEON-001",
            "a dungeon run has 1 to 256 players, not 257",
        ),
        (
            Options { transactions: 0, ..Options::default() },
            "SW-DUNGEON-002",
            "a dungeon run has 1 to 65536 transactions, not 0",
        ),
        (
            Options { transactions: 65_537, ..Options::default() },
            "SW-DUNGEON-002",
            "a dungeon run has 1 to 65536 transactions, not 65537",
        ),
    ] {
        let error = generate(options).expect_err("impossible");
        assert_eq!((error.code(), error.to_string().as_str()), (code, text));
        assert!(error.next_step().starts_with("Choose another number with --"));
    }
}

#[test]
fn the_largest_dungeon_fits_a_shard() {
    let workload = generate(Options { players: MAX_PLAYERS, transactions: 600, seed: 3 }).expect("a dungeon");
    workload.start_request(PeerId([1; 32]), Felt::ONE).validate("test", Timestamp(1)).expect("it fits");
    recompute(&workload).expect("it obeys the rules");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn prop_every_dungeon_obeys_the_rules_and_survives_its_file(
        seed in any::<u64>(), players in 1usize..34, transactions in 1usize..400,
    ) {
        let workload = generate(Options { players, transactions, seed }).expect("a dungeon");
        prop_assert_eq!(workload.transactions.len(), transactions);
        prop_assert!(workload.ends().is_ok());
        let read = Workload::parse(&workload.to_text());
        prop_assert_eq!(read.map_err(|it| it.to_string()), Ok(workload.clone()));
        let expected = recompute(&workload).expect("it obeys the rules");
        let gold = |values: &mut dyn Iterator<Item = (Kind, Felt)>| -> u128 {
            values.filter(|(kind, _)| *kind == Kind::Escrow).filter_map(|(_, value)| u128::try_from(value).ok()).sum()
        };
        let before = gold(&mut workload.world.storage.iter().map(|it| (it.kind, it.value)));
        let after = gold(&mut expected.state.values().map(|it| (it.kind, it.value)));
        let spent: u128 = workload.transactions.iter().map(|step| match step.call {
            Call::Spend { amount, .. } => amount,
            _ => 0,
        }).sum();
        prop_assert_eq!(before - spent, after, "gold is spent or it is somewhere");
    }
}
