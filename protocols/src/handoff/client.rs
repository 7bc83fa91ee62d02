//! The operator's half.

use super::{Acceptance, Answered, Ask, Assign, Assigned, Bye, Closed, Decline, Handoff, Nothing, Turn};
use crate::{Cause, signed::Signed};
use shardwire_model::ShardId;
use shardwire_transport::{Branch, Identity, Protocol, Session, SessionError};

type Loop = (Turn, ());

/// An operator that may ask.
#[derive(Debug)]
pub struct Client(Session<Turn, Loop>);

/// The settler's answer, and how to go on.
#[derive(Debug)]
#[must_use = "the session goes on in it"]
pub enum Next {
    /// Nothing for now: ask again.
    Nothing(Client),
    /// A shard to execute. Its start data is consistent and for this operator; its values are as many as its entries.
    Assign(Box<Assign>, Pending),
    /// What became of a shard that was named. It is repeated until the shard is named no longer.
    Closed(Closed, Client),
}

/// An assignment that isn't answered yet.
#[derive(Debug)]
#[must_use = "an assignment is accepted or declined"]
pub struct Pending {
    session: Session<Assigned, Loop>,
    shard: ShardId,
    epoch: u64,
}

impl Client {
    /// Begins.
    pub fn new(session: Session<<Handoff as Protocol>::Initiator>) -> Self {
        Self(session.enter())
    }

    /// Asks for work, naming the shards that were accepted and not closed. Waits up to
    /// [`HOLD`](crate::pace::HOLD) for something to happen. `identity` is this operator's.
    ///
    /// # Errors
    /// If the session fails, or the settler's answer contradicts itself. More than [`MAX_KNOWN`](super::MAX_KNOWN) shards can't be named.
    pub async fn ask(self, identity: &Identity, known: &[ShardId]) -> Result<Next, SessionError> {
        let session: Session<Answered, Loop> = self.0.choose(Ask { known: known.to_vec() }).await?;
        match session.offer().await? {
            Branch::First(nothing) => {
                let (Nothing {}, session) = nothing.recv().await?;
                Ok(Next::Nothing(Self(session.again())))
            }
            Branch::Second(more) => match more.offer().await? {
                Branch::First(assign) => {
                    let (assign, session) = assign.recv::<Assign, _>().await?;
                    match contradiction(&assign, identity) {
                        Some(detail) => Err(session.broken("awaiting Assign", "SW-HANDOFF-001", detail)),
                        None => {
                            let pending = Pending { session, shard: assign.start.shard, epoch: assign.epoch };
                            Ok(Next::Assign(Box::new(assign), pending))
                        }
                    }
                }
                Branch::Second(closed) => {
                    let (closed, session) = closed.recv::<Closed, _>().await?;
                    if !known.contains(&closed.shard) {
                        let detail = format!("shard {} is closed, which wasn't asked about", closed.shard.short());
                        return Err(session.broken("awaiting Closed", "SW-HANDOFF-002", detail));
                    }
                    Ok(Next::Closed(closed, Self(session.again())))
                }
            },
        }
    }

    /// Ends the session in good order.
    ///
    /// # Errors
    /// If the session is lost first.
    pub async fn close(self) -> Result<(), SessionError> {
        self.0.choose(Bye {}).await?.close().await
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

impl Pending {
    /// Accepts, after the assignment was made durable.
    ///
    /// # Errors
    /// If the session fails: the settler then assigns the shard again, and accepting it again is harmless.
    pub async fn accept(self, identity: &Identity) -> Result<Client, SessionError> {
        let accept = Signed::by(identity, Acceptance { shard: self.shard, epoch: self.epoch });
        Ok(Client(self.session.choose(accept).await?.again()))
    }

    /// Declines.
    ///
    /// # Errors
    /// If the session fails.
    pub async fn decline(self, cause: impl Into<Cause>) -> Result<Client, SessionError> {
        let decline = Decline { shard: self.shard, cause: cause.into() };
        Ok(Client(self.session.choose(decline).await?.again()))
    }
}
