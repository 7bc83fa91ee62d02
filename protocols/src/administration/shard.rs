//! What is asked about shards. In JSON as well: these types are what `--json` prints.

use crate::{Signed, size};
use serde::{Deserialize, Serialize};
use shardwire_model::{
    Cause, Felt, Hash, MAX_ENTRIES, PeerId, Role, ShardId, ShardStart, Stage, StartRequest, Timestamp, Update, bounded,
    felt, life::HistoryEntry,
};

/// Most shards in one response.
pub const MAX_SHARDS_LISTED: usize = 256;
/// Most entries of histories in one response.
pub const MAX_ENTRIES_LISTED: usize = 64;

/// What a node may be asked about shards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "ShardRequest", rename_all = "snake_case")]
pub enum Request {
    /// Start a shard (a settler does). Answer: [`Response::Started`].
    Start {
        /// What to start.
        request: StartRequest,
        /// In how many seconds it is aborted unless it is settled, at most [`MAX_TIMEOUT`](shardwire_model::life::MAX_TIMEOUT); as the node is
        /// configured if absent.
        timeout_s: Option<u64>,
        /// Start it though the settler has never met the operator; otherwise that is refused, before anything is locked.
        unknown_operator: bool,
    },
    /// Abort a shard (the settler that started it does). Answer: [`Response::Aborted`].
    Abort {
        /// The shard's id.
        shard: ShardId,
    },
    /// Try again what this node has given up of a shard, or waits to try again (a prover does). Answer: [`Response::Retried`].
    Retry {
        /// The shard's id.
        shard: ShardId,
    },
    /// How one shard is, or all. Answer: [`Response::Shards`].
    Status {
        /// Which; all if absent.
        shard: Option<ShardId>,
    },
    /// What the node has signed about a shard. Answer: [`Response::History`].
    History {
        /// The shard's id.
        shard: ShardId,
        /// Only what comes after this.
        after: Option<HistoryCursor>,
    },
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "ShardResponse", rename_all = "snake_case")]
pub enum Response {
    /// The shard is started.
    Started {
        /// With this start data.
        start: Box<ShardStart>,
        /// How many seconds its deadline leaves, by the settler's date.
        left_s: u64,
        /// Whether its operator is connected to the settler. Otherwise nothing happens until it is.
        operator_connected: bool,
    },
    /// The shard is aborted; escrow and locks have returned.
    Aborted {
        /// The World's clock when it was aborted.
        at: Timestamp,
    },
    /// It is tried again.
    Retried {
        /// How many jobs of the shard.
        jobs: u32,
    },
    /// Shards, the newest first.
    Shards(#[serde(deserialize_with = "bounded::list::<_, _, MAX_SHARDS_LISTED>")] Vec<ShardStatus>),
    /// What was signed.
    History {
        /// In the order of segment, role, job and number.
        #[serde(deserialize_with = "bounded::list::<_, _, MAX_ENTRIES_LISTED>")]
        entries: Vec<Signed<HistoryEntry>>,
        /// Whether there is more after the last one.
        more: bool,
    },
}

impl Response {
    pub(super) fn within_bounds(mut self) -> Self {
        match &mut self {
            Self::Shards(shards) => without_details(shards),
            Self::History { entries, more } => {
                *more |= entries.len() > MAX_ENTRIES_LISTED;
                entries.truncate(MAX_ENTRIES_LISTED);
            }
            Self::Started { .. } | Self::Aborted { .. } | Self::Retried { .. } => {}
        }
        self
    }
}

/// Shortens a list of shards to its bound; more than one go without their updates.
pub(super) fn without_details(shards: &mut Vec<ShardStatus>) {
    shards.truncate(MAX_SHARDS_LISTED);
    if shards.len() > 1 {
        shards.iter_mut().for_each(|shard| shard.updates.clear());
    }
}

/// A place among the entries of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HistoryCursor {
    /// The segment whose part it is in.
    pub segment: u32,
    /// The role whose part it is in.
    pub role: Role,
    /// The job, if that is a prover.
    pub job: Option<Hash>,
    /// The entry.
    pub number: u32,
}

impl HistoryCursor {
    /// Where an entry is.
    #[must_use]
    pub fn of(entry: &HistoryEntry) -> Self {
        Self { segment: entry.part.segment, role: entry.part.role, job: entry.part.job, number: entry.number }
    }
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
    /// Bytes of its prover's memory that a proof of the segment so far takes, if its program counts that.
    pub budget_used_bytes: u64,
    /// How many of them a proof may take: a transaction that would exceed them begins the next segment.
    pub budget_bytes: u64,
    /// In how many segments its operator has cut it so far; at a settler zero until there is a cut.
    pub segments: u32,
    /// Of how many of them its settler has found a proof to hold, as long as it isn't settled.
    pub segments_proven: u32,
    /// Which of them a prover's job is, from 0.
    pub segment: u32,
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
            budget_used_bytes: 0,
            budget_bytes: 0,
            segments: 0,
            segments_proven: 0,
            segment: 0,
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

pub(super) const REQUEST: u32 = size::TAG + size::START_REQUEST + (size::TAG + size::U64) + size::TAG;

/// Two ids and two optional hashes with their tags, two enums, numbers, an error.
const SHARD: u32 = (size::FELT + size::PEER + (size::TAG + size::PEER) + 2 * (size::TAG + size::HASH) + 2 * size::TAG)
    + 6 * size::U32
    + 12 * size::U64
    + size::U32
    + (size::TAG + size::CAUSE);
const UPDATES: u32 = size::list(MAX_ENTRIES, size::TAG + 3 * size::FELT);
/// Only one shard that is alone has its updates.
pub(super) const SHARDS: u32 = size::list(MAX_SHARDS_LISTED, SHARD) + UPDATES;

/// The longest step is a failure's cause.
const STEP: u32 = size::TAG + size::CAUSE;
/// Shard, segment, role, job; number, hash of the entry before, date, step, form, signature.
const ENTRY: u32 = (size::FELT + size::U32 + size::TAG + size::TAG + size::HASH)
    + size::U32
    + size::HASH
    + size::U64
    + STEP
    + size::TAG
    + size::SIGNATURE;
const HISTORY: u32 = size::list(MAX_ENTRIES_LISTED, ENTRY) + size::TAG;
const STARTED: u32 = size::SHARD_START + 2 * size::U64 + size::TAG;
pub(super) const RESPONSE: u32 = size::TAG + size::max(size::max(STARTED, SHARDS), HISTORY);
