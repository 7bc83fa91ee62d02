//! What each role remembers.

use crate::evidence::{EvidenceKey, EvidencePart, Kept};
use serde::{Deserialize, Serialize};
use shardwire_model::{
    Felt, Hash, Output, PeerId, Role, ShardId, ShardStart, SignedTransaction, StartRequest, Timestamp, felt,
    life::{HistoryEntry, Part},
};
use shardwire_protocols::{Signed, trace::Lease};
use shardwire_reputation::{Listing, Record};
use shardwire_store::{Description, Layout, RecordKey, Table};
use shardwire_witness::Manifest;
use shardwire_world::{AbortReason, Operation};
use std::collections::BTreeMap;

/// Operator: the shards assigned to it.
pub(crate) const ASSIGNMENTS: Table<ShardId, Assignment> = Table::new("operator.assignments", 1);
/// Operator: accepted transactions in their sequence. The log *is* the shard: execution is replayed from it.
pub(crate) const TRANSACTIONS: Table<LogKey, SignedTransaction> = Table::new("operator.transactions", 1);
/// Operator: how a shard's execution ended, once it did.
pub(crate) const EXECUTIONS: Table<ShardId, Executed> = Table::new("operator.executions", 1);
/// Operator: the latest trace lease of a shard.
pub(crate) const LEASES: Table<ShardId, TraceLease> = Table::new("operator.leases", 1);
/// Prover: its jobs.
pub(crate) const JOBS: Table<Hash, Job> = Table::new("prover.jobs", 1);
/// Settler: assignments handed to operators.
pub(crate) const HANDOFFS: Table<ShardId, Handoff> = Table::new("settler.handoffs", 1);
/// Settler: what is about to be done in the World, by shard.
pub(crate) const INTENTS: Table<ShardId, Intent> = Table::new("settler.intents", 1);
/// Settler: verdicts on proofs, by shard.
pub(crate) const VERDICTS: Table<ShardId, Verdict> = Table::new("settler.verdicts", 1);
/// Prover: the latest lease of a job, as its operator signed it.
pub(crate) const JOB_LEASES: Table<Hash, Lease> = Table::new("prover.leases", 1);
/// Settler: leases that provers showed, to be compared.
pub(crate) const LEASES_SEEN: Table<LeaseKey, Lease> = Table::new("settler.leases", 1);
/// Which pieces of evidence there are against whom.
pub(crate) const ACCUSED: Table<PeerId, Vec<Kept>> = Table::new("node.accused", 1);
/// What the node has signed of the lives of shards.
pub(crate) const HISTORY: Table<EntryKey, Signed<HistoryEntry>> = Table::new("node.history", 1);
/// What can be proven against peers.
pub(crate) const EVIDENCE: Table<EvidenceKey, EvidencePart> = Table::new("node.evidence", 1);
/// What each peer has earned.
pub(crate) const PEERS: Table<PeerId, Record> = Table::new("node.peers", 1);
/// The operator's word on peers, as given at run time.
pub(crate) const WORDS: Table<PeerId, Listing> = Table::new("node.words", 1);

/// All of them.
pub(crate) const LAYOUT: Layout = Layout { tables: &[TABLES], migrations: &[] };

const TABLES: &[Description] = &[
    ASSIGNMENTS.description(),
    TRANSACTIONS.description(),
    EXECUTIONS.description(),
    LEASES.description(),
    JOBS.description(),
    HANDOFFS.description(),
    INTENTS.description(),
    VERDICTS.description(),
    JOB_LEASES.description(),
    LEASES_SEEN.description(),
    ACCUSED.description(),
    HISTORY.description(),
    EVIDENCE.description(),
    PEERS.description(),
    WORDS.description(),
];

/// A shard that this operator accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Assignment {
    /// The World's start data.
    pub(crate) start: ShardStart,
    /// The value of each entry at the start.
    pub(crate) values: Vec<WireFelt>,
    /// Who assigned it.
    pub(crate) settler: PeerId,
    /// The handoff lease's epoch.
    pub(crate) epoch: u64,
}

/// The place of a transaction in a shard's sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogKey {
    /// The shard.
    pub(crate) shard: ShardId,
    /// From 0.
    pub(crate) sequence: u32,
}

/// A lease, as far as two may contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeaseKey {
    /// The job.
    pub(crate) job: Hash,
    /// The epoch.
    pub(crate) epoch: u64,
}

/// The place of an entry among all histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryKey {
    /// Which history.
    pub(crate) part: Part,
    /// From 0.
    pub(crate) number: u32,
}

/// A witness chunk in the data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spooled {
    /// The hash of its body.
    pub(crate) hash: Hash,
    /// The length of its body.
    pub(crate) raw_bytes: u32,
    /// Its length, compressed.
    pub(crate) wire_bytes: u32,
}

/// A finished execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Executed {
    /// All chunks of its witness.
    pub(crate) chunks: Vec<Spooled>,
    /// Its steps.
    pub(crate) steps: u64,
    /// What the program put out.
    pub(crate) output: Output,
    /// From its beginning to its end, waiting for transactions included.
    pub(crate) execute_ms: u64,
}

/// A lease of a shard's trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TraceLease {
    /// The fencing epoch: what carries a lower one is refused.
    pub(crate) epoch: u64,
    /// Who holds it.
    pub(crate) prover: PeerId,
    /// Until when, unless renewed.
    pub(crate) expires: Timestamp,
    /// The proof that it led to.
    pub(crate) proof: Option<Hash>,
}

