//! The classes' code in the machine: loaded before the first transaction, and after the last one what no transaction used of it is taken out again.
//!
//! What is taken out isn't hashed: its hash is given, and its first cell is -1, which is no instruction.

use crate::{Class, cells::custom, compiled::RET};
use cairo_vm::{
    Felt252,
    hint_processor::hint_processor_definition::HintExtension,
    types::relocatable::{MaybeRelocatable, Relocatable},
    vm::{errors::hint_errors::HintError, vm_core::VirtualMachine},
};
use shardwire_model::{Felt, program_hash};
use std::any::Any;

/// Cells of the program's record of a class.
pub(crate) const CLASS: usize = 8;
/// Where that record has the code, and the list of the code's segments.
const CODE: usize = 0;
const SEGMENTS: usize = 4;

fn cells(felts: impl Iterator<Item = Felt>) -> Vec<MaybeRelocatable> {
    felts.map(Into::into).collect()
}

/// Loads the classes, each followed by what code looks for behind its end. The table of their records, and the hints of their code.
pub(crate) fn load(
    vm: &mut VirtualMachine,
    classes: &[&Class],
    costs: Relocatable,
) -> Result<(Relocatable, HintExtension), HintError> {
    let table = vm.add_memory_segment();
    let mut extension = HintExtension::default();
    let mut records: Vec<MaybeRelocatable> = Vec::new();
    for class in classes {
        let code = vm.add_memory_segment();
        let mut felts = cells(class.bytecode.iter().copied());
        felts.extend([Felt252::from(RET).into(), costs.into()]);
        vm.load_data(code, &felts)?;
        for (offset, hints) in &class.hints {
            let hints = hints.iter().map(|hint| Box::new(hint.clone()) as Box<dyn Any>).collect();
            extension.insert((code + *offset)?, hints);
        }
        let entry_points = vm.add_memory_segment();
        let felts = cells(class.entry_points.iter().flat_map(|it| {
            let head = [it.selector, (it.offset as u64).into()];
            head.into_iter().chain(it.builtins.map(|has| Felt::from(u64::from(has))))
        }));
        vm.load_data(entry_points, &felts)?;
        records.extend([
            code.into(),
            class.bytecode.len().into(),
            entry_points.into(),
            class.entry_points.len().into(),
            // Filled when it is known which of them were used.
            vm.add_memory_segment().into(),
            class.segment_lengths().len().into(),
            class.l1_handlers.into(),
            class.constructors.into(),
        ]);
    }
    vm.load_data(table, &records)?;
    Ok((table, extension))
}

/// Takes out a segment of a class's code. Its hash.
fn take_out(vm: &mut VirtualMachine, at: Relocatable, felts: &[Felt]) -> Result<Felt, HintError> {
    for offset in 0..felts.len() {
        vm.delete_unaccessed((at + offset)?)?;
    }
    vm.insert_value(at, -Felt::ONE)?;
    Ok(program_hash(felts))
}

/// Lists the segments of a class's code. One is unused if none of its cells was looked at.
pub(crate) fn list_segments(vm: &mut VirtualMachine, record: Relocatable, class: &Class) -> Result<(), HintError> {
    let mut at = vm.get_relocatable((record + CODE)?)?;
    let list = vm.get_relocatable((record + SEGMENTS)?)?;
    let mut rest = class.bytecode.as_slice();
    let mut felts = Vec::new();
    for length in class.segment_lengths() {
        let (segment, after) =
            rest.split_at_checked(length).ok_or_else(|| custom("segments that exceed the bytecode"))?;
        let used = (0..length).any(|offset| (at + offset).is_ok_and(|at| vm.segments.is_accessed(&at).unwrap_or(true)));
        let hash = if used { Felt::ZERO } else { take_out(vm, at, segment)? };
        felts.extend([Felt::from(length as u64), u64::from(used).into(), hash]);
        (at, rest) = ((at + length)?, after);
    }
    vm.load_data(list, &cells(felts.into_iter()))?;
    Ok(())
}
