//! An operator that lies: it takes shards and keeps them from being settled.
//!
//! To each shard it does one of these: sends chunks whose content isn't what their hash says; sends chunks that match
//! their hash but belong to no run; leases the job to every prover under one epoch; gives a prover the lease that it
//! signed for another; gives two transactions one place. In the end the shard's starter aborts it.

use super::{AGAIN, Impostor, serve_keepalive};
use crate::{
    dice::Dice,
    sim::{
        machine::{PORT, SimulatedClock},
        record::note,
    },
};
use shardwire::{client::Target, config::Role};
use shardwire_model::{
    Cause, Clock as _, Coded as _, Felt, Hash, Output, PeerId, ShardId, ShardTransaction, state_commitment,
};
use shardwire_program::{Acceptance, Admission, Program as _, Rules};
use shardwire_protocols::{
    Failure, Signed,
    handoff::{self, Assign, Handoff},
    handshake::{self, Handshake},
    ingress::{self, Ingress, Opened, Outcome},
    trace::{
        self, Chunk, ChunkAnswer, DeclineReason, Ending, Finished, Grant, JobOffer, Lease, LeaseTerms, Progress,
        Progressed, ResumableJob, Trace, job_id,
    },
};
use shardwire_transport::{Connection, Endpoint, Identity, SessionError, sim::Host};
use shardwire_witness::compress;
use std::{
    collections::{BTreeMap, BTreeSet},
    future::ready,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{task::JoinSet, time::sleep};

/// What it does to a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// A chunk's content isn't what its hash says.
    OtherContent,
    /// A chunk is what its hash says, and no part of any run.
    Nonsense,
    /// Every prover has a lease, all under one epoch.
    LeasedTwice,
    /// Every prover is given the lease that the first one had.
    OldLease,
    /// All transactions have one place.
    OnePlace,
}

const DEEDS: [Deed; 5] = [Deed::OtherContent, Deed::Nonsense, Deed::LeasedTwice, Deed::OldLease, Deed::OnePlace];

/// The cause with which an operator answers that it doesn't have a shard.
fn unknown() -> Cause {
    Cause::new("SW-OPERATOR-004", "it isn't here")
}

/// A shard that it took.
#[derive(Debug)]
struct Fraud {
    deed: Deed,
    offer: JobOffer,
    admission: Box<dyn Admission>,
    epoch: u64,
    /// The first lease.
    first: Option<Lease>,
    declined: BTreeSet<PeerId>,
}

/// The liar's state.
#[derive(Debug)]
pub(in crate::sim) struct LyingOperator {
    impostor: Arc<Impostor>,
    program: Felt,
    clock: SimulatedClock,
    frauds: Mutex<BTreeMap<ShardId, Fraud>>,
}

impl LyingOperator {
    pub(in crate::sim) fn new(identity: Identity, world: Hash, program: Felt, dice: Dice) -> Arc<Self> {
        let impostor = Impostor::new(identity, Role::Operator, world, dice);
        Arc::new(Self { impostor, program, clock: SimulatedClock::new(0), frauds: Mutex::default() })
    }

    /// Lies to these peers, and to any that connect, for as long as it is polled.
    pub(in crate::sim) async fn run(self: Arc<Self>, host: Host, peers: Vec<(Target, Role)>) {
        let Some(endpoint) = self.impostor.listen(&host, SocketAddr::new(host.ip(), PORT)) else { return };
        let liar = self.clone();
        let keeping =
            self.impostor.keep(&endpoint, peers, move |connection, role| liar.clone().attend(connection, role));
        tokio::join!(biased; keeping, self.receive(&endpoint));
    }

    async fn receive(self: &Arc<Self>, endpoint: &Endpoint) {
        let mut attended = JoinSet::new();
        while let Some(arrival) = endpoint.accept().await {
            let liar = self.clone();
            attended.spawn(async move {
                let Ok(connection) = arrival.admit().await else { return };
                let Ok(incoming) = connection.accept().await else { return };
                let Ok(session) = incoming.serve::<Handshake>().await else { return };
                if handshake::answer(session, liar.impostor.hello()).await.is_ok() {
                    liar.attend(connection, Role::Prover).await;
                }
            });
        }
    }

