//! Real halves, honest, small and without storage. Handlers always have an answer and never fail. [`of`] lists them.

use super::{
    peers::{INITIATOR, RESPONDER, SETTLER, identity, signed},
    sessions::{Ended, Halves, boxed},
};
use shardwire_model::{
    AccountId, AccountKey, Call, Cause, Clock, ContractId, Entry, EventId, Felt, Hash, Key, Kind, Output, PeerId, Role,
    ShardId, ShardStart, ShardTransaction, SignedTransaction, Terms, Timestamp, Transaction, finished_selector,
    life::{History, HistoryEntry, Step},
    state_commitment,
};
use shardwire_protocols::{
    Failure, Signed,
    administration::{
        self, Administration, Failed, Request, Response, ShardStatus, StorageStatus, node, peer, shard, world,
    },
    handoff::{self, Acceptance, Answer, Assign, Closed, Handoff},
    handshake::{self, Handshake, Hello},
    history::sign,
    ingress::{self, Ingress, Opened, Opening},
    keepalive::{self, Keepalive},
    proof::{self, Leased, Proof, Reply, SkipReason, StoredProof},
    trace::{
        self, Chunk, ChunkAnswer, Claimed, DeclineReason, Ending, Finished, Grant, JobOffer, LeaseTerms, Pulled,
        ResumableJob, Trace,
    },
};
use shardwire_transport::{Bytes, Identity, Initiator, PeerSignature, Responder};
use std::{future::ready, sync::LazyLock};

/// How often a client asks before it is content.
const ROUNDS: usize = 4;
/// Chunks of the trace.
const CHUNKS: u32 = 3;

fn start(operator: u8) -> ShardStart {
    let contract = ContractId(Felt::from(5));
    ShardStart {
        shard: ShardId(Felt::from(77)),
        program: Felt::THREE,
        operator: identity(operator).peer(),
        contracts: vec![contract],
        accounts: vec![AccountId(Felt::from(8)), account().0],
        end_event: EventId { from: contract, selector: finished_selector() },
        deadline: Timestamp(1_800_000_000_000),
        entries: (1..3_u64)
            .map(|n| Entry { kind: Kind::Counter, contract, key: Key(Felt::from(n)), guard: Felt::ZERO })
            .collect(),
        terms: Terms::Rules,
    }
}

fn cause() -> Cause {
    Cause::new("SW-FUZZ-001", "because")
}

/// What both sides are. Its state is nothing but constants.
#[derive(Debug)]
struct Peer;

impl Clock for Peer {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000)
    }
}

// ---- handshake

fn hello(agent: &str) -> Hello {
    Hello {
        network: "local".into(),
        world: None,
        agent: agent.into(),
        roles: vec!["prover".into()],
        serves: handshake::spoken(),
        opens: handshake::spoken(),
        capabilities: vec![],
        time: Peer.now(),
    }
}

pub(crate) async fn greet(session: Initiator<Handshake>) -> Ended {
    handshake::greet(session, hello("a/1")).await.map(drop).map_err(boxed)
}

pub(crate) async fn greeted(session: Responder<Handshake>) -> Ended {
    handshake::answer(session, hello("b/1")).await.map(drop).map_err(boxed)
}

// ---- keepalive

pub(crate) async fn ping(session: Initiator<Keepalive>) -> Ended {
    let mut client = keepalive::Client::new(session);
    for _ in 0..ROUNDS {
        client = client.ping(&Peer).await.map_err(boxed)?.1;
    }
    client.close().await.map_err(boxed)
}

pub(crate) async fn pong(session: Responder<Keepalive>) -> Ended {
    keepalive::serve(session, &Peer).await.map_err(boxed)
}

// ---- administration

/// A history of one entry.
fn born(shard: ShardId) -> Signed<HistoryEntry> {
    let part = shardwire_model::life::Part::of_job(shardwire_model::SegmentId::first(shard), Hash::of(b"job"));
    let step = Step::Streaming { job: Hash::of(b"job") };
    sign(&History::new(part), &identity(RESPONDER), Timestamp(1), step).ok().flatten().expect("a first step")
}

fn unable() -> Failed {
    Failed::new("SW-A-1", "b", "c")
}

impl administration::Handler for Peer {
    fn allows(&self, _: PeerId, _: &Request) -> bool {
        true
    }

