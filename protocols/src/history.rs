//! Histories as nodes sign them: each [`HistoryEntry`] carries its node's signature.
//!
//! The entries of a part, read in their order, are its history; [`verify`] says that nobody but the node wrote them and that none was changed,
//! left out or moved. What the chain can't show is that its last entries are missing; what other nodes have signed can.

use crate::signed::{Signed, Statement};
use shardwire_model::{
    PeerId, Timestamp,
    life::{History, HistoryEntry, HistoryError, Part, Refusal, Step},
};
use shardwire_transport::{Identity, PeerKey};

impl Statement for HistoryEntry {
    const CONTEXT: &'static str = Self::CONTEXT;

    fn context(&self) -> &'static str {
        self.form.context()
    }

    fn canonical(&self) -> Vec<u8> {
        self.statement()
    }
}

/// The next entry of a history for this step, signed; none if the step was taken before.
///
/// # Errors
/// As [`History::next`].
pub fn sign(
    history: &History,
    identity: &Identity,
    at: Timestamp,
    step: Step,
) -> Result<Option<Signed<HistoryEntry>>, Refusal> {
    Ok(history.next(at, step)?.map(|entry| Signed::by(identity, entry)))
}

/// Reads the entries of a part, and checks every signature.
///
/// # Errors
/// [`HistoryError::Forged`] for the first entry that the signer didn't sign; as [`History::with`] for the first that doesn't follow.
pub fn verify(signer: &PeerId, part: Part, entries: &[Signed<HistoryEntry>]) -> Result<History, HistoryError> {
    let key = PeerKey::of(*signer);
    entries.iter().zip(0..).try_fold(History::new(part), |history, (entry, number)| {
        entry.verify_with(&key).map_err(|_| HistoryError::Forged { number, signer: *signer })?;
        history.with(&entry.statement)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::identity;
    use proptest::prelude::*;
    use shardwire_model::{Coded as _, Felt, Hash, Role, SegmentId, ShardId, life::AbortCause};

    const PROOF: Hash = Hash([1; 32]);

    /// A prover's part, and its whole history.
    fn written() -> (Part, Vec<Signed<HistoryEntry>>) {
        let steps = [
            Step::Streaming { job: PROOF },
            Step::Proving { witness: PROOF },
            Step::Proven { proof: PROOF },
            Step::Aborted { why: AbortCause::TimedOut },
        ];
        let part = Part::of_job(SegmentId::first(ShardId(Felt::ONE)), PROOF);
        let mut history = History::new(part);
        let mut entries = Vec::new();
        for (step, at) in steps.into_iter().zip(0..) {
            let entry = sign(&history, &identity(1), Timestamp(at), step.clone()).unwrap().unwrap();
            history = history.with(&entry.statement).unwrap();
            assert_eq!(sign(&history, &identity(1), Timestamp(at), step), Ok(None), "a repeated step is never written");
            entries.push(entry);
        }
        (part, entries)
    }

    #[test]
    fn an_entry_that_another_signed_is_named() {
        let (part, mut entries) = written();
        let me = identity(1).peer();
        assert_eq!(verify(&me, part, &entries).unwrap().life().steps().len(), 4);
        entries[1].statement.at = Timestamp(9);
        let error = verify(&me, part, &entries).unwrap_err();
        let said = format!("{} {error}", error.code());
        assert_eq!(said, format!("SW-LIFE-006 entry 1 is not signed by {}", me.short()));
        let elsewhere = Part::of(SegmentId::first(part.shard), Role::Settler);
        assert!(verify(&me, elsewhere, &entries).is_err());
    }

    proptest! {
        /// Whatever of a history is changed, left out, doubled or moved, its reader sees that.
        #[test]
        fn a_history_that_was_changed_does_not_verify(at in any::<prop::sample::Index>(), how in 0..6u8) {
            let (part, entries) = written();
            let mut changed = entries.clone();
            let at = at.index(changed.len());
            match how {
                0 => changed[at].statement.at = Timestamp(99_999),
                1 => changed[at] = Signed::by(&identity(2), changed[at].statement.clone()),
                2 => changed.insert(at, entries[at].clone()),
                3 if at + 1 < changed.len() => drop(changed.remove(at)),
                4 if at + 1 < changed.len() => changed.swap(at, at + 1),
                // The node itself rewrites one: those that follow name the one before.
                5 if at + 1 < changed.len() => {
                    let entry = HistoryEntry { at: Timestamp(99_999), ..changed[at].statement.clone() };
                    changed[at] = Signed::by(&identity(1), entry);
                }
                _ => return Ok(()),
            }
            prop_assert!(verify(&identity(1).peer(), part, &changed).is_err());
        }
    }
}
