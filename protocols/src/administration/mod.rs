//! administration: the command line, or an administrator's tool, asks a node, or tells it to do something.
//!
//! One request, one response, until goodbye. Requests are grouped by what they are about: the [`node`], its [`shard`]s, the [`world`] that a
//! settler keeps, its [`peer`]s. A request that can't be done is answered with [`Failed`], and the session goes on: it has a reason that a client acts on
//! ([`FailedReason`]), and words and the next step for a person.
//! The types of the responses are also what `--json` prints.
//!
//! The [`Handler`] says who may ask what: the node's own identity (everybody who can read its key file) and those listed as administrators may
//! ask for everything. Others get the reason for every request that they may not make.
//!
//! What the client half refuses: a response to another request, pages that don't go forward or are of another shard, evidence longer than
//! announced. Bounds: a response lists at most [`MAX_PEERS_LISTED`] connections, [`MAX_VIEWS_LISTED`] records of peers, [`MAX_SHARDS_LISTED`]
//! shards (the newest; each without its updates where there is more than one), [`MAX_STORAGE_LISTED`] storage addresses and
//! [`MAX_ENTRIES_LISTED`] entries of histories; the rest of addresses, records and entries comes by further pages. Evidence comes in parts of
//! [`PART_BYTES`].

mod client;
mod error;
mod messages;
pub mod node;
pub mod peer;
mod server;
pub mod shard;
#[cfg(test)]
mod tests;
pub mod world;

pub use client::{Client, Page, Started};
pub use error::AdministrationError;
pub use messages::{Bye, Failed, FailedReason, Request, Response};
pub use node::{ClockStatus, Counts, MAX_UNMET, NodeStatus, Overview, Unmet};
pub use peer::{
    Changed, MAX_ADDRESSES, MAX_CHANGES, MAX_PEERS_LISTED, MAX_QUOTAS, MAX_VIEWS_LISTED, PART_BYTES, PeerStatus,
    PeerView, ProtocolQuota,
};
pub use server::{Handler, serve};
pub use shard::{HistoryCursor, MAX_ENTRIES_LISTED, MAX_SHARDS_LISTED, ShardStatus};
pub use world::{MAX_STORAGE_LISTED, StorageStatus};

use shardwire_transport::{
    Protocol,
    algebra::{Choose, Eps, HasDual, Rec, Recv, Send, Var, Z},
};

/// The protocol: who asks is the initiator.
#[derive(Debug)]
pub enum Administration {}

/// Ask, or say goodbye.
type Turn = Choose<Send<Request, Recv<Response, Var<Z>>>, Send<Bye, Eps>>;

impl Protocol for Administration {
    const NAME: &'static str = "administration";
    const VERSION: u16 = 1;
    type Initiator = Rec<Turn>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}
