//! What each role remembers: the tables of `node.redb`, and the types of their records.
//!
//! Records are types of this room, made of the vocabulary where a role stores something. A message may change without a record changing, and the
//! other way round. What somebody has signed is kept as the bytes that were signed ([`SignedBytes`]), so that no migration re-encodes them.
//!
//! Records of schema 2, which had one version for all tables, become these by one migration, whose page says what becomes of what.
//!
//! The bytes of each table's records are pinned (`vectors/records.json`): a type of the vocabulary that changes fails the test until the version
//! of the table is raised and a [migration](crate::Migration) is written. A table is declared in one place, with its version, and is in the
//! [`LAYOUT`] by that.

/// Declares the tables of a role, and the list of them.
macro_rules! tables {
    ($($(#[$doc:meta])* $table:ident: $key:ty => $record:ty = ($name:literal, $version:literal);)*) => {
        $($(#[$doc])* pub const $table: crate::Table<$key, $record> = crate::Table::new($name, $version);)*
        /// All of them.
        pub(super) const TABLES: &[crate::Description] = &[$($table.description()),*];
    };
}

mod node;
mod operator;
mod prover;
mod schema_2;
mod settler;

use crate::{Layout, RecordKey, StoreError};
pub use node::{
    ACCUSED, EVIDENCE, EVIDENCE_PART_BYTES, EntryKey, EvidenceKey, EvidencePart, FORK_ANSWERS, FORKS, ForkAnswerKey,
    HISTORY, KeptEvidence, KeptFork, MAX_FORK_QUESTION_BYTES, PEERS, RUNS, SignedEntry, WORDS, history_of,
};
pub use operator::{
    ASSIGNED, ASSIGNMENTS, Assignment, EXECUTIONS, Executed, LEASES, LogKey, StoredChunk, TRANSACTIONS, TraceLease,
};
pub use prover::{Figures, JOB_LEASES, JOBS, Job, MAX_DISPUTES, Manifest};
use serde::{Deserialize, Serialize};
pub use settler::{
    CUTS, HANDOFFS, Handoff, INTENTS, Intent, KeptOutput, KeptVerdict, LEASES_SEEN, LeaseKey, OUTPUTS, VERDICTS,
};
use shardwire_model::{Cause, Coded, Felt, SegmentId, ShardId, felt};

/// What a node's file holds.
pub const LAYOUT: Layout = Layout {
    tables: &[operator::TABLES, prover::TABLES, settler::TABLES, node::TABLES],
    migrations: &[
        node::HISTORY_FROM_1,
        prover::JOBS_FROM_1,
        prover::JOBS_FROM_2,
        prover::JOBS_FROM_3,
        operator::ASSIGNMENTS_FROM_1,
        operator::TRANSACTIONS_FROM_1,
        settler::INTENTS_FROM_1,
    ],
    formats: &[schema_2::MIGRATION],
};

/// A statement as it was signed: its bytes, and the signature over them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedBytes {
    /// The statement's bytes, as its signer encoded them.
    pub statement: Vec<u8>,
    /// The signature over them.
    pub signature: Vec<u8>,
}

/// Bytes of a signature, which stands after its statement without a length in a message.
const SIGNATURE_BYTES: usize = 64;

impl SignedBytes {
    /// What older layouts kept as the message that it came in.
    fn of_message(table: &str, message: &[u8]) -> Result<Self, StoreError> {
        let (statement, signature) = message
            .split_last_chunk::<SIGNATURE_BYTES>()
            .ok_or_else(|| StoreError::Damaged(format!("a record of '{table}' can't be read")))?;
        Ok(Self { statement: statement.to_vec(), signature: signature.to_vec() })
    }
}

/// Why something failed, as it is kept: whole, where what is told of it is cut to the bounds of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCause {
    /// Such as `SW-TX-002`.
    pub code: String,
    /// A sentence for a person.
    pub reason: String,
}

impl KeptCause {
    /// What an error is kept as.
    pub fn of(error: &impl Coded) -> Self {
        Self { code: error.code().to_owned(), reason: error.to_string() }
    }

    /// What is told of it.
    #[must_use]
    pub fn cause(&self) -> Cause {
        Cause::new(&self.code, &self.reason)
    }
}

impl From<Cause> for KeptCause {
    fn from(Cause { code, reason }: Cause) -> Self {
        Self { code, reason }
    }
}

impl RecordKey for SegmentId {
    fn to_bytes(&self) -> Vec<u8> {
        [&self.shard.0.to_bytes_be()[..], &self.segment.to_be_bytes()].concat()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (shard, segment) = bytes.split_at_checked(32)?;
        Some(Self { shard: ShardId::from_bytes(shard)?, segment: u32::from_be_bytes(segment.try_into().ok()?) })
    }
}

/// A felt as 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireFelt(#[serde(with = "felt::wire")] pub Felt);
