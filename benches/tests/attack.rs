//! `benches attack` runs: real nodes, honest provers and attackers meet, and the last line has the figures. Nothing is said of how fast.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::process::Command;

#[test]
fn attackers_meet_a_real_operator_and_prover() {
    let bench = env!("CARGO_BIN_EXE_benches");
    let arguments = ["attack", "--json", "--seconds", "1", "--slices", "1", "--transactions", "5", "--impatient"];
    let output = Command::new(bench).args(arguments).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    let figures: serde_json::Value = serde_json::from_str(shown.lines().last().unwrap()).unwrap();
    for figure in ["jobs_per_s_alone", "lease_p99_ms_alone", "victim_cpu_ms_a_job_alone", "victim_busy_attacked"] {
        assert!(figures[figure].as_f64().unwrap() > 0.0, "{figure}: {figures}");
    }
    for count in ["refused_callers", "refused_sessions", "violations", "leases"] {
        assert!(figures[count].as_u64().unwrap() > 0, "{count}: {figures}");
    }
    assert!(figures["ok"].is_boolean(), "{figures}");
    // Each kind got at the victim, and did what it does; a flood only sends.
    for fate in figures["attackers"].as_array().unwrap() {
        assert!(fate["tries"].as_u64().unwrap() > 0, "{fate}");
        let is_flood = fate["kind"] == "handshake_flood";
        assert!(is_flood || fate["acts"].as_u64().unwrap() > 0, "{fate}");
    }
}
