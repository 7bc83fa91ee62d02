//! Why a proof is refused.

use super::PCS_CONFIG;
use shardwire_model::{Coded, MAX_PROOF_BYTES};

/// Why bytes are no proof of any run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The bytes are longer than any proof.
    #[error("the proof has {bytes} bytes, at most {MAX_PROOF_BYTES} are allowed")]
    TooLong {
        /// The length, in bytes.
        bytes: usize,
    },
    /// The bytes aren't the encoding of a proof, or not of a proof alone.
    #[error("the bytes are no proof: {0}")]
    Undecodable(String),
    /// A number isn't in its only canonical form.
    #[error("the proof is not in canonical form: {0}")]
    NotCanonical(&'static str),
    /// The parameters aren't the pinned ones.
    #[error("the proof was made with other parameters, worth {bits} bits; only the pinned ones of {} bits are accepted", PCS_CONFIG.security_bits())]
    Parameters {
        /// The security of its parameters, in bits.
        bits: u64,
    },
    /// The preprocessed trace isn't the pinned one.
    #[error("the proof uses another preprocessed trace: {0}")]
    Preprocessed(&'static str),
    /// The program in the proof is none that can be one.
    #[error("the program in the proof can't be one: {0}")]
    Program(&'static str),
    /// The output doesn't lie where the program's output segment says, or has another length.
    #[error("the proof's output segment is wrong: {0}")]
    Output(&'static str),
    /// No honest prover makes this claim, and the verification would trust it.
    #[error("the proof makes an impossible claim: {0}")]
    Claim(&'static str),
    /// The STARK doesn't verify.
    #[error("the proof doesn't verify: {0}")]
    Rejected(String),
    /// The STARK verifier panicked on the claim.
    #[error("the proof doesn't verify: the verifier stopped at '{0}'")]
    Panicked(String),
}

impl Coded for VerifyError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "SW-VERIFY-001",
            Self::Undecodable(_) => "SW-VERIFY-002",
            Self::NotCanonical(_) => "SW-VERIFY-003",
            Self::Parameters { .. } => "SW-VERIFY-004",
            Self::Preprocessed(_) => "SW-VERIFY-005",
            Self::Program(_) => "SW-VERIFY-006",
            Self::Output(_) => "SW-VERIFY-007",
            Self::Claim(_) => "SW-VERIFY-008",
            Self::Rejected(_) => "SW-VERIFY-009",
            Self::Panicked(_) => "SW-VERIFY-010",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Parameters { .. } | Self::Preprocessed(_) => {
                "Ask the prover to use the worker of this release, or one that keeps to docs/prover-worker.md.".into()
            }
            _ => {
                "Nothing was applied. Refuse the proof and have the shard proven again, by another prover if it recurs."
                    .into()
            }
        }
    }
}
