//! Proving workers supervised as processes, and verification with every pinned check.
//!
//! - [`worker`]: find the prover worker, run one job in one process, and turn every outcome of that
//!   process into a result or a typed error. A worker's crash is the job's, never the node's.
//! - [`verify`]: decide whether bytes prove a run of one given program, and hand back its output. cairo-air's `verify_cairo` alone
//!   does not decide that; the module page lists what it leaves open and what is pinned here.
//! - [`settle`]: compare a verified output with the shard that was started.
//! - [`segments`]: put the outputs of a run's segments together, in their order.
//! - [`origin`]: compare what a run of contracts read with the state that it had to begin from.
//!
//! This room knows no network and no storage: bytes, paths and felts come in, results go out.
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

// `verify_cairo` panics on bad claims, so verification must be able to unwind.
#[cfg(panic = "abort")]
compile_error!("shardwire-proving needs panic = \"unwind\": a malformed proof must not end the node");

pub mod origin;
#[cfg(test)]
mod origin_tests;
pub mod segments;
#[cfg(test)]
mod segments_tests;
pub mod settle;
#[cfg(test)]
mod settle_tests;
pub mod verify;
pub mod worker;
