//! One real proof of a game of contracts: made by the real worker, verified as a settler verifies it.
//!
//! Where there is no worker the test builds one, which takes minutes.

use super::{
    dungeon::{DEADLINE, Dungeon, finish, gold, plan, player, world},
    sessions::{Game, step},
};
use crate::{hash, replay, tree::short};
use shardwire_model::{Felt, Output};
use shardwire_proving::{
    verify::{Proven, Verifier},
    worker::{LocateError, ProveRequest, Worker, WorkerPaths, locate_in, prove},
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
    let reverted: Vec<bool> = transactions.iter().map(crate::tree::Transaction::reverted).collect();
    assert_eq!(reverted, [false, false, true, false, false, false, false]);
    let inner = &transactions[1].execute().calls[0];
    assert!(!inner.failed && inner.calls.iter().any(|call| call.failed), "{inner:?}");
    assert_eq!(inner.retdata.first(), Some(&short("ENTRYPOINT_FAILED")));

    let folder = tempfile::tempdir().unwrap();
    let request = ProveRequest {
        witness: folder.path().join("witness"),
        proof: folder.path().join("proof"),
        memory_limit: 8 << 30,
        time_limit: Duration::from_secs(900),
        threads: None,
    };
    let mut assembler = Assembler::new(hash());
    let run = replay(&dungeon.start, &dungeon.classes, &dungeon.state, &mut transactions.into_iter(), &mut |chunk| {
        assembler.push(&chunk.body).map(drop).map_err(io::Error::other)
    })
    .unwrap();
    let mut witness = Vec::new();
    assembler.finish(&run.manifest, &mut witness).unwrap();
    fs::write(&request.witness, &witness).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let proved = runtime.block_on(prove(&worker(), &request, std::future::pending(), |_| {})).unwrap();
    println!("{} steps, {} calls, {} bytes of witness, {proved:?}", run.steps, run.calls, witness.len());

    let Proven { program, output } = Verifier::new().verify(&fs::read(&request.proof).unwrap()).unwrap();
    assert_eq!(program, hash());
    assert_eq!(Output::from_felts(&output).unwrap(), run.output);
}
