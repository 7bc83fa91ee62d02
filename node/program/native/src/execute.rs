//! One execution: `__validate__`, then `__execute__`, each an entry point that blockifier calls.
//!
//! Blockifier's own flow for a transaction forgets the calls of an `__execute__` that panicked, takes fees and counts what the chain charges for
//! data. A shard proves panics, takes no fee and has no data on a chain. So the two entry points are called here, in the same order, with the same
//! limits, and the rest is left out.

use crate::{
    Outcome, Refusal, bounds,
    class::cut,
    constants::constants,
    state::{State, View},
    transaction::{resource_bounds, to_starknet},
};
use blockifier::{
    bouncer::BouncerConfig,
    context::{BlockContext, ChainInfo, TransactionContext},
    execution::{
        call_info::{CallExecution, CallInfo},
        deprecated_syscalls::DeprecatedSyscallSelector as Syscall,
        entry_point::{CallEntryPoint, CallType, EntryPointExecutionContext, SierraGasRevertTracker},
        stack_trace::{Cairo1RevertHeader, extract_trailing_cairo1_revert_trace},
    },
    state::{
        cached_state::{CachedState, StateMaps, TransactionalState},
        state_api::{State as _, StateReader},
    },
    transaction::objects::{CommonAccountFields, CurrentTransactionInfo, TransactionInfo},
};
use shardwire_contracts::tree::short;
use shardwire_model::{
    ContractId, Felt, Invoke, Key, Mutation, ResourceBounds, SessionCall, Slot,
    execution::{Diff, Event, Gas, Status},
    starknet_keccak,
};
use starknet_api::{
    block::{BlockInfo, BlockNumber, BlockTimestamp, GasPriceVector, GasPrices, NonzeroGasPrice, StarknetVersion},
    contract_class::EntryPointType,
    core::{ChainId, ContractAddress, EntryPointSelector, Nonce},
    data_availability::DataAvailabilityMode,
    execution_resources::GasAmount,
    state::StorageKey,
    transaction::{
        TransactionHash, TransactionVersion,
        fields::{Calldata, Tip, TransactionSignature, ValidResourceBounds},
    },
};
use std::{
    sync::{Arc, LazyLock},
    thread,
};

static VALIDATE: LazyLock<Felt> = LazyLock::new(|| starknet_keccak("__validate__"));
static EXECUTE: LazyLock<Felt> = LazyLock::new(|| starknet_keccak("__execute__"));

/// Where and when a transaction happens.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) chain: String,
    pub(crate) number: u64,
    pub(crate) time: u64,
    pub(crate) sequencer: Felt,
}

/// How a transaction is executed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mode {
    /// Whether its account validates it.
    pub(crate) validate: bool,
    /// Whether it is only asked what it would do; contracts are told.
    pub(crate) only_query: bool,
    /// The gas that it may use.
    pub(crate) gas: u64,
}

/// A call of an entry point of a contract.
#[derive(Clone, Debug)]
struct Entry {
    contract: ContractAddress,
    selector: Felt,
    caller: ContractAddress,
    calldata: Calldata,
    gas: u64,
}

/// A session call that may happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session<'a> {
    pub(crate) call: &'a SessionCall,
    /// Its link.
    pub(crate) link: Felt,
    /// How many calls its key made before.
    pub(crate) before: u64,
    /// The account's next nonce.
    pub(crate) nonce: u64,
}

impl Block {
    fn context(&self) -> Result<BlockContext, Refusal> {
        let price = NonzeroGasPrice::MIN; // No contract is told it, and nobody pays it.
        let prices = GasPriceVector { l1_gas_price: price, l1_data_gas_price: price, l2_gas_price: price };
        let info = BlockInfo {
            block_number: BlockNumber(self.number),
            block_timestamp: BlockTimestamp(self.time),
            starknet_version: StarknetVersion::LATEST,
            sequencer_address: address(ContractId(self.sequencer))?,
            gas_prices: GasPrices { eth_gas_prices: prices.clone(), strk_gas_prices: prices },
            use_kzg_da: true,
        };
        let chain = ChainInfo { chain_id: ChainId::Other(self.chain.clone()), ..ChainInfo::default() };
        Ok(BlockContext::new(info, chain, constants().clone(), BouncerConfig::max()))
    }
}

