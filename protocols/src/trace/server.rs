//! The operator's half.

use super::{
    Abandon, Bye, Chunk, Claim, Decline, DeclineReason, Ending, Finish, Finished, Idle, JobOffer, Lease, Leased,
    Nothing, Progress, Progressed, Pull, PullResponse, Ready, Refused, ResumableJob, Trace,
};
use crate::{Failure, ServeError, timing};
use shardwire_model::{Cause, Hash, PeerId};
use shardwire_transport::{Responder, Session, algebra::HasDual, offer};
use std::future::Future;

/// What became of a claim.
#[derive(Clone, Debug)]
pub enum Grant {
    /// The job is this prover's, by the lease.
    Leased(Lease),
    /// It isn't (another prover was faster).
    Refused(Refused),
}

/// A part of a witness.
#[derive(Clone, Debug)]
pub enum ChunkAnswer {
    /// The chunk.
    Chunk(Chunk),
    /// There is no such chunk and there won't be.
    End(Box<Ending>),
    /// The lease is no longer this prover's.
    Lost {
        /// The epoch that is valid now.
        epoch: u64,
    },
}

/// The operator's side: jobs, leases and chunks.
pub trait Handler: Sync {
    /// Waits until there is a job for this prover, one that it has begun before others. May be dropped while it waits.
    fn offer(
        &self,
        prover: PeerId,
        resumable: &[ResumableJob],
    ) -> impl Future<Output = Result<JobOffer, Failure>> + Send;

    /// Leases the job to the prover: makes a new epoch durable, then signs. A prover that holds the lease and claims again (its
    /// connection broke) gets a new epoch too.
    fn claim(&self, prover: PeerId, job: Hash) -> impl Future<Output = Result<Grant, Failure>> + Send;

    /// Notes that the prover doesn't want the job, and for how long.
    fn declined(
        &self,
        prover: PeerId,
        job: Hash,
        reason: DeclineReason,
        cause: Cause,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Waits until the chunk exists or the run has ended, and renews the lease; answers at once if the epoch isn't the job's
    /// present one. May be dropped while it waits.
    fn chunk(
        &self,
        prover: PeerId,
        job: Hash,
        epoch: u64,
        index: u32,
    ) -> impl Future<Output = Result<ChunkAnswer, Failure>> + Send;

    /// Notes how far the prover is, and renews the lease.
    fn progress(
        &self,
        prover: PeerId,
        job: Hash,
        progress: Progress,
    ) -> impl Future<Output = Result<Progressed, Failure>> + Send;

    /// Notes that the prover has a proof. If the lease is still its own, the job isn't leased again.
    fn finished(
        &self,
        prover: PeerId,
        job: Hash,
        epoch: u64,
        proof: Hash,
    ) -> impl Future<Output = Result<Finished, Failure>> + Send;

    /// Notes that the prover gave up: the job may be leased again at once.
    fn abandoned(
        &self,
        prover: PeerId,
        job: Hash,
        epoch: u64,
        cause: Cause,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

type There<P> = <P as HasDual>::Dual;
type Outer = (There<Idle>, ());
type Inner = (There<Leased>, Outer);

/// Serves a prover until its job is done or it says goodbye.
///
/// # Errors
/// [`ServeError::Session`] if the connection is lost or the prover breaks a rule, [`ServeError::Handler`] if the handler can't go on.
pub async fn serve<H: Handler>(session: Responder<Trace>, handler: &H) -> Result<(), ServeError> {
    let mut session: Session<Trace, There<Idle>, Outer> = session.enter();
    let prover = session.peer();
    loop {
        session = offer!(session => {
            Ready(Ready { resume }), answer => {
                match timing::hold(handler.offer(prover, &resume)).await.transpose()? {
                    None => answer.choose(Nothing {}).await?.repeat(),
                    Some(job_offer) => {
                        let job = job_offer.job;
                        offer!(answer.choose(job_offer).await? => {
                            Claim(claim), answer => {
                                if claim.job != job {
                                    let detail = "it claims another job than the one offered";
                                    return Err(answer.broken("Claim", "SW-TRACE-001", detail).into());
                                }
                                match handler.claim(prover, job).await? {
                                    Grant::Refused(refused) => answer.choose(refused).await?.repeat(),
                                    Grant::Leased(lease) => {
                                        let working = answer.choose(lease).await?.enter();
                                        return work(working, handler, job).await;
                                    }
                                }
                            },
                            Decline(decline), next => {
                                if decline.job != job {
                                    let detail = "it declines another job than the one offered";
                                    return Err(next.broken("Decline", "SW-TRACE-001", detail).into());
                                }
                                handler.declined(prover, job, decline.reason, decline.cause).await?;
                                next.repeat()
                            },
                        })
                    }
                }
            },
            Bye(_), end => return Ok(end.close().await?),
        });
    }
}

async fn work<H: Handler>(
    mut session: Session<Trace, There<Leased>, Inner>,
    handler: &H,
    job: Hash,
) -> Result<(), ServeError> {
    let prover = session.peer();
    // The chunk for which the prover was told to wait. Chunks come in order, so while this one doesn't exist, those after it
    // don't either: their pulls, sent before the prover knew, are answered at once instead of being held one after another.
    let mut missing: Option<u32> = None;
    loop {
        session = offer!(session => {
            Pull(Pull { epoch, index }), answer => {
                let chunk = handler.chunk(prover, job, epoch, index);
                let held = missing.is_none_or(|first| index <= first);
                let part = if held { timing::hold(chunk).await } else { timing::now_or_never(chunk).await };
                let response = match part.transpose()? {
                    None => {
                        missing = Some(missing.map_or(index, |first| first.min(index)));
                        PullResponse::Pending { index }
                    }
                    Some(part) => {
                        missing = missing.filter(|first| index < *first);
                        match part {
                            ChunkAnswer::Chunk(chunk) => PullResponse::Chunk(chunk),
                            ChunkAnswer::End(ending) => PullResponse::End(ending),
                            ChunkAnswer::Lost { epoch } => PullResponse::Lost { epoch },
                        }
                    }
                };
                answer.send(response).await?.repeat()
            },
            Progress(progress), answer => {
                let progressed = handler.progress(prover, job, progress).await?;
                answer.send(progressed).await?.repeat()
            },
            Finish(Finish { epoch, proof }), answer => {
                let finished = handler.finished(prover, job, epoch, proof).await?;
                return Ok(answer.send(finished).await?.close().await?);
            },
            Abandon(Abandon { epoch, cause }), end => {
                handler.abandoned(prover, job, epoch, cause).await?;
                return Ok(end.close().await?);
            },
        });
    }
}
