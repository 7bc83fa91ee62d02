//! Executes contracts natively, so that there is something to replay: a machine of its own for each call, syscalls answered from a map.
//! Gas is that of Starknet's versioned constants.

use crate::{
    Class, Start,
    class::BUILTINS,
    compiled::{RET, gas},
    syscalls::{SYSCALLS, operand_address},
    tree::{Call, CallKind, Invoke, ResourceBounds, Session, Snapshot, State, Transaction, short},
};
use cairo_lang_casm::hints::{Hint, StarknetHint};
use cairo_vm::{
    Felt252,
    hint_processor::{
        cairo_1_hint_processor::hint_processor::Cairo1HintProcessor,
        hint_processor_definition::{HintProcessorLogic, HintReference},
    },
    serde::deserialize_program::{ApTracking, FlowTrackingData, HintParams, ReferenceManager},
    types::{
        builtin_name::BuiltinName,
        exec_scope::ExecutionScopes,
        layout_name::LayoutName,
        program::Program,
        relocatable::{MaybeRelocatable, Relocatable},
    },
    vm::{
        errors::{hint_errors::HintError, vm_errors::VirtualMachineError},
        runners::cairo_runner::{CairoArg, CairoRunner, ResourceTracker, RunResources},
        vm_core::VirtualMachine,
    },
};
use shardwire_model::{Felt, SessionCall};
use starknet_types_core::hash::{Poseidon, StarkHash};
use std::{any::Any, collections::HashMap, sync::Arc};

/// What a transaction says, before it is executed.
pub(super) struct Request {
    pub(super) sender: Felt,
    pub(super) nonce: u64,
    pub(super) calldata: Vec<Felt>,
    pub(super) bounds: ResourceBounds,
    pub(super) time: u64,
}

impl Request {
    /// Its hash, computed apart from the program.
    pub(super) fn hash(&self, chain_id: Felt) -> Felt {
        let bound = |name: &str, amount: u64| {
            let two = |exponent: u32| Felt::TWO.pow(exponent);
            short(name) * two(192) + Felt::from(amount) * two(128)
        };
        let bounds = [
            Felt::ZERO,
            bound("L1_GAS", self.bounds.l1_gas),
            bound("L2_GAS", self.bounds.l2_gas),
            bound("L1_DATA", self.bounds.l1_data_gas),
        ];
        let empty = Poseidon::hash_array(&[]);
        Poseidon::hash_array(&[
            short("invoke"),
            Felt::THREE,
            self.sender,
            Poseidon::hash_array(&bounds),
            empty,
            chain_id,
            self.nonce.into(),
            Felt::ZERO,
            empty,
            Poseidon::hash_array(&self.calldata),
        ])
    }
}

#[derive(Clone)]
struct TxInfo {
    sender: Felt,
    signature: Vec<Felt>,
    hash: Felt,
    chain_id: Felt,
    nonce: u64,
    bounds: ResourceBounds,
    block: [Felt; 3],
}

pub(super) struct Native<'a> {
    start: &'a Start,
    classes: HashMap<Felt, &'a Class>,
    programs: HashMap<Felt, Program>,
    pub(super) state: State,
    index: u64,
    /// By session key: how many calls it made.
    called: HashMap<Felt, u64>,
    /// Events of the transaction that ran last: contract and first key.
    pub(super) events: Vec<(Felt, Felt)>,
}

fn program(class: &Class) -> Program {
    let hint = |offset: &usize| HintParams {
        code: offset.to_string(),
        accessible_scopes: vec![],
        flow_tracking_data: FlowTrackingData { ap_tracking: ApTracking::default(), reference_ids: HashMap::new() },
    };
    Program::new(
        vec![],
        class.bytecode.iter().map(|felt| (*felt).into()).collect(),
        None,
        class.hints.keys().map(|offset| (*offset, vec![hint(offset)])).collect(),
        ReferenceManager { references: vec![] },
        HashMap::new(),
        vec![],
        None,
    )
    .unwrap()
}

impl<'a> Native<'a> {
    pub(super) fn new(start: &'a Start, classes: &'a [Class], state: State) -> Self {
        Self {
            start,
            classes: classes.iter().map(|class| (class.class_hash, class)).collect(),
            programs: classes.iter().map(|class| (class.class_hash, program(class))).collect(),
            state,
            index: 0,
            called: HashMap::new(),
            events: Vec::new(),
        }
    }

    fn class_hash(&self, address: Felt) -> Felt {
        let contract = &self.start.contracts[self.start.contract_place(address).expect("a listed contract")];
        self.start.classes[contract.class].class_hash
    }

