//! Takes slices out of a run: the registers of the steps since the last slice, and the cells that became known.
//!
//! A segment grows at its end, and a cell left empty may be written later. Empty cells are kept in a list, so a slice costs what is
//! new in it and what is still empty, not what has been written before. Of a segment that did neither its length is compared.

use crate::{MachineError, Stopped, failed};
use cairo_vm::{
    types::relocatable::{MaybeRelocatable, Relocatable},
    vm::{runners::cairo_runner::CairoRunner, trace::trace_entry::TraceEntry},
};
use shardwire_witness::{BUILTINS, Closing, MAX_CELLS, MAX_CHUNK_CELLS, MAX_SEGMENTS, Registers, Run, Value};
use std::collections::BTreeMap;

/// Where the last slice ended.
#[derive(Debug, Default)]
pub(crate) struct Capture {
    steps: usize,
    segments: Vec<Segment>,
}

#[derive(Debug, Default)]
struct Segment {
    length: usize,
    /// Offsets below `length` of cells that were empty, ascending.
    empty: Vec<usize>,
}

/// Cells that became known, for one chunk.
#[derive(Debug, Default)]
struct Cells {
    runs: Vec<Run>,
    count: usize,
}

impl Cells {
    fn put(&mut self, segment: usize, offset: usize, value: Value) -> Result<(), Stopped> {
        let (segment, offset) = (small(segment)?, small(offset)?);
        self.count += 1;
        match self.runs.last_mut() {
            Some(run) if run.segment == segment && run.offset as usize + run.cells.len() == offset as usize => {
                run.cells.push(value);
            }
            _ => self.runs.push(Run { segment, offset, cells: vec![value] }),
        }
        Ok(())
    }
}

fn small(number: usize) -> Result<u32, Stopped> {
    u32::try_from(number).ok().filter(|n| *n as usize <= MAX_CELLS).ok_or(Stopped::TooLong)
}

fn unexpected(what: &str) -> Stopped {
    Stopped::Machine(MachineError(what.to_owned()))
}

/// The length of each segment. The VM would remember what it computed, and the segments still grow.
fn lengths(runner: &mut CairoRunner) -> Vec<usize> {
    let remembered = runner.vm.segments.segment_used_sizes.take();
    let lengths = runner.vm.segments.compute_effective_sizes().clone();
    runner.vm.segments.segment_used_sizes = remembered;
    lengths
}

/// What a cell holds, if it has been written.
fn value(runner: &CairoRunner, segment: usize, offset: usize) -> Result<Option<Value>, Stopped> {
    let segment = isize::try_from(segment).map_err(|_| Stopped::TooLong)?;
    Ok(match runner.vm.get_maybe(&Relocatable::from((segment, offset))) {
        None => None,
        Some(MaybeRelocatable::Int(felt)) => Some(Value::Felt(felt)),
        Some(MaybeRelocatable::RelocatableValue(to)) => Some(Value::Address {
            segment: u32::try_from(to.segment_index).map_err(|_| unexpected("a temporary segment is left"))?,
            offset: small(to.offset)?,
        }),
    })
}

impl Capture {
    /// The registers of the steps since the last slice.
    pub(crate) fn trace(&mut self, runner: &CairoRunner) -> Result<Vec<Registers>, Stopped> {
        let trace = runner.get_relocatable_trace().map_err(failed)?;
        let new = trace.get(self.steps..).unwrap_or_default();
        self.steps = trace.len();
        let registers = |entry: &TraceEntry| -> Result<Registers, Stopped> {
            let code =
                u32::try_from(entry.pc.segment_index).map_err(|_| unexpected("code runs in a temporary segment"))?;
            Ok(Registers { code, pc: small(entry.pc.offset)?, ap: small(entry.ap)?, fp: small(entry.fp)? })
        };
        new.iter().map(registers).collect()
    }

    /// The cells that became known since the last slice, save those of the segments `later`. As often as there are enough for a chunk, `full`
    /// takes them.
    pub(crate) fn cells(
        &mut self,
        runner: &mut CairoRunner,
        later: &[usize],
        full: &mut dyn FnMut(Vec<Run>) -> Result<(), Stopped>,
    ) -> Result<Vec<Run>, Stopped> {
        let lengths = lengths(runner);
        if lengths.len() > MAX_SEGMENTS || lengths.iter().sum::<usize>() > MAX_CELLS {
            return Err(Stopped::TooLong);
        }
        self.segments.resize_with(lengths.len(), Segment::default);
        let mut cells = Cells::default();
        for (index, (segment, length)) in self.segments.iter_mut().zip(lengths).enumerate() {
            if segment.length == length && segment.empty.is_empty() || later.contains(&index) {
                continue;
            }
            let mut empty = Vec::new();
            for offset in segment.empty.drain(..).chain(segment.length..length) {
                let Some(value) = value(runner, index, offset)? else {
                    empty.push(offset);
                    continue;
                };
                if cells.count == MAX_CHUNK_CELLS {
                    full(std::mem::take(&mut cells).runs)?;
                }
                cells.put(index, offset, value)?;
            }
            *segment = Segment { length, empty };
        }
        Ok(cells.runs)
    }

    /// What is known of a run that has ended, after its last cells.
    pub(crate) fn closing(&self, runner: &CairoRunner) -> Result<Closing, Stopped> {
        let mut builtins = Vec::new();
        for (segment, name) in runner.get_builtin_segments() {
            match BUILTINS.iter().position(|it| *it == name.to_str()) {
                Some(number) => builtins.push((u8::try_from(number).map_err(|_| Stopped::TooLong)?, small(segment)?)),
                None => return Err(unexpected("a builtin that the prover doesn't know")),
            }
        }
        let mut public = Vec::new();
        // In the VM they are in a map without order.
        let offsets: BTreeMap<_, _> = runner.vm.segments.public_memory_offsets.iter().collect();
        for (segment, offsets) in offsets {
            let mut offsets: Vec<usize> = offsets.iter().map(|(offset, _page)| *offset).collect();
            offsets.sort_unstable();
            for run in offsets.chunk_by(|a, b| a + 1 == *b) {
                if let Some(first) = run.first() {
                    public.push((small(*segment)?, small(*first)?, small(run.len())?));
                }
            }
        }
        let lengths = self.segments.iter().map(|segment| small(segment.length)).collect::<Result<_, _>>()?;
        Ok(Closing { lengths, builtins, public })
    }
}