fn address(contract: ContractId) -> Result<ContractAddress, Refusal> {
    ContractAddress::try_from(contract.0).map_err(|_| Refusal::UnknownContract(contract))
}

/// Executes a transaction with this hash on a state, which doesn't change.
pub(crate) fn transaction(
    state: &State,
    block: &Block,
    invoke: &Invoke,
    hash: Felt,
    mode: Mode,
) -> Result<Outcome, Refusal> {
    in_thread(|| {
        let given = to_starknet(invoke)?;
        let account = CommonAccountFields {
            transaction_hash: TransactionHash(hash),
            version: TransactionVersion::THREE,
            signature: given.signature,
            nonce: given.nonce,
            sender_address: given.sender_address,
            only_query: mode.only_query,
        };
        let mut run = Run::new(state, block, told(account, given.resource_bounds))?;
        let sender = given.sender_address;
        run.state.increment_nonce(sender).map_err(|error| run.refusal(&error.to_string()))?;
        let nobody = ContractAddress::default();
        let entry =
            |selector, gas| Entry { contract: sender, selector, caller: nobody, calldata: given.calldata.clone(), gas };
        let validate = if mode.validate {
            let gas = mode.gas.min(bounds::MAX_VALIDATE_GAS);
            Some(run.validate(invoke.sender, entry(*VALIDATE, gas))?)
        } else {
            None
        };
        let validate_gas = validate.as_ref().map_or(0, |it| it.execution.gas_consumed);
        let gas = mode.gas.saturating_sub(validate_gas).min(bounds::MAX_EXECUTE_GAS);
        let execute = run.execute(entry(*EXECUTE, gas))?;
        run.outcome(invoke.sender, invoke.nonce + 1, validate, execute)
    })
}

/// Executes a session call on a state, which doesn't change: one call, whose caller is the account. What contracts are told is in the program's
/// `sessions.cairo`.
pub(crate) fn session(state: &State, block: &Block, session: Session<'_>) -> Result<Outcome, Refusal> {
    in_thread(|| {
        let Session { call, link, before, nonce } = session;
        let account = CommonAccountFields {
            transaction_hash: TransactionHash(link),
            version: TransactionVersion::THREE,
            signature: TransactionSignature::default(),
            nonce: Nonce(Felt::from(before)),
            sender_address: address(call.account)?,
            only_query: false,
        };
        let limits = ResourceBounds { l2_gas: bounds::MAX_SESSION_GAS, ..ResourceBounds::default() };
        let mut run = Run::new(state, block, told(account, resource_bounds(limits)))?;
        let execute = run.execute(Entry {
            contract: address(call.contract)?,
            selector: call.selector,
            caller: address(call.account)?,
            calldata: Calldata(Arc::new(call.calldata.clone())),
            gas: bounds::MAX_SESSION_GAS,
        })?;
        run.outcome(call.account, nonce, None, execute)
    })
}

/// What contracts are told of a transaction that leaves empty what wallets leave empty in a shard.
fn told(account: CommonAccountFields, resource_bounds: ValidResourceBounds) -> TransactionInfo {
    TransactionInfo::Current(CurrentTransactionInfo {
        common_fields: account,
        resource_bounds,
        tip: Tip(0),
        nonce_data_availability_mode: DataAvailabilityMode::L1,
        fee_data_availability_mode: DataAvailabilityMode::L1,
        paymaster_data: Default::default(),
        account_deployment_data: Default::default(),
        proof_facts: Default::default(),
    })
}

/// Calls an entry point on a state, which doesn't change, outside of any transaction.
pub(crate) fn call(
    state: &State,
    block: &Block,
    contract: ContractId,
    selector: Felt,
    calldata: &[Felt],
) -> Result<Vec<Felt>, Refusal> {
    in_thread(|| {
        let mut run = Run::new(state, block, TransactionInfo::default())?;
        let call = run.execute(Entry {
            contract: address(contract)?,
            selector,
            caller: ContractAddress::default(),
            calldata: Calldata(Arc::new(calldata.to_vec())),
            gas: bounds::MAX_CALL_GAS,
        })?;
        match &call.execution {
            CallExecution { failed: false, retdata, .. } => Ok(retdata.0.clone()),
            // What blockifier answers for a class; one that says so by itself means the same.
            CallExecution { retdata, .. } if retdata.0 == [short("ENTRYPOINT_NOT_FOUND")] => {
                Err(Refusal::NoEntryPoint { contract, selector })
            }
            _ => Err(Refusal::CallFailed(reason(&call, Cairo1RevertHeader::Execution))),
        }
    })
}

