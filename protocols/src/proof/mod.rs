//! proof: a settler fetches a proof from a prover, and answers with a signed receipt or a signed dispute.
//!
//! The settler drives. It asks; the prover answers nothing (after at most [`HOLD`](crate::timing::HOLD)) or that a proof is
//! ready, by hash and size. The settler pulls its chunks, [`DEPTH`] at a time, checks the hash of the whole, verifies it (not here:
//! that takes no network), applies it, and signs a receipt. If a check fails it signs a dispute that names the proof by hash: prover
//! and settler both hold the evidence. It may also skip a proof, or send the receipt at once for a proof that it has settled before.
//! The prover offers a proof until it has a receipt, a dispute or a skip.
//!
//! Of a shard of contracts a proof's bytes are the list of what its run read, and then the proof ([`reads`](shardwire_model::reads)): all here that is of a proof is of both.
//!
//! The prover signs what it announces, with the lease under which it was made. So a bad proof can be shown to anybody, not only to those who
//! were in the session ([`evidence`](crate::evidence)), and so can an operator that leased one job twice.
//!
//! What the client half refuses: a proof longer than [`MAX_PROOF_BYTES`](shardwire_model::MAX_PROOF_BYTES), an announcement that the prover didn't sign, or with a lease of another
//! job or prover or that its operator didn't sign, a chunk that isn't the next or isn't as long as it must be, bytes whose hash isn't the
//! promised one. What the server half refuses: a chunk that doesn't exist, a receipt or dispute of another
//! proof, or one that the settler didn't sign.

mod client;
mod messages;
mod server;
#[cfg(test)]
mod tests;

pub use client::{Client, Next, Offered};
pub use messages::{
    Announced, Announcement, Ask, Bye, Dispute, Leased, Nothing, Objection, PROOF_CHUNK_BYTES, ProofChunk, Pull, Ready,
    Receipt, Settlement, Skip, SkipReason,
};
pub use server::{Handler, Reply, StoredProof, serve};

use shardwire_transport::{
    Protocol,
    algebra::{Choose, Eps, HasDual, Offer, Rec, Recv, S, Send, Var, Z},
};

/// Most pulls without an answer: 2 MiB in flight, more than a proof of today has.
pub const DEPTH: usize = 8;

/// The protocol: the settler is the initiator.
#[derive(Debug)]
pub enum Proof {}

/// The settler's turn.
type Turn = Choose<Send<Ask, Offer<Recv<Nothing, Var<Z>>, Recv<Announcement, Rec<Fetching>>>>, Send<Bye, Eps>>;
/// With a proof on offer.
type Fetching = Choose<
    Send<Pull, Recv<ProofChunk, Var<Z>>>,
    Choose<Send<Receipt, Var<S<Z>>>, Choose<Send<Dispute, Var<S<Z>>>, Send<Skip, Var<S<Z>>>>>,
>;

impl Protocol for Proof {
    const NAME: &'static str = "proof";
    const VERSION: u16 = 1;
    type Initiator = Rec<Turn>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}
