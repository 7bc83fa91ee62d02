use super::*;
use crate::{dungeon, figures::Stages, recompute};
use shardwire_model::{Felt, ShardId, Slot, Update};

fn report(options: dungeon::Options) -> Report {
    let workload = dungeon::generate(options).expect("a dungeon");
    let expected = recompute::recompute(&workload).expect("it obeys the rules");
    let update = |&(kind, Slot { contract, key }, value): &_| Update { kind, contract, key, value };
    let updates = expected.updates.iter().map(update);
    let figures = Figures {
        shard: ShardId(Felt::from_hex_unchecked("0x3d1f00000000000000000000000000000000000000000000000000000000beef")),
        stages: Stages::default(),
        transactions: 500,
        refused: 0,
        steps: 131_072,
        segments: 1,
        chunks: 12,
        witness_bytes_raw: 8_312_000,
        witness_bytes_wire: 611_000,
        execute: Duration::from_millis(1_234),
        stream: Duration::from_millis(1_310),
        prove: Duration::from_millis(9_100),
        prove_cpu: Duration::from_millis(15_300),
        prove_peak_bytes: 2_900_000_000,
        verify: Duration::from_micros(14_200),
        proof_bytes: 1_281_000,
        program_hash: Some(Felt::from_hex_unchecked(
            "0x5a1c00000000000000000000000000000000000000000000000000000000cafe",
        )),
        updates: updates.collect(),
    };
    Report { workload, figures, settled: expected.state, differences: Vec::new(), took: Duration::from_millis(14_900) }
}

#[test]
fn the_tables_of_the_default_run() {
    let text = tables(&report(dungeon::Options::default()));
    assert_eq!(text, include_str!("snapshot.txt"));
}

#[test]
fn tables_keep_to_eighty_columns_and_to_their_rows() {
    for (players, rows) in [(1, 2), (8, 9), (32, 33), (256, 64)] {
        let text = tables(&report(dungeon::Options { players, transactions: 300, seed: 4 }));
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{widest:?} columns:\n{text}");
        assert_eq!(text.lines().filter(|line| line.matches('→').count() > 0).count(), rows + 1, "{text}");
        assert_eq!(text.contains("… and 193 more (--json has all)"), players == 256);
    }
}

#[test]
fn a_workload_without_labels_gets_a_row_an_address() {
    let mut report = report(dungeon::Options { players: 2, transactions: 20, seed: 4 });
    for it in &mut report.workload.world.storage {
        (it.name, it.of) = (None, None);
    }
    let text = tables(&report);
    let slot = report.workload.world.storage[0].slot();
    let label = format!("{}/{}", crate::units::felt(slot.contract.0), crate::units::felt(slot.key.0));
    let row = text.lines().find(|line| line.contains(&label)).expect("a row");
    assert!(row.contains("counter") && row.contains('→'), "{row}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn differences_are_all_told() {
    let mut report = report(dungeon::Options::default());
    let recomputed = report.settled.clone();
    let key = *report.settled.keys().next().expect("storage");
    report.settled.remove(&key);
    let differences = recompute::differences(&report.workload.world, &recomputed, &report.settled);
    report.differences = differences.iter().map(ToString::to_string).collect();
    let text = tables(&report);
    assert!(text.contains("✗ The settled state differs from the recomputation in 1 place:"), "{text}");
    assert!(text.contains("settled nothing, recomputed"), "{text}");
    assert_eq!(object(&report)["ok"], false);
    assert_eq!(object(&report)["differences"].as_array().map(Vec::len), Some(1));
}

#[test]
fn the_object_has_the_promised_fields() {
    let report = report(dungeon::Options { players: 2, transactions: 20, seed: 4 });
    let object = object(&report);
    let fields: Vec<&str> = object.as_object().expect("an object").keys().map(String::as_str).collect();
    let mut promised = [
        "ok",
        "shard_id",
        "transactions",
        "steps",
        "witness_bytes_raw",
        "witness_bytes_wire",
        "execute_s",
        "stream_s",
        "prove_s",
        "verify_ms",
        "proof_bytes",
        "program_hash",
        "updates",
        "state",
    ];
    promised.sort_unstable();
    assert_eq!(fields, promised);
    assert_eq!(
        (&object["ok"], &object["execute_s"], &object["verify_ms"]),
        (&true.into(), &1.234.into(), &14.2.into())
    );
    let sword = report.workload.world.storage.last().expect("a sword").slot();
    let entry = &object["state"][sword.to_string()];
    assert_eq!(entry["kind"], "lock");
    assert!(entry["value"].as_str().is_some_and(|it| it.starts_with("0x")));
    assert_eq!(object["updates"][0]["kind"], "counter");
    assert!(object["updates"][0]["key"].as_str().is_some_and(|it| it.starts_with("0x")));
    assert!(!object.to_string().contains('\n'));
}
