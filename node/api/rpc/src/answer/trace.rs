//! Estimates and simulations.

use super::{
    ZERO,
    events::Emitted,
    number,
    state::{StateDiff, state_diff},
    transaction::Gas,
};
use crate::Version;
use serde::Serialize;
use shardwire_model::{
    ContractId, Felt,
    execution::{self, CallKind, Simulated, Status},
};

/// `FEE_ESTIMATE`.
#[derive(Serialize)]
pub(crate) struct Estimate {
    l1_gas_consumed: &'static str,
    l1_gas_price: &'static str,
    l2_gas_consumed: String,
    l2_gas_price: &'static str,
    l1_data_gas_consumed: &'static str,
    l1_data_gas_price: &'static str,
    overall_fee: &'static str,
    unit: &'static str,
}

pub(crate) fn estimate(gas: u64) -> Estimate {
    Estimate {
        l1_gas_consumed: ZERO,
        l1_gas_price: ZERO,
        l2_gas_consumed: number(gas),
        l2_gas_price: ZERO,
        l1_data_gas_consumed: ZERO,
        l1_data_gas_price: ZERO,
        overall_fee: ZERO,
        unit: "FRI",
    }
}

/// An element of what `simulateTransactions` answers.
#[derive(Serialize)]
pub(crate) struct Simulation {
    transaction_trace: Trace,
    fee_estimation: Estimate,
}

/// `INVOKE_TXN_TRACE`.
#[derive(Serialize)]
pub(crate) struct Trace {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    validate_invocation: Option<Invocation>,
    execute_invocation: Executed,
    state_diff: StateDiff,
    execution_resources: Gas,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Executed {
    Stands(Box<Invocation>),
    Reverted { revert_reason: String },
}

/// `FUNCTION_INVOCATION`.
#[derive(Serialize)]
struct Invocation {
    contract_address: ContractId,
    entry_point_selector: Felt,
    calldata: Vec<Felt>,
    caller_address: ContractId,
    class_hash: Felt,
    entry_point_type: &'static str,
    call_type: &'static str,
    result: Vec<Felt>,
    calls: Vec<Self>,
    events: Vec<OrderedEvent>,
    messages: [(); 0],
    execution_resources: CallGas,
    is_reverted: bool,
}

#[derive(Serialize)]
struct OrderedEvent {
    order: usize,
    #[serde(flatten)]
    event: Emitted,
}

#[derive(Serialize)]
struct CallGas {
    l1_gas: u64,
    l2_gas: u64,
}

impl From<execution::Invocation> for Invocation {
    fn from(made: execution::Invocation) -> Self {
        let events = made.events.iter().map(|(order, event)| OrderedEvent { order: *order, event: event.into() });
        Self {
            contract_address: made.contract,
            entry_point_selector: made.selector,
            events: events.collect(),
            calldata: made.calldata,
            caller_address: made.caller,
            class_hash: made.class,
            entry_point_type: "EXTERNAL",
            call_type: match made.kind {
                CallKind::Call => "CALL",
                CallKind::Library => "DELEGATE",
            },
            result: made.returned,
            calls: made.calls.into_iter().map(Self::from).collect(),
            messages: [],
            execution_resources: CallGas { l1_gas: 0, l2_gas: made.gas },
            is_reverted: made.failed,
        }
    }
}

pub(crate) fn simulation(version: Version, simulated: Simulated) -> Simulation {
    Simulation { fee_estimation: estimate(simulated.gas.total()), transaction_trace: trace(version, simulated, true) }
}

/// Of a transaction that used a nonce of its account, or of one that didn't.
pub(crate) fn trace(version: Version, simulated: Simulated, uses_nonce: bool) -> Trace {
    let gas = simulated.gas.total();
    Trace {
        r#type: "INVOKE",
        validate_invocation: simulated.validate.map(Invocation::from),
        execute_invocation: match simulated.status {
            Status::Succeeded => Executed::Stands(Box::new(simulated.execute.into())),
            Status::Reverted { reason } => Executed::Reverted { revert_reason: reason },
        },
        state_diff: state_diff(version, Some(&simulated.diff), uses_nonce, None),
        execution_resources: Gas { l1_gas: 0, l1_data_gas: 0, l2_gas: gas },
    }
}
