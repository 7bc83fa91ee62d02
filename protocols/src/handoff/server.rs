//! The settler's half.

use super::{
    Accept, Acceptance, Ask, Assign, Assigned, Bye, Closed, Cut, Decline, Handoff, KnownVerdict, Nothing, ProofVerdict,
    Turn,
};
use crate::{Failure, ServeError, signed::Signed, timing};
use shardwire_model::{Cause, MAX_SEGMENTS, PeerId, ShardId};
use shardwire_transport::{Responder, Session, algebra::HasDual, offer};
use std::future::Future;

/// What a settler has for an operator.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A shard to execute.
    Assign(Box<Assign>),
    /// What became of one.
    Closed(Closed),
    /// The verdict on a proof of one.
    Verdict(ProofVerdict),
}

/// The settler's side: what is there for an operator, and what it answered.
pub trait Handler: Sync {
    /// Waits until there is something for this operator, which holds the shards in `known`, and was told the verdicts in `verdicts`; renews
    /// their leases. May be dropped while it waits, and is called again with each question.
    fn next(
        &self,
        operator: PeerId,
        known: &[ShardId],
        verdicts: &[KnownVerdict],
    ) -> impl Future<Output = Result<Answer, Failure>> + Send;

    /// Makes durable where the operator has cut the runs of shards that it holds. Of one segment the first that it said counts. A shard that isn't its own is passed over.
    fn cut(&self, operator: PeerId, cuts: &[Cut]) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Makes durable that the operator accepted. The signature is the operator's, shard and epoch are those just assigned.
    fn accepted(
        &self,
        operator: PeerId,
        acceptance: Signed<Acceptance>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Notes that the operator declined.
    fn declined(
        &self,
        operator: PeerId,
        shard: ShardId,
        cause: Cause,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

type There = <Turn as HasDual>::Dual;
type Loop = (There, ());

/// Serves an operator until it says goodbye.
///
/// # Errors
/// [`ServeError::Session`] if the connection is lost or the operator breaks a rule, [`ServeError::Handler`] if the handler can't go on.
pub async fn serve<H: Handler>(session: Responder<Handoff>, handler: &H) -> Result<(), ServeError> {
    let mut session: Session<Handoff, There, Loop> = session.enter();
    loop {
        session = offer!(session => {
            Ask(Ask { known, verdicts, cuts }), answer => {
                let wrong = |cut: &&Cut| !known.contains(&cut.shard) || cut.segment >= MAX_SEGMENTS - 1;
                if let Some(Cut { shard, segment, .. }) = cuts.iter().find(wrong) {
                    let detail = format!("shard {} can't be cut after segment {segment}, or isn't named", shard.short());
                    return Err(answer.broken("Ask", "SW-HANDOFF-007", detail).into());
                }
                if !cuts.is_empty() {
                    handler.cut(answer.peer(), &cuts).await?;
                }
                let next = handler.next(answer.peer(), &known, &verdicts);
                match timing::hold(next).await.transpose()? {
                    None => answer.choose(Nothing {}).await?.repeat(),
                    Some(Answer::Closed(closed)) => answer.choose(closed).await?.repeat(),
                    Some(Answer::Verdict(verdict)) => answer.choose(verdict).await?.repeat(),
                    Some(Answer::Assign(assign)) => {
                        let (shard, epoch) = (assign.start.shard, assign.epoch);
                        let assigned = answer.choose(*assign).await?;
                        answered(assigned, handler, shard, epoch).await?
                    }
                }
            },
            Bye(_), end => return Ok(end.close().await?),
        });
    }
}

async fn answered<H: Handler>(
    session: Session<Handoff, <Assigned as HasDual>::Dual, Loop>,
    handler: &H,
    shard: ShardId,
    epoch: u64,
) -> Result<Session<Handoff, There, Loop>, ServeError> {
    let operator = session.peer();
    offer!(session => {
        Accept(accept), next => {
            let expected = Acceptance { shard, epoch };
            let detail = match accept.verify(&operator) {
                Err(forged) => Some(forged.to_string()),
                Ok(statement) if *statement != expected => Some("it accepts another assignment than this one".into()),
                Ok(_) => None,
            };
            if let Some(detail) = detail {
                return Err(next.broken("Accept", "SW-HANDOFF-003", detail).into());
            }
            handler.accepted(operator, accept).await?;
            Ok(next.repeat())
        },
        Decline(decline), next => {
            if decline.shard != shard {
                let detail = "it declines another shard than the one assigned";
                return Err(next.broken("Decline", "SW-HANDOFF-004", detail).into());
            }
            handler.declined(operator, shard, decline.cause).await?;
            Ok(next.repeat())
        },
    })
}
