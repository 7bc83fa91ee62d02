use super::*;
use crate::{
    Cause, Signed,
    control::{ControlError, Role, Stage},
    testing::{DiskFull, fits, halves, identity, largest_cause, largest_start, refused_when_read, rule},
};
use proptest::prelude::*;
use shardwire_model::{
    AccountId, Coded, ContractId, EntryRequest, EventId, Felt, Hash, Key, Kind, MAX_ACCOUNTS, MAX_CONTRACTS,
    MAX_ENTRIES as MAX_SETTLED, PeerId, Selector, ShardId, StartRequest, Timestamp,
};
use shardwire_transport::Branch;

const SHARD: ShardId = ShardId(Felt::ONE);
const ROLES: [Role; 3] = [Role::Settler, Role::Operator, Role::Prover];

fn part(role: Role) -> Part {
    Part { shard: SHARD, role, job: (role == Role::Prover).then_some(Hash([7; 32])) }
}

/// Any step, with one of two contents.
fn step() -> impl Strategy<Value = Step> {
    (0..11u8, 1..=2u8).prop_map(|(stage, content)| {
        let (hash, peer, commitment) = (Hash([content; 32]), PeerId([content; 32]), Felt::from(content));
        match stage {
            0 => Step::Started { commitment, by: peer, deadline: Timestamp(5) },
            1 => Step::Assigned { commitment, peer },
            2 => Step::Executing { first: hash },
            3 => Step::Ended { transactions: 3, log: hash },
            4 => Step::Streaming { job: hash },
            5 => Step::Proving { witness: hash },
            6 => Step::Proven { proof: hash },
            7 => Step::Verified { proof: hash, prover: peer },
            8 => Step::Settled { proof: (content == 1).then_some(Hash([1; 32])) },
            9 => Step::Failed { cause: Cause::new("SW-TEST-001", &content.to_string()) },
            _ => Step::Aborted { why: Why::Told { by: peer } },
        }
    })
}

/// How far a stage is, said once more.
fn order(stage: Stage) -> usize {
    let stages = [
        Stage::Started,
        Stage::Assigned,
        Stage::Executing,
        Stage::Ended,
        Stage::Streaming,
        Stage::Proving,
        Stage::Proven,
        Stage::Verified,
        Stage::Failed,
    ];
    stages.iter().position(|it| *it == stage).unwrap_or(stages.len())
}

fn lived(role: Role, steps: &[Step]) -> Life {
    steps.iter().fold(Life::new(role), |life, step| life.after(step).unwrap_or(life))
}

proptest! {
    /// Whatever is tried: a life goes forward only, ends once, and what was seen is never seen otherwise.
    #[test]
    fn a_life_only_goes_forward_and_nothing_follows_its_end(
        role in prop::sample::select(&ROLES[..]),
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let mut life = Life::new(role);
        for step in &steps {
            let before = life.clone();
            match life.after(step) {
                Ok(after) if after == before => prop_assert!(before.steps().contains(step), "only a repeat changes nothing"),
                Ok(after) => {
                    prop_assert!(!before.is_over(), "{:?} after the end", step);
                    prop_assert!(!before.steps().contains(step));
                    prop_assert_eq!(&after.steps()[..before.steps().len()], before.steps());
                    prop_assert_eq!(after.steps().last(), Some(step));
                    if let (Some(from), Some(to)) = (before.stage(), after.stage()) {
                        prop_assert!(order(from) < order(to), "{} to {}", from, to);
                    }
                    life = after;
                }
                Err(_) => prop_assert!(!before.steps().contains(step), "what was seen is repeated without harm"),
            }
        }
        prop_assert!(life.steps().len() <= MAX_ENTRIES);
        let ends = life.steps().iter().filter(|it| matches!(it.stage(), Stage::Settled | Stage::Aborted)).count();
        prop_assert!(ends <= 1);
    }

    /// Repeating any of it, in any order, changes nothing.
    #[test]
    fn repeats_are_idempotent(
        role in prop::sample::select(&ROLES[..]),
        steps in prop::collection::vec(step(), 0..40),
        again in any::<prop::sample::Index>(),
    ) {
        let life = lived(role, &steps);
        if !life.steps().is_empty() {
            let step = again.get(life.steps());
            prop_assert_eq!(life.after(step), Ok(life.clone()));
        }
    }

    /// Whatever of a history is changed, left out, doubled or moved, somebody who verifies it sees that.
    #[test]
    fn a_history_that_was_changed_does_not_verify(
        role in prop::sample::select(&ROLES[..]),
        steps in prop::collection::vec(step(), 1..40),
        at in any::<prop::sample::Index>(),
        how in 0..6u8,
    ) {
        let entries = written(role, &steps);
        let me = identity(1).peer();
        let read = verify(&me, part(role), &entries).unwrap();
        prop_assert_eq!(read.life(), &lived(role, &steps));
        if entries.is_empty() {
            return Ok(());
        }
        let mut changed = entries.clone();
        let at = at.index(changed.len());
        match how {
            0 => changed[at].statement.at = Timestamp(99_999),
            1 => changed[at] = Signed::by(&identity(2), changed[at].statement.clone()),
            2 => changed.insert(at, entries[at].clone()),
            3 if at + 1 < changed.len() => drop(changed.remove(at)),
            4 if at + 1 < changed.len() => changed.swap(at, at + 1),
            // The node itself rewrites one: those that follow name the one before.
            5 if at + 1 < changed.len() => {
                let entry = HistoryEntry { at: Timestamp(99_999), ..changed[at].statement.clone() };
                changed[at] = Signed::by(&identity(1), entry);
            }
            _ => return Ok(()),
        }
        prop_assert!(verify(&me, part(role), &changed).is_err());
    }
}

