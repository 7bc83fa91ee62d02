//! The load on networks that break: a World, shards that compete for its entries, and the clients that run them.
//!
//! Both the simulator and `testnet chaos` use it; [`checks`](crate::checks) says what must come out of it.

mod client;
mod game;

pub(crate) use client::{Client, Patience, Promises, SharedPromises, SignedObserver, Targets};
pub(crate) use game::Game;
