//! handshake: the first session of a connection. Who are you, and what may each of us open with the other?
//!
//! The peer that dialled sends its [`Hello`], the other answers with its own or says why it won't go on. Both then
//! know the same: what each may open with the other, in which version, and the other one's roles. The network's name must be the same, and so must the hash of the
//! World's identity (who has no role, such as a client, needs no World);
//! a protocol that one side opens and the other serves must have a version that both speak, else the reason says which side must upgrade.
//! Protocols, roles and capabilities that one side doesn't know are ignored: a later version adds them without breaking an earlier one.
//!
//! **Announced is served.** A [`Hello`] has two lists, because each direction is agreed on by itself. Of what it *serves*, a peer takes up a
//! session in the version agreed on; what it *opens* is a question, and obliges nobody. A command line serves nothing, a settler
//! opens `proof` and doesn't serve it. A session of a protocol that a peer announced as served is never held against the one that
//! opens it; one that it didn't announce, or in another version, is a violation.
//!
//! **Two nodes with one key.** A node names its run in a capability ([`Instance`]), and in another one the run with the key of whom it greets that it
//! is connected with already. So both sides know it if a key has two nodes, and which of them yields.
//!
//! What it refuses: see [`Mismatch`]. Bounds: a Hello has at most [`MAX_ROLES`] roles, [`MAX_PROTOCOLS`] protocols and
//! [`MAX_CAPABILITIES`] capabilities of [`MAX_NAME`] bytes; each side waits [`GREETING`](crate::timing::GREETING).
//!
//! [`announce`] makes such a list from the protocols' types, of which there is one for each version of a protocol. The
//! highest common version runs: [`Agreed::may_open`] says which type to open, [`Agreed::allows`] what the peer may open.

mod agree;
mod client;
mod error;
mod instance;
mod messages;
mod server;
#[cfg(test)]
mod tests;

pub use agree::{Agreed, Mismatch, SKEW_NOTICED, Side, Terms, agree, announce, spoken};
pub use client::greet;
pub use error::HandshakeError;
pub use instance::Instance;
pub use messages::{Hello, MAX_CAPABILITIES, MAX_NAME, MAX_PROTOCOLS, MAX_ROLES, RefusalReason, Refused, Spoken};
pub use server::answer;

use shardwire_transport::{
    Protocol,
    algebra::{Eps, HasDual, Offer, Recv, Send},
};

/// The protocol: the dialling peer is the initiator.
#[derive(Debug)]
pub enum Handshake {}

impl Protocol for Handshake {
    const NAME: &'static str = "handshake";
    const VERSION: u16 = 1;
    type Initiator = Send<Hello, Offer<Recv<Hello, Eps>, Recv<Refused, Eps>>>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}
