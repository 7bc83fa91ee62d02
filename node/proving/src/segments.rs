//! The segments of a run, taken one after the other: each begins with the state that the one before ended with, and the last one's updates are the run's.
//!
//! A segment's proof says that its transactions lead from one state to another. That the first of these states is the shard's start, and that nothing is missing between,
//! is said by nobody but whoever holds the commitments together, which is done here: [`Segments`] says what the next output has to begin with, takes it, and has
//! the [whole](Segments::whole) when the run is over. Before that there is nothing to settle.
//!
//! What each segment read is compared by itself ([`origin`](crate::origin)), with the state before the run's first transaction whichever segment it is: what a segment before has changed
//! is in the state that both commit to, and not in the list.
//!
//! Refused: a segment that is left out, comes twice or too early, or begins elsewhere; one after the end; more transactions than a shard may have; more than [`MAX_SEGMENTS`].

use crate::settle::{Expected, OutputMismatch};
use shardwire_model::{Coded, Felt, MAX_SEGMENTS, MAX_TRANSACTIONS, Output, ShardStart, program_hash};

/// An output that isn't of the next segment of a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfOrder {
    /// It is of another shard or segment, or begins with another state.
    #[error(transparent)]
    Mismatch(#[from] OutputMismatch),
    /// The run was over before.
    #[error("the run is over, and segment {segment} comes after its end")]
    Over {
        /// The segment.
        segment: u32,
    },
    /// No run is that long.
    #[error("a run has at most {MAX_SEGMENTS} segments and {MAX_TRANSACTIONS} transactions, and this one has more")]
    TooLong,
}

impl Coded for OutOfOrder {
    fn code(&self) -> &'static str {
        match self {
            Self::Mismatch(error) => error.code(),
            Self::Over { .. } => "SW-SETTLE-011",
            Self::TooLong => "SW-SETTLE-012",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Mismatch(error) => error.next_step(),
            Self::Over { .. } => "Nothing was applied. Settle the run as it was before this proof; refuse it.".into(),
            Self::TooLong => "Nothing was applied. Refuse the proof; its operator has to end shards earlier.".into(),
        }
    }
}

/// The outputs of a run's segments so far.
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    start: &'a ShardStart,
    before: Felt,
    outputs: Vec<Output>,
}

impl<'a> Segments<'a> {
    /// Of a run of this shard that begins from the state with this commitment, before its first segment.
    #[must_use]
    pub const fn new(start: &'a ShardStart, before: Felt) -> Self {
        Self { start, before, outputs: Vec::new() }
    }

    /// What the next segment has to be.
    #[must_use]
    pub fn next(&self) -> Expected<'a> {
        let before = self.outputs.last().map_or(self.before, |last| last.after);
        Expected { start: self.start, segment: u32::try_from(self.outputs.len()).unwrap_or(u32::MAX), before }
    }

    /// Takes the output of the next segment, of which a proof was believed.
    ///
    /// # Errors
    /// [`OutOfOrder`]: it isn't the next one, and nothing has changed.
    pub fn take(&mut self, output: Output) -> Result<(), OutOfOrder> {
        let Expected { start, segment, before } = self.next();
        if output.shard != start.shard {
            return Err(OutputMismatch::Shard { expected: start.shard, actual: output.shard }.into());
        }
        if self.is_over() {
            return Err(OutOfOrder::Over { segment: output.segment });
        }
        if output.segment != segment {
            return Err(OutputMismatch::Segment { expected: segment, actual: output.segment }.into());
        }
        if output.before != before {
            return Err(OutputMismatch::Before { expected: before, actual: output.before }.into());
        }
        let count = self.outputs.iter().map(|it| u64::from(it.count)).sum::<u64>() + u64::from(output.count);
        if segment >= MAX_SEGMENTS || count > u64::from(MAX_TRANSACTIONS) {
            return Err(OutOfOrder::TooLong);
        }
        self.outputs.push(output);
        Ok(())
    }

    /// Whether the last segment is there.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.outputs.last().is_some_and(|last| last.ended)
    }

    /// What the run comes to, if it is over. A run of one segment has that segment's output. Of several it begins with the first one's state and ends with the last one's, counts all their
    /// transactions, and has hashes of their commitments to reads and to transactions.
    #[must_use]
    pub fn whole(&self) -> Option<Output> {
        let last = self.outputs.last().filter(|last| last.ended)?;
        if self.outputs.len() == 1 {
            return Some(last.clone());
        }
        let all = |of: fn(&Output) -> Felt| program_hash(&self.outputs.iter().map(of).collect::<Vec<_>>());
        Some(Output {
            segment: 0,
            before: self.before,
            reads: all(|it| it.reads),
            transactions: all(|it| it.transactions),
            count: self.outputs.iter().map(|it| it.count).sum(),
            ..last.clone()
        })
    }
}
