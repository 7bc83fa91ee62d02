//! Blockifier's own flow for a transaction, on the same state: it must come to the same.

use super::shard::{ACCOUNTS, BEGINS, CONTRACTS, Shard, felts, probe_hash, run};
use blockifier::{
    blockifier_versioned_constants::VersionedConstants,
    bouncer::BouncerConfig,
    context::{BlockContext, ChainInfo},
    execution::{
        call_info::CallInfo,
        contract_class::{CompiledClassV1, RunnableCompiledClass},
    },
    state::{
        cached_state::CachedState,
        state_api::{StateReader, StateResult},
    },
    transaction::{
        account_transaction::{AccountTransaction, ExecutionFlags},
        objects::TransactionExecutionInfo,
        transactions::ExecutableTransaction,
    },
};
use shardwire_model::{
    ContractId, Felt, Invoke, Key, Slot,
    execution::{Receipt, Status},
};
use shardwire_native::Native;
use starknet_api::{
    block::{
        BlockInfo, BlockNumber, BlockTimestamp, GasPrice, GasPriceVector, GasPrices, NonzeroGasPrice, StarknetVersion,
    },
    contract_class::SierraVersion,
    core::{ChainId, ClassHash, CompiledClassHash, ContractAddress, Nonce},
    data_availability::DataAvailabilityMode,
    executable_transaction::{AccountTransaction as Executable, InvokeTransaction},
    execution_resources::GasAmount,
    state::StorageKey,
    transaction::{
        InvokeTransactionV3,
        fields::{AllResourceBounds, Calldata, ResourceBounds, Tip, TransactionSignature, ValidResourceBounds},
    },
    versioned_constants_logic::VersionedConstantsTrait,
};
use std::sync::Arc;

/// The state of a shard, as blockifier reads it.
struct Now<'a>(&'a Native);

impl StateReader for Now<'_> {
    fn get_storage_at(&self, contract: ContractAddress, key: StorageKey) -> StateResult<Felt> {
        Ok(self.0.storage_at(ContractId(contract.into()), Key(*key.0.key())).unwrap())
    }

    fn get_nonce_at(&self, contract: ContractAddress) -> StateResult<Nonce> {
        Ok(Nonce(self.0.nonce_at(ContractId(contract.into())).unwrap().into()))
    }

    fn get_class_hash_at(&self, contract: ContractAddress) -> StateResult<ClassHash> {
        Ok(ClassHash(self.0.class_hash_at(ContractId(contract.into())).unwrap().unwrap_or_default()))
    }

    fn get_compiled_class(&self, hash: ClassHash) -> StateResult<RunnableCompiledClass> {
        let class = self.0.class(hash.0).unwrap().unwrap();
        let casm = (class.casm().clone(), SierraVersion::new(1, 3, 0));
        Ok(RunnableCompiledClass::V1(CompiledClassV1::try_from(casm).unwrap()))
    }

    fn get_compiled_class_hash(&self, hash: ClassHash) -> StateResult<CompiledClassHash> {
        Ok(CompiledClassHash(self.0.class(hash.0).unwrap().unwrap().compiled_hash()))
    }
}

