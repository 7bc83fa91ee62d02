use super::*;
use crate::{
    dungeon::{Options, generate},
    recompute::{Value, recompute},
};
use shardwire::contents::{self, PeerScore, ProverJob};
use shardwire_model::{
    Felt, Logged, Output, Role, SegmentId, ShardStart, ShardTransaction, Slot, StartRequest, Timestamp, Update,
    life::{AbortCause, History, HistoryEntry, Part, Step},
};
use shardwire_protocols::{Signed, history::sign, ingress::ReceiptContent, proof::Settlement};
use shardwire_reputation::{Ban, Components};
use shardwire_transport::Identity;
use shardwire_world::StorageEntry;
use std::sync::LazyLock;

fn identity(number: u8) -> Identity {
    Identity::from_secret(&[number; 32])
}

const PROOF: Hash = Hash([5; 32]);
const SETTLED: usize = 0;
const ABORTED: usize = 1;
const OPEN: usize = 2;

const TRANSACTIONS: u32 = 12;

/// Made once: signing is slow.
static SOUND: LazyLock<RunOutcome> = LazyLock::new(made);

fn sound() -> RunOutcome {
    SOUND.clone()
}

/// A settler, an operator and a prover; a shard that is settled, one aborted, one open.
fn made() -> RunOutcome {
    let [settler, operator, prover] = [1, 2, 3].map(identity);
    let workload = generate(Options { players: 3, transactions: TRANSACTIONS as usize, seed: 4 }).expect("a dungeon");
    let expected = recompute(&workload).expect("it obeys the rules");
    let genesis: State =
        workload.world.storage.iter().map(|it| (it.slot(), Value { kind: it.kind, value: it.value })).collect();
    let request = workload.start_request(operator.peer(), Felt::ONE);
    let starts: Vec<ShardStart> =
        [1, 2, 3].map(|salt| StartRequest { salt, ..request.clone() }.to_start("test", Timestamp(1 << 50))).to_vec();
    let logged = |signed| Logged { transaction: ShardTransaction::Rules(signed), time: 0, reverted: false };
    let logs: Vec<Vec<Logged>> =
        starts.iter().map(|start| workload.sign(start).expect("it signs").into_iter().map(logged).collect()).collect();
    let values = |state: &State| -> Vec<contents::Value> {
        let entry = |it: &shardwire_model::EntryRequest| match it.kind {
            Kind::Escrow => Felt::from(it.amount),
            _ => state[&it.slot()].value,
        };
        request.entries.iter().map(|it| contents::Value(entry(it))).collect()
    };
    let output = Output {
        program: starts[SETTLED].program,
        shard: starts[SETTLED].shard,
        segment: 0,
        before: Felt::ONE,
        after: Felt::ONE,
        reads: Felt::ZERO,
        transactions: Felt::ONE,
        count: TRANSACTIONS,
        ended: true,
        updates: expected
            .updates
            .iter()
            .map(|&(kind, Slot { contract, key }, value)| Update { kind, contract, key, value })
            .collect(),
    };
    let fates = [
        (Timestamp(10), values(&genesis), Fate::Settled { output, proof: PROOF, at: Timestamp(20) }),
        (Timestamp(21), values(&expected.state), Fate::Aborted { at: Timestamp(30) }),
        (Timestamp(31), values(&expected.state), Fate::Open),
    ];
    let shards = starts.iter().zip(fates).map(|(start, (started_at, values, fate))| WorldShard {
        start: start.clone(),
        values,
        started_at,
        fate,
    });
    let open = &request.entries;
    let storage = expected.state.iter().map(|(slot, it)| {
        let in_escrow = open.iter().find(|entry| entry.slot() == *slot).map_or(0, |entry| entry.amount);
        StorageEntry {
            contract: slot.contract,
            key: slot.key,
            kind: it.kind,
            value: it.value - Felt::from(in_escrow),
            in_escrow,
            held_by: (it.kind == Kind::Lock).then_some(starts[OPEN].shard),
        }
    });
    let world = WorldContents { storage: storage.collect(), shards: shards.collect() };
    let ends = [Some(Ended::Settled { proof: PROOF }), Some(Ended::Aborted), None];
    let operated: Vec<OperatedShard> = starts
        .iter()
        .zip(&logs)
        .zip(ends)
        .map(|((start, log), ended)| OperatedShard { start: start.clone(), log: log.clone(), ended })
        .collect();
    let receipts = operated.iter().flat_map(|it| {
        let shard = it.start.shard;
        let operator = &operator;
        it.log.iter().zip(0..).map(move |(logged, sequence)| {
            let content = ReceiptContent {
                shard,
                transaction: logged.transaction.hash(),
                account: logged.transaction.account(),
                nonce: logged.transaction.nonce(),
                outcome: Outcome::Accepted { sequence, duplicate: false, reverted: false },
            };
            (operator.peer(), Signed::by(operator, content))
        })
    });
    let settlement = Settlement { shard: starts[SETTLED].shard, segment: 0, proof: PROOF, settled_at: Timestamp(20) };
    let job = ProverJob {
        job: Hash([7; 32]),
        segment: 0,
        shard: starts[SETTLED].shard,
        proof: Some(PROOF),
        receipt: Some(Signed::by(&settler, settlement)),
    };
    let lives = histories(&starts, &operated, [&settler, &operator, &prover]);
    let node = |identity: &Identity, histories: &Vec<Signed<HistoryEntry>>| NodeContents {
        peer: identity.peer(),
        world: None,
        operated: vec![],
        jobs: vec![],
        peers: vec![PeerScore {
            peer: prover.peer(),
            components: Components { work: 250, late: 25, cost: 3, ..Components::default() },
            ban: None,
        }],
        histories: histories.clone(),
    };
    let receipts = receipts.collect();
    RunOutcome {
        genesis: [(settler.peer(), genesis)].into(),
        started: starts.iter().map(|start| (settler.peer(), start.shard)).collect(),
        nodes: vec![
            NodeContents { world: Some(world), ..node(&settler, &lives[0]) },
            NodeContents { operated, ..node(&operator, &lives[1]) },
            NodeContents { jobs: vec![job], ..node(&prover, &lives[2]) },
        ],
        receipts,
        liars: BTreeSet::new(),
    }
}

