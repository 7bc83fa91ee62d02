//! What a peer or a file can say, fed to what reads it: one entry a fuzz target.
//!
//! `cargo +nightly fuzz run trace` (in this repository's root, with cargo-fuzz) runs one. The same entries run for a moment in the tests of
//! `protocols` and of the node, over the corpus and over mutations of it from a seed (`near.rs`).

#![allow(clippy::missing_panics_doc)] // an entry panics: that is how a fuzzer learns of a fault
#![forbid(unsafe_code)]

/// The node's, from its own sources: the node itself drags a virtual machine along.
#[path = "../../node/src/config/mod.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, unused_imports)]
mod config;
mod configuration;
mod protocols;

pub use configuration::configuration;
pub use protocols::{administration, frames, handoff, handshake, ingress, keepalive, proof, trace};
