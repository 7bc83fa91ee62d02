//! Checks that the claim which a proof brings is one that an honest run of the program can have.
//!
//! Each check stands for a line of the table in the parent module. They run before the STARK is verified, on decoded
//! data of bounded size, and use no arithmetic that can overflow.

use super::{BUILTINS, MAX_PROGRAM_FELTS, VerifyError, felt};
use cairo_air::{
    air::{PublicSegmentRanges, SegmentRange},
    claims::{CairoClaim, CairoInteractionClaim},
};
use shardwire_model::{Felt, program_hash};
use std::collections::HashMap;
use stwo::core::fields::{m31, qm31::SecureField};

/// log2 of the most rows that any table may claim: 16 million, eight times what the largest run within the prover's memory has.
pub const MAX_LOG_ROWS: u32 = 24;
/// Addresses are below this (2^29); larger ones could wrap around the field.
pub const ADDRESS_BOUND: u32 = 1 << 29;
/// The most uses of the opcode relation: with fewer, `ap` can't wrap around the field within a run.
pub const MAX_OPCODE_USES: u64 = 1 << 29;
/// The most felts of an output: nearly four times the output of a shard with the longest settlement list.
pub const MAX_OUTPUT_FELTS: usize = 1 << 14;
/// The most tables of large memory values, as cairo-air's `MEMORY_ADDRESS_TO_ID_SPLIT`.
const MAX_BIG_TABLES: usize = 16;
/// The words between the program and the first frame: `[initial_fp, 0]`; addresses begin at 1.
const BEFORE_FRAME: usize = 3;
/// Felts of the entry code.
const ENTRY_FELTS: usize = 6;

fn claim<T>(what: &'static str) -> Result<T, VerifyError> {
    Err(VerifyError::Claim(what))
}

fn require(holds: bool, what: &'static str) -> Result<(), VerifyError> {
    if holds { Ok(()) } else { claim(what) }
}

/// The hash of the program in the proof, which is one that was compiled for proving with all eleven builtins.
pub(super) fn check_program(claim: &CairoClaim) -> Result<Felt, VerifyError> {
    let data = &claim.public_data;
    let section = &data.public_memory.program;
    if section.len() > MAX_PROGRAM_FELTS {
        return Err(VerifyError::Program("it has more felts than any"));
    }
    let mut actual = Vec::with_capacity(section.len());
    for (id, value) in section {
        require(*id < m31::P, "a memory id outside the field")?;
        actual.push(felt(value).ok_or(VerifyError::NotCanonical("a word of the program"))?);
    }
    if actual.len() < ENTRY_FELTS || actual.get(1) != Some(&Felt::from(BUILTINS)) {
        return Err(VerifyError::Program("it wasn't compiled in proof mode with all eleven builtins"));
    }
    let first_frame = u64::from(data.initial_state.ap.0);
    require(first_frame == (actual.len() + BEFORE_FRAME) as u64, "the stack doesn't begin after the program")?;
    Ok(program_hash(&actual))
}

/// Checks that addresses, public segments and output are those of a run. Returns the output.
pub(super) fn check_public(claim: &CairoClaim) -> Result<Vec<Felt>, VerifyError> {
    let data = &claim.public_data;
    let memory = &data.public_memory;
    let (initial_ap, final_ap) = (data.initial_state.ap.0, data.final_state.ap.0);
    require(initial_ap <= final_ap && final_ap < ADDRESS_BOUND, "the final ap is out of range")?;
    require(memory.safe_call_ids.iter().all(|id| *id < m31::P), "a memory id outside the field")?;
    for segment in all_segments(&memory.public_segments)? {
        let (start, stop) = (segment.start_ptr, segment.stop_ptr);
        require(start.id < m31::P && stop.id < m31::P, "a memory id outside the field")?;
        require(start.value <= stop.value && stop.value < ADDRESS_BOUND, "a builtin's segment is out of range")?;
    }
    let segment = memory.public_segments.output;
    if segment.start_ptr.value != final_ap {
        return Err(VerifyError::Output("it doesn't begin at the final ap"));
    }
    if memory.output.len() > MAX_OUTPUT_FELTS {
        return Err(VerifyError::Output("it is longer than any shard's"));
    }
    // Bounded above: start <= stop.
    if (segment.stop_ptr.value - segment.start_ptr.value) as usize != memory.output.len() {
        return Err(VerifyError::Output("it has another length than the output"));
    }
    let mut output = Vec::with_capacity(memory.output.len());
    for (id, value) in &memory.output {
        require(*id < m31::P, "a memory id outside the field")?;
        output.push(felt(value).ok_or(VerifyError::NotCanonical("a felt of the output"))?);
    }
    Ok(output)
}

