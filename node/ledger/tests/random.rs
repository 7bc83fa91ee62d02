//! Random starts, settlements and aborts of several parallel shards, against a model that shares no code with the ledger.

mod dungeon;

use dungeon::*;
use proptest::prelude::*;
use shardwire_ledger::{EmbeddedLedger, Genesis, Started, World};
use shardwire_model::{EntryRequest, Felt, Hash, Key, Kind, Timestamp};
use std::collections::BTreeMap;

const COUNTERS: [u64; 2] = [1, 2];
const ESCROWS: [u64; 3] = [3, 4, 5];
const LOCKS: [u64; 2] = [6, 7];
const BALANCE: u64 = 500;

fn key(n: u64) -> Key {
    Key(Felt::from(n))
}

fn world() -> EmbeddedLedger {
    let entry = |n: u64, kind: &str, value: String| {
        format!(r#"{{"contract":"0xc1","key":"{n:#x}","kind":"{kind}","value":{value}}}"#)
    };
    let entries: Vec<String> = (COUNTERS.iter().map(|n| entry(*n, "counter", "0".into())))
        .chain(ESCROWS.iter().map(|n| entry(*n, "escrow", BALANCE.to_string())))
        .chain(LOCKS.iter().map(|n| entry(*n, "lock", "\"0xa1\"".into())))
        .collect();
    let genesis = Genesis::from_json(&format!(r#"{{"storage":[{}]}}"#, entries.join(","))).unwrap();
    EmbeddedLedger::create_with_backend(redb::backends::InMemoryBackend::new(), NETWORK, &genesis).unwrap()
}

#[derive(Clone, Debug)]
enum Step {
    /// With these entries: (address, amount).
    Start {
        salt: u64,
        entries: Vec<(u64, u64)>,
    },
    /// The shard of the n-th start: what each entry is left with, the proof, and what is wrong with the output.
    Settle {
        which: prop::sample::Index,
        values: Vec<u64>,
        proof: u8,
        wrong: u8,
    },
    Abort {
        which: prop::sample::Index,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let address = 1..=8u64; // 8 is none.
    let start = (0..12u64, proptest::collection::btree_map(address, 0..300u64, 1..6))
        .prop_map(|(salt, entries)| Step::Start { salt, entries: entries.into_iter().collect() });
    let settle = (any::<prop::sample::Index>(), proptest::collection::vec(0..400u64, 6), 1..4u8, 0..12u8)
        .prop_map(|(which, values, proof, wrong)| Step::Settle { which, values, proof, wrong });
    let abort = any::<prop::sample::Index>().prop_map(|which| Step::Abort { which });
    prop_oneof![4 => start, 5 => settle, 1 => abort]
}

/// A shard that started, with (address, amount) of its entries.
type Begun = (Started, Vec<(u64, u64)>, Fate);

#[derive(Default)]
struct Model {
    counters: BTreeMap<u64, u64>,
    spent: i64,
    holders: BTreeMap<u64, usize>,
    started: Vec<Begun>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Fate {
    Open,
    Settled(u8, [u64; 6]),
    Aborted,
}

fn requested(&(n, amount): &(u64, u64)) -> EntryRequest {
    match n {
        1 | 2 | 8 => counter(key(n)),
        3..=5 => escrow(key(n), ANNA, amount.into()),
        _ => lock(key(n)),
    }
}

/// What a run could have ended with: escrows share what they had in sum, locks go to one of the accounts.
fn ended(started: &Started, entries: &[(u64, u64)], values: &[u64]) -> Vec<Felt> {
    let mut left: u64 = entries.iter().filter(|(n, _)| ESCROWS.contains(n)).map(|(_, amount)| amount).sum();
    let value = |(entry, value): (&shardwire_model::Entry, &u64)| match entry.kind {
        Kind::Counter => Felt::from(*value),
        Kind::Escrow => {
            let takes = left.min(*value);
            left -= takes;
            Felt::from(takes)
        }
        Kind::Lock => Felt::from(0xa1 + value % 2),
    };
    started.start.entries.iter().zip(values).map(value).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn shards_conserve_value_and_errors_change_nothing(steps in proptest::collection::vec(step(), 1..30)) {
        let world = world();
        let mut model = Model::default();
        for (time, step) in steps.into_iter().enumerate() {
            let now = Timestamp(time as u64);
            let before = dump(&world);
            let failed = match step {
                Step::Start { salt, entries } => {
                    match world.start(&request(salt, entries.iter().map(requested).collect()), later(), now) {
                        Ok(started) => {
                            for (n, _) in entries.iter().filter(|(n, _)| LOCKS.contains(n)) {
                                prop_assert_eq!(model.holders.insert(*n, model.started.len()), None);
                            }
                            model.started.push((started, entries, Fate::Open));
                            false
                        }
                        Err(_) => true,
                    }
                }
                Step::Settle { which, values, proof, wrong } => {
                    if model.started.is_empty() { continue }
                    let n = which.index(model.started.len());
                    let (started, entries, fate) = model.started[n].clone();
                    let values: [u64; 6] = values.try_into().unwrap();
                    // Half of the time what was settled, once more.
                    let repeats = matches!(fate, Fate::Settled(..)) && wrong % 2 == 0;
                    let values = if let (Fate::Settled(_, same), true) = (fate, repeats) { same } else { values };
                    let ends = ended(&started, &entries, &values);
                    let mut output = output(&started, &ends);
                    let is_wrong = wrong < 6 && !repeats;
                    if is_wrong {
                        match wrong {
                            0 => output.before += Felt::ONE,
                            1 => output.ended = false,
                            2 => output.segment = 1,
                            3 => { output.updates.pop(); }
                            4 => output.updates[0].kind = if output.updates[0].kind == Kind::Lock { Kind::Counter } else { Kind::Lock },
                            _ => output.updates[0].value = Felt::MAX,
                        }
                    }
                    match world.settle(&output, Hash([proof; 32]), now) {
                        Ok(settled) => {
                            prop_assert!(!is_wrong);
                            if settled.repeated {
                                let as_before = matches!(fate, Fate::Settled(first, same)
                                    if first == proof && ended(&started, &entries, &same) == ends);
                                prop_assert!(as_before);
                                prop_assert_eq!(&dump(&world), &before);
                            } else {
                                prop_assert_eq!(fate, Fate::Open);
                                for ((entry, (n, amount)), end) in started.start.entries.iter().zip(&entries).zip(&ends) {
                                    match entry.kind {
                                        Kind::Counter => *model.counters.entry(*n).or_default() += u64::try_from(*end).unwrap(),
                                        Kind::Escrow => model.spent += *amount as i64 - i64::try_from(*end).unwrap(),
                                        Kind::Lock => { model.holders.remove(n); }
                                    }
                                }
                                model.started[n].2 = Fate::Settled(proof, values);
                            }
                            false
                        }
                        Err(_) => {
                            prop_assert!(is_wrong || fate != Fate::Open);
                            true
                        }
                    }
                }
                Step::Abort { which } => {
                    if model.started.is_empty() { continue }
                    let n = which.index(model.started.len());
                    let (started, entries, fate) = model.started[n].clone();
                    match world.abort(started.start.shard, now) {
                        Ok(aborted) => {
                            prop_assert_eq!(aborted.repeated, fate == Fate::Aborted);
                            if fate == Fate::Open {
                                for (n, _) in entries.iter().filter(|(n, _)| LOCKS.contains(n)) {
                                    model.holders.remove(n);
                                }
                            }
                            model.started[n].2 = Fate::Aborted;
                            false
                        }
                        Err(_) => {
                            prop_assert!(matches!(fate, Fate::Settled(..)));
                            true
                        }
                    }
                }
            };
            let after = dump(&world);
            if failed {
                prop_assert_eq!(&before, &after);
            }
            let number = |n: u64| after.storage.iter().find(|it| it.key == key(n)).map(|it| u64::try_from(it.value).unwrap()).unwrap();
            for n in COUNTERS {
                prop_assert_eq!(number(n), model.counters.get(&n).copied().unwrap_or(0));
            }
            let escrowed = |entry: &Begun, n: u64| -> u64 {
                let amounts = entry.1.iter().filter(|(at, _)| *at == n).map(|(_, amount)| amount);
                if entry.2 == Fate::Open { amounts.sum() } else { 0 }
            };
            let mut total = 0;
            for n in ESCROWS {
                let held: u64 = model.started.iter().map(|entry| escrowed(entry, n)).sum();
                let entry = after.storage.iter().find(|it| it.key == key(n)).unwrap();
                prop_assert_eq!(entry.in_escrow, u128::from(held));
                total += number(n) + held;
            }
            prop_assert_eq!(total as i64 + model.spent, (BALANCE * ESCROWS.len() as u64) as i64);
            for n in LOCKS {
                let holder = model.holders.get(&n).map(|at| model.started[*at].0.start.shard);
                prop_assert_eq!(after.storage.iter().find(|it| it.key == key(n)).unwrap().held_by, holder);
            }
            let audit = world.audit().unwrap();
            prop_assert_eq!(audit.spent, model.spent as u128);
        }
    }
}
