//! Compares a flat witness with what the prover's own adapter makes of the machine.

use cairo_vm::vm::{runners::cairo_runner::CairoRunner, trace::trace_entry::RelocatedTraceEntry};
use stwo_cairo_adapter::{
    ProverInput, PublicSegmentContext,
    adapter::adapt,
    builtins::{BuiltinSegments, MemorySegmentAddresses},
    memory::{MemoryBuilder, MemoryConfig, MemoryEntry},
    opcodes::StateTransitions,
};

/// The prover's input as the worker makes it of the flat witness.
fn from_flat(flat: &[u8]) -> ProverInput {
    let u64_at = |at: usize| u64::from_le_bytes(flat[at..at + 8].try_into().expect("of its length")) as usize;
    let u32_at = |at: usize| u32::from_le_bytes(flat[at..at + 4].try_into().expect("of its length"));
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
        .map(|step| RelocatedTraceEntry { pc: register(step, 0), ap: register(step, 1), fp: register(step, 2) })
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

/// Panics unless the witness is what the adapter makes of the machine after the run.
pub fn assert_is_of(flat: &[u8], runner: &CairoRunner) {
    let mut adapted = adapt(runner).expect("it adapts");
    adapted.public_memory_addresses.sort_unstable();
    let bytes = |input| bincode::serialize(&input).expect("it serialises");
    assert!(bytes(from_flat(flat)) == bytes(adapted), "the inputs differ");
}
