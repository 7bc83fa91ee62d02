//! A dishonest prover: it answers hints and syscalls with something else than what happened, once.

use super::dungeon::player;
use crate::{
    class::Class,
    compiled::hint,
    hints::Hints,
    syscalls::{SYSCALLS, operand_address},
    tree::short,
};
use cairo_lang_casm::{
    hints::{Hint, StarknetHint},
    operand::ResOperand,
};
use cairo_vm::{
    hint_processor::{
        builtin_hint_processor::{
            builtin_hint_processor_definition::HintProcessorData,
            hint_utils::{get_ptr_from_var_name, insert_value_from_var_name},
        },
        hint_processor_definition::{HintExtension, HintProcessorLogic},
    },
    types::{
        exec_scope::ExecutionScopes,
        relocatable::{MaybeRelocatable, Relocatable},
    },
    vm::{errors::hint_errors::HintError, runners::cairo_runner::ResourceTracker, vm_core::VirtualMachine},
};
use shardwire_model::{Felt, SessionCall, program_hash};
use std::any::Any;

/// What a dishonest prover answers a hint with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    Nothing,
    /// An inner call is of another contract.
    Contract,
    /// Another entry point of the class runs.
    EntryPoint,
    /// There is no such entry point.
    NoEntryPoint,
    /// A caller that didn't call, in what a contract is told.
    Caller,
    /// There isn't enough gas for a call.
    Poor,
    /// What a write overwrote.
    Overwritten,
    /// A failed frame's storage is left as it is: the old value counts as what was there.
    Undo,
    /// A contract's storage ends where it ended before.
    Storage,
    /// A write to an escrow is to another slot that is listed.
    Listed,
    /// The first change of an escrow is one of a slot that isn't listed.
    Hidden,
    /// More gas is left after a syscall than there is, or there isn't enough for it.
    RichRead,
    PoorRead,
    RichWrite,
    PoorWrite,
    RichEvent,
    PoorEvent,
    RichInfo,
    PoorInfo,
    /// A key was allowed to make a call.
    Allowed,
    /// Sessions are kept where no contract is.
    Nowhere,
    /// A key's chain begins anew at its second call.
    Anew,
    /// A key's chain begins with another link.
    Origin,
    /// A key's chain begins with more calls than none.
    Calls,
    /// A key's chain goes on from a copy of its record with another number of calls.
    Resumed,
    /// The first entry that the state doesn't have has another value when the segment begins.
    Reopened,
    /// A segment of code that was used counts as one that wasn't.
    Unused,
    /// A segment that wasn't used has another hash.
    Unhashed,
}

/// A link that no chain begins with.
pub(super) const FOREIGN_LINK: Felt = Felt::from_hex_unchecked("0xbad");

pub(super) struct Liar<'a> {
    pub(super) honest: Hints<'a>,
    pub(super) lie: Lie,
    pub(super) asked: usize,
}

/// What a syscall is answered that has another answer: the first of its name.
enum Answer {
    /// Success, and one more gas is left than there is.
    Rich,
    /// There isn't enough gas for it.
    Poor,
}

impl Liar<'_> {
    /// Answers a syscall, if this lie is about it.
    fn answer(&mut self, vm: &mut VirtualMachine, operand: &ResOperand) -> Result<bool, HintError> {
        let (told, answer) = match self.lie {
            Lie::RichRead => ("StorageRead", Answer::Rich),
            Lie::PoorRead => ("StorageRead", Answer::Poor),
            Lie::RichWrite => ("StorageWrite", Answer::Rich),
            Lie::PoorWrite => ("StorageWrite", Answer::Poor),
            Lie::RichEvent => ("EmitEvent", Answer::Rich),
            Lie::PoorEvent => ("EmitEvent", Answer::Poor),
            Lie::RichInfo => ("GetExecutionInfo", Answer::Rich),
            Lie::PoorInfo => ("GetExecutionInfo", Answer::Poor),
            _ => return Ok(false),
        };
        let p = operand_address(vm, operand)?;
        let (name, given) = (vm.get_integer(p)?.into_owned(), vm.get_integer((p + 1)?)?.into_owned());
        let (_, at, cost) = SYSCALLS.into_iter().find(|(known, ..)| *known == told).unwrap();
        if self.asked > 0 || name != short(told) {
            return Ok(false);
        }
        self.asked += 1;
        let mut response: Vec<MaybeRelocatable> = Vec::new();
        match answer {
            Answer::Rich => {
                response.extend([(given - Felt::from(cost) + Felt::ONE).into(), Felt::ZERO.into()]);
                let answers = self.honest.answers();
                match told {
                    "StorageRead" => response.push(answers.found.reads.pop_front().unwrap().into()),
                    "GetExecutionInfo" => response.push(answers.frame.unwrap().into()),
                    _ => {}
                }
            }
            Answer::Poor => {
                let reason = vm.add_memory_segment();
                let end = vm.load_data(reason, &[short("Out of gas").into()])?;
                response.extend([given.into(), Felt::ONE.into(), reason.into(), end.into()]);
            }
        }
        self.honest.answers().syscalls = Some(vm.load_data((p + at)?, &response)?);
        Ok(true)
    }
}

