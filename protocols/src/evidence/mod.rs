//! Evidence: what a peer signed and can't have meant. It can be shown to others, who need nothing else to check it.
//!
//! Two statements contradict each other if an honest signer never makes both, whatever crashed, was lost or came late:
//!
//! - two leases of one job with one epoch for different provers: an epoch is durable before the lease is signed, and is never given again;
//! - two receipts that put different transactions at one place of a shard's sequence, or one transaction at two places: its place is durable
//!   before the receipt is signed. A transaction is named without its signature: one that comes again with another one is the same, at the same place.
//!
//! A proof is bad if its prover signed that it proves a job, and it doesn't: the announcement names job and bytes by hash, so anybody with the bytes
//! and a verifier of the job's program sees it. No verifier is known here, it is an argument ([`Verifier`]).
//!
//! What only seems to be wrong is refused: a transaction that was refused once and accepted later, a lease under a new epoch, a proof that
//! was disputed because of the state that it met and settled when that was another, a proof of another program than the verifier's (it may have been
//! right in its time), bytes that aren't those announced.
//!
//! [`Accusation`] is what is kept and handed on: whom it is against, and the evidence, as bytes that begin with what they are. Bound:
//! [`MAX_EVIDENCE_BYTES`].

mod accusation;
#[cfg(test)]
mod tests;

pub use accusation::{Accusation, MAGIC};

use crate::{Forged, Signed, ingress, proof::Announcement, trace};
use serde::{Deserialize, Serialize};
use shardwire_model::{Cause, Coded, Felt, Hash, MAX_PROOF_BYTES, Output, PeerId, felt};
use std::fmt;

/// The longest evidence: a proof, and what was signed about it.
pub const MAX_EVIDENCE_BYTES: u32 = MAX_PROOF_BYTES + 4096;

/// What a peer signed, as it came, and what else it takes to see that it can't have meant it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Of an operator: a job leased twice at once.
    Leases(Box<[Signed<trace::LeaseTerms>; 2]>),
    /// Of an operator: a sequence that forks.
    Receipts(Box<[Signed<ingress::ReceiptContent>; 2]>),
    /// Of a prover: a proof that doesn't prove what it should.
    Proof(Box<BadProof>),
}

/// A proof that doesn't prove what its prover signed that it proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadProof {
    /// What the prover signed.
    pub announcement: Announcement,
    /// The commitment of the start data of the announced job. With the next and the program it makes the job's name.
    #[serde(with = "felt::wire")]
    pub start: Felt,
    /// The commitment of the state before.
    #[serde(with = "felt::wire")]
    pub before: Felt,
    /// The bytes that have the announced hash.
    pub bytes: Vec<u8>,
}

/// Sees what bytes prove: the one part of a check that isn't hashes and signatures.
pub trait Verifier {
    /// The hash of the program whose runs it knows.
    fn program(&self) -> Felt;

    /// The output of the run that the bytes prove, if the [list](shardwire_model::reads) before the proof is the one that it commits to.
    ///
    /// # Errors
    /// [`Cause`]: why they prove none.
    fn output(&self, proof: &[u8]) -> Result<Output, Cause>;
}

/// What evidence shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// One job, one epoch, two provers.
    TwoLeases,
    /// One place, two transactions.
    TwoTransactions,
    /// One transaction, two places.
    TwoPlaces,
    /// A proof of nothing.
    NoProof(Cause),
    /// A proof of something else.
    OtherProof,
}

