use super::{Ended, INITIATOR, RESPONDER, Script, script, unexpected};
use bytes::Bytes;
use shardwire_model::{Cause, Felt, Hash, PeerId, ShardId, Timestamp};
use shardwire_protocols::{
    Failure, Signed,
    proof::{Client, Handler, Leased, Next, Offered, Proof, Reply, SkipReason, StoredProof, serve},
    trace::LeaseTerms,
};
use shardwire_transport::{Identity, Initiator, Responder};
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
    async fn next(&self, _: PeerId) -> Result<StoredProof, Failure> {
        if self.0.fetch_add(1, Ordering::SeqCst) == 0 {
            return pending().await;
        }
        let (proof, bytes) = (Hash::of(PROOF), Bytes::from_static(PROOF));
        let job = Hash::of(b"job");
        // Once without a lease, then under one.
        let leased = (self.0.load(Ordering::SeqCst) > 2).then(|| {
            let operator = Identity::from_secret(&[3; 32]);
            let expires = Timestamp(1_700_000_000_000);
            let terms = LeaseTerms { job, epoch: 4, expires, prover: RESPONDER.peer() };
            Leased::by(operator.peer(), &Signed::by(&operator, terms))
        });
        Ok(StoredProof { shard: ShardId(Felt::from(0x5a)), segment: 3, job, proof, bytes, leased })
    }

    async fn replied(&self, _: PeerId, proof: Hash, _: Reply) -> Result<(), Failure> {
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

async fn settler(session: Initiator<Proof>) -> Ended {
    let Next::Nothing(client) = Client::new(session).ask().await? else {
        return unexpected("not nothing");
    };
    let client = ready(client).await?.skip(SkipReason::Unknown, Cause::new("SW-TEST-001", "not mine")).await?;
    let (bytes, offered) = ready(client).await?.fetch().await?;
    assert_eq!(bytes, PROOF);
    let (_, client) = offered.dispute(&INITIATOR, Cause::new("SW-TEST-002", "it proves nothing")).await?;
    let (_, client) = ready(client).await?.settled(&INITIATOR, Timestamp(1_700_000_000_000)).await?;
    Ok(client.close().await?)
}

async fn prover(session: Responder<Proof>) -> Ended {
    Ok(serve(session, &RESPONDER, &Prover::default()).await?)
}

pub(super) fn scripts() -> Vec<Script> {
    vec![script::<Proof, _, _>("a settler waits, skips, disputes and settles", settler, prover)]
}
