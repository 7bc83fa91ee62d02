//! The name of a job.

use super::messages::JobOffer;
use crate::{handoff::AssignmentTerms, signed::Signed};
use shardwire_model::{Coded, Felt, Hash, MAX_SEGMENTS, PeerId, StartError, state_commitment};

/// The name of a job: the program, what the shard was started with, the state before, and which segment of the run it is. The same parts
/// give the same name, so a job that was begun with one operator or before a restart is recognised.
#[must_use]
pub fn job_id(program: Felt, start_commitment: Felt, before: Felt, segment: u32) -> Hash {
    let parts = [program, start_commitment, before].map(|felt| felt.to_bytes_be());
    let [program, start, before] = &parts;
    Hash::of_parts("shardwire job 1", &[program, start, before, &segment.to_le_bytes()])
}

/// An offer that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// Its start data can't be.
    #[error("the start data contradicts itself: {0}")]
    Start(#[from] StartError),
    /// It names another shard than its start data.
    #[error("the offer names another shard than its start data")]
    Shard,
    /// Another number of values than entries.
    #[error("{values} values for {entries} entries")]
    Values {
        /// Values given.
        values: usize,
        /// Entries in the settlement list.
        entries: usize,
    },
    /// No run has so many segments.
    #[error("segment {segment}, and a run has at most {MAX_SEGMENTS}")]
    Segment {
        /// The segment, from 0.
        segment: u32,
    },
    /// The first segment begins with what the World has.
    #[error("the first segment begins with another state than start data and values say")]
    Before,
    /// The name isn't that of the content.
    #[error("the job's name is not that of its content")]
    Name,
}

impl JobError {
    /// Its code, as the rule that an operator broke by such an offer.
    pub(super) fn rule(&self) -> &'static str {
        match self {
            Self::Start(_) => "SW-TRACE-010",
            Self::Shard => "SW-TRACE-011",
            Self::Values { .. } => "SW-TRACE-012",
            Self::Name => "SW-TRACE-013",
            Self::Segment { .. } => "SW-TRACE-014",
            Self::Before => "SW-TRACE-015",
        }
    }
}

impl Coded for JobError {
    fn code(&self) -> &'static str {
        self.rule()
    }

    fn next_step(&self) -> String {
        "Don't prove it; report it to the people who run the operator.".into()
    }
}

impl JobOffer {
    /// Whether the settler that it names has signed that the run is this operator's. Whether that settler counts is the caller's to look. Where the run is cut, and so what a later segment begins
    /// with, is the operator's word.
    #[must_use]
    pub fn is_assigned_to(&self, operator: PeerId) -> bool {
        let terms = AssignmentTerms { operator, ..AssignmentTerms::of(&self.start, &self.values) };
        Signed { statement: terms, signature: self.assigned }.verify(&self.settler).is_ok()
    }

    /// Whether the offer is consistent and its name is that of its content.
    ///
    /// # Errors
    /// [`JobError::Start`], [`JobError::Shard`], [`JobError::Values`], [`JobError::Segment`], [`JobError::Before`] or [`JobError::Name`]: the first contradiction.
    pub fn validate(&self) -> Result<(), JobError> {
        self.start.validate()?;
        if self.start.shard != self.shard {
            return Err(JobError::Shard);
        }
        if self.values.len() != self.start.entries.len() {
            return Err(JobError::Values { values: self.values.len(), entries: self.start.entries.len() });
        }
        if self.segment >= MAX_SEGMENTS {
            return Err(JobError::Segment { segment: self.segment });
        }
        let start_commitment = self.start.commitment();
        if self.segment == 0 && self.before != state_commitment(start_commitment, &self.values) {
            return Err(JobError::Before);
        }
        let name = job_id(self.program, start_commitment, self.before, self.segment);
        if self.program != self.start.program || name != self.job {
            return Err(JobError::Name);
        }
        Ok(())
    }
}