/// What settler, operator and prover have signed.
fn histories(
    starts: &[ShardStart],
    operated: &[OperatedShard],
    nodes: [&Identity; 3],
) -> [Vec<Signed<HistoryEntry>>; 3] {
    let [settler, operator, prover] = nodes;
    let hash = Hash([9; 32]);
    let settled = |proof| Step::Settled { proof: Some(proof) };
    let aborted = |why| Step::Aborted { why };
    let started = |start: &ShardStart| {
        let (commitment, by) = (start.commitment(), settler.peer());
        let assigned = Step::Assigned { commitment, peer: operator.peer() };
        vec![Step::Started { commitment, by, deadline: Timestamp(29) }, assigned]
    };
    let run = |it: &OperatedShard| {
        let first = it.log.first().expect("a log").transaction.hash();
        vec![
            Step::Assigned { commitment: it.start.commitment(), peer: settler.peer() },
            Step::Executing { first },
            Step::Ended { transactions: TRANSACTIONS, log: hash },
        ]
    };
    let ends = [
        [vec![Step::Verified { proof: PROOF, prover: prover.peer() }, settled(PROOF)], vec![settled(PROOF)]],
        [vec![aborted(AbortCause::TimedOut)], vec![aborted(AbortCause::Told { by: settler.peer() })]],
        [vec![], vec![]],
    ];
    let write = |identity: &Identity, part: Part, steps: Vec<Step>| {
        let mut history = History::new(part);
        let mut entries = Vec::new();
        for (step, at) in steps.into_iter().zip(28..) {
            let entry = sign(&history, identity, Timestamp(at), step).expect("it follows").expect("it is new");
            history = history.with(&entry.statement).expect("it follows");
            entries.push(entry);
        }
        entries
    };
    let mut all = [vec![], vec![], vec![]];
    for ((start, it), [of_settler, of_operator]) in starts.iter().zip(operated).zip(ends) {
        let part = |role| Part::of(SegmentId::first(start.shard), role);
        all[0].extend(write(settler, part(Role::Settler), [started(start), of_settler].concat()));
        all[1].extend(write(operator, part(Role::Operator), [run(it), of_operator].concat()));
    }
    let job = Hash([7; 32]);
    let proof =
        vec![Step::Streaming { job }, Step::Proving { witness: hash }, Step::Proven { proof: PROOF }, settled(PROOF)];
    all[2] = write(prover, Part::of_job(SegmentId::first(starts[SETTLED].shard), job), proof);
    all
}

