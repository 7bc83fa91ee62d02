//! The prover's half until it has a lease: it asks for a job, and claims or declines what it is offered.

use super::{
    Answered, Bye, Claim, Considered, Decline, DeclineReason, Fetch, Idle, JobOffer, Lease, Nothing, Ready, Refused,
    ResumableJob, Trace, working::Outer,
};
use crate::timing;
use shardwire_model::{Cause, Hash, PeerId};
use shardwire_transport::{Branch, Initiator, Session, SessionError};
use tokio::time::Instant;

/// A prover without a job.
#[derive(Debug)]
pub struct Client {
    session: Session<Trace, Idle, Outer>,
    me: PeerId,
    /// When it may ask again, after it was told that there is nothing.
    not_before: Option<Instant>,
}

/// The operator's answer, and how to go on.
#[derive(Debug)]
#[must_use = "the session goes on in it"]
pub enum Next {
    /// No job for now: ask again.
    Nothing(Client),
    /// A job. Its content is consistent and has the name it says.
    Offered(Box<JobOffer>, Offered),
}

/// An offer that isn't answered yet.
#[derive(Debug)]
#[must_use = "an offer is claimed or declined"]
pub struct Offered {
    session: Session<Trace, Considered, Outer>,
    me: PeerId,
    job: Hash,
}

/// What became of a claim, and how to go on.
#[derive(Debug)]
#[must_use = "the session goes on in it"]
pub enum Claimed {
    /// The job is this prover's, by the lease: fetch its witness.
    Leased(Lease, Box<Fetch>),
    /// The operator refused; the client can ask for another job.
    Refused(Refused, Client),
}

impl Client {
    /// Begins; `me` is this prover.
    pub fn new(session: Initiator<Trace>, me: PeerId) -> Self {
        Self { session: session.enter(), me, not_before: None }
    }

    /// Asks for a job, rather one of those that it can resume (at most [`MAX_RESUMED`](super::MAX_RESUMED)). Waits up to
    /// [`HOLD`](crate::timing::HOLD) for one.
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost, [`SessionError::Violation`] if the offer contradicts itself.
    pub async fn ready(self, resumable: &[ResumableJob]) -> Result<Next, SessionError> {
        let me = self.me;
        let asked = timing::wait_until(self.not_before).await;
        let session: Session<Trace, Answered, Outer> =
            self.session.choose(Ready { resume: resumable.to_vec() }).await?;
        match session.offer().await? {
            Branch::First(nothing) => {
                let (Nothing {}, session) = nothing.recv().await?;
                let not_before = Some(asked + timing::ASK_INTERVAL);
                Ok(Next::Nothing(Self { session: session.repeat(), me, not_before }))
            }
            Branch::Second(offered) => {
                let (offer, session) = offered.recv::<JobOffer, _>().await?;
                match offer.validate() {
                    Ok(()) => {
                        let job = offer.job;
                        Ok(Next::Offered(Box::new(offer), Offered { session, me, job }))
                    }
                    Err(error) => Err(session.broken("JobOffer", error.rule(), error.to_string())),
                }
            }
        }
    }

    /// Ends the session in good order.
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost first, [`SessionError::Violation`] if the operator doesn't end its side.
    pub async fn close(self) -> Result<(), SessionError> {
        self.session.choose(Bye {}).await?.close().await
    }
}

impl Offered {
    /// Claims the job.
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost, [`SessionError::Violation`] if the lease isn't for this job and prover or not signed by the operator.
    pub async fn claim(self) -> Result<Claimed, SessionError> {
        let Self { session, me, job } = self;
        match session.choose(Claim { job }).await?.offer().await? {
            Branch::First(refused) => {
                let (refused, session) = refused.recv::<Refused, _>().await?;
                Ok(Claimed::Refused(refused, Client { session: session.repeat(), me, not_before: None }))
            }
            Branch::Second(leased) => {
                let (lease, session) = leased.recv::<Lease, _>().await?;
                let detail = match lease.verify(&session.peer()) {
                    Err(forged) => Some(forged.to_string()),
                    Ok(terms) if terms.job != job || terms.prover != me => {
                        Some("it leases another job, or to another prover".into())
                    }
                    Ok(_) => None,
                };
                if let Some(detail) = detail {
                    return Err(session.broken("Lease", "SW-TRACE-002", detail));
                }
                let fetch = Fetch::new(session.enter(), lease.statement.epoch);
                Ok(Claimed::Leased(lease, Box::new(fetch)))
            }
        }
    }

    /// Declines the job.
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost, [`SessionError::Violation`] if the operator breaks the protocol.
    pub async fn decline(self, reason: DeclineReason, cause: impl Into<Cause>) -> Result<Client, SessionError> {
        let decline = Decline { job: self.job, reason, cause: cause.into() };
        Ok(Client { session: self.session.choose(decline).await?.repeat(), me: self.me, not_before: None })
    }
}
