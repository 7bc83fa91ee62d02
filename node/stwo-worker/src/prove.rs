//! Makes proof bytes from a witness.
//!
//! The parameters are fixed, because the verifier pins them: Blake2s channel, salt 0, 96 bits of security (26 of
//! proof of work and 70 queries at blow-up 2), the `CanonicalSmall` preprocessed trace. The full `Canonical` trace
//! would take 18 GiB of memory, more than most machines have.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use cairo_air::CairoProofForRustVerifier;
use stwo::core::fri::FriConfig;
use stwo::core::pcs::PcsConfig;
use stwo::core::poly::circle::CanonicCoset;
use stwo::core::utils::MaybeOwned;
use stwo::core::vcs_lifted::blake2_merkle::{Blake2sMerkleChannel, Blake2sMerkleHasher};
use stwo::prover::CommitmentTreeProver;
use stwo::prover::backend::simd::SimdBackend;
use stwo::prover::mempool::BaseColumnPool;
use stwo::prover::poly::circle::PolyOps;
use stwo_cairo_adapter::memory::{MemoryBuilder, MemoryConfig, MemoryEntry};
use stwo_cairo_adapter::opcodes::StateTransitions;
use stwo_cairo_adapter::{ProverInput, PublicSegmentContext};
use stwo_cairo_common::preprocessed_columns::preprocessed_trace::{PreProcessedTrace, PreProcessedTraceVariant};
use stwo_cairo_prover::prover::{ChannelHash, ProverParameters, prove_cairo_with_precompute};
use stwo_cairo_prover::witness::preprocessed_trace::gen_trace;

use crate::error::Error;
use crate::process::{self, Event};
use crate::shape;
use crate::witness::Witness;

/// How the proof is encoded.
pub(crate) const PROOF_ENCODING: &str = "bincode1 CairoProofForRustVerifier<Blake2sMerkleHasher>";
/// The preprocessed trace's name.
pub(crate) const PREPROCESSED: &str = "CanonicalSmall";

/// The commitment scheme's parameters, which the verifier compares for equality.
pub(crate) fn pcs_config() -> PcsConfig {
    PcsConfig { pow_bits: 26, fri_config: FriConfig::new(0, 1, 70, 1), lifting_log_size: None }
}

fn parameters() -> ProverParameters {
    ProverParameters {
        channel_hash: ChannelHash::Blake2s,
        channel_salt: 0,
        pcs_config: pcs_config(),
        preprocessed_trace: PreProcessedTraceVariant::CanonicalSmall,
        // Keeping them would be a little faster and take much more memory.
        store_polynomials_coefficients: false,
        include_all_preprocessed_columns: false,
    }
}

/// Proves a witness. A panic of the prover comes back as an error.
pub(crate) fn prove(witness: Witness) -> Result<Vec<u8>, Error> {
    guarded(move || {
        let input = prover_input(witness);
        shape::check(&input)?;
        let log_domain = shape::log_domain(&input);
        process::emit(&Event::Proving { log_domain });
        prove_input(input, log_domain)
    })
}

fn prove_input(input: ProverInput, log_domain: u32) -> Result<Vec<u8>, Error> {
    let parameters = parameters();
    let twiddles = SimdBackend::precompute_twiddles(CanonicCoset::new(log_domain).circle_domain().half_coset);
    let preprocessed = Arc::new(preprocessed_trace());
    let pool = BaseColumnPool::new();
    let tree = CommitmentTreeProver::<SimdBackend, Blake2sMerkleChannel>::new(
        SimdBackend::interpolate_columns(gen_trace(preprocessed.clone()), &twiddles),
        parameters.pcs_config.fri_config.log_blowup_factor,
        &twiddles,
        parameters.store_polynomials_coefficients,
        parameters.pcs_config.lifting_log_size,
        &pool,
    );
    let proof = prove_cairo_with_precompute::<Blake2sMerkleChannel>(
        &pool,
        &twiddles,
        preprocessed,
        MaybeOwned::Owned(tree),
        input,
        parameters,
    )
    .map_err(|e| Error::Prover(e.to_string()))?;
    let proof = CairoProofForRustVerifier::<Blake2sMerkleHasher>::from(proof);
    bincode::serialize(&proof).map_err(|e| Error::Prover(e.to_string()))
}

/// `CanonicalSmall`, under another name inside the prover.
///
/// stwo-cairo-prover 1.3.0 refuses the ec_op builtin (signatures need it) by the variant's name alone: it asks
/// `variant == CanonicalSmall` and panics. The columns hold all that ec_op needs, and nothing else reads the field.
/// The proof takes the variant from the parameters, so the verifier sees `CanonicalSmall` with its pinned root.
fn preprocessed_trace() -> PreProcessedTrace {
    let mut trace = PreProcessedTrace::canonical_small();
    trace.variant = PreProcessedTraceVariant::CanonicalWithoutPedersen;
    trace
}

fn prover_input(witness: Witness) -> ProverInput {
    let Witness { trace, memory, public_addresses, builtins } = witness;
    let entries = (1u64..).zip(memory).map(|(address, value)| MemoryEntry { address, value });
    let config = MemoryConfig {
        // What doesn't fit the table of small values goes to the table of large ones.
        log_small_value_capacity: shape::LOG_MAX_ROWS,
        ..MemoryConfig::default()
    };
    let builder = MemoryBuilder::from_iter(config, entries);
    let state_transitions = StateTransitions::from_slice_parallel(&trace, &builder);
    let (memory, instructions) = builder.build();
    ProverInput {
        state_transitions,
        memory,
        pc_count: instructions.len(),
        public_memory_addresses: public_addresses,
        builtin_segments: builtins,
        // Shard programs name all eleven builtins.
        public_segment_context: PublicSegmentContext::bootloader_context(),
    }
}

/// Runs `work` and turns its first panic, on any thread, into an error.
fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    static FIRST: Mutex<RefCell<Option<String>>> = Mutex::new(RefCell::new(None));
    std::panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("a panic without a message");
        let place = info.location().map(|l| format!(" ({}:{})", file_name(l.file()), l.line())).unwrap_or_default();
        let first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
        first.borrow_mut().get_or_insert_with(|| format!("{}{place}", one_line(message)));
    }));
    let result = catch_unwind(AssertUnwindSafe(work));
    let _ = std::panic::take_hook();
    result.unwrap_or_else(|_| {
        let first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
        Err(Error::Prover(first.take().unwrap_or_else(|| "a panic without a message".into())))
    })
}

/// The file's name without its path, which would name this machine's folders.
fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_worth_96_bits() {
        assert_eq!(pcs_config().security_bits(), 96);
    }

    #[test]
    fn a_panic_is_an_error_with_its_message() {
        let error = guarded::<()>(|| panic!("the table\n  is empty")).unwrap_err();
        assert_eq!(error.code(), "SW-WORKER-005");
        let text = error.to_string();
        assert!(text.starts_with("the prover failed: the table is empty (prove.rs:"), "{text}");
    }
}
