//! The witness of a run, as the worker receives it: magic, counts, builtin segments, public addresses, trace, memory.
//! `docs/prover-worker.md` has the format byte by byte.
//!
//! Nothing in it is trusted: counts are bounded before anything is allocated, a file's length must be exactly what
//! the counts say, addresses must lie in the memory that comes with it, values below the prime. Whether the run is a
//! valid one is for the prover to find out, and for the verifier in the end.

use std::fmt;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use cairo_vm::vm::trace::trace_entry::RelocatedTraceEntry;
use stwo_cairo_adapter::builtins::{BuiltinSegments, MIN_SEGMENT_SIZE, MemorySegmentAddresses};
use stwo_cairo_common::builtins as cells;

use crate::shape::{MAX_CELLS, MAX_ROWS, MAX_STEPS};

/// The first eight bytes of every witness.
const MAGIC: [u8; 8] = *b"SWWITNS1";
/// The magic as text, for people and for `version --json`.
pub(crate) const MAGIC_TEXT: &str = "SWWITNS1";

/// Bytes of the header: magic, steps, cells, public addresses, builtins.
const HEADER_BYTES: u64 = 8 + 8 + 8 + 4 + 4;
/// Bytes of a step: pc, ap, fp.
const STEP_BYTES: u64 = 12;
/// Bytes of a memory cell, which is a field element.
const CELL_BYTES: u64 = 32;
/// Bytes read at once: so many that the system call is cheap beside the copy.
const BUFFER_BYTES: usize = 1 << 20;
/// The fewest steps. The prover drops the last one (it is where the run stands, not a transition), so one more is
/// needed.
const MIN_STEPS: u64 = 2;
/// Addresses from here on are outside the proof's address space (2^29).
const ADDRESS_BOUND: u32 = 1 << 29;

/// The builtins in their fixed order, and how many cells an instance has.
const BUILTINS: [(&str, usize); 9] = [
    ("output", cells::OUTPUT_MEMORY_CELLS),
    ("pedersen", cells::PEDERSEN_BUILTIN_MEMORY_CELLS),
    ("range_check", cells::RANGE_CHECK_BUILTIN_MEMORY_CELLS),
    ("bitwise", cells::BITWISE_BUILTIN_MEMORY_CELLS),
    ("ec_op", cells::EC_OP_BUILTIN_MEMORY_CELLS),
    ("poseidon", cells::POSEIDON_BUILTIN_MEMORY_CELLS),
    ("range_check96", cells::RANGE_CHECK_96_BUILTIN_MEMORY_CELLS),
    ("add_mod", cells::ADD_MOD_BUILTIN_MEMORY_CELLS),
    ("mul_mod", cells::MUL_MOD_BUILTIN_MEMORY_CELLS),
];

/// The Stark prime, 2^251 + 17·2^192 + 1, in little-endian words.
const PRIME: [u32; 8] = [1, 0, 0, 0, 0, 0, 0x11, 0x0800_0000];

/// A witness that was read completely.
pub(crate) struct Witness {
    pub(crate) trace: Vec<RelocatedTraceEntry>,
    /// The cells from address 1 on, without gaps.
    pub(crate) memory: Vec<[u32; 8]>,
    pub(crate) public_addresses: Vec<u32>,
    pub(crate) builtins: BuiltinSegments,
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Witness({} steps, {} cells)", self.trace.len(), self.memory.len())
    }
}

impl Witness {
    pub(crate) fn steps(&self) -> u64 {
        self.trace.len() as u64
    }

    pub(crate) fn cells(&self) -> u64 {
        self.memory.len() as u64
    }
}

