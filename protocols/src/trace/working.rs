//! The prover's half once it has the witness: it reports while it proves, and finishes the job or gives it up.

use super::{Abandon, Finish, Finished, Idle, Leased, Progress, Progressed, ProverStage, Trace};
use shardwire_model::{Cause, Hash};
use shardwire_transport::{Session, SessionError};

/// The loops around a session without a job.
pub(super) type Outer = (Idle, ());

/// A prover with a lease that isn't fetching.
#[derive(Debug)]
#[must_use = "a job is finished or abandoned"]
pub struct Working {
    session: Session<Trace, Leased, (Leased, Outer)>,
    epoch: u64,
}

impl Working {
    pub(super) fn new(session: Session<Trace, Leased, (Leased, Outer)>, epoch: u64) -> Self {
        Self { session, epoch }
    }

    /// Says how far this prover is, which renews the lease. To be called every
    /// [`REPORT_EVERY`](super::REPORT_EVERY). If the lease is lost, the only sensible next step is to abandon the job (or to finish it,
    /// if the proof is nearly there: the settler takes the first).
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost, [`SessionError::Violation`] if the operator breaks the protocol.
    pub async fn report(self, stage: ProverStage, done: u64, of: u64) -> Result<(Progressed, Self), SessionError> {
        let Self { session, epoch } = self;
        let (progressed, session) = session.choose(Progress { epoch, stage, done, of }).await?.recv().await?;
        Ok((progressed, Self { session: session.repeat(), epoch }))
    }

    /// Says that there is a proof, which this prover has made durable. Ends the session.
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost, [`SessionError::Violation`] if the operator breaks the protocol.
    /// The operator may then lease the job again.
    pub async fn finish(self, proof: Hash) -> Result<Finished, SessionError> {
        let finish = Finish { epoch: self.epoch, proof };
        let (finished, end) = self.session.choose(finish).await?.recv().await?;
        end.close().await?;
        Ok(finished)
    }

    /// Gives the job up. Ends the session.
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost, [`SessionError::Violation`] if the operator breaks the protocol.
    pub async fn abandon(self, cause: impl Into<Cause>) -> Result<(), SessionError> {
        let abandon = Abandon { epoch: self.epoch, cause: cause.into() };
        self.session.choose(abandon).await?.close().await
    }
}
