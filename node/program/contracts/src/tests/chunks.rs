//! The chunks of a run, and the flat witness that becomes of them.

use super::dungeon::{Dungeon, finish, plan, world};
use crate::{
    Class, Replay, ReplayError, class::Segments, hash, hints::Hints, replay, sessions, start::ClassPair,
    tree::Transaction,
};
use shardwire_machine::Stopped;
use shardwire_model::{Coded, Felt, Hash};
use shardwire_witness::{Assembler, Body, CHUNK_STEPS, Chunk, MAX_CHUNK_CELLS};
use std::io;

fn played(dungeon: &Dungeon) -> Vec<Transaction> {
    let planned = vec![
        plan(1, world(), "adventure", &[Felt::from(20)]),
        plan(2, world(), "try_adventure", &[Felt::from(5_000)]),
        plan(1, world(), "doom", &[]),
        finish(),
    ];
    dungeon.play(planned).0
}

/// What the sink gets of a replay; it fails at the chunk of this number.
fn chunks(dungeon: &Dungeon, fails: usize) -> (Result<Replay, ReplayError>, Vec<Chunk>) {
    let mut chunks = Vec::new();
    let mut transactions = played(dungeon).into_iter();
    let result = replay(&dungeon.start, &dungeon.classes, &dungeon.state, &mut transactions, &mut |chunk| {
        if chunks.len() == fails {
            return Err(io::Error::other("full"));
        }
        chunks.push(chunk);
        Ok(())
    });
    (result, chunks)
}

#[test]
fn a_repeated_run_gives_the_same_chunks_and_a_broken_stream_resumes() {
    let dungeon = Dungeon::new();
    let (run, all) = chunks(&dungeon, usize::MAX);
    let run = run.unwrap();
    run.manifest.validate().unwrap();
    assert!(all.len() > 4);
    for (index, chunk) in all.iter().enumerate() {
        assert_eq!((chunk.index as usize, chunk.hash), (index, Hash::of(&chunk.body)));
        assert_eq!((chunk.hash, chunk.closing), (run.manifest.chunks[index], index + 1 == all.len()));
    }
    assert_eq!((all.last().unwrap().steps, &run.output), (run.steps, &run.manifest.output));
    let (broken, some) = chunks(&dungeon, 3);
    let error = broken.unwrap_err();
    assert!(error.is_of_this_machine());
    assert_eq!(
        (error.code(), error.to_string(), error.next_step()),
        (
            "SW-CONTRACTS-026",
            "a witness chunk can't be stored: full".into(),
            "Free space on the disk of the data folder, and replay the shard from its log.".into()
        )
    );
    let (again, same) = chunks(&dungeon, usize::MAX);
    assert_eq!(again.unwrap().manifest, run.manifest);
    assert_eq!((&some[..], &same), (&all[..3], &all));
}

#[test]
fn a_run_that_is_longer_than_a_witness_is_an_error_of_its_own() {
    let error = ReplayError::from(Stopped::TooLong);
    assert!(!error.is_of_this_machine());
    assert_eq!(
        (error.code(), error.to_string(), error.next_step()),
        (
            "SW-CONTRACTS-025",
            "the run is longer than a witness can be (1024 chunks of 16384 steps)".into(),
            "Settle the shard earlier: start shards with fewer transactions.".into()
        )
    );
}

/// A class that nothing uses, of more cells than a chunk may have.
fn large(dungeon: &Dungeon) -> Class {
    let mut class = dungeon.classes[0].clone();
    // The last in the list.
    class.class_hash = sessions::CLASS + Felt::ONE;
    class.bytecode.extend((0..MAX_CHUNK_CELLS as u64).map(Felt::from));
    class.segments = Segments::Leaf(class.bytecode.len());
    class
}

#[test]
fn code_comes_last_and_the_flat_witness_is_what_the_provers_own_adapter_makes() {
    let mut dungeon = Dungeon::new();
    let class = large(&dungeon);
    let pair = ClassPair { class_hash: class.class_hash, compiled_class_hash: class.compiled_class_hash() };
    dungeon.classes.push(class);
    dungeon.start.classes.push(pair);
    let mut transactions = played(&dungeon).into_iter();
    let classes = dungeon.classes.iter().collect();
    let mut hints = Hints::new(&dungeon.start, classes, &dungeon.state, &mut transactions);
    let mut assembler = Assembler::new(hash());
    let mut bodies: Vec<Body> = Vec::new();
    let (run, runner) = crate::replay::run(&mut hints, &mut |chunk| {
        bodies.push(Body::decode(&chunk.body).unwrap());
        assembler.push(&chunk.body).map(drop).map_err(io::Error::other)
    })
    .unwrap();

    // Contracts run in segments of their own, from the first chunk on; what these hold follows after the last full chunk of steps.
    let code: Vec<u32> = bodies.iter().flat_map(|body| &body.trace).map(|it| it.code).filter(|it| *it != 0).collect();
    assert!(bodies[0].trace.iter().any(|registers| registers.code != 0));
    let (slices, rest) = bodies.split_at(bodies.iter().rposition(|body| body.trace.len() == CHUNK_STEPS).unwrap() + 1);
    let holds_code = |body: &Body| body.runs.iter().any(|run| code.contains(&run.segment));
    assert!(!slices.iter().any(holds_code) && rest.iter().any(holds_code));
    let (closing, cells_only) = rest.split_last().unwrap();
    assert!(closing.closing.is_some() && !cells_only.is_empty());
    for body in cells_only {
        let cells: usize = body.runs.iter().map(|run| run.cells.len()).sum();
        assert_eq!((body.trace.len(), cells), (0, MAX_CHUNK_CELLS));
    }

    let mut flat = Vec::new();
    let assembled = assembler.finish(&run.manifest, &mut flat).unwrap();
    assert_eq!((assembled.bytes as usize, assembled.steps, &assembled.output), (flat.len(), run.steps, &run.output));
    shardwire_sample::flat::assert_is_of(&flat, &runner);
}
