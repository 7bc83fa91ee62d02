//! Transactions, their receipts and states.

use super::{ACCEPTED, Shardwire, ZERO, events::Emitted, number};
use crate::{block::View, journal::Entry};
use serde::Serialize;
use shardwire_model::{
    ContractId, Felt, Invoke, ResourceBounds, SESSION_GAS, SessionCall, Signature,
    execution::{Sent, Status},
};

/// `INVOKE_TXN_V3`. A session call is shown as an INVOKE of its account that makes this one call, with what contracts are told of it.
#[derive(Serialize)]
pub(crate) struct Transaction {
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_hash: Option<Felt>,
    r#type: &'static str,
    version: &'static str,
    sender_address: ContractId,
    calldata: Vec<Felt>,
    signature: Vec<Felt>,
    nonce: String,
    resource_bounds: Resources,
    tip: &'static str,
    paymaster_data: [(); 0],
    account_deployment_data: [(); 0],
    nonce_data_availability_mode: &'static str,
    fee_data_availability_mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof_facts: Option<[(); 0]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shardwire: Option<OfSession>,
}

/// What no other chain has in a transaction.
#[derive(Serialize)]
struct OfSession {
    session: Signed,
}

/// What a session call is signed with. The rest of it is its sender and the one call in its calldata.
#[derive(Serialize)]
struct Signed {
    key: Felt,
    previous: Felt,
    signature: Signature,
}

/// The calldata of an account's `__execute__` that makes one call.
fn one_call(call: &SessionCall) -> Vec<Felt> {
    let mut calldata = vec![Felt::ONE, call.contract.0, call.selector, call.calldata.len().into()];
    calldata.extend(&call.calldata);
    calldata
}

#[derive(Serialize)]
struct Resources {
    l1_gas: Bound,
    l2_gas: Bound,
    l1_data_gas: Bound,
}

#[derive(Serialize)]
struct Bound {
    max_amount: String,
    max_price_per_unit: &'static str,
}

impl Transaction {
    pub(crate) fn new(entry: &Entry, hashed: bool, proof_facts: bool) -> Self {
        let bound = |amount| Bound { max_amount: number(amount), max_price_per_unit: ZERO };
        let (calldata, signature, bounds, session) = match &entry.transaction {
            Sent::Invoke(Invoke { calldata, signature, bounds, .. }) => {
                (calldata.clone(), signature.clone(), *bounds, None)
            }
            Sent::Session(call) => {
                let bounds = ResourceBounds { l2_gas: SESSION_GAS, ..ResourceBounds::default() };
                let SessionCall { key, previous, signature, .. } = *call;
                (one_call(call), Vec::new(), bounds, Some(Signed { key, previous, signature }))
            }
        };
        Self {
            transaction_hash: hashed.then_some(entry.receipt.hash),
            r#type: "INVOKE",
            version: "0x3",
            sender_address: entry.transaction.account(),
            calldata,
            signature,
            nonce: number(entry.receipt.nonce),
            resource_bounds: Resources {
                l1_gas: bound(bounds.l1_gas),
                l2_gas: bound(bounds.l2_gas),
                l1_data_gas: bound(bounds.l1_data_gas),
            },
            tip: ZERO,
            paymaster_data: [],
            account_deployment_data: [],
            nonce_data_availability_mode: "L1",
            fee_data_availability_mode: "L1",
            proof_facts: proof_facts.then_some([]),
            shardwire: session.map(|session| OfSession { session }),
        }
    }
}

/// `INVOKE_TXN_RECEIPT`.
#[derive(Serialize)]
pub(crate) struct Receipt {
    r#type: &'static str,
    transaction_hash: Felt,
    actual_fee: Fee,
    finality_status: &'static str,
    messages_sent: [(); 0],
    events: Vec<Emitted>,
    execution_resources: Gas,
    #[serde(flatten)]
    execution: Execution,
    shardwire: Shardwire,
}

/// `TXN_RECEIPT_WITH_BLOCK_INFO`.
#[derive(Serialize)]
pub(crate) struct PlacedReceipt {
    #[serde(flatten)]
    receipt: Receipt,
    block_hash: Felt,
    block_number: u64,
}

