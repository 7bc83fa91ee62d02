use super::{INITIATOR, RESPONDER, Script, script, start};
use shardwire_model::{
    Cause, ContractId, EntryRequest, EventId, Felt, Hash, Key, Kind, PeerId, Role, SegmentId, ShardId, Stage,
    StartRequest, Timestamp, Trust, Update,
    life::{AbortCause, History, HistoryEntry, Part, Step},
};
use shardwire_protocols::{
    Signed,
    administration::{
        Administration, Changed, Client, ClockStatus, Counts, Failed, Handler, NodeStatus, Overview, PeerStatus,
        PeerView, ProtocolQuota, Request, Response, ShardStatus, StorageStatus, Unmet, node, peer, serve, shard, world,
    },
    history::sign,
};
use shardwire_reputation::{Ban, Components, Listing, Quotas, Standing, Tier};

const CONTRACT: ContractId = ContractId(Felt::from_hex_unchecked("0xc0"));

struct Node;

const EVIDENCE: &[u8] = b"what was signed";

fn link() -> PeerStatus {
    PeerStatus {
        peer: INITIATOR.peer(),
        addr: "192.0.2.7:4433".into(),
        roles: vec!["prover".into(), "x-future".into()],
        connected: true,
        round_trip_us: Some(1500),
        skew_ms: Some(-3),
        trouble: Some(Cause::new("SW-TEST-001", "two nodes have its key")),
    }
}

fn status() -> ShardStatus {
    let key = Key(Felt::from(1));
    ShardStatus {
        stage: Stage::Settled,
        prover: Some(INITIATOR.peer()),
        transactions: 30,
        refused: 1,
        steps: 1 << 20,
        chunks: 64,
        proof: Some(Hash::of(b"proof")),
        proof_bytes: 1 << 20,
        program_hash: Some(Felt::from(99)),
        updates: vec![Update { kind: Kind::Counter, contract: CONTRACT, key, value: Felt::MAX }],
        error: Some(Cause::new("SW-TEST-001", "it took two attempts")),
        ..ShardStatus::new(ShardId(Felt::from(0x5a)), Role::Settler, RESPONDER.peer())
    }
}

/// Every step there is, each in a part that sees it.
fn entries(shard: ShardId) -> Vec<Signed<HistoryEntry>> {
    let (hash, commitment) = (Hash::of(b"content"), Felt::from(77));
    let (us, them) = (RESPONDER.peer(), INITIATOR.peer());
    let settled = Step::Settled { proof: Some(hash) };
    let settler = vec![
        Step::Started { commitment, by: them, deadline: Timestamp(1_700_000_600_000) },
        Step::Assigned { commitment, peer: us },
        Step::Verified { proof: hash, prover: them },
        settled,
    ];
    let operator = vec![
        Step::Assigned { commitment: Felt::MAX, peer: them },
        Step::Executing { first: hash },
        Step::Ended { transactions: 300, log: hash },
        Step::Streaming { job: hash },
        Step::Proving { witness: hash },
        Step::Proven { proof: hash },
        Step::Aborted { why: AbortCause::TimedOut },
    ];
    let failed = Step::Failed { cause: Cause::new("SW-TEST-001", "the disk is full") };
    let prover = vec![Step::Streaming { job: hash }, failed, Step::Aborted { why: AbortCause::Told { by: them } }];
    let other = vec![Step::Streaming { job: Hash::of(b"job") }, Step::Settled { proof: None }];
    let parts = [
        (Role::Settler, None, settler),
        (Role::Operator, None, operator),
        (Role::Prover, Some(hash), prover),
        (Role::Prover, Some(Hash([0xff; 32])), other),
    ];
    let mut all = Vec::new();
    for (role, job, steps) in parts {
        let mut history = History::new(Part { job, ..Part::of(SegmentId::first(shard), role) });
        for step in steps {
            let at = Timestamp(1_700_000_000_000 + all.len() as u64);
            let entry = sign(&history, &RESPONDER, at, step).unwrap().unwrap();
            history = history.with(&entry.statement).unwrap();
            all.push(entry);
        }
    }
    all
}

