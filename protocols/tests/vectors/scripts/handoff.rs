use super::{INITIATOR, RESPONDER, Script, script, start, unexpected};
use shardwire_model::{Cause, Felt, Hash, PeerId, ShardId, Timestamp};
use shardwire_protocols::{
    Failure, Signed,
    handoff::{
        Acceptance, Answer, Assign, AssignmentTerms, Client, Closed, Cut, Handler, Handoff, KnownVerdict, Next,
        Outcome, ProofVerdict, Verdict, serve,
    },
};
use std::{
    future::pending,
    sync::atomic::{AtomicU32, Ordering},
};

/// Has nothing at first, then assigns a shard twice, then disputes a proof of it, verifies another, and says that it is settled, and that it was aborted.
#[derive(Default)]
struct Settler(AtomicU32);

impl Handler for Settler {
    async fn next(&self, _: PeerId, known: &[ShardId], _: &[KnownVerdict]) -> Result<Answer, Failure> {
        let start = start(&INITIATOR);
        let values = vec![Felt::ZERO, Felt::MAX];
        let signature = Signed::by(&RESPONDER, AssignmentTerms::of(&start, &values)).signature;
        let assign = |epoch| Assign { start, values, epoch, expires: Timestamp(1_700_000_060_000), signature };
        let closed = |outcome| Answer::Closed(Closed { shard: known[0], outcome });
        let on_proof = |proof: &[u8], verdict| {
            Answer::Verdict(ProofVerdict { shard: known[0], segment: 0, proof: Hash::of(proof), verdict })
        };
        Ok(match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => pending().await,
            1 => Answer::Assign(Box::new(assign(1))),
            2 => Answer::Assign(Box::new(assign(2))),
            3 => on_proof(b"no proof", Verdict::Disputed { cause: Cause::new("SW-TEST-001", "it proves nothing") }),
            4 => on_proof(b"proof", Verdict::Verified),
            5 => closed(Outcome::Settled { proof: Hash::of(b"proof") }),
            _ => closed(Outcome::Aborted),
        })
    }

    async fn cut(&self, _: PeerId, _: &[Cut]) -> Result<(), Failure> {
        Ok(())
    }

    async fn accepted(&self, _: PeerId, _: Signed<Acceptance>) -> Result<(), Failure> {
        Ok(())
    }

    async fn declined(&self, _: PeerId, _: ShardId, _: Cause) -> Result<(), Failure> {
        Ok(())
    }
}

pub(super) fn scripts() -> Vec<Script> {
    vec![script::<Handoff, _, _>(
        "an operator waits, declines, accepts, and hears the ends",
        |session| async move {
            let Next::Nothing(client) = Client::new(session).ask(&INITIATOR, &[], &[], &[]).await? else {
                return unexpected("not nothing");
            };
            let Next::Assign(_, assigned) = client.ask(&INITIATOR, &[], &[], &[]).await? else {
                return unexpected("no shard");
            };
            let client = assigned.decline(Cause::new("SW-TEST-001", "no room")).await?;
            let Next::Assign(assign, assigned) = client.ask(&INITIATOR, &[], &[], &[]).await? else {
                return unexpected("no shard");
            };
            let mut client = assigned.accept(&INITIATOR).await?;
            let mut verdicts = Vec::new();
            for _ in 0..2 {
                let known = [assign.start.shard];
                let cuts = [Cut { shard: known[0], segment: 0, after: Felt::THREE }];
                let Next::Verdict(news, next) = client.ask(&INITIATOR, &known, &verdicts, &cuts).await? else {
                    return unexpected("no verdict");
                };
                verdicts = vec![news.known()];
                client = next;
            }
            for _ in 0..2 {
                let Next::Closed(_, next) = client.ask(&INITIATOR, &[assign.start.shard], &verdicts, &[]).await? else {
                    return unexpected("not closed");
                };
                client = next;
            }
            Ok(client.close().await?)
        },
        |session| async move { Ok(serve(session, &Settler::default()).await?) },
    )]
}
