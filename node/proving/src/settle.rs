//! Whether a verified output is the one that a shard's start asks for.
//!
//! [`verify`](crate::verify) says which program put this out; here both are compared with the shard: the program, the shard's name, the
//! segment of its run, the commitment of the state before (which covers the whole start: program, whitelists, end event, deadline,
//! settlement list and values), and that exactly the settlement list was settled. A run of contracts read a state besides: the list of what it read stands before
//! the proof ([`shardwire_model::reads`]), and here it is seen that the proof commits to it. Whether the values are those of the state that was meant is the settler's business, and so is
//! applying the updates, once.
//!
//! The program that counts is the *proof's own*. What the output says of it is the program's word: any program can put out any hash.
//!
//! [`believe`] is all of that for bytes. A settler decides by it, and a prover looks at its own proof with it before anybody is offered it.

use crate::verify::{Proven, Verify, VerifyError};
use shardwire_model::{
    Coded, Felt, MAX_PROOF_BYTES, Output, OutputError, Reads, ReadsError, ShardId, ShardStart, Terms, reads,
};

/// What a settler knows of the shard before it sees any output.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// What the World fixed when the shard started.
    pub start: &'a ShardStart,
    /// Which segment of the run is next.
    pub segment: u32,
    /// The commitment of the state that it begins from.
    pub before: Felt,
}

/// An output of something else than what was started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutputMismatch {
    /// A run of another program, whatever its output says.
    #[error("the proof is of program {actual:#x}, and shard {shard} was started with {expected:#x}")]
    Program {
        /// The shard in question.
        shard: ShardId,
        /// The program that it was started with.
        expected: Felt,
        /// The proof's own.
        actual: Felt,
    },
    /// The right program, and another one's name in its output.
    #[error("the output names program {actual:#x}, and the shard was started with {expected:#x}")]
    Echo {
        /// The program that it was started with.
        expected: Felt,
        /// The one in the output.
        actual: Felt,
    },
    /// Of another shard.
    #[error("the output is of shard {actual}, not of {expected}")]
    Shard {
        /// The shard in question.
        expected: ShardId,
        /// The shard in the output.
        actual: ShardId,
    },
    /// It is of another segment of the run.
    #[error("the output is of segment {actual}, and segment {expected} is next")]
    Segment {
        /// The segment that is next.
        expected: u32,
        /// The segment in the output.
        actual: u32,
    },
    /// The run began from another state or with other start data.
    #[error("the run began from state {actual:#x}, not from {expected:#x}")]
    Before {
        /// The state to begin from.
        expected: Felt,
        /// The state in the output.
        actual: Felt,
    },
    /// The list beside it is another one than the run read, or there is none.
    #[error("the list of what the run read has commitment {listed:#x}, and the proof commits to {proven:#x}")]
    Reads {
        /// The commitment in the output.
        proven: Felt,
        /// That of the list; zero for none.
        listed: Felt,
    },
    /// The run read the list, and it is none of this shard: its program isn't one for such start data.
    #[error(transparent)]
    List(#[from] ReadsError),
    /// It is of a part of a run, and whoever looks at it wants a run that is over.
    #[error("the output is of a part of a run: the end event isn't in it")]
    NotEnded,
    /// Updates of something else than the settlement list.
    #[error("update {index} is not of that entry of the settlement list")]
    Update {
        /// The first that differs, or is missing, or is too much.
        index: usize,
    },
}

impl Coded for OutputMismatch {
    fn code(&self) -> &'static str {
        match self {
            Self::Shard { .. } => "SW-SETTLE-001",
            Self::Segment { .. } => "SW-SETTLE-002",
            Self::Before { .. } => "SW-SETTLE-003",
            Self::Update { .. } => "SW-SETTLE-004",
            Self::Program { .. } => "SW-SETTLE-005",
            Self::Echo { .. } => "SW-SETTLE-006",
            Self::Reads { .. } => "SW-SETTLE-007",
            Self::NotEnded => "SW-SETTLE-010",
            Self::List(error) => error.code(),
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::List(error) => error.next_step(),
            Self::NotEnded => {
                "Nothing was applied. Ask its prover for the proof of a run that reaches its shard's end event.".into()
            }
            Self::Segment { .. } => {
                "Ask for the proof of the next segment; one that was settled needs no second.".into()
            }
            _ => "Nothing was applied. Refuse the proof and ask its prover for one of this shard's run.".into(),
        }
    }
}

/// Compares a verified output with the list of what its run read, as felts; none of them for a run that read nothing.
///
/// # Errors
/// [`OutputMismatch::Reads`] if it is of another list.
pub fn check_reads(output: &Output, felts: &[Felt]) -> Result<(), OutputMismatch> {
    let (proven, listed) = (output.reads, reads::commitment(felts));
    if proven == listed { Ok(()) } else { Err(OutputMismatch::Reads { proven, listed }) }
}

/// Compares a verified output, the program that the proof is of, and the list of what the run read, as felts, with the shard that was started. Gives the list; none where
/// the start data's terms have none.
///
/// # Errors
/// [`OutputMismatch::Program`], [`OutputMismatch::Echo`], [`OutputMismatch::Shard`], [`OutputMismatch::Segment`] or [`OutputMismatch::Before`] if it is of another program,
/// shard, segment or state; [`OutputMismatch::Reads`] or [`OutputMismatch::List`] if the list is another one; [`OutputMismatch::NotEnded`] if its run isn't over;
/// [`OutputMismatch::Update`] if it settles anything but the settlement list, entry by entry.
pub fn check_output(
    program: Felt,
    output: &Output,
    felts: &[Felt],
    expected: &Expected<'_>,
) -> Result<Option<Reads>, OutputMismatch> {
    let reads = check_segment(program, output, felts, expected)?;
    if output.ended { Ok(reads) } else { Err(OutputMismatch::NotEnded) }
}

