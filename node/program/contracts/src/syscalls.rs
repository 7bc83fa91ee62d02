//! What a contract's syscalls are answered in the proving machine: what native execution found, and what follows from the request.

use crate::{
    cells::{custom, felt},
    compiled::gas,
    start::Start,
    tree::{Call, short},
};
use cairo_lang_casm::operand::{BinOpOperand, CellRef, DerefOrImmediate, Operation, Register, ResOperand};
use cairo_vm::{
    types::relocatable::{MaybeRelocatable, Relocatable},
    vm::{errors::hint_errors::HintError, vm_core::VirtualMachine},
};
use shardwire_model::Felt;
use std::collections::VecDeque;

/// The syscalls that can be proven: name, where the response begins, what it costs beyond what the code has charged already.
pub(crate) const SYSCALLS: [(&str, usize, u64); 7] = [
    ("StorageRead", 4, gas::READ),
    ("StorageWrite", 5, gas::WRITE),
    ("CallContract", 6, gas::CALL),
    ("LibraryCall", 6, gas::LIBRARY),
    ("GetExecutionInfo", 2, gas::INFO),
    ("EmitEvent", 6, gas::EVENT),
    ("GetClassHashAt", 3, gas::CLASS_HASH),
];

/// What native execution found of a frame.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// What storage reads answered, in order.
    pub(crate) reads: VecDeque<Felt>,
    /// What inner calls answered, in order: failed, gas consumed, what was returned.
    pub(crate) calls: VecDeque<(bool, u64, Vec<Felt>)>,
}

/// Where a frame has its contract's place.
const PLACE: usize = 5;

/// Where answers come from and go to.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// Where the next frame's syscalls go.
    pub(crate) syscalls: Option<Relocatable>,
    /// Where the next array goes.
    pub(crate) arrays: Option<Relocatable>,
    /// The program's table of classes.
    pub(crate) classes: Option<Relocatable>,
    /// The frame that runs.
    pub(crate) frame: Option<Relocatable>,
    /// What was found of it.
    pub(crate) found: Found,
}

fn cell(vm: &VirtualMachine, cell: &CellRef) -> Result<Relocatable, HintError> {
    let base = if cell.register == Register::AP { vm.get_ap() } else { vm.get_fp() };
    Ok((base + i32::from(cell.offset))?)
}

/// The address that an operand names.
pub(crate) fn operand_address(vm: &VirtualMachine, operand: &ResOperand) -> Result<Relocatable, HintError> {
    match operand {
        ResOperand::Deref(at) => Ok(vm.get_relocatable(cell(vm, at)?)?),
        ResOperand::BinOp(BinOpOperand { op: Operation::Add, a, b: DerefOrImmediate::Immediate(offset) }) => {
            let offset =
                usize::try_from(offset.value.clone()).map_err(|_| custom("a syscall's operand is too large"))?;
            Ok((vm.get_relocatable(cell(vm, a)?)? + offset)?)
        }
        _ => Err(custom("a syscall's operand is of another form")),
    }
}

impl Answers {
    fn array(&mut self, vm: &mut VirtualMachine, felts: &[Felt]) -> Result<[MaybeRelocatable; 2], HintError> {
        let begin = self.arrays.ok_or_else(|| custom("not started"))?;
        let cells: Vec<MaybeRelocatable> = felts.iter().map(|felt| (*felt).into()).collect();
        let end = vm.load_data(begin, &cells)?;
        self.arrays = Some(end);
        Ok([begin.into(), end.into()])
    }

    /// Writes the response to the syscall that an operand names. The slot that it read, if it read one: place of the contract, key.
    pub(crate) fn answer(
        &mut self,
        vm: &mut VirtualMachine,
        operand: &ResOperand,
        start: &Start,
    ) -> Result<Option<(Felt, Felt)>, HintError> {
        let p = operand_address(vm, operand)?;
        let (name, given) = (felt(vm, p, 0)?, felt(vm, p, 1)?);
        let Some((name, at, cost)) = SYSCALLS.into_iter().find(|(known, ..)| short(known) == name) else {
            return Err(custom("a syscall that a shard can't prove"));
        };
        let cost = Felt::from(cost);
        let zero = || MaybeRelocatable::from(Felt::ZERO);
        let mut response: Vec<MaybeRelocatable> = Vec::with_capacity(4);
        let mut slot = None;
        if given < cost {
            response.extend([given.into(), Felt::ONE.into()]);
            response.extend(self.array(vm, &[short("Out of gas")])?);
        } else {
            let left = given - cost;
            match name {
                "StorageRead" => {
                    let value = self.found.reads.pop_front().ok_or_else(|| custom("a read that wasn't found"))?;
                    response.extend([left.into(), zero(), value.into()]);
                    let frame = self.frame.ok_or_else(|| custom("not started"))?;
                    slot = Some((felt(vm, frame, PLACE)?, felt(vm, p, 3)?));
                }
                "GetExecutionInfo" => {
                    let frame = self.frame.ok_or_else(|| custom("not started"))?;
                    response.extend([left.into(), zero(), frame.into()]);
                }
                "GetClassHashAt" => {
                    let place = start.contract_place(felt(vm, p, 2)?);
                    let class = place
                        .and_then(|place| start.contracts.get(place))
                        .and_then(|contract| start.classes.get(contract.class))
                        .ok_or_else(|| custom("a contract that the shard doesn't list"))?;
                    response.extend([left.into(), zero(), class.class_hash.into()]);
                }
                "CallContract" if felt(vm, p, 3)? == execute_selector() => {
                    response.extend([left.into(), Felt::ONE.into()]);
                    response.extend(self.array(vm, &[invalid_argument()])?);
                }
                "CallContract" | "LibraryCall" => {
                    let (failed, consumed, mut retdata) =
                        self.found.calls.pop_front().ok_or_else(|| custom("an inner call that wasn't found"))?;
                    if failed {
                        retdata.push(short("ENTRYPOINT_FAILED"));
                    }
                    response.extend([(left - Felt::from(consumed)).into(), Felt::from(u64::from(failed)).into()]);
                    response.extend(self.array(vm, &retdata)?);
                }
                _ => response.extend([left.into(), zero()]),
            }
        }
        self.syscalls = Some(vm.load_data((p + at)?, &response)?);
        Ok(slot)
    }
}

/// The selector that only a transaction calls.
fn execute_selector() -> Felt {
    shardwire_model::felt::starknet_keccak("__execute__")
}

/// The reason with which a call of [`execute_selector`] fails.
fn invalid_argument() -> Felt {
    short("Invalid argument")
}

/// Queues up what native execution found of a call's frames, in the order in which they begin.
pub(crate) fn frames(call: Call, ahead: &mut VecDeque<Found>) {
    let answers = call.calls.iter().map(|it| (it.failed, it.gas_consumed, it.retdata.clone())).collect();
    ahead.push_back(Found { reads: call.reads.into(), calls: answers });
    for inner in call.calls {
        frames(inner, ahead);
    }
}
