//! What programs in Cairo share on cairo-vm: how a compiled one is read, how it runs while its transactions come in, how its witness is cut, and what it put out.
//!
//! [`run`](run()) takes a program to its end in proof mode, with the trace that its prover needs, and gives a chunk of the witness every
//! [`CHUNK_STEPS`](shardwire_witness::CHUNK_STEPS) steps. What the program asks for is answered by its [`Hints`], which are its own business. A hint may wait; then the run waits.
//!
//! Refused: a program without `main`, a run that is longer than a witness may be, and an output that is none. Its bounds are the `MAX_…` constants of `shardwire-witness`.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod capture;
mod run;
mod stopped;

pub use run::{Execution, Hints, Sink, run};
pub use stopped::Stopped;

pub use cairo_vm::types::program::Program;

use cairo_vm::{
    hint_processor::hint_processor_definition::HintProcessor,
    types::{
        layout_name::LayoutName,
        relocatable::{MaybeRelocatable, Relocatable},
    },
    vm::runners::cairo_runner::CairoRunner,
};
use shardwire_model::{Felt, Output, program_hash};

/// A compiled program.
#[derive(Debug)]
pub struct Compiled {
    /// The program.
    pub program: Program,
    /// Its felts, in order: what the program hash is a hash of, and the beginning of every witness's memory.
    pub data: Vec<Felt>,
    /// What stands for it in start data, records and messages.
    pub hash: Felt,
}

impl Compiled {
    /// Reads what the compiler wrote.
    ///
    /// # Panics
    /// If it isn't what the compiler writes. It is part of the program that reads it, and a test reads it, so that can't be in the field.
    #[must_use]
    pub fn read(json: &[u8]) -> Self {
        let program = Program::from_bytes(json, Some("main")).expect("the embedded program is readable");
        let felt = |cell: &MaybeRelocatable| match cell {
            MaybeRelocatable::Int(felt) => Some(*felt),
            MaybeRelocatable::RelocatableValue(_) => None,
        };
        let data: Vec<Felt> = program.iter_data().filter_map(felt).collect();
        let hash = program_hash(&data);
        Self { program, data, hash }
    }
}

/// Embeds a compiled program, given the constant that has what the compiler wrote: `program()` to run it, `data()` and `hash()` to name it. It is read once, when it is first
/// asked for.
#[macro_export]
macro_rules! embedded {
    ($COMPILED:ident) => {
        static EMBEDDED: ::std::sync::LazyLock<$crate::Compiled> =
            ::std::sync::LazyLock::new(|| $crate::Compiled::read($COMPILED));

        pub(crate) fn program() -> &'static $crate::Program {
            &EMBEDDED.program
        }

        /// The program's felts, in order: what the program hash is a hash of, and the beginning of every witness's memory.
        #[must_use]
        pub fn data() -> &'static [::shardwire_model::Felt] {
            &EMBEDDED.data
        }

        /// What stands for the program in start data, records and messages.
        #[must_use]
        pub fn hash() -> ::shardwire_model::Felt {
            EMBEDDED.hash
        }
    };
}

/// What the machine says of a run that it can't begin, end or read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct MachineError(String);

fn failed(error: impl std::fmt::Display) -> MachineError {
    MachineError(error.to_string())
}

/// A run that begins, and where it ends.
fn begin(program: &Program) -> Result<(CairoRunner, Relocatable), MachineError> {
    // Proof mode, with a trace; the trace is not padded: the prover does that.
    let mut runner = CairoRunner::new(program, LayoutName::all_cairo_stwo, None, true, true, true).map_err(failed)?;
    // The layout has no ecdsa and no keccak; programs pass their empty pointers through.
    let end = runner.initialize(true).map_err(failed)?;
    Ok((runner, end))
}

/// Ends a run that is where it ends: its segments are final then.
fn finish(runner: &mut CairoRunner, hints: &mut dyn HintProcessor) -> Result<(), MachineError> {
    // The instruction at the end, which stays there, is the trace's last.
    runner.run_for_steps(1, hints).map_err(failed)?;
    runner.end_run(true, false, hints, true).map_err(failed)?;
    runner.read_return_values(true).map_err(failed)?;
    runner.finalize_segments().map_err(failed)
}

/// What a run that is [finished](finish) put out.
fn output(runner: &mut CairoRunner) -> Result<Output, MachineError> {
    let malformed = |what: &str| MachineError(format!("the output can't be read: {what}"));
    let (segment, _) = runner
        .get_builtin_segments()
        .into_iter()
        .find(|(_, name)| name.to_str() == "output")
        .ok_or_else(|| malformed("no segment"))?;
    let length = *runner.vm.segments.compute_effective_sizes().get(segment).ok_or_else(|| malformed("no length"))?;
    let base = (isize::try_from(segment).map_err(|_| malformed("no segment"))?, 0);
    let felts = runner.vm.get_integer_range(base.into(), length).map_err(|e| malformed(&e.to_string()))?;
    let felts: Vec<Felt> = felts.into_iter().map(|felt| *felt).collect();
    Output::from_felts(&felts).map_err(|e| malformed(&e.to_string()))
}
