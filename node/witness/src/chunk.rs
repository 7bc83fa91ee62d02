//! A chunk: a slice of a run's trace, and the memory that became known in it.
//!
//! The body, in order, numbers 7 bits a byte where nothing else is said:
//! 1. a byte: 0, or 1 in the closing chunk;
//! 2. the first step, the number of steps;
//! 3. which code ran: the number of stretches of steps whose code is in one segment, then each: segment, number of steps (not 0). Neighbours
//!    differ in their segment;
//! 4. the registers before each step as offsets, `pc` in that segment, `ap` and `fp` in the execution's (1): for each register the
//!    difference to the step before (to 0 for the first) as 32 bits, in four planes, the lowest bytes of all steps first. That way
//!    the repetition of loops is visible to the compressor;
//! 5. the number of runs of cells, then each: segment, offset, number of cells (not 0), the cells as [`Value`] has them;
//! 6. in the closing chunk: see [`Closing`].
//!
//! A chunk other than the closing one has [`CHUNK_STEPS`] steps, or none: then it only has cells, more than fitted into the one that follows it.

use super::{
    CHUNK_STEPS, MAX_CHUNK_CELLS, MAX_SEGMENTS,
    bytes::{Malformed, Reader, put_number},
    cell::Value,
};
use shardwire_model::Hash;

/// One chunk of a run, ready to be stored and streamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its place, from 0.
    pub index: u32,
    /// The steps that the run has made with this chunk's.
    pub steps: u64,
    /// Whether it is the last.
    pub closing: bool,
    /// The hash of its body.
    pub hash: Hash,
    /// The body, not compressed.
    pub body: Vec<u8>,
}

/// The registers before a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// The segment of the code that runs: the program's (0), or one that the program loaded.
    pub code: u32,
    /// The program counter, an offset in that segment.
    pub pc: u32,
    /// The allocation pointer, an offset in the execution's segment (1).
    pub ap: u32,
    /// The frame pointer, an offset in the same segment.
    pub fp: u32,
}

/// Cells at consecutive addresses of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Their segment.
    pub segment: u32,
    /// The offset of the first in it.
    pub offset: u32,
    /// What they hold; at least one.
    pub cells: Vec<Value>,
}

/// What is known only when the run has ended: the number of segments and the length of each; the number of builtins, and the
/// name's number and the segment of each; the number of ranges of public memory, and segment, offset and length of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closing {
    /// The cells of each segment, the empty ones included.
    pub lengths: Vec<u32>,
    /// A builtin's place in [`BUILTINS`](super::BUILTINS), and its segment.
    pub builtins: Vec<(u8, u32)>,
    /// Segment, offset and length of each range of public memory.
    pub public: Vec<(u32, u32, u32)>,
}

/// What a chunk's body says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// The place of its first step in the run, from 0.
    pub first_step: u64,
    /// The registers before each step.
    pub trace: Vec<Registers>,
    /// The cells that became known.
    pub runs: Vec<Run>,
    /// In the last chunk only.
    pub closing: Option<Closing>,
}

/// Bytes of a register's difference.
const PLANES: usize = 4;

/// How many registers are kept in planes.
const OFFSETS: usize = 3;

impl Registers {
    /// What is kept in planes, in this order.
    fn offsets(&self) -> [u32; OFFSETS] {
        [self.pc, self.ap, self.fp]
    }

    fn offsets_mut(&mut self) -> [&mut u32; OFFSETS] {
        [&mut self.pc, &mut self.ap, &mut self.fp]
    }
}

fn put_code(out: &mut Vec<u8>, trace: &[Registers]) {
    let stretches = || trace.chunk_by(|a, b| a.code == b.code);
    put_number(out, stretches().count() as u64);
    for (stretch, first) in stretches().filter_map(|stretch| Some((stretch, stretch.first()?))) {
        put_number(out, u64::from(first.code));
        put_number(out, stretch.len() as u64);
    }
}

fn read_code(reader: &mut Reader<'_>, trace: &mut [Registers]) -> Result<(), Malformed> {
    const WRONG: Malformed = Malformed("stretches of code that aren't those of its steps");
    let (mut rest, mut before) = (trace, None);
    for _ in 0..reader.count(2)? {
        let (code, steps) = (reader.small()?, reader.small()? as usize);
        let (stretch, after) = rest.split_at_mut_checked(steps).ok_or(WRONG)?;
        if steps == 0 || before == Some(code) {
            return Err(WRONG);
        }
        stretch.iter_mut().for_each(|registers| registers.code = code);
        (rest, before) = (after, Some(code));
    }
    if rest.is_empty() { Ok(()) } else { Err(WRONG) }
}

fn put_planes(out: &mut Vec<u8>, trace: &[Registers], register: usize) {
    let mut before = 0u32;
    let differences: Vec<[u8; PLANES]> = trace
        .iter()
        .map(|registers| {
            let now = registers.offsets()[register];
            let difference = now.wrapping_sub(before);
            before = now;
            difference.to_le_bytes()
        })
        .collect();
    for plane in 0..PLANES {
        out.extend(differences.iter().map(|bytes| bytes[plane]));
    }
}

