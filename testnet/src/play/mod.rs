//! What is played on networks that break: a World, shards over it that want the same things, and who plays them.
//!
//! Both the simulator and `testnet chaos` play this; what must come out of it is in [`checks`](crate::checks).

mod client;
mod game;

pub(crate) use client::{Client, Ends, Patience, Plays, Told, Words};
pub(crate) use game::Game;
