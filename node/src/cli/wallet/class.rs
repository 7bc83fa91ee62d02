//! `shardwire shard class`.

use super::{
    super::{
        failure::Failure,
        output::{Answer, columns, plain},
    },
    Door, DoorArgs, Number, read,
};
use clap::{ArgGroup, Args};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shardwire_files::whole::{Existing, Readers, Whole};
use shardwire_model::{ContractId, Felt};
use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true))]
pub(in crate::cli) struct ClassArgs {
    #[command(flatten)]
    door: DoorArgs,
    /// A contract, whose class is shown
    #[arg(value_name = "CONTRACT", group = "which")]
    contract: Option<Number>,
    /// A class, by its hash
    #[arg(long, value_name = "HASH", group = "which")]
    hash: Option<Number>,
    /// Write the class there, as compilers and tools read it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// `CONTRACT_CLASS`, as far as people are shown it.
#[derive(Deserialize)]
pub(super) struct Class {
    sierra_program: Vec<Value>,
    contract_class_version: String,
    #[serde(default)]
    abi: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Function {
    pub(super) name: String,
    #[serde(default)]
    inputs: Vec<Parameter>,
    #[serde(default)]
    outputs: Vec<Parameter>,
    #[serde(default)]
    state_mutability: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Parameter {
    #[serde(default)]
    name: String,
    r#type: String,
}

impl Class {
    /// The functions that its ABI names, by itself and in interfaces. None if it has an ABI that can't be read.
    pub(super) fn functions(&self) -> impl Iterator<Item = Function> {
        let items: Vec<Value> = serde_json::from_str(&self.abi).unwrap_or_default();
        let inside = |item: Value| match item.get("items") {
            Some(Value::Array(items)) => items.clone(),
            _ => vec![item],
        };
        items
            .into_iter()
            .flat_map(inside)
            .filter(|it| it["type"] == "function")
            .filter_map(|it| serde_json::from_value(it).ok())
    }
}

pub(super) fn of_class(hash: Felt) -> Value {
    json!({ "block_id": "latest", "class_hash": format!("{hash:#x}") })
}

#[derive(Serialize)]
struct Shown {
    class_hash: String,
    version: String,
    sierra_felts: usize,
    functions: Vec<Function>,
}

pub(in crate::cli) async fn class(root: Option<PathBuf>, args: &ClassArgs) -> Result<Answer, Failure> {
    let door = Door::find(root.as_ref(), &args.door).await?;
    let hash = match (args.hash, args.contract) {
        (Some(hash), _) => hash.0,
        (None, contract) => {
            let contract = contract.map(|it| ContractId(it.0)).unwrap_or_default();
            let of = json!({ "block_id": "latest", "contract_address": contract });
            door.felt("starknet_getClassHashAt", of).await?
        }
    };
    let whole: Value = door.ask("starknet_getClass", of_class(hash)).await?;
    let class: Class = read("starknet_getClass", &whole)?;
    if let Some(path) = &args.out {
        keep(path, &whole).map_err(|error| {
            let said = format!("{} can't be written: {error}", path.display());
            Failure::new("SW-CLI-028", said, "Check the path and the free space.")
        })?;
    }
    let functions: Vec<Function> = class.functions().collect();
    let parameters = |list: &[Parameter]| {
        let one = |it: &Parameter| match it.name.as_str() {
            "" => last(&it.r#type),
            name => format!("{name}: {}", last(&it.r#type)),
        };
        list.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let rows: Vec<[String; 3]> = functions
        .iter()
        .map(|it| {
            let returned = parameters(&it.outputs);
            let returned = if returned.is_empty() { returned } else { format!("→ {returned}") };
            [format!("  {}", it.state_mutability), format!("{}({})", it.name, parameters(&it.inputs)), returned]
        })
        .collect();
    let felts = class.sierra_program.len();
    let version = class.contract_class_version;
    let text =
        format!("class {hash:#x}\n  Sierra of {felts} felts, class version {}\n{}", plain(&version), columns(&rows));
    let class_hash = format!("{hash:#x}");
    Ok(Answer::new(text, &Shown { class_hash, version, sierra_felts: felts, functions }))
}

/// Writes the whole class to a file, or nothing.
fn keep(path: &Path, class: &Value) -> io::Result<()> {
    let mut file = Whole::begin(path, Existing::Replaced, Readers::Usual)?;
    file.write_all(class.to_string().as_bytes())?;
    file.finish()
}

/// The last name of a path of Cairo, and of those in it: `core::integer::u256` is `u256`.
pub(super) fn last(path: &str) -> String {
    let mut short = String::new();
    let mut word = String::new();
    // What a type is of belongs to its name.
    for letter in path.replace("::<", "<").chars() {
        match letter {
            ':' => word.clear(),
            _ if letter.is_alphanumeric() || letter == '_' => word.push(letter),
            _ => {
                short.push_str(&word);
                word.clear();
                short.push(letter);
            }
        }
    }
    short.push_str(&word);
    short
}
