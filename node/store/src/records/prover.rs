//! What a prover remembers.

use super::{KeptCause, SignedBytes, WireFelt};
use crate::{Migration, StoreError};
use serde::{Deserialize, Serialize};
use shardwire_model::{Felt, Hash, Output, PeerId, ShardStart, state_commitment, without_terms};
use std::collections::BTreeMap;

tables! {
    /// Its jobs. A job's name is the hash of what it is about, its segment included.
    JOBS: Hash => Job = ("prover.jobs", 4);
    /// The latest lease of a job, as its operator signed it.
    JOB_LEASES: Hash => SignedBytes = ("prover.leases", 1);
}

/// Most disputes kept of one job. A settler that no longer fits is offered the proof again after a restart.
pub const MAX_DISPUTES: usize = 16;

/// A proving job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The shard's start data.
    pub start: ShardStart,
    /// The value of each entry at the start.
    pub values: Vec<WireFelt>,
    /// The segment of the shard's run, from 0.
    pub segment: u32,
    /// The commitment of the state with which it begins.
    pub before: WireFelt,
    /// Where the trace comes from.
    pub operator: PeerId,
    /// The lease's epoch.
    pub epoch: u64,
    /// The whole witness, while it is here.
    pub manifest: Option<Manifest>,
    /// How often a worker failed at it.
    pub attempts: u32,
    /// The proof's hash; the file is named by it.
    pub proof: Option<Hash>,
    /// What it cost and measured.
    pub figures: Figures,
    /// A settler's receipt, as it was signed.
    pub receipt: Option<SignedBytes>,
    /// Disputes, as they were signed: who disputes is not offered the proof again. At most [`MAX_DISPUTES`].
    pub disputes: BTreeMap<PeerId, SignedBytes>,
    /// What went wrong last, or what the last dispute says.
    pub fault: Option<KeptCause>,
}

/// A job before version 4: of the state before only the first segment's was known, and that wasn't kept. Versions differ in how start data was written, and what was signed.
#[derive(Serialize, Deserialize)]
pub(super) struct OlderJob<Start, Signed> {
    pub(super) start: Start,
    pub(super) values: Vec<WireFelt>,
    pub(super) segment: u32,
    pub(super) operator: PeerId,
    pub(super) epoch: u64,
    pub(super) manifest: Option<Manifest>,
    pub(super) attempts: u32,
    pub(super) proof: Option<Hash>,
    pub(super) figures: Figures,
    pub(super) receipt: Option<Signed>,
    pub(super) disputes: BTreeMap<PeerId, Signed>,
    pub(super) fault: Option<KeptCause>,
}

/// A job of version 1: what settlers signed was kept as the messages in which it came.
pub(super) type JobOf1 = OlderJob<without_terms::Start, Vec<u8>>;
/// A job of version 2: start data had no terms.
type JobOf2 = OlderJob<without_terms::Start, SignedBytes>;
/// A job of version 3.
type JobOf3 = OlderJob<ShardStart, SignedBytes>;

impl<Start, Signed> OlderJob<Start, Signed> {
    /// The same with start data and what was signed in another form.
    fn map<NextStart, NextSigned>(
        self,
        start: impl FnOnce(Start) -> NextStart,
        signed: impl Fn(Signed) -> Result<NextSigned, StoreError>,
    ) -> Result<OlderJob<NextStart, NextSigned>, StoreError> {
        let disputes = self.disputes.into_iter().map(|(peer, it)| Ok((peer, signed(it)?)));
        Ok(OlderJob {
            start: start(self.start),
            values: self.values,
            segment: self.segment,
            operator: self.operator,
            epoch: self.epoch,
            manifest: self.manifest,
            attempts: self.attempts,
            proof: self.proof,
            figures: self.figures,
            disputes: disputes.collect::<Result<_, StoreError>>()?,
            receipt: self.receipt.map(signed).transpose()?,
            fault: self.fault,
        })
    }
}

/// What was signed stays the bytes that were signed.
pub(super) const JOBS_FROM_1: Migration = Migration {
    table: "prover.jobs",
    from: 1,
    run: |rows| {
        let table = "prover.jobs";
        for (key, record) in rows.all(table)? {
            let job: JobOf1 = crate::table::read(table, &record)?;
            let job: JobOf2 = job.map(|start| start, |message| SignedBytes::of_message(table, &message))?;
            rows.put_record(table, &key, &job)?;
        }
        Ok(())
    },
};

/// All shards were of the fixed rules.
pub(super) const JOBS_FROM_2: Migration = Migration {
    table: "prover.jobs",
    from: 2,
    run: |rows| {
        let table = "prover.jobs";
        for (key, record) in rows.all(table)? {
            let job: JobOf2 = crate::table::read(table, &record)?;
            let job: JobOf3 = job.map(without_terms::Start::into_present, Ok)?;
            rows.put_record(table, &key, &job)?;
        }
        Ok(())
    },
};

/// All jobs were of first segments, which begin with what the World has.
pub(super) const JOBS_FROM_3: Migration = Migration {
    table: "prover.jobs",
    from: 3,
    run: |rows| {
        let table = "prover.jobs";
        for (key, record) in rows.all(table)? {
            let job: JobOf3 = crate::table::read(table, &record)?;
            let values: Vec<Felt> = job.values.iter().map(|value| value.0).collect();
            let before = state_commitment(job.start.commitment(), &values);
            let job = Job {
                start: job.start,
                values: job.values,
                segment: job.segment,
                before: WireFelt(before),
                operator: job.operator,
                epoch: job.epoch,
                manifest: job.manifest,
                attempts: job.attempts,
                proof: job.proof,
                figures: job.figures,
                receipt: job.receipt,
                disputes: job.disputes,
                fault: job.fault,
            };
            rows.put_record(table, &key, &job)?;
        }
        Ok(())
    },
};

/// All chunks of a finished run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The hash of each chunk's body, in order.
    pub chunks: Vec<Hash>,
    /// The steps of the run.
    pub steps: u64,
    /// The output of the run.
    pub output: Output,
}

/// What a job measured, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Steps of the run.
    pub steps: u64,
    /// How many chunks were received.
    pub chunks: u32,
    /// Their size before compression.
    pub bytes_raw: u64,
    /// Their size as received.
    pub bytes_wire: u64,
    /// From the first chunk asked for to the last received, this process's part.
    pub stream_ms: u64,
    /// The worker's wall time.
    pub prove_ms: u64,
    /// The worker's CPU time.
    pub prove_cpu_ms: u64,
    /// The worker's peak memory.
    pub prove_peak_bytes: u64,
    /// The proof's size.
    pub proof_bytes: u64,
}
