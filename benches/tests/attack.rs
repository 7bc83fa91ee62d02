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
    for figure in [
        "jobs_per_s_alone",
        "lease_p99_ms_alone",
        "victim_cpu_ms_a_job_alone",
        "victim_busy_attacked",
        "core_busy_alone",
    ] {
        assert!(figures[figure].as_f64().unwrap() > 0.0, "{figure}: {figures}");
    }
    for count in ["refused_callers", "refused_sessions", "violations", "leases"] {
        assert!(figures[count].as_u64().unwrap() > 0, "{count}: {figures}");
    }
    assert!(figures["ok"].is_boolean() && figures["at_capacity"].is_boolean(), "{figures}");
    // Each kind got at a victim, and did what it does; a flood only sends. Which of those that take jobs gets one is chance: there are few, and honest provers have most.
    let mut taken = 0;
    for fate in figures["attackers"].as_array().unwrap() {
        let (tries, acts) = (fate["tries"].as_u64().unwrap(), fate["acts"].as_u64().unwrap());
        assert!(tries > 0, "{fate}");
        match fate["kind"].as_str().unwrap() {
            "handshake_flood" => {}
            "pull" | "hold_lease" | "false_finish" | "claim_and_go" => taken += acts,
            _ => assert!(acts > 0, "{fate}"),
        }
    }
    assert!(taken > 0, "{figures}");
}