fn world(outcome: &mut RunOutcome) -> &mut WorldContents {
    outcome.nodes[0].world.as_mut().expect("a World")
}

fn cell(outcome: &mut RunOutcome, kind: Kind) -> &mut StorageEntry {
    world(outcome).storage.iter_mut().find(|it| it.kind == kind).expect("one of each kind")
}

fn checks(outcome: &RunOutcome) -> BTreeSet<Check> {
    safety(outcome).into_iter().map(|it| it.check).collect()
}

/// Applies a change to a copy of a sound network and expects this violation.
#[track_caller]
fn finds(check: Check, text: &str, change: impl FnOnce(&mut RunOutcome)) {
    let mut outcome = sound();
    change(&mut outcome);
    let found = safety(&outcome);
    assert!(found.iter().any(|it| it.check == check && it.what.contains(text)), "{check:?} '{text}': {found:#?}");
}

#[test]
fn a_sound_network_has_no_violation_and_an_open_shard_is_late() {
    let mut outcome = sound();
    assert_eq!(safety(&outcome), []);
    let late = liveness(&outcome);
    assert_eq!(late.len(), 1);
    assert_eq!(late[0].check, Check::EveryShardEnds);
    assert!(late[0].what.contains("is still open"), "{}", late[0]);
    assert_eq!(all(&outcome), late);
    // At some moment an operator or a prover has nothing yet, or hasn't heard of an end.
    let open = outcome.nodes[1].operated.remove(OPEN).start.shard;
    outcome.nodes[1].histories.retain(|it| it.statement.part.shard != open);
    outcome.nodes[1].operated[SETTLED].ended = None;
    outcome.nodes[2].jobs.clear();
    outcome.nodes[2].histories.clear();
    outcome
        .receipts
        .retain(|(_, receipt)| outcome.nodes[1].operated.iter().any(|it| it.start.shard == receipt.statement.shard));
    assert_eq!(safety(&outcome), []);
}

#[test]
fn a_started_shard_that_the_world_forgot() {
    finds(Check::StartedShards, "doesn't know it", |outcome| drop(world(outcome).shards.remove(OPEN)));
    finds(Check::StartedShards, "was told Aborted", |outcome| {
        outcome.nodes[1].operated[SETTLED].ended = Some(Ended::Aborted)
    });
    finds(Check::StartedShards, "was told Settled", |outcome| {
        outcome.nodes[1].operated[ABORTED].ended = Some(Ended::Settled { proof: PROOF });
    });
    finds(Check::StartedShards, "other start data", |outcome| {
        assert!(outcome.nodes[1].operated[OPEN].start.accounts.pop().is_some())
    });
}

#[test]
fn a_settlement_that_was_applied_twice_not_at_all_or_of_another_run() {
    let twice = |outcome: &mut RunOutcome| {
        let genesis = outcome.genesis.values().next().expect("a settler").clone();
        let counter = cell(outcome, Kind::Counter);
        counter.value = counter.value + counter.value - genesis[&counter.slot()].value;
    };
    finds(Check::SettledOnce, "and should be", twice);
    finds(Check::SettledOnce, "12 transactions of shard", |outcome| {
        outcome.nodes[1].operated[SETTLED].log.remove(3);
    });
    finds(Check::SettledOnce, "its log has no end", |outcome| {
        assert!(outcome.nodes[1].operated[SETTLED].log.pop().is_some())
    });
    finds(Check::SettledOnce, "comes after the end", |outcome| outcome.nodes[1].operated[SETTLED].log.swap(10, 11));
    finds(Check::SettledOnce, "has no log of it", |outcome| drop(outcome.nodes[1].operated.remove(SETTLED)));
    finds(Check::SettledOnce, "are not what its log says", |outcome| {
        let Fate::Settled { output, .. } = &mut world(outcome).shards[SETTLED].fate else { panic!("settled") };
        output.updates[0].value += Felt::ONE;
    });
    finds(Check::SettledOnce, "is missing, and should be", |outcome| assert!(world(outcome).storage.pop().is_some()));
    finds(Check::SettledOnce, "wasn't when it began", |outcome| {
        let last = *world(outcome).storage.last().expect("storage");
        world(outcome).storage.push(StorageEntry { key: shardwire_model::Key(Felt::MAX), ..last });
    });
    // The escrow of an aborted shard that didn't come back, and gold from nowhere.
    finds(Check::SettledOnce, "and should be", |outcome| cell(outcome, Kind::Escrow).value -= Felt::ONE);
    finds(Check::ValueConserved, "don't add up", |outcome| cell(outcome, Kind::Escrow).value += Felt::ONE);
}

