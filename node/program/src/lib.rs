//! What a shard executes. No network, no storage.
//!
//! A [`Program`] has a name, a hash (in the start data of its shards), rules for what may happen ([`Admission`]) and a live execution
//! that cuts the witness in chunks and ends with an [`Output`](shardwire_model::Output). At the prover `shardwire_witness` makes the
//! flat witness of the chunks, without this room.
//!
//! - [`rules`]: the program of the fixed rules.
//! - [`Programs`]: those that a node has. A shard of another one is refused ([`UnknownProgram`]).
//!
//! Bounds are the `MAX_…` constants of `shardwire-witness` and of `shardwire-model`.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod admission;
mod execution;
mod program;
mod programs;
mod refusal;
pub mod rules;

pub use admission::{Acceptance, Admission, Change, Checked};
pub use execution::{Budget, ExecuteError, Execution};
pub use program::{Cutter, Program, Sink};
pub use programs::{Programs, UnknownProgram};
pub use refusal::{Foreign, Refusal};
pub use rules::Rules;
