//! An operator with a small run, and the steps that every test takes.

use crate::{
    Failure, Signed,
    handoff::AssignmentTerms,
    testing::{halves, identity, small_start},
    trace::{
        Chunk, ChunkAnswer, Claimed, Client, DeclineReason, Ending, Fetch, Finished, Grant, Handler, JobOffer,
        LeaseTerms, Next, Offered, Progress, Progressed, Pulled, RefusalReason, Refused, ResumableJob, Trace, job_id,
    },
};
use shardwire_model::{Cause, Felt, Hash, Output, PeerId, Timestamp, state_commitment};
use shardwire_transport::{Bytes, Identity, Initiator, Responder, SessionError};
use std::{collections::BTreeMap, future::pending, sync::Mutex};
use tokio::sync::watch;

pub(super) fn prover() -> Identity {
    identity(1)
}

pub(super) fn operator() -> Identity {
    identity(2)
}

pub(super) fn offer() -> JobOffer {
    let start = small_start(operator().peer());
    let values = vec![Felt::ONE; start.entries.len()];
    let (program, segment) = (start.program, 0);
    let commitment = start.commitment();
    let before = state_commitment(commitment, &values);
    let job = job_id(program, commitment, before, segment);
    let settler = identity(3);
    let assigned = Signed::by(&settler, AssignmentTerms::of(&start, &values)).signature;
    JobOffer {
        job,
        shard: start.shard,
        segment,
        start,
        values,
        before,
        program,
        ended: false,
        settler: settler.peer(),
        assigned,
    }
}

pub(super) fn chunk(index: u32) -> Chunk {
    let body = Bytes::from(vec![u8::try_from(index % 256).unwrap(); 3000]);
    Chunk { index, hash: Hash::of(&[&index.to_le_bytes()[..], &body].concat()), raw_bytes: 9000, body }
}

pub(super) fn ending(chunks: u32) -> Ending {
    let output = Output {
        program: Felt::THREE,
        shard: offer().shard,
        segment: 0,
        before: Felt::ONE,
        after: Felt::TWO,
        reads: Felt::ZERO,
        transactions: Felt::THREE,
        count: 5,
        ended: true,
        updates: vec![],
    };
    let chunks = (0..chunks).map(|index| chunk(index).hash).collect();
    Ending { chunks, steps: 1 << 20, output, reads: vec![] }
}

/// How far the run is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) produced: u32,
    pub(super) ended: bool,
}

#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) epoch: u64,
    /// How often each chunk was asked for.
    pub(super) asked: BTreeMap<u32, u32>,
    /// How often each chunk was served.
    pub(super) served: BTreeMap<u32, u32>,
    pub(super) notes: Vec<String>,
}

pub(super) struct Operator {
    pub(super) offer: JobOffer,
    pub(super) run: watch::Receiver<Run>,
    pub(super) heard: Mutex<Heard>,
}

impl Operator {
    pub(super) fn new(run: Run) -> (Self, watch::Sender<Run>) {
        let (sender, run) = watch::channel(run);
        (Self { offer: offer(), run, heard: Mutex::default() }, sender)
    }

    pub(super) fn with(chunks: u32) -> Self {
        Self::new(Run { produced: chunks, ended: true }).0
    }

    fn stale(&self, epoch: u64) -> Option<u64> {
        let valid = self.heard.lock().unwrap().epoch;
        (epoch != valid).then_some(valid)
    }

    fn note(&self, text: String) {
        self.heard.lock().unwrap().notes.push(text);
    }
}

impl Handler for Operator {
    async fn offer(&self, _: PeerId, begun: &[ResumableJob]) -> Result<JobOffer, Failure> {
        self.note(format!("ready, {} begun", begun.len()));
        if self.run.borrow().produced == 0 { pending().await } else { Ok(self.offer.clone()) }
    }

