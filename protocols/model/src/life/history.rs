//! The history: the entries of a part, each with the hash of the one before.

use super::step::{Life, Refusal, Step};
use crate::{Coded, Hash, PeerId, Role, SegmentId, ShardId, Timestamp};
use serde::{Deserialize, Serialize};

/// Most entries of a part: one a stage, and there are eleven.
pub const MAX_STEPS: usize = 11;
/// The part of a shard's life that a role of a node sees. Ordered by shard, segment, role and job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Part {
    /// The shard.
    pub shard: ShardId,
    /// Which segment of the shard's run, from 0.
    pub segment: u32,
    /// As what the node sees it.
    pub role: Role,
    /// A prover's job: several may name one shard, and only one is true. Others have none.
    pub job: Option<Hash>,
}

impl Part {
    /// What a settler or an operator sees of a segment.
    #[must_use]
    pub const fn of(SegmentId { shard, segment }: SegmentId, role: Role) -> Self {
        Self { shard, segment, role, job: None }
    }

    /// The segment.
    #[must_use]
    pub const fn segment(&self) -> SegmentId {
        SegmentId { shard: self.shard, segment: self.segment }
    }

    /// What a prover sees that works at a job of a segment.
    #[must_use]
    pub const fn of_job(SegmentId { shard, segment }: SegmentId, job: Hash) -> Self {
        Self { shard, segment, role: Role::Prover, job: Some(job) }
    }
}

/// How the statement of an entry is encoded, and under which name it was signed. What was signed is never encoded anew, so a form is read for
/// as long as there are histories of it. New entries have the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryForm {
    /// From before runs had segments: the part names none, and is of the [first](SegmentId::first).
    First,
    /// The part names its segment.
    #[default]
    Second,
}

impl EntryForm {
    /// The name of its kind: what hashes and signatures of its entries are made under.
    #[must_use]
    pub const fn context(self) -> &'static str {
        match self {
            Self::First => "shardwire life entry 1",
            Self::Second => HistoryEntry::CONTEXT,
        }
    }
}

/// A part as [`EntryForm::First`] has it.
#[derive(Serialize, Deserialize)]
struct FirstPart {
    shard: ShardId,
    role: Role,
    job: Option<Hash>,
}

/// What follows the part, in every form.
type Rest = (u32, Hash, Timestamp, Step);

/// An entry of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// Of which part.
    pub part: Part,
    /// Its number in its part, from 0.
    pub number: u32,
    /// The hash of the entry before; zeros before the first.
    pub before: Hash,
    /// When, on the node's clock, which may have been wrong. Never before the entry before it: a clock that was set back counts as standing still.
    pub at: Timestamp,
    /// The step that was taken.
    pub step: Step,
    /// How it was signed.
    pub form: EntryForm,
}

impl HistoryEntry {
    /// The name of the kind of new entries.
    pub const CONTEXT: &'static str = "shardwire life entry 2";

    /// The bytes that are signed: those of the form, which names itself by its [context](EntryForm::context). None are signed of an entry
    /// that its form can't say.
    #[must_use]
    pub fn statement(&self) -> Vec<u8> {
        let Self { part, number, before, at, step, form } = self;
        let rest = (number, before, at, step);
        // Plain structs, which postcard always encodes.
        match form {
            EntryForm::First if !part.segment().is_first() => Vec::new(),
            EntryForm::First => {
                let part = FirstPart { shard: part.shard, role: part.role, job: part.job };
                postcard::to_allocvec(&(part, rest)).unwrap_or_default()
            }
            EntryForm::Second => postcard::to_allocvec(&(part, rest)).unwrap_or_default(),
        }
    }

