//! Evidence: what a peer signed and can't have meant. Whoever has it can show it to others, who need nothing else to check it.
//!
//! Two statements contradict each other if an honest signer never makes both, whatever crashed, was lost or came late:
//!
//! - two leases of one job with one epoch for different provers: an epoch is durable before the lease is signed, and is never given again;
//! - two receipts that put different transactions at one place of a shard's sequence, or one transaction at two places: its place is durable
//!   before the receipt is signed.
//!
//! What only seems to contradict is refused: a transaction that was refused once and accepted later, a lease under a new epoch, a proof that
//! was disputed because of the state that it met and settled when that was another.

use crate::{Forged, Signed, ingress, trace};
use serde::{Deserialize, Serialize};
use shardwire_model::{Coded, PeerId};
use std::fmt;

/// Two statements, as they came, signatures included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Of an operator: a job leased twice at once.
    Leases(Box<[Signed<trace::LeaseTerms>; 2]>),
    /// Of an operator: a sequence that forks.
    Receipts(Box<[Signed<ingress::Verdict>; 2]>),
}

/// What evidence shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contradiction {
    /// One job, one epoch, two provers.
    TwoLeases,
    /// One place, two transactions.
    TwoTransactions,
    /// One transaction, two places.
    TwoPlaces,
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
}

impl Coded for NoEvidence {
    fn code(&self) -> &'static str {
        match self {
            Self::Forged(error) => error.code(),
            Self::Consistent => "SW-EVIDENCE-001",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Forged(_) => "Nothing is shown against that peer; check who it is said to be against.".into(),
            Self::Consistent => "Nothing is shown against the peer: don't act on it.".into(),
        }
    }
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TwoLeases => "one job was leased to two provers under one epoch",
            Self::TwoTransactions => "two transactions have one place in the shard's sequence",
            Self::TwoPlaces => "one transaction has two places in the shard's sequence",
        })
    }
}

impl Evidence {
    /// What it shows against this peer, if it shows anything.
    ///
    /// # Errors
    /// If one of the statements is not the peer's, or they don't contradict each other.
    pub fn check(&self, accused: &PeerId) -> Result<Contradiction, NoEvidence> {
        match self {
            Self::Leases(leases) => {
                let [first, second] = leases.each_ref();
                let (first, second) = (first.verify(accused)?, second.verify(accused)?);
                let same = (first.job, first.epoch) == (second.job, second.epoch);
                if same && first.prover != second.prover {
                    Ok(Contradiction::TwoLeases)
                } else {
                    Err(NoEvidence::Consistent)
                }
            }
            Self::Receipts(receipts) => {
                let [first, second] = receipts.each_ref();
                let (first, second) = (first.verify(accused)?, second.verify(accused)?);
                let (Some(here), Some(there)) = (place(first), place(second)) else {
                    return Err(NoEvidence::Consistent);
                };
                match (first.shard == second.shard, here == there, first.transaction == second.transaction) {
                    (true, true, false) => Ok(Contradiction::TwoTransactions),
                    (true, false, true) => Ok(Contradiction::TwoPlaces),
                    _ => Err(NoEvidence::Consistent),
                }
            }
        }
    }
}

/// Where a receipt puts its transaction.
fn place(verdict: &ingress::Verdict) -> Option<u32> {
    if let ingress::Outcome::Accepted { sequence, .. } = verdict.outcome { Some(sequence) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cause, ingress::Outcome, testing::identity};
    use shardwire_model::{AccountId, Felt, Hash, ShardId, Timestamp};

    fn lease(signer: u8, epoch: u64, prover: u8) -> Signed<trace::LeaseTerms> {
        let terms =
            trace::LeaseTerms { job: Hash([7; 32]), epoch, expires: Timestamp(epoch), prover: PeerId([prover; 32]) };
        Signed::by(&identity(signer), terms)
    }

    fn receipt(shard: u64, transaction: u8, outcome: Outcome) -> Signed<ingress::Verdict> {
        let verdict = ingress::Verdict {
            shard: ShardId(Felt::from(shard)),
            transaction: Hash([transaction; 32]),
            account: AccountId(Felt::ONE),
            nonce: 3,
            outcome,
        };
        Signed::by(&identity(1), verdict)
    }

    fn at(sequence: u32) -> Outcome {
        Outcome::Accepted { sequence, duplicate: false }
    }

    #[test]
    fn a_job_leased_twice_under_one_epoch_shows_who_did_it() {
        let check = |first, second| Evidence::Leases(Box::new([first, second])).check(&identity(1).peer());
        let contradiction = check(lease(1, 5, 8), lease(1, 5, 9)).unwrap();
        assert_eq!(contradiction.to_string(), "one job was leased to two provers under one epoch");
        let consistent = check(lease(1, 5, 8), lease(1, 6, 9)).unwrap_err();
        assert_eq!(
            (consistent.code(), consistent.to_string().as_str()),
            ("SW-EVIDENCE-001", "the two statements don't contradict each other")
        );
        assert_eq!(consistent.next_step(), "Nothing is shown against the peer: don't act on it.");
        assert_eq!(check(lease(1, 5, 8), lease(1, 5, 8)), Err(NoEvidence::Consistent));
    }

    #[test]
    fn nobody_is_shown_anything_against_by_what_another_signed() {
        let framed = Evidence::Leases(Box::new([lease(1, 5, 8), lease(2, 5, 9)]));
        let forged = framed.check(&identity(1).peer()).unwrap_err();
        assert_eq!(forged.code(), "SW-SIGNED-001");
        assert!(forged.to_string().contains("is not by peer"), "{forged}");
        assert!(forged.next_step().starts_with("Nothing is shown against that peer"));
        let mut changed = lease(1, 6, 9);
        changed.statement.epoch = 5;
        let altered = Evidence::Leases(Box::new([lease(1, 5, 8), changed]));
        assert!(matches!(altered.check(&identity(1).peer()), Err(NoEvidence::Forged(_))));
    }

    #[test]
    fn a_sequence_that_forks_is_shown_by_two_receipts() {
        let check = |first, second| Evidence::Receipts(Box::new([first, second])).check(&identity(1).peer());
        assert_eq!(check(receipt(1, 8, at(4)), receipt(1, 9, at(4))), Ok(Contradiction::TwoTransactions));
        assert_eq!(check(receipt(1, 8, at(4)), receipt(1, 8, at(5))), Ok(Contradiction::TwoPlaces));
        let duplicate = Outcome::Accepted { sequence: 4, duplicate: true };
        let refused = Outcome::Refused(Cause::new("SW-TX-002", "the nonce is 4, not 3"));
        for (second, why) in [
            (receipt(1, 8, duplicate), "asked again"),
            (receipt(1, 8, refused), "refused at another time"),
            (receipt(1, 9, at(5)), "the next"),
            (receipt(2, 9, at(4)), "another shard"),
        ] {
            assert_eq!(check(receipt(1, 8, at(4)), second), Err(NoEvidence::Consistent), "{why}");
        }
    }

    #[test]
    fn evidence_is_exported_and_read_by_others() {
        let evidence = Evidence::Leases(Box::new([lease(1, 5, 8), lease(1, 5, 9)]));
        let json = serde_json::to_string(&evidence).unwrap();
        assert_eq!(serde_json::from_str::<Evidence>(&json).unwrap(), evidence);
        assert_eq!(postcard::from_bytes::<Evidence>(&postcard::to_allocvec(&evidence).unwrap()).unwrap(), evidence);
    }
}
