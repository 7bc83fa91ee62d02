//! What happens between the node and its peers.

use shardwire_model::{Coded as _, PeerId};
use shardwire_reputation::{Standing, Tier, admission::NotAdmitted};
use shardwire_telemetry::{events, labels};
use std::{net::SocketAddr, time::Duration};

labels! {
    /// Whose fault a violation is.
    pub enum Blame { Peer = "peer", Unclear = "unclear" }
}

labels! {
    /// What of this node ended a session: what its role does there, a pipeline that was asked to hold more than it may, or another fault of the program's.
    pub enum Failing { Handler = "handler", Pipeline = "pipeline", Session = "session" }
}

labels! {
    /// A standing, without its details.
    pub enum StandingKind { Denied = "denied", Banned = "banned", Low = "low", Normal = "normal", High = "high" }
}

impl From<Standing> for StandingKind {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Denied => Self::Denied,
            Standing::Banned { .. } => Self::Banned,
            Standing::Admitted(Tier::Low) => Self::Low,
            Standing::Admitted(Tier::Normal) => Self::Normal,
            Standing::Admitted(Tier::High) => Self::High,
        }
    }
}

events! {
    pub room "peers";

    /// A connection was refused before its handshake, by its address: no place is left for it, or it comes too often
    ConnectionRefused = "connection_refused" { address: SocketAddr }
        => DEBUG : (%address, "refused before the handshake");

    /// The handshake of a connection failed
    ConnectionFailed = "connection_failed" { address: SocketAddr, code: &'static str, error: String }
        => DEBUG : (%address, code, "no connection: {error}");

    /// A session ended because the peer broke its protocol, by whether that is the peer's fault or may be the network's
    ProtocolViolated = "protocol_violated" { peer: PeerId, protocol: String, blame: Blame, code: &'static str, error: String }
        by { blame: Blame = *blame }
        => WARN : (peer = %peer.short(), protocol, code, "violation: {error}");

    /// A session ended because its connection did
    SessionLost = "session_lost" { peer: PeerId, protocol: String, code: &'static str, error: String }
        => DEBUG : (peer = %peer.short(), protocol, code, "session lost: {error}");

    /// A session ended because of this node, by what failed
    SessionFailed = "session_failed" { peer: PeerId, protocol: String, failing: Failing, code: &'static str, error: String }
        by { failing: Failing = *failing }
        => ERROR : (peer = %peer.short(), protocol, code, "session failed on our side: {error}");

    /// A session that a peer opened was refused because the peer has as many of that kind as it may
    SessionRefused = "session_refused" { peer: PeerId, protocol: String, code: &'static str, error: String }
        => DEBUG : (peer = %peer.short(), protocol, code, "session refused: {error}");

    /// A session that a peer opened was refused because the peer opens more than its quota allows; it is told when to come again
    SessionDelayed = "session_delayed" { peer: PeerId, protocol: String, wait: Duration }
        => DEBUG : (peer = %peer.short(), protocol, "session refused for {wait:?}");

    /// A peer was turned away after its handshake
    TurnedAway = "turned_away" { peer: PeerId, why: NotAdmitted }
        => DEBUG : (peer = %peer.short(), code = why.code(), "turned away: {why}");

    /// A peer's standing changed
    StandingChanged = "standing_changed" { peer: PeerId, from: Standing, to: Standing, cause: String, by_time: bool }
        by { from: StandingKind = (*from).into(), to: StandingKind = (*to).into() }
        => INFO, WARN if (to.tier().is_none()), DEBUG if (*by_time) : (peer = %peer.short(), %from, %to, cause, "standing");

    /// A gauge passed its watermark: work of other tiers is refused than before
    Overloaded = "overloaded" { tier: Tier, waiting: u64, late: Duration, memory: u64 }
        => WARN : (waiting, ?late, memory, "overloaded: peers up to tier {tier} are refused");

    /// Every gauge is below its watermark again
    LoadNormal = "load_normal" { waiting: u64, late: Duration, memory: u64 }
        => INFO : (waiting, ?late, memory, "load is back to normal: nobody is refused for it");
}