    fn frauds(&self) -> MutexGuard<'_, BTreeMap<ShardId, Fraud>> {
        self.frauds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves what the peer opens, and asks a settler for shards.
    async fn attend(self: Arc<Self>, connection: Connection, role: Role) {
        let mut sessions = JoinSet::new();
        if role == Role::Settler {
            let (liar, connection) = (self.clone(), connection.clone());
            sessions.spawn(async move {
                loop {
                    let _ = liar.follow(&connection).await;
                    sleep(AGAIN).await;
                }
            });
        }
        while let Ok(mut incoming) = connection.accept().await {
            let liar = self.clone();
            sessions.spawn(async move {
                if incoming.header().await.is_err() {
                } else if incoming.is::<Trace>() {
                    if let Ok(session) = incoming.serve::<Trace>().await {
                        let _ = trace::serve(session, &*liar).await;
                    }
                } else if incoming.is::<Ingress>() {
                    if let Ok(session) = incoming.serve::<Ingress>().await {
                        let _ = ingress::serve(session, &*liar, &liar.impostor.identity).await;
                    }
                } else {
                    serve_keepalive(incoming).await;
                }
            });
        }
    }

    /// Takes every shard.
    async fn follow(&self, connection: &Connection) -> Result<(), SessionError> {
        let identity = &self.impostor.identity;
        let (mut client, mut told) = (handoff::Client::new(connection.open::<Handoff>().await?), Vec::new());
        loop {
            let known: Vec<ShardId> = self.frauds().keys().copied().collect();
            client = match client.ask(identity, &known, &told, &[]).await? {
                handoff::Next::Nothing(client) => client,
                handoff::Next::Verdict(news, client) => {
                    if told.len() == handoff::MAX_KNOWN {
                        told.clear();
                    }
                    told.push(news.known());
                    client
                }
                handoff::Next::Assign(assign, pending) => {
                    self.take(*assign, connection.peer());
                    pending.accept(identity).await?
                }
                handoff::Next::Closed(closed, client) => {
                    self.frauds().remove(&closed.shard);
                    client
                }
            };
        }
    }

    fn take(&self, Assign { start, values, signature, .. }: Assign, settler: PeerId) {
        let deed = DEEDS[self.impostor.dice(|dice| dice.index(DEEDS.len()))];
        let shard = start.shard;
        note(&format!("the lying operator has shard {} and does {deed:?}", shard.short()));
        let before = state_commitment(start.commitment(), &values);
        let job = job_id(self.program, start.commitment(), before, 0);
        // Its shards are of the fixed rules.
        let Ok(admission) = Rules.admission(start.clone(), &values) else { return };
        let (program, assigned) = (self.program, signature);
        let offer = JobOffer { job, shard, segment: 0, start, values, before, program, ended: true, settler, assigned };
        let fraud = Fraud { deed, offer, admission, epoch: 0, first: None, declined: BTreeSet::new() };
        self.frauds().entry(shard).or_insert(fraud);
    }

    fn with<T>(&self, job: Hash, act: impl FnOnce(&mut Fraud) -> T) -> Option<T> {
        self.frauds().values_mut().find(|fraud| fraud.offer.job == job).map(act)
    }
}

impl Fraud {
    /// Chunks of a run that never was: its first chunk, then how it ended.
    fn nonsense(&self, index: u32) -> ChunkAnswer {
        let body = [7; 999];
        let hash = Hash::of(if self.deed == Deed::OtherContent { b"something else" } else { &body });
        if index == 0 {
            let chunk = Chunk { index, hash, raw_bytes: 999, body: compress(&body).into() };
            return ChunkAnswer::Chunk(chunk);
        }
        let commitment = self.offer.before;
        let output = Output {
            program: self.offer.program,
            shard: self.offer.shard,
            segment: 0,
            before: commitment,
            after: commitment,
            reads: Felt::ZERO,
            transactions: Felt::ONE,
            count: 1,
            ended: true,
            updates: Vec::new(),
        };
        ChunkAnswer::End(Ending { chunks: vec![hash], steps: 12, output, reads: Vec::new() }.into())
    }
}

