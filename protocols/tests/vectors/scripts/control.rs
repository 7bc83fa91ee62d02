use super::{INITIATOR, RESPONDER, Script, script, start};
use shardwire_model::{
    Cause, EntryRequest, EventId, Felt, Hash, Key, Kind, PeerId, Role, ShardId, Stage, StartRequest, Timestamp, Update,
};
use shardwire_protocols::control::{
    Answer as _, Client, Control, Handler, NodeStatus, PeerStatus, Request, Response, ShardStatus, StorageStatus, serve,
};

struct Node;

fn peer() -> PeerStatus {
    PeerStatus {
        peer: INITIATOR.peer(),
        addr: "192.0.2.7:4433".into(),
        roles: vec!["prover".into(), "x-future".into()],
        connected: true,
        round_trip_us: Some(1500),
        skew_ms: Some(-3),
    }
}

fn shard() -> ShardStatus {
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
        updates: vec![Update { kind: Kind::Counter, key, value: Felt::MAX }],
        error: Some(Cause::new("SW-TEST-001", "it took two attempts")),
        ..ShardStatus::new(ShardId(Felt::from(0x5a)), Role::Settler, RESPONDER.peer())
    }
}

impl Handler<Control> for Node {
    fn allows(&self, peer: PeerId, _: &Request) -> bool {
        peer == INITIATOR.peer()
    }

    async fn handle(&self, _: PeerId, request: Request) -> Response {
        match request {
            Request::Status => Response::Status(Box::new(NodeStatus {
                peer: RESPONDER.peer(),
                network: "net".into(),
                roles: vec![Role::Settler, Role::Operator, Role::Prover],
                listen: "0.0.0.0:4433".into(),
                agent: "shardwire/0.1.0".into(),
                since: Timestamp(1_700_000_000_000),
                peers: vec![peer()],
                shards: vec![shard()],
                more_shards: 2,
            })),
            Request::StartShard(_) => Response::Started(Box::new(start(&RESPONDER))),
            Request::ShardStatus { shard: Some(_) } => Response::Shards(vec![shard()]),
            Request::ShardStatus { shard: None } => Response::failure("SW-TEST-002", "too many", "Name one."),
            Request::World { .. } => {
                let (key, held_by) = (Key(Felt::from(2)), Some(ShardId(Felt::from(0x5a))));
                let storage = vec![StorageStatus { key, kind: Kind::Lock, value: Felt::ONE, in_escrow: 0, held_by }];
                Response::World { storage, more: false }
            }
            Request::Peers => Response::Peers(vec![peer()]),
            Request::Stop => Response::Stopping,
        }
    }
}

fn request() -> StartRequest {
    let start = start(&RESPONDER);
    let entry = EntryRequest {
        kind: Kind::Escrow,
        contract: start.contracts[0],
        key: Key(Felt::from(3)),
        owner: Some(start.accounts[0]),
        amount: u64::MAX,
    };
    StartRequest {
        salt: 1,
        operator: start.operator,
        contracts: start.contracts,
        accounts: start.accounts,
        end_event: EventId { ..start.end_event },
        entries: vec![entry],
    }
}

pub(super) fn scripts() -> Vec<Script> {
    vec![script::<Control, _, _>(
        "every request once",
        |session| async move {
            let mut client = Client::new(session);
            client.status().await?;
            client.start_shard(request()).await?;
            client.shard_status(Some(shard().shard)).await?;
            assert!(client.shard_status(None).await.is_err());
            client.world().await?;
            client.peers().await?;
            client.request(Request::Stop).await?;
            Ok(client.close().await?)
        },
        |session| async move { Ok(serve(session, &Node).await?) },
    )]
}
