//! reputation: the command line asks its node what it thinks of its peers, or tells it what to think.
//!
//! As [`control`](crate::control): one request, one response, until goodbye, for whom the [`Handler`] allows. It is a protocol of its own because
//! control's bytes never change. What is said of a peer is what [`shardwire_reputation`] says: every component of the score, the tier that it
//! makes, the quotas that follow.
//!
//! The types of [`messages`] are also what `--json` prints.
//!
//! Bounds: a response has at most [`MAX_LISTED`] peers, the rest comes by further pages, in the order of the ids; a peer has at most
//! [`MAX_ADDRESSES`] addresses, [`MAX_QUOTAS`] quotas and [`MAX_CHANGES`] changes, the latest ones. Evidence comes in parts of [`PART_BYTES`].

mod client;
pub mod messages;
mod server;
#[cfg(test)]
mod tests;

pub use client::{Client, Page};
pub use messages::{
    Bye, Changed, Counts, MAX_ADDRESSES, MAX_CHANGES, MAX_EVIDENCE_BYTES, MAX_LISTED, MAX_QUOTAS, Overview, PART_BYTES,
    PeerView, ProtocolQuota, Request, Response,
};
pub use server::{Handler, serve};

use shardwire_transport::{
    Protocol,
    algebra::{Choose, Eps, HasDual, Rec, Recv, Send, Var, Z},
};

/// The protocol: the command line is the initiator.
#[derive(Debug)]
pub enum Reputation {}

type Turn = Choose<Send<Request, Recv<Response, Var<Z>>>, Send<Bye, Eps>>;

impl Protocol for Reputation {
    const NAME: &'static str = "reputation";
    const VERSION: u16 = 1;
    type Initiator = Rec<Turn>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}
