//! Data folders of an older layout, for the tests of what reads them: a settler's, an operator's and a prover's of commit a32fa3c, before records had a
//! version a table. `older/README.md` says what is in them and how they were made.
//!
//! Each has its databases, its identity, its configuration, and what `data export` of that time said of it; proofs and chunks are left out.

use crate::{Disk, DiskError};
use std::path::Path;

/// The shard that is settled.
pub const SETTLED: &str = "0x7164f14ad5644477a5e4e3e15f57db68a9e77749841b1cc27ff9ed0ada4058";
/// The shard that was aborted on request.
pub const ABORTED: &str = "0x98beaa4202f05b9b8fde9f3a039d75095bbae86ebe941dffac3a61044438c7";
/// The open shard that a prover was at.
pub const PROVING: &str = "0x3f84d50bc4825aba8dbad97d4e50b4a21156e05a78d291732d9258077c51a27";
/// The open shard that took no transactions yet. No prover knows it.
pub const ASSIGNED: &str = "0x3699069cd9644dc9ab6339b3ccea03ee9ff0f1a71115d137bea27da0b086b64";
/// Whom the settler's person has denied.
pub const DENIED: &str = "56f241efd516fd55f7e0e27c7a9b53f5e89d14fa80ad90c376755b59a9a4271a";
/// What the settler's World began with, with the contracts that its shards named.
pub const GENESIS: &str = include_str!("../older/genesis.json");
/// The network of all of them.
pub const NETWORK: &str = "older";

/// A file of a folder: its name and its bytes, compressed if it is large.
type Packed = (&'static str, &'static [u8]);

/// A node's folder.
#[derive(Clone, Copy, Debug)]
pub struct OlderFolder {
    files: &'static [Packed],
    exported: &'static [u8],
}

macro_rules! folder {
    ($node:literal, $($database:literal),+) => {
        OlderFolder {
            files: &[
                ("identity.key", include_bytes!(concat!("../older/", $node, "/identity.key"))),
                ("shardwire.toml", include_bytes!(concat!("../older/", $node, "/shardwire.toml"))),
                $(($database, include_bytes!(concat!("../older/", $node, "/", $database, ".lz4"))),)+
            ],
            exported: include_bytes!(concat!("../older/", $node, "/exported.jsonl.lz4")),
        }
    };
}

/// A settler's data folder.
pub const SETTLER: OlderFolder = folder!("settler", "node.redb", "ledger.redb");
/// An operator's data folder.
pub const OPERATOR: OlderFolder = folder!("operator", "node.redb");
/// The data folder of a prover that was killed.
pub const PROVER: OlderFolder = folder!("prover", "node.redb");

fn unpacked(name: &str, packed: &[u8]) -> Vec<u8> {
    match name.rsplit('.').next() {
        // The fixture is part of this file's crate, and its tests read all of it.
        Some("redb" | "jsonl") => lz4_flex::decompress_size_prepended(packed).expect("the fixture is whole"),
        _ => packed.to_vec(),
    }
}

impl OlderFolder {
    /// Puts the files in this folder. The identity's file is as open as any other: a node wants it closed to others.
    ///
    /// # Errors
    /// [`DiskError`] if the disk fails.
    pub fn unpack(&self, disk: &dyn Disk, root: &Path) -> Result<(), DiskError> {
        self.files.iter().try_for_each(|(name, packed)| disk.write(&root.join(name), &[&unpacked(name, packed)], true))
    }

    /// What `data export` said of it, an object a line.
    #[must_use]
    pub fn exported(&self) -> String {
        String::from_utf8_lossy(&unpacked("exported.jsonl", self.exported)).into_owned()
    }
}
