//! What the command line asks and a node answers. In JSON as well: these types are what `--json` prints.

use crate::{
    exchange::{Answer, Failed},
    pace, size,
};
use serde::{Deserialize, Serialize};
use shardwire_model::{
    Cause, Felt, Hash, Key, Kind, MAX_ENTRIES, PeerId, Role, ShardId, ShardStart, Stage, StartRequest, Timestamp,
    Update, bounded, felt,
};
use shardwire_transport::message;

/// Most peers in one response: as many connections as a node accepts.
pub const MAX_PEERS_LISTED: usize = 512;
/// Most shards in one response.
pub const MAX_SHARDS_LISTED: usize = 256;
/// Most storage addresses in one response.
pub const MAX_STORAGE_LISTED: usize = 1024;
/// Longest name of a network, an agent or a role, in bytes, as in the handshake.
const MAX_NAME: usize = crate::handshake::MAX_NAME;
const MAX_ROLES: usize = crate::handshake::MAX_ROLES;

/// What a node may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// How the node is. Answer: [`Response::Status`].
    Status,
    /// Start a shard (a settler does). Answer: [`Response::Started`].
    StartShard(StartRequest),
    /// How one shard is, or all. Answer: [`Response::Shards`].
    ShardStatus {
        /// Which; all if absent.
        shard: Option<ShardId>,
    },
    /// The World's storage (a settler has it), in the order of the keys. Answer: [`Response::World`].
    World {
        /// Only what comes after this key.
        after: Option<Key>,
    },
    /// The peers. Answer: [`Response::Peers`].
    Peers,
    /// Drain and stop. Answer: [`Response::Stopping`].
    Stop,
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// The node.
    Status(Box<NodeStatus>),
    /// The shard is started, with this start data.
    Started(Box<ShardStart>),
    /// Shards, the newest first.
    Shards(#[serde(deserialize_with = "bounded::list::<_, _, MAX_SHARDS_LISTED>")] Vec<ShardStatus>),
    /// A page of the World's storage.
    World {
        /// In the order of the keys.
        #[serde(deserialize_with = "bounded::list::<_, _, MAX_STORAGE_LISTED>")]
        storage: Vec<StorageStatus>,
        /// Whether there is another page after the last key.
        more: bool,
    },
    /// Peers.
    Peers(#[serde(deserialize_with = "bounded::list::<_, _, MAX_PEERS_LISTED>")] Vec<PeerStatus>),
    /// It stops as soon as nothing is lost by it.
    Stopping,
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
            Self::Status(status) => {
                status.peers.truncate(MAX_PEERS_LISTED);
                let omitted = status.shards.len().saturating_sub(MAX_SHARDS_LISTED);
                status.more_shards = status.more_shards.saturating_add(u32::try_from(omitted).unwrap_or(u32::MAX));
                few(&mut status.shards);
            }
            Self::Shards(shards) => few(shards),
            Self::Peers(peers) => peers.truncate(MAX_PEERS_LISTED),
            Self::World { storage, more } => {
                *more |= storage.len() > MAX_STORAGE_LISTED;
                storage.truncate(MAX_STORAGE_LISTED);
            }
            Self::Started(_) | Self::Stopping | Self::Failed(_) => {}
        }
        self
    }
}

fn few(shards: &mut Vec<ShardStatus>) {
    shards.truncate(MAX_SHARDS_LISTED);
    if shards.len() > 1 {
        shards.iter_mut().for_each(|shard| shard.updates.clear());
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
    /// Since when it runs.
    pub since: Timestamp,
    /// Its peers.
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_PEERS_LISTED>")]
    pub peers: Vec<PeerStatus>,
    /// Its shards, the newest first, at most [`MAX_SHARDS_LISTED`].
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_SHARDS_LISTED>")]
    pub shards: Vec<ShardStatus>,
    /// How many older shards aren't listed.
    pub more_shards: u32,
}

/// How a peer is.
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
}

