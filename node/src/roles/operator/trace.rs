//! The operator serves provers: jobs, leases, chunks.

use super::{Operator, OperatorError, run::Run};
use shardwire_model::{Coded as _, Hash, PeerId};
use shardwire_protocols::{
    Cause, Failure,
    trace::{Begun, Finished, Grant, Handler, JobOffer, Part, Progress, Progressed},
};
use std::sync::Arc;

impl Operator {
    fn leased(&self, job: Hash) -> Result<Arc<Run>, Failure> {
        Ok(self.job(job).ok_or(OperatorError::NoJob)?)
    }
}

impl Handler for Operator {
    async fn offer(&self, prover: PeerId, begun: &[Begun]) -> Result<JobOffer, Failure> {
        let free = || {
            let now = self.host.clock.now();
            let mut jobs: Vec<_> = self.runs();
            jobs.retain(|run| run.is_provable() && run.leases.is_free(prover, now));
            jobs.sort_by_key(|run| !begun.iter().any(|it| it.job == run.job));
            Ok::<_, Failure>(jobs.first().map(|run| run.offer()))
        };
        self.changes.until(free).await
    }

    async fn claim(&self, prover: PeerId, job: Hash) -> Result<Grant, Failure> {
        match self.leased(job)?.leases.grant(&self.host, job, prover) {
            Ok(lease) => {
                tracing::info!(job = %job.short(), prover = %prover.short(), epoch = lease.statement.epoch, "job leased");
                Ok(Grant::Leased(lease))
            }
            Err(leased @ OperatorError::Leased { .. }) => Ok(Grant::Refused(leased.into())),
            Err(error) => Err(error.into()),
        }
    }

    async fn declined(&self, prover: PeerId, job: Hash, cause: Cause) -> Result<(), Failure> {
        tracing::warn!(job = %job.short(), prover = %prover.short(), "prover declines the job: {cause}");
        self.leased(job)?.leases.declined(prover);
        Ok(())
    }

    async fn chunk(&self, prover: PeerId, job: Hash, epoch: u64, index: u32) -> Result<Part, Failure> {
        let run = self.leased(job)?;
        let look = || match run.leases.renew(prover, epoch, self.host.clock.now()) {
            Ok(_) => run.part(index),
            Err(epoch) => Ok(Some(Part::Lost { epoch })),
        };
        Ok(self.changes.until(look).await?)
    }

    async fn progress(&self, prover: PeerId, job: Hash, progress: Progress) -> Result<Progressed, Failure> {
        let run = self.leased(job)?;
        Ok(match run.leases.renew(prover, progress.epoch, self.host.clock.now()) {
            Ok(expires) => {
                run.leases.reached(progress.stage);
                Progressed::Renewed { expires }
            }
            Err(epoch) => Progressed::Lost { epoch },
        })
    }

    async fn finished(&self, prover: PeerId, job: Hash, epoch: u64, proof: Hash) -> Result<Finished, Failure> {
        let run = self.leased(job)?;
        Ok(match run.leases.renew(prover, epoch, self.host.clock.now()) {
            Ok(_) => {
                run.leases.proven(&self.host, proof)?;
                tracing::info!(job = %job.short(), prover = %prover.short(), proof = %proof.short(), "prover has the proof");
                Finished::Acknowledged
            }
            Err(epoch) => Finished::Lost { epoch },
        })
    }

    async fn abandoned(&self, prover: PeerId, job: Hash, epoch: u64, cause: Cause) -> Result<(), Failure> {
        let run = self.leased(job)?;
        tracing::warn!(job = %job.short(), prover = %prover.short(), "prover gives the job up: {cause}");
        if run.leases.renew(prover, epoch, self.host.clock.now()).is_ok() {
            run.leases.end(&self.host)?;
            self.changes.announce();
        }
        Ok(())
    }
}

/// A failed role tells its peer the code and the text.
impl From<OperatorError> for Grant {
    fn from(error: OperatorError) -> Self {
        Self::Refused(Cause::new(error.code(), &error.to_string()))
    }
}
