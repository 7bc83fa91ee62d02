//! The arguments of Starknet's methods, by name or in order, each list with its bound.

use crate::{block::BlockId, bounds, chain::Call, error::RpcError};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::value::RawValue;
use shardwire_model::{
    ContractId, Felt, Invoke, Key, MAX_CALLDATA_FELTS, MAX_SIGNATURE_FELTS, ResourceBounds, SessionCall, amount,
    bounded, felt,
};

/// Reads the arguments of a method.
///
/// # Errors
/// [`RpcError::Params`] if they don't fit.
pub(crate) fn read<'a, T: Deserialize<'a>>(method: &str, params: &'a str) -> Result<T, RpcError> {
    serde_json::from_str(params).map_err(|error| RpcError::Params {
        method: method.into(),
        reason: error.to_string().chars().take(bounds::MAX_REASON_CHARS).collect(),
    })
}

#[derive(Deserialize)]
pub(crate) struct Block {
    pub(crate) block_id: BlockId,
    #[serde(default)]
    pub(crate) response_flags: Vec<TransactionFlag>,
}

#[derive(Deserialize)]
pub(crate) struct BlockIndex {
    pub(crate) block_id: BlockId,
    pub(crate) index: u64,
    #[serde(default)]
    pub(crate) response_flags: Vec<TransactionFlag>,
}

#[derive(Deserialize)]
pub(crate) struct StateUpdate {
    pub(crate) block_id: BlockId,
    #[serde(default)]
    pub(crate) contract_addresses: Option<Vec<ContractId>>,
}

#[derive(Deserialize)]
pub(crate) struct Transaction {
    pub(crate) transaction_hash: Hash,
    #[serde(default)]
    pub(crate) response_flags: Vec<TransactionFlag>,
}

#[derive(Deserialize)]
pub(crate) struct ContractAt {
    pub(crate) block_id: BlockId,
    pub(crate) contract_address: ContractId,
}

#[derive(Deserialize)]
pub(crate) struct ClassOf {
    pub(crate) block_id: BlockId,
    pub(crate) class_hash: Hash,
}

#[derive(Deserialize)]
pub(crate) struct Slot {
    pub(crate) contract_address: ContractId,
    pub(crate) key: Key,
    pub(crate) block_id: BlockId,
    #[serde(default)]
    pub(crate) response_flags: Vec<StorageFlag>,
}

#[derive(Deserialize)]
pub(crate) struct Calling {
    pub(crate) request: Calls,
    pub(crate) block_id: BlockId,
}

#[derive(Deserialize)]
pub(crate) struct Events {
    pub(crate) filter: Filter,
}

#[derive(Deserialize)]
pub(crate) struct Estimate<'a> {
    #[serde(borrow, deserialize_with = "simulated")]
    pub(crate) request: Vec<&'a RawValue>,
    pub(crate) simulation_flags: Vec<SimulationFlag>,
    pub(crate) block_id: BlockId,
}

#[derive(Deserialize)]
pub(crate) struct Simulation<'a> {
    pub(crate) block_id: BlockId,
    #[serde(borrow, deserialize_with = "simulated")]
    pub(crate) transactions: Vec<&'a RawValue>,
    pub(crate) simulation_flags: Vec<SimulationFlag>,
}

#[derive(Deserialize)]
pub(crate) struct AddInvoke<'a> {
    #[serde(borrow)]
    pub(crate) invoke_transaction: &'a RawValue,
}

/// A call that a session key signed, as the door's page has it.
#[derive(Deserialize)]
pub(crate) struct AddSessionCall {
    pub(crate) session_call: SessionCall,
}

#[derive(Deserialize)]
pub(crate) struct SessionLink {
    pub(crate) session_key: Hash,
}

