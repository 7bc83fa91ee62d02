//! `shardwire shard trace`.

use super::{
    super::{
        failure::Failure,
        output::{Answer, plain},
    },
    Door, DoorArgs, Hex, Number,
    class::{Class, of_class},
    read,
};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use shardwire_model::{Felt, starknet_keccak};
use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

/// Classes whose functions' names a trace shows: each is some hundred kilobytes.
const MAX_NAMED_CLASSES: usize = 16;

#[derive(Debug, Args)]
pub(in crate::cli) struct TraceArgs {
    #[command(flatten)]
    door: DoorArgs,
    /// The transaction's hash
    #[arg(value_name = "HASH")]
    hash: Number,
}

/// `FUNCTION_INVOCATION`, as far as people are shown it.
#[derive(Deserialize)]
struct Invocation {
    contract_address: Hex,
    entry_point_selector: Hex,
    calldata: Vec<Hex>,
    class_hash: Hex,
    call_type: String,
    result: Vec<Hex>,
    #[serde(default)]
    calls: Vec<Self>,
    #[serde(default)]
    events: Vec<Event>,
    #[serde(default)]
    is_reverted: bool,
}

#[derive(Deserialize)]
struct Event {
    keys: Vec<Hex>,
    data: Vec<Hex>,
}

#[derive(Deserialize)]
struct Trace {
    validate_invocation: Option<Invocation>,
    execute_invocation: Executed,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Executed {
    Reverted { revert_reason: String },
    Stands(Box<Invocation>),
}

pub(in crate::cli) async fn trace(root: Option<PathBuf>, args: &TraceArgs) -> Result<Answer, Failure> {
    let door = Door::find(root.as_ref(), &args.door).await?;
    let whole: Value =
        door.ask("starknet_traceTransaction", json!({ "transaction_hash": format!("{:#x}", args.hash.0) })).await?;
    let trace: Trace = read("starknet_traceTransaction", &whole)?;
    let mut names = Names::default();
    let mut text = format!("transaction {:#x}", args.hash.0);
    if let Some(validate) = &trace.validate_invocation {
        names.learn(&door, validate).await?;
        write_call(&mut text, validate, 1, &names);
    }
    match &trace.execute_invocation {
        Executed::Reverted { revert_reason } => {
            let _ = write!(text, "\n  REVERTED: {}", plain(revert_reason));
        }
        Executed::Stands(execute) => {
            names.learn(&door, execute).await?;
            write_call(&mut text, execute, 1, &names);
        }
    }
    Ok(Answer::new(text, &whole))
}

/// What selectors are called in the classes of a trace.
#[derive(Default)]
struct Names {
    classes: BTreeMap<Felt, BTreeMap<Felt, String>>,
}

impl Names {
    /// Asks for the classes of a call and of those that it made.
    async fn learn(&mut self, door: &Door, invocation: &Invocation) -> Result<(), Failure> {
        let mut calls = vec![invocation];
        while let Some(call) = calls.pop() {
            calls.extend(&call.calls);
            let class = call.class_hash.0;
            if self.classes.contains_key(&class) || self.classes.len() >= MAX_NAMED_CLASSES {
                continue;
            }
            let found: Class = door.ask("starknet_getClass", of_class(class)).await?;
            let named = found.functions().map(|it| (starknet_keccak(&it.name), it.name)).collect();
            self.classes.insert(class, named);
        }
        Ok(())
    }

    fn of(&self, call: &Invocation) -> String {
        let selector = call.entry_point_selector.0;
        let name = self.classes.get(&call.class_hash.0).and_then(|names| names.get(&selector));
        name.map_or_else(|| format!("{selector:#x}"), |name| plain(name))
    }
}

fn write_call(text: &mut String, call: &Invocation, depth: usize, names: &Names) {
    let indent = "  ".repeat(depth);
    let felts = |list: &[Hex]| list.iter().map(|it| format!("{:#x}", it.0)).collect::<Vec<_>>().join(", ");
    let library =
        if call.call_type == "DELEGATE" { format!(" (class {:#x})", call.class_hash.0) } else { String::new() };
    let came = if call.is_reverted { "FAILED with" } else { "→" };
    let (contract, name) = (call.contract_address.0, names.of(call));
    let _ = write!(
        text,
        "\n{indent}{contract:#x}.{name}({}){library} {came} [{}]",
        felts(&call.calldata),
        felts(&call.result)
    );
    for Event { keys, data } in &call.events {
        let _ = write!(text, "\n{indent}  event [{}] [{}]", felts(keys), felts(data));
    }
    for inner in &call.calls {
        write_call(text, inner, depth + 1, names);
    }
}
