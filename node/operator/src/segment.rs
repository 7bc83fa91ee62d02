//! The segments of a run at its operator.
//!
//! A program may cut a run, so that each segment is proven by itself. Each has a job, leases and chunks of its own. The first is there from the beginning, each other one from the moment at which the
//! one before it ended: that is durable first, with the state that the next one begins with, so its job never changes. What has ended isn't cut again by another execution of the same log, which is
//! compared with it instead.
//!
//! Bound: [`MAX_SEGMENTS`].

use super::{chunk_store::ChunkStore, lease::Leases};
use shardwire_host::Host;
use shardwire_model::{Felt, Hash, MAX_SEGMENTS, SegmentId, ShardStart};
use shardwire_program::Execution;
use shardwire_protocols::{handoff::Cut, trace::job_id};
use shardwire_store::{
    StoreError,
    records::{EXECUTIONS, Executed},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A segment of a run.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) id: SegmentId,
    /// The commitment of the state that it begins with.
    pub(super) before: Felt,
    /// The job that proving it is.
    pub(super) job: Hash,
    pub(super) leases: Leases,
    pub(super) chunk_store: Arc<ChunkStore>,
}

/// The segments of a run, in their order: those that have ended, and the one that is executed.
#[derive(Debug)]
pub(super) struct Segments {
    host: Arc<Host>,
    program: Felt,
    start: Felt,
    first: Arc<Segment>,
    all: Mutex<Vec<Arc<Segment>>>,
}

impl Segments {
    /// Those of a run that begins with this state: the first one.
    pub(super) fn new(host: Arc<Host>, start: &ShardStart, before: Felt) -> Self {
        let (program, commitment) = (start.program, start.commitment());
        let first = Segment::new(&host, (program, commitment), SegmentId::first(start.shard), before);
        let all = Mutex::new(vec![first.clone()]);
        Self { host, program, start: commitment, first, all }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Segment>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn all(&self) -> Vec<Arc<Segment>> {
        self.lock().clone()
    }

    /// The one with this number, if it has begun.
    pub(super) fn get(&self, number: u32) -> Option<Arc<Segment>> {
        self.lock().get(number as usize).cloned()
    }

    /// The one whose job it is.
    pub(super) fn of_job(&self, job: Hash) -> Option<Arc<Segment>> {
        self.lock().iter().find(|segment| segment.job == job).cloned()
    }

    /// The first one.
    pub(super) fn first(&self) -> &Arc<Segment> {
        &self.first
    }

    /// The one that follows on one that ended with this state; none if no run has so many. Reads its latest lease, whose epoch is never given again.
    pub(super) fn after(&self, ended: SegmentId, state: Felt) -> Result<Option<Arc<Segment>>, StoreError> {
        self.follow(ended, state, |next| next.leases.restore(&self.host))
    }

    /// The one that follows; if it is new, nobody sees it before this is done with it.
    fn follow(
        &self,
        ended: SegmentId,
        state: Felt,
        begin: impl FnOnce(&Segment) -> Result<(), StoreError>,
    ) -> Result<Option<Arc<Segment>>, StoreError> {
        let number = ended.segment + 1;
        if number >= MAX_SEGMENTS {
            return Ok(None);
        }
        if let Some(next) = self.get(number) {
            return Ok(Some(next));
        }
        let id = SegmentId { segment: number, ..ended };
        let next = Segment::new(&self.host, (self.program, self.start), id, state);
        begin(&next)?;
        self.lock().push(next.clone());
        Ok(Some(next))
    }

    /// Reads in what segments a run that is over was executed. Nobody works at them any more.
    pub(super) fn recall(&self) -> Result<(), StoreError> {
        self.read(|_| Ok(()), |_, _| {}).map(drop)
    }

    /// Reads in what segments the run was executed before, and gives each that begins after the first, and each that has ended; whether that is to the run's end.
    fn read(
        &self,
        begin: impl Fn(&Segment) -> Result<(), StoreError>,
        mut end: impl FnMut(&Segment, Executed),
    ) -> Result<bool, StoreError> {
        let mut segment = self.first.clone();
        loop {
            let Some(executed) = self.host.store.get(&EXECUTIONS, &segment.id)? else { return Ok(false) };
            let (is_last, after) = (executed.output.ended, executed.output.after);
            end(&segment, executed);
            if is_last {
                return Ok(true);
            }
            match self.follow(segment.id, after, &begin)? {
                Some(next) => segment = next,
                None => return Ok(false),
            }
        }
    }

    /// Takes up the segments of which all files are there; whether those are all, to the end of the run.
    pub(super) fn restore(&self) -> Result<bool, StoreError> {
        let mut are_there = true;
        let end = |segment: &Segment, executed: Executed| match segment.chunk_store.is_whole(&executed) {
            true => segment.chunk_store.end(executed),
            false => are_there = false,
        };
        let is_ended = self.read(|next| next.leases.restore(&self.host), end)?;
        Ok(is_ended && are_there)
    }

    /// Whether the run is executed to its end.
    pub(super) fn are_whole(&self) -> bool {
        self.all().last().is_some_and(|last| last.chunk_store.has_ended())
    }

    /// Where the run was cut.
    pub(super) fn cuts(&self) -> Vec<Cut> {
        let all = self.all();
        let cut = |(ended, next): (&Arc<Segment>, &Arc<Segment>)| {
            let SegmentId { shard, segment } = ended.id;
            Cut { shard, segment, after: next.before }
        };
        all.iter().zip(all.iter().skip(1)).map(cut).collect()
    }

    /// Forgets all chunks: execution begins again, and makes the same.
    pub(super) fn begin_again(&self) {
        self.all().iter().for_each(|segment| segment.chunk_store.begin_again());
    }

    /// The proof of each segment, in their order, once a settler has found one of each to hold, and the run is executed to its end.
    pub(super) fn proofs(&self) -> Option<Vec<Hash>> {
        if !self.are_whole() {
            return None;
        }
        self.all().iter().map(|segment| segment.proof()).collect()
    }
}

impl Segment {
    fn new(host: &Host, (program, start): (Felt, Felt), id: SegmentId, before: Felt) -> Arc<Self> {
        let chunk_store = Arc::new(ChunkStore::new(host.artefacts.clone(), id));
        let job = job_id(program, start, before, id.segment);
        Arc::new(Self { id, before, job, leases: Leases::new(id), chunk_store })
    }

    /// The proof that a settler has found to hold, as far as this process was told.
    pub(super) fn proof(&self) -> Option<Hash> {
        self.leases.verdict().filter(|verdict| verdict.verified).map(|verdict| verdict.proof)
    }

    /// Whether it was executed before, and this is the same.
    pub(super) fn was_executed_like(&self, execution: &Execution) -> Option<bool> {
        let Executed { output, chunks, .. } = self.chunk_store.executed()?;
        let hashes = chunks.iter().map(|chunk| chunk.hash);
        Some(output == execution.output && hashes.eq(execution.manifest.chunks.iter().copied()))
    }
}