/// `TXN_STATUS_RESULT`.
#[derive(Serialize)]
pub(crate) struct TransactionStatus {
    finality_status: &'static str,
    execution_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
    shardwire: Shardwire,
}

#[derive(Serialize)]
struct Fee {
    amount: &'static str,
    unit: &'static str,
}

#[derive(Serialize)]
pub(super) struct Gas {
    pub(super) l1_gas: u64,
    pub(super) l1_data_gas: u64,
    pub(super) l2_gas: u64,
}

#[derive(Serialize)]
struct Execution {
    execution_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    revert_reason: Option<String>,
}

impl From<&Status> for Execution {
    fn from(status: &Status) -> Self {
        match status {
            Status::Succeeded => Self { execution_status: "SUCCEEDED", revert_reason: None },
            Status::Reverted { reason } => Self { execution_status: "REVERTED", revert_reason: Some(reason.clone()) },
        }
    }
}

impl Receipt {
    pub(super) fn new(view: View<'_>, entry: &Entry) -> Self {
        let receipt = &entry.receipt;
        Self {
            r#type: "INVOKE",
            transaction_hash: receipt.hash,
            actual_fee: Fee { amount: ZERO, unit: "FRI" },
            finality_status: ACCEPTED,
            messages_sent: [],
            events: receipt.events.iter().map(Emitted::from).collect(),
            execution_resources: Gas { l1_gas: 0, l1_data_gas: 0, l2_gas: receipt.gas.total() },
            execution: (&receipt.status).into(),
            shardwire: Shardwire::with(view, &entry.signed),
        }
    }
}

pub(crate) fn receipt(view: View<'_>, place: u32, entry: &Entry) -> PlacedReceipt {
    let height = place.saturating_add(1);
    PlacedReceipt {
        receipt: Receipt::new(view, entry),
        block_hash: view.journal.block_hash(height).unwrap_or_default(),
        block_number: view.journal.number(height),
    }
}

pub(crate) fn status(view: View<'_>, entry: &Entry) -> TransactionStatus {
    let Execution { execution_status, revert_reason } = (&entry.receipt.status).into();
    TransactionStatus {
        finality_status: ACCEPTED,
        execution_status,
        failure_reason: revert_reason,
        shardwire: Shardwire::with(view, &entry.signed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use serde_json::{json, to_value};
    use shardwire_model::Stage;

    #[test]
    fn a_session_call_is_shown_as_an_invoke_of_its_account() {
        let entry = sample::session(9, 6);
        let bound = |amount: &str| json!({ "max_amount": amount, "max_price_per_unit": "0x0" });
        let shown = json!({
            "transaction_hash": "0x1e8486", "type": "INVOKE", "version": "0x3", "sender_address": "0x9", "nonce": "0x3",
            "calldata": ["0x1", "0xc0", "0x5e1", "0x2", "0x1", "0x2"], "signature": [],
            "resource_bounds": { "l1_gas": bound("0x0"), "l2_gas": bound("0x5f5e100"), "l1_data_gas": bound("0x0") },
            "tip": "0x0", "paymaster_data": [], "account_deployment_data": [],
            "nonce_data_availability_mode": "L1", "fee_data_availability_mode": "L1",
            "shardwire": { "session": { "key": "0x7e", "previous": "0x11", "signature": { "r": "0x3", "s": "0x4" } } },
        });
        assert_eq!(to_value(Transaction::new(&entry, true, false)).unwrap(), shown);
    }

    #[test]
    fn the_operators_signed_receipt_comes_with_receipt_and_state() {
        let journal = sample::journal(1);
        let (view, entry) = (View::new(&journal, Stage::Executing), journal.entry(0).unwrap());
        let answers = [to_value(receipt(view, 0, &entry)).unwrap(), to_value(status(view, &entry)).unwrap()];
        for answer in &answers {
            assert_eq!(answer["shardwire"], json!({ "shard": "0x7", "stage": "executing", "receipt": "0xab" }));
        }
        assert_eq!(answers[0]["execution_resources"], json!({ "l1_gas": 0, "l1_data_gas": 0, "l2_gas": 77 }));
    }
}
