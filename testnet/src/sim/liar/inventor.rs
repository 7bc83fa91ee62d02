//! A peer that says that it is an operator and offers jobs that it has made up, a new one each time. No settler has assigned any of them to it; it signs for one itself, or
//! names a settler of the World. No prover may take one: it would prove for ever what nobody wants.
//!
//! It stays until all shards are over.

use super::{AGAIN, Impostor, serve_keepalive};
use crate::{
    dice::Dice,
    sim::{machine::SimulatedClock, record::note},
};
use shardwire::{client::Target, config::Role};
use shardwire_model::{
    AccountKey, Cause, Clock as _, ContractId, Entry, EventId, Felt, Hash, Key, Kind, PeerId, ShardId, ShardStart,
    Terms, finished_selector, state_commitment,
};
use shardwire_protocols::{
    Failure, Signed,
    handoff::AssignmentTerms,
    trace::{
        self, ChunkAnswer, DeclineReason, Finished, Grant, JobOffer, LeaseTerms, Progress, Progressed, ResumableJob,
        Trace, job_id,
    },
};
use shardwire_transport::{Connection, Identity, sim::Host};
use std::{future::pending, net::SocketAddr, sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// How far ahead the deadlines of its shards are.
const DEADLINE: Duration = Duration::from_secs(24 * 60 * 60);

/// See the module's page.
#[derive(Debug)]
pub(in crate::sim) struct Inventor {
    impostor: Arc<Impostor>,
    program: Felt,
    /// A settler of the World.
    settler: PeerId,
    clock: SimulatedClock,
}

impl Inventor {
    pub(in crate::sim) fn new(
        identity: Identity,
        world: Hash,
        program: Felt,
        settler: PeerId,
        dice: Dice,
    ) -> Arc<Self> {
        let impostor = Impostor::new(identity, Role::Operator, world, dice);
        Arc::new(Self { impostor, program, settler, clock: SimulatedClock::new(0) })
    }

    /// Offers jobs to these provers for as long as it is polled.
    pub(in crate::sim) async fn run(self: Arc<Self>, host: Host, address: SocketAddr, provers: Vec<(Target, Role)>) {
        let Some(endpoint) = self.impostor.listen(&host, address) else { return };
        let impostor = self.impostor.clone();
        impostor.keep(&endpoint, provers, move |connection, _| self.clone().attend(connection)).await;
    }

    async fn attend(self: Arc<Self>, connection: Connection) {
        let mut sessions = JoinSet::new();
        while let Ok(mut incoming) = connection.accept().await {
            let liar = self.clone();
            sessions.spawn(async move {
                if incoming.header().await.is_err() {
                } else if incoming.is::<Trace>() {
                    if let Ok(session) = incoming.serve::<Trace>().await {
                        let _ = trace::serve(session, &*liar).await;
                    }
                } else {
                    serve_keepalive(incoming).await;
                }
            });
        }
    }

    fn invent(&self) -> JobOffer {
        let (number, names_settler) = self.impostor.dice(|dice| (dice.number(), dice.below(2) == 0));
        let contract = ContractId(Felt::from(5));
        let start = ShardStart {
            shard: ShardId(Felt::from(number)),
            program: self.program,
            operator: self.impostor.me(),
            contracts: vec![contract],
            accounts: vec![AccountKey::from_secret([9; 32]).id()],
            end_event: EventId { from: contract, selector: finished_selector() },
            deadline: self.clock.now().plus(DEADLINE),
            entries: vec![Entry { kind: Kind::Counter, contract, key: Key(Felt::from(6)), guard: Felt::ZERO }],
            terms: Terms::Rules,
        };
        let (values, commitment) = (vec![Felt::ZERO], start.commitment());
        let before = state_commitment(commitment, &values);
        let job = job_id(self.program, commitment, before, 0);
        let assigned = Signed::by(&self.impostor.identity, AssignmentTerms::of(&start, &values)).signature;
        let settler = if names_settler { self.settler } else { self.impostor.me() };
        note(&format!("job {} is made up, in the name of {}", job.short(), settler.short()));
        let (shard, program) = (start.shard, self.program);
        JobOffer { job, shard, segment: 0, start, values, before, program, ended: true, settler, assigned }
    }
}

impl trace::Handler for Inventor {
    async fn offer(&self, _: PeerId, _: &[ResumableJob]) -> Result<JobOffer, Failure> {
        Ok(self.invent())
    }

    async fn claim(&self, prover: PeerId, job: Hash) -> Result<Grant, Failure> {
        let terms = LeaseTerms { job, epoch: 1, expires: self.clock.now().plus(trace::LEASE), prover };
        Ok(Grant::Leased(Signed::by(&self.impostor.identity, terms)))
    }

    async fn declined(&self, _: PeerId, _: Hash, _: DeclineReason, _: Cause) -> Result<(), Failure> {
        tokio::time::sleep(AGAIN).await;
        Ok(())
    }

    async fn chunk(&self, _: PeerId, _: Hash, _: u64, _: u32) -> Result<ChunkAnswer, Failure> {
        // There is none: the prover waits for as long as it is let.
        pending().await
    }

    async fn progress(&self, _: PeerId, _: Hash, _: Progress) -> Result<Progressed, Failure> {
        Ok(Progressed::Renewed { expires: self.clock.now().plus(trace::LEASE) })
    }

    async fn finished(&self, _: PeerId, _: Hash, _: u64, _: Hash) -> Result<Finished, Failure> {
        Ok(Finished::Acknowledged)
    }

    async fn abandoned(&self, _: PeerId, _: Hash, _: u64, _: Cause) -> Result<(), Failure> {
        Ok(())
    }
}
