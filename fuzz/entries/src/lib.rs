//! What a peer or a file can say, fed to what reads it: one entry a fuzz target.
//!
//! `PROTOCOL=trace cargo +nightly fuzz run session fuzz/corpus/trace` (in this repository's root, with cargo-fuzz) feeds one protocol, led by
//! coverage; `cargo +nightly fuzz run frames`, `configuration` and `reads` have a target each. The tests of this crate run all of them for a moment, over
//! the corpus and over mutations of it from a seed.
//!
//! An entry panics where a reader does what it must not: that is how a fuzzer learns of a fault.
#![forbid(unsafe_code)]

mod configuration;
mod protocols;
mod reads;

pub use configuration::configuration;
pub use protocols::{INITIATOR, SILENT, frames, honest, session};
pub use reads::{honest_reads, reads};
pub use shardwire_protocols::catalogue::Entry;

/// The protocol of this name, in its newest version.
#[must_use]
pub fn find(protocol: &str) -> Option<Entry> {
    shardwire_protocols::catalogue::find(&shardwire_protocols::catalogue::all(), protocol)
}
