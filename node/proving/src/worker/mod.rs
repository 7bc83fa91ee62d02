//! The prover worker: found, started, watched, ended. One process a job.
//!
//! Proving takes gigabytes, and its code panics on bad input, so it happens in a process of its own, with a memory limit and
//! a deadline. `docs/prover-worker.md` is the contract with that process; `node/stwo-worker` is the one that comes with shardwire.
//!
//! ```no_run
//! # use shardwire_proving::worker::{locate, prove, ProveRequest};
//! # async fn example(request: ProveRequest) -> Result<(), Box<dyn std::error::Error>> {
//! let worker = locate()?; // blocks for up to 20 s
//! let never = std::future::pending::<()>();
//! let proved = prove(&worker, &request, never, |event| println!("{event:?}")).await?;
//! println!("{} bytes in {} s", proved.proof_bytes, proved.prove_s);
//! # Ok(()) }
//! ```
//!
//! Whose doing a failure is, is a type ([`DueTo`]): the job's only if the worker says so by the event `refused`, this machine's otherwise. What the process reports is bounded and checked ([`MAX_LINE_BYTES`], [`MAX_EVENTS`]); what it writes is counted before anyone reads it
//! ([`MAX_PROOF_BYTES`](shardwire_model::MAX_PROOF_BYTES)). [`verify`](crate::verify) decides whether the proof is valid: a worker is
//! not trusted either. Dropping the future of [`prove`] kills the process, and so does the end of this one (its standard input closes).
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the worker is another process, and talks through files"
)]

mod error;
mod event;
mod group;
mod locate;
mod supervise;

pub use error::{DueTo, ProveError};
pub use event::{MAX_EVENTS, MAX_LINE_BYTES, WorkerEvent};
pub use locate::{INTERFACE, LocateError, Worker, WorkerPaths, locate, locate_in};
pub use supervise::{ProveRequest, Proved, prove};
