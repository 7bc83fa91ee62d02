use super::*;
use crate::{
    Signed,
    testing::{
        DiskFull, LARGEST, fits, halves, identity, largest_cause, largest_start, largest_terms, refused_when_read, rule,
    },
};
use shardwire_model::{
    AccountId, Coded, ContractId, EntryRequest, EventId, Felt, Hash, Key, Kind, MAX_ACCOUNTS, MAX_CONTRACTS,
    MAX_ENTRIES, PeerId, Role, SegmentId, Selector, ShardId, Stage, StartRequest, Timestamp, Trust, Update,
    life::{EntryForm, HistoryEntry, Part, Step},
};
use shardwire_reputation::{Ban, Components, Listing, Quota, Standing, Tier};
use shardwire_transport::Branch;
use std::sync::Mutex;

mod limits;
mod pages;
mod requests;

/// A node with so many of everything.
#[derive(Default)]
struct Node {
    storage: Vec<StorageStatus>,
    shards: usize,
    peers: u8,
    evidence: usize,
    entries: usize,
    stopped: Mutex<bool>,
}

const SHARD: ShardId = ShardId(Felt::ONE);

fn storage(key: u64) -> StorageStatus {
    StorageStatus {
        contract: ContractId(Felt::ONE),
        key: Key(Felt::from(key)),
        kind: Kind::Escrow,
        value: Felt::TWO,
        in_escrow: 3,
        held_by: None,
    }
}

fn shard_status(number: u64) -> ShardStatus {
    let mut status = ShardStatus::new(ShardId(Felt::from(number)), Role::Settler, PeerId([4; 32]));
    status.stage = Stage::Settled;
    status.updates =
        vec![Update { kind: Kind::Counter, contract: ContractId(Felt::ONE), key: Key(Felt::ONE), value: Felt::TWO }];
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
        clock: ClockStatus::default(),
        unmet: vec![Unmet::new("worker", "SW-TEST-001", "there is none", "Build one.")],
        peers: vec![PeerStatus {
            peer: PeerId([2; 32]),
            addr: "127.0.0.1:4712".into(),
            roles: vec!["operator".into()],
            connected: true,
            round_trip_us: Some(210),
            skew_ms: Some(-1),
            trouble: None,
        }],
        shards: vec![],
        more_shards: 0,
    }
}

fn view(number: u8) -> PeerView {
    PeerView {
        peer: PeerId([number; 32]),
        now: Timestamp(9),
        standing: Standing::Admitted(Tier::Normal),
        listing: None,
        score: 450,
        components: Components { work: 500, late: 50, ..Components::default() },
        ban: None,
        connected: vec![],
        quotas: vec![],
        changes: vec![],
        evidence: 0,
    }
}

/// An entry of a job of its own.
fn listed(number: usize) -> Signed<HistoryEntry> {
    let job = Hash::of(&number.to_be_bytes());
    let (step, part) = (Step::Streaming { job }, Part::of_job(SegmentId::first(SHARD), job));
    Signed::by(
        &identity(2),
        HistoryEntry { part, number: 0, before: Hash::default(), at: Timestamp(1), step, form: EntryForm::default() },
    )
}

/// The largest request to start a shard.
fn request() -> StartRequest {
    StartRequest {
        salt: u64::MAX,
        program: Felt::MAX,
        operator: PeerId([255; 32]),
        contracts: vec![ContractId(Felt::MAX); MAX_CONTRACTS],
        accounts: vec![AccountId(Felt::MAX); MAX_ACCOUNTS],
        end_event: EventId { from: ContractId(Felt::MAX), selector: Selector(Felt::MAX) },
        entries: vec![
            EntryRequest {
                kind: Kind::Lock,
                contract: ContractId(Felt::MAX),
                key: Key(Felt::MAX),
                owner: Some(AccountId(Felt::MAX)),
                amount: u128::MAX,
            };
            MAX_ENTRIES
        ],
        terms: largest_terms(),
    }
}

impl Handler for Node {
    /// Its administrator may everything; a stranger may abort.
    fn allows(&self, peer: PeerId, request: &Request) -> bool {
        peer == identity(1).peer() || matches!(request, Request::Shard(shard::Request::Abort { .. }))
    }

