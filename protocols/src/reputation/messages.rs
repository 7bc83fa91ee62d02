//! What the command line asks about peers and a node answers. In JSON as well: these types are what `--json` prints.

use crate::{
    exchange::{Answer, Failed},
    pace, size,
};
use serde::{Deserialize, Serialize};
use shardwire_model::{PeerId, Timestamp, bounded};
use shardwire_reputation::{Ban, Components, Listing, Quota, Standing, Tier};
use shardwire_transport::message;

/// Most peers in one response.
pub const MAX_LISTED: usize = 32;
/// Most addresses of a peer that are shown.
pub const MAX_ADDRESSES: usize = 8;
/// Most quotas of a tier that are shown: each protocol's, and the one that all others share.
pub const MAX_QUOTAS: usize = 16;
/// Most changes of a peer's standing that are shown.
pub const MAX_CHANGES: usize = 8;
/// Bytes of a part of evidence.
pub const PART_BYTES: usize = 128 << 10;
/// The longest evidence: a proof, and what was signed about it.
pub const MAX_EVIDENCE_BYTES: u32 = crate::proof::MAX_PROOF_BYTES + 4096;
/// Longest text of an address or a protocol's name, in bytes.
const MAX_NAME: usize = crate::handshake::MAX_NAME;
/// Longest cause of a change, in bytes.
const MAX_WHY: usize = 256;

/// What a node may be asked or told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// How many peers there are of which tier, and how loaded the node is. Answer: [`Response::Overview`].
    Overview,
    /// The peers that are connected, have a record or are named. Answer: [`Response::Peers`].
    List {
        /// Only those after this one.
        after: Option<PeerId>,
    },
    /// One peer. Answer: [`Response::Peer`].
    Show {
        /// Which.
        peer: PeerId,
    },
    /// Shut a peer out for so long, or for ever. Answer: [`Response::Peer`].
    Ban {
        /// Whom.
        peer: PeerId,
        /// How long, in seconds; for ever if absent.
        seconds: Option<u64>,
    },
    /// End a peer's ban, forgive what led to it, and withdraw the word on it if it is shut out for ever. Answer: [`Response::Peer`].
    Unban {
        /// Whom.
        peer: PeerId,
    },
    /// Never ban a peer, or withdraw that. Answer: [`Response::Peer`].
    Allow {
        /// Whom.
        peer: PeerId,
        /// Whether that is withdrawn.
        withdraw: bool,
    },
    /// Read the lists of the configuration again. Answer: [`Response::Reloaded`].
    Reload,
    /// A part of what can be proven against a peer. Answer: [`Response::Evidence`].
    Evidence {
        /// Whom.
        peer: PeerId,
        /// Which piece of it, from 0.
        number: u32,
        /// From which byte on.
        from: u32,
    },
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// The whole.
    Overview(Box<Overview>),
    /// Peers.
    Peers {
        /// In the order of their ids.
        #[serde(deserialize_with = "bounded::list::<_, _, MAX_LISTED>")]
        peers: Vec<PeerView>,
        /// Whether there are more after the last one.
        more: bool,
    },
    /// A peer, after what was asked was done.
    Peer(Box<PeerView>),
    /// The lists are read again.
    Reloaded {
        /// Peers that the configuration names to work with.
        configured: u32,
        /// That it allows.
        allowed: u32,
        /// That it denies.
        denied: u32,
    },
    /// A part of a piece of evidence.
    Evidence {
        /// How long the piece is; no bytes follow where it ends.
        bytes: u32,
        /// The part.
        #[serde(deserialize_with = "bounded::list::<_, _, PART_BYTES>")]
        part: Vec<u8>,
    },
    /// It can't.
    Failed(Failed),
}

impl Answer for Response {
    fn of_failure(failed: Failed) -> Self {
        Self::Failed(failed)
    }

    fn or_failure(self) -> Result<Self, Failed> {
        match self {
            Self::Failed(failed) => Err(failed),
            response => Ok(response),
        }
    }