    async fn handle(&self, _: PeerId, request: Request) -> Result<Response, Failed> {
        Ok(match request {
            Request::Node(node::Request::Stop) => node::Response::Stopping.into(),
            Request::Shard(shard::Request::Start { .. }) => {
                let start = Box::new(start(RESPONDER));
                shard::Response::Started { start, left_s: 60, operator_connected: true }.into()
            }
            Request::Shard(shard::Request::Abort { .. }) => shard::Response::Aborted { at: self.now() }.into(),
            Request::Shard(shard::Request::Retry { .. }) => shard::Response::Retried { jobs: 1 }.into(),
            Request::Shard(shard::Request::Status { .. }) => shard::Response::Shards(vec![ShardStatus::new(
                start(RESPONDER).shard,
                Role::Operator,
                identity(RESPONDER).peer(),
            )])
            .into(),
            Request::Shard(shard::Request::History { shard, .. }) => {
                shard::Response::History { entries: vec![born(shard)], more: false }.into()
            }
            Request::World(world::Request::Storage { after }) => {
                let (key, kind, value) = (Key(Felt::ONE), Kind::Counter, Felt::TWO);
                let page =
                    StorageStatus { contract: ContractId(Felt::TWO), key, kind, value, in_escrow: 0, held_by: None };
                let (storage, more) = if after.is_none() { (vec![page], true) } else { (vec![], false) };
                world::Response::Storage { storage, more }.into()
            }
            Request::Peer(peer::Request::Links) => peer::Response::Links(vec![]).into(),
            Request::Peer(peer::Request::List { .. }) => peer::Response::Peers { peers: vec![], more: false }.into(),
            Request::Peer(peer::Request::Evidence { from: 0, .. }) => {
                peer::Response::Evidence { bytes: 3, part: vec![1, 2] }.into()
            }
            Request::Peer(peer::Request::Evidence { .. }) => {
                peer::Response::Evidence { bytes: 3, part: vec![3] }.into()
            }
            // What is asked by people alone.
            _ => return Err(unable()),
        })
    }
}

pub(crate) async fn ask_node(session: Initiator<Administration>) -> Ended {
    let mut client = administration::Client::new(session);
    let shard = start(RESPONDER).shard;
    drop(client.status().await); // refused by the node here
    drop(client.shards(None).await.map_err(boxed)?);
    drop(client.storage().await.map_err(boxed)?);
    drop(client.links().await.map_err(boxed)?);
    drop(client.peers_page(None).await.map_err(boxed)?);
    drop(client.evidence(identity(RESPONDER).peer(), 0).await.map_err(boxed)?);
    drop(client.history(shard).await.map_err(boxed)?);
    client.abort(shard).await.map_err(boxed)?;
    client.close().await.map_err(boxed)
}

pub(crate) async fn node(session: Responder<Administration>) -> Ended {
    administration::serve(session, &Peer).await.map_err(boxed)
}

// ---- handoff

fn assigned(settler: &Identity, start: &ShardStart, values: &[Felt]) -> PeerSignature {
    Signed::by(settler, handoff::AssignmentTerms::of(start, values)).signature
}

impl handoff::Handler for Peer {
    async fn next(&self, _: PeerId, known: &[ShardId], verdicts: &[handoff::KnownVerdict]) -> Result<Answer, Failure> {
        let start = start(INITIATOR);
        let values = vec![Felt::ONE; start.entries.len()];
        Ok(match known.first() {
            None => {
                let signature = assigned(&identity(RESPONDER), &start, &values);
                Answer::Assign(Box::new(Assign { start, values, epoch: 3, expires: self.now(), signature }))
            }
            Some(shard) if verdicts.is_empty() => {
                let verdict = handoff::Verdict::Disputed { cause: cause() };
                Answer::Verdict(handoff::ProofVerdict { shard: *shard, segment: 0, proof: Hash::of(b"proof"), verdict })
            }
            Some(shard) => Answer::Closed(Closed { shard: *shard, outcome: handoff::Outcome::Aborted }),
        })
    }

    async fn cut(&self, _: PeerId, _: &[handoff::Cut]) -> Result<(), Failure> {
        Ok(())
    }

    async fn accepted(&self, _: PeerId, _: Signed<Acceptance>) -> Result<(), Failure> {
        Ok(())
    }

    async fn declined(&self, _: PeerId, _: ShardId, _: Cause) -> Result<(), Failure> {
        Ok(())
    }
}

pub(crate) async fn take_shards(session: Initiator<Handoff>) -> Ended {
    let mut client = handoff::Client::new(session);
    let (me, mut verdicts) = (identity(INITIATOR), Vec::new());
    for round in 0..ROUNDS {
        let known = if round >= 2 { vec![start(INITIATOR).shard] } else { vec![] };
        let cut = |shard: &ShardId| handoff::Cut { shard: *shard, segment: 0, after: Felt::THREE };
        let cuts: Vec<_> = known.iter().map(cut).collect();
        client = match client.ask(&me, &known, &verdicts, &cuts).await.map_err(boxed)? {
            handoff::Next::Verdict(news, client) => {
                verdicts = vec![news.known()];
                client
            }
            handoff::Next::Nothing(client) | handoff::Next::Closed(_, client) => client,
            handoff::Next::Assign(_, pending) if round == 0 => pending.decline(cause()).await.map_err(boxed)?,
            handoff::Next::Assign(_, pending) => pending.accept(&me).await.map_err(boxed)?,
        };
    }
    client.close().await.map_err(boxed)
}

