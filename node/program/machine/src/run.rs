//! A run while its transactions come in: it makes its steps, and after each [`CHUNK_STEPS`] of them a chunk of the witness is cut.

use crate::{Stopped, begin, capture::Capture, failed, finish, output};
use cairo_vm::{
    hint_processor::hint_processor_definition::HintProcessor,
    types::program::Program,
    vm::{errors::vm_exception::VmException, runners::cairo_runner::CairoRunner},
};
use shardwire_model::{Hash, Output};
use shardwire_witness::{Body, CHUNK_STEPS, Chunk, Closing, MAX_CHUNK_BYTES, MAX_CHUNKS, Manifest, Registers, Run};
use std::io;

/// Takes each chunk of a witness as soon as it is cut. An error stops the run.
pub type Sink<'a> = dyn FnMut(Chunk) -> io::Result<()> + 'a;

/// What answers a program's hints.
pub trait Hints: HintProcessor {
    /// The segments with code that the program loaded, which it does before the first chunk is full. What of them counts is known when the run has
    /// ended, so their cells come in the last chunks.
    fn code(&self) -> &[usize] {
        &[]
    }
}

/// A finished run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// What the program put out.
    pub output: Output,
    /// How many steps it made.
    pub steps: u64,
    /// All chunks of its witness.
    pub manifest: Manifest,
}

/// Runs a program to its end. Calls `sink` with each chunk as soon as it is complete. Returns the machine too, as it is after the run.
///
/// # Errors
/// [`Stopped::Program`] for a reason of the program's own, [`Stopped::TooLong`] if the run exceeds a witness, [`Stopped::Machine`] if the machine can't go on, [`Stopped::Sink`] if a
/// chunk can't be stored.
pub fn run(program: &Program, hints: &mut dyn Hints, sink: &mut Sink<'_>) -> Result<(Execution, CairoRunner), Stopped> {
    let (mut runner, end) = begin(program)?;
    let (mut capture, mut cutter) = (Capture::default(), Cutter { hashes: Vec::new(), steps: 0, sink });
    // cairo-vm's own loop forgets the hints of code that was loaded in the run each time that it is left.
    let shared = &program.shared_program_data;
    let mut compiled = runner.get_hint_data(&shared.reference_manager, hints).map_err(failed)?;
    let mut places = shared.hints_collection.hints_ranges.clone();
    let mut steps = 0;
    while runner.vm.get_pc() != end {
        if steps == CHUNK_STEPS {
            let trace = capture.trace(&runner)?;
            let runs = capture.cells(&mut runner, hints.code(), &mut |runs| cutter.cut(Vec::new(), runs, None))?;
            cutter.cut(trace, runs, None)?;
            steps = 0;
        }
        if let Err(error) = runner.vm.step(hints, &mut runner.exec_scopes, &mut compiled, &mut places) {
            return Err(Stopped::Program(VmException::from_vm_error(&runner, error).to_string()));
        }
        steps += 1;
    }
    finish(&mut runner, hints)?;
    let trace = capture.trace(&runner)?;
    let runs = capture.cells(&mut runner, &[], &mut |runs| cutter.cut(Vec::new(), runs, None))?;
    cutter.cut(trace, runs, Some(capture.closing(&runner)?))?;
    let output = output(&mut runner)?;
    let Cutter { hashes, steps, .. } = cutter;
    let manifest = Manifest { chunks: hashes, steps, output: output.clone() };
    Ok((Execution { output, steps, manifest }, runner))
}

/// Makes chunks of slices.
struct Cutter<'a, 'b> {
    hashes: Vec<Hash>,
    steps: u64,
    sink: &'a mut Sink<'b>,
}

impl Cutter<'_, '_> {
    fn cut(&mut self, trace: Vec<Registers>, runs: Vec<Run>, closing: Option<Closing>) -> Result<(), Stopped> {
        let index = u32::try_from(self.hashes.len()).ok().filter(|i| (*i as usize) < MAX_CHUNKS);
        let index = index.ok_or(Stopped::TooLong)?;
        let (first_step, is_closing) = (self.steps, closing.is_some());
        self.steps += trace.len() as u64;
        let body = Body { first_step, trace, runs, closing }.encode();
        if body.len() > MAX_CHUNK_BYTES {
            return Err(Stopped::TooLong);
        }
        let hash = Hash::of(&body);
        self.hashes.push(hash);
        Ok((self.sink)(Chunk { index, steps: self.steps, closing: is_closing, hash, body })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_too_many_chunks_stops() {
        let sink: &mut Sink<'_> = &mut |_| Ok(());
        let mut cutter = Cutter { hashes: vec![Hash::default(); MAX_CHUNKS - 1], steps: 0, sink };
        cutter.cut(vec![Registers::default()], Vec::new(), None).expect("it is the last that may be");
        let error = cutter.cut(Vec::new(), Vec::new(), None).expect_err("it is one too many");
        assert_eq!(error.to_string(), "the run is longer than a witness can be (1024 chunks of 16384 steps)");
    }
}
