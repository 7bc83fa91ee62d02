//! `shardwire shard call`, `shard invoke`, `shard trace` and `shard class`: what a wallet or an explorer would do, for those who have none at hand.
//!
//! They speak Starknet's JSON-RPC to an operator's door, and need no node of one's own. The door isn't trusted with a signature: what is signed is for the chain of a
//! shard, and for none else.
//!
//! Bounds: those of `shardwire-starknet`; [`MAX_ARGUMENTS`], [`MAX_KEY_BYTES`], and those of a trace.

mod class;
#[cfg(test)]
mod tests;
mod trace;

pub(super) use class::{ClassArgs, class};
pub(super) use trace::{TraceArgs, trace};

use super::{
    failure::Failure,
    named::ShardName,
    output::{Answer, plain},
};
use crate::data::{DataPaths, Running};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shardwire_files::text;
use shardwire_model::{
    ContractId, Felt, MAX_CALLDATA_FELTS, Selector, contracts::chain_id, felt::short, starknet_keccak,
};
use shardwire_starknet::{Account, Call, Rpc, add_invoke};
use std::{
    fmt::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Most arguments of a call: a transaction has a few felts beside them.
const MAX_ARGUMENTS: usize = MAX_CALLDATA_FELTS - 4;
/// Bytes of a file with a key: a number, and room for what an editor adds.
const MAX_KEY_BYTES: u64 = 1 << 10;
/// L2 gas that a transaction may use unless one says otherwise: some hundred calls. It costs nothing in a shard.
const L2_GAS: u64 = 100_000_000;

/// Which door.
#[derive(Debug, Args)]
pub(super) struct DoorArgs {
    /// The operator's door for wallets, as its `rpc.listen` says: http://HOST:PORT [default: that of the node that runs in --data]
    #[arg(long, value_name = "URL")]
    rpc: Option<String>,
    /// The shard, as `shard start` has printed it; may be left out where the operator has only one
    #[arg(long, value_name = "SHARD")]
    shard: Option<ShardName>,
}

/// A number as contracts have it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number(pub(super) Felt);

/// A text that is none.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("expected a number: decimal below 2^128, or 0x and hexadecimal below the Stark prime")]
pub(super) struct ParseNumberError;

impl FromStr for Number {
    type Err = ParseNumberError;
    fn from_str(text: &str) -> Result<Self, ParseNumberError> {
        let number = match text.starts_with("0x") {
            true => text.parse::<ContractId>().ok().map(|it| it.0),
            false => text.parse::<u128>().ok().map(Felt::from),
        };
        number.map(Self).ok_or(ParseNumberError)
    }
}

/// What is called.
#[derive(Debug, Args)]
pub(super) struct CallArgs {
    #[command(flatten)]
    door: DoorArgs,
    /// The contract's address
    #[arg(value_name = "CONTRACT")]
    contract: Number,
    /// The function's name, or its selector (0x…)
    #[arg(value_name = "FUNCTION")]
    function: String,
    /// Its arguments, a felt each: a u256 is two (the low one first), an array is its length and then its elements
    #[arg(value_name = "ARGUMENT")]
    arguments: Vec<Number>,
}

#[derive(Debug, Args)]
pub(super) struct InvokeArgs {
    /// The account that calls
    #[arg(long, value_name = "ADDRESS")]
    account: Number,
    /// A file with the account's secret key: one number
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The most L2 gas that it may use; it costs nothing in a shard
    #[arg(long, value_name = "N", default_value_t = L2_GAS)]
    l2_gas: u64,
    #[command(flatten)]
    call: CallArgs,
}

impl CallArgs {
    fn call(&self) -> Result<Call, Failure> {
        if self.arguments.len() > MAX_ARGUMENTS {
            return Err(Failure::new(
                "SW-CLI-021",
                format!("{} arguments are given, and a transaction has room for {MAX_ARGUMENTS}", self.arguments.len()),
                "Call with fewer, several times.",
            )
            .misuse(true));
        }
        let selector = match Number::from_str(&self.function) {
            Ok(Number(selector)) if self.function.starts_with("0x") => selector,
            _ => starknet_keccak(&self.function),
        };
        Ok(Call {
            to: ContractId(self.contract.0),
            selector: Selector(selector),
            calldata: self.arguments.iter().map(|it| it.0).collect(),
        })
    }
}

/// A shard's door.
struct Door {
    rpc: Rpc,
    /// What the shard's chain id must be, where one was named.
    named: Option<Felt>,
}

impl Door {
    async fn find(root: Option<&PathBuf>, args: &DoorArgs) -> Result<Self, Failure> {
        let base = match (&args.rpc, root) {
            (Some(url), _) => url.clone(),
            (None, Some(root)) => {
                let (_, running) = DataPaths::of_running(root)?;
                format!("http://{}", own_door(root, &running)?)
            }
            (None, None) => {
                return Err(Failure::new(
                    "SW-CLI-022",
                    "no door is given",
                    "Add --rpc URL, the address that the operator gives for wallets, or --data DIR of an operator that runs here.",
                )
                .misuse(true));
            }
        };
        let shard = match &args.shard {
            Some(name) => Some(name.find(root).await?),
            None => None,
        };
        let address = match (has_path(&base), shard) {
            // Who gives a whole path means it.
            (true, _) => base,
            (false, Some(shard)) => format!("{}/shard/{shard}/rpc/v0_10", base.trim_end_matches('/')),
            (false, None) => format!("{}/rpc/v0_10", base.trim_end_matches('/')),
        };
        let rpc = Rpc::new(&address).map_err(|error| Failure::of(&error))?;
        Ok(Self { rpc, named: shard.map(|shard| short(&chain_id(shard))) })
    }

    async fn ask<T: serde::de::DeserializeOwned>(&self, method: &'static str, params: Value) -> Result<T, Failure> {
        self.rpc.ask(method, params).await.map_err(|error| Failure::of(&error))
    }

    async fn felt(&self, method: &'static str, params: Value) -> Result<Felt, Failure> {
        let said: Hex = self.ask(method, params).await?;
        Ok(said.0)
    }

    /// The chain that is signed for: that of the shard which was named, or that of some shard.
    async fn chain(&self) -> Result<Felt, Failure> {
        let said = self.rpc.chain_id().await.map_err(|error| Failure::of(&error))?;
        let is_shard = said.to_bytes_be().iter().copied().skip_while(|byte| *byte == 0).take(3).eq(*b"SW_");
        if self.named.is_some_and(|named| named != said) || !is_shard {
            return Err(Failure::new(
                "SW-CLI-023",
                format!("{} serves another chain than the shard's: nothing was signed", self.rpc.host()),
                "Give the address of the shard's operator with --rpc, and the shard with --shard.",
            ));
        }
        Ok(said)
    }
}

#[derive(Deserialize)]
struct Hex(#[serde(with = "shardwire_model::felt::wire")] Felt);

/// Whether the address says more than whom to ask.
fn has_path(address: &str) -> bool {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split_once('/').is_some_and(|(_, path)| !path.is_empty())
}

/// Where the node that runs in this folder serves wallets.
fn own_door(root: &Path, running: &Running) -> Result<SocketAddr, Failure> {
    running.door().ok_or_else(|| {
        Failure::new(
            "SW-CLI-024",
            format!("the node in {} serves no wallets", root.display()),
            "Set rpc.listen in the shardwire.toml of an operator and start it again, or add --rpc URL.",
        )
    })
}

#[derive(Serialize)]
struct Returned {
    returned: Vec<String>,
}

pub(super) async fn call(root: Option<PathBuf>, args: &CallArgs) -> Result<Answer, Failure> {
    let Call { to, selector, calldata } = args.call()?;
    let door = Door::find(root.as_ref(), &args.door).await?;
    let request = json!({ "contract_address": to, "entry_point_selector": selector, "calldata": calldata });
    let params = json!({ "request": request, "block_id": "pre_confirmed" });
    let returned: Vec<Hex> = door.ask("starknet_call", params).await?;
    let lines: Vec<String> = returned.iter().map(|it| number(it.0)).collect();
    let text = if lines.is_empty() { "it returned nothing".to_owned() } else { lines.join("\n") };
    Ok(Answer::new(text, &Returned { returned: returned.iter().map(|it| format!("{:#x}", it.0)).collect() }))
}

/// A felt for people: small numbers also in decimal.
fn number(felt: Felt) -> String {
    match u128::try_from(felt) {
        Ok(small) if small > 9 => format!("{felt:#x} ({small})"),
        _ => format!("{felt:#x}"),
    }
}

/// What the door says of a transaction that is in the log.
#[derive(Deserialize)]
struct Receipt {
    execution_status: String,
    #[serde(default)]
    revert_reason: Option<String>,
    block_number: u64,
    #[serde(default)]
    events: Vec<Value>,
}

#[derive(Serialize)]
struct Invoked<'a> {
    transaction_hash: String,
    block_number: u64,
    execution_status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    revert_reason: Option<&'a str>,
    events: &'a [Value],
}

pub(super) async fn invoke(root: Option<PathBuf>, args: &InvokeArgs) -> Result<Answer, Failure> {
    let call = args.call.call()?;
    let account = Account::new(ContractId(args.account.0), key(&args.key)?);
    let door = Door::find(root.as_ref(), &args.call.door).await?;
    let chain = door.chain().await?;
    let of = json!({ "block_id": "pre_confirmed", "contract_address": account.address() });
    let nonce = u64::try_from(door.felt("starknet_getNonce", of).await?).unwrap_or(u64::MAX);
    let invoke = account.invoke(chain, nonce, &[call], args.l2_gas).ok_or_else(|| unusable(&args.key))?;
    let hash = invoke.hash(chain);
    add_invoke(&door.rpc, &invoke).await.map_err(|error| match error.refusal() {
        Some(_) => Failure::of(&error),
        None => Failure::of(&error)
            .and_next(&format!("It may be in the log all the same: `shardwire shard trace {hash:#x}` says so.")),
    })?;
    let receipt: Receipt =
        door.ask("starknet_getTransactionReceipt", json!({ "transaction_hash": format!("{hash:#x}") })).await?;
    let mut text = format!("transaction {hash:#x} is block {}: {}", receipt.block_number, receipt.execution_status);
    if let Some(reason) = &receipt.revert_reason {
        let _ = write!(text, "\n  {}", plain(reason));
    }
    if !receipt.events.is_empty() {
        let _ = write!(text, "\n  events: {}; `shardwire shard trace {hash:#x}` shows them", receipt.events.len());
    }
    let told = Invoked {
        transaction_hash: format!("{hash:#x}"),
        block_number: receipt.block_number,
        execution_status: &receipt.execution_status,
        revert_reason: receipt.revert_reason.as_deref(),
        events: &receipt.events,
    };
    let mut answer = Answer::new(text, &told);
    answer.failed = receipt.execution_status != "SUCCEEDED";
    Ok(answer)
}

/// The secret key in a file.
fn key(path: &Path) -> Result<Felt, Failure> {
    let text = text::read(path, MAX_KEY_BYTES).map_err(|error| {
        Failure::new(
            "SW-CLI-025",
            format!("{} can't be read: {error}", path.display()),
            "Check the path and its permissions.",
        )
    })?;
    text.trim().parse::<Number>().map(|it| it.0).map_err(|_| unusable(path))
}

fn unusable(path: &Path) -> Failure {
    Failure::new(
        "SW-CLI-026",
        format!("{} is no secret key", path.display()),
        "Put the account's secret key there, one number such as 0x1234, from 1 to below the order of the Stark curve.",
    )
}

/// Reads what the door answered a question with.
fn read<'a, T: Deserialize<'a>>(method: &str, value: &'a Value) -> Result<T, Failure> {
    T::deserialize(value).map_err(|error| {
        Failure::new(
            "SW-CLI-027",
            format!("the answer to {method} can't be read: {error}"),
            "Give the address of a shard's door, of an operator of this release.",
        )
    })
}