fn read_planes(reader: &mut Reader<'_>, trace: &mut [Registers], register: usize) -> Result<(), Malformed> {
    let n = trace.len();
    let planes = [reader.take(n)?, reader.take(n)?, reader.take(n)?, reader.take(n)?];
    let [a, b, c, d] = planes.map(|plane| plane.iter());
    let mut value = 0u32;
    for (registers, (((a, b), c), d)) in trace.iter_mut().zip(a.zip(b).zip(c).zip(d)) {
        value = value.wrapping_add(u32::from_le_bytes([*a, *b, *c, *d]));
        *registers.offsets_mut()[register] = value;
    }
    Ok(())
}

impl Body {
    /// The bytes that are stored, hashed and streamed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let cells: usize = self.runs.iter().map(|run| run.cells.len()).sum();
        let mut out = Vec::with_capacity(self.trace.len() * OFFSETS * PLANES + cells * 8);
        out.push(u8::from(self.closing.is_some()));
        put_number(&mut out, self.first_step);
        put_number(&mut out, self.trace.len() as u64);
        put_code(&mut out, &self.trace);
        for register in 0..OFFSETS {
            put_planes(&mut out, &self.trace, register);
        }
        put_number(&mut out, self.runs.len() as u64);
        for Run { segment, offset, cells } in &self.runs {
            put_number(&mut out, u64::from(*segment));
            put_number(&mut out, u64::from(*offset));
            put_number(&mut out, cells.len() as u64);
            for value in cells {
                value.put(&mut out);
            }
        }
        if let Some(Closing { lengths, builtins, public }) = &self.closing {
            put_number(&mut out, lengths.len() as u64);
            for length in lengths {
                put_number(&mut out, u64::from(*length));
            }
            put_number(&mut out, builtins.len() as u64);
            for (name, segment) in builtins {
                out.push(*name);
                put_number(&mut out, u64::from(*segment));
            }
            put_number(&mut out, public.len() as u64);
            for (segment, offset, length) in public {
                for number in [segment, offset, length] {
                    put_number(&mut out, u64::from(*number));
                }
            }
        }
        out
    }

    /// Reads those bytes.
    ///
    /// # Errors
    /// [`Malformed`] if they aren't the one encoding of a body within its bounds.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let closing = match reader.byte()? {
            0 => false,
            1 => true,
            _ => return Err(Malformed("an unknown kind of chunk")),
        };
        let first_step = reader.number()?;
        let steps = reader.count(OFFSETS * PLANES)?;
        // The closing chunk has the last step, the one that stays at the end, in addition.
        if steps > CHUNK_STEPS + usize::from(closing) || (!closing && steps != CHUNK_STEPS && steps != 0) {
            return Err(Malformed("a wrong number of steps"));
        }
        let mut trace = vec![Registers::default(); steps];
        read_code(&mut reader, &mut trace)?;
        for register in 0..OFFSETS {
            read_planes(&mut reader, &mut trace, register)?;
        }
        let mut cells_left = MAX_CHUNK_CELLS;
        let n_runs = reader.count(4)?;
        if !closing && n_runs == 0 && steps == 0 {
            return Err(Malformed("neither steps nor cells"));
        }
        let mut runs = Vec::with_capacity(n_runs.min(MAX_CHUNK_CELLS));
        for _ in 0..n_runs {
            let (segment, offset) = (reader.small()?, reader.small()?);
            let n = reader.count(1)?;
            cells_left = cells_left.checked_sub(n).ok_or(Malformed("more cells than a chunk may have"))?;
            if n == 0 {
                return Err(Malformed("an empty run of cells"));
            }
            let mut cells = Vec::with_capacity(n);
            for _ in 0..n {
                cells.push(Value::read(&mut reader)?);
            }
            runs.push(Run { segment, offset, cells });
        }
        let closing = if closing { Some(Closing::decode(&mut reader)?) } else { None };
        if reader.left() != 0 {
            Err(Malformed("bytes after its end"))
        } else {
            Ok(Self { first_step, trace, runs, closing })
        }
    }
}

impl Closing {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        fn list<T>(
            reader: &mut Reader<'_>,
            size: usize,
            read: impl Fn(&mut Reader<'_>) -> Result<T, Malformed>,
        ) -> Result<Vec<T>, Malformed> {
            let count = reader.count(size)?;
            if count > MAX_SEGMENTS {
                return Err(Malformed("more segments than a run may have"));
            }
            (0..count).map(|_| read(reader)).collect()
        }
        Ok(Self {
            lengths: list(reader, 1, |reader| reader.small())?,
            builtins: list(reader, 2, |reader| Ok((reader.byte()?, reader.small()?)))?,
            public: list(reader, 3, |reader| Ok((reader.small()?, reader.small()?, reader.small()?)))?,
        })
    }
}
