//! The protocols of a shard network, each a session type with a client and a server half.
//!
//! One folder a protocol: its page and session type in `mod.rs`, what is said in `messages.rs`, the half of the peer that opens
//! the stream in `client.rs`, the other in `server.rs`. Nothing here knows storage or a network: a half takes a
//! [`Session`](shardwire_transport::Session), over QUIC or memory, and what it has to decide it asks of its caller.
//!
//! - A **client half** is a small state machine: each method consumes it and returns the next, so a step that isn't due doesn't
//!   compile. Its errors are [`SessionError`](shardwire_transport::SessionError): a well-formed message that breaks a rule is a
//!   violation whose rule is a stable code (`SW-TRACE-003`).
//! - A **server half** is a function `serve(session, &handler)` that runs to the session's end. The handler is the domain's side. A future
//!   that a handler returns may be dropped at any await: questions are held for at most [`HOLD`](timing::HOLD).
//!
//! | protocol | initiator → responder | for |
//! |---|---|---|
//! | [`handshake`] | the peer that dialled → the other | who are you, what do we both speak; once, first |
//! | [`handoff`] | operator → settler | shards to execute |
//! | [`ingress`] | client → operator | transactions and their receipts |
//! | [`trace`] | prover → operator | a job and its witness |
//! | [`proof`] | settler → prover | a proof, its receipt or dispute |
//! | [`keepalive`] | each → the other | liveness, round trip, clocks |
//! | [`administration`] | command line → node | status and commands; shards, their ends and their histories; the World; what a node thinks of its peers |
//!
//! [`catalogue`] lists them for tools, [`describe`] shows what their types say, [`dissect`] reads recorded bytes;
//! [`evidence`] is what signed statements show against their signer. Limits are computed from the bounds of the model,
//! deadlines are named in [`timing`].
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod administration;
pub mod catalogue;
pub mod describe;
pub mod dissect;
pub mod evidence;
pub mod handoff;
pub mod handshake;
pub mod history;
pub mod ingress;
pub mod keepalive;
mod noted_pipeline;
pub mod proof;
mod serve;
mod signed;
mod size;
#[cfg(test)]
mod testing;
pub mod timing;
pub mod trace;

pub use serve::{Failure, ServeError};
pub use signed::{Forged, Signed, Statement};

/// Every version of every protocol that this build speaks. A protocol is named in this file and in no other list: as a module above, in the
/// table at the top, and as a type here.
fn protocols() -> Vec<catalogue::Entry> {
    use catalogue::Entry;
    vec![
        Entry::of::<handshake::Handshake>(),
        Entry::of::<handoff::Handoff>(),
        Entry::of::<ingress::Ingress>(),
        Entry::of::<trace::Trace>(),
        Entry::of::<proof::Proof>(),
        Entry::of::<keepalive::Keepalive>(),
        Entry::of::<administration::Administration>(),
    ]
}
