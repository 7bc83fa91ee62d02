//! keepalive: are you there, how far away, and what time is it with you?
//!
//! One session a connection and direction. The initiator pings every [`EVERY`]; from the answer it knows the round trip and how far the
//! two wall clocks are apart. A peer that doesn't answer is gone: the session ends with an error, and the node drops the connection.
//! Bounds: one ping at a time.

mod client;
mod messages;
mod server;
#[cfg(test)]
mod tests;

pub use client::{Client, Measured};
pub use messages::{Bye, Ping, Pong};
pub use server::serve;

use shardwire_transport::{
    Protocol,
    algebra::{Choose, Eps, HasDual, Rec, Recv, Send, Var, Z},
};
use std::time::Duration;

/// Time between two pings. Below the usual 30 s after which home routers forget a UDP flow.
pub const EVERY: Duration = Duration::from_secs(10);

/// The protocol.
#[derive(Debug)]
pub enum Keepalive {}

type Turn = Choose<Send<Ping, Recv<Pong, Var<Z>>>, Send<Bye, Eps>>;

impl Protocol for Keepalive {
    const NAME: &'static str = "keepalive";
    const VERSION: u16 = 1;
    type Initiator = Rec<Turn>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}
