//! The same dungeon as real Starknet contracts: played by wallets over the operator's door, proven, settled, and compared with a recomputation.
//!
//! [`game`] says who plays and what everybody does, [`prepared`] what the shard begins from (genesis file, World, start request), [`play`] sends it over JSON-RPC,
//! [`run`](mod@run) takes the shard through its life on a network of three processes, [`recompute`] is the judge, [`report`] tells people and programs what came out.
//! [`Hand`] is what signs. [`Shard`] is a game's shard without a network, and [`open`] one whose players are somebody else's, for tests and measurements.
//!
//! The simulator has shards of the same game ([`crate::clients`]), judged by the same recomputation.
//!
//! Bounds: [`MAX_PLAYERS`], [`MAX_TRANSACTIONS`], and those of a [run](crate::run).

mod error;
pub(crate) mod game;
mod hand;
pub(crate) mod play;
pub(crate) mod prepared;
pub(crate) mod recompute;
mod report;
mod run;
mod shard;
#[cfg(test)]
mod tests;

pub use error::ContractsError;
pub use game::{Addresses, Deed, Game, MAX_PLAYERS, MAX_TRANSACTIONS, Planned, Player, addresses};
pub use hand::{Hand, L2_GAS, submit};
pub use play::Table;
pub use prepared::Standing;
pub use report::Report;
pub use run::{Playing, open, run};
pub use shard::{Log, Shard};
