//! The settler's half.

use super::{
    Announcement, Ask, Bye, DEPTH, Dispute, Fetching, Nothing, Objection, PROOF_CHUNK_BYTES, Proof, ProofChunk, Pull,
    Ready, Receipt, Settlement, Skip, SkipReason, Turn,
};
use crate::{signed::Signed, timing};
use shardwire_model::{Cause, Hash, MAX_PROOF_BYTES, PeerId, Timestamp};
use shardwire_transport::{Branch, Identity, Initiator, Message as _, Session, SessionError};
use tokio::time::Instant;

type Outer = (Turn, ());
type Inner = (Fetching, Outer);

/// A settler that may ask.
#[derive(Debug)]
pub struct Client {
    session: Session<Proof, Turn, Outer>,
    /// When it may ask again, after it was told that there is nothing.
    not_before: Option<Instant>,
}

/// The prover's answer, and how to go on.
#[derive(Debug)]
#[must_use = "the session goes on in it"]
pub enum Next {
    /// No proof for now: ask again.
    Nothing(Client),
    /// A proof is ready; it has at most [`MAX_PROOF_BYTES`].
    Ready(Ready, Offered),
}

/// A proof that waits for a reply: fetch it, then settle or dispute it; or skip it, or say at once that it is settled.
#[derive(Debug)]
#[must_use = "a proof is settled, disputed or skipped"]
pub struct Offered {
    session: Session<Proof, Fetching, Inner>,
    ready: Ready,
    announcement: Box<Announcement>,
}

impl Client {
    /// Begins at the session's first state.
    pub fn new(session: Initiator<Proof>) -> Self {
        Self::at(session.enter(), None)
    }

    fn at(session: Session<Proof, Turn, Outer>, not_before: Option<Instant>) -> Self {
        Self { session, not_before }
    }

    /// Asks for a proof. Waits up to [`HOLD`](crate::timing::HOLD) for one.
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost, [`SessionError::Violation`] if the prover announces a proof longer than it may be, or doesn't sign it as it has to.
    pub async fn ask(self) -> Result<Next, SessionError> {
        let asked = timing::wait_until(self.not_before).await;
        match self.session.choose(Ask {}).await?.offer().await? {
            Branch::First(nothing) => {
                let (Nothing {}, session) = nothing.recv().await?;
                Ok(Next::Nothing(Self::at(session.repeat(), Some(asked + timing::ASK_INTERVAL))))
            }
            Branch::Second(ready) => {
                let (announcement, session) = ready.recv::<Announcement, _>().await?;
                let ready = match read(&announcement, session.peer()) {
                    Ok(ready) => ready,
                    Err((rule, detail)) => return Err(session.broken(Announcement::NAME, rule, detail)),
                };
                if ready.bytes == 0 || ready.bytes > MAX_PROOF_BYTES {
                    let detail = format!("a proof of {} bytes, where 1 to {MAX_PROOF_BYTES} are allowed", ready.bytes);
                    return Err(session.broken(Announcement::NAME, "SW-PROOF-005", detail));
                }
                let announcement = Box::new(announcement);
                Ok(Next::Ready(ready, Offered { session: session.enter(), ready, announcement }))
            }
        }
    }

    /// Ends the session in good order.
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost first, [`SessionError::Violation`] if the prover doesn't end its side.
    pub async fn close(self) -> Result<(), SessionError> {
        self.session.choose(Bye {}).await?.close().await
    }
}

impl Offered {
    /// What the prover signed about it.
    #[must_use]
    pub fn announcement(&self) -> &Announcement {
        &self.announcement
    }

    /// Fetches the proof. Its bytes have the promised length and hash; whether they prove anything isn't known yet.
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost, [`SessionError::Violation`] if the bytes aren't those promised.
    pub async fn fetch(self) -> Result<(Vec<u8>, Self), SessionError> {
        let Self { session, ready, announcement } = self;
        let mut pipeline = session.pipeline::<DEPTH>();
        let chunks = ready.bytes.div_ceil(PROOF_CHUNK_BYTES);
        // Grows with what arrives, not with what is promised.
        let mut proof = Vec::new();
        let mut asked = 0;
        for due in 0..chunks {
            while asked < chunks && pipeline.has_room() {
                pipeline.request(Pull { index: asked }).await?;
                asked += 1;
            }
            let ProofChunk { index, body } = pipeline.response().await?;
            let length = PROOF_CHUNK_BYTES.min(ready.bytes - due * PROOF_CHUNK_BYTES);
            if index != due || body.len() != length as usize {
                let detail = format!("chunk {index} of {} bytes, where chunk {due} of {length} was due", body.len());
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
    /// [`SessionError::Lost`] if the connection is lost, [`SessionError::Violation`] if the prover breaks the protocol.
    /// The proof is then offered again.
    pub async fn settled(self, identity: &Identity, settled_at: Timestamp) -> Result<(Receipt, Client), SessionError> {
        let Ready { shard, segment, proof, .. } = self.ready;
        let receipt = Signed::by(identity, Settlement { shard, segment, proof, settled_at });
        let session = self.session.choose(receipt.clone()).await?;
        Ok((receipt, Client::at(session.outer().repeat(), None)))
    }

    /// Says that the proof fails a check.
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost, [`SessionError::Violation`] if the prover breaks the protocol.
    /// The proof is then offered again.
    pub async fn dispute(
        self,
        identity: &Identity,
        cause: impl Into<Cause>,
    ) -> Result<(Dispute, Client), SessionError> {
        let Ready { shard, segment, proof, .. } = self.ready;
        let dispute = Signed::by(identity, Objection { shard, segment, proof, cause: cause.into() });
        let session = self.session.choose(dispute.clone()).await?;
        Ok((dispute, Client::at(session.outer().repeat(), None)))
    }

    /// Says that the proof isn't wanted.
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost, [`SessionError::Violation`] if the prover breaks the protocol.
    pub async fn skip(self, reason: SkipReason, cause: impl Into<Cause>) -> Result<Client, SessionError> {
        let skip = Skip { shard: self.ready.shard, reason, cause: cause.into() };
        Ok(Client::at(self.session.choose(skip).await?.outer().repeat(), None))
    }
}

/// A rule that an announcement breaks: its code, and how.
type Broken = (&'static str, String);

/// What was announced, if the prover signed it, and the operator the lease that it names.
fn read(announcement: &Announcement, prover: PeerId) -> Result<Ready, Broken> {
    let announced = announcement.verify(&prover).map_err(|forged| ("SW-PROOF-008", forged.to_string()))?;
    if let Some(leased) = &announced.leased {
        if leased.terms.job != announced.ready.job || leased.terms.prover != prover {
            return Err(("SW-PROOF-009", "the lease is of another job, or to another prover".into()));
        }
        leased.verify().map_err(|forged| ("SW-PROOF-009", forged.to_string()))?;
    }
    Ok(announced.ready)
}
