//! What a settler remembers. The World isn't here: it has a file of its own.

use super::{KeptCause, SignedBytes, WireFelt};
use crate::{Migration, RecordKey};
use serde::{Deserialize, Serialize};
use shardwire_model::{
    Hash, Output, PeerId, SegmentId, ShardId, StartRequest, Timestamp, life::AbortReason, without_terms,
};

tables! {
    /// Assignments handed to operators.
    HANDOFFS: ShardId => Handoff = ("settler.handoffs", 1);
    /// What is about to be done in the World.
    INTENTS: SegmentId => Intent = ("settler.intents", 2);
    /// Verdicts on proofs.
    VERDICTS: SegmentId => KeptVerdict = ("settler.verdicts", 1);
    /// Where the runs of open shards were cut: the commitments of the states after these segments, as their operators said.
    CUTS: SegmentId => WireFelt = ("settler.cuts", 1);
    /// What the segments of open shards come to of which a proof holds, where a run has several.
    OUTPUTS: SegmentId => KeptOutput = ("settler.outputs", 1);
    /// Leases that provers showed, to be compared.
    LEASES_SEEN: LeaseKey => SignedBytes = ("settler.leases", 1);
}

/// A lease, as far as two may contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseKey {
    /// The job that is leased.
    pub job: Hash,
    /// The lease's epoch: an operator signs one lease of a job under each.
    pub epoch: u64,
}

/// The lease of an assignment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handoff {
    /// The lease's epoch.
    pub epoch: u64,
}

/// What is about to be done in the World and isn't in the history yet: all of it, so that it can be submitted again.
#[allow(clippy::large_enum_variant, reason = "written and read one at a time")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Intent {
    /// The shard is started.
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
        /// The content hash of the proof.
        proof: Hash,
        /// The output that it proves.
        output: Output,
    },
    /// The shard is aborted.
    Abort {
        /// Why it is aborted.
        reason: AbortReason,
    },
    /// A start that an older layout noted, without its request: what it came to is given up.
    OlderStart {
        /// Who asked for it.
        by: PeerId,
        /// When it was to be aborted.
        deadline: Timestamp,
    },
}

/// What version 1 had: requests had no terms.
#[allow(clippy::large_enum_variant, reason = "written and read one at a time")]
#[derive(Serialize, Deserialize)]
pub(super) enum IntentOf1 {
    Start { by: PeerId, request: without_terms::Request, deadline: Timestamp },
    Settle { proof: Hash, output: Output },
    Abort { reason: AbortReason },
    OlderStart { by: PeerId, deadline: Timestamp },
}

/// All requests were for shards of the fixed rules. What they are called in the World stays the same.
pub(super) const INTENTS_FROM_1: Migration = Migration {
    table: "settler.intents",
    from: 1,
    run: |rows| {
        let table = "settler.intents";
        for (key, record) in rows.all(table)? {
            let intent = match crate::table::read(table, &record)? {
                IntentOf1::Start { by, request, deadline } => {
                    Intent::Start { by, request: request.into_present(), deadline }
                }
                IntentOf1::Settle { proof, output } => Intent::Settle { proof, output },
                IntentOf1::Abort { reason } => Intent::Abort { reason },
                IntentOf1::OlderStart { by, deadline } => Intent::OlderStart { by, deadline },
            };
            rows.put_record(table, &key, &intent)?;
        }
        Ok(())
    },
};

/// What a settler keeps of a proof that it has verified: whether the proof holds, and what that took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptVerdict {
    /// The content hash of the proof.
    pub proof: Hash,
    /// Who made it.
    pub prover: PeerId,
    /// The proof's size, in bytes.
    pub bytes: u64,
    /// How long verification took, in microseconds.
    pub verify_us: u64,
    /// `None` if it was accepted, else what is wrong with it.
    pub fault: Option<KeptCause>,
}

/// What a segment's proof that holds has proven. It waits for those of the run's other segments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptOutput {
    /// The content hash of the proof.
    pub proof: Hash,
    /// Who made it.
    pub prover: PeerId,
    /// The output that it proves.
    pub output: Output,
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
