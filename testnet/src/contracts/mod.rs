//! The same dungeon as real Starknet contracts: played by wallets over the operator's door, proven, settled, and compared with a recomputation.
//!
//! [`game`] says who plays and what everybody does, [`prepared`] what the shard begins from (genesis file, World, start request), [`play`] sends it over JSON-RPC,
//! [`run`] takes the shard through its life on a network of three processes, [`recompute`] is the judge, [`report`] tells people and programs what came out.
//!
//! Bounds: [`MAX_PLAYERS`], [`MAX_TRANSACTIONS`], and those of a [run](crate::run).

mod error;
mod game;
mod play;
mod prepared;
mod recompute;
mod report;
mod run;
#[cfg(test)]
mod tests;

pub use error::ContractsError;
pub use game::{MAX_PLAYERS, MAX_TRANSACTIONS};
pub use report::Report;
pub use run::{Playing, run};
