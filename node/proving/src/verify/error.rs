//! Why a proof or a program is refused.

use shardwire_model::{Coded, Felt, MAX_PROOF_BYTES};

use super::{MAX_PROGRAM_FELTS, PCS_CONFIG};

/// Data that is no program to verify runs of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// More felts than any shard program has.
    #[error("the program has {0} felts, at most {MAX_PROGRAM_FELTS} are allowed")]
    TooLong(usize),
    /// The entry code isn't that of proof mode, or names other builtins.
    #[error("the program wasn't compiled in proof mode with all eleven builtins")]
    Builtins,
}

impl Coded for ProgramError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "SW-PROGRAM-001",
            Self::Builtins => "SW-PROGRAM-002",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::TooLong(_) => "Check that the compiled shard program is the one you meant.".into(),
            Self::Builtins => {
                "Compile the shard program with --proof_mode and name all eleven builtins in %builtins.".into()
            }
        }
    }
}

/// Why bytes are not a proof of the program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Longer than any proof.
    #[error("the proof has {bytes} bytes, at most {MAX_PROOF_BYTES} are allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not the encoding of a proof, or not of a proof alone.
    #[error("the bytes are no proof: {0}")]
    Undecodable(String),
    /// A number is not in its one canonical form.
    #[error("the proof is not in canonical form: {0}")]
    NotCanonical(&'static str),
    /// Weaker or otherwise other parameters than the pinned ones.
    #[error("the proof was made with other parameters, worth {bits} bits; only the pinned ones of {} bits are accepted", PCS_CONFIG.security_bits())]
    Parameters {
        /// What its parameters would be worth.
        bits: u64,
    },
    /// Another preprocessed trace.
    #[error("the proof uses another preprocessed trace: {0}")]
    Preprocessed(&'static str),
    /// A proof of another program.
    #[error("the proof is of program {actual:#x}, not of {expected:#x}")]
    Program {
        /// The program to prove.
        expected: Felt,
        /// The program in the proof.
        actual: Felt,
    },
    /// The output isn't where and what the program's output segment says.
    #[error("the proof's output segment is wrong: {0}")]
    Output(&'static str),
    /// The claim is one that no honest prover makes, and that the verification would trust.
    #[error("the proof makes an impossible claim: {0}")]
    Claim(&'static str),
    /// The STARK doesn't verify.
    #[error("the proof doesn't verify: {0}")]
    Rejected(String),
    /// The STARK verifier gave up on the claim with a panic.
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
            Self::Program { .. } => "SW-VERIFY-006",
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
            Self::Program { .. } => {
                "Check that operator, prover and settler run releases with the same shard program.".into()
            }
            _ => {
                "Nothing was applied. Refuse the proof and have the shard proven again, by another prover if it recurs."
                    .into()
            }
        }
    }
}
