//! The object on the last line with `--json`.

use super::Report;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use shardwire_model::{Coded, Felt, Kind, Slot, felt};
use std::{collections::BTreeMap, time::Duration};

#[derive(Serialize)]
struct Entry {
    kind: Kind,
    #[serde(with = "felt::wire")]
    value: Felt,
}

struct Seconds(Duration);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Milliseconds are as exact as the nodes tell.
        serializer.serialize_f64((self.0.as_secs_f64() * 1e3).round() / 1e3)
    }
}

/// The object of a run that settled its shard. Values are felts, `0x…`.
#[must_use]
pub fn object(report: &Report) -> Value {
    let figures = &report.figures;
    let state: BTreeMap<Slot, Entry> =
        report.settled.iter().map(|(key, it)| (*key, Entry { kind: it.kind, value: it.value })).collect();
    let mut object = json!({
        "ok": report.is_ok(),
        "shard_id": figures.shard,
        "transactions": figures.transactions,
        "steps": figures.steps,
        "witness_bytes_raw": figures.witness_bytes_raw,
        "witness_bytes_wire": figures.witness_bytes_wire,
        "execute_s": Seconds(figures.execute),
        "stream_s": Seconds(figures.stream),
        "prove_s": Seconds(figures.prove),
        "verify_ms": figures.verify.as_micros() as f64 / 1e3,
        "proof_bytes": figures.proof_bytes,
        "program_hash": figures.program_hash.map(|hash| format!("{hash:#x}")),
        "updates": figures.updates,
        "state": state,
    });
    if !report.is_ok() {
        object["differences"] = json!(report.differences);
    }
    object
}

/// The object of a run that failed.
#[must_use]
pub fn failure(error: &dyn Coded) -> Value {
    json!({ "ok": false, "error": { "code": error.code(), "reason": error.to_string(), "next_step": error.next_step() } })
}
