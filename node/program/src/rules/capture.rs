//! Takes slices out of a run: the registers of the steps since the last slice, and the cells that became known.
//!
//! A segment grows at its end, and a cell left empty may be written later. Empty cells are kept in a list, so a slice costs what is
//! new in it and what is still empty, not what has been written before.

use crate::ExecuteError;
use cairo_vm::{
    types::relocatable::{MaybeRelocatable, Relocatable},
    vm::runners::cairo_runner::CairoRunner,
};
use shardwire_witness::{BUILTINS, Body, Closing, MAX_CELLS, Registers, Run, Value};
use std::collections::BTreeMap;

/// Where the last slice ended.
#[derive(Debug, Default)]
pub(super) struct Capture {
    steps: usize,
    segments: Vec<Segment>,
}

#[derive(Debug, Default)]
struct Segment {
    length: usize,
    /// Offsets below `length` of cells that were empty, ascending.
    empty: Vec<usize>,
}

fn small(number: usize) -> Result<u32, ExecuteError> {
    u32::try_from(number).ok().filter(|n| *n as usize <= MAX_CELLS).ok_or(ExecuteError::TooLong)
}

/// The length of each segment. The VM would remember what it computed, and the segments still grow.
fn lengths(runner: &mut CairoRunner) -> Vec<usize> {
    let remembered = runner.vm.segments.segment_used_sizes.take();
    let lengths = runner.vm.segments.compute_effective_sizes().clone();
    runner.vm.segments.segment_used_sizes = remembered;
    lengths
}

fn unexpected(what: &str) -> ExecuteError {
    ExecuteError::Vm(what.to_owned())
}

impl Capture {
    /// What happened since the last slice.
    pub(super) fn slice(&mut self, runner: &mut CairoRunner) -> Result<Body, ExecuteError> {
        let first_step = self.steps as u64;
        let trace = runner.get_relocatable_trace().map_err(|e| unexpected(&e.to_string()))?;
        let new = trace.get(self.steps..).unwrap_or_default();
        self.steps = trace.len();
        let registers = |entry: &cairo_vm::vm::trace::trace_entry::TraceEntry| -> Result<Registers, ExecuteError> {
            if entry.pc.segment_index != 0 {
                return Err(unexpected("the program counter left the program"));
            }
            Ok([small(entry.pc.offset)?, small(entry.ap)?, small(entry.fp)?])
        };
        let trace = new.iter().map(registers).collect::<Result<_, _>>()?;
        Ok(Body { first_step, trace, runs: self.runs(runner)?, closing: None })
    }

    fn runs(&mut self, runner: &mut CairoRunner) -> Result<Vec<Run>, ExecuteError> {
        let lengths = lengths(runner);
        self.segments.resize_with(lengths.len(), Segment::default);
        let mut runs: Vec<Run> = Vec::new();
        for (index, (segment, length)) in self.segments.iter_mut().zip(lengths).enumerate() {
            let mut put = |offset: usize| -> Result<bool, ExecuteError> {
                let at = Relocatable::from((isize::try_from(index).map_err(|_| ExecuteError::TooLong)?, offset));
                let value = match runner.vm.get_maybe(&at) {
                    None => return Ok(false),
                    Some(MaybeRelocatable::Int(felt)) => Value::Felt(felt),
                    Some(MaybeRelocatable::RelocatableValue(to)) => Value::Address {
                        segment: u32::try_from(to.segment_index)
                            .map_err(|_| unexpected("a temporary segment is left"))?,
                        offset: small(to.offset)?,
                    },
                };
                let (segment, offset) = (small(index)?, small(offset)?);
                match runs.last_mut() {
                    Some(run) if run.segment == segment && run.offset as usize + run.cells.len() == offset as usize => {
                        run.cells.push(value);
                    }
                    _ => runs.push(Run { segment, offset, cells: vec![value] }),
                }
                Ok(true)
            };
            let mut empty = Vec::new();
            for offset in segment.empty.drain(..).chain(segment.length..length) {
                if !put(offset)? {
                    empty.push(offset);
                }
            }
            *segment = Segment { length, empty };
        }
        Ok(runs)
    }

    /// The last slice, of a run that has ended and whose segments are final.
    pub(super) fn close(&mut self, runner: &mut CairoRunner) -> Result<Body, ExecuteError> {
        let mut body = self.slice(runner)?;
        let mut builtins = Vec::new();
        for (segment, name) in runner.get_builtin_segments() {
            match BUILTINS.iter().position(|it| *it == name.to_str()) {
                Some(number) => {
                    builtins.push((u8::try_from(number).map_err(|_| ExecuteError::TooLong)?, small(segment)?))
                }
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
        body.closing = Some(Closing { lengths, builtins, public });
        Ok(body)
    }
}
