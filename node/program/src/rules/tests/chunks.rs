//! The chunks of a run, and the flat witness that becomes of them.

use crate::{
    Execution, Program as _, Rules,
    rules::{
        execute::{self, Cutter, execute},
        hash,
        hints::{ProgramTransaction, ShardHints},
    },
};
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
    let mut logged = work.transactions.into_iter().map(|signed| Logged { transaction: signed.into(), time: 9 });
    let any = Rules.execute(&work.start, &work.values, &mut logged, &mut |_| Ok(()));
    assert_eq!(any.expect("it runs"), run);
}

/// The prover's input as the worker makes it of the flat witness.
fn from_flat(flat: &[u8]) -> stwo_cairo_adapter::ProverInput {
    use stwo_cairo_adapter::{
        ProverInput, PublicSegmentContext,
        builtins::{BuiltinSegments, MemorySegmentAddresses},
        memory::{MemoryBuilder, MemoryConfig, MemoryEntry},
        opcodes::StateTransitions,
    };
    let u64_at = |at: usize| u64::from_le_bytes(flat[at..at + 8].try_into().unwrap()) as usize;
    let u32_at = |at: usize| u32::from_le_bytes(flat[at..at + 4].try_into().unwrap());
    assert_eq!(&flat[..8], b"SWWITNS1");
    let (steps, cells, public, builtins) = (u64_at(8), u64_at(16), u32_at(24) as usize, u32_at(28));
    assert_eq!(builtins, 9);
    let segment = |i: usize| {
        let (begin_addr, stop_ptr) = (u64_at(32 + 16 * i), u64_at(40 + 16 * i));
        (begin_addr != 0).then_some(MemorySegmentAddresses { begin_addr, stop_ptr })
    };
    let (public_at, trace_at) = (32 + 16 * 9, 32 + 16 * 9 + 4 * public);
    let memory_at = trace_at + 12 * steps;
    assert_eq!(flat.len(), memory_at + 32 * cells);
    let register = |step: usize, i: usize| u32_at(trace_at + 12 * step + 4 * i) as usize;
    let trace: Vec<_> = (0..steps)
        .map(|step| cairo_vm::vm::trace::trace_entry::RelocatedTraceEntry {
            pc: register(step, 0),
            ap: register(step, 1),
            fp: register(step, 2),
        })
        .collect();
    let entries = (0..cells).map(|cell| MemoryEntry {
        address: cell as u64 + 1,
        value: std::array::from_fn(|i| u32_at(memory_at + 32 * cell + 4 * i)),
    });
    let builder = MemoryBuilder::from_iter(MemoryConfig::default(), entries);
    let state_transitions = StateTransitions::from_slice_parallel(&trace, &builder);
    let (memory, instructions) = builder.build();
    ProverInput {
        state_transitions,
        memory,
        pc_count: instructions.len(),
        public_memory_addresses: (0..public).map(|i| u32_at(public_at + 4 * i)).collect(),
        builtin_segments: BuiltinSegments {
            output: segment(0),
            pedersen_builtin: segment(1),
            range_check_builtin: segment(2),
            bitwise_builtin: segment(3),
            ec_op_builtin: segment(4),
            poseidon_builtin: segment(5),
            range_check96_builtin: segment(6),
            add_mod_builtin: segment(7),
            mul_mod_builtin: segment(8),
        },
        public_segment_context: PublicSegmentContext::bootloader_context(),
    }
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
    let Ok(runner) = execute::run(&mut hints, &mut Cutter::default(), &mut |_| Ok(())) else { panic!("it runs") };
    let mut adapted = stwo_cairo_adapter::adapter::adapt(&runner).expect("it adapts");
    adapted.public_memory_addresses.sort_unstable();
    let bytes = |input| bincode::serialize(&input).expect("it serialises");
    assert!(bytes(from_flat(&flat)) == bytes(adapted), "the inputs differ");
}

#[test]
fn the_start_of_a_validated_request_can_be_run() {
    // A start that `ShardStart::validate` takes has what the program needs: a smallest one.
    let work = workload(1, 1, 1);
    let start: ShardStart = work.start;
    let run = execute(&start, &work.values, work.transactions, |_| Ok(())).expect("it runs");
    assert_eq!((run.output.count, run.manifest.chunks.len()), (1, 1));
}
