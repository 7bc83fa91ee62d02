//! What is played on networks that break: a World, shards that compete for its things, and their clients.
//!
//! Both the simulator and `testnet chaos` play this; [`checks`](crate::checks) say what must come out of it.

mod client;
mod game;

pub(crate) use client::{Client, Ends, Patience, Plays, Told, Words};
pub(crate) use game::Game;
