//! From chunks to the flat witness: what a prover does with what an operator says, believing nothing.
//!
//! Memory needed: 32 bytes a cell, 24 a segment and 16 a step, so at most 1.3 GiB ([`MAX_CELLS`], [`MAX_STEPS`]); the file is written as a stream.

use super::{
    BUILTINS, Body, CHUNK_STEPS, Closing, MAX_CELLS, MAX_SEGMENTS, MAX_STEPS, Manifest, ManifestError, Registers, Run,
    bytes::Malformed, cell::Cell, flat::Header,
};
use shardwire_model::{Coded, Felt, Hash, Output, OutputError, program_hash};
use std::io::{self, Write};

/// A chunk, or a whole of chunks, that is no witness.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// The chunk's bytes are no chunk.
    #[error("chunk {chunk} is malformed: {reason}")]
    Malformed {
        /// Which, from 0.
        chunk: usize,
        /// What is wrong.
        reason: Malformed,
    },
    /// The chunk doesn't follow the one before.
    #[error("chunk {chunk} begins at step {got}, not at {expected}")]
    Gap {
        /// The chunk's number, from 0.
        chunk: usize,
        /// Where it says that it begins.
        got: u64,
        /// Where the one before ended.
        expected: u64,
    },
    /// A chunk after the closing one, or none.
    #[error("{0}")]
    Order(&'static str),
    /// Too much of something.
    #[error("chunk {chunk} exceeds a bound: {what}")]
    Bound {
        /// The chunk's number, from 0.
        chunk: usize,
        /// What is missing or wrong, in words.
        what: &'static str,
    },
    /// A cell is written twice.
    #[error("chunk {chunk} writes cell {offset} of segment {segment} again")]
    Overwritten {
        /// The chunk's number, from 0.
        chunk: usize,
        /// The segment.
        segment: u32,
        /// The cell.
        offset: usize,
    },
    /// The chunks contradict each other or the program.
    #[error("the witness contradicts itself: {0}")]
    Contradiction(String),
    /// The manifest is none.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifest is one of other chunks.
    #[error("the manifest lists other chunks: {0}")]
    OtherManifest(&'static str),
    /// The output segment holds no output.
    #[error("the witness's output is none: {0}")]
    Output(#[from] OutputError),
    /// The file can't be written.
    #[error("the witness can't be written: {0}")]
    Write(#[from] io::Error),
}

impl Coded for AssembleError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "SW-WITNESS-010",
            Self::Gap { .. } => "SW-WITNESS-011",
            Self::Order(_) => "SW-WITNESS-012",
            Self::Bound { .. } => "SW-WITNESS-013",
            Self::Overwritten { .. } => "SW-WITNESS-014",
            Self::Contradiction(_) => "SW-WITNESS-015",
            Self::Manifest(error) => error.code(),
            Self::OtherManifest(_) => "SW-WITNESS-016",
            Self::Output(_) => "SW-WITNESS-017",
            Self::Write(_) => "SW-WITNESS-018",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Write(_) => "Free space on the disk of the data folder; the chunks are kept.".into(),
            _ => "The operator's witness can't be proven: drop its chunks, and take the job from another operator."
                .into(),
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Write(_) => "the witness can't be written".into(),
            _ => self.to_string(),
        }
    }
}

/// A witness that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assembled {
    /// Steps in its trace.
    pub steps: u64,
    /// Cells in its memory.
    pub cells: u64,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// The output that a proof of it will have.
    pub output: Output,
}

/// Takes a run's chunks in order.
#[derive(Debug)]
pub struct Assembler {
    /// The hash of the program that was run.
    program: Felt,
    hashes: Vec<Hash>,
    trace: Vec<Registers>,
    segments: Vec<Vec<Cell>>,
    /// Cells in all segments, empty ones included.
    cells: usize,
    closing: Option<Closing>,
}

/// Cells of one instance of each builtin, in the order of [`BUILTINS`]; a segment is a whole number of them.
const INSTANCE_CELLS: [usize; 9] = [1, 3, 1, 5, 7, 6, 1, 7, 7];
/// The fewest instances that the prover takes of a builtin that is used at all.
const MIN_INSTANCES: usize = 16;
/// The output's place in [`BUILTINS`].
const OUTPUT: usize = 0;
/// The program's segment and the execution's.
const PROGRAM: usize = 0;
const EXECUTION: usize = 1;