    async fn claim(&self, prover: PeerId, job: Hash) -> Result<Grant, Failure> {
        let mut heard = self.heard.lock().unwrap();
        if heard.notes.iter().any(|note| note.starts_with("finished")) {
            return Ok(Grant::Refused(Refused {
                reason: RefusalReason::Leased,
                cause: Cause::new("SW-OPERATOR-002", "the job is proven"),
            }));
        }
        heard.epoch += 1;
        let terms = LeaseTerms { job, epoch: heard.epoch, expires: Timestamp(60_000), prover };
        Ok(Grant::Leased(Signed::by(&operator(), terms)))
    }

    async fn declined(&self, _: PeerId, _: Hash, _: DeclineReason, cause: Cause) -> Result<(), Failure> {
        self.note(format!("declined: {cause}"));
        Ok(())
    }

    async fn chunk(&self, _: PeerId, _: Hash, epoch: u64, index: u32) -> Result<ChunkAnswer, Failure> {
        *self.heard.lock().unwrap().asked.entry(index).or_default() += 1;
        if let Some(epoch) = self.stale(epoch) {
            return Ok(ChunkAnswer::Lost { epoch });
        }
        let mut run = self.run.clone();
        let known = run.wait_for(|run| index < run.produced || run.ended).await.map(|run| *run);
        let Ok(run) = known else { return pending().await };
        if index >= run.produced {
            return Ok(ChunkAnswer::End(ending(run.produced).into()));
        }
        *self.heard.lock().unwrap().served.entry(index).or_default() += 1;
        Ok(ChunkAnswer::Chunk(chunk(index)))
    }

    async fn progress(&self, _: PeerId, _: Hash, progress: Progress) -> Result<Progressed, Failure> {
        self.note(format!("{:?} {} of {}", progress.stage, progress.done, progress.of));
        Ok(match self.stale(progress.epoch) {
            Some(epoch) => Progressed::Lost { epoch },
            None => Progressed::Renewed { expires: Timestamp(70_000) },
        })
    }

    async fn finished(&self, _: PeerId, _: Hash, epoch: u64, proof: Hash) -> Result<Finished, Failure> {
        self.note(format!("finished {proof}"));
        Ok(self.stale(epoch).map_or(Finished::Acknowledged, |epoch| Finished::Lost { epoch }))
    }

    async fn abandoned(&self, _: PeerId, _: Hash, epoch: u64, cause: Cause) -> Result<(), Failure> {
        self.note(format!("abandoned epoch {epoch}: {cause}"));
        Ok(())
    }
}

pub(super) type Here = Initiator<Trace>;
pub(super) type There = Responder<Trace>;

pub(super) fn meet() -> (Here, There) {
    halves::<Trace>(&prover(), &operator())
}

pub(super) async fn offered(session: Here, begun: &[ResumableJob]) -> Offered {
    match Client::new(session, prover().peer()).ready(begun).await.unwrap() {
        Next::Offered(got, offered) => {
            assert_eq!(*got, offer());
            offered
        }
        Next::Nothing(_) => panic!("nothing"),
    }
}

pub(super) async fn leased(session: Here) -> Box<Fetch> {
    match offered(session, &[]).await.claim().await.unwrap() {
        Claimed::Leased(lease, fetch) => {
            let terms = lease.verify(&operator().peer()).unwrap();
            assert_eq!((terms.job, terms.epoch, terms.prover), (offer().job, fetch.epoch(), prover().peer()));
            fetch
        }
        Claimed::Refused(refused, _) => panic!("{refused:?}"),
    }
}

/// Fetches until the end: the indices in the order in which they came, and the end.
pub(super) async fn fetch_all(fetch: &mut Fetch) -> Result<(Vec<u32>, Ending), SessionError> {
    let mut came = Vec::new();
    loop {
        match fetch.next().await? {
            Pulled::Chunk(got) => {
                assert_eq!(got, chunk(got.index));
                came.push(got.index);
            }
            Pulled::End(ending) => return Ok((came, *ending)),
            Pulled::Lost { epoch } => panic!("lost to epoch {epoch}"),
        }
    }
}
