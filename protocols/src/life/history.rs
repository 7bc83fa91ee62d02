//! The history: entries that a node has signed, each with the hash of the one before.

use super::step::{Life, Refusal, Step};
use crate::{
    control::Role,
    signed::{Signed, Statement},
};
use serde::{Deserialize, Serialize};
use shardwire_model::{Coded, Hash, PeerId, ShardId, Timestamp};
use shardwire_transport::Identity;

/// Most entries of a part: one a stage, and there are eleven.
pub const MAX_ENTRIES: usize = 11;

/// The part of a shard's life that a role of a node sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Part {
    /// The shard.
    pub shard: ShardId,
    /// As what the node sees it.
    pub role: Role,
    /// A prover's job: several may name one shard, and only one is true. Others have none.
    pub job: Option<Hash>,
}

/// An entry of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// Of which part.
    pub part: Part,
    /// From 0.
    pub number: u32,
    /// The hash of the entry before; zeros before the first.
    pub before: Hash,
    /// When, on the node's clock, which may have been wrong or set back.
    pub at: Timestamp,
    /// What.
    pub step: Step,
}

impl Statement for HistoryEntry {
    const CONTEXT: &'static str = "shardwire life entry 1";
}

impl HistoryEntry {
    /// What the next entry names it by.
    #[must_use]
    pub fn hash(&self) -> Hash {
        // Plain structs, which postcard always encodes.
        Hash::of_parts(Self::CONTEXT, &[&postcard::to_allocvec(self).unwrap_or_default()])
    }
}

/// Why entries are no history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// The node didn't sign it.
    #[error("entry {number} is not signed by {}", signer.short())]
    Forged {
        /// Which.
        number: u32,
        /// Who should have signed.
        signer: PeerId,
    },
    /// It belongs elsewhere.
    #[error("entry {number} is not the next one of this history: one is missing, moved or of another")]
    Place {
        /// Which should be here.
        number: u32,
    },
    /// What it follows isn't what is before it.
    #[error("entry {number} doesn't follow the one before it, which was changed")]
    Broken {
        /// Which.
        number: u32,
    },
    /// No such step may follow.
    #[error("entry {number} can't follow: {refusal}")]
    Step {
        /// Which.
        number: u32,
        /// Why.
        refusal: Refusal,
    },
}

impl Coded for HistoryError {
    fn code(&self) -> &'static str {
        match self {
            Self::Forged { .. } => "SW-LIFE-006",
            Self::Place { .. } => "SW-LIFE-007",
            Self::Broken { .. } => "SW-LIFE-008",
            Self::Step { .. } => "SW-LIFE-009",
        }
    }

    fn next_step(&self) -> String {
        "Don't rely on this history: compare it with those of the other nodes, and restore the data folder from a copy."
            .into()
    }
}

/// A history as far as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    part: Part,
    life: Life,
    /// The hash of the last entry.
    last: Hash,
    length: u32,
}

impl History {
    /// One without entries.
    #[must_use]
    pub fn new(part: Part) -> Self {
        Self { part, life: Life::new(part.role), last: Hash::default(), length: 0 }
    }

    /// Reads entries, in their order. Signatures aren't looked at.
    ///
    /// # Errors
    /// The first entry that doesn't follow.
    pub fn read<'e>(
        part: Part,
        entries: impl IntoIterator<Item = &'e Signed<HistoryEntry>>,
    ) -> Result<Self, HistoryError> {
        entries.into_iter().try_fold(Self::new(part), |history, entry| history.with(&entry.statement))
    }

    /// Where the shard stands.
    #[must_use]
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// The entry for this step, signed; none if the step was taken before.
    ///
    /// # Errors
    /// If the step can't follow.
    pub fn next(
        &self,
        identity: &Identity,
        at: Timestamp,
        step: Step,
    ) -> Result<Option<Signed<HistoryEntry>>, Refusal> {
        if self.life.after(&step)? == self.life {
            return Ok(None);
        }
        let entry = HistoryEntry { part: self.part, number: self.length, before: self.last, at, step };
        Ok(Some(Signed::by(identity, entry)))
    }

    /// The history with this entry.
    ///
    /// # Errors
    /// If it doesn't follow.
    pub fn with(&self, entry: &HistoryEntry) -> Result<Self, HistoryError> {
        let number = self.length;
        if entry.part != self.part || entry.number != number {
            return Err(HistoryError::Place { number });
        }
        if entry.before != self.last {
            return Err(HistoryError::Broken { number });
        }
        match self.life.after(&entry.step) {
            Err(refusal) => Err(HistoryError::Step { number, refusal }),
            // A repeated step is never written.
            Ok(life) if life == self.life => Err(HistoryError::Place { number }),
            Ok(life) => Ok(Self { part: self.part, life, last: entry.hash(), length: number + 1 }),
        }
    }
}

/// Reads the entries of a part, checking every signature too.
///
/// # Errors
/// The first entry that isn't the signer's or doesn't follow.
pub fn verify(signer: &PeerId, part: Part, entries: &[Signed<HistoryEntry>]) -> Result<History, HistoryError> {
    entries.iter().zip(0..).try_fold(History::new(part), |history, (entry, number)| {
        entry.verify(signer).map_err(|_| HistoryError::Forged { number, signer: *signer })?;
        history.with(&entry.statement)
    })
}
