//! Decides whether bytes prove a run of a program: of which one, and what that run put out.
//!
//! ```no_run
//! # use shardwire_proving::verify::{Proven, Verifier};
//! # fn example(expected: shardwire_model::Felt, bytes: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! let Proven { program, output } = Verifier::new().verify(bytes)?;
//! assert_eq!(program, expected, "anybody can prove a program of their own");
//! # Ok(()) }
//! ```
//!
//! **The caller compares the program's hash** with the one that the shard was started with. The verifier pins none: a settler has
//! shards of several programs, and the proof's own program is all that says which one ran (what a run puts out may be anything).
//!
//! A verification takes about 15 ms and 15 MB and never waits: keep it off the async threads (`spawn_blocking`).
//!
//! # What is refused
//!
//! `verify_cairo` of cairo-air 1.3.0 checks a STARK against a claim that the proof itself brings. **Alone it decides nothing
//! that settlement could rely on.** From its source, what it takes from the proof or doesn't look at, and what is pinned here:
//!
//! | left open by `verify_cairo` | consequence | here |
//! |---|---|---|
//! | the commitment scheme's parameters are the proof's | a proof of 13 bits passes | compared with [`PCS_CONFIG`], all fields |
//! | preprocessed trace: variant and root are the proof's | any lookup table, so any computation | both pinned ([`PREPROCESSED_ROOT`]) |
//! | `lookup_sum` adds `memory_id_to_big.claimed_sum`, which no constraint and no transcript binds | **any** false statement passes: set it so that the sum is zero | must be the sum of `big_claimed_sums`, which are bound |
//! | `lookup_sum` adds the claimed sums of components that the claim doesn't have | the same | a component has a claim and an interaction claim, or neither |
//! | a builtin's `segment_start` isn't in the transcript, and is compared with the public segment only if that isn't empty | free variables, chosen after the challenges | a builtin has a component exactly if its public segment isn't empty, with the same start |
//! | the output is taken to lie at the final `ap` | an output that the program never wrote | the output segment must begin there and be as long |
//! | an output value's bits 252 to 255 enter neither transcript nor memory | the output can be changed in a valid proof | values must be below the Stark prime |
//! | the program is the proof's, its length too | another program | every felt enters the hash that the caller compares; `initial_ap` follows from the length; entry code of proof mode with all eleven builtins |
//! | sizes enter shifts and sums in 32 bits (wrapping in release builds) | bounds that don't hold | [`MAX_LOG_ROWS`], at most 16 big memory tables |
//! | ap may wrap around the field | one address, two meanings | final `ap` below 2^29, at most 2^29 opcode uses |
//! | field elements and memory ids are decoded without reduction | arithmetic on what isn't a field element; two proofs for one | all must be canonical |
//! | which builtins are present | arguments shift | all eleven; ecdsa and keccak empty |
//! | the channel's salt | 2^32 tries for a prover that wants another transcript | zero |
//! | it panics on bad claims and on a wrong number of commitments | the process ends | caught; commitments counted |
//!
//! It does check itself: initial pc 1, final pc 5, `fp` as `ap`, the first six words of the program, relation uses below the field's
//! characteristic, both proofs of work, the constraints at the out-of-domain point, FRI.
//!
//! # Bounds
//!
//! Bytes are counted before anything is decoded ([`MAX_PROOF_BYTES`]); decoding allocates no more than they can hold; bytes after the
//! proof are refused.

mod canonical;
mod claim;
mod error;

use bincode::Options as _;
use cairo_air::{CairoProofForRustVerifier, verifier::verify_cairo};
pub use claim::{ADDRESS_BOUND, MAX_LOG_ROWS, MAX_OPCODE_USES, MAX_OUTPUT_FELTS};
pub use error::VerifyError;
use shardwire_model::{Felt, MAX_PROOF_BYTES};
use std::{fmt, panic::AssertUnwindSafe};
use stwo::core::{
    fri::FriConfig,
    pcs::PcsConfig,
    vcs_lifted::blake2_merkle::{Blake2sMerkleChannel, Blake2sMerkleHasher},
};
use stwo_cairo_common::preprocessed_columns::preprocessed_trace::PreProcessedTraceVariant;

/// The most felts of a program: some hundred times a shard program's.
pub const MAX_PROGRAM_FELTS: usize = 1 << 18;
/// The only accepted parameters: 26 bits of proof of work and 70 queries at blow-up 2, which is 96 bits.
pub const PCS_CONFIG: PcsConfig = PcsConfig {
    pow_bits: 26,
    fri_config: FriConfig { log_blowup_factor: 1, log_last_layer_degree_bound: 0, n_queries: 70, fold_step: 1 },
    lifting_log_size: None,
};
/// The Blake2s root of the `CanonicalSmall` preprocessed trace at blow-up 2.
pub const PREPROCESSED_ROOT: [u8; 32] = [
    0x06, 0x8d, 0x11, 0x66, 0xc9, 0xf9, 0xf0, 0xec, 0x24, 0x76, 0x41, 0xca, 0x39, 0x1e, 0xe8, 0x39, 0x61, 0x70, 0xe6,
    0x93, 0x43, 0xdf, 0xca, 0xcc, 0x63, 0x2f, 0x96, 0x38, 0x67, 0x0d, 0x2b, 0xec,
];
/// The number of commitments: preprocessed trace, main trace, interaction trace, composition.
const COMMITMENTS: usize = 4;
/// A program in proof mode begins with `ap += 11; call rel ..; jmp rel 0`. The second word is the number of builtins.
const BUILTINS: u64 = 11;

