//! The sizes of a run's tables: whether they fit one proof, and which evaluation domain they need.
//!
//! The preprocessed trace in use, `CanonicalSmall`, numbers rows up to 2^20, so every numbered table (memory, the
//! distinct values, builtins) holds at most that many rows. The prover panics on more; here it is an error with a
//! name.
//!
//! stwo's `prove_cairo` computes twiddles for a 2^30 domain, gigabytes that a small run never needs. Here the domain
//! follows from the tallest table.

use stwo_cairo_adapter::ProverInput;
use stwo_cairo_adapter::builtins::BuiltinSegments;

/// log2 of the most rows that `CanonicalSmall` numbers.
pub(crate) const LOG_MAX_ROWS: u32 = 20;
/// The most rows of a numbered table.
pub(crate) const MAX_ROWS: usize = 1 << LOG_MAX_ROWS;
/// The address table is 16 addresses wide, so this many memory cells fit.
pub(crate) const MAX_CELLS: usize = 16 * MAX_ROWS - 1;
/// The most steps: 1.4 times what can fill the cells at the usual 0.9 cells a step; 268 MB of trace.
pub(crate) const MAX_STEPS: usize = 24 * MAX_ROWS;

/// log2 of how much larger the domain is than the tallest table. The trace extends by the blow-up (2^1) and the
/// composition polynomial has twice the degree; the rest allows for an estimate that is one short. A domain that is
/// too large costs 8 bytes a point; one that is too small ends in a panic.
const LOG_DOMAIN_OVER_ROWS: u32 = 2;

/// A table that doesn't fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{count} {what}, most {limit}")]
pub(crate) struct TooLarge {
    pub(crate) what: &'static str,
    pub(crate) count: usize,
    pub(crate) limit: usize,
}

/// Refuses tables that `CanonicalSmall` can't number.
pub(crate) fn check(input: &ProverInput) -> Result<(), TooLarge> {
    let memory = &input.memory;
    let large = [
        ("memory cells", memory.address_to_id.len().saturating_sub(1), MAX_CELLS),
        ("distinct values over 72 bits", memory.f252_values.len(), MAX_ROWS),
        ("distinct values up to 72 bits", memory.small_values.len(), MAX_ROWS),
    ];
    for (what, count, limit) in large.into_iter().chain(builtins(&input.builtin_segments)) {
        if count > limit {
            return Err(TooLarge { what, count, limit });
        }
    }
    Ok(())
}

fn builtins(segments: &BuiltinSegments) -> impl Iterator<Item = (&'static str, usize, usize)> {
    let counts = segments.get_counts();
    let one_each = |name: cairo_vm::types::builtin_name::BuiltinName| counts.get(&name).copied().unwrap_or(0);
    use cairo_vm::types::builtin_name::BuiltinName as B;
    [
        ("pedersen calls", one_each(B::pedersen)),
        ("range checks", one_each(B::range_check)),
        ("bitwise calls", one_each(B::bitwise)),
        ("curve operations", one_each(B::ec_op)),
        ("poseidon calls", one_each(B::poseidon)),
        ("96-bit range checks", one_each(B::range_check96)),
        ("modular additions", one_each(B::add_mod)),
        ("modular multiplications", one_each(B::mul_mod)),
    ]
    .into_iter()
    .map(|(what, count)| (what, count, MAX_ROWS))
}

/// log2 of the evaluation domain that the tallest table needs.
pub(crate) fn log_domain(input: &ProverInput) -> u32 {
    log2_ceil(tallest(input)) + LOG_DOMAIN_OVER_ROWS
}

/// An upper estimate of the rows of the tallest table: inner tables are counted as powers of two above their rows a
/// call.
fn tallest(input: &ProverInput) -> usize {
    use cairo_vm::types::builtin_name::BuiltinName as B;
    let opcodes = &input.state_transitions.casm_states_by_opcode;
    let counts = input.builtin_segments.get_counts();
    let calls = |name: B| counts.get(&name).copied().unwrap_or(0);
    let opcode_rows = opcodes.counts().into_iter().map(|(_, rows)| rows).max().unwrap_or(0);
    [
        // The fixed tables (20-bit range check, 10-bit xor) are this tall in every proof.
        MAX_ROWS,
        opcode_rows,
        input.memory.address_to_id.len().div_ceil(16),
        input.memory.f252_values.len(),
        input.memory.small_values.len(),
        calls(B::range_check),
        calls(B::range_check96),
        calls(B::bitwise),
        calls(B::add_mod),
        calls(B::mul_mod),
        // 80 quarter rounds a compression.
        opcodes.blake_compress_opcode.len().next_power_of_two() * 128,
        // 252 doublings and additions a curve operation.
        calls(B::ec_op).next_power_of_two() * 256,
        // 2 × 28 windows of nine bits a call.
        calls(B::pedersen).next_power_of_two() * 64,
        // 27 × 3 partial and 8 × 3 full S-boxes a permutation.
        calls(B::poseidon).next_power_of_two() * 128,
    ]
    .into_iter()
    .max()
    .unwrap_or(MAX_ROWS)
}

const fn log2_ceil(n: usize) -> u32 {
    n.next_power_of_two().trailing_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_round_up() {
        assert_eq!([1, 2, 3, 1 << 20, (1 << 20) + 1].map(log2_ceil), [0, 1, 2, 20, 21]);
    }

    #[test]
    fn too_large_says_what_and_how_much() {
        let error = TooLarge { what: "range checks", count: 5, limit: 4 };
        assert_eq!(error.to_string(), "5 range checks, most 4");
    }
}
