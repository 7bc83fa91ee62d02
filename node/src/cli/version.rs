//! `shardwire version`.

use super::output::{Answer, columns};
use serde::Serialize;
use shardwire_model::ABI_VERSION;
use shardwire_protocols::handshake::spoken;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Versions {
    version: &'static str,
    /// Of the shard program's output and the start data.
    abi: u64,
    workload: u64,
    protocols: BTreeMap<String, [u16; 2]>,
}

pub(super) fn version() -> Answer {
    let protocols: BTreeMap<String, [u16; 2]> = spoken().into_iter().map(|it| (it.name, [it.min, it.max])).collect();
    let versions = Versions {
        version: env!("CARGO_PKG_VERSION"),
        abi: ABI_VERSION,
        workload: shardwire_workload::VERSION,
        protocols,
    };
    let speaks: Vec<String> = versions.protocols.iter().map(|(name, [_, max])| format!("{name} {max}")).collect();
    let rows = [
        ["shardwire".to_owned(), versions.version.to_owned()],
        ["shard program's abi".to_owned(), versions.abi.to_string()],
        ["workload file".to_owned(), versions.workload.to_string()],
        ["protocols".to_owned(), speaks.join(", ")],
    ];
    Answer::new(columns(&rows), &versions)
}