    fn within_bounds(mut self) -> Self {
        match &mut self {
            Self::Peers { peers, more } => {
                *more |= peers.len() > MAX_LISTED;
                peers.truncate(MAX_LISTED);
                peers.iter_mut().for_each(shorten);
            }
            Self::Peer(peer) => shorten(peer),
            Self::Evidence { part, .. } => part.truncate(PART_BYTES),
            Self::Overview(_) | Self::Reloaded { .. } | Self::Failed(_) => {}
        }
        self
    }
}

fn shorten(peer: &mut PeerView) {
    peer.connected.truncate(MAX_ADDRESSES);
    peer.quotas.truncate(MAX_QUOTAS);
    let old = peer.changes.len().saturating_sub(MAX_CHANGES);
    peer.changes.drain(..old);
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
    /// Whether the node takes work of every tier.
    pub ready: bool,
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
    /// Tier low.
    pub low: Counts,
    /// Tier normal.
    pub normal: Counts,
    /// Tier high.
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

/// What a node thinks of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerView {
    /// Who.
    pub peer: PeerId,
    /// How it stands.
    pub standing: Standing,
    /// The operator's word on it.
    pub listing: Option<Listing>,
    /// Its score: work less everything else, at least 0.
    pub score: u32,
    /// What the score is made of.
    pub components: Components,
    /// Its last ban, whether it holds or not.
    pub ban: Option<Ban>,
    /// From where it is connected.
    #[serde(deserialize_with = "bounded::texts::<_, MAX_ADDRESSES, MAX_NAME>")]
    pub connected: Vec<String>,
    /// What its tier may use; nothing if it isn't admitted.
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_QUOTAS>")]
    pub quotas: Vec<ProtocolQuota>,
    /// The latest changes of its standing since the node began, the oldest first.
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_CHANGES>")]
    pub changes: Vec<Changed>,
    /// How many pieces of evidence against it are kept.
    pub evidence: u32,
}

/// What a tier may use of a protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolQuota {
    /// The protocol; `others` are all that aren't named.
    #[serde(deserialize_with = "bounded::text::<_, MAX_NAME>")]
    pub protocol: String,
    /// How much.
    pub quota: Quota,
}

/// A change of standing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// When.
    pub at: Timestamp,
    /// What it was.
    pub from: Standing,
    /// What it became.
    pub to: Standing,
    /// Why.
    #[serde(deserialize_with = "bounded::text::<_, MAX_WHY>")]
    pub cause: String,
}

impl Changed {
    /// A change; a longer cause is cut.
    #[must_use]
    pub fn new(at: Timestamp, from: Standing, to: Standing, cause: &str) -> Self {
        Self { at, from, to, cause: bounded::cut(cause, MAX_WHY) }
    }
}

const STANDING: u32 = size::TAG + size::U64;
const BAN: u32 = size::U64 + size::U32;
const QUOTA: u32 = size::text(MAX_NAME) + 5 * size::U32;
const CHANGED: u32 = size::U64 + 2 * STANDING + size::text(MAX_WHY);
/// Id, standing, listing, score, five components, ban, addresses, quotas, changes, evidence.
const VIEW: u32 = size::PEER
    + STANDING
    + 2 * size::TAG
    + 6 * size::U32
    + (size::TAG + BAN)
    + size::list(MAX_ADDRESSES, size::text(MAX_NAME))
    + size::list(MAX_QUOTAS, QUOTA)
    + size::list(MAX_CHANGES, CHANGED)
    + size::U32;
/// The longest request is a ban; evidence is a byte shorter.
const REQUEST: u32 = size::TAG + size::PEER + size::TAG + size::U64;
const PEERS: u32 = size::list(MAX_LISTED, VIEW) + size::TAG;
#[allow(clippy::cast_possible_truncation)] // 128 KiB
const EVIDENCE: u32 = size::U32 + size::U32 + PART_BYTES as u32;
/// The longest response is a page of peers or a part of evidence; the others are shorter than a peer.
const RESPONSE: u32 = size::TAG + if PEERS > EVIDENCE { PEERS } else { EVIDENCE };

message!(Request, max_bytes = REQUEST, deadline = pace::IDLE);
message!(Response, max_bytes = RESPONSE, deadline = pace::ANSWER);