fn view(peer: PeerId, standing: Standing) -> PeerView {
    PeerView {
        peer,
        now: Timestamp(1_700_000_055_000),
        standing,
        listing: Some(Listing::Configured),
        score: 320,
        components: Components { work: 500, harm: 100, broken: 50, late: 25, cost: 5 },
        ban: Some(Ban { until: Timestamp(1_700_000_060_000), times: 2 }),
        connected: vec!["192.0.2.7".into()],
        quotas: vec![ProtocolQuota { protocol: "others".into(), quota: Quotas::default().low.others }],
        changes: vec![Changed::new(
            Timestamp(1_700_000_000_000),
            Standing::Admitted(Tier::High),
            standing,
            "violation SW-SESSION-003 of trace, awaiting Pull",
        )],
        evidence: 1,
    }
}

fn no_room() -> Failed {
    Failed::new("SW-TEST-001", "the disk is full", "Buy a larger one.")
}

impl Handler for Node {
    fn allows(&self, peer: PeerId, _: &Request) -> bool {
        peer == INITIATOR.peer()
    }

    async fn handle(&self, _: PeerId, request: Request) -> Result<Response, Failed> {
        Ok(match request {
            Request::Node(request) => of_node(&request).into(),
            Request::Shard(request) => of_shards(request)?.into(),
            Request::World(world::Request::Storage { .. }) => {
                let (key, held_by) = (Key(Felt::from(2)), Some(ShardId(Felt::from(0x5a))));
                let storage = vec![StorageStatus {
                    contract: CONTRACT,
                    key,
                    kind: Kind::Lock,
                    value: Felt::ONE,
                    in_escrow: 0,
                    held_by,
                }];
                world::Response::Storage { storage, more: false }.into()
            }
            Request::Peer(request) => of_peers(request)?.into(),
        })
    }
}

fn of_node(request: &node::Request) -> node::Response {
    match request {
        node::Request::Status => node::Response::Status(Box::new(NodeStatus {
            peer: RESPONDER.peer(),
            network: "net".into(),
            roles: vec![Role::Settler, Role::Operator, Role::Prover],
            listen: "0.0.0.0:4433".into(),
            agent: "shardwire/0.1.0".into(),
            since: Timestamp(1_700_000_000_000),
            clock: ClockStatus {
                now: Timestamp(1_700_000_055_000),
                jumped_ms: Some(-172_800_000),
                trust: Trust::Contradicted,
                agree: 1,
                apart: 2,
            },
            unmet: vec![Unmet::new("disk", "SW-TEST-001", "the disk is full", "Buy a larger one.")],
            peers: vec![link()],
            shards: vec![status()],
            more_shards: 2,
        })),
        node::Request::Overview => node::Response::Overview(Box::new(Overview {
            refused_tier: Some(Tier::Low),
            queue_depth: 1100,
            queue_watermark: 1024,
            loop_delay_us: 5,
            loop_watermark_us: 250_000,
            memory_bytes: 1 << 30,
            memory_watermark_bytes: 4 << 30,
            connections: 3,
            reserved: 1,
            low: Counts { connected: 1, sessions: 9, refused: 4, waits: 70, bytes: 1 << 20 },
            normal: Counts::default(),
            high: Counts { connected: 2, ..Counts::default() },
            admitted: 12,
            retried: 3,
            refused: 4,
            ignored: 5,
            turned_away: 6,
        })),
        node::Request::Reload => node::Response::Reloaded { configured: 2, allowed: 1, denied: 300 },
        node::Request::Stop => node::Response::Stopping,
    }
}

fn of_shards(request: shard::Request) -> Result<shard::Response, Failed> {
    Ok(match request {
        shard::Request::Start { timeout_s, unknown_operator, .. } => shard::Response::Started {
            start: Box::new(start(&RESPONDER)),
            left_s: timeout_s.unwrap_or(600),
            operator_connected: !unknown_operator,
        },
        shard::Request::Abort { shard } if shard == status().shard => {
            shard::Response::Aborted { at: Timestamp(1_700_000_000_000) }
        }
        shard::Request::Abort { .. } => return Err(Failed::new("SW-TEST-002", "no such shard", "Name another.")),
        shard::Request::Retry { .. } => shard::Response::Retried { jobs: 1 },
        shard::Request::Status { shard: Some(_) } => shard::Response::Shards(vec![status()]),
        shard::Request::Status { shard: None } => {
            return Err(Failed::new("SW-TEST-003", "too many", "Name one."));
        }
        shard::Request::History { shard, after: None } => {
            shard::Response::History { entries: entries(shard)[..9].to_vec(), more: true }
        }
        shard::Request::History { shard, .. } => {
            shard::Response::History { entries: entries(shard)[9..].to_vec(), more: false }
        }
    })
}

