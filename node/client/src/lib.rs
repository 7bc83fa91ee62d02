//! Talking to nodes from outside: what the command line, `testnet` and other programs use.
//!
//! - [`NodeClient`] asks the node that runs in a data folder, as that folder's identity, and tells it what to do.
//! - [`submit`] sends signed transactions of any form to a shard's operator and collects a signed receipt for each; [`submit_and_resign`] signs those anew that a refused one before them made useless.
//!
//! A client dials, it isn't dialled; it greets as a peer without a role, so that nodes serve it and ask nothing of it. It believes
//! only the peer it was told to dial, and of that peer only what it signed. Receipts that contradict each other end a submission, and are evidence.
//!
//! An operator that has a name is found again where it has moved: the name is asked at each attempt.
//!
//! Bounds: a connection is given up after [`HANDSHAKE_DEADLINE`](shardwire_transport::settings::HANDSHAKE_DEADLINE) at each of the at most
//! [`MAX_ADDRESSES`](shardwire_host::names::MAX_ADDRESSES) that a name stands for, an answer after
//! that of its message; [`submit`] connects again at most [`MAX_ATTEMPTS`] times in a row without a receipt in between, and has at
//! most [`ingress::DEPTH`](shardwire_protocols::ingress::DEPTH) transactions without a receipt.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod end;
mod error;
mod link;
mod node;
mod receipts;
mod resign;
mod submit;
#[cfg(test)]
mod tests;

pub use end::{EndReport, end};
pub use error::ClientError;
pub use link::{Dialler, NodeAddress, ParseNodeAddressError, Target};
pub use node::NodeClient;
pub use submit::{MAX_ATTEMPTS, MAX_ROUNDS, Progress, Refusal, SubmitReport, started, submit, submit_and_resign};
