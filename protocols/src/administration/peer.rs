//! What is asked and told about peers. In JSON as well: these types are what `--json` prints.
//!
//! What is said of a peer is what [`shardwire_reputation`] says: every component of the score, the tier that it makes, the quotas that follow.

use crate::{
    evidence::MAX_EVIDENCE_BYTES,
    handshake::{MAX_NAME, MAX_ROLES},
    size,
};
use serde::{Deserialize, Serialize};
use shardwire_model::{Cause, PeerId, Timestamp, bounded};
use shardwire_reputation::{Ban, Components, Listing, Quota, Standing};

/// Most connections in one response: as many as a node accepts.
pub const MAX_PEERS_LISTED: usize = 512;
/// Most records of peers in one response.
pub const MAX_VIEWS_LISTED: usize = 32;
/// Most addresses of a peer that are shown.
pub const MAX_ADDRESSES: usize = 8;
/// Most quotas of a tier that are shown: each protocol's, and the one that all others share.
pub const MAX_QUOTAS: usize = 16;
/// Most changes of a peer's standing that are shown.
pub const MAX_CHANGES: usize = 8;
/// Bytes of a part of evidence.
pub const PART_BYTES: usize = 128 << 10;
/// Longest cause of a change, in bytes.
const MAX_WHY: usize = 256;
const _: () = assert!(PART_BYTES < MAX_EVIDENCE_BYTES as usize);

/// What a node may be asked or told about peers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "PeerRequest", rename_all = "snake_case")]
pub enum Request {
    /// The peers that are connected or configured. Answer: [`Response::Links`].
    Links,
    /// The peers that are connected, have a record or are named. Answer: [`Response::Peers`].
    List {
        /// Only those after this one.
        after: Option<PeerId>,
    },
    /// One peer. Answer: [`Response::Peer`].
    Show {
        /// The peer's id.
        peer: PeerId,
    },
    /// Ban a peer for this time, or deny it for ever. Answer: [`Response::Peer`].
    Ban {
        /// The peer that it is about.
        peer: PeerId,
        /// How long, in seconds; for ever if absent.
        seconds: Option<u64>,
    },
    /// End a peer's ban, forgive what led to it, and withdraw its listing if it is denied. Answer: [`Response::Peer`].
    Unban {
        /// The peer that it is about.
        peer: PeerId,
    },
    /// Never ban a peer, or withdraw that. Answer: [`Response::Peer`].
    Allow {
        /// The peer that it is about.
        peer: PeerId,
        /// Whether that is withdrawn.
        withdraw: bool,
    },
    /// A part of what can be proven against a peer. Answer: [`Response::Evidence`].
    Evidence {
        /// The peer that it is about.
        peer: PeerId,
        /// Which piece of it, from 0.
        number: u32,
        /// From which byte on.
        from: u32,
    },
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "PeerResponse", rename_all = "snake_case")]
pub enum Response {
    /// The peers that this node is connected to, or dials.
    Links(#[serde(deserialize_with = "bounded::list::<_, _, MAX_PEERS_LISTED>")] Vec<PeerStatus>),
    /// A page of the peers that the node knows.
    Peers {
        /// In the order of their ids.
        #[serde(deserialize_with = "bounded::list::<_, _, MAX_VIEWS_LISTED>")]
        peers: Vec<PeerView>,
        /// Whether there are more after the last one.
        more: bool,
    },
    /// A peer, after what was asked was done.
    Peer(Box<PeerView>),
    /// A part of a piece of evidence.
    Evidence {
        /// How long the piece is; no bytes follow where it ends.
        bytes: u32,
        /// The bytes of this part; empty past the end.
        #[serde(deserialize_with = "bounded::list::<_, _, PART_BYTES>")]
        part: Vec<u8>,
    },
}

impl Response {
    pub(super) fn within_bounds(mut self) -> Self {
        match &mut self {
            Self::Links(links) => links.truncate(MAX_PEERS_LISTED),
            Self::Peers { peers, more } => {
                *more |= peers.len() > MAX_VIEWS_LISTED;
                peers.truncate(MAX_VIEWS_LISTED);
                peers.iter_mut().for_each(shorten);
            }
            Self::Peer(peer) => shorten(peer),
            Self::Evidence { part, .. } => part.truncate(PART_BYTES),
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

/// How the connection with a peer is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// Its id.
    pub peer: PeerId,
    /// Its address; empty if it dials us and isn't connected.
    #[serde(deserialize_with = "bounded::text::<_, MAX_NAME>")]
    pub addr: String,
    /// What it says that it does.
    #[serde(deserialize_with = "bounded::texts::<_, MAX_ROLES, MAX_NAME>")]
    pub roles: Vec<String>,
    /// Whether there is a connection.
    pub connected: bool,
    /// The last measured round trip.
    pub round_trip_us: Option<u64>,
    /// How far its wall clock is ahead of ours.
    pub skew_ms: Option<i64>,
    /// What is wrong between the two: that one key has two nodes.
    pub trouble: Option<Cause>,
}

/// What a node thinks of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerView {
    /// The peer's id.
    pub peer: PeerId,
    /// The node's date when it told this: the other dates are by the same clock.
    pub now: Timestamp,
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
    /// The limits for one peer of this tier.
    pub quota: Quota,
}

/// A change of standing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The node's clock when it changed.
    pub at: Timestamp,
    /// What it was.
    pub from: Standing,
    /// What it became.
    pub to: Standing,
    /// The reason, as the node's log has it; at most [`MAX_WHY`] bytes.
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

const LINK: u32 = size::PEER
    + size::text(MAX_NAME)
    + size::list(MAX_ROLES, size::text(MAX_NAME))
    + size::TAG
    + 2 * (size::TAG + size::U64)
    + size::TAG
    + size::CAUSE;
pub(super) const LINKS: u32 = size::list(MAX_PEERS_LISTED, LINK);
const STANDING: u32 = size::TAG + size::U64;
const BAN: u32 = size::U64 + size::U32;
const QUOTA: u32 = size::text(MAX_NAME) + 5 * size::U32;
const CHANGED: u32 = size::U64 + 2 * STANDING + size::text(MAX_WHY);
/// Id, date, standing, listing, score, five components, ban, addresses, quotas, changes, evidence.
const VIEW: u32 = size::PEER
    + size::U64
    + STANDING
    + 2 * size::TAG
    + 6 * size::U32
    + (size::TAG + BAN)
    + size::list(MAX_ADDRESSES, size::text(MAX_NAME))
    + size::list(MAX_QUOTAS, QUOTA)
    + size::list(MAX_CHANGES, CHANGED)
    + size::U32;
const VIEWS: u32 = size::list(MAX_VIEWS_LISTED, VIEW) + size::TAG;
#[allow(clippy::cast_possible_truncation)] // 128 KiB
const EVIDENCE: u32 = size::U32 + size::U32 + PART_BYTES as u32;
/// The longest request is a ban; evidence is a byte shorter.
pub(super) const REQUEST: u32 = size::TAG + size::PEER + size::TAG + size::U64;
/// A single peer is shorter than a page of them.
pub(super) const RESPONSE: u32 = size::TAG + size::max(size::max(LINKS, VIEWS), EVIDENCE);
