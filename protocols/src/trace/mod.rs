//! trace: a prover takes a job from an operator and pulls its witness, chunk by chunk, while the run still goes on.
//!
//! 1. The prover says that it is ready, naming jobs that it has begun; the operator answers nothing (after at most
//!    [`HOLD`](crate::timing::HOLD)) or offers a job. [`job_id`] names a job by what is to be proven, so both sides compute the same name.
//!    A job whose run has ended is offered before those that go on. A job that the prover holds under a lease is offered to it again only if it
//!    names it, so it may ask for further jobs in another session. One that it declines isn't offered to it for [`DECLINED_FOR`], or, if it has
//!    given the job up, until it names it.
//!    An offer carries the signature by which a settler has assigned the job to this operator, since anybody can say that it is an operator: a prover
//!    takes no other, and to offer one is an offence.
//! 2. The prover claims it and gets a signed [`Lease`] with a fencing epoch. A later lease of the same job has a higher epoch and
//!    ends this one: pulls and progress of an older epoch are answered with `Lost`, which is no fault. The lease lasts
//!    [`LEASE`] and is renewed by every pull and every progress.
//! 3. It pulls chunks by index, [`DEPTH`] at a time, so that a chunk costs no round trip. The operator answers in order: the chunk, "pending" when
//!    it doesn't exist yet (after at most `HOLD`), or how the run ended, with the hash of every chunk. Chunks are named by
//!    the hash of their content, so a prover that was interrupted pulls only what it lacks.
//! 4. While it assembles and proves, the prover reports progress every [`REPORT_EVERY`]; then it says which proof it has, or
//!    that it gives up. The proof itself goes to the settler (protocol `proof`).
//!
//! What the client half refuses: an offer whose name isn't that of its content, start data that contradicts itself, a lease for another
//! job or prover or not signed by the operator, an answer to another pull than the oldest, a chunk longer than its bound, a manifest that
//! contradicts the chunks. Decompressing a chunk and checking its hash is the caller's, and so is
//! whether a settler that counts has [assigned](JobOffer::is_assigned_to) the job. What the server half refuses: a claim or decline of
//! another job than the one offered, more begun jobs than [`MAX_RESUMED`].

mod client;
mod fetch;
mod job;
mod messages;
mod server;
#[cfg(test)]
mod tests;
mod working;

pub use client::{Claimed, Client, Next, Offered};
pub use fetch::{Fetch, Pulled};
pub use job::{JobError, job_id};
pub(crate) use messages::LEASE_TERMS;
pub use messages::{
    Abandon, Bye, Chunk, Claim, Decline, DeclineReason, Ending, Finish, Finished, JobOffer, Lease, LeaseTerms,
    MAX_CHUNK_RAW, MAX_CHUNK_WIRE, MAX_CHUNKS, MAX_RESUMED, Nothing, Progress, Progressed, ProverStage, Pull,
    PullResponse, Ready, RefusalReason, Refused, ResumableJob,
};
pub use server::{ChunkAnswer, Grant, Handler, serve};
pub use working::Working;

use shardwire_transport::{
    Protocol,
    algebra::{Choose, Eps, HasDual, Offer, Rec, Recv, Send, Var, Z},
};
use std::time::Duration;

/// Most pulls without an answer. Chunks usually have 50 to 700 kB on the wire, so twelve keep 100 Mbit/s busy over a round
/// trip of 50 ms; twelve of the longest are 48 MiB, which bounds what is held here.
pub const DEPTH: usize = 12;
/// How long a lease lasts after the last sign of life: six reports.
pub const LEASE: Duration = Duration::from_secs(60);
/// How long a job isn't offered again to a prover that said that it doesn't take it now.
pub const DECLINED_FOR: Duration = Duration::from_secs(60);
/// How often a prover that isn't pulling reports.
pub const REPORT_EVERY: Duration = Duration::from_secs(10);

/// The protocol: the prover is the initiator.
#[derive(Debug)]
pub enum Trace {}

/// A prover without a job.
type Idle = Choose<Send<Ready, Answered>, Send<Bye, Eps>>;
/// After it said that it is ready.
type Answered = Offer<Recv<Nothing, Var<Z>>, Recv<JobOffer, Considered>>;
/// With an offer in hand.
type Considered = Choose<Send<Claim, Offer<Recv<Refused, Var<Z>>, Recv<Lease, Rec<Leased>>>>, Send<Decline, Var<Z>>>;
/// With a lease: pull, or something of the rest.
type Leased = Choose<Send<Pull, Recv<PullResponse, Var<Z>>>, Otherwise>;
/// What a prover with a lease may do but pull.
type Otherwise =
    Choose<Send<Progress, Recv<Progressed, Var<Z>>>, Choose<Send<Finish, Recv<Finished, Eps>>, Send<Abandon, Eps>>>;

impl Protocol for Trace {
    const NAME: &'static str = "trace";
    const VERSION: u16 = 1;
    type Initiator = Rec<Idle>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}