fn of_peers(request: peer::Request) -> Result<peer::Response, Failed> {
    let shown = |peer, standing| peer::Response::Peer(Box::new(view(peer, standing)));
    Ok(match request {
        peer::Request::Links => peer::Response::Links(vec![link()]),
        peer::Request::List { after: None } => {
            let peers =
                vec![view(PeerId([1; 32]), Standing::Denied), view(PeerId([2; 32]), Standing::Admitted(Tier::Normal))];
            peer::Response::Peers { peers, more: true }
        }
        peer::Request::List { .. } => peer::Response::Peers { peers: vec![], more: false },
        peer::Request::Show { peer } => shown(peer, Standing::Admitted(Tier::Low)),
        peer::Request::Ban { peer, seconds: Some(seconds) } => {
            shown(peer, Standing::Banned { until: Timestamp(seconds * 1000) })
        }
        peer::Request::Ban { peer, seconds: None } => shown(peer, Standing::Denied),
        peer::Request::Unban { peer } => shown(peer, Standing::Admitted(Tier::Low)),
        peer::Request::Allow { withdraw: true, .. } => return Err(no_room()),
        peer::Request::Allow { peer, .. } => shown(peer, Standing::Admitted(Tier::High)),
        peer::Request::Evidence { from, .. } => {
            let rest = EVIDENCE.get(from as usize..).unwrap_or_default();
            let bytes = u32::try_from(EVIDENCE.len()).unwrap();
            peer::Response::Evidence { bytes, part: rest[..rest.len().min(10)].to_vec() }
        }
    })
}

fn request() -> StartRequest {
    let start = start(&RESPONDER);
    let entry = EntryRequest {
        kind: Kind::Escrow,
        contract: start.contracts[0],
        key: Key(Felt::from(3)),
        owner: Some(start.accounts[0]),
        amount: u128::MAX,
    };
    StartRequest {
        salt: 1,
        program: start.program,
        operator: start.operator,
        contracts: start.contracts,
        accounts: start.accounts,
        end_event: EventId { ..start.end_event },
        entries: vec![entry],
        terms: start.terms,
    }
}

pub(super) fn scripts() -> Vec<Script> {
    let about_shards = script::<Administration, _, _>(
        "every request about the node, its shards and the World once",
        |session| async move {
            let mut client = Client::new(session);
            let shard = status().shard;
            client.status().await?;
            client.overview().await?;
            client.reload().await?;
            client.start(request(), Some(90), false).await?;
            client.start(request(), None, true).await?;
            client.shards(Some(shard)).await?;
            assert!(client.shards(None).await.is_err());
            client.storage().await?;
            client.abort(shard).await?;
            assert!(client.abort(ShardId(Felt::ONE)).await.is_err());
            client.retry(shard).await?;
            assert_eq!(client.history(shard).await?, entries(shard));
            client.stop().await?;
            Ok(client.close().await?)
        },
        |session| async move { Ok(serve(session, &Node).await?) },
    );
    let about_peers = script::<Administration, _, _>(
        "every request about peers once",
        |session| async move {
            let mut client = Client::new(session);
            let peer = RESPONDER.peer();
            client.links().await?;
            let (peers, _) = client.peers_page(None).await?;
            client.peers_page(peers.last().map(|it| it.peer)).await?;
            for request in [
                peer::Request::Show { peer },
                peer::Request::Ban { peer, seconds: Some(90) },
                peer::Request::Ban { peer, seconds: None },
                peer::Request::Unban { peer },
                peer::Request::Allow { peer, withdraw: false },
            ] {
                client.peer(request).await?;
            }
            assert!(client.peer(peer::Request::Allow { peer, withdraw: true }).await.is_err());
            assert_eq!(client.evidence(peer, 0).await?, EVIDENCE);
            Ok(client.close().await?)
        },
        |session| async move { Ok(serve(session, &Node).await?) },
    );
    vec![about_shards, about_peers]
}
