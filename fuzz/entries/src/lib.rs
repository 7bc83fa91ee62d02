//! What a peer or a file can say, fed to what reads it: one entry a fuzz target.
//!
//! `cargo +nightly fuzz run trace` (in this repository's root, with cargo-fuzz) runs one, led by coverage. The tests of this crate run all of them for a
//! moment, over the corpus and over mutations of it from a seed.
//!
//! An entry panics where a reader does what it must not: that is how a fuzzer learns of a fault.
#![forbid(unsafe_code)]

mod configuration;
mod protocols;

pub use configuration::configuration;
pub use protocols::{
    INITIATOR, SILENT, administration, frames, handoff, handshake, honest, ingress, keepalive, proof, trace,
};
