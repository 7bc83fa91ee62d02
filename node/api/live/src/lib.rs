//! A shard of contracts, executed natively, as the [`Chain`](shardwire_rpc::Chain) that the door for wallets shows.
//!
//! - [`Live`]: the state of the moment and the journal. It answers all that doesn't depend on who keeps the log: reads, calls, simulations.
//! - [`InMemory`]: a whole chain, whose log is memory alone. Nothing of it outlives the process and no receipt is signed: it is for tests, for measurements,
//!   and for those who try a game on their own machine.
//!
//! That, and an operator's chain, is a [`LiveChain`], which needs a [`Log`]. An operator's makes a checked transaction durable, signs its receipt and says [`Live::include`].
//!
//! Refused: what execution refuses, the state of a block that isn't the last ([`LiveError::Past`]), a transaction that is in the log
//! ([`LiveError::Duplicate`]). Bounds: those of execution and of the door, which says how many ask at a time. Who asks holds up nobody's transaction: a
//! question has the state of its moment, which costs a copy of what was written when the next transaction comes before it ends.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod chain;
mod error;
mod live;
mod memory;
mod traces;

pub use chain::{LiveChain, Log};
pub use error::{LiveError, refused};
pub use live::Live;
pub use memory::{InMemory, Memory};
