use super::dungeon::updates;
use crate::{
    clients::{Dungeon, MAX_MOVES, Move},
    contracts::prepared::compile,
    dice::Dice,
};
use shardwire::contents::{Fate, Value, WorldShard};
use shardwire_hosted::{Contracts, Geneses};
use shardwire_model::{Coded as _, Felt, Hash, Kind, Logged, PeerId, Slot, Timestamp};
use shardwire_program::{Checked, Program as _};
use std::{collections::BTreeMap, path::Path, sync::Arc};

const BEGINS: u64 = 1_764_460_800;

/// A shard as its World has it, what was logged, what was to be refused, and what native execution makes of each entry.
struct Made {
    shard: WorldShard,
    log: Vec<Logged>,
    refused: Vec<Move>,
    now: BTreeMap<Slot, Felt>,
}

/// Executes a shard of this seed natively.
fn made(seed: u64) -> Made {
    let dice = &mut Dice::of(seed, 4);
    let dungeon = Dungeon::of(dice);
    let played = dungeon.shard(1, BEGINS, MAX_MOVES, dice);
    let start = played.request(PeerId([7; 32])).validate("test", Timestamp((BEGINS + 3_600) * 1_000)).unwrap();
    let (first, request) = (dungeon.first(), played.request(PeerId([7; 32])));
    let value = |slot: Slot| {
        let asked = request.entries.iter().find(|it| it.slot() == slot).unwrap();
        if asked.kind == Kind::Escrow { asked.amount.into() } else { first[&slot].value }
    };
    let values: Vec<Felt> = start.entries.iter().map(|entry| value(entry.slot())).collect();
    let (genesis, name) = (dungeon.genesis().to_vec(), format!("{}.json", Hash::of(dungeon.genesis())));
    let read = move |path: &Path, _| Ok((path == Path::new(&name)).then(|| genesis.clone()));
    let program = Contracts::new(Arc::new(Geneses::new(read, compile).into()));
    let mut admission = program.admission(start.clone(), &values).unwrap();
    let (mut log, mut refused) = (Vec::new(), Vec::new());
    for (it, time) in played.sign(&start).unwrap().into_iter().zip(BEGINS..) {
        match (admission.check(&it.transaction, time), it.refused) {
            (Ok(Checked::New(change)), None) => {
                log.push(Logged { transaction: it.transaction, time, reverted: change.reverted() });
                admission.apply(change);
            }
            (Err(refusal), Some(code)) => {
                assert_eq!(refusal.code(), code);
                refused.push(it);
            }
            (other, _) => panic!("{other:?}"),
        }
    }
    assert!(admission.ended());
    let after = admission.values().into_iter().zip(&values);
    let update = |(entry, (now, first)): (&shardwire_model::Entry, (Felt, &Felt))| {
        (entry.slot(), if entry.kind == Kind::Counter { now - first } else { now })
    };
    let now = start.entries.iter().zip(after).map(update).collect();
    let shard = WorldShard {
        values: values.into_iter().map(Value).collect(),
        start,
        started_at: Timestamp::default(),
        fate: Fate::Open,
    };
    Made { shard, log, refused, now }
}

#[test]
fn what_the_contracts_do_is_what_is_recomputed_from_the_log() {
    let (mut refused, mut reverted) = (0, 0);
    for seed in 0..6 {
        let made = made(seed);
        assert_eq!(updates(&made.shard, &made.log), Ok(made.now), "seed {seed}");
        refused += made.refused.len();
        reverted += made.log.iter().filter(|it| it.reverted).count();
    }
    assert!(refused > 5 && reverted > 5, "{refused} {reverted}");
}

#[test]
fn a_log_that_the_rules_do_not_let_in_is_told() {
    let Made { shard, log, refused, .. } = (0..).map(made).find(|made| !made.refused.is_empty()).unwrap();
    let wrong = |change: &dyn Fn(&mut Vec<Logged>)| {
        let mut log = log.clone();
        change(&mut log);
        updates(&shard, &log).unwrap_err()
    };
    assert_eq!(wrong(&|log| log[0].reverted = true), "transaction 1 is reverted, and has to be not reverted");
    let (time, before) = (log[1].time - 1, log[0].time);
    assert_eq!(
        wrong(&|log| (log[0].time, log[1].time) = (before + 1, time)),
        format!("transaction 2 has time {before}, and the one before it {}", before + 1)
    );
    assert_eq!(wrong(&|log| drop(log.pop())), "it is settled, and its log has no end");
    assert_eq!(wrong(&|log| log.push(log[0].clone())), format!("transaction {} comes after the end", log.len() + 1));
    assert!(wrong(&|log| log.last_mut().unwrap().time += 1 << 30).starts_with("its last transaction has time "));
    let taken = Logged { transaction: refused[0].transaction.clone(), time: log[0].time, reverted: false };
    assert_eq!(wrong(&|log| log.insert(1, taken.clone())), "transaction 2 is none that may be there");
}
