use super::{INITIATOR, RESPONDER, Script, script, start, unexpected};
use bytes::Bytes;
use shardwire_model::{Cause, Felt, Hash, Output, PeerId, Timestamp, reads, state_commitment};
use shardwire_protocols::{
    Failure, Signed,
    handoff::AssignmentTerms,
    trace::{
        Chunk, ChunkAnswer, Claimed, Client, DeclineReason, Ending, Fetch, Finished, Grant, Handler, JobOffer,
        LeaseTerms, Next, Offered, Progress, Progressed, ProverStage, Pulled, RefusalReason, Refused, ResumableJob,
        Trace, job_id, serve,
    },
};
use shardwire_transport::Identity;
use std::{
    error::Error,
    future::pending,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

/// Chunks of the run; the last one takes longer than a question is held.
const CHUNKS: u32 = 3;

fn offer() -> JobOffer {
    let (start, values) = (start(&RESPONDER), vec![Felt::ONE, Felt::MAX]);
    let (program, commitment) = (start.program, start.commitment());
    let before = state_commitment(commitment, &values);
    let job = job_id(program, commitment, before, 0);
    let settler = Identity::from_secret(&[3; 32]);
    let assigned = Signed::by(&settler, AssignmentTerms::of(&start, &values)).signature;
    let settler = settler.peer();
    JobOffer { job, shard: start.shard, segment: 0, start, values, before, program, ended: true, settler, assigned }
}

fn chunk(index: u32) -> Chunk {
    let body = Bytes::from(format!("chunk {index}"));
    Chunk { index, hash: Hash::of(&body), raw_bytes: 9000, body }
}

fn ending() -> Ending {
    let (before, after, transactions) = (Felt::ONE, Felt::TWO, Felt::THREE);
    let (shard, updates) = (offer().shard, Vec::new());
    let list = vec![Felt::from(6), Felt::from(7)];
    let (program, reads) = (offer().program, reads::commitment(&list));
    let output =
        Output { program, shard, segment: 0, before, after, reads, transactions, count: 5, ended: true, updates };
    let chunks = (0..CHUNKS).map(|index| chunk(index).hash).collect();
    Ending { chunks, steps: 1 << 20, output, reads: list }
}

#[derive(Default)]
struct Operator {
    asked: AtomicU32,
    claimed: AtomicU32,
    held: Mutex<bool>,
}

impl Handler for Operator {
    async fn offer(&self, _: PeerId, begun: &[ResumableJob]) -> Result<JobOffer, Failure> {
        let first = self.asked.fetch_add(1, Ordering::SeqCst) == 0;
        if first && begun.is_empty() { pending().await } else { Ok(offer()) }
    }

    async fn claim(&self, prover: PeerId, job: Hash) -> Result<Grant, Failure> {
        let epoch = u64::from(self.claimed.fetch_add(1, Ordering::SeqCst)) + 1;
        if self.asked.load(Ordering::SeqCst) > 1 {
            return Ok(Grant::Refused(Refused {
                reason: RefusalReason::Leased,
                cause: Cause::new("SW-TEST-001", "another prover was faster"),
            }));
        }
        let terms = LeaseTerms { job, epoch, expires: Timestamp(1_700_000_060_000), prover };
        Ok(Grant::Leased(Signed::by(&RESPONDER, terms)))
    }

    async fn declined(&self, _: PeerId, _: Hash, _: DeclineReason, _: Cause) -> Result<(), Failure> {
        Ok(())
    }

    async fn chunk(&self, _: PeerId, _: Hash, epoch: u64, index: u32) -> Result<ChunkAnswer, Failure> {
        assert_eq!(epoch, 1);
        if index >= CHUNKS - 1 && !std::mem::replace(&mut *self.held.lock().unwrap(), true) {
            return pending().await;
        }
        Ok(if index < CHUNKS { ChunkAnswer::Chunk(chunk(index)) } else { ChunkAnswer::End(ending().into()) })
    }

    async fn progress(&self, _: PeerId, _: Hash, progress: Progress) -> Result<Progressed, Failure> {
        Ok(match progress.stage {
            ProverStage::Proven => Progressed::Lost { epoch: 2 },
            _ => Progressed::Renewed { expires: Timestamp(1_700_000_070_000) },
        })
    }

    async fn finished(&self, _: PeerId, _: Hash, _: u64, _: Hash) -> Result<Finished, Failure> {
        Ok(Finished::Acknowledged)
    }

    async fn abandoned(&self, _: PeerId, _: Hash, _: u64, _: Cause) -> Result<(), Failure> {
        Ok(())
    }
}

/// Names a job that it has begun, so that it is offered one at once.
async fn offered(client: Client) -> Result<Offered, Box<dyn Error>> {
    match client.ready(&[ResumableJob { job: offer().job, have: 1 }]).await? {
        Next::Offered(_, offered) => Ok(offered),
        Next::Nothing(_) => unexpected("nothing"),
    }
}

async fn leased(client: Client) -> Result<Box<Fetch>, Box<dyn Error>> {
    match offered(client).await?.claim().await? {
        Claimed::Leased(_, fetch) => Ok(fetch),
        Claimed::Refused(refused, _) => unexpected(refused),
    }
}

pub(super) fn scripts() -> Vec<Script> {
    vec![
        script::<Trace, _, _>(
            "a prover waits, declines and is refused",
            |session| async move {
                let Next::Nothing(client) = Client::new(session, INITIATOR.peer()).ready(&[]).await? else {
                    return unexpected("not nothing");
                };
                let client = offered(client)
                    .await?
                    .decline(DeclineReason::GivenUp, Cause::new("SW-TEST-002", "too large"))
                    .await?;
                match offered(client).await?.claim().await? {
                    Claimed::Refused(_, client) => Ok(client.close().await?),
                    leased => unexpected(leased),
                }
            },
            |session| async move { Ok(serve(session, &Operator::default()).await?) },
        ),
        script::<Trace, _, _>(
            "a job is fetched while it runs, proven and finished",
            |session| async move {
                let mut fetch = leased(Client::new(session, INITIATOR.peer())).await?;
                while let Pulled::Chunk(_) = fetch.next().await? {}
                let (_, working) = fetch.stop().await?.report(ProverStage::Proving, 1, 2).await?;
                let (_, working) = working.report(ProverStage::Proven, 2, 2).await?;
                working.finish(Hash::of(b"proof")).await?;
                Ok(())
            },
            |session| async move { Ok(serve(session, &Operator::default()).await?) },
        ),
        script::<Trace, _, _>(
            "a job is given up",
            |session| async move {
                let fetch = leased(Client::new(session, INITIATOR.peer())).await?;
                Ok(fetch.stop().await?.abandon(Cause::new("SW-TEST-003", "power is out")).await?)
            },
            |session| async move { Ok(serve(session, &Operator::default()).await?) },
        ),
    ]
}
