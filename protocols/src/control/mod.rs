//! control: the command line asks its node, or tells it to do something.
//!
//! One request, one response, until goodbye. Only a peer that the node's [`Handler`] allows is served: the node's own identity (whoever can
//! read the key file) and those listed as administrators; others get the reason for every request. A request that fails is answered with code, reason
//! and next step, and the session goes on.
//!
//! The types of [`messages`] are also what `--json` prints.
//!
//! Bounds: a response lists at most [`MAX_PEERS_LISTED`] peers, [`MAX_SHARDS_LISTED`] shards (the newest; each without its updates where
//! there is more than one) and [`MAX_STORAGE_LISTED`] storage addresses, the rest by further pages.

mod client;
pub mod messages;
mod server;
#[cfg(test)]
mod tests;

pub use client::{Client, ControlError};
pub use messages::{
    Bye, MAX_PEERS_LISTED, MAX_SHARDS_LISTED, MAX_STORAGE_LISTED, NodeStatus, PeerStatus, Request, Response, Role,
    ShardStatus, Stage, StorageStatus,
};
pub use server::{Handler, NOT_ALLOWED, serve};

use shardwire_transport::{
    Protocol,
    algebra::{Choose, Eps, HasDual, Rec, Recv, Send, Var, Z},
};

/// The protocol: the command line is the initiator.
#[derive(Debug)]
pub enum Control {}

type Turn = Choose<Send<Request, Recv<Response, Var<Z>>>, Send<Bye, Eps>>;

impl Protocol for Control {
    const NAME: &'static str = "control";
    const VERSION: u16 = 1;
    type Initiator = Rec<Turn>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}
