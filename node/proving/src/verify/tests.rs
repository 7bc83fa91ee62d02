//! Tests that need no proof. Those that do are in `tests/proof.rs`.

use super::*;
use cairo_air::utils::{construct_f252, encode_and_hash_memory_section};
use shardwire_model::program_hash;

#[test]
fn pinned_numbers_are_those_of_the_page() {
    assert_eq!(PCS_CONFIG.security_bits(), 96);
    assert_eq!(PCS_CONFIG, PcsConfig { pow_bits: 26, fri_config: FriConfig::new(0, 1, 70, 1), lifting_log_size: None });
    let root: String = PREPROCESSED_ROOT.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(root, "068d1166c9f9f0ec247641ca391ee8396170e69343dfcacc632f9638670d2bec");
}

/// A felt as cairo-air has it: eight little-endian words.
fn limbs(felt: &Felt) -> [u32; 8] {
    let bytes = felt.to_bytes_le();
    std::array::from_fn(|i| u32::from_le_bytes(std::array::from_fn(|j| bytes[4 * i + j])))
}

#[test]
fn a_programs_hash_is_the_one_of_cairo_air() {
    let edge = [(1u64 << 63) - 1, 1 << 63, u64::MAX, 0, 1].map(Felt::from);
    let data: Vec<Felt> = edge.into_iter().chain([Felt::from(u128::MAX), Felt::MAX]).collect();
    let section = data.iter().map(|felt| (0, limbs(felt))).collect();
    let theirs = construct_f252(&encode_and_hash_memory_section(&section));
    assert_eq!(program_hash(&data).to_bytes_be(), theirs.to_bytes_be());
}

#[test]
fn words_and_felts_are_one_to_one_below_the_prime() {
    for value in [Felt::ZERO, Felt::ONE, Felt::MAX, Felt::from(u128::MAX)] {
        assert_eq!(felt(&limbs(&value)), Some(value));
    }
    let prime = [1, 0, 0, 0, 0, 0, 0x11, 0x0800_0000];
    assert_eq!(felt(&prime), None);
    assert_eq!(felt(&[u32::MAX; 8]), None);
}

#[test]
fn bytes_that_are_no_proof_are_refused() {
    let verifier = Verifier::new();
    assert!(matches!(verifier.verify(b""), Err(VerifyError::Undecodable(_))));
    assert!(matches!(verifier.verify(&[0xff; 5000]), Err(VerifyError::Undecodable(_))));
    assert_eq!(
        verifier.verify(&vec![0; MAX_PROOF_BYTES as usize + 1]),
        Err(VerifyError::TooLong { bytes: MAX_PROOF_BYTES as usize + 1 })
    );
}
