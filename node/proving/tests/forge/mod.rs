//! A forger's tools: a witness that proves nothing, and a proof whose books are cooked.

use cairo_air::claims::lookup_sum;
use cairo_air::relations::CommonLookupElements;
use shardwire_model::Felt;
use stwo::core::channel::{Blake2sChannel, Channel, MerkleChannel};
use stwo::core::fields::m31::M31;
use stwo::core::vcs_lifted::blake2_merkle::Blake2sMerkleChannel;

use super::Proof;

const HEADER: usize = 32;
const SEGMENTS: usize = 9 * 16;
const STEP: usize = 12;
const CELL: usize = 32;

fn number(bytes: &[u8], at: usize) -> usize {
    usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap()
}

/// The witness with the first and last step only, and another output in its memory.
pub(super) fn without_steps(witness: &[u8], output: &[Felt]) -> Vec<u8> {
    let (steps, public) = (number(witness, 8), number(witness, 24) & 0xffff_ffff);
    let trace = HEADER + SEGMENTS + 4 * public;
    let memory = trace + STEP * steps;
    let mut forged = witness[..trace].to_vec();
    forged[8..16].copy_from_slice(&2u64.to_le_bytes());
    forged.extend(&witness[trace..trace + STEP]);
    forged.extend(&witness[memory - STEP..memory]);
    let cells = forged.len();
    forged.extend(&witness[memory..]);
    let begin = number(witness, HEADER);
    for (i, felt) in output.iter().enumerate() {
        // Addresses begin at 1.
        let at = cells + CELL * (begin + i - 1);
        forged[at..at + CELL].copy_from_slice(&felt.to_bytes_le());
    }
    forged
}

/// The witness of another program of as many felts: one that the run never reached is another. What it put out is the same.
pub(super) fn of_another_program(witness: &[u8], felts: usize) -> Vec<u8> {
    let (steps, public) = (number(witness, 8), number(witness, 24) & 0xffff_ffff);
    let trace = HEADER + SEGMENTS + 4 * public;
    let memory = trace + STEP * steps;
    let pc = |step: usize| u32::from_le_bytes(witness[trace + STEP * step..][..4].try_into().unwrap()) as usize;
    let reached: std::collections::BTreeSet<usize> = (0..steps).flat_map(|step| [pc(step), pc(step) + 1]).collect();
    // Addresses begin at 1.
    let spare = (1..=felts).rev().find(|address| !reached.contains(address)).unwrap();
    let mut other = witness.to_vec();
    other[memory + CELL * (spare - 1)] ^= 1;
    other
}

/// The proof with the one number changed that makes its lookup argument balance.
pub(super) fn balance(mut proof: Proof) -> Proof {
    // The verifier's transcript, up to the point at which it draws the lookup argument's challenges.
    let channel = &mut Blake2sChannel::default();
    channel.mix_felts(&[M31(proof.channel_salt).into()]);
    proof.stark_proof.0.config.mix_into(channel);
    Blake2sMerkleChannel::mix_root(channel, proof.stark_proof.0.commitments[0]);
    proof.claim.mix_into::<Blake2sMerkleChannel>(channel);
    Blake2sMerkleChannel::mix_root(channel, proof.stark_proof.0.commitments[1]);
    channel.mix_u64(proof.interaction_pow);
    let challenges = CommonLookupElements::draw(channel);
    let sum = lookup_sum(&proof.claim, &challenges, &proof.interaction_claim);
    proof.interaction_claim.memory_id_to_big.as_mut().unwrap().claimed_sum -= sum;
    proof
}
