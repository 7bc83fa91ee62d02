//! The record of an execution, in the words of the program that replays it.

use crate::{Invoke, Outcome};
use blockifier::execution::{call_info::CallInfo, entry_point::CallType};
use shardwire_contracts::tree::{Call, CallKind, Transaction};
use shardwire_model::Felt;

impl Outcome {
    /// What the program replays: the transaction, and all calls of it with what each found. None if the account didn't validate the transaction,
    /// which is so of simulations only.
    #[must_use]
    pub fn tree(&self, invoke: &Invoke, hash: Felt, time: u64) -> Option<Transaction> {
        Some(Transaction {
            sender: invoke.sender.0,
            nonce: Felt::from(invoke.nonce),
            calldata: invoke.calldata.clone(),
            signature: invoke.signature.clone(),
            bounds: invoke.bounds,
            hash,
            time,
            validate: call(self.validate.as_ref()?),
            execute: call(&self.execute),
        })
    }
}

/// At most [`MAX_CALL_DEPTH`](crate::bounds::MAX_CALL_DEPTH) deep: nothing deeper was executed.
fn call(info: &CallInfo) -> Call {
    let CallInfo { call: entry, execution, storage_access_tracker, inner_calls, .. } = info;
    Call {
        kind: match entry.call_type {
            CallType::Call => CallKind::Call,
            CallType::Delegate => CallKind::Library,
        },
        contract: entry.storage_address.into(),
        class_hash: entry.class_hash.map_or(Felt::ZERO, |hash| hash.0), // Set by execution.
        selector: entry.entry_point_selector.0,
        caller: entry.caller_address.into(),
        calldata: entry.calldata.0.to_vec(),
        initial_gas: entry.initial_gas,
        reads: storage_access_tracker.storage_read_values.clone(),
        retdata: execution.retdata.0.clone(),
        failed: execution.failed,
        gas_consumed: execution.gas_consumed,
        calls: inner_calls.iter().map(call).collect(),
    }
}
