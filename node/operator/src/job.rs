//! A run as provers see it: its jobs, one a segment, for how long a lease of one lasts, and the chunks of its witness.

use super::{
    chunk_store::Found,
    error::OperatorError,
    lease::{VERIFIED_HOLD, Work},
    run::{Run, felts},
    segment::Segment,
};
use shardwire_model::{Cause, PeerId, SegmentId, Stage, Timestamp};
use shardwire_protocols::trace::{ChunkAnswer, JobOffer};
use shardwire_store::{ArtefactError, DiskError};
use std::{io, sync::Arc};
use tokio::time::Instant;

/// A job: proving a segment of a run.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) run: Arc<Run>,
    pub(super) segment: Arc<Segment>,
}

impl Job {
    /// Those of a run, in the order of its segments.
    pub(super) fn of(run: &Arc<Run>) -> Vec<Self> {
        run.segments.all().into_iter().map(|segment| Self { run: run.clone(), segment }).collect()
    }

    /// What a prover is offered, if it can be shown that it is a job.
    pub(super) fn offer(&self) -> Option<JobOffer> {
        let Self { run, segment } = self;
        let assigned = run.signature()?;
        let SegmentId { shard, segment: number } = segment.id;
        Some(JobOffer {
            job: segment.job,
            shard,
            segment: number,
            start: run.assignment.start.clone(),
            values: felts(&run.assignment.values),
            before: segment.before,
            program: run.assignment.start.program,
            ended: self.has_ended(),
            settler: run.settler(),
            assigned,
        })
    }

    /// Whether the segment is executed to its end, and its witness whole.
    pub(super) fn has_ended(&self) -> bool {
        self.segment.chunk_store.has_ended()
    }

    /// Whether a prover may be offered the job, as far as the run goes: one of several that is proven waits for the others.
    pub(super) fn is_provable(&self) -> bool {
        self.run.is_provable() && !self.waits_for_others()
    }

    /// Whether a proof of it holds, and others of its run are still to be proven, or were just.
    fn waits_for_others(&self) -> bool {
        let run = &self.run;
        if run.segments.get(1).is_none() || self.segment.proof().is_none() {
            return false;
        }
        run.proven_at().is_none_or(|proven| Instant::now() < proven + VERIFIED_HOLD)
    }

    /// Whether there is a chunk, or how the segment ended; `None` if there is neither yet.
    pub(super) fn find(&self, index: u32) -> Result<Option<Found>, OperatorError> {
        match self.run.stopped() {
            Some(stopped) => Err(stopped),
            None => Ok(self.segment.chunk_store.find(index)),
        }
    }

    /// What was found at a pull of this chunk, read off the async threads.
    pub(super) async fn answer(&self, index: u32, found: Found) -> Result<ChunkAnswer, OperatorError> {
        let chunk_store = self.segment.chunk_store.clone();
        let read = move || match found {
            Found::Chunk(stored) => chunk_store.chunk(index, stored),
            Found::End(executed) => chunk_store.ending(*executed),
        };
        let read = self.run.host.work.run(read).await.ok_or(OperatorError::Reader)?;
        if let Err(error @ ArtefactError::Disk(DiskError { reason, .. })) = &read
            && reason.kind() == io::ErrorKind::NotFound
        {
            // It is made again, with all else.
            self.run.state().interrupt(Cause::whole(error));
            self.run.progress.announce();
        }
        Ok(read?)
    }

    /// Renews a prover's lease, at a pull of this chunk if it is one; the epoch that is valid instead if it isn't its own. With the shard every lease has ended.
    pub(super) fn renew(&self, prover: PeerId, epoch: u64, pulled: Option<u32>) -> Result<(), u64> {
        match self.run.is_open() {
            true => self.segment.leases.renew(prover, epoch, pulled),
            false => Err(epoch.saturating_add(1)),
        }
    }

    /// What there is to do for a prover.
    pub(super) fn work(&self) -> Work {
        self.segment.chunk_store.work()
    }

    /// When a prover's lease ends unless there is another sign of life.
    pub(super) fn expires(&self, prover: PeerId) -> Timestamp {
        let host = &self.run.host;
        let tier = host.peers.standing(prover).tier();
        host.clock.steady().plus(self.segment.leases.lasts(tier, self.work()))
    }
}

impl Run {
    /// Whether provers may be offered jobs of it.
    pub(super) fn is_provable(&self) -> bool {
        self.stopped().is_none()
    }

    /// How the shard ended, if it did, for a prover of it.
    pub(super) fn over(&self) -> Option<OperatorError> {
        let shard = self.shard;
        match self.state().life.stage() {
            Some(Stage::Settled) => Some(OperatorError::Settled { shard }),
            Some(Stage::Aborted) => Some(OperatorError::Aborted { shard }),
            _ => None,
        }
    }
}