#[test]
fn a_lock_with_two_holders_or_one_that_is_over() {
    finds(Check::OneHolder, "is in the open shards", |outcome| world(outcome).shards[ABORTED].fate = Fate::Open);
    finds(Check::OneHolder, "of the open shards nobody took it", |outcome| {
        world(outcome).shards[OPEN].fate = Fate::Aborted { at: Timestamp(40) };
    });
    finds(Check::OneHolder, "is held by nobody", |outcome| cell(outcome, Kind::Lock).held_by = None);
    finds(Check::OneHolder, "are in escrow; open shards took", |outcome| cell(outcome, Kind::Escrow).in_escrow += 1);
}

#[test]
fn a_job_with_two_accepted_proofs() {
    let again = |outcome: &mut RunOutcome, job: Hash, proof: Hash| {
        let shard = world(outcome).shards[SETTLED].start.shard;
        let settlement = Settlement { shard, segment: 0, proof, settled_at: Timestamp(21) };
        let receipt = Some(Signed::by(&identity(1), settlement));
        outcome.nodes[1].jobs.push(ProverJob { job, shard, segment: 0, proof: Some(proof), receipt });
    };
    finds(Check::OneProof, "two proofs of job", |outcome| again(outcome, Hash([7; 32]), Hash([6; 32])));
    finds(Check::OneProof, "was accepted for two jobs", |outcome| again(outcome, Hash([8; 32]), PROOF));
    finds(Check::OneProof, "isn't settled by it", |outcome| again(outcome, Hash([8; 32]), Hash([6; 32])));
    finds(Check::OneProof, "that no settler signed", |outcome| outcome.nodes[0].peer = identity(9).peer());
    finds(Check::OneProof, "for another proof than that of job", |outcome| outcome.nodes[2].jobs[0].proof = None);
    // The same proof offered twice, and twice answered with a receipt, is fine.
    let mut outcome = sound();
    again(&mut outcome, Hash([7; 32]), PROOF);
    assert_eq!(checks(&outcome), BTreeSet::new());
}

/// The entry of this stage in the first history of a node that has one, written anew by the node itself, and all that follow.
fn rewrite(outcome: &mut RunOutcome, node: usize, shard: usize, change: impl Fn(&mut Step)) {
    let shard = outcome.nodes[0].world.as_ref().expect("a World").shards[shard].start.shard;
    let mut history: Option<History> = None;
    for entry in outcome.nodes[node].histories.iter_mut().filter(|it| it.statement.part.shard == shard) {
        let HistoryEntry { part, at, mut step, .. } = entry.statement.clone();
        change(&mut step);
        let so_far = history.take().unwrap_or_else(|| History::new(part));
        let number = u8::try_from(node + 1).expect("three nodes");
        *entry = sign(&so_far, &identity(number), at, step).expect("it follows").expect("it is new");
        history = Some(so_far.with(&entry.statement).expect("it follows"));
    }
}