    pub(super) fn invoke(&mut self, request: Request, signature: Vec<Felt>) -> Transaction {
        let number = self.start.first_block + self.index;
        self.index += 1;
        self.events.clear();
        let chain_id = self.start.chain_id();
        let mut tx = TxInfo {
            sender: request.sender,
            signature: signature.clone(),
            hash: request.hash(chain_id),
            chain_id,
            nonce: request.nonce,
            bounds: request.bounds,
            block: [Felt::from(number / 100 * 100), Felt::from(request.time / 3600 * 3600), Felt::ZERO],
        };
        *self.state.nonces.entry(request.sender).or_default() += Felt::ONE;
        let class = self.class_hash(request.sender);
        let call = |native: &mut Self, tx: &TxInfo, name: &str, gas: u64| {
            let selector = shardwire_model::felt::starknet_keccak(name);
            native.call(tx, CallKind::Call, request.sender, class, selector, Felt::ZERO, &request.calldata, gas)
        };
        let limit = request.bounds.l2_gas.min(gas::VALIDATE_MAX);
        let validate = call(self, &tx, "__validate__", limit);
        assert_eq!(
            (validate.failed, validate.retdata.as_slice()),
            (false, [short("VALID")].as_slice()),
            "{:?}",
            texts(&validate.retdata)
        );
        tx.block = [Felt::from(number), Felt::from(request.time), self.start.sequencer];
        let limit = (request.bounds.l2_gas - validate.gas_consumed).min(gas::EXECUTE_MAX);
        let execute = call(self, &tx, "__execute__", limit);
        Transaction::Invoke(Invoke {
            sender: request.sender,
            nonce: request.nonce.into(),
            calldata: request.calldata,
            signature,
            bounds: request.bounds,
            hash: tx.hash,
            time: request.time,
            validate,
            execute,
        })
    }

    /// Makes a session call, whether it is allowed or not.
    pub(super) fn session(&mut self, call: SessionCall, time: u64) -> Transaction {
        let number = self.start.first_block + self.index;
        self.index += 1;
        self.events.clear();
        let hashes = call.hashes();
        let before = self.called.entry(call.key).or_default();
        let tx = TxInfo {
            sender: call.account.0,
            signature: vec![],
            hash: hashes.link,
            chain_id: self.start.chain_id(),
            nonce: *before,
            bounds: ResourceBounds { l2_gas: shardwire_model::SESSION_GAS, ..ResourceBounds::default() },
            block: [Felt::from(number), Felt::from(time), self.start.sequencer],
        };
        *before += 1;
        let (contract, class, account) = (call.contract.0, self.class_hash(call.contract.0), call.account.0);
        let execute = self.call(
            &tx,
            CallKind::Call,
            contract,
            class,
            call.selector,
            account,
            &call.calldata,
            shardwire_model::SESSION_GAS,
        );
        Transaction::Session(Session { call, hashes, time, execute })
    }

