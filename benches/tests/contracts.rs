//! `benches contracts` runs: the last line has its figures. Of those that a clock gives nothing is said of how fast; those that none gives are exact.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use serde_json::Value;
use std::process::Command;

fn bench(arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_benches"));
    let output = command.args(["contracts", "--json"]).args(arguments).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{shown}");
    serde_json::from_str(shown.lines().last().unwrap()).unwrap()
}

#[test]
fn steps_of_a_call_are_counted_exactly_and_say_what_they_are_for() {
    let figures = bench(&["--only", "steps"]);
    let of = |mix: &str, figure: &str| figures["steps"][mix][figure].as_f64().unwrap();
    for mix in ["nested", "without_signatures", "session_calls", "invokes"] {
        let (all, own, program) = (of(mix, "steps_a_call"), of(mix, "contracts"), of(mix, "program"));
        assert!(own > 0.0 && program > 0.0 && (all - own - program).abs() < 0.2, "{mix}: {figures}");
        let functions = figures["steps"][mix]["functions"].as_object().unwrap();
        let sum: f64 = functions.values().filter_map(Value::as_f64).sum();
        assert!((sum - program).abs() < 3.0, "{mix}: {sum} of {program}");
        assert!(functions.contains_key("frames.run"), "{functions:?}");
    }
    // Four deeds of three calls in one INVOKE, eleven times for each of four players.
    assert_eq!(figures["steps"]["nested"]["calls"], 4 * 11 * 14);
    assert_eq!(figures["steps"]["session_calls"]["calls"], 4 * 13 * 12);
    assert!(of("nested", "steps_a_call") <= 1_400.0, "{figures}");
}

#[test]
fn a_mix_is_proven_and_its_calls_are_counted() {
    let figures = bench(&["--only", "proofs", "--mixes", "session_calls", "--calls", "1", "--rounds", "1"]);
    let proven = &figures["calls_per_cpu_s"]["session_calls"];
    // Four players allow a key each and have four deeds of three calls; the master ends the game.
    assert_eq!((&proven["transactions"], &proven["signatures"]), (&21.into(), &9.into()));
    assert!(proven["calls"].as_u64().unwrap() > 48, "{proven}");
    assert!(proven["calls_per_cpu_s"]["median"].as_f64().unwrap() > 0.0, "{proven}");
}

#[test]
fn a_shard_is_played_live_beside_a_prover() {
    let figures = bench(&["--only", "live", "--slices", "1", "--transactions", "16"]);
    for kind in ["invoke", "session"] {
        let played = &figures["live"][kind];
        assert_eq!(played["transactions"], 16);
        for figure in ["receipt_p50_ms", "receipt_p99_ms"] {
            assert!(played[figure].as_f64().unwrap() > 0.0, "{figure}: {played}");
        }
        assert!(played["tx_per_s"]["median"].as_f64().unwrap() > 0.0, "{played}");
    }
}

#[test]
fn more_than_one_witness_holds_is_refused_before_anything_runs() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_benches"));
    let output = command.args(["contracts", "--slices", "100", "--transactions", "1000"]).output().unwrap();
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("100 slices of 1000 transactions exceed one witness: at most 1398 in all"), "{told}");
}
