//! The lives of shards, as this node has signed them: what its roles have seen, durable before anything that follows from it leaves the node.
//!
//! A life isn't kept beside its history: it is [read](Lives::life) from it. What may follow is said by [`Life::after`] alone.

use crate::signed;
use shardwire_model::{
    Timestamp,
    life::{History, HistoryEntry, Life, Part, Refusal, Step},
};
use shardwire_protocols::{Signed, history::sign};
use shardwire_store::records::{EntryKey, HISTORY, SignedEntry, history_of};
use shardwire_store::{Store, StoreError, Write};
use shardwire_transport::Identity;

fn signed_entries(entries: Vec<(EntryKey, SignedEntry)>) -> Result<Vec<Signed<HistoryEntry>>, StoreError> {
    entries.into_iter().map(|(_, entry)| signed::read_entry(&entry)).collect()
}

/// Reads lives from the store.
pub trait Lives {
    /// What the node has signed, of the histories whose keys begin like this: in the order of shard, segment, role, job and number.
    ///
    /// # Errors
    /// [`StoreError::Disk`] if the disk fails, [`StoreError::Damaged`] if an entry can't be read.
    fn entries(&self, prefix: &[u8]) -> Result<Vec<Signed<HistoryEntry>>, StoreError>;

    /// Where a shard stands, as a role has seen it.
    ///
    /// # Errors
    /// [`StoreError::Disk`] if the disk fails, [`StoreError::Damaged`] if the entries are no history.
    fn life(&self, part: Part) -> Result<Life, StoreError> {
        Ok(self.history(part)?.life().clone())
    }

    /// The whole history of a part.
    ///
    /// # Errors
    /// As [`life`](Self::life).
    fn history(&self, part: Part) -> Result<History, StoreError> {
        let entries = self.entries(&history_of(&part))?;
        History::read(part, entries.iter().map(|entry| &entry.statement)).map_err(|error| {
            StoreError::Damaged(format!("the history of shard {} is none: {error}", part.shard.short()))
        })
    }
}

impl Lives for Store {
    fn entries(&self, prefix: &[u8]) -> Result<Vec<Signed<HistoryEntry>>, StoreError> {
        signed_entries(self.with_prefix(&HISTORY, prefix)?)
    }
}

impl Lives for Write<'_> {
    fn entries(&self, prefix: &[u8]) -> Result<Vec<Signed<HistoryEntry>>, StoreError> {
        signed_entries(self.with_prefix(&HISTORY, prefix)?)
    }
}

/// Takes steps in the lives of shards, each a signed entry of a history.
pub trait Advance {
    /// Takes a step of a shard's life, signed and dated; the life after it. One that was taken before changes nothing.
    ///
    /// # Errors
    /// [`Refusal`], whose variant says why the step can't follow; [`StoreError::Disk`] if the disk fails, [`StoreError::Damaged`] if the entries are no history.
    fn advance<E: From<StoreError> + From<Refusal>>(
        &mut self,
        identity: &Identity,
        now: Timestamp,
        part: Part,
        step: Step,
    ) -> Result<Life, E>;
}

impl Advance for Write<'_> {
    fn advance<E: From<StoreError> + From<Refusal>>(
        &mut self,
        identity: &Identity,
        now: Timestamp,
        part: Part,
        step: Step,
    ) -> Result<Life, E> {
        let history = self.history(part)?;
        let Some(entry) = sign(&history, identity, now, step)? else { return Ok(history.life().clone()) };
        self.put(&HISTORY, &EntryKey { part, number: entry.statement.number }, &signed::stored_entry(&entry))?;
        Ok(history.life().after(&entry.statement.step)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::{Coded as _, Felt, Hash, SegmentId, ShardId, Stage, life::AbortCause};
    use shardwire_protocols::history::verify;
    use shardwire_store::records::LAYOUT;

    #[derive(Debug)]
    enum Failed {
        Store(#[allow(dead_code, reason = "shown if a test fails")] StoreError),
        Refused(Refusal),
    }

    impl From<StoreError> for Failed {
        fn from(error: StoreError) -> Self {
            Self::Store(error)
        }
    }

    impl From<Refusal> for Failed {
        fn from(refusal: Refusal) -> Self {
            Self::Refused(refusal)
        }
    }

    fn part(number: u64) -> Part {
        Part::of_job(SegmentId::first(ShardId(Felt::from(number))), Hash::of(b"job"))
    }

    fn advance(store: &Store, part: Part, steps: &[Step]) -> Result<(), Failed> {
        let identity = Identity::from_secret(&[1; 32]);
        store.write(|write| {
            steps
                .iter()
                .try_for_each(|step| write.advance::<Failed>(&identity, Timestamp(5), part, step.clone()).map(drop))
        })
    }

    #[test]
    fn a_life_is_its_history_and_a_refused_step_leaves_it_as_it_was() {
        let store = Store::in_memory(&LAYOUT).unwrap();
        let streaming = Step::Streaming { job: Hash::of(b"job") };
        let proving = Step::Proving { witness: Hash::of(b"witness") };
        let aborted = Step::Aborted { why: AbortCause::TimedOut };
        advance(&store, part(1), &[streaming.clone(), streaming.clone(), proving.clone()]).unwrap();
        advance(&store, part(2), std::slice::from_ref(&streaming)).unwrap();
        assert_eq!(store.life(part(1)).unwrap().stage(), Some(Stage::Proving));
        assert_eq!(store.life(part(3)).unwrap().stage(), None);

        advance(&store, part(2), std::slice::from_ref(&aborted)).unwrap();
        let Err(Failed::Refused(refusal)) = advance(&store, part(2), &[proving]) else { panic!("refused") };
        assert_eq!(refusal.code(), "SW-LIFE-003");
        let entries = store.entries(&history_of(&part(2))).unwrap();
        let history = verify(&Identity::from_secret(&[1; 32]).peer(), part(2), &entries).unwrap();
        assert_eq!(history.life().steps(), [streaming, aborted]);
    }

    #[test]
    fn entries_that_are_no_history_are_damage() {
        let store = Store::in_memory(&LAYOUT).unwrap();
        advance(&store, part(1), &[Step::Streaming { job: Hash::of(b"job") }]).unwrap();
        let mut records = store.all(&HISTORY).unwrap();
        let (key, entry) = records.pop().unwrap();
        store.put(&HISTORY, &EntryKey { number: 1, ..key }, &entry).unwrap();
        let error = store.life(part(1)).unwrap_err();
        assert_eq!(error.code(), "SW-STORE-004");
        assert!(error.to_string().contains("is none: entry 1 is not the next one of this history"), "{error}");
    }
}