impl Assembler {
    /// For a run of the program with this hash; without any chunk yet.
    #[must_use]
    pub fn new(program: Felt) -> Self {
        Self { program, hashes: Vec::new(), trace: Vec::new(), segments: Vec::new(), cells: 0, closing: None }
    }

    /// How many chunks it has taken.
    #[must_use]
    pub fn chunks(&self) -> usize {
        self.hashes.len()
    }

    /// Whether it has the closing chunk.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closing.is_some()
    }

    /// Takes the next chunk's body, and says its hash.
    ///
    /// # Errors
    /// [`AssembleError::Malformed`] if it is no chunk, [`AssembleError::Gap`] or [`AssembleError::Order`] if it isn't the next one,
    /// [`AssembleError::Bound`] if it is too large, [`AssembleError::Overwritten`] or [`AssembleError::Contradiction`] if it contradicts those
    /// before. The assembler can't be used any more then.
    pub fn push(&mut self, body: &[u8]) -> Result<Hash, AssembleError> {
        let chunk = self.hashes.len();
        if self.closing.is_some() {
            return Err(AssembleError::Order("a chunk follows the closing chunk"));
        }
        if body.len() > super::MAX_CHUNK_BYTES {
            return Err(AssembleError::Bound { chunk, what: "the bytes of a chunk" });
        }
        let hash = Hash::of(body);
        let Body { first_step, trace, runs, closing } =
            Body::decode(body).map_err(|reason| AssembleError::Malformed { chunk, reason })?;
        let expected = self.trace.len() as u64;
        if first_step != expected {
            return Err(AssembleError::Gap { chunk, got: first_step, expected });
        }
        if self.trace.len() + trace.len() > MAX_STEPS {
            return Err(AssembleError::Bound { chunk, what: "the steps of a run" });
        }
        self.trace.extend(trace);
        for run in &runs {
            self.write(chunk, run)?;
        }
        self.closing = closing;
        self.hashes.push(hash);
        Ok(hash)
    }

    fn write(&mut self, chunk: usize, run: &Run) -> Result<(), AssembleError> {
        let (index, begin) = (run.segment as usize, run.offset as usize);
        let end = begin.saturating_add(run.cells.len());
        if index >= MAX_SEGMENTS {
            return Err(AssembleError::Bound { chunk, what: "the segments of a run" });
        }
        if self.segments.len() <= index {
            self.segments.resize_with(index + 1, Vec::new);
        }
        let Some(segment) = self.segments.get_mut(index) else {
            return Err(AssembleError::Bound { chunk, what: "the segments of a run" });
        };
        let grown = end.saturating_sub(segment.len());
        self.cells = self.cells.saturating_add(grown);
        if self.cells > MAX_CELLS {
            return Err(AssembleError::Bound { chunk, what: "the cells of a run" });
        }
        if grown > 0 {
            segment.resize(end, Cell::EMPTY);
        }
        for (offset, (cell, value)) in (begin..).zip(segment.iter_mut().skip(begin).zip(&run.cells)) {
            if !cell.is_empty() {
                return Err(AssembleError::Overwritten { chunk, segment: run.segment, offset });
            }
            *cell = Cell::new(value);
        }
        Ok(())
    }

    /// Writes the flat witness of the chunks, which must be those of the manifest.
    ///
    /// # Errors
    /// [`AssembleError::Manifest`] or [`AssembleError::OtherManifest`] if the manifest is none or of other chunks, [`AssembleError::Order`] if the closing
    /// chunk is missing, [`AssembleError::Contradiction`] if the whole contradicts itself or the program, [`AssembleError::Write`] if `out` can't be written.
    pub fn finish(mut self, manifest: &Manifest, out: &mut dyn Write) -> Result<Assembled, AssembleError> {
        manifest.validate()?;
        if manifest.chunks != self.hashes {
            return Err(AssembleError::OtherManifest("a hash or their number differs"));
        }
        if manifest.steps != self.trace.len() as u64 {
            return Err(AssembleError::OtherManifest("the number of steps differs"));
        }
        let closing = self.closing.take().ok_or(AssembleError::Order("the closing chunk is missing"))?;
        self.check_lengths(&closing)?;
        self.check_program()?;
        let segment_of = builtin_segments(&closing, self.segments.len())?;
        let output = self.output(segment_of)?;
        if output != manifest.output {
            return Err(AssembleError::OtherManifest("the output differs"));
        }
        self.pad(segment_of)?;

        let layout = Layout::new(&self.segments);
        self.check_trace()?;
        let public = self.public(&closing, &layout)?;
        let range = |index: usize| {
            let (begin, end) = layout.range(index);
            if begin == end { (0, 0) } else { (begin, end) }
        };
        let (steps, cells) = (self.trace.len() as u64, layout.cells());
        let mut out = Counted { out, bytes: 0 };
        Header { steps, cells, public: &public, builtins: segment_of.map(range) }.write(&mut out)?;
        self.write_trace(&layout, &mut out)?;
        self.write_memory(&layout, &mut out)?;
        out.flush()?;
        Ok(Assembled { steps, cells, bytes: out.bytes, output })
    }

    fn check_lengths(&mut self, closing: &Closing) -> Result<(), AssembleError> {
        // Segments at the end in which nothing was written were not mentioned before.
        if closing.lengths.len() < self.segments.len() {
            return Err(contradiction("a segment is written that the closing chunk doesn't list"));
        }
        self.segments.resize_with(closing.lengths.len(), Vec::new);
        for (index, (segment, length)) in self.segments.iter().zip(&closing.lengths).enumerate() {
            if segment.len() != *length as usize {
                return Err(contradiction(format!("segment {index} has {} cells, not {length}", segment.len())));
            }
        }
        if self.segments.len() <= EXECUTION {
            return Err(contradiction("there is no execution segment"));
        }
        Ok(())
    }

    fn check_program(&self) -> Result<(), AssembleError> {
        let cells = self.segments.get(PROGRAM).map(Vec::as_slice).unwrap_or_default();
        let felts: Option<Vec<Felt>> = cells.iter().map(Cell::felt).collect();
        let same = felts.is_some_and(|felts| program_hash(&felts) == self.program);
        if same { Ok(()) } else { Err(contradiction("it is a run of another program")) }
    }

    fn output(&self, segment_of: [usize; 9]) -> Result<Output, AssembleError> {
        let cells = segment_of.get(OUTPUT).and_then(|index| self.segments.get(*index)).map(Vec::as_slice);
        let felts = cells.unwrap_or_default().iter().map(Cell::felt).collect::<Option<Vec<Felt>>>();
        Ok(Output::from_felts(&felts.ok_or_else(|| contradiction("the output holds something else than felts"))?)?)
    }

    /// Extends each builtin's segment to a power of two of instances by copies of the last, as the prover expects it.
    fn pad(&mut self, segment_of: [usize; 9]) -> Result<(), AssembleError> {
        for ((name, index), instance) in BUILTINS.iter().zip(segment_of).zip(INSTANCE_CELLS).skip(OUTPUT + 1) {
            let Some(segment) = self.segments.get_mut(index) else { continue };
            let length = segment.len();
            if length == 0 {
                continue;
            }
            if length % instance != 0 {
                return Err(contradiction(format!("the segment of {name} is no whole number of instances")));
            }
            if segment.iter().any(Cell::is_empty) {
                return Err(contradiction(format!("the segment of {name} has an empty cell")));
            }
            let padded = (length / instance).next_power_of_two().max(MIN_INSTANCES) * instance;
            self.cells += padded - length;
            if self.cells > MAX_CELLS {
                return Err(contradiction(format!("the segment of {name} exceeds the cells of a run")));
            }
            let last: Vec<Cell> = segment.iter().skip(length - instance).copied().collect();
            segment.extend(last.iter().cycle().take(padded - length));
        }
        Ok(())
    }

    fn check_trace(&self) -> Result<(), AssembleError> {
        let length = |index: usize| self.segments.get(index).map_or(0, Vec::len);
        let execution = length(EXECUTION);
        // The registers ap and fp may point behind the last cell that was written.
        let inside = |Registers { code, pc, ap, fp }: &Registers| {
            (*pc as usize) < length(*code as usize) && *ap as usize <= execution && *fp as usize <= execution
        };
        match self.trace.iter().position(|registers| !inside(registers)) {
            Some(step) => Err(contradiction(format!("step {step} has a register outside of its segment"))),
            None => Ok(()),
        }
    }

    fn public(&self, closing: &Closing, layout: &Layout) -> Result<Vec<u32>, AssembleError> {
        let mut public = Vec::new();
        for (segment, offset, length) in &closing.public {
            // Not the padded length: that is the prover's.
            let limit = closing.lengths.get(*segment as usize).copied().unwrap_or(0);
            let end = offset.checked_add(*length).filter(|end| *end <= limit);
            let (Some(end), (base, _)) = (end, layout.range(*segment as usize)) else {
                return Err(contradiction("public memory is outside of its segment"));
            };
            for offset in *offset..end {
                let address = u32::try_from(base + u64::from(offset));
                public.push(address.map_err(|_| contradiction("an address above 32 bits"))?);
            }
            if public.len() > MAX_CELLS {
                return Err(contradiction("there is more public memory than cells"));
            }
        }
        public.sort_unstable();
        if public.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(contradiction("a cell is public twice"));
        }
        Ok(public)
    }

    fn write_trace(&self, layout: &Layout, out: &mut dyn Write) -> Result<(), AssembleError> {
        let base =
            |index: usize| u32::try_from(layout.range(index).0).map_err(|_| contradiction("an address above 32 bits"));
        let execution = base(EXECUTION)?;
        let mut buffer = Vec::with_capacity(CHUNK_STEPS * 12);
        for slice in self.trace.chunks(CHUNK_STEPS) {
            buffer.clear();
            for Registers { code, pc, ap, fp } in slice {
                // Offsets and bases are below MAX_CELLS, so sums fit.
                for register in [base(*code as usize)? + pc, execution + ap, execution + fp] {
                    buffer.extend_from_slice(&register.to_le_bytes());
                }
            }
            out.write_all(&buffer)?;
        }
        Ok(())
    }

    fn write_memory(&self, layout: &Layout, out: &mut dyn Write) -> Result<(), AssembleError> {
        let mut buffer = Vec::with_capacity(CHUNK_STEPS * 32);
        for cells in self.segments.iter().flat_map(|segment| segment.chunks(CHUNK_STEPS)) {
            buffer.clear();
            for cell in cells {
                let mut bytes = [0; 32];
                if let Some((segment, offset)) = cell.address() {
                    // An address may point behind a segment's end, for instance a list's end, but not at no segment.
                    let address = layout.address(segment, offset).ok_or_else(|| {
                        contradiction(format!("a cell points to ({segment}, {offset}), which is in no segment"))
                    })?;
                    if let Some(low) = bytes.first_chunk_mut::<4>() {
                        *low = address.to_le_bytes();
                    }
                } else if !cell.is_empty() {
                    bytes = cell.bytes();
                }
                buffer.extend_from_slice(&bytes);
            }
            out.write_all(&buffer)?;
        }
        Ok(())
    }
}

