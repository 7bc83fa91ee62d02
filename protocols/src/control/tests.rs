use super::*;
use crate::testing::{
    DiskFull, LARGEST, fits, halves, identity, largest_cause, largest_start, refused_when_read, rule, small_start,
};
use shardwire_model::{
    AccountId, Coded, ContractId, EntryRequest, EventId, Felt, Hash, Key, Kind, MAX_ACCOUNTS, MAX_CONTRACTS,
    MAX_ENTRIES, PeerId, Role, Selector, ShardId, Stage, StartRequest, Timestamp, Update,
};
use shardwire_transport::Branch;
use std::sync::Mutex;

struct Node {
    admin: PeerId,
    storage: Vec<StorageStatus>,
    shards: usize,
    stopped: Mutex<bool>,
}

fn storage(key: u64) -> StorageStatus {
    StorageStatus { key: Key(Felt::from(key)), kind: Kind::Escrow, value: Felt::TWO, in_escrow: 3, held_by: None }
}

fn shard_status(number: u64) -> ShardStatus {
    let mut status = ShardStatus::new(ShardId(Felt::from(number)), Role::Settler, PeerId([4; 32]));
    status.stage = Stage::Settled;
    status.updates = vec![Update { kind: Kind::Counter, key: Key(Felt::ONE), value: Felt::TWO }];
    status
}

fn node_status() -> NodeStatus {
    NodeStatus {
        peer: PeerId([1; 32]),
        network: "dungeon".into(),
        roles: vec![Role::Settler],
        listen: "127.0.0.1:4711".into(),
        agent: "shardwire/0.1.0".into(),
        since: Timestamp(5),
        peers: vec![PeerStatus {
            peer: PeerId([2; 32]),
            addr: "127.0.0.1:4712".into(),
            roles: vec!["operator".into()],
            connected: true,
            round_trip_us: Some(210),
            skew_ms: Some(-1),
        }],
        shards: vec![],
        more_shards: 0,
    }
}

impl Handler<Control> for Node {
    fn allows(&self, peer: PeerId, _: &Request) -> bool {
        peer == self.admin
    }

    async fn handle(&self, _: PeerId, request: Request) -> Response {
        match request {
            Request::Status => Response::Status(Box::new(NodeStatus {
                shards: (0..self.shards as u64).map(shard_status).collect(),
                ..node_status()
            })),
            Request::StartShard(_) => Response::failed(&DiskFull),
            Request::ShardStatus { shard: Some(_) } => Response::Shards(vec![shard_status(1)]),
            Request::ShardStatus { shard: None } => {
                Response::Shards((0..self.shards as u64).map(shard_status).collect())
            }
            Request::World { after } => {
                let from = self.storage.iter().position(|it| Some(it.key) > after).unwrap_or(self.storage.len());
                Response::World { storage: self.storage[from..].to_vec(), more: false }
            }
            Request::Peers => Response::Peers(vec![]),
            Request::Stop => {
                *self.stopped.lock().unwrap() = true;
                Response::Stopping
            }
        }
    }
}

fn node() -> Node {
    Node { admin: identity(1).peer(), storage: vec![], shards: 2, stopped: Mutex::new(false) }
}

fn start_request() -> StartRequest {
    let start = small_start(PeerId([3; 32]));
    StartRequest {
        salt: 1,
        operator: start.operator,
        contracts: start.contracts,
        accounts: start.accounts,
        end_event: start.end_event,
        entries: vec![],
    }
}

#[tokio::test]
async fn requests_are_answered_and_one_that_fails_says_why_and_ends_nothing() {
    let (a, b) = halves::<Control>(&identity(1), &identity(2));
    let node = node();
    let ask = async {
        let mut client = Client::new(a);
        let status = client.status().await.unwrap();
        assert_eq!((status.network.as_str(), status.shards.len()), ("dungeon", 2));
        let failed = client.start_shard(start_request()).await.unwrap_err();
        assert_eq!(failed.to_string(), "the disk is full (SW-TEST-001)");
        assert_eq!((failed.code(), failed.next_step().as_str()), ("SW-CONTROL-002", "Buy a larger one."));
        assert_eq!(client.peers().await.unwrap(), []);
        client.stop().await.unwrap();
        client.close().await.unwrap();
    };
    let ((), served) = tokio::join!(ask, serve(b, &node));
    served.unwrap();
    assert!(*node.stopped.lock().unwrap());
}

