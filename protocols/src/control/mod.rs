//! control: the command line asks its node, or tells it to do something.
//!
//! An [exchange](crate::exchange). The types of [`messages`] are also what `--json` prints.
//!
//! Bounds: a response lists at most [`MAX_PEERS_LISTED`] peers, [`MAX_SHARDS_LISTED`] shards (the newest; each without its updates where
//! there is more than one) and [`MAX_STORAGE_LISTED`] storage addresses, the rest by further pages.

mod client;
pub mod messages;
#[cfg(test)]
mod tests;

pub use crate::exchange::{Answer, Bye, ControlError, Failed, Handler, NOT_ALLOWED, serve};
pub use client::Client;
pub use messages::{
    MAX_PEERS_LISTED, MAX_SHARDS_LISTED, MAX_STORAGE_LISTED, NodeStatus, PeerStatus, Request, Response, ShardStatus,
    StorageStatus,
};

use crate::exchange::{Exchange, Turn};
use shardwire_transport::{
    Protocol,
    algebra::{HasDual, Rec},
};

/// The protocol: the command line is the initiator.
#[derive(Debug)]
pub enum Control {}

impl Protocol for Control {
    const NAME: &'static str = "control";
    const VERSION: u16 = 1;
    type Initiator = Rec<Turn<Request, Response>>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}

impl Exchange for Control {
    type Request = Request;
    type Response = Response;
    const UNEXPECTED: &'static str = "SW-CONTROL-004";
}
