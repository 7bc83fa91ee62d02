use super::*;
use crate::{
    Signed,
    control::ControlError,
    testing::{DiskFull, fits, halves, identity, largest_cause, largest_start, refused_when_read, rule},
};
use shardwire_model::{
    AccountId, Coded, ContractId, EntryRequest, EventId, Felt, Hash, Key, Kind, MAX_ACCOUNTS, MAX_CONTRACTS,
    MAX_ENTRIES, PeerId, Selector, ShardId, StartRequest, Timestamp,
    life::{HistoryEntry, Part, Step},
};
use shardwire_transport::Branch;

const SHARD: ShardId = ShardId(Felt::ONE);

/// Has so many entries, each of a job of its own.
struct Node(usize);

fn listed(number: usize) -> Signed<HistoryEntry> {
    let job = Hash::of(&number.to_be_bytes());
    let (step, part) = (Step::Streaming { job }, Part::of_job(SHARD, job));
    Signed::by(&identity(2), HistoryEntry { part, number: 0, before: Hash::default(), at: Timestamp(1), step })
}

impl Handler<Lives> for Node {
    fn allows(&self, peer: PeerId, request: &Request) -> bool {
        peer == identity(1).peer() || matches!(request, Request::Abort { .. })
    }

    async fn handle(&self, _: PeerId, request: Request) -> Response {
        match request {
            Request::History { after, .. } => {
                let mut entries: Vec<_> = (0..self.0).map(listed).collect();
                entries.sort_by_key(|it| After::of(&it.statement));
                entries.retain(|it| Some(After::of(&it.statement)) > after);
                Response::History { entries, more: false }
            }
            Request::Abort { .. } => Response::Aborted { at: Timestamp(7) },
            Request::Start { .. } => Response::failed(&DiskFull),
        }
    }
}

fn request() -> StartRequest {
    StartRequest {
        salt: u64::MAX,
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
                amount: u64::MAX,
            };
            MAX_ENTRIES
        ],
    }
}

#[tokio::test]
async fn a_history_comes_in_pages_and_who_may_only_abort_may_only_abort() {
    let (a, b) = halves::<Lives>(&identity(1), &identity(2));
    let ask = async {
        let mut client = Client::new(a);
        assert_eq!(client.history(SHARD).await.unwrap().len(), 2 * MAX_LISTED + 3);
        let failed = client.start(request(), None).await.unwrap_err();
        assert_eq!((failed.to_string().as_str(), failed.code()), ("the disk is full (SW-TEST-001)", "SW-CONTROL-002"));
        client.close().await.unwrap();
    };
    let node = Node(2 * MAX_LISTED + 3);
    let ((), served) = tokio::join!(ask, serve(b, &node));
    served.unwrap();

    let (a, b) = halves::<Lives>(&identity(8), &identity(2));
    let ask = async {
        let mut client = Client::new(a);
        assert_eq!(client.abort(SHARD).await, Ok(Timestamp(7)));
        let error = client.history(SHARD).await.unwrap_err();
        assert!(error.to_string().ends_with("may not control this node (SW-CONTROL-001)"), "{error}");
        client.close().await.unwrap();
    };
    let ((), served) = tokio::join!(ask, serve(b, &node));
    served.unwrap();
}

#[tokio::test]
async fn pages_that_go_nowhere_or_elsewhere_are_the_nodes_fault() {
    let mut elsewhere = listed(1);
    elsewhere.statement.part.shard = ShardId(Felt::TWO);
    for response in [
        Response::History { entries: vec![], more: true },
        Response::History { entries: vec![listed(1), listed(1)], more: false },
        Response::History { entries: vec![elsewhere], more: false },
        Response::Aborted { at: Timestamp(1) },
    ] {
        let (a, b) = halves::<Lives>(&identity(1), &identity(2));
        let cheat = async {
            let Branch::First(session) = b.enter().offer().await.unwrap() else { panic!("bye") };
            let (request, session) = session.recv::<Request, _>().await.unwrap();
            (request, session.send(response).await.unwrap().again())
        };
        let ask = async {
            let mut client = Client::new(a);
            let Err(ControlError::Session(error)) = client.history(SHARD).await else { panic!("no violation") };
            assert_eq!(rule::<()>(Err(error)), "SW-LIFE-030 the response answers another request");
        };
        let ((), _held) = tokio::join!(ask, cheat);
    }
}

#[test]
fn the_largest_messages_fit_and_longer_lists_are_refused() {
    let part = Part { segment: u32::MAX, ..Part::of_job(ShardId(Felt::MAX), Hash([255; 32])) };
    let entry = HistoryEntry {
        part,
        number: u32::MAX,
        before: Hash([255; 32]),
        at: Timestamp(u64::MAX),
        step: Step::Failed { cause: largest_cause() },
    };
    let entry = Signed::by(&identity(1), entry);
    let encodes = |response: &Response| shardwire_transport::message::encode(response).is_ok();
    assert!(encodes(&Response::History { entries: vec![entry.clone(); MAX_LISTED], more: true }));
    fits(&Request::Start { request: request(), timeout_s: Some(u64::MAX) });
    fits(&Response::Started { start: Box::new(largest_start()), deadline: Timestamp(u64::MAX) });
    refused_when_read(&Response::History { entries: vec![entry; MAX_LISTED + 1], more: true });
}
