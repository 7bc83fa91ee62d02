//! The chunks of a run, and the flat witness that becomes of them.

use crate::{
    Execution, Program as _, Rules,
    rules::{
        compiled,
        execute::execute,
        hash,
        hints::{ProgramTransaction, ShardHints},
    },
};
use shardwire_machine as machine;
use shardwire_model::{Hash, Logged, ShardStart};
use shardwire_sample::{Workload, workload};
use shardwire_witness::{Assembler, Chunk};
use std::{io, time::Duration};

fn chunks(work: &Workload, pause: Option<Duration>) -> (Execution, Vec<Chunk>) {
    let mut chunks = Vec::new();
    let (feed, fed) = std::sync::mpsc::sync_channel(4);
    let transactions = work.transactions.clone();
    let feeder = std::thread::spawn(move || {
        for transaction in transactions {
            if let Some(pause) = pause {
                std::thread::sleep(pause);
            }
            // The run takes nothing after the end event.
            let _ = feed.send(transaction);
        }
    });
    let run = execute(&work.start, &work.values, fed, |chunk| {
        chunks.push(chunk);
        Ok(())
    });
    feeder.join().expect("the feeder feeds");
    (run.expect("it runs"), chunks)
}

#[test]
fn chunks_are_the_same_however_the_transactions_come() {
    let work = workload(3, 400, 11);
    let (run, all) = chunks(&work, None);
    let (again, same) = chunks(&work, Some(Duration::from_micros(300)));
    assert_eq!((&run, &all), (&again, &same));
    assert!(all.len() > 2, "several chunks");
    run.manifest.validate().expect("the manifest adds up");
    for (index, chunk) in all.iter().enumerate() {
        assert_eq!((chunk.index as usize, chunk.hash), (index, Hash::of(&chunk.body)));
        assert_eq!((chunk.hash, chunk.closing), (run.manifest.chunks[index], index + 1 == all.len()));
    }
    assert_eq!(all.last().expect("chunks").steps, run.steps);
    // As any program, too.
    let mut logged =
        work.transactions.into_iter().map(|signed| Logged { transaction: signed.into(), time: 9, reverted: false });
    let any = Rules.execute(&work.start, &work.values, &mut logged, &mut |_| Ok(()));
    assert_eq!(any.expect("it runs"), run);
}

#[test]
fn the_flat_witness_is_what_the_provers_own_adapter_makes() {
    let work = workload(3, 200, 12);
    let mut assembler = Assembler::new(hash());
    let run = execute(&work.start, &work.values, work.transactions.clone(), |chunk| {
        assembler.push(&chunk.body).map(|hash| assert_eq!(hash, chunk.hash)).map_err(io::Error::other)
    })
    .expect("it runs");
    let mut flat = Vec::new();
    let assembled = assembler.finish(&run.manifest, &mut flat).expect("it is a witness");
    assert_eq!((assembled.bytes as usize, assembled.steps), (flat.len(), run.steps));
    assert_eq!(assembled.output, run.output);

    let transactions: Vec<ProgramTransaction> = work
        .transactions
        .iter()
        .map(|signed| ProgramTransaction {
            account: work.start.account_index(signed.transaction.account).unwrap(),
            words: signed.transaction.words(&work.start).unwrap(),
            signature: signed.signature,
        })
        .collect();
    let mut transactions = transactions.into_iter();
    let mut hints = ShardHints::new(&work.start, &work.values, &mut transactions);
    let (_, runner) = machine::run(compiled::program(), &mut hints, &mut |_| Ok(())).expect("it runs");
    shardwire_sample::flat::assert_is_of(&flat, &runner);
}

#[test]
fn the_start_of_a_validated_request_can_be_run() {
    // A start that `ShardStart::validate` takes has what the program needs: a smallest one.
    let work = workload(1, 1, 1);
    let start: ShardStart = work.start;
    let run = execute(&start, &work.values, work.transactions, |_| Ok(())).expect("it runs");
    assert_eq!((run.output.count, run.manifest.chunks.len()), (1, 1));
}
