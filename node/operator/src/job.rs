//! A run as provers see it: its job, for how long a lease of it lasts, and the chunks of its witness.

use super::{
    chunk_store::Found,
    error::OperatorError,
    lease::Work,
    run::{Run, felts},
};
use shardwire_model::{Cause, PeerId, Stage, Timestamp};
use shardwire_protocols::trace::{ChunkAnswer, JobOffer};
use shardwire_store::{ArtefactError, DiskError};
use std::io;

impl Run {
    /// The job that proving this run is, if provers can be shown that it is one.
    pub(super) fn offer(&self) -> Option<JobOffer> {
        let assigned = self.signature()?;
        Some(JobOffer {
            job: self.job,
            shard: self.shard,
            segment: self.segment().segment,
            start: self.assignment.start.clone(),
            values: felts(&self.assignment.values),
            program: self.assignment.start.program,
            ended: self.has_ended(),
            settler: self.settler(),
            assigned,
        })
    }

    /// Whether it is executed to its end, and its witness whole.
    pub(super) fn has_ended(&self) -> bool {
        self.chunk_store.has_ended()
    }

    /// Whether a prover may be offered the job, as far as the run goes.
    pub(super) fn is_provable(&self) -> bool {
        self.stopped().is_none()
    }

    /// Whether there is a chunk, or how the run ended; `None` if there is neither yet.
    pub(super) fn find(&self, index: u32) -> Result<Option<Found>, OperatorError> {
        match self.stopped() {
            Some(stopped) => Err(stopped),
            None => Ok(self.chunk_store.find(index)),
        }
    }

    /// What was found at a pull of this chunk, read off the async threads.
    pub(super) async fn answer(&self, index: u32, found: Found) -> Result<ChunkAnswer, OperatorError> {
        let chunk_store = self.chunk_store.clone();
        let read = move || match found {
            Found::Chunk(stored) => chunk_store.chunk(index, stored),
            Found::End(executed) => chunk_store.ending(*executed),
        };
        let read = self.host.work.run(read).await.ok_or(OperatorError::Reader)?;
        if let Err(error @ ArtefactError::Disk(DiskError { reason, .. })) = &read
            && reason.kind() == io::ErrorKind::NotFound
        {
            // It is made again, with all else.
            self.state().interrupt(Cause::whole(error));
            self.progress.announce();
        }
        Ok(read?)
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

    /// Renews a prover's lease, at a pull of this chunk if it is one; the epoch that is valid instead if it isn't its own. With the shard every lease has ended.
    pub(super) fn renew(&self, prover: PeerId, epoch: u64, pulled: Option<u32>) -> Result<(), u64> {
        if self.is_open() { self.leases.renew(prover, epoch, pulled) } else { Err(epoch.saturating_add(1)) }
    }

    /// What there is to do for a prover.
    pub(super) fn work(&self) -> Work {
        self.chunk_store.work()
    }

    /// When a prover's lease ends unless there is another sign of life.
    pub(super) fn expires(&self, prover: PeerId) -> Timestamp {
        let tier = self.host.peers.standing(prover).tier();
        self.host.clock.steady().plus(self.leases.lasts(tier, self.work()))
    }
}
