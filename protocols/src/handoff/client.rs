//! The operator's half.

use super::{
    Acceptance, Answered, Ask, Assign, Assigned, AssignmentTerms, Bye, Closed, Cut, Decline, Handoff, KnownVerdict,
    Nothing, ProofVerdict, Turn,
};
use crate::{signed::Signed, timing};
use shardwire_model::{Cause, ShardId};
use shardwire_transport::{Branch, Identity, Initiator, Session, SessionError};
use tokio::time::Instant;

type Loop = (Turn, ());

/// An operator that may ask.
#[derive(Debug)]
pub struct Client {
    session: Session<Handoff, Turn, Loop>,
    /// When it may ask again, after it was told that there is nothing, or declined what there was.
    not_before: Option<Instant>,
}

/// The settler's answer, and how to go on.
#[derive(Debug)]
#[must_use = "the session goes on in it"]
pub enum Next {
    /// Nothing for now: ask again.
    Nothing(Client),
    /// A shard to execute. Its start data is consistent and for this operator; its values are as many as its entries; the settler has signed that.
    Assign(Box<Assign>, Pending),
    /// What became of a shard that was named. It is repeated until the shard is named no longer.
    Closed(Closed, Client),
    /// The verdict on a proof of a shard that was named.
    Verdict(ProofVerdict, Client),
}

/// An assignment that isn't answered yet.
#[derive(Debug)]
#[must_use = "an assignment is accepted or declined"]
pub struct Pending {
    session: Session<Handoff, Assigned, Loop>,
    shard: ShardId,
    epoch: u64,
    asked: Instant,
}

impl Client {
    /// Begins at the session's first state.
    pub fn new(session: Initiator<Handoff>) -> Self {
        Self::at(session.enter(), None)
    }

    fn at(session: Session<Handoff, Turn, Loop>, not_before: Option<Instant>) -> Self {
        Self { session, not_before }
    }

    /// Asks for work, naming the shards that were accepted and not closed, the verdicts on proofs of them that were told, and where their runs were cut. Waits up to
    /// [`HOLD`](crate::timing::HOLD) for something to happen. `identity` is this operator's.
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost, [`SessionError::Violation`] if the settler's answer contradicts itself. More than [`MAX_KNOWN`](super::MAX_KNOWN) shards, [`MAX_VERDICTS`](super::MAX_VERDICTS) verdicts or [`MAX_CUTS`](super::MAX_CUTS) cuts can't be named.
    pub async fn ask(
        self,
        identity: &Identity,
        known: &[ShardId],
        verdicts: &[KnownVerdict],
        cuts: &[Cut],
    ) -> Result<Next, SessionError> {
        let asked = timing::wait_until(self.not_before).await;
        let ask = Ask { known: known.to_vec(), verdicts: verdicts.to_vec(), cuts: cuts.to_vec() };
        let session: Session<Handoff, Answered, Loop> = self.session.choose(ask).await?;
        match session.offer().await? {
            Branch::First(nothing) => {
                let (Nothing {}, session) = nothing.recv().await?;
                Ok(Next::Nothing(Self::at(session.repeat(), Some(asked + timing::ASK_INTERVAL))))
            }
            Branch::Second(more) => match more.offer().await? {
                Branch::First(assign) => {
                    let (assign, session) = assign.recv::<Assign, _>().await?;
                    let terms = assign.terms();
                    let forged = || terms.verify(&session.peer()).err().map(|forged| forged.to_string());
                    let broken = contradiction(&assign, identity).map(|detail| ("SW-HANDOFF-001", detail));
                    match broken.or_else(|| Some(("SW-HANDOFF-006", forged()?))) {
                        Some((rule, detail)) => Err(session.broken("Assign", rule, detail)),
                        None => {
                            let (shard, epoch) = (assign.start.shard, assign.epoch);
                            let pending = Pending { session, shard, epoch, asked };
                            Ok(Next::Assign(Box::new(assign), pending))
                        }
                    }
                }
                Branch::Second(news) => match news.offer().await? {
                    Branch::First(closed) => {
                        let (closed, session) = closed.recv::<Closed, _>().await?;
                        if !known.contains(&closed.shard) {
                            let detail = format!("shard {} is closed, which wasn't asked about", closed.shard.short());
                            return Err(session.broken("Closed", "SW-HANDOFF-002", detail));
                        }
                        Ok(Next::Closed(closed, Self::at(session.repeat(), None)))
                    }
                    Branch::Second(news) => {
                        let (news, session) = news.recv::<ProofVerdict, _>().await?;
                        let shard = news.shard.short();
                        let detail = if !known.contains(&news.shard) {
                            Some(format!("it is on a proof of shard {shard}, which wasn't asked about"))
                        } else if verdicts.contains(&news.known()) {
                            Some(format!("it is on a proof of shard {shard}, and was told before"))
                        } else {
                            None
                        };
                        match detail {
                            Some(detail) => Err(session.broken("ProofVerdict", "SW-HANDOFF-005", detail)),
                            None => Ok(Next::Verdict(news, Self::at(session.repeat(), None))),
                        }
                    }
                },
            },
        }
    }

    /// Ends the session in good order.
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost first, [`SessionError::Violation`] if the settler doesn't end its side.
    pub async fn close(self) -> Result<(), SessionError> {
        self.session.choose(Bye {}).await?.close().await
    }
}

fn contradiction(assign: &Assign, identity: &Identity) -> Option<String> {
    let Assign { start, values, .. } = assign;
    if let Err(error) = start.validate() {
        return Some(format!("the start data contradicts itself: {error}"));
    }
    if start.operator != identity.peer() {
        return Some(format!("the shard is for operator {}", start.operator.short()));
    }
    (values.len() != start.entries.len())
        .then(|| format!("{} values for {} entries", values.len(), start.entries.len()))
}

impl Assign {
    /// What the settler signed by it.
    #[must_use]
    pub fn terms(&self) -> Signed<AssignmentTerms> {
        Signed { statement: AssignmentTerms::of(&self.start, &self.values), signature: self.signature }
    }
}

impl Pending {
    /// Accepts, after the assignment was made durable.
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost, [`SessionError::Violation`] if the settler breaks the protocol.
    /// The settler then assigns the shard again, and accepting it again is harmless.
    pub async fn accept(self, identity: &Identity) -> Result<Client, SessionError> {
        let accept = Signed::by(identity, Acceptance { shard: self.shard, epoch: self.epoch });
        Ok(Client::at(self.session.choose(accept).await?.repeat(), None))
    }

    /// Refuses the assignment, and says why. The next question waits a little, since the settler may have another shard that is declined.
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost, [`SessionError::Violation`] if the settler breaks the protocol.
    pub async fn decline(self, cause: impl Into<Cause>) -> Result<Client, SessionError> {
        let decline = Decline { shard: self.shard, cause: cause.into() };
        let session = self.session.choose(decline).await?.repeat();
        Ok(Client::at(session, Some(self.asked + timing::ASK_INTERVAL)))
    }
}