/// Returns all eleven segments. If one is missing, none lies where the program expects it.
fn all_segments(segments: &PublicSegmentRanges) -> Result<[SegmentRange; 11], VerifyError> {
    let PublicSegmentRanges {
        output,
        pedersen,
        range_check_128,
        ecdsa,
        bitwise,
        ec_op,
        keccak,
        poseidon,
        range_check_96,
        add_mod,
        mul_mod,
    } = *segments;
    let all = (|| {
        Some([
            output,
            pedersen?,
            range_check_128?,
            ecdsa?,
            bitwise?,
            ec_op?,
            keccak?,
            poseidon?,
            range_check_96?,
            add_mod?,
            mul_mod?,
        ])
    })();
    all.ok_or(VerifyError::Claim("a builtin is missing"))
}

/// Checks that the tables have possible sizes and belong together, and that the sums over them are bound to their
/// commitments.
pub(super) fn check_components(claim: &CairoClaim, interaction: &CairoInteractionClaim) -> Result<(), VerifyError> {
    check_pairs(claim, interaction)?;
    check_memory(claim, interaction)?;
    check_sizes(claim)?;
    check_builtins(claim)
}

/// Checks that every component has both its claim and its claimed sum, or neither: the sum of an absent component is
/// bound to nothing.
fn check_pairs(claim: &CairoClaim, interaction: &CairoInteractionClaim) -> Result<(), VerifyError> {
    macro_rules! pairs {
        ($($component:ident)*) => {{
            // Both patterns name every field, so a forgotten component doesn't compile.
            let CairoClaim { public_data: _, $($component: _),* } = claim;
            let CairoInteractionClaim { $($component: _),* } = interaction;
            [$((claim.$component.is_some(), interaction.$component.is_some())),*]
        }};
    }
    let pairs = pairs!(
        add_opcode add_opcode_small add_ap_opcode assert_eq_opcode assert_eq_opcode_imm assert_eq_opcode_double_deref
        blake_compress_opcode call_opcode_abs call_opcode_rel_imm generic_opcode jnz_opcode_non_taken jnz_opcode_taken
        jump_opcode_abs jump_opcode_double_deref jump_opcode_rel jump_opcode_rel_imm mul_opcode mul_opcode_small
        qm_31_add_mul_opcode ret_opcode verify_instruction blake_round blake_g blake_round_sigma triple_xor_32
        verify_bitwise_xor_12 add_mod_builtin bitwise_builtin mul_mod_builtin pedersen_builtin
        pedersen_builtin_narrow_windows poseidon_builtin range_check96_builtin range_check_builtin ec_op_builtin
        partial_ec_mul_generic pedersen_aggregator_window_bits_18 partial_ec_mul_window_bits_18
        pedersen_points_table_window_bits_18 pedersen_aggregator_window_bits_9 partial_ec_mul_window_bits_9
        pedersen_points_table_window_bits_9 poseidon_aggregator poseidon_3_partial_rounds_chain
        poseidon_full_round_chain cube_252 poseidon_round_keys range_check_252_width_27 memory_address_to_id
        memory_id_to_big memory_id_to_small range_check_6 range_check_8 range_check_11 range_check_12 range_check_18
        range_check_20 range_check_4_3 range_check_4_4 range_check_9_9 range_check_7_2_5 range_check_3_6_6_3
        range_check_4_4_4_4 range_check_3_3_3_3_3 verify_bitwise_xor_4 verify_bitwise_xor_7 verify_bitwise_xor_8
        verify_bitwise_xor_9
    );
    require(
        pairs.iter().all(|(claim, sum)| claim == sum),
        "a component without its sum, or a sum without its component",
    )
}

