//! ingress: a client sends signed transactions to a shard's operator, and gets a signed receipt for each.
//!
//! The client opens one shard; the operator says where the shard stands, or why it takes none. Then up to [`DEPTH`] transactions may be
//! on their way before the first receipt is back; receipts come in the order of submission. A refused transaction doesn't end the
//! session: its receipt says why, and which nonce is due of its account. It used up none, so those of the account that were signed to follow it are refused
//! as well: a client signs them anew, from the nonce that is due, over the chain of what was accepted. Submitting the same transaction again is harmless: its receipt says that it is a duplicate. So
//! a client whose connection broke opens again and submits what has no receipt.
//!
//! What the client half refuses: a receipt for another transaction than the next in turn, or one that the shard's operator
//! didn't sign; start data of another shard. What the server half refuses: nothing but what the type doesn't allow; whether a
//! transaction is acceptable is the [`Handler`]'s to say, in the receipt.

mod client;
mod messages;
mod server;
#[cfg(test)]
mod tests;

pub use client::{Client, Opening, open};
pub use messages::{Bye, Open, Opened, Outcome, Receipt, ReceiptContent, RefusalReason, Refused, Submit};
pub use server::{Handler, serve};

use shardwire_transport::{
    Protocol,
    algebra::{Choose, Eps, HasDual, Offer, Rec, Recv, Send, Var, Z},
};

/// Most transactions without a receipt: 64 × 270 bytes on the wire for those of rules, and enough that signatures are checked back to back at any
/// round trip below 64 × 1 ms. The longest INVOKEs have 168 kB each; what of them isn't read waits in the session's window.
pub const DEPTH: usize = 64;

/// The protocol: the client is the initiator.
#[derive(Debug)]
pub enum Ingress {}

/// The client's turn.
type Turn = Choose<Send<Submit, Recv<Receipt, Var<Z>>>, Send<Bye, Eps>>;

impl Protocol for Ingress {
    const NAME: &'static str = "ingress";
    const VERSION: u16 = 1;
    type Initiator = Send<Open, Offer<Recv<Refused, Eps>, Recv<Opened, Rec<Turn>>>>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}