#[test]
fn a_history_that_was_changed_or_contradicts_what_happened() {
    finds(Check::Histories, "is none: entry 1 is not the next one", |outcome| {
        drop(outcome.nodes[0].histories.remove(1))
    });
    finds(Check::Histories, "is not signed by", |outcome| outcome.nodes[1].histories[0].statement.at = Timestamp(1));
    finds(Check::Histories, "that no World knows", |outcome| drop(world(outcome).shards.remove(OPEN)));
    finds(Check::Histories, "names another start", |outcome| {
        rewrite(outcome, 1, SETTLED, |step| {
            if let Step::Assigned { commitment, .. } = step {
                *commitment = Felt::ONE;
            }
        });
    });
    finds(Check::Histories, "says Settled", |outcome| world(outcome).shards[SETTLED].fate = Fate::Open);
    finds(Check::Histories, "says Aborted", |outcome| world(outcome).shards[ABORTED].fate = Fate::Open);
    finds(Check::Histories, "another transaction than the log", |outcome| {
        outcome.nodes[1].operated[OPEN].log.swap(0, 1)
    });
    finds(Check::Histories, "ends after 12 transactions", |outcome| {
        outcome.nodes[1].operated[OPEN].log.pop();
    });
    finds(Check::Histories, "it doesn't operate", |outcome| drop(outcome.nodes[1].operated.remove(OPEN)));
    finds(Check::Histories, "before its deadline", |outcome| {
        rewrite(outcome, 0, ABORTED, |step| {
            if let Step::Started { deadline, .. } = step {
                *deadline = Timestamp(1000);
            }
        });
    });
    // What was missed in a crash has to be there some time after it.
    let mut outcome = sound();
    let settled = world(&mut outcome).shards[SETTLED].start.shard;
    let last = outcome.nodes[0].histories.iter().rposition(|it| it.statement.part.shard == settled).expect("a history");
    outcome.nodes[0].histories.remove(last);
    assert_eq!(safety(&outcome), []);
    assert!(liveness(&outcome).iter().any(|it| it.what.contains("its settler's history doesn't say so")));
}

#[test]
fn a_receipt_whose_transaction_is_gone() {
    finds(Check::ReceiptsKept, "isn't in its log", |outcome| {
        assert!(outcome.nodes[1].operated[OPEN].log.pop().is_some())
    });
    finds(Check::ReceiptsKept, "isn't in its log", |outcome| outcome.nodes[1].operated[ABORTED].log.swap(0, 1));
    finds(Check::ReceiptsKept, "isn't in its log", |outcome| drop(outcome.nodes[1].operated.remove(ABORTED)));
    finds(Check::ReceiptsKept, "is not signed by operator", |outcome| outcome.receipts[0].0 = identity(1).peer());
    let mut outcome = sound();
    let (operator, receipt) = outcome.receipts[0].clone();
    let refused = ReceiptContent {
        outcome: Outcome::Refused { cause: shardwire_model::Cause::new("SW-TX-001", "no"), due: Some(1) },
        transaction: Hash([1; 32]),
        ..receipt.statement
    };
    outcome.receipts.push((operator, Signed::by(&identity(2), refused)));
    assert_eq!(safety(&outcome), [], "what was refused is in no log");
}

#[test]
fn an_honest_peer_that_lost_what_it_had_earned() {
    let score = |outcome: &mut RunOutcome, change: fn(&mut PeerScore)| change(&mut outcome.nodes[1].peers[0]);
    finds(Check::ScoresKept, "harm: 1500", |outcome| score(outcome, |it| it.components.harm = 1500));
    finds(Check::ScoresKept, "broken: 150", |outcome| score(outcome, |it| it.components.broken = 150));
    let banned = |it: &mut PeerScore| it.ban = Some(Ban { until: Timestamp(9), times: 1 });
    finds(Check::ScoresKept, "times: 1", |outcome| score(outcome, banned));
    let mut outcome = sound();
    score(&mut outcome, banned);
    outcome.liars.insert(identity(3).peer());
    assert_eq!(safety(&outcome), [], "a liar has earned it");
}

#[test]
fn what_a_liar_signed_is_worth_nothing() {
    let mut outcome = sound();
    assert!(outcome.nodes[1].operated[OPEN].log.pop().is_some());
    outcome.liars.insert(identity(2).peer());
    assert_eq!(safety(&outcome), []);
}

#[test]
fn a_violation_says_what_and_how() {
    let violation = Violation { check: Check::OneHolder, what: "lock 0x1 is held by two".into() };
    assert_eq!(violation.to_string(), "OneHolder: lock 0x1 is held by two");
    let json = serde_json::to_string(&violation).expect("JSON");
    assert_eq!(json, r#"{"check":"one_holder","what":"lock 0x1 is held by two"}"#);
}
