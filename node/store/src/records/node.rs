//! What a node remembers whatever its roles are: what it has signed, and what it knows of its peers.

use super::{SignedBytes, WireFelt};
use crate::{Migration, RecordKey};
use serde::{Deserialize, Serialize};
use shardwire_model::{
    ForkId, Hash, PeerId, Role, ShardId, Timestamp,
    life::{EntryForm, Part},
};
use shardwire_reputation::{Listing, Record};

tables! {
    /// What the node has signed of the lives of shards.
    HISTORY: EntryKey => SignedEntry = ("node.history", 2);
    /// Which pieces of evidence there are against a peer.
    ACCUSED: PeerId => Vec<KeptEvidence> = ("node.accused", 1);
    /// What can be proven against peers.
    EVIDENCE: EvidenceKey => EvidencePart = ("node.evidence", 1);
    /// What each peer has earned.
    PEERS: PeerId => Record = ("node.peers", 1);
    /// What the node's administrators have said of peers while it ran: allowed, or denied until a date.
    WORDS: PeerId => Listing = ("node.words", 1);
    /// When the last run of this node's key began, as peers were told.
    RUNS: PeerId => Timestamp = ("node.runs", 1);
    /// The blocks of networks of which answers are kept, by the hash of what names them.
    FORKS: Hash => KeptFork = ("node.forks", 1);
    /// What networks answered about those blocks.
    FORK_ANSWERS: ForkAnswerKey => WireFelt = ("node.fork_answers", 1);
}

/// The place of an entry among all histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryKey {
    /// The history that it is in.
    pub part: Part,
    /// The entry's place in that history, from 0.
    pub number: u32,
}

/// An entry of a history, as it was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedEntry {
    /// The form of its statement, which says under which name it was signed.
    pub form: EntryForm,
    /// The statement and its signature.
    pub signed: SignedBytes,
}

/// Version 1 had no form: every entry was of the second.
pub(super) const HISTORY_FROM_1: Migration = Migration {
    table: "node.history",
    from: 1,
    run: |rows| {
        for (key, record) in rows.all("node.history")? {
            let signed = crate::table::read("node.history", &record)?;
            rows.put_record("node.history", &key, &SignedEntry { form: EntryForm::Second, signed })?;
        }
        Ok(())
    },
};

/// A piece of evidence that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptEvidence {
    /// The hash of its bytes.
    pub hash: Hash,
    /// How many bytes it has.
    pub bytes: u32,
    /// When it was stored, on the node's clock.
    pub at: Timestamp,
}

/// The key of a part of a piece of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvidenceKey {
    /// The peer that it accuses.
    pub peer: PeerId,
    /// Which piece, from 0.
    pub number: u32,
    /// Which part of it, from 0.
    pub part: u32,
}

/// How many bytes of a piece of evidence stand in one record: a proof is longer than a record may be. Part of the table's layout: where a byte of a piece
/// is, follows from it.
pub const EVIDENCE_PART_BYTES: usize = 128 << 10;

/// A part of a piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidencePart {
    /// The length of the whole piece, in bytes.
    pub whole: u32,
    /// [`EVIDENCE_PART_BYTES`] of it, or the rest.
    pub bytes: Vec<u8>,
}

impl RecordKey for EvidenceKey {
    fn to_bytes(&self) -> Vec<u8> {
        [&self.peer.0[..], &self.number.to_be_bytes(), &self.part.to_be_bytes()].concat()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (peer, rest) = bytes.split_at_checked(32)?;
        let (number, part) = rest.split_at_checked(4)?;
        let [number, part] = [number, part].map(|four| Some(u32::from_be_bytes(four.try_into().ok()?)));
        Some(Self { peer: PeerId::from_bytes(peer)?, number: number?, part: part? })
    }
}

/// The first bytes of the keys of a history.
#[must_use]
pub fn history_of(part: &Part) -> Vec<u8> {
    // Only a prover's part has a job, so none and zeros don't meet.
    let role = [match part.role {
        Role::Settler => 0,
        Role::Operator => 1,
        Role::Prover => 2,
    }];
    [&part.shard.0.to_bytes_be()[..], &part.segment.to_be_bytes(), &role, &part.job.unwrap_or_default().0].concat()
}

impl RecordKey for EntryKey {
    fn to_bytes(&self) -> Vec<u8> {
        [history_of(&self.part), self.number.to_be_bytes().to_vec()].concat()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (shard, rest) = bytes.split_at_checked(32)?;
        let (segment, rest) = rest.split_at_checked(4)?;
        let (role, rest) = rest.split_first()?;
        let (job, number) = rest.split_at_checked(32)?;
        let (role, job) = match role {
            0 => (Role::Settler, None),
            1 => (Role::Operator, None),
            2 => (Role::Prover, Some(Hash::from_bytes(job)?)),
            _ => return None,
        };
        let segment = u32::from_be_bytes(segment.try_into().ok()?);
        let part = Part { shard: ShardId::from_bytes(shard)?, segment, role, job };
        Some(Self { part, number: u32::from_be_bytes(number.try_into().ok()?) })
    }
}

/// A block of a network of which answers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFork {
    /// Which block it is.
    pub fork: ForkId,
    /// When it was opened last: the largest number of all is that of the latest.
    pub used: u64,
}

/// The key of what a network answered about a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkAnswerKey {
    /// The hash of what names the block.
    pub fork: Hash,
    /// What was asked, at most [`MAX_FORK_QUESTION_BYTES`].
    pub question: Vec<u8>,
}

/// Most bytes of a question: its kind, a contract and a slot.
pub const MAX_FORK_QUESTION_BYTES: usize = 65;

impl RecordKey for ForkAnswerKey {
    fn to_bytes(&self) -> Vec<u8> {
        [&self.fork.0[..], &self.question].concat()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (fork, question) = bytes.split_at_checked(32)?;
        let is_question = (1..=MAX_FORK_QUESTION_BYTES).contains(&question.len());
        Some(Self { fork: Hash::from_bytes(fork)?, question: question.to_vec() }).filter(|_| is_question)
    }
}