/// The same of a segment, which needs not be its run's last. What isn't over settles nothing.
///
/// # Errors
/// As [`check_output`], but for [`OutputMismatch::NotEnded`].
pub fn check_segment(
    program: Felt,
    output: &Output,
    felts: &[Felt],
    expected: &Expected<'_>,
) -> Result<Option<Reads>, OutputMismatch> {
    let start = expected.start;
    if program != start.program {
        return Err(OutputMismatch::Program { shard: start.shard, expected: start.program, actual: program });
    }
    if output.program != start.program {
        return Err(OutputMismatch::Echo { expected: start.program, actual: output.program });
    }
    if output.shard != start.shard {
        return Err(OutputMismatch::Shard { expected: start.shard, actual: output.shard });
    }
    if output.segment != expected.segment {
        return Err(OutputMismatch::Segment { expected: expected.segment, actual: output.segment });
    }
    if output.before != expected.before {
        return Err(OutputMismatch::Before { expected: expected.before, actual: output.before });
    }
    check_reads(output, felts)?;
    let reads = match start.terms {
        Terms::Rules if felts.is_empty() => None,
        Terms::Rules | Terms::Contracts(_) => {
            let start = start.for_contracts().map_err(ReadsError::from)?;
            Some(Reads::from_felts(&start, felts)?)
        }
    };
    let same = |(entry, update): (&shardwire_model::Entry, &shardwire_model::Update)| {
        entry.kind == update.kind && entry.slot() == update.slot()
    };
    let entries = if output.ended { start.entries.as_slice() } else { &[] };
    let longest = entries.len().max(output.updates.len());
    let agreeing = entries.iter().zip(&output.updates).take_while(|pair| same(*pair)).count();
    if agreeing < longest { Err(OutputMismatch::Update { index: agreeing }) } else { Ok(reads) }
}

/// Why bytes aren't believed to prove a segment of a shard.
#[derive(Debug, thiserror::Error)]
pub enum Disbelief {
    /// A check of the proof itself failed.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// What stands before the proof is no list.
    #[error(transparent)]
    List(#[from] ReadsError),
    /// It proves no output of ours.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// It proves another shard, or another state.
    #[error(transparent)]
    Mismatch(#[from] OutputMismatch),
}

impl Coded for Disbelief {
    fn code(&self) -> &'static str {
        match self {
            Self::Verify(error) => error.code(),
            Self::List(error) => error.code(),
            Self::Output(error) => error.code(),
            Self::Mismatch(error) => error.code(),
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Verify(error) => error.next_step(),
            Self::List(error) => error.next_step(),
            Self::Output(error) => error.next_step(),
            Self::Mismatch(error) => error.next_step(),
        }
    }
}

/// What bytes prove of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Believed {
    /// The output.
    pub output: Output,
    /// What the run read, as the proof commits to it; none where the start data's terms have no such list.
    pub reads: Option<Reads>,
}

/// A proof's output, the program that it is of, and the list that stands before it, of whatever shard they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The proof's own program.
    pub program: Felt,
    /// What it put out.
    pub output: Output,
    /// The list, as felts, which nobody has [compared](check_reads) with the output yet; empty if there is none.
    pub felts: Vec<Felt>,
}

/// What the bytes prove, of whatever shard. Takes some 15 ms of a CPU: call it off the async threads.
///
/// # Errors
/// [`Disbelief::List`], [`Disbelief::Verify`] or [`Disbelief::Output`]; of the second kind if the list and the proof together are too long.
pub fn show(verifier: &dyn Verify, bytes: &[u8]) -> Result<Shown, Disbelief> {
    if bytes.len() > MAX_PROOF_BYTES as usize {
        return Err(VerifyError::TooLong { bytes: bytes.len() }.into());
    }
    let (felts, proof) = reads::split(bytes)?;
    let Proven { program, output } = verifier.verify(proof)?;
    let output = Output::from_felts(&output)?;
    Ok(Shown { program, output, felts })
}

/// What the bytes prove, if they prove what is expected to the end of the run. Takes some 15 ms of a CPU: call it off the async threads.
///
/// # Errors
/// [`Disbelief::List`], [`Disbelief::Verify`], [`Disbelief::Output`] or [`Disbelief::Mismatch`]: which check failed.
pub fn believe(verifier: &dyn Verify, bytes: &[u8], expected: &Expected<'_>) -> Result<Believed, Disbelief> {
    let Shown { program, output, felts } = show(verifier, bytes)?;
    let reads = check_output(program, &output, &felts, expected)?;
    Ok(Believed { output, reads })
}

/// The same of a segment, which needs not be its run's last. What it proves is worth something in its place among the run's [`Segments`](crate::segments::Segments) only.
///
/// # Errors
/// As [`believe`].
pub fn believe_segment(verifier: &dyn Verify, bytes: &[u8], expected: &Expected<'_>) -> Result<Believed, Disbelief> {
    let Shown { program, output, felts } = show(verifier, bytes)?;
    let reads = check_segment(program, &output, &felts, expected)?;
    Ok(Believed { output, reads })
}
