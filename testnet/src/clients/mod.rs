//! The load on networks that break: a World, shards that compete for its entries, and the clients that run them.
//!
//! Shards are of the fixed rules ([`Game`]) or of contracts ([`Dungeon`]). Both the simulator and `testnet chaos` use it; [`checks`](crate::checks) says what must come out of it.

mod client;
mod contracts;
mod game;

pub(crate) use client::{Client, Move, Patience, Promises, Shard, SharedPromises, SignedObserver, Targets};
pub(crate) use contracts::{Dungeon, MAX_MOVES};
pub(crate) use game::{Game, genesis};