    #[allow(clippy::too_many_arguments)]
    fn call(
        &mut self,
        tx: &TxInfo,
        kind: CallKind,
        contract: Felt,
        class_hash: Felt,
        selector: Felt,
        caller: Felt,
        calldata: &[Felt],
        initial_gas: u64,
    ) -> Call {
        let mut call = Call {
            kind,
            contract,
            class_hash,
            selector,
            caller,
            calldata: calldata.to_vec(),
            initial_gas,
            reads: vec![],
            retdata: vec![],
            failed: true,
            gas_consumed: 0,
            calls: vec![],
        };
        let class = self.classes[&class_hash];
        let Some(entry_point) = class.entry_points.iter().find(|it| it.selector == selector) else {
            call.retdata = vec![short("ENTRYPOINT_NOT_FOUND")];
            return call;
        };
        if initial_gas < gas::ENTRY {
            call.retdata = vec![short("Out of gas")];
            return call;
        }
        let (saved, events) = (self.state.clone(), self.events.len());
        let names = [
            BuiltinName::pedersen,
            BuiltinName::range_check,
            BuiltinName::bitwise,
            BuiltinName::ec_op,
            BuiltinName::poseidon,
        ];
        assert_eq!(names.map(|name| name.to_str()), BUILTINS);
        let builtins: Vec<BuiltinName> =
            names.into_iter().zip(entry_point.builtins).filter(|(_, has)| *has).map(|(name, _)| name).collect();
        let program = self.programs[&class_hash].clone();
        let mut runner = CairoRunner::new(&program, LayoutName::all_cairo, None, false, false, false).unwrap();
        runner.initialize_function_runner_cairo_1(&builtins).unwrap();
        let vm = &mut runner.vm;
        let cells = |felts: &[Felt]| felts.iter().map(|felt| (*felt).into()).collect::<Vec<MaybeRelocatable>>();
        let array = |felts: &[Felt], vm: &mut VirtualMachine| {
            let base = vm.add_memory_segment();
            (base, vm.load_data(base, &cells(felts)).unwrap())
        };
        let costs = array(&gas::BUILTINS.map(Felt::from), vm).0;
        let code = Relocatable::from((0, class.bytecode.len()));
        vm.load_data(code, &[Felt::from(RET).into(), costs.into()]).unwrap();
        let signature = array(&tx.signature, vm);
        let bound = |name: &str, amount: u64| [short(name), Felt::from(amount), Felt::ZERO];
        let bounds = array(
            &[
                bound("L1_GAS", tx.bounds.l1_gas),
                bound("L2_GAS", tx.bounds.l2_gas),
                bound("L1_DATA", tx.bounds.l1_data_gas),
            ]
            .concat(),
            vm,
        );
        let tx_info = vm.add_memory_segment();
        let mut info: Vec<MaybeRelocatable> = cells(&[Felt::THREE, tx.sender, Felt::ZERO]);
        info.extend([signature.0.into(), signature.1.into()]);
        info.extend(cells(&[tx.hash, tx.chain_id, tx.nonce.into()]));
        info.extend([bounds.0.into(), bounds.1.into(), Felt::ZERO.into(), bounds.1.into(), bounds.1.into()]);
        info.extend(cells(&[Felt::ZERO, Felt::ZERO]));
        info.extend([bounds.1; 4].map(MaybeRelocatable::from));
        vm.load_data(tx_info, &info).unwrap();
        let block = array(&tx.block, vm).0;
        let frame = vm.add_memory_segment();
        vm.load_data(frame, &[block.into(), tx_info.into(), caller.into(), contract.into(), selector.into()]).unwrap();
        let (begin, end) = array(calldata, vm);
        let syscalls = vm.add_memory_segment();
        let mut args: Vec<MaybeRelocatable> = vm
            .get_builtin_runners()
            .iter()
            .filter(|runner| builtins.contains(&runner.name()))
            .flat_map(|runner| runner.initial_stack())
            .collect();
        args.extend([Felt::from(initial_gas - gas::ENTRY).into(), syscalls.into(), begin.into(), end.into()]);
        let args: Vec<CairoArg> = args.into_iter().map(CairoArg::from).collect();
        let size = class.bytecode.len() + 2;
        let mut hints = Frame {
            native: self,
            code: Cairo1HintProcessor::new(&[], RunResources::default(), false),
            class,
            tx,
            info: frame,
            call: &mut call,
        };
        runner
            .run_from_entrypoint(entry_point.offset, &args.iter().collect::<Vec<_>>(), false, Some(size), &mut hints)
            .unwrap();
        let out = runner.vm.get_return_values(5).unwrap();
        let pointer = |at: usize| out[at].get_relocatable().unwrap();
        call.gas_consumed = initial_gas - u64::try_from(out[0].get_int().unwrap()).unwrap();
        call.failed = out[2].get_int().unwrap() != Felt::ZERO;
        let length = (pointer(4) - pointer(3)).unwrap();
        call.retdata = runner.vm.get_integer_range(pointer(3), length).unwrap().into_iter().map(|it| *it).collect();
        if call.failed {
            self.state.storage = saved.storage;
            self.events.truncate(events);
        }
        call
    }
}

/// Felts as the short texts that they spell.
pub(super) fn texts(felts: &[Felt]) -> Vec<String> {
    felts.iter().map(|felt| String::from_utf8_lossy(&felt.to_bytes_be()).trim_start_matches('\0').to_owned()).collect()
}

struct Frame<'f, 'a> {
    native: &'f mut Native<'a>,
    code: Cairo1HintProcessor,
    class: &'a Class,
    tx: &'f TxInfo,
    info: Relocatable,
    call: &'f mut Call,
}

