//! `benches ingress` runs: real nodes take a few transactions, and the last line has its figures. Nothing is said of how fast.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::process::Command;

#[test]
fn ingress_measures_real_nodes() {
    let bench = env!("CARGO_BIN_EXE_benches");
    let output = Command::new(bench).args(["ingress", "--json", "--clients", "2", "--seconds", "1"]).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    let figures: serde_json::Value = serde_json::from_str(shown.lines().last().unwrap()).unwrap();
    assert_eq!(figures["clients"], 2);
    for figure in ["accepted_per_s", "signature_checks_per_s", "ratio", "ratio_min", "ratio_max", "p50_ms", "p99_ms"] {
        assert!(figures[figure].as_f64().unwrap() > 0.0, "{figure}: {figures}");
    }
}