#[tokio::test]
async fn a_peer_that_may_not_control_the_node_is_told_so_and_nothing_is_done() {
    let (a, b) = halves::<Control>(&identity(8), &identity(2));
    let node = node();
    let ask = async {
        let mut client = Client::new(a);
        let error = client.stop().await.unwrap_err();
        let text = format!("peer {} may not control this node (SW-CONTROL-001)", identity(8).peer());
        assert_eq!(error.to_string(), text);
        assert!(error.next_step().contains("Use the node's own data folder"), "{}", error.next_step());
        client.close().await.unwrap();
    };
    let ((), served) = tokio::join!(ask, serve(b, &node));
    served.unwrap();
    assert!(!*node.stopped.lock().unwrap());
}

#[tokio::test]
async fn lists_keep_their_bounds_and_the_world_comes_in_pages() {
    let (a, b) = halves::<Control>(&identity(1), &identity(2));
    let keys = 2 * MAX_STORAGE_LISTED as u64 + 5;
    let node = Node { storage: (0..keys).map(storage).collect(), shards: MAX_SHARDS_LISTED + 9, ..node() };
    let ask = async {
        let mut client = Client::new(a);
        let world = client.world().await.unwrap();
        assert!(world.iter().map(|it| it.key).eq((0..keys).map(|key| Key(Felt::from(key)))));
        let status = client.status().await.unwrap();
        assert_eq!((status.shards.len(), status.more_shards), (MAX_SHARDS_LISTED, 9));
        assert!(status.shards.iter().all(|it| it.updates.is_empty()), "several leave the updates out");
        let one = client.shard_status(Some(ShardId(Felt::ONE))).await.unwrap();
        assert_eq!(one[0].updates.len(), 1);
        client.close().await.unwrap();
    };
    let ((), served) = tokio::join!(ask, serve(b, &node));
    served.unwrap();
}

#[tokio::test]
async fn an_answer_to_another_question_is_the_nodes_fault_and_the_session_is_over() {
    let (a, b) = halves::<Control>(&identity(1), &identity(2));
    let cheat = async {
        let Branch::First(session) = b.enter().offer().await.unwrap() else { panic!("bye") };
        let (_, session) = session.recv::<Request, _>().await.unwrap();
        session.send(Response::Stopping).await.unwrap().again()
    };
    let ask = async {
        let mut client = Client::new(a);
        let Err(ControlError::Session(error)) = client.status().await else { panic!("no violation") };
        assert_eq!(rule::<()>(Err(error)), "SW-CONTROL-004 the response answers another request");
        let over = client.status().await.unwrap_err();
        assert_eq!((over.to_string().as_str(), over.code()), ("the session with the node is over", "SW-CONTROL-003"));
    };
    let ((), _held) = tokio::join!(ask, cheat);
}

#[test]
fn json_has_the_names_that_the_command_line_prints() {
    let json = serde_json::to_value(Response::Shards(vec![ShardStatus {
        program_hash: Some(Felt::from(255)),
        error: Some(shardwire_model::Cause::new("SW-X-001", "why")),
        ..shard_status(16)
    }]))
    .unwrap();
    let shard = &json["shards"][0];
    assert_eq!(shard["shard"], "0x10");
    assert_eq!((&shard["role"], &shard["stage"]), (&"settler".into(), &"settled".into()));
    assert_eq!(shard["program_hash"], "0xff");
    assert_eq!(shard["updates"][0], serde_json::json!({"kind": "counter", "key": "0x1", "value": "0x2"}));
    assert_eq!(shard["error"], serde_json::json!({"code": "SW-X-001", "reason": "why"}));
    assert_eq!(
        serde_json::from_value::<Response>(json).unwrap(),
        Response::Shards(vec![ShardStatus {
            program_hash: Some(Felt::from(255)),
            error: Some(shardwire_model::Cause::new("SW-X-001", "why")),
            ..shard_status(16)
        }])
    );
    let status = serde_json::to_value(node_status()).unwrap();
    assert_eq!((&status["roles"][0], &status["peers"][0]["round_trip_us"]), (&"settler".into(), &210.into()));
    let failed = serde_json::to_value(Response::failed(&DiskFull)).unwrap();
    let expected =
        serde_json::json!({"code": "SW-TEST-001", "reason": "the disk is full", "next_step": "Buy a larger one."});
    assert_eq!(failed["failed"], expected);
}