/// What is no evidence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEvidence {
    /// Not that peer's statement.
    #[error(transparent)]
    Forged(#[from] Forged),
    /// An honest peer may sign both.
    #[error("the two statements don't contradict each other")]
    Consistent,
    /// No piece of evidence at all.
    #[error("this is no piece of evidence: {0}")]
    Unreadable(&'static str),
    /// A job that the verifier can't judge, or whose parts aren't those given.
    #[error("the job that was announced isn't that of program {program:#x} and the state given")]
    OtherJob {
        /// The verifier's program.
        program: Felt,
    },
    /// Not what was announced.
    #[error("the bytes don't have the hash that was announced")]
    OtherBytes,
    /// A good proof.
    #[error("the proof proves what was announced")]
    Proven,
}

impl Coded for NoEvidence {
    fn code(&self) -> &'static str {
        match self {
            Self::Forged(error) => error.code(),
            Self::Consistent => "SW-EVIDENCE-001",
            Self::Unreadable(_) => "SW-EVIDENCE-002",
            Self::OtherJob { .. } => "SW-EVIDENCE-003",
            Self::OtherBytes => "SW-EVIDENCE-004",
            Self::Proven => "SW-EVIDENCE-005",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Forged(_) => "Nothing is shown against that peer; check who it is said to be against.",
            Self::Consistent | Self::OtherBytes | Self::Proven => {
                "Nothing is shown against the peer: don't act on it."
            }
            Self::Unreadable(_) => "Check that it is the right file, and that it is whole.",
            Self::OtherJob { .. } => {
                "Check it with the release of shardwire that proves that program; until then nothing is shown against the peer."
            }
        }
        .into()
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoLeases => f.write_str("one job was leased to two provers under one epoch"),
            Self::TwoTransactions => f.write_str("two transactions have one place in the shard's sequence"),
            Self::TwoPlaces => f.write_str("one transaction has two places in the shard's sequence"),
            Self::NoProof(cause) => write!(f, "what was announced as a proof is none: {cause}"),
            Self::OtherProof => f.write_str("the proof is of another shard, segment or state than was announced"),
        }
    }
}

impl Evidence {
    /// What it shows against this peer, if it shows anything.
    ///
    /// # Errors
    /// [`NoEvidence::Forged`] if a statement is not the peer's, [`NoEvidence::Consistent`] or [`NoEvidence::Proven`] if an honest peer may have made
    /// what is here, [`NoEvidence::OtherJob`] or [`NoEvidence::OtherBytes`] if the parts aren't those that were announced.
    pub fn check(&self, accused: &PeerId, verifier: &dyn Verifier) -> Result<Shown, NoEvidence> {
        match self {
            Self::Leases(leases) => {
                let [first, second] = leases.each_ref();
                let (first, second) = (first.verify(accused)?, second.verify(accused)?);
                let same = (first.job, first.epoch) == (second.job, second.epoch);
                if same && first.prover != second.prover { Ok(Shown::TwoLeases) } else { Err(NoEvidence::Consistent) }
            }
            Self::Receipts(receipts) => {
                let [first, second] = receipts.each_ref();
                let (first, second) = (first.verify(accused)?, second.verify(accused)?);
                forked(first, second).ok_or(NoEvidence::Consistent)
            }
            Self::Proof(proof) => proof.check(accused, verifier),
        }
    }
}

impl BadProof {
    fn check(&self, accused: &PeerId, verifier: &dyn Verifier) -> Result<Shown, NoEvidence> {
        let ready = self.announcement.verify(accused)?.ready;
        let program = verifier.program();
        if trace::job_id(program, self.start, self.before, ready.segment) != ready.job {
            return Err(NoEvidence::OtherJob { program });
        }
        if Hash::of(&self.bytes) != ready.proof {
            return Err(NoEvidence::OtherBytes);
        }
        match verifier.output(&self.bytes) {
            Err(cause) => Ok(Shown::NoProof(cause)),
            Ok(output) => {
                let proven = (output.shard, output.segment, output.before);
                if proven == (ready.shard, ready.segment, self.before) {
                    Err(NoEvidence::Proven)
                } else {
                    Ok(Shown::OtherProof)
                }
            }
        }
    }
}

/// How two receipts of one signer contradict each other, if they do.
#[must_use]
pub fn forked(first: &ingress::ReceiptContent, second: &ingress::ReceiptContent) -> Option<Shown> {
    let (here, there) = (place(first)?, place(second)?);
    match (first.shard == second.shard, here == there, first.transaction == second.transaction) {
        (true, true, false) => Some(Shown::TwoTransactions),
        (true, false, true) => Some(Shown::TwoPlaces),
        _ => None,
    }
}

/// Where a receipt puts its transaction.
fn place(content: &ingress::ReceiptContent) -> Option<u32> {
    if let ingress::Outcome::Accepted { sequence, .. } = content.outcome { Some(sequence) } else { None }
}
