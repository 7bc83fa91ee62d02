//! life: the command line starts a shard that times out, aborts one, reads its history.
//!
//! It is an [exchange](crate::exchange). Bounds: a response has at most [`MAX_LISTED`] entries, the rest comes by
//! further pages, in the order of segment, role, job and number.

mod client;
mod messages;
#[cfg(test)]
mod tests;

pub use crate::exchange::{Answer, Bye, Failed, Handler, serve};
pub use client::Client;
pub use messages::{After, MAX_LISTED, Request, Response};

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