    /// The entry with this [statement](Self::statement); none if it isn't one.
    #[must_use]
    pub fn from_statement(form: EntryForm, statement: &[u8]) -> Option<Self> {
        let (part, (number, before, at, step)) = match form {
            EntryForm::First => {
                let (FirstPart { shard, role, job }, rest): (_, Rest) = postcard::from_bytes(statement).ok()?;
                (Part { job, ..Part::of(SegmentId::first(shard), role) }, rest)
            }
            EntryForm::Second => postcard::from_bytes(statement).ok()?,
        };
        Some(Self { part, number, before, at, step, form })
    }

    /// What the next entry names it by.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of_parts(self.form.context(), &[&self.statement()])
    }
}

/// Why entries are no history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// The node didn't sign it.
    #[error("entry {number} is not signed by {}", signer.short())]
    Forged {
        /// The entry's number in its part, from 0.
        number: u32,
        /// Who should have signed.
        signer: PeerId,
    },
    /// It belongs elsewhere.
    #[error("entry {number} is not the next one of this history: one is missing, moved or of another")]
    NotNext {
        /// Which should be here.
        number: u32,
    },
    /// What it follows isn't what is before it.
    #[error("entry {number} doesn't follow the one before it, which was changed")]
    Broken {
        /// The entry's number in its part, from 0.
        number: u32,
    },
    /// No such step may follow.
    #[error("entry {number} can't follow: {refusal}")]
    Step {
        /// The entry's number in its part, from 0.
        number: u32,
        /// The rule that its step breaks.
        refusal: Refusal,
    },
}

impl Coded for HistoryError {
    fn code(&self) -> &'static str {
        match self {
            Self::Forged { .. } => "SW-LIFE-006",
            Self::NotNext { .. } => "SW-LIFE-007",
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
    /// The date of the last entry.
    at: Timestamp,
    length: u32,
}

impl History {
    /// One without entries.
    #[must_use]
    pub fn new(part: Part) -> Self {
        Self { part, life: Life::new(part.role), last: Hash::default(), at: Timestamp::default(), length: 0 }
    }

    /// Reads entries, in their order.
    ///
    /// # Errors
    /// As [`with`](Self::with), for the first entry that doesn't follow.
    pub fn read<'e>(part: Part, entries: impl IntoIterator<Item = &'e HistoryEntry>) -> Result<Self, HistoryError> {
        entries.into_iter().try_fold(Self::new(part), |history, entry| history.with(entry))
    }

    /// Where the shard stands.
    #[must_use]
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// The entry for this step, to be signed by the node; none if the step was taken before. A date before the last entry's becomes that one's.
    ///
    /// # Errors
    /// As [`Life::after`].
    pub fn next(&self, at: Timestamp, step: Step) -> Result<Option<HistoryEntry>, Refusal> {
        if self.life.after(&step)? == self.life {
            return Ok(None);
        }
        let (form, at) = (EntryForm::default(), at.max(self.at));
        Ok(Some(HistoryEntry { part: self.part, number: self.length, before: self.last, at, step, form }))
    }

    /// The history with this entry.
    ///
    /// # Errors
    /// [`HistoryError::NotNext`] if it is of another part or number, repeats a step or says what its form can't, [`HistoryError::Broken`] if it follows another entry,
    /// [`HistoryError::Step`] if its step can't be taken.
    pub fn with(&self, entry: &HistoryEntry) -> Result<Self, HistoryError> {
        let number = self.length;
        let is_of_form = entry.form != EntryForm::First || entry.part.segment().is_first();
        if entry.part != self.part || entry.number != number || !is_of_form {
            return Err(HistoryError::NotNext { number });
        }
        if entry.before != self.last {
            return Err(HistoryError::Broken { number });
        }
        match self.life.after(&entry.step) {
            Err(refusal) => Err(HistoryError::Step { number, refusal }),
            // A repeated step is never written.
            Ok(life) if life == self.life => Err(HistoryError::NotNext { number }),
            Ok(life) => Ok(Self { part: self.part, life, last: entry.hash(), at: entry.at, length: number + 1 }),
        }
    }
}
