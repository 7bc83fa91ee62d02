use super::{INITIATOR, Script, script, unexpected};
use bytes::Bytes;
use shardwire_model::{Felt, Hash, PeerId, ShardId, Timestamp};
use shardwire_protocols::{
    Cause, Failure,
    proof::{Client, Handler, Held, Next, Offered, Proof, Verdict, serve},
};
use std::{
    error::Error,
    future::pending,
    sync::atomic::{AtomicU32, Ordering},
};

const PROOF: &[u8] = b"forty bytes that aren't a proof of a run";

/// Has nothing at first, then the same proof again and again.
#[derive(Default)]
struct Prover(AtomicU32);

impl Handler for Prover {
    async fn next(&self, _: PeerId) -> Result<Held, Failure> {
        if self.0.fetch_add(1, Ordering::SeqCst) == 0 {
            return pending().await;
        }
        let (proof, bytes) = (Hash::of(PROOF), Bytes::from_static(PROOF));
        Ok(Held { shard: ShardId(Felt::from(0x5a)), segment: 3, job: Hash::of(b"job"), proof, bytes })
    }

    async fn verdict(&self, _: PeerId, proof: Hash, _: Verdict) -> Result<(), Failure> {
        assert_eq!(proof, Hash::of(PROOF));
        Ok(())
    }
}

async fn ready(client: Client) -> Result<Offered, Box<dyn Error>> {
    match client.ask().await? {
        Next::Ready(_, offered) => Ok(offered),
        Next::Nothing(_) => unexpected("nothing"),
    }
}

pub(super) fn scripts() -> Vec<Script> {
    vec![script::<Proof, _, _>(
        "a settler waits, skips, disputes and settles",
        |session| async move {
            let Next::Nothing(client) = Client::new(session).ask().await? else {
                return unexpected("not nothing");
            };
            let client = ready(client).await?.skip(Cause::new("SW-TEST-001", "not mine")).await?;
            let (bytes, offered) = ready(client).await?.fetch().await?;
            assert_eq!(bytes, PROOF);
            let (_, client) = offered.dispute(&INITIATOR, Cause::new("SW-TEST-002", "it proves nothing")).await?;
            let (_, client) = ready(client).await?.settled(&INITIATOR, Timestamp(1_700_000_000_000)).await?;
            Ok(client.close().await?)
        },
        |session| async move { Ok(serve(session, &Prover::default()).await?) },
    )]
}