/// A felt on its own.
#[derive(Clone, Copy, Deserialize)]
#[serde(transparent)]
pub(crate) struct Hash(#[serde(with = "felt::wire")] pub(crate) Felt);

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum TransactionFlag {
    IncludeProofFacts,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum StorageFlag {
    IncludeLastUpdateBlock,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum SimulationFlag {
    SkipValidate,
    /// No fee is ever charged.
    SkipFeeCharge,
}

/// `FUNCTION_CALL` of the specification.
#[derive(Deserialize)]
pub(crate) struct Calls {
    contract_address: ContractId,
    entry_point_selector: Hash,
    #[serde(deserialize_with = "bounded::felts::<_, MAX_CALLDATA_FELTS>")]
    calldata: Vec<Felt>,
}

impl From<Calls> for Call {
    fn from(calls: Calls) -> Self {
        let Calls { contract_address, entry_point_selector, calldata } = calls;
        Self { contract: contract_address, selector: entry_point_selector.0, calldata }
    }
}

/// `EVENT_FILTER` and `RESULT_PAGE_REQUEST` of the specification.
#[derive(Deserialize)]
pub(crate) struct Filter {
    #[serde(default)]
    pub(crate) from_block: Option<BlockId>,
    #[serde(default)]
    pub(crate) to_block: Option<BlockId>,
    #[serde(default)]
    pub(crate) address: Option<Address>,
    #[serde(default)]
    pub(crate) keys: Option<Vec<Keys>>,
    #[serde(default)]
    pub(crate) continuation_token: Option<String>,
    pub(crate) chunk_size: u64,
}

/// One address; since 0.10 also several.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Address {
    One(ContractId),
    Several(#[serde(deserialize_with = "bounded::list::<_, _, { bounds::MAX_FILTER_ADDRESSES }>")] Vec<ContractId>),
}

#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Keys(pub(crate) Vec<Hash>);

fn simulated<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<&'a RawValue>, D::Error> {
    bounded::list::<_, _, { bounds::MAX_SIMULATED }>(deserializer)
}

/// A transaction as a wallet sends it.
pub(crate) struct Broadcast {
    pub(crate) invoke: Invoke,
    /// It is signed as a query.
    pub(crate) only_query: bool,
}

/// The versions of INVOKE v3: to be submitted, and to be asked about.
const VERSION: &str = "0x3";
const QUERY: &str = "0x100000000000000000000000000000003";

/// Reads a transaction.
///
/// # Errors
/// [`RpcError::TransactionVersion`] if it is another than INVOKE v3, [`RpcError::Unsupported`] if it offers a price or has what a shard has no use for,
/// [`RpcError::Nonce`], [`RpcError::Params`] if it isn't what the specification says.
pub(crate) fn broadcast(method: &str, transaction: &RawValue) -> Result<Broadcast, RpcError> {
    #[derive(Deserialize)]
    struct Kind {
        r#type: String,
        version: String,
    }
    #[derive(Deserialize)]
    struct Fields<'a> {
        sender_address: ContractId,
        #[serde(deserialize_with = "bounded::felts::<_, MAX_CALLDATA_FELTS>")]
        calldata: Vec<Felt>,
        #[serde(deserialize_with = "bounded::felts::<_, MAX_SIGNATURE_FELTS>")]
        signature: Vec<Felt>,
        nonce: Hash,
        resource_bounds: Resources,
        tip: Number,
        #[serde(borrow)]
        paymaster_data: &'a RawValue,
        #[serde(borrow)]
        account_deployment_data: &'a RawValue,
        nonce_data_availability_mode: Mode,
        fee_data_availability_mode: Mode,
        #[serde(borrow, default)]
        proof_facts: Option<&'a RawValue>,
        #[serde(borrow, default)]
        proof: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Resources {
        l1_gas: Bound,
        l2_gas: Bound,
        l1_data_gas: Bound,
    }
    #[derive(Deserialize)]
    struct Bound {
        max_amount: Number,
        max_price_per_unit: Number,
    }
    #[derive(PartialEq, Deserialize)]
    enum Mode {
        L1,
        L2,
    }

    let kind: Kind = read(method, transaction.get())?;
    let only_query = match (&*kind.r#type, &*kind.version) {
        ("INVOKE", VERSION) => false,
        ("INVOKE", QUERY) => true,
        (of, version) => {
            let text: String = format!("{of} of version {version}").chars().take(80).collect();
            return Err(RpcError::TransactionVersion(text));
        }
    };
    let fields: Fields<'_> = read(method, transaction.get())?;
    let unsupported = |what, must| Err(RpcError::Unsupported { what, must });
    let empty = |list: &RawValue| matches!(serde_json::from_str(list.get()), Ok::<[(); 0], _>([]));
    let Resources { l1_gas, l2_gas, l1_data_gas } = fields.resource_bounds;
    if [&l1_gas, &l2_gas, &l1_data_gas].iter().any(|bound| bound.max_price_per_unit.0 != 0) {
        return unsupported("max_price_per_unit", "0");
    }
    if fields.tip.0 != 0 {
        return unsupported("tip", "0");
    }
    if !empty(fields.paymaster_data) {
        return unsupported("paymaster_data", "empty");
    }
    if !empty(fields.account_deployment_data) {
        return unsupported("account_deployment_data", "empty");
    }
    if fields.nonce_data_availability_mode != Mode::L1 || fields.fee_data_availability_mode != Mode::L1 {
        return unsupported("the data availability mode", "L1");
    }
    if !fields.proof_facts.is_none_or(empty) {
        return unsupported("proof_facts", "empty");
    }
    if fields.proof.is_some_and(|proof| !matches!(proof.get(), "null" | "\"\"")) {
        return unsupported("proof", "empty");
    }
    let amount = |what: &str, number: &Number| {
        u64::try_from(number.0).map_err(|_| RpcError::Params {
            method: method.into(),
            reason: format!("max_amount of {what} exceeds 64 bits"),
        })
    };
    let invoke = Invoke {
        sender: fields.sender_address,
        nonce: u64::try_from(fields.nonce.0).map_err(|_| RpcError::Nonce(fields.nonce.0))?,
        calldata: fields.calldata,
        signature: fields.signature,
        bounds: ResourceBounds {
            l1_gas: amount("l1_gas", &l1_gas.max_amount)?,
            l2_gas: amount("l2_gas", &l2_gas.max_amount)?,
            l1_data_gas: amount("l1_data_gas", &l1_data_gas.max_amount)?,
        },
    };
    Ok(Broadcast { invoke, only_query })
}

/// A number as `0x…`, of 128 bits at most.
struct Number(u128);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = Some(&text).filter(|text| text.starts_with("0x")).and_then(|text| amount::parse(text).ok());
        number.map(Self).ok_or_else(|| D::Error::custom("a number is 0x and up to 32 hexadecimal digits"))
    }
}
