//! What is asked about the node itself. In JSON as well: these types are what `--json` prints.

use super::{
    peer::{LINKS, MAX_PEERS_LISTED, PeerStatus},
    shard::{MAX_SHARDS_LISTED, SHARDS, ShardStatus, without_details},
};
use crate::{
    handshake::{MAX_NAME, MAX_ROLES},
    size,
};
use serde::{Deserialize, Serialize};
use shardwire_model::{Cause, MAX_REASON, PeerId, Role, Timestamp, Trust, bounded};
use shardwire_reputation::Tier;

/// Most unmet conditions that are listed: as many as a node has.
pub const MAX_UNMET: usize = 32;

/// What a node may be asked about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "NodeRequest", rename_all = "snake_case")]
pub enum Request {
    /// How it is. Answer: [`Response::Status`].
    Status,
    /// How many peers there are of which tier, and how loaded the node is. Answer: [`Response::Overview`].
    Overview,
    /// Read the lists of peers in the configuration again. Answer: [`Response::Reloaded`].
    Reload,
    /// Drain and stop. Answer: [`Response::Stopping`].
    Stop,
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "NodeResponse", rename_all = "snake_case")]
pub enum Response {
    /// How it is.
    Status(Box<NodeStatus>),
    /// Its peers by tier, and its load.
    Overview(Box<Overview>),
    /// The lists are read again.
    Reloaded {
        /// Peers that the configuration names to work with.
        configured: u32,
        /// That it allows.
        allowed: u32,
        /// That it denies.
        denied: u32,
    },
    /// It stops as soon as nothing is lost by it.
    Stopping,
}

impl Response {
    pub(super) fn within_bounds(mut self) -> Self {
        if let Self::Status(status) = &mut self {
            status.peers.truncate(MAX_PEERS_LISTED);
            status.unmet.truncate(MAX_UNMET);
            let omitted = status.shards.len().saturating_sub(MAX_SHARDS_LISTED);
            status.more_shards = status.more_shards.saturating_add(u32::try_from(omitted).unwrap_or(u32::MAX));
            without_details(&mut status.shards);
        }
        self
    }
}

/// How a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its id.
    pub peer: PeerId,
    /// Its network.
    #[serde(deserialize_with = "bounded::text::<_, MAX_NAME>")]
    pub network: String,
    /// What it does.
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_ROLES>")]
    pub roles: Vec<Role>,
    /// Where it listens.
    #[serde(deserialize_with = "bounded::text::<_, MAX_NAME>")]
    pub listen: String,
    /// Program and version.
    #[serde(deserialize_with = "bounded::text::<_, MAX_NAME>")]
    pub agent: String,
    /// Since when it runs, by the date that it has now.
    pub since: Timestamp,
    /// What date it has, and how far that is to be relied on.
    pub clock: ClockStatus,
    /// What it isn't ready for. It is ready if this is empty.
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_UNMET>")]
    pub unmet: Vec<Unmet>,
    /// Its peers.
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_PEERS_LISTED>")]
    pub peers: Vec<PeerStatus>,
    /// Its shards, the newest first, at most [`MAX_SHARDS_LISTED`].
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_SHARDS_LISTED>")]
    pub shards: Vec<ShardStatus>,
    /// How many older shards aren't listed.
    pub more_shards: u32,
}

/// A condition for the node to be ready that isn't met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmet {
    /// The condition's name, which is stable.
    #[serde(deserialize_with = "bounded::text::<_, MAX_NAME>")]
    pub condition: String,
    /// Why it isn't met: a stable code, and words for a person.
    pub cause: Cause,
    /// What a person can do.
    #[serde(deserialize_with = "bounded::text::<_, MAX_REASON>")]
    pub next_step: String,
}

impl Unmet {
    /// Of its words. What is longer than its bound is cut.
    #[must_use]
    pub fn new(condition: &str, code: &str, why: &str, next_step: &str) -> Self {
        let (condition, next_step) = (bounded::cut(condition, MAX_NAME), bounded::cut(next_step, MAX_REASON));
        Self { condition, cause: Cause::new(code, why), next_step }
    }
}

/// What date a node has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockStatus {
    /// The date that it goes by.
    pub now: Timestamp,
    /// How far its system's clock is ahead of that in milliseconds, negative if behind, if it has jumped and isn't believed.
    pub jumped_ms: Option<i64>,
    /// How far its date is to be relied on.
    pub trust: Trust,
    /// How many peers whose word counts have that date.
    pub agree: u32,
    /// How many of them have another one.
    pub apart: u32,
}

/// What happened to the peers of a tier since the node began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Peers connected now.
    pub connected: u64,
    /// Sessions that they opened.
    pub sessions: u64,
    /// Sessions refused for now: above their quota, or the node was overloaded.
    pub refused: u64,
    /// How often a session of theirs had to wait for its quota.
    pub waits: u64,
    /// Bytes that their sessions received and sent.
    pub bytes: u64,
}

/// How many peers there are of which tier, and how loaded the node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// The highest tier whose work is refused because of load.
    pub refused_tier: Option<Tier>,
    /// Handshakes and requests that wait to be worked on.
    pub queue_depth: u64,
    /// From how many on work is refused.
    pub queue_watermark: u64,
    /// By how much timers were late at least during the last second, in microseconds.
    pub loop_delay_us: u64,
    /// From how much on work is refused.
    pub loop_watermark_us: u64,
    /// Memory in use, in bytes; 0 where the system doesn't say.
    pub memory_bytes: u64,
    /// From how much on work is refused.
    pub memory_watermark_bytes: u64,
    /// Connections, those in reserved places aside.
    pub connections: u64,
    /// Connections in places reserved for configured peers.
    pub reserved: u64,
    /// Counts of peers in tier low.
    pub low: Counts,
    /// Counts of peers in tier normal.
    pub normal: Counts,
    /// Counts of peers in tier high.
    pub high: Counts,
    /// Handshakes performed.
    pub admitted: u64,
    /// Callers asked to come again with a token.
    pub retried: u64,
    /// Callers refused before their handshake.
    pub refused: u64,
    /// Callers ignored.
    pub ignored: u64,
    /// Peers turned away after their handshake.
    pub turned_away: u64,
}

pub(super) const REQUEST: u32 = size::TAG;
const UNMET: u32 = size::list(MAX_UNMET, size::text(MAX_NAME) + size::CAUSE + size::text(MAX_REASON));
/// The date, the jump, the trust, how many agree and don't.
const CLOCK: u32 = size::U64 + (size::TAG + size::U64) + size::TAG + 2 * size::U32;
/// Id, network, address, agent, roles, date, clock, what is unmet, peers, shards, how many more.
const STATUS: u32 = size::PEER
    + 3 * size::text(MAX_NAME)
    + size::list(MAX_ROLES, size::TAG)
    + size::U64
    + CLOCK
    + UNMET
    + LINKS
    + SHARDS
    + size::U32;
/// The refused tier, eight numbers, three tiers' counts, five totals.
const OVERVIEW: u32 = (size::TAG + size::TAG) + (8 + 3 * 5 + 5) * size::U64;
pub(super) const RESPONSE: u32 = size::TAG + size::max(STATUS, OVERVIEW);
