use super::{INITIATOR, RESPONDER, Script, script, start};
use shardwire_model::{
    Cause, EntryRequest, EventId, Felt, Hash, Key, Kind, PeerId, Role, ShardId, StartRequest, Timestamp,
    life::{History, HistoryEntry, Part, Step, Why},
};
use shardwire_protocols::{
    Signed,
    history::sign,
    life::{Answer as _, Client, Handler, Lives, Request, Response, serve},
};

struct Node;

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
        Step::Aborted { why: Why::TimedOut },
    ];
    let failed = Step::Failed { cause: Cause::new("SW-TEST-001", "the disk is full") };
    let prover = vec![Step::Streaming { job: hash }, failed, Step::Aborted { why: Why::Told { by: them } }];
    let other = vec![Step::Streaming { job: Hash::of(b"job") }, Step::Settled { proof: None }];
    let parts = [
        (Role::Settler, None, settler),
        (Role::Operator, None, operator),
        (Role::Prover, Some(hash), prover),
        (Role::Prover, Some(Hash([0xff; 32])), other),
    ];
    let mut all = Vec::new();
    for (role, job, steps) in parts {
        let mut history = History::new(Part { job, ..Part::of(shard, role) });
        for step in steps {
            let at = Timestamp(1_700_000_000_000 + all.len() as u64);
            let entry = sign(&history, &RESPONDER, at, step).unwrap().unwrap();
            history = history.with(&entry.statement).unwrap();
            all.push(entry);
        }
    }
    all
}

impl Handler<Lives> for Node {
    fn allows(&self, peer: PeerId, _: &Request) -> bool {
        peer == INITIATOR.peer()
    }

    async fn handle(&self, _: PeerId, request: Request) -> Response {
        match request {
            Request::Start { timeout_s, .. } => Response::Started {
                start: Box::new(start(&RESPONDER)),
                deadline: Timestamp(1_700_000_000_000 + 1000 * timeout_s.unwrap_or(600)),
            },
            Request::Abort { shard } if shard == ShardId(Felt::from(0x5a)) => {
                Response::Aborted { at: Timestamp(1_700_000_000_000) }
            }
            Request::Abort { .. } => Response::failure("SW-TEST-001", "no such shard", "Name another."),
            Request::History { shard, after: None } => {
                Response::History { entries: entries(shard)[..9].to_vec(), more: true }
            }
            Request::History { shard, .. } => Response::History { entries: entries(shard)[9..].to_vec(), more: false },
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
    vec![script::<Lives, _, _>(
        "every request once",
        |session| async move {
            let mut client = Client::new(session);
            let shard = ShardId(Felt::from(0x5a));
            client.start(request(), Some(90)).await?;
            client.start(request(), None).await?;
            client.abort(shard).await?;
            assert!(client.abort(ShardId(Felt::ONE)).await.is_err());
            assert_eq!(client.history(shard).await?, entries(shard));
            Ok(client.close().await?)
        },
        |session| async move { Ok(serve(session, &Node).await?) },
    )]
}
