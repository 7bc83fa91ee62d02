use super::{INITIATOR, Script, script, start, unexpected};
use shardwire_model::{Cause, Felt, Hash, PeerId, ShardId, Timestamp};
use shardwire_protocols::{
    Failure, Signed,
    handoff::{Acceptance, Answer, Assign, Client, Closed, Handler, Handoff, Next, Outcome, serve},
};
use std::{
    future::pending,
    sync::atomic::{AtomicU32, Ordering},
};

/// Has nothing at first, then assigns a shard twice, then says that it is settled, and that it was aborted.
#[derive(Default)]
struct Settler(AtomicU32);

impl Handler for Settler {
    async fn next(&self, _: PeerId, known: &[ShardId]) -> Result<Answer, Failure> {
        let start = start(&INITIATOR);
        let values = vec![Felt::ZERO, Felt::MAX];
        let assign = |epoch| Assign { start, values, epoch, expires: Timestamp(1_700_000_060_000) };
        let closed = |outcome| Answer::Closed(Closed { shard: known[0], outcome });
        Ok(match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => pending().await,
            1 => Answer::Assign(Box::new(assign(1))),
            2 => Answer::Assign(Box::new(assign(2))),
            3 => closed(Outcome::Settled { proof: Hash::of(b"proof") }),
            _ => closed(Outcome::Aborted),
        })
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
            let Next::Nothing(client) = Client::new(session).ask(&INITIATOR, &[]).await? else {
                return unexpected("not nothing");
            };
            let Next::Assign(_, assigned) = client.ask(&INITIATOR, &[]).await? else {
                return unexpected("no shard");
            };
            let client = assigned.decline(Cause::new("SW-TEST-001", "no room")).await?;
            let Next::Assign(assign, assigned) = client.ask(&INITIATOR, &[]).await? else {
                return unexpected("no shard");
            };
            let mut client = assigned.accept(&INITIATOR).await?;
            for _ in 0..2 {
                let Next::Closed(_, next) = client.ask(&INITIATOR, &[assign.start.shard]).await? else {
                    return unexpected("not closed");
                };
                client = next;
            }
            Ok(client.close().await?)
        },
        |session| async move { Ok(serve(session, &Settler::default()).await?) },
    )]
}
