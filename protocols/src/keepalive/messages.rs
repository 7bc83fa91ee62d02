//! Are you there, and what time is it with you?

use super::EVERY;
use crate::size;
use serde::{Deserialize, Serialize};
use shardwire_model::Timestamp;
use shardwire_transport::message;
use std::time::Duration;

/// Deadline of the next ping: two may be lost to a stall before the third is missed.
const NEXT: Duration = EVERY.saturating_mul(3);
/// Deadline of a pong: it needs no work, so this is a network's worst round trip and retransmissions.
const PONG: Duration = Duration::from_secs(10);

/// Are you there?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// The sender's wall clock.
    pub sent: Timestamp,
}

/// The answer to a ping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// The date in the ping that it answers, as its sender wrote it.
    pub sent: Timestamp,
    /// The wall clock of the one that answers.
    pub received: Timestamp,
}

/// No further pings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {}

message!(Ping, max_bytes = size::U64, deadline = NEXT);
message!(Pong, max_bytes = 2 * size::U64, deadline = PONG);
message!(Bye, max_bytes = 0, deadline = NEXT);