/// Most disputes kept of one job. A settler that no longer fits is offered the proof again after a restart.
pub(crate) const MAX_DISPUTES: usize = 16;

/// A proving job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    /// The shard's start data.
    pub(crate) start: ShardStart,
    /// The value of each entry at the start.
    pub(crate) values: Vec<WireFelt>,
    /// Which slice.
    pub(crate) segment: u32,
    /// Where the trace comes from.
    pub(crate) operator: PeerId,
    /// The lease's epoch.
    pub(crate) epoch: u64,
    /// All chunks of the witness, while they are here.
    pub(crate) manifest: Option<Manifest>,
    /// How often a worker failed at it.
    pub(crate) attempts: u32,
    /// The proof's hash; the file is named by it.
    pub(crate) proof: Option<Hash>,
    /// What it cost and measured.
    pub(crate) figures: Figures,
    /// A settler's signed receipt, as it came.
    pub(crate) receipt: Option<Vec<u8>>,
    /// Signed disputes, as they came: who disputes is not offered the proof again. At most [`MAX_DISPUTES`].
    pub(crate) disputes: BTreeMap<PeerId, Vec<u8>>,
    /// What went wrong last, or what the last dispute says: code and text.
    pub(crate) fault: Option<(String, String)>,
}

/// What a job measured, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Steps of the run.
    pub(crate) steps: u64,
    /// Chunks received.
    pub(crate) chunks: u32,
    /// Their size before compression.
    pub(crate) bytes_raw: u64,
    /// Their size as received.
    pub(crate) bytes_wire: u64,
    /// From the first chunk asked for to the last received, this process's part.
    pub(crate) stream_ms: u64,
    /// The worker's wall time.
    pub(crate) prove_ms: u64,
    /// The worker's CPU time.
    pub(crate) prove_cpu_ms: u64,
    /// The worker's peak memory.
    pub(crate) prove_peak_bytes: u64,
    /// The proof's size.
    pub(crate) proof_bytes: u64,
}

/// The lease of an assignment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Handoff {
    /// The lease's epoch.
    pub(crate) epoch: u64,
}

/// What is about to be done in the World and isn't in the history yet: all of it, so that it can be submitted again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Intent {
    /// It is started.
    Start {
        /// Who asked for it.
        by: PeerId,
        /// What was asked for.
        request: StartRequest,
        /// When it is aborted unless it is settled.
        deadline: Timestamp,
    },
    /// The output of a verified proof is applied.
    Settle {
        /// The proof.
        proof: Hash,
        /// Its output.
        output: Output,
    },
    /// It is aborted.
    Abort {
        /// Why.
        reason: AbortReason,
    },
}

impl Intent {
    /// What the World is asked for.
    pub(crate) fn operation(&self, shard: ShardId) -> Operation {
        match self.clone() {
            Self::Start { request, deadline, .. } => Operation::Start { request, deadline },
            Self::Settle { proof, output } => Operation::Settle { output, proof },
            Self::Abort { reason } => Operation::Abort { shard, reason },
        }
    }

    /// A word for it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Start { .. } => "start",
            Self::Settle { .. } => "settlement",
            Self::Abort { .. } => "abort",
        }
    }
}

/// What a settler found a proof to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    /// The proof.
    pub(crate) proof: Hash,
    /// Who made it.
    pub(crate) prover: PeerId,
    /// Its size.
    pub(crate) bytes: u64,
    /// How long verification took.
    pub(crate) verify_us: u64,
    /// `None` if it was accepted, else code and text.
    pub(crate) fault: Option<(String, String)>,
}

/// A felt as 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WireFelt(#[serde(with = "felt::wire")] pub Felt);

impl From<Felt> for WireFelt {
    fn from(felt: Felt) -> Self {
        Self(felt)
    }
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

impl RecordKey for LeaseKey {
    fn to_bytes(&self) -> Vec<u8> {
        [&self.job.0[..], &self.epoch.to_be_bytes()].concat()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (job, epoch) = bytes.split_at_checked(32)?;
        Some(Self { job: Hash::from_bytes(job)?, epoch: u64::from_be_bytes(epoch.try_into().ok()?) })
    }
}

impl RecordKey for LogKey {
    fn to_bytes(&self) -> Vec<u8> {
        [&self.shard.0.to_bytes_be()[..], &self.sequence.to_be_bytes()].concat()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (shard, sequence) = bytes.split_at_checked(32)?;
        Some(Self { shard: ShardId::from_bytes(shard)?, sequence: u32::from_be_bytes(sequence.try_into().ok()?) })
    }
}

/// The first bytes of the keys of a history.
pub(crate) fn history_of(part: &Part) -> Vec<u8> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_keys_sort_by_shard_then_sequence() {
        let id = |n: u64| ShardId(Felt::from(n));
        let key = |shard, sequence| LogKey { shard: id(shard), sequence }.to_bytes();
        assert!(key(1, 255) < key(1, 256));
        assert!(key(1, u32::MAX) < key(2, 0));
        assert_eq!(LogKey::from_bytes(&key(7, 300)), Some(LogKey { shard: id(7), sequence: 300 }));
        assert_eq!(LogKey::from_bytes(&[0; 35]), None);
    }
}
