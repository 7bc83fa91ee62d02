//! The shortest run, kept as `node/witness/vectors/short-run.json`: a shard of one account that ends at once. Who needs a witness and links no
//! virtual machine takes it from there.

#![allow(missing_docs)]

use serde_json::{Value, json};
use shardwire_model::{Felt, PeerId};
use shardwire_program::rules::{self, execute};
use shardwire_sample::small_shard;
use shardwire_witness::compress;
use std::{fs, path::Path};

/// The public ed25519 key of the secret that repeats the byte 2.
const OPERATOR: &str = "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394";

fn short_run() -> Value {
    let mut operator = [0; 32];
    hex::decode_to_slice(OPERATOR, &mut operator).unwrap();
    let (start, values, finish) = small_shard(rules::hash(), PeerId(operator));
    let mut chunks = Vec::new();
    let run = execute(&start, &values, [finish], |chunk| {
        let body = hex::encode(compress(&chunk.body));
        chunks.push(json!({ "hash": chunk.hash, "raw_bytes": chunk.body.len(), "body": body }));
        Ok(())
    });
    let manifest = run.unwrap().manifest;
    let hexes = |felts: &[Felt]| felts.iter().map(|felt| format!("{felt:#x}")).collect::<Vec<_>>();
    json!({
        "start": start, "values": hexes(&values), "chunks": chunks, "steps": manifest.steps, "output": manifest.output,
    })
}

#[test]
fn the_short_run_is_the_one_that_is_kept() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../witness/vectors/short-run.json");
    let made = short_run();
    if std::env::var_os("WRITE_VECTORS").is_some() {
        fs::write(&path, format!("{made:#}\n")).unwrap();
    }
    let kept: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(made, kept, "WRITE_VECTORS=1 writes it anew");
}
