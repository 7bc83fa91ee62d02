//! The machine's cells, as hints read and write them.

use cairo_vm::{
    hint_processor::{
        builtin_hint_processor::hint_utils::{
            get_integer_from_var_name, get_ptr_from_var_name, insert_value_from_var_name,
        },
        hint_processor_definition::HintReference,
    },
    serde::deserialize_program::ApTracking,
    types::relocatable::{MaybeRelocatable, Relocatable},
    vm::{errors::hint_errors::HintError, vm_core::VirtualMachine},
};
use shardwire_model::Felt;
use std::collections::HashMap;

pub(crate) fn custom(text: &str) -> HintError {
    HintError::CustomHint(text.into())
}

/// A cell that holds a number.
pub(crate) fn felt(vm: &VirtualMachine, at: Relocatable, offset: usize) -> Result<Felt, HintError> {
    Ok(*vm.get_integer((at + offset)?)?)
}

/// How a hint names the program's variables.
pub(crate) struct Ids<'a> {
    pub(crate) data: &'a HashMap<String, HintReference>,
    pub(crate) ap: &'a ApTracking,
}

impl Ids<'_> {
    pub(crate) fn felt(&self, name: &str, vm: &VirtualMachine) -> Result<Felt, HintError> {
        get_integer_from_var_name(name, vm, self.data, self.ap)
    }

    pub(crate) fn pointer(&self, name: &str, vm: &VirtualMachine) -> Result<Relocatable, HintError> {
        get_ptr_from_var_name(name, vm, self.data, self.ap)
    }

    pub(crate) fn set(
        &self,
        name: &str,
        value: impl Into<MaybeRelocatable>,
        vm: &mut VirtualMachine,
    ) -> Result<(), HintError> {
        insert_value_from_var_name(name, value, vm, self.data, self.ap)
    }
}