impl Liar<'_> {
    /// Keeps sessions in a contract of the place -1: all of them are allowed.
    fn nowhere(&mut self, vm: &mut VirtualMachine, hint: &HintProcessorData) -> Result<bool, HintError> {
        let name = match hint.code.as_str() {
            hint::ENTER_CONTRACT | hint::LEAVE_CONTRACT => "visit",
            hint::READ_SLOT => "storage",
            _ => return Ok(false),
        };
        let at = get_ptr_from_var_name(name, vm, &hint.ids_data, &hint.ap_tracking)?;
        if name == "visit" && vm.get_integer(at)?.into_owned() != -Felt::ONE {
            return Ok(false);
        }
        self.asked += 1;
        match hint.code.as_str() {
            hint::ENTER_CONTRACT => {
                let base = vm.add_memory_segment();
                vm.insert_value((at + 1)?, base)?;
            }
            hint::READ_SLOT => vm.insert_value((at + 1)?, Felt::from(u64::MAX))?,
            _ => {}
        }
        Ok(true)
    }
}

impl HintProcessorLogic for Liar<'_> {
    fn execute_hint(
        &mut self,
        _: &mut VirtualMachine,
        _: &mut ExecutionScopes,
        _: &Box<dyn Any>,
    ) -> Result<(), HintError> {
        unreachable!("the extensive form is called")
    }

    fn execute_hint_extensive(
        &mut self,
        vm: &mut VirtualMachine,
        scopes: &mut ExecutionScopes,
        data: &Box<dyn Any>,
    ) -> Result<HintExtension, HintError> {
        if let Some(Hint::Starknet(StarknetHint::SystemCall { system })) = data.downcast_ref::<Hint>() {
            if self.answer(vm, system)? {
                return Ok(HintExtension::default());
            }
            if self.lie == Lie::Caller && self.asked == 0 {
                let frame = self.honest.answers().frame.unwrap();
                let forged = vm.add_memory_segment();
                let mut cells: Vec<MaybeRelocatable> = (0..7)
                    .map(|i: usize| {
                        let at: Relocatable = (frame + i).unwrap();
                        vm.get_maybe(&at).unwrap()
                    })
                    .collect();
                if cells[2] != Felt::ZERO.into() {
                    self.asked += 1;
                    cells[2] = player(2).into();
                    vm.load_data(forged, &cells)?;
                    self.honest.answers().frame = Some(forged);
                }
            }
            return self.honest.execute_hint_extensive(vm, scopes, data);
        }
        let Some(hint) = data.downcast_ref::<HintProcessorData>() else {
            return self.honest.execute_hint_extensive(vm, scopes, data);
        };
        let (ids, ap) = (&hint.ids_data, &hint.ap_tracking);
        if self.lie == Lie::Nowhere && self.nowhere(vm, hint)? {
            return Ok(HintExtension::default());
        }
        let told = match self.lie {
            Lie::Unused | Lie::Unhashed => hint::USE_SEGMENTS,
            Lie::Contract | Lie::Poor => hint::CALL_CONTRACT,
            Lie::EntryPoint | Lie::NoEntryPoint => hint::ENTER_FRAME,
            Lie::Overwritten | Lie::Undo => hint::WRITE,
            Lie::Storage => hint::ENTER_CONTRACT,
            Lie::Listed | Lie::Hidden => hint::FIND_ENTRY,
            Lie::Allowed => hint::READ_SLOT,
            Lie::Anew | Lie::Origin | Lie::Calls | Lie::Resumed => hint::LAST_LINK,
            Lie::Reopened => hint::OPEN_ENTRY,
            _ => "",
        };
        if hint.code != told {
            return self.honest.execute_hint_extensive(vm, scopes, data);
        }
        self.asked += 1;
        let mut set = |name: &str, value: MaybeRelocatable| insert_value_from_var_name(name, value, vm, ids, ap);
        match (self.lie, self.asked) {
            (Lie::Contract, 1) => {
                set("place", 0.into())?;
                set("affordable", 1.into())?;
            }
            (Lie::Poor, 1) => {
                set("place", 0.into())?;
                set("affordable", 0.into())?;
            }
            (Lie::EntryPoint, 3) => {
                let syscalls = self.honest.answers().syscalls.unwrap();
                set("outcome", 0.into())?;
                set("index", 0.into())?;
                set("syscalls", syscalls.into())?;
            }
            (Lie::NoEntryPoint, 3) => {
                set("outcome", 1.into())?;
                set("index", 0.into())?;
                set("syscalls", 0.into())?;
            }
            (Lie::Listed, 1) => {
                set("listed", 1.into())?;
                set("index", 0.into())?;
            }
            (Lie::Hidden, 1) => {
                set("listed", 0.into())?;
                set("index", 0.into())?;
            }
            (Lie::Overwritten, 2) => {
                let access = get_ptr_from_var_name("storage", vm, ids, ap)?;
                vm.insert_value((access + 1)?, Felt::from(77))?;
            }
            (Lie::Undo, n) => {
                // An undoing write writes what an earlier one overwrote: it is told that nothing had been written.
                let access = get_ptr_from_var_name("storage", vm, ids, ap)?;
                let value = vm.get_integer((access + 2)?)?.into_owned();
                if n > 12 {
                    vm.insert_value((access + 1)?, value)?;
                } else {
                    return self.honest.execute_hint_extensive(vm, scopes, data);
                }
            }
            (Lie::Allowed, 1) => {
                let access = get_ptr_from_var_name("storage", vm, ids, ap)?;
                vm.insert_value((access + 1)?, Felt::from(u64::MAX))?;
            }
            (Lie::Anew, 2) | (Lie::Origin | Lie::Calls, 1) => {
                let access = get_ptr_from_var_name("chains", vm, ids, ap)?;
                let key = vm.get_integer(access)?.into_owned();
                let (first, calls) = match self.lie {
                    Lie::Origin => (FOREIGN_LINK, Felt::ZERO),
                    lie => (
                        SessionCall::first_link(self.honest.start.chain_id(), key),
                        Felt::from(u64::from(lie == Lie::Calls)),
                    ),
                };
                let record = vm.add_memory_segment();
                vm.load_data(record, &[first.into(), calls.into()])?;
                vm.insert_value((access + 1)?, record)?;
            }
            (Lie::Resumed, 1) => {
                let access = get_ptr_from_var_name("chains", vm, ids, ap)?;
                let key = vm.get_integer(access)?.into_owned();
                let chain = self.honest.from.chains[&key];
                let record = vm.add_memory_segment();
                vm.load_data(record, &[chain.link.into(), (chain.calls - Felt::ONE).into()])?;
                vm.insert_value((access + 1)?, record)?;
                self.honest.chains.accesses.insert(key, access);
            }
            (Lie::Reopened, _) => {
                let access = get_ptr_from_var_name("storage", vm, ids, ap)?;
                let key = vm.get_integer(access)?.into_owned();
                if key != super::dungeon::key("xp", &[player(2)]) {
                    return self.honest.execute_hint_extensive(vm, scopes, data);
                }
                vm.insert_value((access + 1)?, Felt::from(77))?;
            }
            (Lie::Storage, 8) => {
                let visit = get_ptr_from_var_name("visit", vm, ids, ap)?;
                let base = vm.add_memory_segment();
                vm.insert_value((visit + 1)?, base)?;
            }
            (Lie::Unused | Lie::Unhashed, _) => {
                let record = get_ptr_from_var_name("class", vm, ids, ap)?;
                let class = self.honest.class_of(record)?;
                if class.segment_lengths().is_empty() {
                    return self.honest.execute_hint_extensive(vm, scopes, data);
                }
                misjudge(vm, record, class, self.lie)?;
            }
            _ => return self.honest.execute_hint_extensive(vm, scopes, data),
        }
        Ok(HintExtension::default())
    }
}

impl ResourceTracker for Liar<'_> {}

impl shardwire_machine::Hints for Liar<'_> {}

/// Lists a class's segments, of which the first alone wasn't used: the others neither, or it with another hash.
fn misjudge(vm: &mut VirtualMachine, record: Relocatable, class: &Class, lie: Lie) -> Result<(), HintError> {
    let (code, list) = (vm.get_relocatable(record)?, vm.get_relocatable((record + 4)?)?);
    let lengths = class.segment_lengths();
    for offset in 0..lengths[0] {
        vm.delete_unaccessed((code + offset)?)?;
    }
    vm.insert_value(code, -Felt::ONE)?;
    let (mut rest, mut felts) = (class.bytecode.as_slice(), Vec::new());
    for (i, length) in lengths.into_iter().enumerate() {
        let (segment, after) = rest.split_at(length);
        let wrong = Felt::from(u64::from(lie == Lie::Unhashed && i == 0));
        let used = u64::from(lie == Lie::Unhashed && i > 0);
        felts.extend([Felt::from(length as u64), used.into(), program_hash(segment) + wrong]);
        rest = after;
    }
    vm.load_data(list, &felts.into_iter().map(Into::into).collect::<Vec<_>>())?;
    Ok(())
}