#[test]
fn the_largest_messages_fit_and_longer_lists_are_refused() {
    let entry = EntryRequest {
        kind: Kind::Lock,
        contract: ContractId(LARGEST),
        key: Key(LARGEST),
        owner: Some(AccountId(LARGEST)),
        amount: u64::MAX,
    };
    fits(&Request::StartShard(StartRequest {
        salt: u64::MAX,
        operator: PeerId([255; 32]),
        contracts: vec![ContractId(LARGEST); MAX_CONTRACTS],
        accounts: vec![AccountId(LARGEST); MAX_ACCOUNTS],
        end_event: EventId { from: ContractId(LARGEST), selector: Selector(LARGEST) },
        entries: vec![entry; MAX_ENTRIES],
    }));
    let update = Update { kind: Kind::Lock, key: Key(LARGEST), value: LARGEST };
    let shard = ShardStatus {
        shard: ShardId(LARGEST),
        role: Role::Prover,
        stage: Stage::Aborted,
        operator: PeerId([255; 32]),
        prover: Some(PeerId([255; 32])),
        transactions: u32::MAX,
        refused: u32::MAX,
        steps: u64::MAX,
        chunks: u32::MAX,
        witness_bytes_raw: u64::MAX,
        witness_bytes_wire: u64::MAX,
        execute_ms: u64::MAX,
        stream_ms: u64::MAX,
        prove_ms: u64::MAX,
        prove_cpu_ms: u64::MAX,
        prove_peak_bytes: u64::MAX,
        verify_us: u64::MAX,
        proof: Some(Hash([255; 32])),
        proof_bytes: u64::MAX,
        program_hash: Some(LARGEST),
        updates: vec![],
        error: Some(largest_cause()),
    };
    let name = || "n".repeat(crate::handshake::MAX_NAME);
    let peer = PeerStatus {
        peer: PeerId([255; 32]),
        addr: name(),
        roles: vec![name(); crate::handshake::MAX_ROLES],
        connected: true,
        round_trip_us: Some(u64::MAX),
        skew_ms: Some(i64::MIN),
    };
    let mut shards = vec![shard.clone(); MAX_SHARDS_LISTED];
    shards[0].updates = vec![update; MAX_ENTRIES];
    let mut status = NodeStatus {
        peer: PeerId([255; 32]),
        network: name(),
        roles: vec![Role::Prover; crate::handshake::MAX_ROLES],
        listen: name(),
        agent: name(),
        since: Timestamp(u64::MAX),
        peers: vec![peer.clone(); MAX_PEERS_LISTED],
        shards: shards.clone(),
        more_shards: u32::MAX,
    };
    fits(&Response::Status(Box::new(status.clone())));
    let encodes = |response: &Response| shardwire_transport::message::encode(response).is_ok();
    assert!(encodes(&Response::Started(Box::new(largest_start()))));
    assert!(encodes(&Response::Shards(shards)));
    let storage = StorageStatus {
        key: Key(LARGEST),
        kind: Kind::Lock,
        value: LARGEST,
        in_escrow: u64::MAX,
        held_by: Some(ShardId(LARGEST)),
    };
    assert!(encodes(&Response::World { storage: vec![storage; MAX_STORAGE_LISTED], more: true }));
    fits(&Bye {});

    refused_when_read(&Response::World { storage: vec![storage; MAX_STORAGE_LISTED + 1], more: true });
    refused_when_read(&Response::Peers(vec![peer; MAX_PEERS_LISTED + 1]));
    refused_when_read(&Response::Shards(vec![shard; MAX_SHARDS_LISTED + 1]));
    status.network.push('n');
    refused_when_read(&status);
    let code = "C".repeat(shardwire_model::MAX_CODE + 1);
    refused_when_read(&Response::Failed(Failed { code, reason: String::new(), next_step: String::new() }));
}

/// Found by fuzzing: a person was told to do nothing.
#[test]
fn a_failure_for_which_the_node_names_no_next_step_has_one() {
    let error = ControlError::Failed { cause: shardwire_model::Cause::new("SW-A-1", "broken"), next_step: " ".into() };
    assert_eq!(error.next_step(), "Look at the node's log for more.");
}