type Proof = CairoProofForRustVerifier<Blake2sMerkleHasher>;

/// What bytes prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The hash of the program that was run (see [`shardwire_model::program_hash`]): of the felts in the proof, which its transcript covers.
    pub program: Felt,
    /// What the run put out.
    pub output: Vec<Felt>,
}

/// Verifies proofs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verifier(());

impl Verifier {
    /// A verifier of proofs of the pinned program and parameters.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }

    /// Which program ran and what it put out, if these bytes prove that.
    ///
    /// Takes some 15 ms of CPU: call it off the async threads.
    ///
    /// # Errors
    /// [`VerifyError::TooLong`], [`VerifyError::Undecodable`] or [`VerifyError::NotCanonical`] if the bytes are no proof, [`VerifyError::Parameters`], [`VerifyError::Preprocessed`],
    /// [`VerifyError::Program`], [`VerifyError::Output`] or [`VerifyError::Claim`] if the proof is of something else than a run of a program here, [`VerifyError::Rejected`] or
    /// [`VerifyError::Panicked`] if it doesn't verify.
    pub fn verify(&self, bytes: &[u8]) -> Result<Proven, VerifyError> {
        let proof = decode(bytes)?;
        canonical::check(&proof)?;
        parameters(&proof)?;
        let program = claim::check_program(&proof.claim)?;
        let output = claim::check_public(&proof.claim)?;
        claim::check_components(&proof.claim, &proof.interaction_claim)?;
        match shardwire_telemetry::catch(AssertUnwindSafe(|| verify_cairo::<Blake2sMerkleChannel>(proof))) {
            Ok(Ok(())) => Ok(Proven { program, output }),
            Ok(Err(error)) => Err(VerifyError::Rejected(error.to_string())),
            Err(panic) => Err(VerifyError::Panicked(panic)),
        }
    }
}

/// What decides whether a proof is believed: a [`Verifier`], or what a simulation gives instead.
pub trait Verify: fmt::Debug + Send + Sync {
    /// As [`Verifier::verify`].
    ///
    /// # Errors
    /// As [`Verifier::verify`]; a simulation gives [`VerifyError::Rejected`] alone.
    fn verify(&self, bytes: &[u8]) -> Result<Proven, VerifyError>;
}

impl Verify for Verifier {
    fn verify(&self, bytes: &[u8]) -> Result<Proven, VerifyError> {
        Self::verify(self, bytes)
    }
}

fn decode(bytes: &[u8]) -> Result<Proof, VerifyError> {
    if bytes.len() > MAX_PROOF_BYTES as usize {
        return Err(VerifyError::TooLong { bytes: bytes.len() });
    }
    bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .with_limit(u64::from(MAX_PROOF_BYTES))
        .reject_trailing_bytes()
        .deserialize(bytes)
        .map_err(|error| VerifyError::Undecodable(error.to_string()))
}

fn parameters(proof: &Proof) -> Result<(), VerifyError> {
    let stark = &proof.stark_proof.0;
    if stark.config != PCS_CONFIG {
        let bits = u64::from(stark.config.pow_bits).saturating_add(
            u64::from(stark.config.fri_config.log_blowup_factor)
                .saturating_mul(stark.config.fri_config.n_queries as u64),
        );
        return Err(VerifyError::Parameters { bits });
    }
    if proof.channel_salt != 0 {
        return Err(VerifyError::Claim("the channel's salt is not zero"));
    }
    if !matches!(proof.preprocessed_trace_variant, PreProcessedTraceVariant::CanonicalSmall) {
        return Err(VerifyError::Preprocessed("another variant"));
    }
    if stark.commitments.len() != COMMITMENTS {
        return Err(VerifyError::Claim("not four commitments"));
    }
    if stark.commitments.first().map(|root| root.0) != Some(PREPROCESSED_ROOT) {
        return Err(VerifyError::Preprocessed("another root"));
    }
    Ok(())
}

/// The felt of eight little-endian words; `None` unless they are below the prime.
fn felt(limbs: &[u32; 8]) -> Option<Felt> {
    let mut bytes = [0; 32];
    for (chunk, limb) in bytes.chunks_exact_mut(4).zip(limbs) {
        chunk.copy_from_slice(&limb.to_le_bytes());
    }
    bytes.reverse();
    shardwire_model::felt::from_canonical(&bytes)
}

#[cfg(test)]
mod tests;
