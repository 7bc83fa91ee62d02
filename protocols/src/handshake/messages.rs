//! What the two peers of a new connection tell each other.

use crate::{size, timing};
use serde::{Deserialize, Serialize};
use shardwire_model::{Cause, Hash, Timestamp, bounded};
use shardwire_transport::message;

/// Longest name of a network, an agent, a role, a protocol or a capability, in bytes: a few words.
pub const MAX_NAME: usize = 64;
/// Most roles a peer may announce. There are four now.
pub const MAX_ROLES: usize = 16;
/// Most protocols that each of a peer's two lists may name.
pub const MAX_PROTOCOLS: usize = 32;
/// Most capabilities a peer may announce.
pub const MAX_CAPABILITIES: usize = 32;

/// A protocol and the versions of it that a peer speaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spoken {
    /// The protocol's name.
    #[serde(deserialize_with = "bounded::text::<_, MAX_NAME>")]
    pub name: String,
    /// The oldest version.
    pub min: u16,
    /// The newest version; not below `min`.
    pub max: u16,
}

/// Who a peer is. Roles, protocols and capabilities that the other one doesn't know are ignored: they are the room for later versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The network it belongs to.
    #[serde(deserialize_with = "bounded::text::<_, MAX_NAME>")]
    pub network: String,
    /// The hash of its World's identity: its genesis, its settlers, its programs. None for a peer without a World, such as a client.
    pub world: Option<Hash>,
    /// Program and version, for people.
    #[serde(deserialize_with = "bounded::text::<_, MAX_NAME>")]
    pub agent: String,
    /// What it does.
    #[serde(deserialize_with = "bounded::texts::<_, MAX_ROLES, MAX_NAME>")]
    pub roles: Vec<String>,
    /// What it serves: a session of one of these that the other opens is taken up.
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_PROTOCOLS>")]
    pub serves: Vec<Spoken>,
    /// What it opens with a peer that serves it.
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_PROTOCOLS>")]
    pub opens: Vec<Spoken>,
    /// What it can do beyond that.
    #[serde(deserialize_with = "bounded::texts::<_, MAX_CAPABILITIES, MAX_NAME>")]
    pub capabilities: Vec<String>,
    /// Its wall clock, to notice one that is wrong.
    pub time: Timestamp,
}

/// The peer that accepted the connection won't go on. The connection ends after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What the peer that dialled acts on.
    pub reason: RefusalReason,
    /// The same for a person.
    pub cause: Cause,
}

/// Why a connection isn't gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// The peers belong to different networks.
    Network,
    /// The peers belong to different Worlds of one network.
    World,
    /// There is a protocol of which they have no version in common.
    Version,
    /// The peer that dialled contradicts itself.
    Contradiction,
    /// A reason of the peer's own.
    Other,
}

const SPOKEN: u32 = size::text(MAX_NAME) + 2 * size::U16;
const HELLO: u32 = 2 * size::text(MAX_NAME)
    + size::TAG
    + size::HASH
    + size::list(MAX_ROLES, size::text(MAX_NAME))
    + 2 * size::list(MAX_PROTOCOLS, SPOKEN)
    + size::list(MAX_CAPABILITIES, size::text(MAX_NAME))
    + size::U64;

message!(Hello, max_bytes = HELLO, deadline = timing::GREETING);
message!(Refused, max_bytes = size::TAG + size::CAUSE, deadline = timing::GREETING);