/// Checks that the memory's tables are there, and that the sum in the lookup argument is the sum of the parts that
/// are bound.
fn check_memory(claim: &CairoClaim, interaction: &CairoInteractionClaim) -> Result<(), VerifyError> {
    require(claim.memory_address_to_id.is_some() && claim.memory_id_to_small.is_some(), "no memory")?;
    let (Some(big), Some(sums)) = (&claim.memory_id_to_big, &interaction.memory_id_to_big) else {
        return self::claim("no memory");
    };
    let tables = big.big_log_sizes.len();
    require((1..=MAX_BIG_TABLES).contains(&tables), "a wrong number of memory tables")?;
    require(tables == sums.big_claimed_sums.len(), "a wrong number of memory tables")?;
    let sum = sums.big_claimed_sums.iter().sum::<SecureField>();
    require(sum == sums.claimed_sum, "the memory's sum is not the sum of its tables")
}

fn check_sizes(claim: &CairoClaim) -> Result<(), VerifyError> {
    let counted = shardwire_telemetry::catch(|| {
        let largest = claim.log_sizes().iter().flatten().copied().max().unwrap_or(0);
        // These are used as 64-bit shifts next.
        (largest <= MAX_LOG_ROWS).then(|| {
            let mut uses = HashMap::new();
            claim.accumulate_relation_uses(&mut uses);
            uses.get("Opcodes").copied().unwrap_or(0)
        })
    });
    match counted {
        Ok(Some(uses)) => require(uses <= MAX_OPCODE_USES, "too many steps"),
        Ok(None) => self::claim("a table with more rows than any prover has"),
        Err(panic) => Err(VerifyError::Panicked(panic)),
    }
}

/// Checks that a builtin has a component exactly if the program used it, at the place where the program saw it.
fn check_builtins(claim: &CairoClaim) -> Result<(), VerifyError> {
    let [_, pedersen, range_check, ecdsa, bitwise, ec_op, keccak, poseidon, range_check96, add_mod, mul_mod] =
        all_segments(&claim.public_data.public_memory.public_segments)?;
    require(ecdsa.is_empty() && keccak.is_empty(), "a builtin that can't be proven was used")?;
    require(claim.pedersen_builtin.is_none(), "a component of another preprocessed trace")?;
    let starts = [
        (pedersen, claim.pedersen_builtin_narrow_windows.map(|c| c.pedersen_builtin_segment_start)),
        (range_check, claim.range_check_builtin.map(|c| c.range_check_builtin_segment_start)),
        (bitwise, claim.bitwise_builtin.map(|c| c.bitwise_builtin_segment_start)),
        (ec_op, claim.ec_op_builtin.map(|c| c.ec_op_builtin_segment_start)),
        (poseidon, claim.poseidon_builtin.map(|c| c.poseidon_builtin_segment_start)),
        (range_check96, claim.range_check96_builtin.map(|c| c.range_check96_builtin_segment_start)),
        (add_mod, claim.add_mod_builtin.map(|c| c.add_mod_builtin_segment_start)),
        (mul_mod, claim.mul_mod_builtin.map(|c| c.mul_mod_builtin_segment_start)),
    ];
    for (segment, start) in starts {
        let expected = (!segment.is_empty()).then_some(segment.start_ptr.value);
        require(start == expected, "a builtin's component isn't that of its segment")?;
    }
    Ok(())
}