impl Frame<'_, '_> {
    fn syscall(&mut self, vm: &mut VirtualMachine, p: Relocatable) -> Result<(), HintError> {
        let raw = |vm: &VirtualMachine, at: usize| -> MaybeRelocatable {
            let at: Relocatable = (p + at).unwrap();
            vm.get_maybe(&at).unwrap()
        };
        let int = |vm: &VirtualMachine, at: usize| *vm.get_integer((p + at).unwrap()).unwrap();
        let (name, given) = (int(vm, 0), int(vm, 1));
        let name = texts(&[name]).remove(0);
        let zero = MaybeRelocatable::from(Felt::ZERO);
        let known = SYSCALLS.into_iter().find(|(known, ..)| *known == name);
        let (_, at, cost) = known.unwrap_or_else(|| panic!("syscall {name}"));
        let array = |felts: &[Felt], vm: &mut VirtualMachine| -> [MaybeRelocatable; 2] {
            let base = vm.add_memory_segment();
            let end = vm.load_data(base, &felts.iter().map(|it| (*it).into()).collect::<Vec<_>>()).unwrap();
            [base.into(), end.into()]
        };
        let contract = self.call.contract;
        let mut response: Vec<MaybeRelocatable> = vec![];
        if given < Felt::from(cost) {
            response.extend([given.into(), Felt::ONE.into()]);
            response.extend(array(&[short("Out of gas")], vm));
        } else {
            let left = given - Felt::from(cost);
            match name.as_str() {
                "StorageRead" => {
                    let value = self.native.state.storage(contract, int(vm, 3));
                    self.call.reads.push(value);
                    response.extend([left.into(), zero, value.into()]);
                }
                "StorageWrite" => {
                    self.native.state.storage.insert((contract, int(vm, 3)), int(vm, 4));
                    response.extend([left.into(), zero]);
                }
                "EmitEvent" => {
                    if raw(vm, 2) != raw(vm, 3) {
                        let keys = vm.get_relocatable((p + 2)?)?;
                        self.native.events.push((contract, *vm.get_integer(keys)?));
                    }
                    response.extend([left.into(), zero]);
                }
                "GetExecutionInfo" => response.extend([left.into(), zero, self.info.into()]),
                "GetClassHashAt" => response.extend([left.into(), zero, self.native.class_hash(int(vm, 2)).into()]),
                _ if name == "CallContract" && int(vm, 3) == shardwire_model::felt::starknet_keccak("__execute__") => {
                    response.extend([left.into(), Felt::ONE.into()]);
                    response.extend(array(&[short("Invalid argument")], vm));
                }
                _ => {
                    let (begin, end) = (raw(vm, 4), raw(vm, 5));
                    let calldata: Vec<Felt> = if begin == end {
                        vec![]
                    } else {
                        let (begin, end) = (begin.get_relocatable().unwrap(), end.get_relocatable().unwrap());
                        vm.get_integer_range(begin, (end - begin)?)?.into_iter().map(|it| *it).collect()
                    };
                    let (to, selector) = (int(vm, 2), int(vm, 3));
                    let gas = u64::try_from(left).unwrap();
                    let inner = if name == "CallContract" {
                        let class = self.native.class_hash(to);
                        self.native.call(self.tx, CallKind::Call, to, class, selector, contract, &calldata, gas)
                    } else {
                        let caller = self.call.caller;
                        self.native.call(self.tx, CallKind::Library, contract, to, selector, caller, &calldata, gas)
                    };
                    let mut retdata = inner.retdata.clone();
                    if inner.failed {
                        retdata.push(short("ENTRYPOINT_FAILED"));
                    }
                    let left = left - Felt::from(inner.gas_consumed);
                    response.extend([left.into(), Felt::from(u64::from(inner.failed)).into()]);
                    response.extend(array(&retdata, vm));
                    self.call.calls.push(inner);
                }
            }
        }
        vm.load_data((p + at)?, &response)?;
        Ok(())
    }
}

impl ResourceTracker for Frame<'_, '_> {}

impl HintProcessorLogic for Frame<'_, '_> {
    fn compile_hint(
        &self,
        code: &str,
        _: &ApTracking,
        _: &HashMap<String, usize>,
        _: &[HintReference],
        _: &[String],
        _: Arc<HashMap<String, Felt252>>,
    ) -> Result<Box<dyn Any>, VirtualMachineError> {
        Ok(Box::new(code.parse::<usize>().unwrap()))
    }

    fn execute_hint(
        &mut self,
        vm: &mut VirtualMachine,
        scopes: &mut ExecutionScopes,
        data: &Box<dyn Any>,
    ) -> Result<(), HintError> {
        let class = self.class;
        for hint in &class.hints[data.downcast_ref::<usize>().unwrap()] {
            match hint {
                Hint::Starknet(StarknetHint::SystemCall { system }) => {
                    let p = operand_address(vm, system)?;
                    self.syscall(vm, p)?;
                }
                hint => self.code.execute(vm, scopes, hint)?,
            }
        }
        Ok(())
    }
}