/// Runs something that needs the stack of nested virtual machines.
fn in_thread<T: Send>(run: impl FnOnce() -> Result<T, Refusal> + Send) -> Result<T, Refusal> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("execute".into()).stack_size(bounds::EXECUTION_STACK_BYTES);
        let thread = thread.spawn_scoped(scope, run).map_err(|error| Refusal::Machine(error.to_string()))?;
        thread.join().unwrap_or_else(|_| Err(Refusal::Broken("the virtual machine gave up on it".into())))
    })
}

/// An execution under way.
struct Run<'a> {
    state: CachedState<View<'a>>,
    context: Arc<TransactionContext>,
}

impl<'a> Run<'a> {
    fn new(state: &'a State, block: &Block, tx_info: TransactionInfo) -> Result<Self, Refusal> {
        let context = TransactionContext { block_context: Arc::new(block.context()?), tx_info };
        Ok(Self { state: CachedState::new(View::new(state)), context: Arc::new(context) })
    }

    fn validate(&mut self, account: ContractId, entry: Entry) -> Result<CallInfo, Refusal> {
        let tracker = SierraGasRevertTracker::new(GasAmount(entry.gas));
        let mut context = EntryPointExecutionContext::new_validate(self.context.clone(), false, tracker);
        let mut gas = entry.gas;
        let call = entry.call().execute(&mut self.state, &mut context, &mut gas);
        let call = call.map_err(|error| self.refusal(&error.to_string()))?;
        self.provable(&call)?;
        if call.execution.failed {
            return Err(Refusal::Invalid { account, reason: reason(&call, Cairo1RevertHeader::Validation) });
        }
        if call.execution.retdata.0 != [short("VALID")] {
            return Err(Refusal::Invalid { account, reason: "__validate__ doesn't return VALID".into() });
        }
        Ok(call)
    }

    /// Calls an entry point. What it wrote stands if it didn't fail.
    fn execute(&mut self, entry: Entry) -> Result<CallInfo, Refusal> {
        let tracker = SierraGasRevertTracker::new(GasAmount(entry.gas));
        let mut context = EntryPointExecutionContext::new_invoke(self.context.clone(), false, tracker);
        let mut gas = entry.gas;
        let mut state = TransactionalState::create_transactional(&mut self.state);
        let call = entry.call().execute(&mut state, &mut context, &mut gas);
        match &call {
            Ok(call) if !call.execution.failed => state.commit(),
            _ => {
                let forgotten = forgotten(&mut state);
                state.abort();
                for ((contract, key), value) in forgotten {
                    let kept = self.state.set_storage_at(contract, key, value);
                    kept.map_err(|error| self.refusal(&error.to_string()))?;
                }
            }
        }
        let call = call.map_err(|error| self.refusal(&error.to_string()))?;
        self.provable(&call)?;
        Ok(call)
    }

    /// Refuses a run with a system call that no proof covers, or that asked for what the shard doesn't have.
    fn provable(&self, call: &CallInfo) -> Result<(), Refusal> {
        for call in call.iter() {
            if let Some(name) = call.syscalls_usage.keys().filter_map(unproven).min() {
                return Err(Refusal::Syscall { contract: ContractId(call.call.storage_address.into()), name });
            }
        }
        self.state.state.trouble().map_or(Ok(()), Err)
    }

    /// Why blockifier stopped, with this text.
    fn refusal(&self, text: &str) -> Refusal {
        if let Some(trouble) = self.state.state.trouble() {
            return trouble;
        }
        // The pinned blockifier passes these on as text only; tests read each of them.
        let line = |part: &str| text.lines().find(|line| line.contains(part)).map(|line| cut(line.trim()));
        if line("recursion depth exceeded").is_some() {
            return Refusal::TooDeep;
        }
        let events = [
            "Exceeded the maximum keys length",
            "Exceeded the maximum data length",
            "Exceeded the maximum number of events",
        ];
        match events.into_iter().find_map(line) {
            Some(events) => Refusal::Events(events),
            None => Refusal::Broken(cut(text)),
        }
    }

