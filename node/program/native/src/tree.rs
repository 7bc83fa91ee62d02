//! The record of an execution, in the words of the program that replays it.

use crate::Outcome;
use blockifier::execution::{call_info::CallInfo, entry_point::CallType};
use shardwire_contracts::tree::{self, Call, Session, Transaction};
use shardwire_model::{
    ContractId, Felt, Invoke, SessionCall, SessionHashes,
    execution::{CallKind, Event, Invocation, Simulated},
};

impl Outcome {
    /// What the program replays: the transaction, and all calls of it with what each found. None if the account didn't validate the transaction,
    /// which is so of simulations only.
    #[must_use]
    pub fn tree(&self, invoke: &Invoke, hash: Felt, time: u64) -> Option<Transaction> {
        Some(Transaction::Invoke(tree::Invoke {
            sender: invoke.sender.0,
            nonce: Felt::from(invoke.nonce),
            calldata: invoke.calldata.clone(),
            signature: invoke.signature.clone(),
            bounds: invoke.bounds,
            hash,
            time,
            validate: call(self.validate.as_ref()?),
            execute: call(&self.execute),
        }))
    }

    /// What the program replays of a session call.
    #[must_use]
    pub fn session_tree(&self, made: &SessionCall, hashes: SessionHashes, time: u64) -> Transaction {
        Transaction::Session(Session { call: made.clone(), hashes, time, execute: call(&self.execute) })
    }

    /// The calls of `__validate__`, unless it was left out.
    #[must_use]
    pub fn validation(&self) -> Option<Invocation> {
        self.validate.as_ref().map(invocation)
    }

    /// The calls of `__execute__`, or the session call.
    #[must_use]
    pub fn execution(&self) -> Invocation {
        invocation(&self.execute)
    }

    /// All of it, for people and their tools.
    #[must_use]
    pub fn simulated(&self) -> Simulated {
        Simulated {
            validate: self.validation(),
            execute: self.execution(),
            status: self.status.clone(),
            gas: self.gas,
            diff: self.diff.clone(),
        }
    }

    /// Felts of all its calls: what they were given, returned and emitted, and some for each of them. What keeping them costs.
    #[must_use]
    pub fn felts(&self) -> usize {
        self.validate.iter().chain([&self.execute]).map(felts).sum()
    }
}

/// What a call costs beside its lists: addresses, selectors, counts.
const CALL_FELTS: usize = 32;

fn felts(info: &CallInfo) -> usize {
    let CallInfo { call, execution, inner_calls, .. } = info;
    let events = execution.events.iter().map(|it| it.event.keys.len() + it.event.data.0.len() + CALL_FELTS);
    let own = CALL_FELTS + call.calldata.0.len() + execution.retdata.0.len() + events.sum::<usize>();
    own + inner_calls.iter().map(felts).sum::<usize>()
}

const fn kind(call: CallType) -> CallKind {
    match call {
        CallType::Call => CallKind::Call,
        CallType::Delegate => CallKind::Library,
    }
}

/// As [`call`], with what isn't proven from the record.
fn invocation(info: &CallInfo) -> Invocation {
    let CallInfo { call: entry, execution, inner_calls, .. } = info;
    let contract = ContractId(entry.storage_address.into());
    let events = execution.events.iter().map(|ordered| {
        let keys = ordered.event.keys.iter().map(|key| key.0).collect();
        (ordered.order, Event { from: contract, keys, data: ordered.event.data.0.clone() })
    });
    Invocation {
        kind: kind(entry.call_type),
        contract,
        class: entry.class_hash.map_or(Felt::ZERO, |hash| hash.0), // Set by execution.
        selector: entry.entry_point_selector.0,
        caller: ContractId(entry.caller_address.into()),
        calldata: entry.calldata.0.to_vec(),
        returned: execution.retdata.0.clone(),
        failed: execution.failed,
        gas: execution.gas_consumed,
        events: if execution.failed { Vec::new() } else { events.collect() },
        calls: inner_calls.iter().map(invocation).collect(),
    }
}

/// At most [`MAX_CALL_DEPTH`](crate::bounds::MAX_CALL_DEPTH) deep: nothing deeper was executed.
fn call(info: &CallInfo) -> Call {
    let CallInfo { call: entry, execution, storage_access_tracker, inner_calls, .. } = info;
    Call {
        kind: kind(entry.call_type),
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