/// What blockifier makes of a transaction, with the changes.
fn whole(native: &Native, invoke: &Invoke, time: u64) -> (TransactionExecutionInfo, Vec<(Slot, Felt)>) {
    let price = NonzeroGasPrice::MIN;
    let prices = GasPriceVector { l1_gas_price: price, l1_data_gas_price: price, l2_gas_price: price };
    let start = native.start();
    let info = BlockInfo {
        block_number: BlockNumber(start.first_block + u64::from(native.accepted())),
        block_timestamp: BlockTimestamp(time),
        starknet_version: StarknetVersion::LATEST,
        sequencer_address: start.sequencer.try_into().unwrap(),
        gas_prices: GasPrices { eth_gas_prices: prices.clone(), strk_gas_prices: prices },
        use_kzg_da: true,
    };
    let chain_id = ChainId::Other(native.chain().into());
    let mut constants = VersionedConstants::latest_constants().clone();
    constants.min_sierra_version_for_sierra_gas = SierraVersion::new(0, 0, 1);
    let chain = ChainInfo { chain_id: chain_id.clone(), ..ChainInfo::default() };
    let block = BlockContext::new(info, chain, constants, BouncerConfig::max());
    let bound = |amount| ResourceBounds { max_amount: GasAmount(amount), max_price_per_unit: GasPrice(0) };
    let transaction = InvokeTransactionV3 {
        resource_bounds: ValidResourceBounds::AllResources(AllResourceBounds {
            l1_gas: bound(invoke.bounds.l1_gas),
            l2_gas: bound(invoke.bounds.l2_gas),
            l1_data_gas: bound(invoke.bounds.l1_data_gas),
        }),
        tip: Tip(0),
        signature: TransactionSignature(Arc::new(invoke.signature.clone())),
        nonce: Nonce(invoke.nonce.into()),
        sender_address: invoke.sender.0.try_into().unwrap(),
        calldata: Calldata(Arc::new(invoke.calldata.clone())),
        nonce_data_availability_mode: DataAvailabilityMode::L1,
        fee_data_availability_mode: DataAvailabilityMode::L1,
        paymaster_data: Default::default(),
        account_deployment_data: Default::default(),
        proof_facts: Default::default(),
    };
    let transaction = starknet_api::transaction::InvokeTransaction::V3(transaction);
    let transaction = AccountTransaction {
        tx: Executable::Invoke(InvokeTransaction::create(transaction, &chain_id).unwrap()),
        execution_flags: ExecutionFlags {
            only_query: false,
            charge_fee: false,
            validate: true,
            strict_nonce_check: true,
        },
    };
    let mut state = CachedState::new(Now(native));
    let info = transaction.execute(&mut state, &block).unwrap();
    let slot = |at: ContractAddress, key: StorageKey| Slot::new(ContractId(at.into()), Key(*key.0.key()));
    let changes = state.to_state_diff().unwrap().state_maps.storage;
    let mut changes: Vec<_> = changes.iter().map(|((at, key), value)| (slot(*at, *key), *value)).collect();
    changes.sort_unstable();
    (info, changes)
}

/// Submits a transaction, and holds its receipt against blockifier's own flow.
pub(crate) fn submit(shard: &mut Shard, invoke: &Invoke) -> Arc<Receipt> {
    let (info, changes) = whole(&shard.native, invoke, shard.time + 1);
    let receipt = shard.submit(invoke).unwrap();
    assert_eq!(receipt.diff.storage, changes);
    let gas = |call: &Option<CallInfo>| call.as_ref().map(|call| call.execution.gas_consumed);
    assert_eq!(Some(receipt.gas.validate), gas(&info.validate_call_info));
    match &receipt.status {
        Status::Succeeded => {
            assert!(info.revert_error.is_none());
            let execute = info.execute_call_info.as_ref().unwrap();
            assert_eq!(receipt.returned, execute.execution.retdata.0);
            assert_eq!(Some(receipt.gas.execute), gas(&info.execute_call_info));
            let calls = info.validate_call_info.iter().chain(&info.execute_call_info);
            let events = calls.flat_map(CallInfo::get_sorted_events);
            let events: Vec<_> = events.map(|event| (Felt::from(event.from_address), event.content.data.0)).collect();
            let ours: Vec<_> = receipt.events.iter().map(|event| (event.from.0, event.data.clone())).collect();
            assert_eq!(ours, events);
        }
        Status::Reverted { reason } => {
            let theirs = info.revert_error.unwrap().to_string();
            assert!(theirs.ends_with(reason), "{reason} is not what ends {theirs}");
        }
    }
    receipt
}

#[test]
fn blockifiers_own_flow_comes_to_the_same() {
    let mut shard = Shard::open();
    let (a, b, c) = (CONTRACTS[0], CONTRACTS[1], CONTRACTS[2]);
    let scripts = [
        vec![0, 7, 2, 9, 5, 3, 1, 1, 2, 3, 4, 7],
        vec![4, b, 1, 9, 1, 9, 1, 3, 1, 1, 0, 6, 30, 2, 8, 0],
        vec![4, b, 1, 12, 1, 9, 2, 4, c, 0, 5, 1, 9, 3, 6, 1],
        vec![1, 9, 9, 6, 30],
        vec![1, 7, 5, 1, 7, 100, 9, 3, 4, 7],
    ];
    for script in &scripts {
        let invoke = shard.script(a, &felts(script));
        submit(&mut shard, &invoke);
    }
    let library = [felts(&[5]), vec![probe_hash()], felts(&[0, 4, 2, 9, 1, 7])].concat();
    let invoke = shard.script(b, &library);
    submit(&mut shard, &invoke);
    let invoke = shard.invoke(ACCOUNTS[2], &[run(a, &felts(&[2, 3, 4])), run(b, &felts(&[2, 3, 4]))]);
    submit(&mut shard, &invoke);
    assert!(shard.time > BEGINS && shard.native.accepted() == 7);
}
