//! An operator's half that has one small job, as it was executed, and does with it what a test wants.
#![cfg(unix)]

use super::tests::identities;
use shardwire_model::{Cause, Felt, Hash, Output, PeerId, ShardStart, Timestamp};
use shardwire_protocols::{
    Failure, Signed,
    handoff::AssignmentTerms,
    trace::{
        Chunk, ChunkAnswer, DeclineReason, Ending, Finished, Grant, Handler, JobOffer, LeaseTerms, Progress,
        Progressed, RefusalReason, Refused, ResumableJob, job_id,
    },
};
use shardwire_witness::{Body, Value, compress, decompress};
use std::{
    future::pending,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// A shard of one account that ends at once, as it was executed.
#[derive(serde::Deserialize)]
struct ShortRun {
    start: ShardStart,
    values: Vec<String>,
    chunks: Vec<ShortChunk>,
    steps: u64,
    output: Output,
}

#[derive(serde::Deserialize)]
struct ShortChunk {
    hash: Hash,
    raw_bytes: usize,
    /// Compressed, in hex.
    body: String,
}

impl ShortChunk {
    /// The body, with this output.
    fn body_of(&self, put_out: &Output) -> Vec<u8> {
        const OUTPUT: u8 = 0;
        let mut body = Body::decode(&decompress(&hex::decode(&self.body).unwrap(), self.raw_bytes).unwrap()).unwrap();
        let closing = body.closing.as_mut().expect("a run of one chunk");
        let output =
            closing.builtins.iter().find(|(builtin, _)| *builtin == OUTPUT).expect("every run has an output").1;
        let felts = put_out.to_felts();
        let length = u32::try_from(felts.len()).unwrap();
        closing.lengths[output as usize] = length;
        for (segment, _, public) in &mut closing.public {
            if *segment == output {
                *public = length;
            }
        }
        let run = body.runs.iter_mut().find(|run| run.segment == output && run.offset == 0).expect("it was written");
        run.cells = felts.into_iter().map(Value::Felt).collect();
        body.encode()
    }
}

/// The one job, and what the operator does about it.
#[derive(Debug)]
pub(super) struct Operator {
    pub(super) offer: JobOffer,
    pub(super) chunks: Vec<Chunk>,
    pub(super) ending: Ending,
    pub(super) epoch: AtomicU64,
    /// Whether another prover has the lease.
    pub(super) taken: AtomicBool,
    /// Whether the shard was aborted.
    pub(super) aborted: AtomicBool,
    /// Whether its run goes on, and nothing comes of it.
    pub(super) idle: AtomicBool,
    pub(super) finished: Mutex<Option<Hash>>,
    pub(super) abandoned: Mutex<Option<Cause>>,
    pub(super) declined: Mutex<Option<(DeclineReason, Cause)>>,
}

impl Operator {
    /// Has a shard that was executed before.
    pub(super) fn new() -> Self {
        Self::of_segment(0)
    }

    /// The same run, as if it were this segment of the shard: nothing but the number in its output differs.
    pub(super) fn of_segment(segment: u32) -> Self {
        Self::of(|_, output| output.segment = segment)
    }

    /// The same run, as if it were of this start data and put this out.
    pub(super) fn of(change: impl FnOnce(&mut ShardStart, &mut Output)) -> Self {
        let ShortRun { mut start, values, chunks, steps, mut output } =
            serde_json::from_str(include_str!("../../witness/vectors/short-run.json")).unwrap();
        assert_eq!(start.operator, identities()[1].peer());
        let values: Vec<Felt> = values.iter().map(|text| Felt::from_hex_unchecked(text)).collect();
        assert!(chunks.iter().all(|chunk| Hash::of(&chunk.body_of(&output)) == chunk.hash));
        change(&mut start, &mut output);
        let bodies: Vec<Vec<u8>> = chunks.iter().map(|chunk| chunk.body_of(&output)).collect();
        let hashes: Vec<Hash> = bodies.iter().map(|body| Hash::of(body)).collect();
        let chunk = |(body, index): (&Vec<u8>, u32)| Chunk {
            index,
            hash: Hash::of(body),
            raw_bytes: u32::try_from(body.len()).unwrap(),
            body: compress(body).into(),
        };
        let (program, segment, commitment) = (start.program, output.segment, start.commitment());
        let before = output.before;
        let job = job_id(program, commitment, before, segment);
        let terms = AssignmentTerms::of(&start, &values);
        let (assigned, settler) = (Signed::by(&identities()[0], terms).signature, identities()[0].peer());
        Self {
            offer: JobOffer {
                job,
                shard: start.shard,
                segment,
                start,
                values,
                before,
                program,
                ended: true,
                settler,
                assigned,
            },
            chunks: bodies.iter().zip(0..).map(chunk).collect(),
            ending: Ending { chunks: hashes, steps, output, reads: Vec::new() },
            epoch: AtomicU64::new(0),
            taken: AtomicBool::new(false),
            aborted: AtomicBool::new(false),
            idle: AtomicBool::new(false),
            finished: Mutex::default(),
            abandoned: Mutex::default(),
            declined: Mutex::default(),
        }
    }
}

impl Handler for Operator {
    async fn offer(&self, _: PeerId, _: &[ResumableJob]) -> Result<JobOffer, Failure> {
        if self.taken.load(Ordering::SeqCst) { pending().await } else { Ok(self.offer.clone()) }
    }

    async fn claim(&self, prover: PeerId, job: Hash) -> Result<Grant, Failure> {
        if self.aborted.load(Ordering::SeqCst) {
            let cause = Cause::new("SW-OPERATOR-020", "the shard was aborted");
            return Ok(Grant::Refused(Refused { reason: RefusalReason::Aborted, cause }));
        }
        let epoch = 1 + self.epoch.fetch_add(1, Ordering::SeqCst);
        let terms = LeaseTerms { job, epoch, expires: Timestamp(60_000), prover };
        Ok(Grant::Leased(Signed::by(&identities()[1], terms)))
    }

    async fn declined(&self, _: PeerId, _: Hash, reason: DeclineReason, cause: Cause) -> Result<(), Failure> {
        *self.declined.lock().unwrap() = Some((reason, cause));
        Ok(())
    }

    async fn chunk(&self, _: PeerId, _: Hash, _: u64, index: u32) -> Result<ChunkAnswer, Failure> {
        if self.idle.load(Ordering::SeqCst) {
            pending::<()>().await;
        }
        let chunk = self.chunks.get(index as usize).cloned();
        Ok(chunk.map_or_else(|| ChunkAnswer::End(self.ending.clone().into()), ChunkAnswer::Chunk))
    }

    async fn progress(&self, _: PeerId, _: Hash, progress: Progress) -> Result<Progressed, Failure> {
        Ok(if self.taken.load(Ordering::SeqCst) {
            Progressed::Lost { epoch: progress.epoch + 1 }
        } else {
            Progressed::Renewed { expires: Timestamp(70_000) }
        })
    }

    async fn finished(&self, _: PeerId, _: Hash, _: u64, proof: Hash) -> Result<Finished, Failure> {
        *self.finished.lock().unwrap() = Some(proof);
        Ok(Finished::Acknowledged)
    }

    async fn abandoned(&self, _: PeerId, _: Hash, _: u64, cause: Cause) -> Result<(), Failure> {
        *self.abandoned.lock().unwrap() = Some(cause);
        Ok(())
    }
}