    /// What came of a transaction of this account, whose next nonce is then this one.
    fn outcome(
        mut self,
        account: ContractId,
        nonce: u64,
        validate: Option<CallInfo>,
        execute: CallInfo,
    ) -> Result<Outcome, Refusal> {
        let changes = self.state.to_state_diff().map_err(|error| self.refusal(&error.to_string()))?.state_maps;
        let status = if execute.execution.failed {
            Status::Reverted { reason: reason(&execute, Cairo1RevertHeader::Execution) }
        } else {
            Status::Succeeded
        };
        let standing = validate.iter().chain((status == Status::Succeeded).then_some(&execute));
        let events = standing.flat_map(CallInfo::get_sorted_events).map(|event| Event {
            from: ContractId(event.from_address.into()),
            keys: event.content.keys.into_iter().map(|key| key.0).collect(),
            data: event.content.data.0,
        });
        let gas = Gas {
            validate: validate.as_ref().map_or(0, |it| it.execution.gas_consumed),
            execute: execute.execution.gas_consumed,
        };
        Ok(Outcome {
            events: events.collect(),
            returned: execute.execution.retdata.0.clone(),
            gas,
            diff: Diff { storage: slots(&changes), account, nonce },
            status,
            validate,
            execute,
        })
    }
}

impl Entry {
    fn call(self) -> CallEntryPoint {
        CallEntryPoint {
            class_hash: None,
            code_address: None,
            entry_point_type: EntryPointType::External,
            entry_point_selector: EntryPointSelector(self.selector),
            calldata: self.calldata,
            storage_address: self.contract,
            caller_address: self.caller,
            call_type: CallType::Call,
            initial_gas: self.gas,
        }
    }
}

/// What isn't undone of a call that failed: nothing, unless that bug is planted. Then it is what the call did to one contract, the one with the highest address.
fn forgotten<S: StateReader>(state: &mut CachedState<S>) -> Vec<((ContractAddress, StorageKey), Felt)> {
    if !Mutation::UndoForgets.is_planted() {
        return Vec::new();
    }
    let storage = state.to_state_diff().map(|changes| changes.state_maps.storage).unwrap_or_default();
    let last = storage.keys().map(|(contract, _)| *contract).max();
    storage.into_iter().filter(|((contract, _), _)| Some(*contract) == last).collect()
}

fn reason(call: &CallInfo, header: Cairo1RevertHeader) -> String {
    cut(&extract_trailing_cairo1_revert_trace(call, header).to_string())
}

fn slots(changes: &StateMaps) -> Vec<(Slot, Felt)> {
    let slots = changes.storage.iter();
    let mut storage: Vec<_> =
        slots.map(|((at, key), value)| (Slot::new(ContractId((*at).into()), Key(*key.0.key())), *value)).collect();
    storage.sort_unstable();
    storage
}

/// The name of a system call that no proof covers.
const fn unproven(syscall: &Syscall) -> Option<&'static str> {
    use Syscall as S;
    Some(match syscall {
        S::CallContract
        | S::LibraryCall
        | S::StorageRead
        | S::StorageWrite
        | S::EmitEvent
        | S::GetExecutionInfo
        | S::GetClassHashAt => return None,
        S::Deploy => "deploy",
        S::ReplaceClass => "replace_class",
        S::GetBlockHash => "get_block_hash",
        S::SendMessageToL1 => "send_message_to_l1",
        S::MetaTxV0 => "meta_tx_v0",
        S::Keccak | S::KeccakRound => "keccak",
        S::Sha256ProcessBlock => "sha256_process_block",
        S::Sha512ProcessBlock => "sha512_process_block",
        S::Secp256k1Add | S::Secp256k1GetPointFromX | S::Secp256k1GetXy | S::Secp256k1Mul | S::Secp256k1New => {
            "secp256k1"
        }
        S::Secp256r1Add | S::Secp256r1GetPointFromX | S::Secp256r1GetXy | S::Secp256r1Mul | S::Secp256r1New => {
            "secp256r1"
        }
        S::DelegateCall
        | S::DelegateL1Handler
        | S::LibraryCallL1Handler
        | S::GetBlockNumber
        | S::GetBlockTimestamp
        | S::GetCallerAddress
        | S::GetContractAddress
        | S::GetSequencerAddress
        | S::GetTxInfo
        | S::GetTxSignature => "a call of Cairo 0",
    })
}
