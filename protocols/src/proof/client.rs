//! The settler's half.

use super::{
    Announcement, Ask, Bye, DEPTH, Dispute, Fetching, MAX_PROOF_BYTES, Nothing, Objection, PIECE_BYTES, Piece, Proof,
    Pull, Ready, Receipt, Settlement, Skip, Turn, Version,
};
use crate::{pace, signed::Signed};
use shardwire_model::{Cause, Hash, Timestamp};
use shardwire_transport::{Branch, Identity, Initiator, Message as _, Session, SessionError};
use tokio::time::Instant;

type Outer<V> = (Turn<<V as Version>::Said>, ());
type Inner<V> = (Fetching, Outer<V>);

/// A settler that may ask.
#[derive(Debug)]
pub struct Client<V: Version = Proof> {
    session: Session<V, Turn<V::Said>, Outer<V>>,
    /// When it may ask again, after it was told that there is nothing.
    not_before: Option<Instant>,
}

/// The prover's answer, and how to go on.
#[derive(Debug)]
#[must_use = "the session goes on in it"]
pub enum Next<V: Version = Proof> {
    /// No proof for now: ask again.
    Nothing(Client<V>),
    /// A proof is ready; it has at most [`MAX_PROOF_BYTES`].
    Ready(Ready, Offered<V>),
}

/// A proof without a verdict: fetch it, then settle or dispute it; or skip it, or say at once that it is settled.
#[derive(Debug)]
#[must_use = "a proof is settled, disputed or skipped"]
pub struct Offered<V: Version = Proof> {
    session: Session<V, Fetching, Inner<V>>,
    ready: Ready,
    announcement: Option<Box<Announcement>>,
}

impl<V: Version> Client<V> {
    /// Begins.
    pub fn new(session: Initiator<V>) -> Self {
        Self::at(session.enter(), None)
    }

    fn at(session: Session<V, Turn<V::Said>, Outer<V>>, not_before: Option<Instant>) -> Self {
        Self { session, not_before }
    }

    /// Asks for a proof. Waits up to [`HOLD`](crate::pace::HOLD) for one.
    ///
    /// # Errors
    /// If the session fails, the proof is announced longer than it may be, or not as the version asks for.
    pub async fn ask(self) -> Result<Next<V>, SessionError> {
        let asked = pace::turn(self.not_before).await;
        match self.session.choose(Ask {}).await?.offer().await? {
            Branch::First(nothing) => {
                let (Nothing {}, session) = nothing.recv().await?;
                Ok(Next::Nothing(Self::at(session.again(), Some(asked + pace::PAUSE))))
            }
            Branch::Second(ready) => {
                let (said, session) = ready.recv::<V::Said, _>().await?;
                let (ready, announcement) = match V::read(said, session.peer()) {
                    Ok(read) => read,
                    Err((rule, detail)) => return Err(session.broken(V::Said::NAME, rule, detail)),
                };
                if ready.bytes == 0 || ready.bytes > MAX_PROOF_BYTES {
                    let detail = format!("a proof of {} bytes, where 1 to {MAX_PROOF_BYTES} are allowed", ready.bytes);
                    return Err(session.broken(V::Said::NAME, "SW-PROOF-005", detail));
                }
                let announcement = announcement.map(Box::new);
                Ok(Next::Ready(ready, Offered { session: session.enter(), ready, announcement }))
            }
        }
    }

    /// Ends the session in good order.
    ///
    /// # Errors
    /// If the session is lost first.
    pub async fn close(self) -> Result<(), SessionError> {
        self.session.choose(Bye {}).await?.close().await
    }
}

impl<V: Version> Offered<V> {
    /// What the prover signed about it; nothing in version 1.
    #[must_use]
    pub fn announcement(&self) -> Option<&Announcement> {
        self.announcement.as_deref()
    }

    /// Fetches the proof. Its bytes have the promised length and hash; whether they prove anything isn't known yet.
    ///
    /// # Errors
    /// If the session fails, or the bytes aren't those promised.
    pub async fn fetch(self) -> Result<(Vec<u8>, Self), SessionError> {
        let Self { session, ready, announcement } = self;
        let mut pipeline = session.pipeline::<DEPTH>();
        let pieces = ready.bytes.div_ceil(PIECE_BYTES);
        // Grows with what arrives, not with what is promised.
        let mut proof = Vec::new();
        let mut asked = 0;
        for due in 0..pieces {
            while asked < pieces && pipeline.has_room() {
                pipeline.request(Pull { index: asked }).await?;
                asked += 1;
            }
            let Piece { index, body } = pipeline.response().await?;
            let length = PIECE_BYTES.min(ready.bytes - due * PIECE_BYTES);
            if index != due || body.len() != length as usize {
                let detail = format!("piece {index} of {} bytes, where piece {due} of {length} was due", body.len());
                return Err(pipeline.broken("SW-PROOF-006", detail));
            }
            proof.extend_from_slice(&body);
        }
        if Hash::of(&proof) != ready.proof {
            return Err(pipeline.broken("SW-PROOF-007", "the proof's bytes don't have the promised hash"));
        }
        Ok((proof, Self { session: pipeline.pause()?, ready, announcement }))
    }

    /// Says that the output is settled, after that is durable.
    ///
    /// # Errors
    /// If the session fails: the proof is then offered again.
    pub async fn settled(
        self,
        identity: &Identity,
        settled_at: Timestamp,
    ) -> Result<(Receipt, Client<V>), SessionError> {
        let Ready { shard, segment, proof, .. } = self.ready;
        let receipt = Signed::by(identity, Settlement { shard, segment, proof, settled_at });
        let session = self.session.choose(receipt.clone()).await?;
        Ok((receipt, Client::at(session.outer().again(), None)))
    }

    /// Says that the proof fails a check.
    ///
    /// # Errors
    /// If the session fails: the proof is then offered again.
    pub async fn dispute(
        self,
        identity: &Identity,
        cause: impl Into<Cause>,
    ) -> Result<(Dispute, Client<V>), SessionError> {
        let Ready { shard, segment, proof, .. } = self.ready;
        let dispute = Signed::by(identity, Objection { shard, segment, proof, cause: cause.into() });
        let session = self.session.choose(dispute.clone()).await?;
        Ok((dispute, Client::at(session.outer().again(), None)))
    }

    /// Says that the proof isn't wanted.
    ///
    /// # Errors
    /// If the session fails.
    pub async fn skip(self, cause: impl Into<Cause>) -> Result<Client<V>, SessionError> {
        let skip = Skip { shard: self.ready.shard, cause: cause.into() };
        Ok(Client::at(self.session.choose(skip).await?.outer().again(), None))
    }
}
