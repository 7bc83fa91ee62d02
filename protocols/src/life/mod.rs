//! life: where a shard stands, as an explicit state machine; its history, which can't be changed unseen; and what may be done about it.
//!
//! A shard's [`Life`] is a list of [`Step`]s, each with the content that it is about. [`Life::after`] is the one function that says what may
//! follow: stages go forward only, nothing follows a shard that is settled or aborted, a repeated step changes nothing. Each role of a node
//! sees a [`Part`] of it: the settler what the World decides, the operator the run, a prover one job.
//!
//! Every step is made durable before what follows from it leaves the node, as an [`HistoryEntry`]: signed by the node, with the hash of the entry
//! before it. So the life *is* the history: whoever holds the entries [reads](History::read) where the shard stands, and
//! [verifies](verify) that nobody but the node wrote them and that none was changed, left out or moved. What the chain can't show is that its last
//! entries are missing; what other nodes have signed can.
//!
//! The protocol is an [exchange](crate::exchange): the command line starts a shard that times out, aborts one, reads its history.
//!
//! Bounds: a part has at most one entry a stage, so at most [`MAX_ENTRIES`]; a response has at most [`MAX_LISTED`] entries, the rest comes by
//! further pages, in the order of role, job and number. A shard times out after at most [`MAX_TIMEOUT`].

mod client;
mod history;
mod messages;
mod step;
#[cfg(test)]
mod tests;

pub use crate::exchange::{Answer, Bye, Failed, Handler, serve};
pub use client::Client;
pub use history::{History, HistoryEntry, HistoryError, MAX_ENTRIES, Part, verify};
pub use messages::{After, MAX_LISTED, MAX_TIMEOUT, Request, Response};
pub use step::{Life, Refusal, Step, Why};

use crate::exchange::{Exchange, Turn};
use shardwire_transport::{
    Protocol,
    algebra::{HasDual, Rec},
};

/// The protocol: the command line is the initiator.
#[derive(Debug)]
pub enum Lives {}

impl Protocol for Lives {
    const NAME: &'static str = "life";
    const VERSION: u16 = 1;
    type Initiator = Rec<Turn<Request, Response>>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}

impl Exchange for Lives {
    type Request = Request;
    type Response = Response;
    const UNEXPECTED: &'static str = "SW-LIFE-030";
}
