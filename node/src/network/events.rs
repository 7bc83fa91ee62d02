//! What happens to connections.

use super::twin::Twin;
use shardwire_model::{Address, Coded as _, PeerId};
use shardwire_telemetry::{events, labels};
use std::{net::SocketAddr, time::Duration};

labels! {
    /// What a node is to another one with the same key.
    pub enum Side { Yields = "yields", Prevails = "prevails", Met = "met" }
}

impl From<Twin> for Side {
    fn from(twin: Twin) -> Self {
        match twin {
            Twin::Yields => Self::Yields,
            Twin::Prevails => Self::Prevails,
            Twin::Met => Self::Met,
        }
    }
}

events! {
    pub(crate) room "network";

    /// A peer is connected, and greeted
    Connected = "connected" { peer: PeerId, address: SocketAddr, roles: String }
        => INFO : (peer = %peer.short(), %address, roles, "connected");

    /// A peer that was connected has gone, or was turned away
    Disconnected = "disconnected" { peer: PeerId, why: String }
        => INFO : (peer = %peer.short(), "disconnected: {why}");

    /// Two nodes have one key, by what this node is to them
    IdentityShared = "identity_shared" { peer: PeerId, address: SocketAddr, twin: Twin }
        by { side: Side = (*twin).into() }
        => WARN, ERROR if (*twin == Twin::Yields) : (peer = %peer.short(), %address, code = twin.code(), "{twin}. {}", twin.next_step());

    /// No connection to a configured peer
    DialFailed = "dial_failed" { peer: PeerId, address: Address, repeated: bool, why: String }
        => WARN, DEBUG if (*repeated) : (peer = %peer.short(), %address, "{}: {why}", if *repeated { "no connection" } else { "no connection yet, trying on" });

    /// A peer that dialled belongs elsewhere, or has no version in common
    HandshakeRefused = "handshake_refused" { peer: PeerId, address: SocketAddr, code: &'static str, error: String }
        => WARN : (%address, peer = peer.short(), code, "handshake refused: {error}");

    /// Something that this node needs to do its work is missing
    ConditionUnmet = "condition_unmet" { condition: &'static str, code: String, why: String, next_step: String }
        => WARN : (condition, code, "not ready: {why}. {next_step}");

    /// What was missing is there again
    ConditionMet = "condition_met" { condition: &'static str }
        => INFO : (condition, "no longer missing");

    /// A peer's clock is apart from this node's: one of the two is wrong
    ClockApart = "clock_apart" { peer: PeerId, ahead_ms: i64, counts: bool }
        => WARN, DEBUG if (!*counts) : (peer = peer.short(), ahead_ms, "a peer's clock is apart from this system's: one of the two is wrong");

    /// Whom the configuration names was read again
    ListsRead = "lists_read" { configured: usize, allowed: usize, denied: usize }
        => INFO : (configured, allowed, denied, "lists of peers read again");

    /// Whom the configuration names couldn't be read again, so it is as it was
    ListsNotRead = "lists_not_read" { code: &'static str, error: String, next_step: String }
        => ERROR : (code, "the lists of peers stay as they were: {error}. {next_step}");

    /// The node was told to drain and stop
    StopAsked = "stop_asked" {}
        => INFO : ("told to stop");

    /// The program that proves was found, before the node listens
    WorkerFound = "worker_found" { name: String, version: String }
        => INFO : (worker = name, version, "prover worker found");

    /// A peer that dialled didn't greet in time
    GreetingMissed = "greeting_missed" { peer: PeerId, address: SocketAddr, within: Duration }
        => WARN : (%address, peer = peer.short(), "no greeting within {within:?}");
}
