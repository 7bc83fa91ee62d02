//! handoff: an operator takes shards from a settler.
//!
//! The operator drives. It asks, naming the shards that it holds, and the settler answers: nothing for now (after at most
//! [`HOLD`](crate::timing::HOLD)), a shard to execute, what became of one, or the verdict on a proof of one. An assigned
//! shard is accepted with a signature, after it was made durable, or declined with a reason.
//!
//! **Proofs.** A prover tells the operator that it has a proof, and the settler whether that is so. [`ProofVerdict`] is the settler's latest [`Verdict`] on a
//! proof of a segment of a shard in `known`, unless `verdicts` has it. An operator that hears of a dispute leases the job again at once.
//!
//! **Segments.** A long run is cut, and each segment is proven by itself. The operator says where ([`Cut`]), since with less than that anybody could prove a part of its log and stand in the
//! way of the rest. A proof of a segment that isn't the last counts if it ends at the cut, and one of any later segment if it begins there.
//!
//! **Who a job is of.** With an assignment goes the settler's signature under its [`AssignmentTerms`]. The operator keeps it and shows it in each job that it offers
//! (protocol `trace`), because anybody can say that it is an operator. One that kept an assignment without it leaves the shard out of `known`, and is assigned it again.
//!
//! **Lost connections.** Asking is idempotent. A shard that the settler assigned and that `known` doesn't name is assigned again; one that
//! `known` names but for which the settler has no acceptance is assigned again as well, and accepting it again is harmless.
//! [`Closed`] is repeated until `known` no longer names the shard. The lease of each shard in `known` is renewed by asking.
//!
//! What the client half refuses: start data that contradicts itself or is for another operator, another number of values than
//! entries, an assignment that the settler hasn't signed, news of a shard that it doesn't hold, or a verdict that it was told before. What the server half refuses: an acceptance that isn't for the shard and epoch
//! just assigned or isn't signed by the peer, or a cut of a shard that isn't in `known` or after the last segment that a run may have. Each is a fault of the peer and ends the session. Bounds: [`MAX_KNOWN`], [`MAX_VERDICTS`], [`MAX_CUTS`].

mod client;
mod messages;
mod server;
#[cfg(test)]
mod tests;

pub use client::{Client, Next, Pending};
pub use messages::{
    Accept, Acceptance, Ask, Assign, AssignmentTerms, Bye, Closed, Cut, Decline, KnownVerdict, MAX_CUTS, MAX_KNOWN,
    MAX_VERDICTS, Nothing, Outcome, ProofVerdict, Verdict,
};
pub use server::{Answer, Handler, serve};

use shardwire_transport::{
    Protocol,
    algebra::{Choose, Eps, HasDual, Offer, Rec, Recv, Send, Var, Z},
};

/// The protocol: the operator is the initiator.
#[derive(Debug)]
pub enum Handoff {}

/// The operator's turn.
type Turn = Choose<Send<Ask, Answered>, Send<Bye, Eps>>;
/// After a question.
type Answered = Offer<
    Recv<Nothing, Var<Z>>,
    Offer<Recv<Assign, Assigned>, Offer<Recv<Closed, Var<Z>>, Recv<ProofVerdict, Var<Z>>>>,
>;
/// With an assignment in hand.
type Assigned = Choose<Send<Accept, Var<Z>>, Send<Decline, Var<Z>>>;

impl Protocol for Handoff {
    const NAME: &'static str = "handoff";
    const VERSION: u16 = 1;
    type Initiator = Rec<Turn>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}
