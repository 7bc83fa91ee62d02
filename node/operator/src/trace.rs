//! The operator serves provers: jobs, leases, chunks.

use super::{
    Operator,
    error::OperatorError,
    events::{ChunkServed, ClaimRefused, JobAbandoned, JobDeclined, JobLeased, JobProven, JobTakenBack},
    job::Job,
    lease::Asker,
    waiting::{GIVES_WAY, LOOK_AGAIN_SOON},
};
use shardwire_model::{Cause, Coded as _, Hash, PeerId};
use shardwire_protocols::{
    Failure,
    trace::{
        ChunkAnswer, DeclineReason, Finished, Grant, Handler, JobOffer, Lease, Progress, Progressed, ProverStage,
        ResumableJob, Trace,
    },
};
use shardwire_reputation::{AddressRange, Tier};
use shardwire_transport::Protocol as _;
use std::time::Duration;
use tokio::time::{sleep, timeout, timeout_at};

/// How often it is looked whether a job is free by the passing of time alone, for a prover that waits.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Operator {
    fn leased(&self, job: Hash) -> Result<Job, Failure> {
        Ok(self.job(job).ok_or(OperatorError::NoJob)?)
    }

    /// The job that this prover is offered now: one that is ready to be proven before those whose runs go on, and then one that it has begun before
    /// others. While it is patient it gives way, to better provers that ask and if it holds all the leases that it may. One that it holds it is offered
    /// only if it names it: it asks for another one then.
    fn free(&self, prover: PeerId, resumable: &[ResumableJob], patient: bool) -> Option<JobOffer> {
        let all = self.jobs();
        let named = |job: &Job| resumable.iter().any(|it| it.job == job.segment.job);
        let tier_of = |peer| self.host.peers.standing(peer).tier();
        let tier = tier_of(prover);
        let network = self.network(prover, tier);
        let is_free = |other, has_begun, job: &Job| {
            let network = network.filter(|_| other == prover);
            let asker = Asker { prover: other, tier: tier_of(other), has_begun, network };
            job.segment.leases.is_free(asker, job.work(), tier_of)
        };
        let may_have = |other, job: &Job| {
            let has_begun = other == prover && named(job);
            is_free(other, has_begun, job) && self.leases_left(other, &all, job.segment.job).is_ok()
        };
        let better = |job: &Job| self.waiting.better(tier, |other| other != prover && may_have(other, job));
        let yields = |job: &Job| patient && (!may_have(prover, job) || better(job));
        let at_it = |job: &Job| job.segment.leases.is_at_work(prover) && !named(job);
        let free = |job: &Job| job.is_provable() && is_free(prover, named(job), job) && !at_it(job) && !yields(job);
        // A job that it has begun and that is over is offered once more: the claim is then refused, which says why.
        let over = |job: &Job| named(job) && !job.segment.leases.has_declined(prover);
        let offered = |job: &&Job| job.run.is_assigned() && if job.run.is_open() { free(job) } else { over(job) };
        let mut jobs: Vec<_> = all.iter().filter(offered).collect();
        jobs.sort_by_key(|job| (job.run.is_open() && !job.has_ended(), !named(job)));
        jobs.first().and_then(|job| job.offer())
    }

    /// The network that a prover in tier low comes from: keys cost nothing, networks do. This machine is none: those on it are all of one person.
    fn network(&self, prover: PeerId, tier: Option<Tier>) -> Option<AddressRange> {
        if tier > Some(Tier::Low) {
            return None;
        }
        let address = self.host.peers.address(prover)?;
        (!address.to_canonical().is_loopback()).then(|| AddressRange::network(address))
    }

    /// Whether the prover may have one more lease, of this job, by the quota of the tier that it is in now.
    fn leases_left(&self, prover: PeerId, jobs: &[Job], job: Hash) -> Result<(), OperatorError> {
        // A lease of the job that it has already is replaced.
        let others = jobs.iter().filter(|it| it.segment.job != job && it.run.is_provable());
        let held = others.filter(|it| it.segment.leases.is_at_work(prover)).count();
        let most = self.host.peers.quota(prover, Trace::NAME).map_or(0, |quota| quota.leases);
        if held < most as usize { Ok(()) } else { Err(OperatorError::LeasesHeld { held, most }) }
    }

    /// Waits until there is a job for this prover.
    async fn found(&self, prover: PeerId, resumable: &[ResumableJob], patient: bool) -> JobOffer {
        loop {
            let changed = self.changes.next();
            let is_newcomer = self.host.peers.standing(prover).tier() <= Some(Tier::Low);
            let found = self.free(prover, resumable, patient);
            if let Some(offer) = found.filter(|_| !is_newcomer || self.newcomers.take()) {
                return offer;
            }
            if is_newcomer {
                sleep(LOOK_AGAIN_SOON).await;
            }
            let _ = timeout(LOOK_AGAIN, changed).await;
        }
    }

    async fn grant(&self, prover: PeerId, id: Hash) -> Result<Grant, Failure> {
        // Of one prover one at a time, so that no two of its claims take its last lease.
        let turn = self.claiming.take(prover).await;
        let job = self.leased(id)?;
        if let Some(over) = job.run.over() {
            job.segment.leases.declined(prover, DeclineReason::GivenUp, job.work());
            return Ok(Grant::Refused(over.into()));
        }
        let tier = self.host.peers.standing(prover).tier();
        let asker = Asker { prover, tier, has_begun: true, network: self.network(prover, tier) };
        let granted = match self.leases_left(prover, &self.jobs(), id) {
            Ok(()) => {
                let leases = async move {
                    let granted = job.lease_to(asker).await;
                    drop(turn);
                    granted
                };
                self.host.see_through(leases).await
            }
            Err(refused) => Err(refused),
        };
        match granted {
            Ok(lease) => Ok(Grant::Leased(lease)),
            Err(refused @ (OperatorError::Leased { .. } | OperatorError::LeasesHeld { .. })) => {
                let (code, error) = (refused.code(), refused.to_string());
                self.events.emit(ClaimRefused { job: id, prover, code, error });
                Ok(Grant::Refused(refused.into()))
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Job {
    /// Leases the job to a prover. To be seen through, as the two below.
    async fn lease_to(&self, asker: Asker) -> Result<Lease, OperatorError> {
        let Self { run, segment } = self;
        let (job, prover) = (segment.job, asker.prover);
        let (lease, replaced) = segment.leases.grant(&run.host, job, asker, self.work()).await?;
        if let Some(replaced) = replaced {
            run.events.emit(JobTakenBack { job, prover: replaced });
            // Its pulls that wait are told.
            run.progress.announce();
        }
        run.events.emit(JobLeased { job, prover, epoch: lease.statement.epoch });
        run.streams(job).await?;
        Ok(lease)
    }

    /// Takes in that a prover says that it has a proof. That there is one, a settler says.
    async fn claimed(&self, prover: PeerId, epoch: u64, proof: Hash) -> Result<Finished, OperatorError> {
        let Self { run, segment } = self;
        if let Err(epoch) = segment.leases.claims(&run.host, (prover, epoch), proof, self.work()).await? {
            return Ok(Finished::Lost { epoch });
        }
        run.events.emit(JobProven { job: segment.job, prover, proof });
        run.changes.announce();
        Ok(Finished::Acknowledged)
    }

    /// Takes the job back from a prover that gives it back.
    async fn given_back(&self, prover: PeerId, epoch: u64) -> Result<(), OperatorError> {
        let Self { run, segment } = self;
        if segment.leases.end(&run.host, (prover, epoch), self.work()).await? {
            run.progress.announce();
            run.changes.announce();
        }
        Ok(())
    }
}

impl Handler for Operator {
    async fn offer(&self, prover: PeerId, resumable: &[ResumableJob]) -> Result<JobOffer, Failure> {
        let named = |job: &Job| job.run.is_open() && resumable.iter().any(|it| it.job == job.segment.job);
        for job in self.jobs().iter().filter(|job| named(job)) {
            job.segment.leases.named_by(prover);
        }
        let question = self.waiting.begin(prover, self.host.peers.standing(prover).tier());
        let gives_way = question.since + GIVES_WAY;
        if let Ok(offer) = timeout_at(gives_way, self.found(prover, resumable, true)).await {
            return Ok(offer);
        }
        Ok(self.found(prover, resumable, false).await)
    }

    async fn claim(&self, prover: PeerId, job: Hash) -> Result<Grant, Failure> {
        self.waiting.answered(prover);
        self.grant(prover, job).await
    }

    async fn declined(&self, prover: PeerId, id: Hash, reason: DeclineReason, cause: Cause) -> Result<(), Failure> {
        self.events.emit(JobDeclined { job: id, prover, cause: cause.to_string() });
        self.waiting.answered(prover);
        let job = self.leased(id)?;
        job.segment.leases.declined(prover, reason, job.work());
        // Its lease may have outlived a session that was lost. What it doesn't go on with, others may have at once.
        if let Some(epoch) = job.segment.leases.at_work(prover) {
            self.host.see_through(async move { job.given_back(prover, epoch).await }).await?;
        }
        Ok(())
    }

    async fn chunk(&self, prover: PeerId, id: Hash, epoch: u64, index: u32) -> Result<ChunkAnswer, Failure> {
        let job = self.leased(id)?;
        let look = || match job.renew(prover, epoch, Some(index)) {
            Ok(()) => Ok(job.find(index)?.map(Ok)),
            Err(epoch) => Ok::<_, OperatorError>(Some(Err(epoch))),
        };
        Ok(match job.run.progress.until(look).await? {
            Ok(found) => {
                let answer = job.answer(index, found).await?;
                if let ChunkAnswer::Chunk(chunk) = &answer {
                    self.events.emit(ChunkServed { job: id, prover, index, bytes: chunk.body.len() as u64 });
                }
                answer
            }
            Err(epoch) => ChunkAnswer::Lost { epoch },
        })
    }

    async fn progress(&self, prover: PeerId, job: Hash, progress: Progress) -> Result<Progressed, Failure> {
        let job = self.leased(job)?;
        Ok(match job.renew(prover, progress.epoch, None) {
            Ok(()) => {
                if matches!(progress.stage, ProverStage::Assembling | ProverStage::Proving) {
                    job.run.proves().await?;
                }
                Progressed::Renewed { expires: job.expires(prover) }
            }
            Err(epoch) => Progressed::Lost { epoch },
        })
    }

    async fn finished(&self, prover: PeerId, job: Hash, epoch: u64, proof: Hash) -> Result<Finished, Failure> {
        let job = self.leased(job)?;
        if let Err(epoch) = job.renew(prover, epoch, None) {
            return Ok(Finished::Lost { epoch });
        }
        Ok(self.host.see_through(async move { job.claimed(prover, epoch, proof).await }).await?)
    }

    async fn abandoned(&self, prover: PeerId, id: Hash, epoch: u64, cause: Cause) -> Result<(), Failure> {
        let job = self.leased(id)?;
        self.events.emit(JobAbandoned { job: id, prover, cause: cause.to_string() });
        if job.renew(prover, epoch, None).is_ok() {
            self.host.see_through(async move { job.given_back(prover, epoch).await }).await?;
        }
        Ok(())
    }
}
