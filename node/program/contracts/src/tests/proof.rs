//! Real proofs of a game of contracts: made by the real worker, verified as a settler verifies it, with the list of what the run read.
//!
//! Where there is no worker the test builds one, which takes minutes.

use super::replay;
use super::{
    dungeon::{DEADLINE, Dungeon, finish, gold, plan, player, world},
    sessions::{Game, step},
};
use crate::{
    Carried, Replay, Segment, Start, hash, replay_segment,
    start::EntryKind,
    tree::{Transaction, short},
};
use shardwire_model::{
    AccountId, Coded as _, ContractId, ContractTerms, Entry, Felt, Hash, Instance, Kind, MAX_PROOF_BYTES, Maximum,
    ShardStart, Terms, Timestamp,
    reads::{MAX_READS_BYTES, join},
};
use shardwire_proving::{
    segments::Segments,
    settle::{Believed, Expected, believe, believe_segment},
    verify::Verifier,
    worker::{LocateError, ProveRequest, Proved, Worker, WorkerPaths, locate_in, prove},
};
use shardwire_witness::Assembler;
use std::{fs, io, time::Duration};

fn worker() -> Worker {
    match locate_in(&WorkerPaths { built: None, ..WorkerPaths::of_process() }) {
        Err(LocateError::Missing) => {
            let checkout = shardwire_worker_build::checkout().unwrap();
            Worker::at(&shardwire_worker_build::build(&checkout, &mut |line| eprintln!("{line}")).unwrap()).unwrap()
        }
        found => found.unwrap(),
    }
}

/// What a World fixes for a shard with this start data.
pub(super) fn fixed(start: &Start) -> ShardStart {
    let contract = |address| ContractId(address);
    let class = |place: usize| start.classes[place].class_hash;
    let settled: Vec<_> = start.settled().collect();
    let kind = |kind| match kind {
        EntryKind::Counter => Kind::Counter,
        EntryKind::Escrow => Kind::Escrow,
        EntryKind::Lock | EntryKind::Scratch => Kind::Lock,
    };
    let entry = |entry: &&crate::start::Entry| {
        let slot = start.slot(entry);
        Entry { kind: kind(entry.kind), contract: slot.contract, key: slot.key, guard: entry.guard }
    };
    let scratch = start.entries.iter().filter(|entry| entry.kind == EntryKind::Scratch);
    let terms = ContractTerms {
        origin: Hash::of(b"none").into(),
        begins: start.begins,
        first_block: start.first_block,
        sequencer: contract(start.sequencer),
        classes: start.classes.clone(),
        instances: start.contracts.iter().map(|it| Instance { class: class(it.class), rule: it.rule }).collect(),
        maxima: settled.iter().map(|entry| Maximum(entry.maximum)).collect(),
        scratch: scratch.map(|entry| start.slot(entry)).collect(),
    };
    let fixed = ShardStart {
        shard: start.shard,
        program: start.program,
        operator: start.operator,
        contracts: start.contracts.iter().map(|it| contract(it.address)).collect(),
        accounts: start.contracts.iter().filter(|it| it.account).map(|it| AccountId(it.address)).collect(),
        end_event: start.end_event,
        deadline: Timestamp(start.deadline * 1000),
        entries: settled.iter().map(entry).collect(),
        terms: Terms::Contracts(Box::new(terms)),
    };
    assert_eq!(fixed.for_contracts().as_ref(), Ok(start));
    fixed
}

/// Replays a run, or a segment of one, and has a real worker prove it.
fn proven(dungeon: &Dungeon, from: Option<&Carried>, transactions: &[Transaction]) -> (Replay, Vec<u8>, Proved) {
    let folder = tempfile::tempdir().unwrap();
    let request = ProveRequest {
        witness: folder.path().join("witness"),
        proof: folder.path().join("proof"),
        memory_limit: 8 << 30,
        time_limit: Duration::from_secs(900),
        threads: None,
    };
    let (mut assembler, segment) = (Assembler::new(hash()), Segment { from, is_cut: &|| true });
    let mut transactions = transactions.iter().cloned();
    let (start, classes, state) = (&dungeon.start, &dungeon.classes, &dungeon.state);
    let run = replay_segment(start, classes, state, segment, &mut transactions, &mut |_| {}, &mut |chunk| {
        assembler.push(&chunk.body).map(drop).map_err(io::Error::other)
    })
    .unwrap();
    let mut witness = Vec::new();
    assembler.finish(&run.manifest, &mut witness).unwrap();
    fs::write(&request.witness, &witness).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let proved = runtime.block_on(prove(&worker(), &request, std::future::pending(), |_| {})).unwrap();
    println!("{} steps, {} calls, {} bytes of witness, {proved:?}", run.steps, run.calls, witness.len());
    let proof = fs::read(&request.proof).unwrap();
    (run, proof, proved)
}

