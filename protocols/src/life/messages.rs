//! What the command line asks about a shard's life and a node answers.

use crate::{
    Signed,
    exchange::{Answer, Failed},
    pace, size,
};
use serde::{Deserialize, Serialize};
use shardwire_model::{Hash, Role, ShardId, ShardStart, StartRequest, Timestamp, bounded, life::HistoryEntry};
use shardwire_transport::message;

/// Most entries in one response.
pub const MAX_LISTED: usize = 64;

/// What a node may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Start a shard (a settler does). Answer: [`Response::Started`].
    Start {
        /// What to start.
        request: StartRequest,
        /// In how many seconds it is aborted unless it is settled, at most [`MAX_TIMEOUT`](shardwire_model::life::MAX_TIMEOUT); as the node is configured if absent.
        timeout_s: Option<u64>,
    },
    /// Abort a shard (the settler that started it does). Answer: [`Response::Aborted`].
    Abort {
        /// Which.
        shard: ShardId,
    },
    /// What the node has signed about a shard. Answer: [`Response::History`].
    History {
        /// Which.
        shard: ShardId,
        /// Only what comes after this.
        after: Option<After>,
    },
}

/// A place among the entries of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct After {
    /// The segment whose part it is in.
    pub segment: u32,
    /// The role whose part it is in.
    pub role: Role,
    /// The job, if that is a prover.
    pub job: Option<Hash>,
    /// The entry.
    pub number: u32,
}

impl After {
    /// Where an entry is.
    #[must_use]
    pub fn of(entry: &HistoryEntry) -> Self {
        Self { segment: entry.part.segment, role: entry.part.role, job: entry.part.job, number: entry.number }
    }
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// The shard is started.
    Started {
        /// With this start data.
        start: Box<ShardStart>,
        /// When it is aborted unless it is settled.
        deadline: Timestamp,
    },
    /// The shard is aborted; escrow and locks have returned.
    Aborted {
        /// Since when.
        at: Timestamp,
    },
    /// What was signed.
    History {
        /// In the order of segment, role, job and number.
        #[serde(deserialize_with = "bounded::list::<_, _, MAX_LISTED>")]
        entries: Vec<Signed<HistoryEntry>>,
        /// Whether there is more after the last one.
        more: bool,
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
        if let Self::History { entries, more } = &mut self {
            *more |= entries.len() > MAX_LISTED;
            entries.truncate(MAX_LISTED);
        }
        self
    }
}

const REQUEST: u32 = size::TAG + size::START_REQUEST + (size::TAG + size::U64);
/// The longest step is a failure's cause.
const STEP: u32 = size::TAG + size::CAUSE;
/// Shard, segment, role, job; number, hash of the entry before, date, step, signature.
const ENTRY: u32 = (size::FELT + size::U32 + size::TAG + size::TAG + size::HASH)
    + size::U32
    + size::HASH
    + size::U64
    + STEP
    + size::SIGNATURE;
const HISTORY: u32 = size::list(MAX_LISTED, ENTRY) + size::TAG;
const STARTED: u32 = size::SHARD_START + size::U64;
const RESPONSE: u32 = size::TAG + if STARTED > HISTORY { STARTED } else { HISTORY };

message!(Request, max_bytes = REQUEST, deadline = pace::IDLE);
message!(Response, max_bytes = RESPONSE, deadline = pace::ANSWER);