pub(crate) async fn assign_shards(session: Responder<Handoff>) -> Ended {
    handoff::serve(session, &Peer).await.map_err(boxed)
}

// ---- ingress

/// The account and a transaction that it signed. Signing takes milliseconds, so it is done once.
fn account() -> (AccountId, SignedTransaction) {
    static SIGNED: LazyLock<(AccountId, SignedTransaction)> = LazyLock::new(|| {
        let key = AccountKey::from_secret([7; 32]);
        let call = Call::Add { counter: Key(Felt::ONE), amount: 300 };
        let transaction = Transaction { account: key.id(), nonce: 0, contract: ContractId(Felt::from(5)), call };
        let signature = key.sign(Felt::ONE).expect("one can be signed");
        (key.id(), SignedTransaction { transaction, signature })
    });
    *SIGNED
}

impl ingress::Handler for Peer {
    async fn open(&self, _: PeerId, shard: ShardId) -> Result<Result<Opened, ingress::Refused>, Failure> {
        let start = start(RESPONDER);
        let nonces = vec![0; start.accounts.len()];
        Ok(if shard == start.shard {
            Ok(Opened { start, nonces, accepted: 0, ended: false })
        } else {
            Err(ingress::Refused { reason: ingress::RefusalReason::Unknown, cause: cause() })
        })
    }

    async fn submit(
        &self,
        _: PeerId,
        _: ShardId,
        it: ShardTransaction,
    ) -> Result<impl Future<Output = Result<ingress::Outcome, Failure>> + Send, Failure> {
        Ok(ready(Ok(match it.nonce() {
            Some(0) => ingress::Outcome::Accepted { sequence: 0, duplicate: false, reverted: false },
            _ => ingress::Outcome::Refused { cause: cause(), due: Some(1) },
        })))
    }
}

pub(crate) async fn submit(session: Initiator<Ingress>) -> Ended {
    let Opening::Opened(_, mut client) = ingress::open(session, start(RESPONDER).shard).await.map_err(boxed)? else {
        return Ok(());
    };
    let mut transaction = account().1;
    for nonce in 0..2 {
        transaction.transaction.nonce = nonce;
        client.submit(&transaction).await.map_err(boxed)?;
    }
    client.close().await.map_err(boxed)
}

pub(crate) async fn receive(session: Responder<Ingress>) -> Ended {
    ingress::serve(session, &Peer, &identity(RESPONDER)).await.map_err(boxed)
}

// ---- proof

fn held() -> StoredProof {
    let bytes = Bytes::from_static(b"a proof, or so it says");
    let job = Hash::of(b"job");
    let terms = LeaseTerms { job, epoch: 3, expires: Peer.now(), prover: identity(RESPONDER).peer() };
    let leased = Some(Leased::by(identity(RESPONDER).peer(), &signed(RESPONDER, terms)));
    StoredProof { shard: start(RESPONDER).shard, segment: 0, job, proof: Hash::of(&bytes), bytes, leased }
}

impl proof::Handler for Peer {
    async fn next(&self, _: PeerId) -> Result<StoredProof, Failure> {
        Ok(held())
    }

    async fn replied(&self, _: PeerId, _: Hash, _: Reply) -> Result<(), Failure> {
        Ok(())
    }
}

pub(crate) async fn settle(session: Initiator<Proof>) -> Ended {
    let mut client = proof::Client::new(session);
    let me = identity(INITIATOR);
    for round in 0..ROUNDS {
        let offered = match client.ask().await.map_err(boxed)? {
            proof::Next::Nothing(again) => {
                client = again;
                continue;
            }
            proof::Next::Ready(_, offered) => offered,
        };
        client = match round {
            0 => offered.skip(SkipReason::Aborted, cause()).await.map_err(boxed)?,
            1 => {
                let (_, fetched) = offered.fetch().await.map_err(boxed)?;
                fetched.dispute(&me, cause()).await.map_err(boxed)?.1
            }
            _ => {
                let (_, fetched) = offered.fetch().await.map_err(boxed)?;
                fetched.settled(&me, Peer.now()).await.map_err(boxed)?.1
            }
        };
    }
    client.close().await.map_err(boxed)
}

pub(crate) async fn offer_proof(session: Responder<Proof>) -> Ended {
    proof::serve(session, &identity(RESPONDER), &Peer).await.map_err(boxed)
}