/// Signatures of real accounts and of a session key, calls three deep, an inner failure that is undone, a transaction that is reverted, a balance that moves.
#[test]
fn a_game_of_contracts_is_proven() {
    let dungeon = Dungeon::new();
    let felt = |number: u64| Felt::from(number);
    let mut game = Game::new(&dungeon);
    game.invoke(plan(1, world(), "adventure", &[felt(20)]));
    game.invoke(plan(2, world(), "try_adventure", &[felt(5_000)]));
    game.invoke(plan(1, world(), "doom", &[]));
    game.open(2, 1, DEADLINE, &[(gold(), "transfer"), (world(), "train")]);
    game.step(step(2, 1, gold(), "transfer", &[player(1), felt(4), felt(0)]));
    game.step(step(2, 1, world(), "train", &[felt(1)]));
    game.invoke(finish());
    let (transactions, _) = game.over();
    let reverted: Vec<bool> = transactions.iter().map(Transaction::reverted).collect();
    assert_eq!(reverted, [false, false, true, false, false, false, false]);
    let inner = &transactions[1].execute().calls[0];
    assert!(!inner.failed && inner.calls.iter().any(|call| call.failed), "{inner:?}");
    assert_eq!(inner.retdata.first(), Some(&short("ENTRYPOINT_FAILED")));

    let (run, proof, proved) = proven(&dungeon, None, &transactions);
    // What the budget of a shard is counted in is no less than the memory that this took, and not twice as much.
    let counted = run.cost.bytes();
    assert!((proved.peak_bytes..2 * proved.peak_bytes).contains(&counted), "{counted}, {:?}, {proved:?}", run.cost);
    assert!(proof.len() + MAX_READS_BYTES <= MAX_PROOF_BYTES as usize, "the longest list leaves room for it");
    let start = fixed(&dungeon.start);
    let believed = |bytes: &[u8]| {
        let expected = Expected { start: &start, segment: 0, before: run.output.before };
        believe(&Verifier::new(), bytes, &expected).map_err(|error| error.code())
    };
    let list = run.reads.to_felts(&dungeon.start);
    let whole = Believed { output: run.output.clone(), reads: Some(run.reads.clone()) };
    assert_eq!(believed(&join(&list, &proof)), Ok(whole));
    // Another first value, and no list.
    let mut other = run.reads.clone();
    *other.storage.values_mut().next().unwrap() += Felt::ONE;
    assert_eq!(believed(&join(&other.to_felts(&dungeon.start), &proof)), Err("SW-SETTLE-007"));
    assert_eq!(believed(&proof), Err("SW-SETTLE-007"));
}

/// Two segments of a shard, each proven alone and believed in its turn: what they come to is the run.
#[test]
fn two_segments_of_a_game_are_proven() {
    let dungeon = super::cuts::dungeon();
    let transactions = super::cuts::game(&dungeon);
    let start = fixed(&dungeon.start);
    let whole =
        replay(&dungeon.start, &dungeon.classes, &dungeon.state, &mut transactions.clone().into_iter()).unwrap();
    // Both halves have calls of one key, whose chain goes on.
    let (some, rest) = transactions.split_at(6);
    let (first, one, _) = proven(&dungeon, None, some);
    let carried = first.carried.as_ref().unwrap();
    let (second, two, _) = proven(&dungeon, Some(carried), rest);
    let list = |run: &Replay, proof: &[u8]| join(&run.reads.to_felts(&dungeon.start), proof);
    let (one, two) = (list(&first, &one), list(&second, &two));

    let believed = |bytes: &[u8], expected: &Expected<'_>| {
        believe_segment(&Verifier::new(), bytes, expected).map_err(|error| error.code())
    };
    let mut taken = Segments::new(&start, whole.output.before);
    // Not in the other's place, and not as a run that is over.
    assert_eq!(believed(&two, &taken.next()), Err("SW-SETTLE-002"));
    let error = believe(&Verifier::new(), &one, &taken.next()).unwrap_err();
    assert_eq!(error.code(), "SW-SETTLE-010");
    let Believed { output, reads } = believed(&one, &taken.next()).unwrap();
    assert_eq!((&output, reads.as_ref()), (&first.output, Some(&first.reads)));
    taken.take(output).unwrap();
    assert_eq!(believed(&one, &taken.next()), Err("SW-SETTLE-002"));
    // After another first segment, one from another state.
    let elsewhere = Expected { before: taken.next().before + Felt::ONE, ..taken.next() };
    assert_eq!(believed(&two, &elsewhere), Err("SW-SETTLE-003"));
    taken.take(believed(&two, &taken.next()).unwrap().output).unwrap();
    let joined = taken.whole().unwrap();
    assert_eq!((joined.count, joined.before), (whole.output.count, whole.output.before));
    assert_eq!((joined.after, joined.updates), (whole.output.after, whole.output.updates));
}