fn contradiction(what: impl Into<String>) -> AssembleError {
    AssembleError::Contradiction(what.into())
}

/// The segment of each of [`BUILTINS`].
fn builtin_segments(closing: &Closing, segments: usize) -> Result<[usize; 9], AssembleError> {
    let mut found = [None; 9];
    for (number, segment) in &closing.builtins {
        let segment = *segment as usize;
        let taken = segment <= EXECUTION || segment >= segments || found.contains(&Some(segment));
        match found.get_mut(usize::from(*number)) {
            Some(place @ None) if !taken => *place = Some(segment),
            _ => return Err(contradiction("its list of builtins is none")),
        }
    }
    let mut all = [0; 9];
    for (place, segment) in all.iter_mut().zip(found) {
        *place = segment.ok_or_else(|| contradiction("a builtin has no segment"))?;
    }
    Ok(all)
}

/// Where each segment is in the flat memory: one after the other, from address 1.
struct Layout {
    /// The first address of each segment, then that after the last.
    bases: Vec<u64>,
}

impl Layout {
    fn new(segments: &[Vec<Cell>]) -> Self {
        let mut bases = vec![1];
        let mut next = 1;
        for segment in segments {
            next += segment.len() as u64;
            bases.push(next);
        }
        Self { bases }
    }

    /// First address, and the address after the last; (0, 0) if there is no such segment.
    fn range(&self, index: usize) -> (u64, u64) {
        match self.bases.get(index..).unwrap_or_default() {
            [begin, end, ..] => (*begin, *end),
            _ => (0, 0),
        }
    }

    fn cells(&self) -> u64 {
        self.bases.last().map_or(0, |end| end - 1)
    }

    fn address(&self, segment: u64, offset: u64) -> Option<u32> {
        let index = usize::try_from(segment).ok().filter(|index| index + 1 < self.bases.len())?;
        u32::try_from(self.range(index).0 + offset).ok()
    }
}

/// Counts what is written.
struct Counted<'a> {
    out: &'a mut dyn Write,
    bytes: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