/// How a witness breaks the format.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("it doesn't begin with {MAGIC_TEXT}")]
    Magic,
    #[error("it ends inside {0}")]
    Truncated(&'static str),
    #[error("it goes on after its end")]
    Trailing,
    #[error("it is {actual} bytes long, and its header says {expected}")]
    Length { expected: u64, actual: u64 },
    #[error("{what}: {count}, allowed {min} to {max}")]
    Count { what: &'static str, count: u64, min: u64, max: u64 },
    #[error("builtin {name}: segment {begin}..{stop}: {why}")]
    Segment { name: &'static str, begin: u64, stop: u64, why: &'static str },
    #[error("public address {index} is {address}: {why}")]
    PublicAddress { index: usize, address: u32, why: &'static str },
    #[error("step {step}: {register} is {value}, outside the memory")]
    Register { step: usize, register: &'static str, value: u32 },
    #[error("the cell at address {address} isn't below the prime")]
    Value { address: usize },
    #[error(transparent)]
    Io(std::io::Error),
}

/// No witness was read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// It couldn't be read at all.
    #[error("can't read the witness {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// It breaks the format.
    #[error("malformed witness: {0}")]
    Malformed(#[from] Malformed),
}

impl ReadError {
    /// Whether it was read and is none. A disk that fails on the way says nothing about it.
    pub(crate) const fn is_malformed(&self) -> bool {
        match self {
            Self::Unreadable { .. } | Self::Malformed(Malformed::Io(_)) => false,
            Self::Malformed(_) => true,
        }
    }

    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "SW-WORKER-002",
            Self::Malformed(_) => "SW-WORKER-003",
        }
    }
}

/// Reads a witness file, whose length must be exactly what its header says.
pub(crate) fn read_file(path: &Path) -> Result<Witness, ReadError> {
    let unreadable = |source| ReadError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    // A named pipe has no length; it is read like standard input.
    let length = meta.is_file().then_some(meta.len());
    if meta.is_dir() {
        return Err(unreadable(ErrorKind::IsADirectory.into()));
    }
    Ok(read(&mut BufReader::with_capacity(BUFFER_BYTES, file), length)?)
}

/// Reads a witness to its end. With a `length`, it is compared with the header's counts before anything is allocated.
pub(crate) fn read(source: &mut impl Read, length: Option<u64>) -> Result<Witness, Malformed> {
    let mut input = Input { source };
    if input.array::<8>("the magic")? != MAGIC {
        return Err(Malformed::Magic);
    }
    let n_steps = input.u64("the header")?;
    let n_cells = input.u64("the header")?;
    let n_public = u64::from(input.u32("the header")?);
    let n_builtins = u64::from(input.u32("the header")?);
    in_range("steps", n_steps, MIN_STEPS, MAX_STEPS as u64)?;
    in_range("memory cells", n_cells, 1, MAX_CELLS as u64)?;
    in_range("public addresses", n_public, 0, n_cells)?;
    in_range("builtins", n_builtins, BUILTINS.len() as u64, BUILTINS.len() as u64)?;
    let expected = HEADER_BYTES + 16 * n_builtins + 4 * n_public + STEP_BYTES * n_steps + CELL_BYTES * n_cells;
    if let Some(actual) = length
        && actual != expected
    {
        return Err(Malformed::Length { expected, actual });
    }
    let builtins = read_builtins(&mut input, n_cells)?;
    let public_addresses = read_public(&mut input, n_public, n_cells)?;
    let trace = read_trace(&mut input, n_steps, n_cells)?;
    let memory = read_memory(&mut input, n_cells)?;
    input.end()?;
    Ok(Witness { trace, memory, public_addresses, builtins })
}

fn in_range(what: &'static str, count: u64, min: u64, max: u64) -> Result<(), Malformed> {
    if (min..=max).contains(&count) { Ok(()) } else { Err(Malformed::Count { what, count, min, max }) }
}

fn read_builtins<R: Read>(input: &mut Input<'_, R>, n_cells: u64) -> Result<BuiltinSegments, Malformed> {
    let mut segments = [None; BUILTINS.len()];
    for (segment, (name, cells)) in segments.iter_mut().zip(BUILTINS) {
        let begin = input.u64("the builtin segments")?;
        let stop = input.u64("the builtin segments")?;
        *segment = check_segment(name, cells as u64, begin, stop, n_cells).map_err(|why| Malformed::Segment {
            name,
            begin,
            stop,
            why,
        })?;
    }
    let [
        output,
        pedersen_builtin,
        range_check_builtin,
        bitwise_builtin,
        ec_op_builtin,
        poseidon_builtin,
        range_check96_builtin,
        add_mod_builtin,
        mul_mod_builtin,
    ] = segments;
    Ok(BuiltinSegments {
        add_mod_builtin,
        bitwise_builtin,
        output,
        mul_mod_builtin,
        pedersen_builtin,
        poseidon_builtin,
        range_check96_builtin,
        range_check_builtin,
        ec_op_builtin,
    })
}

fn check_segment(
    name: &str,
    cells: u64,
    begin: u64,
    stop: u64,
    n_cells: u64,
) -> Result<Option<MemorySegmentAddresses>, &'static str> {
    if (begin, stop) == (0, 0) {
        return Ok(None);
    }
    // The last cell's address is n_cells, and stop is one past the segment.
    if begin == 0 || begin >= stop || stop > n_cells + 1 {
        return Err("it doesn't lie in the memory");
    }
    let instances = (stop - begin) / cells;
    if name != "output" {
        if !(stop - begin).is_multiple_of(cells) {
            return Err("it isn't a whole number of instances");
        }
        if !instances.is_power_of_two() || instances < MIN_SEGMENT_SIZE as u64 {
            return Err("its instances aren't padded to a power of two, at least 16");
        }
    }
    if instances > MAX_ROWS as u64 {
        return Err("it has more instances than one proof holds");
    }
    Ok(Some(MemorySegmentAddresses { begin_addr: begin as usize, stop_ptr: stop as usize }))
}