/// How a shard is, as one node in one role sees it. What it doesn't know (yet) is zero, absent or empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardStatus {
    /// The shard.
    pub shard: ShardId,
    /// As what the node sees it.
    pub role: Role,
    /// How far it is.
    pub stage: Stage,
    /// Who executes it.
    pub operator: PeerId,
    /// Who proves it.
    pub prover: Option<PeerId>,
    /// Transactions accepted.
    pub transactions: u32,
    /// Transactions refused.
    pub refused: u32,
    /// Steps of the run.
    pub steps: u64,
    /// Chunks of its witness.
    pub chunks: u32,
    /// Bytes of the witness.
    pub witness_bytes_raw: u64,
    /// Bytes of the witness, compressed.
    pub witness_bytes_wire: u64,
    /// How long it executed, in milliseconds.
    pub execute_ms: u64,
    /// How long its witness was fetched, in milliseconds.
    pub stream_ms: u64,
    /// How long it was proven, in milliseconds.
    pub prove_ms: u64,
    /// CPU time of proving, in milliseconds.
    pub prove_cpu_ms: u64,
    /// Most memory that proving held, in bytes.
    pub prove_peak_bytes: u64,
    /// How long the proof was verified, in microseconds.
    pub verify_us: u64,
    /// The proof's hash.
    pub proof: Option<Hash>,
    /// The proof's length.
    pub proof_bytes: u64,
    /// The hash of the program that was proven.
    #[serde(with = "optional_felt")]
    pub program_hash: Option<Felt>,
    /// What is settled. Left out (empty) where several shards are listed.
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_ENTRIES>")]
    pub updates: Vec<Update>,
    /// What went wrong last.
    pub error: Option<Cause>,
}

impl ShardStatus {
    /// A shard of which nothing but this is known yet.
    #[must_use]
    pub fn new(shard: ShardId, role: Role, operator: PeerId) -> Self {
        Self {
            shard,
            role,
            stage: Stage::Started,
            operator,
            prover: None,
            transactions: 0,
            refused: 0,
            steps: 0,
            chunks: 0,
            witness_bytes_raw: 0,
            witness_bytes_wire: 0,
            execute_ms: 0,
            stream_ms: 0,
            prove_ms: 0,
            prove_cpu_ms: 0,
            prove_peak_bytes: 0,
            verify_us: 0,
            proof: None,
            proof_bytes: 0,
            program_hash: None,
            updates: Vec::new(),
            error: None,
        }
    }
}

/// How a storage address of the World is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageStatus {
    /// The storage address.
    pub key: Key,
    /// How it merges.
    pub kind: Kind,
    /// Its value; of an escrow, what isn't in any shard.
    #[serde(with = "felt::wire")]
    pub value: Felt,
    /// Of an escrow: how much is in shards.
    pub in_escrow: u64,
    /// Of a lock: the shard that holds it.
    pub held_by: Option<ShardId>,
}

mod optional_felt {
    use super::{Deserialize, Felt, Serialize, felt};
    use serde::{Deserializer, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Wire(#[serde(with = "felt::wire")] Felt);

    pub(super) fn serialize<S: Serializer>(felt: &Option<Felt>, serializer: S) -> Result<S::Ok, S::Error> {
        felt.map(Wire).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Felt>, D::Error> {
        Ok(Option::<Wire>::deserialize(deserializer)?.map(|it| it.0))
    }
}

const REQUEST: u32 = size::TAG + size::START_REQUEST;

/// Two ids and two optional hashes with their tags, two enums, numbers, an error.
const SHARD: u32 = (size::FELT + size::PEER + (size::TAG + size::PEER) + 2 * (size::TAG + size::HASH) + 2 * size::TAG)
    + 3 * size::U32
    + 10 * size::U64
    + size::U32
    + (size::TAG + size::CAUSE);
const UPDATES: u32 = size::list(MAX_ENTRIES, size::TAG + 2 * size::FELT);
const SHARDS: u32 = size::list(MAX_SHARDS_LISTED, SHARD) + UPDATES;
const PEER: u32 = size::PEER
    + size::text(MAX_NAME)
    + size::list(MAX_ROLES, size::text(MAX_NAME))
    + size::TAG
    + 2 * (size::TAG + size::U64);
const PEERS: u32 = size::list(MAX_PEERS_LISTED, PEER);
const STATUS: u32 =
    size::PEER + 3 * size::text(MAX_NAME) + size::list(MAX_ROLES, size::TAG) + size::U64 + PEERS + SHARDS + size::U32;
/// The longest response is a status: it holds peers and shards. The others (start data, a page of storage) are shorter.
const RESPONSE: u32 = size::TAG + STATUS;
const _: () = assert!(
    size::SHARD_START < STATUS
        && size::list(MAX_STORAGE_LISTED, size::TAG + 2 * size::FELT + size::U64 + size::TAG + size::FELT) < STATUS
);

message!(Request, max_bytes = REQUEST, deadline = pace::IDLE);
message!(Response, max_bytes = RESPONSE, deadline = pace::ANSWER);
