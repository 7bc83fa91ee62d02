//! `shardwire shard genesis` and `shard slot`: what a start request says of a genesis file and of contracts' storage, computed for the person who writes it.
//!
//! Both need no node. Bounds: those of a genesis ([`shardwire_native::bounds`]), [`MAX_KEYS`].

use super::{
    failure::Failure,
    output::{Answer, columns},
    wallet::Number,
};
use clap::Args;
use serde::Serialize;
use shardwire_model::{ContractId, Felt, Hash, Key, contracts::ClassPair};
use shardwire_native::{Class, Genesis, bounds};
use shardwire_store::{Disk as _, SystemDisk};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Most keys of a variable: mappings in mappings are rarely deeper than two.
const MAX_KEYS: usize = 16;

#[derive(Debug, Args)]
pub(super) struct GenesisArgs {
    /// The genesis file; the class files that it names lie beside it
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct SlotArgs {
    /// The variable's name in the contract's storage
    #[arg(value_name = "VARIABLE")]
    variable: String,
    /// The keys, if it is a mapping: a felt each
    #[arg(value_name = "KEY")]
    keys: Vec<Number>,
}

#[derive(Serialize)]
struct Told {
    genesis: Hash,
    classes: Vec<ClassPair>,
    contracts: Vec<Contract>,
}

#[derive(Serialize)]
struct Contract {
    address: ContractId,
    #[serde(with = "shardwire_model::felt::wire")]
    class: Felt,
}

pub(super) fn genesis(args: &GenesisArgs) -> Result<Answer, Failure> {
    let path = &args.file;
    let file = read(path, bounds::MAX_GENESIS_BYTES).map_err(|error| {
        let said = format!("{} can't be read: {error}", path.display());
        Failure::new("SW-CLI-029", said, "Check the path and its permissions.")
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut beside = |name: &str| read(&folder.join(name), bounds::MAX_CLASS_BYTES);
    let genesis = Genesis::read(&file, &mut beside, &mut Class::compile).map_err(|error| Failure::of(&error))?;
    let pair = |class: &Class| ClassPair { class_hash: class.hash(), compiled_class_hash: class.compiled_hash() };
    let told = Told {
        genesis: Hash::of(&file),
        classes: genesis.classes().values().map(|class| pair(class)).collect(),
        contracts: genesis.contracts().map(|(address, class)| Contract { address, class }).collect(),
    };
    let head = ["class", "compiles to"].map(ToOwned::to_owned);
    let pairs =
        told.classes.iter().map(|it| [format!("{:#x}", it.class_hash), format!("{:#x}", it.compiled_class_hash)]);
    let classes: Vec<_> = std::iter::once(head).chain(pairs).collect();
    let head = ["contract", "is of class"].map(ToOwned::to_owned);
    let contracts = told.contracts.iter().map(|it| [it.address.to_string(), format!("{:#x}", it.class)]);
    let contracts: Vec<_> = std::iter::once(head).chain(contracts).collect();
    let hash = told.genesis;
    let text = format!(
        "genesis {hash}\n  settler and operator need it as genesis/{hash}.json\n\n{}\n\n{}",
        columns(&classes),
        columns(&contracts)
    );
    Ok(Answer::new(text, &told))
}

/// The first bytes of a file, one more than may be: a longer file is refused by its length.
fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let found = SystemDisk.read(path, most as u64 + 1).map_err(|error| error.reason)?;
    found.ok_or_else(|| io::ErrorKind::NotFound.into())
}

#[derive(Serialize)]
struct Slot {
    key: Key,
}

pub(super) fn slot(args: &SlotArgs) -> Result<Answer, Failure> {
    if args.keys.len() > MAX_KEYS {
        let said = format!("{} keys are given, and a slot has {MAX_KEYS} at most", args.keys.len());
        return Err(Failure::new("SW-CLI-030", said, "Give the keys of one variable.").misuse(true));
    }
    let keys: Vec<Felt> = args.keys.iter().map(|key| key.0).collect();
    let key = Key::of_variable(&args.variable, &keys);
    Ok(Answer::new(key.to_string(), &Slot { key }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_hosted::dungeon::{self, ANNA, GOLD};

    #[test]
    fn a_genesis_is_told_as_a_start_request_says_it() {
        let place = tempfile::tempdir().unwrap();
        for name in dungeon::names() {
            std::fs::write(place.path().join(&name), dungeon::file(&name).unwrap()).unwrap();
        }
        let hash = Hash::of(dungeon::genesis().as_bytes());
        let file = place.path().join(format!("{hash}.json"));
        let answer = genesis(&GenesisArgs { file: file.clone() }).unwrap();
        assert!(answer.text.starts_with(&format!("genesis {hash}\n")), "{}", answer.text);
        assert!(answer.text.contains(&format!("\n{GOLD:#x} ")), "{}", answer.text);
        let (start, _) = dungeon::shard(shardwire_model::PeerId([7; 32]));
        let shardwire_model::Terms::Contracts(terms) = &start.terms else { panic!("terms of contracts") };
        assert_eq!(answer.json["classes"], serde_json::to_value(&terms.classes).unwrap());
        assert_eq!(answer.json["contracts"].as_array().map(Vec::len), Some(start.contracts.len()));

        std::fs::remove_file(place.path().join("gold.sierra.json")).unwrap();
        let error = genesis(&GenesisArgs { file }).unwrap_err().to_string();
        assert!(error.starts_with("error[SW-NATIVE-004]: file gold.sierra.json, which the genesis names"), "{error}");
        let missing = genesis(&GenesisArgs { file: place.path().join("none") }).unwrap_err().to_string();
        assert!(missing.starts_with("error[SW-CLI-029]: "), "{missing}");
    }

    #[test]
    fn a_slot_is_where_the_contracts_have_it() {
        let of = |variable: &str, keys: &[u64]| SlotArgs {
            variable: variable.to_owned(),
            keys: keys.iter().map(|key| key.to_string().parse().unwrap()).collect(),
        };
        let answer = slot(&of("balances", &[ANNA])).unwrap();
        assert_eq!(answer.text, dungeon::key("balances", &[ANNA]).to_string());
        assert_eq!(answer.json["key"], answer.text);
        let error = slot(&of("balances", &[1; 17])).unwrap_err().to_string();
        assert_eq!(
            error,
            "error[SW-CLI-030]: 17 keys are given, and a slot has 16 at most\n  next: Give the keys of one variable."
        );
    }
}