impl ingress::Handler for LyingOperator {
    async fn open(&self, _: PeerId, shard: ShardId) -> Result<Result<Opened, ingress::Refused>, Failure> {
        let opened = self.frauds().get(&shard).map(|fraud| Opened {
            start: fraud.offer.start.clone(),
            nonces: fraud.admission.next_nonces(),
            accepted: fraud.admission.accepted(),
            ended: fraud.admission.ended(),
        });
        let (reason, cause) = (ingress::RefusalReason::Unknown, unknown());
        Ok(opened.ok_or(ingress::Refused { reason, cause }))
    }

    async fn submit(
        &self,
        _: PeerId,
        shard: ShardId,
        transaction: ShardTransaction,
    ) -> Result<impl Future<Output = Result<Outcome, Failure>> + Send, Failure> {
        let mut frauds = self.frauds();
        let Some(fraud) = frauds.get_mut(&shard) else {
            return Ok(ready(Ok(Outcome::Refused { cause: unknown(), due: None })));
        };
        let place = |sequence| if fraud.deed == Deed::OnePlace { 0 } else { sequence };
        Ok(ready(Ok(match fraud.admission.accept(&transaction, 0) {
            Ok(Acceptance::Accepted { sequence }) => {
                Outcome::Accepted { sequence: place(sequence), duplicate: false, reverted: false }
            }
            Ok(Acceptance::Duplicate { sequence }) => {
                Outcome::Accepted { sequence: place(sequence), duplicate: true, reverted: false }
            }
            Err(refusal) => {
                let cause = Cause::new(refusal.code(), &refusal.to_string());
                let index = fraud.offer.start.account_index(transaction.account());
                let due = index.and_then(|index| fraud.admission.next_nonces().get(index).copied());
                Outcome::Refused { cause, due }
            }
        })))
    }
}

impl trace::Handler for LyingOperator {
    async fn offer(&self, prover: PeerId, _: &[ResumableJob]) -> Result<JobOffer, Failure> {
        loop {
            let wanted = |fraud: &&Fraud| !fraud.declined.contains(&prover);
            let offer = self.frauds().values().find(wanted).map(|fraud| fraud.offer.clone());
            match offer {
                Some(offer) => return Ok(offer),
                None => sleep(AGAIN).await,
            }
        }
    }

    async fn claim(&self, prover: PeerId, job: Hash) -> Result<Grant, Failure> {
        let expires = self.clock.now().plus(trace::LEASE);
        let lease = self.with(job, |fraud| {
            if fraud.deed != Deed::LeasedTwice || fraud.epoch == 0 {
                fraud.epoch += 1;
            }
            let terms = LeaseTerms { job, epoch: fraud.epoch, expires, prover };
            let lease = Signed::by(&self.impostor.identity, terms);
            let first = fraud.first.get_or_insert_with(|| lease.clone()).clone();
            if fraud.deed == Deed::OldLease { first } else { lease }
        });
        Ok(match lease {
            Some(lease) => Grant::Leased(lease),
            None => Grant::Refused(trace::Refused { reason: trace::RefusalReason::Unavailable, cause: unknown() }),
        })
    }

    async fn declined(&self, prover: PeerId, job: Hash, _: DeclineReason, _: Cause) -> Result<(), Failure> {
        self.with(job, |fraud| fraud.declined.insert(prover));
        Ok(())
    }

    async fn chunk(&self, _: PeerId, job: Hash, _: u64, index: u32) -> Result<ChunkAnswer, Failure> {
        match self.with(job, |fraud| fraud.nonsense(index)) {
            Some(part) => Ok(part),
            None => std::future::pending().await,
        }
    }

    async fn progress(&self, _: PeerId, _: Hash, _: Progress) -> Result<Progressed, Failure> {
        Ok(Progressed::Renewed { expires: self.clock.now().plus(trace::LEASE) })
    }

    async fn finished(&self, _: PeerId, _: Hash, _: u64, _: Hash) -> Result<Finished, Failure> {
        Ok(Finished::Acknowledged)
    }

    async fn abandoned(&self, prover: PeerId, job: Hash, _: u64, _: Cause) -> Result<(), Failure> {
        self.with(job, |fraud| fraud.declined.insert(prover));
        Ok(())
    }
}
