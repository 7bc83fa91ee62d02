//! Each protocol's entry: one of its sides, played by the real half, honest and with handlers that never fail, against a peer that
//! says the given bytes.
//!
//! The first byte says which side is fed and whether the peer ends its stream after the rest or falls silent
//! ([`INITIATOR`], [`SILENT`]). Time is virtual, so silence costs nothing. What must hold: no panic, and an end that is either good or
//! an error with a code.

mod halves;
mod sessions;

use halves as h;
pub use sessions::{INITIATOR, SILENT};
use sessions::{play, recorded, run};
use shardwire_protocols::{
    administration::Administration, handoff::Handoff, handshake::Handshake, ingress::Ingress, keepalive::Keepalive,
    proof::Proof, trace::Trace,
};

/// The frame decoder: a header, then frames of any length with branch tags between them, cut as the bytes say.
pub fn frames(bytes: &[u8]) {
    run(sessions::frames(bytes));
}

/// The first session of a connection.
pub fn handshake(bytes: &[u8]) {
    run(play::<Handshake, _, _>(bytes, h::greet, h::greeted));
}

/// What the command line asks, and a node answers.
pub fn administration(bytes: &[u8]) {
    run(play::<Administration, _, _>(bytes, h::ask_node, h::node));
}

/// Assignments.
pub fn handoff(bytes: &[u8]) {
    run(play::<Handoff, _, _>(bytes, h::take_shards, h::assign_shards));
}

/// Transactions and receipts.
pub fn ingress(bytes: &[u8]) {
    run(play::<Ingress, _, _>(bytes, h::submit, h::receive));
}

/// Signs of life.
pub fn keepalive(bytes: &[u8]) {
    run(play::<Keepalive, _, _>(bytes, h::ping, h::pong));
}

/// Proofs and verdicts.
pub fn proof(bytes: &[u8]) {
    run(play::<Proof, _, _>(bytes, h::settle, h::offer_proof));
}

/// Jobs, leases and witness chunks.
pub fn trace(bytes: &[u8]) {
    run(play::<Trace, _, _>(bytes, h::prove, h::offer_job));
}

/// What the two sides of an honest session of each protocol say, by the name of its entry.
pub async fn honest() -> Vec<(&'static str, [Vec<u8>; 2])> {
    vec![
        ("handshake", recorded::<Handshake, _, _>(h::greet, h::greeted).await),
        ("administration", recorded::<Administration, _, _>(h::ask_node, h::node).await),
        ("handoff", recorded::<Handoff, _, _>(h::take_shards, h::assign_shards).await),
        ("ingress", recorded::<Ingress, _, _>(h::submit, h::receive).await),
        ("keepalive", recorded::<Keepalive, _, _>(h::ping, h::pong).await),
        ("proof", recorded::<Proof, _, _>(h::settle, h::offer_proof).await),
        ("trace", recorded::<Trace, _, _>(h::prove, h::offer_job).await),
    ]
}