// ---- trace

fn job() -> JobOffer {
    let start = start(RESPONDER);
    let values = vec![Felt::ONE; start.entries.len()];
    let (program, segment, commitment) = (start.program, 0, start.commitment());
    let before = state_commitment(commitment, &values);
    let job = trace::job_id(program, commitment, before, segment);
    let assigned = assigned(&identity(SETTLER), &start, &values);
    let settler = identity(SETTLER).peer();
    JobOffer { job, shard: start.shard, segment, start, values, before, program, ended: true, settler, assigned }
}

fn chunk(index: u32) -> Chunk {
    let body = Bytes::from(vec![7; 40]);
    Chunk { index, hash: Hash::of(&index.to_le_bytes()), raw_bytes: 90, body }
}

impl trace::Handler for Peer {
    async fn offer(&self, _: PeerId, _: &[ResumableJob]) -> Result<JobOffer, Failure> {
        Ok(job())
    }

    async fn claim(&self, prover: PeerId, job: Hash) -> Result<Grant, Failure> {
        let terms = LeaseTerms { job, epoch: 3, expires: self.now(), prover };
        Ok(Grant::Leased(signed(RESPONDER, terms)))
    }

    async fn declined(&self, _: PeerId, _: Hash, _: DeclineReason, _: Cause) -> Result<(), Failure> {
        Ok(())
    }

    async fn chunk(&self, _: PeerId, _: Hash, epoch: u64, index: u32) -> Result<ChunkAnswer, Failure> {
        if epoch != 3 {
            return Ok(ChunkAnswer::Lost { epoch: 3 });
        }
        if index < CHUNKS {
            return Ok(ChunkAnswer::Chunk(chunk(index)));
        }
        let output = Output {
            program: Felt::THREE,
            shard: job().shard,
            segment: 0,
            before: Felt::ONE,
            after: Felt::TWO,
            reads: Felt::ZERO,
            transactions: Felt::THREE,
            count: 5,
            ended: true,
            updates: vec![],
        };
        let chunks = (0..CHUNKS).map(|n| chunk(n).hash).collect();
        Ok(ChunkAnswer::End(Ending { chunks, steps: 1 << 20, output, reads: vec![Felt::ONE] }.into()))
    }

    async fn progress(&self, _: PeerId, _: Hash, _: trace::Progress) -> Result<trace::Progressed, Failure> {
        Ok(trace::Progressed::Renewed { expires: self.now() })
    }

    async fn finished(&self, _: PeerId, _: Hash, _: u64, _: Hash) -> Result<Finished, Failure> {
        Ok(Finished::Acknowledged)
    }

    async fn abandoned(&self, _: PeerId, _: Hash, _: u64, _: Cause) -> Result<(), Failure> {
        Ok(())
    }
}

pub(crate) async fn prove(session: Initiator<Trace>) -> Ended {
    let mut client = trace::Client::new(session, identity(INITIATOR).peer());
    for round in 0..ROUNDS {
        let offered = match client.ready(&[]).await.map_err(boxed)? {
            trace::Next::Nothing(again) => {
                client = again;
                continue;
            }
            trace::Next::Offered(_, offered) => offered,
        };
        if round == 0 {
            client = offered.decline(DeclineReason::Later, cause()).await.map_err(boxed)?;
            continue;
        }
        let mut fetch = match offered.claim().await.map_err(boxed)? {
            Claimed::Refused(_, again) => {
                client = again;
                continue;
            }
            Claimed::Leased(_, fetch) => fetch,
        };
        while let Pulled::Chunk(_) = fetch.next().await.map_err(boxed)? {}
        let working = fetch.stop().await.map_err(boxed)?;
        let (_, working) = working.report(trace::ProverStage::Proving, 1, 2).await.map_err(boxed)?;
        return working.finish(Hash::of(b"proof")).await.map(drop).map_err(boxed);
    }
    client.close().await.map_err(boxed)
}

pub(crate) async fn offer_job(session: Responder<Trace>) -> Ended {
    trace::serve(session, &Peer).await.map_err(boxed)
}

/// The halves of a protocol, if it has some here.
pub(crate) fn of(protocol: &str) -> Option<Halves> {
    let halves = [
        Halves::of::<Handshake, _, _>(greet, greeted),
        Halves::of::<Administration, _, _>(ask_node, node),
        Halves::of::<Handoff, _, _>(take_shards, assign_shards),
        Halves::of::<Ingress, _, _>(submit, receive),
        Halves::of::<Keepalive, _, _>(ping, pong),
        Halves::of::<Proof, _, _>(settle, offer_proof),
        Halves::of::<Trace, _, _>(prove, offer_job),
    ];
    halves.into_iter().find(|it| it.protocol.name == protocol)
}
