//! reputation: the command line asks its node what it thinks of its peers, or tells it what to think.
//!
//! An [exchange](crate::exchange). What is said of a peer is what [`shardwire_reputation`] says: every component of the score, the tier that it
//! makes, the quotas that follow.
//!
//! The types of [`messages`] are also what `--json` prints.
//!
//! Bounds: a response has at most [`MAX_LISTED`] peers, the rest comes by further pages, in the order of the ids; a peer has at most
//! [`MAX_ADDRESSES`] addresses, [`MAX_QUOTAS`] quotas and [`MAX_CHANGES`] changes, the latest ones. Evidence comes in parts of [`PART_BYTES`].

mod client;
pub mod messages;
#[cfg(test)]
mod tests;

pub use crate::exchange::{Answer, Bye, Failed, Handler, serve};
pub use client::{Client, Page};
pub use messages::{
    Changed, Counts, MAX_ADDRESSES, MAX_CHANGES, MAX_EVIDENCE_BYTES, MAX_LISTED, MAX_QUOTAS, Overview, PART_BYTES,
    PeerView, ProtocolQuota, Request, Response,
};

use crate::exchange::{Exchange, Turn};
use shardwire_transport::{
    Protocol,
    algebra::{HasDual, Rec},
};

/// The protocol: the command line is the initiator.
#[derive(Debug)]
pub enum Reputation {}

impl Protocol for Reputation {
    const NAME: &'static str = "reputation";
    const VERSION: u16 = 1;
    type Initiator = Rec<Turn<Request, Response>>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}

impl Exchange for Reputation {
    type Request = Request;
    type Response = Response;
    const UNEXPECTED: &'static str = "SW-REPUTATION-030";
}