    async fn handle(&self, _: PeerId, request: Request) -> Result<Response, Failed> {
        Ok(match request {
            Request::Node(request) => self.node(&request)?.into(),
            Request::Shard(request) => self.shard(request)?.into(),
            Request::World(world::Request::Storage { after }) => {
                let from = self.storage.iter().position(|it| Some(it.slot()) > after).unwrap_or(self.storage.len());
                world::Response::Storage { storage: self.storage[from..].to_vec(), more: false }.into()
            }
            Request::Peer(request) => self.peer(request)?.into(),
        })
    }
}

impl Node {
    fn statuses(&self) -> Vec<ShardStatus> {
        (0..self.shards as u64).map(shard_status).collect()
    }

    fn node(&self, request: &node::Request) -> Result<node::Response, Failed> {
        Ok(match request {
            node::Request::Status => {
                node::Response::Status(Box::new(NodeStatus { shards: self.statuses(), ..node_status() }))
            }
            node::Request::Stop => {
                *self.stopped.lock().unwrap() = true;
                node::Response::Stopping
            }
            node::Request::Reload => node::Response::Reloaded { configured: 1, allowed: 2, denied: 3 },
            node::Request::Overview => return Err(DiskFull.into()),
        })
    }

    fn shard(&self, request: shard::Request) -> Result<shard::Response, Failed> {
        Ok(match request {
            shard::Request::Start { .. } => return Err(DiskFull.into()),
            shard::Request::Abort { .. } => shard::Response::Aborted { at: Timestamp(7) },
            shard::Request::Retry { .. } => shard::Response::Retried { jobs: 2 },
            shard::Request::Status { shard: Some(_) } => shard::Response::Shards(vec![shard_status(1)]),
            shard::Request::Status { shard: None } => shard::Response::Shards(self.statuses()),
            shard::Request::History { after, .. } => {
                let mut entries: Vec<_> = (0..self.entries).map(listed).collect();
                entries.sort_by_key(|it| HistoryCursor::of(&it.statement));
                entries.retain(|it| Some(HistoryCursor::of(&it.statement)) > after);
                shard::Response::History { entries, more: false }
            }
        })
    }

    fn peer(&self, request: peer::Request) -> Result<peer::Response, Failed> {
        Ok(match request {
            peer::Request::Links => peer::Response::Links(vec![]),
            peer::Request::List { after } => {
                let all = (0..self.peers).map(view).filter(|it| Some(it.peer) > after);
                peer::Response::Peers { peers: all.collect(), more: false }
            }
            peer::Request::Evidence { from, .. } => {
                let bytes = u32::try_from(self.evidence).unwrap();
                peer::Response::Evidence { bytes, part: vec![7; self.evidence - from as usize] }
            }
            _ => return Err(DiskFull.into()),
        })
    }
}

/// Asks this node as the peer with this number.
async fn asked<T>(number: u8, node: &Node, ask: impl AsyncFnOnce(&mut Client) -> T) -> T {
    let (a, b) = halves::<Administration>(&identity(number), &identity(2));
    let ask = async {
        let mut client = Client::new(a);
        let answer = ask(&mut client).await;
        client.close().await.unwrap();
        answer
    };
    let (answer, served) = tokio::join!(ask, serve(b, node));
    served.unwrap();
    answer
}

/// Asks a node that gives this answer to whatever is asked; the rule that it breaks.
async fn answered<T: std::fmt::Debug>(
    response: Response,
    ask: impl AsyncFnOnce(&mut Client) -> Result<T, AdministrationError>,
) -> (String, Client) {
    let (a, b) = halves::<Administration>(&identity(1), &identity(2));
    let cheat = async {
        let Branch::First(session) = b.enter().offer().await.unwrap() else { panic!("bye") };
        let (_, session) = session.recv::<Request, _>().await.unwrap();
        session.send(response).await.unwrap().repeat()
    };
    let ask = async {
        let mut client = Client::new(a);
        match ask(&mut client).await {
            Err(AdministrationError::Session(error)) => (rule::<()>(Err(error)), client),
            other => panic!("no violation: {other:?}"),
        }
    };
    let (broken, _held) = tokio::join!(ask, cheat);
    broken
}