/// The history of what of these steps can be taken.
fn written(role: Role, steps: &[Step]) -> Vec<Signed<HistoryEntry>> {
    let mut history = History::new(part(role));
    let mut entries = Vec::new();
    for (step, at) in steps.iter().zip(0..) {
        if let Ok(Some(entry)) = history.next(&identity(1), Timestamp(at), step.clone()) {
            history = history.with(&entry.statement).unwrap();
            entries.push(entry);
        }
    }
    entries
}

fn said(error: impl Coded) -> String {
    format!("{} {error} | {}", error.code(), error.next_step())
}

#[test]
fn a_step_that_cannot_be_taken_says_why() {
    let proof = Hash([1; 32]);
    let other = Hash([2; 32]);
    let started = Step::Started { commitment: Felt::ONE, by: PeerId([1; 32]), deadline: Timestamp(5) };
    let verified = Step::Verified { proof, prover: PeerId([2; 32]) };
    let unchanged = "Nothing has changed; `shardwire shard history` shows how the shard got where it is.";
    let life = lived(Role::Settler, &[started.clone(), verified]);
    let refused = |step: Step| said(life.after(&step).unwrap_err());
    assert_eq!(refused(Step::Proven { proof }), format!("SW-LIFE-001 a shard isn't proven at a settler | {unchanged}"));
    assert_eq!(
        said(Life::new(Role::Prover).after(&Step::Proven { proof }).unwrap_err()),
        format!("SW-LIFE-002 a shard's life at a prover doesn't begin with being proven | {unchanged}")
    );
    let over = life.after(&Step::Settled { proof: Some(proof) }).unwrap();
    assert_eq!(
        said(over.after(&Step::Aborted { why: Why::TimedOut }).unwrap_err()),
        "SW-LIFE-003 the shard is settled, and stays so | Start another shard."
    );
    assert_eq!(
        refused(Step::Assigned { commitment: Felt::ONE, peer: PeerId([3; 32]) }),
        format!("SW-LIFE-004 the shard is verified and can't be assigned any more | {unchanged}")
    );
    let contradiction = format!("SW-LIFE-005 the shard is settled already, in another way | {unchanged}");
    assert_eq!(refused(Step::Settled { proof: Some(other) }), contradiction, "another proof was verified");
    assert_eq!(said(over.after(&Step::Settled { proof: Some(other) }).unwrap_err()), contradiction);
    // Several provers may have a proof, and the operator heard of the first.
    let operator = lived(Role::Operator, &[Step::Assigned { commitment: Felt::ONE, peer: PeerId([3; 32]) }]);
    let proven = operator.after(&Step::Proven { proof }).unwrap();
    assert!(proven.after(&Step::Settled { proof: Some(other) }).is_ok());
    assert!(life.has_reached(Stage::Assigned) && !life.has_reached(Stage::Settled) && !life.is_over());
}

#[test]
fn a_history_that_is_none_says_where() {
    let steps = [
        Step::Started { commitment: Felt::ONE, by: PeerId([1; 32]), deadline: Timestamp(5) },
        Step::Aborted { why: Why::TimedOut },
    ];
    let entries = written(Role::Settler, &steps);
    let (me, part) = (identity(1).peer(), part(Role::Settler));
    let next = "Don't rely on this history: compare it with those of the other nodes, and restore the data folder from a copy.";
    let refused = |entries: &[Signed<HistoryEntry>]| said(verify(&me, part, entries).unwrap_err());
    let mut forged = entries.clone();
    forged[1].statement.at = Timestamp(9);
    assert_eq!(refused(&forged), format!("SW-LIFE-006 entry 1 is not signed by {} | {next}", me.short()));
    assert_eq!(
        refused(&entries[1..]),
        format!(
            "SW-LIFE-007 entry 0 is not the next one of this history: one is missing, moved or of another | {next}"
        )
    );
    let rewritten = HistoryEntry { at: Timestamp(9), ..entries[0].statement.clone() };
    assert_eq!(
        refused(&[Signed::by(&identity(1), rewritten), entries[1].clone()]),
        format!("SW-LIFE-008 entry 1 doesn't follow the one before it, which was changed | {next}")
    );
    let early = HistoryEntry { step: steps[1].clone(), ..entries[0].statement.clone() };
    assert_eq!(
        refused(&[Signed::by(&identity(1), early)]),
        format!(
            "SW-LIFE-009 entry 0 can't follow: a shard's life at a settler doesn't begin with being aborted | {next}"
        )
    );
}

/// Has so many entries, each of a job of its own.
struct Node(usize);

fn listed(number: usize) -> Signed<HistoryEntry> {
    let job = Hash::of(&number.to_be_bytes());
    let (step, part) = (Step::Streaming { job }, Part { shard: SHARD, role: Role::Prover, job: Some(job) });
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
            MAX_SETTLED
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
    let part = Part { shard: ShardId(Felt::MAX), role: Role::Prover, job: Some(Hash([255; 32])) };
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