fn read_public<R: Read>(input: &mut Input<'_, R>, n: u64, n_cells: u64) -> Result<Vec<u32>, Malformed> {
    let mut addresses = Vec::with_capacity(n as usize);
    let mut last = 0;
    for index in 0..n as usize {
        let address = input.u32("the public addresses")?;
        let refuse = |why| Err(Malformed::PublicAddress { index, address, why });
        if address == 0 || u64::from(address) > n_cells {
            return refuse("it doesn't lie in the memory");
        }
        if address <= last {
            return refuse("addresses must rise");
        }
        last = address;
        addresses.push(address);
    }
    Ok(addresses)
}

fn read_trace<R: Read>(input: &mut Input<'_, R>, n: u64, n_cells: u64) -> Result<Vec<RelocatedTraceEntry>, Malformed> {
    let mut trace = Vec::with_capacity(n as usize);
    for step in 0..n as usize {
        let refuse = |register, value| Err(Malformed::Register { step, register, value });
        let [pc, ap, fp] = input.words::<3, 12>("the trace")?;
        if pc == 0 || u64::from(pc) > n_cells {
            return refuse("pc", pc);
        }
        // ap and fp may point past the last cell that was written.
        if ap == 0 || ap >= ADDRESS_BOUND {
            return refuse("ap", ap);
        }
        if fp == 0 || fp >= ADDRESS_BOUND {
            return refuse("fp", fp);
        }
        trace.push(RelocatedTraceEntry { pc: pc as usize, ap: ap as usize, fp: fp as usize });
    }
    Ok(trace)
}

fn read_memory<R: Read>(input: &mut Input<'_, R>, n: u64) -> Result<Vec<[u32; 8]>, Malformed> {
    let mut memory = Vec::with_capacity(n as usize);
    for address in 1..=n as usize {
        let value = input.words::<8, 32>("the memory")?;
        if !value.iter().rev().lt(PRIME.iter().rev()) {
            return Err(Malformed::Value { address });
        }
        memory.push(value);
    }
    Ok(memory)
}

/// Reads little-endian numbers. Its errors name the part that was cut short.
struct Input<'a, R> {
    source: &'a mut R,
}

impl<R: Read> Input<'_, R> {
    fn array<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], Malformed> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes).map_err(|e| match e.kind() {
            ErrorKind::UnexpectedEof => Malformed::Truncated(part),
            _ => Malformed::Io(e),
        })?;
        Ok(bytes)
    }

    fn u32(&mut self, part: &'static str) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array(part)?))
    }

    fn u64(&mut self, part: &'static str) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array(part)?))
    }

    fn words<const N: usize, const BYTES: usize>(&mut self, part: &'static str) -> Result<[u32; N], Malformed> {
        const { assert!(BYTES == 4 * N) };
        let bytes = self.array::<BYTES>(part)?;
        let (words, _) = bytes.as_chunks::<4>();
        Ok(std::array::from_fn(|i| words.get(i).copied().map_or(0, u32::from_le_bytes)))
    }

    fn end(&mut self) -> Result<(), Malformed> {
        loop {
            match self.source.read(&mut [0]) {
                Ok(0) => return Ok(()),
                Ok(_) => return Err(Malformed::Trailing),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(Malformed::Io(e)),
            }
        }
    }
}

#[cfg(test)]
mod tests;
