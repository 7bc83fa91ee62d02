//! The prover's half.

use super::{
    Announced, Announcement, Ask, Bye, Dispute, Fetching, Leased, Nothing, PROOF_CHUNK_BYTES, Proof, ProofChunk, Pull,
    Ready, Receipt, Skip, SkipReason, Turn,
};
use crate::{Failure, ServeError, signed::Signed, timing};
use shardwire_model::{Cause, Hash, PeerId, ShardId};
use shardwire_transport::{Bytes, Identity, Responder, Session, algebra::HasDual, offer};
use std::future::Future;

/// What a settler replies to a proof that it was offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Its output is settled. Signed by the settler: keep it.
    Settled(Receipt),
    /// A check failed. Signed by the settler: keep it with the proof.
    Disputed(Dispute),
    /// It isn't wanted.
    Skipped {
        /// The shard.
        shard: ShardId,
        /// What the prover acts on.
        reason: SkipReason,
        /// The same for a person.
        cause: Cause,
    },
}

/// A proof that a prover has for a settler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredProof {
    /// The shard that it settles.
    pub shard: ShardId,
    /// Which segment of the shard's run.
    pub segment: u32,
    /// The job that it proves.
    pub job: Hash,
    /// Its hash.
    pub proof: Hash,
    /// Its bytes, at most [`MAX_PROOF_BYTES`](shardwire_model::MAX_PROOF_BYTES).
    pub bytes: Bytes,
    /// Under which lease it was made, if that is known.
    pub leased: Option<Leased>,
}

impl StoredProof {
    /// Says that it is ready, signed.
    #[must_use]
    pub fn announce(&self, prover: &Identity) -> Announcement {
        let Self { shard, segment, job, proof, .. } = *self;
        // A proof over its bound is refused by the settler, not cut here.
        let bytes = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        let ready = Ready { shard, segment, job, proof, bytes };
        Signed::by(prover, Announced { ready, leased: self.leased.clone() })
    }
}

/// The prover's side: proofs, and what settlers reply.
pub trait Handler: Sync {
    /// Waits until there is a proof for this settler to which it hasn't replied. May be dropped while it waits.
    fn next(&self, settler: PeerId) -> impl Future<Output = Result<StoredProof, Failure>> + Send;

    /// Makes the settler's reply durable: the proof isn't offered to it again.
    fn replied(&self, settler: PeerId, proof: Hash, reply: Reply) -> impl Future<Output = Result<(), Failure>> + Send;
}

type There<P> = <P as HasDual>::Dual;
type Outer = (There<Turn>, ());
type Inner = (There<Fetching>, Outer);

/// Serves a settler until it says goodbye. What is announced is signed by `prover`, this side's identity.
///
/// # Errors
/// [`ServeError::Session`] if the connection is lost or the settler breaks a rule, [`ServeError::Handler`] if the handler can't go on.
pub async fn serve<H: Handler>(session: Responder<Proof>, prover: &Identity, handler: &H) -> Result<(), ServeError> {
    let mut session: Session<Proof, There<Turn>, Outer> = session.enter();
    loop {
        session = offer!(session => {
            Ask(Ask {}), answer => match timing::hold(handler.next(answer.peer())).await.transpose()? {
                None => answer.choose(Nothing {}).await?.repeat(),
                Some(stored) => {
                    let session = answer.choose(stored.announce(prover)).await?;
                    deliver(session.enter(), handler, &stored).await?
                }
            },
            Bye(_), end => return Ok(end.close().await?),
        });
    }
}

async fn deliver<H: Handler>(
    mut session: Session<Proof, There<Fetching>, Inner>,
    handler: &H,
    stored: &StoredProof,
) -> Result<Session<Proof, There<Turn>, Outer>, ServeError> {
    let settler = session.peer();
    let (next, reply) = loop {
        session = offer!(session => {
            Pull(Pull { index }), answer => match chunk(&stored.bytes, index) {
                Some(body) => answer.send(ProofChunk { index, body }).await?.repeat(),
                None => {
                    let detail = format!("chunk {index} of a proof of {} bytes", stored.bytes.len());
                    return Err(answer.broken("Pull", "SW-PROOF-001", detail).into());
                }
            },
            Receipt(receipt), next => {
                let about = receipt.verify(&settler).map(|it| (it.shard, it.segment, it.proof));
                if about != Ok((stored.shard, stored.segment, stored.proof)) {
                    let detail = about.err().map_or("it is for another proof".into(), |forged| forged.to_string());
                    return Err(next.broken("Receipt", "SW-PROOF-002", detail).into());
                }
                break (next.outer().repeat(), Reply::Settled(receipt));
            },
            Dispute(dispute), next => {
                let about = dispute.verify(&settler).map(|it| (it.shard, it.segment, it.proof));
                if about != Ok((stored.shard, stored.segment, stored.proof)) {
                    let detail = about.err().map_or("it is of another proof".into(), |forged| forged.to_string());
                    return Err(next.broken("Dispute", "SW-PROOF-003", detail).into());
                }
                break (next.outer().repeat(), Reply::Disputed(dispute));
            },
            Skip(Skip { shard, reason, cause }), next => {
                if shard != stored.shard {
                    return Err(next.broken("Skip", "SW-PROOF-004", "it skips another shard").into());
                }
                break (next.outer().repeat(), Reply::Skipped { shard, reason, cause });
            },
        });
    };
    handler.replied(settler, stored.proof, reply).await?;
    Ok(next)
}

/// The bytes of a chunk, uncopied; none if there is no such chunk.
fn chunk(proof: &Bytes, index: u32) -> Option<Bytes> {
    let begin = usize::try_from(u64::from(index) * u64::from(PROOF_CHUNK_BYTES)).ok()?;
    let end = proof.len().min(begin.saturating_add(PROOF_CHUNK_BYTES as usize));
    (begin < end).then(|| proof.slice(begin..end))
}
