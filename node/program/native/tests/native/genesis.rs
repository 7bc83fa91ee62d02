//! Genesis files, and what doesn't go with a start.

use super::shard::{CONTRACTS, PROBE, SETTLED_SLOT, Shard, genesis_json, probe_hash, start, twin};
use serde_json::{Value, json};
use shardwire_model::{Coded, ContractId, Felt, Key};
use shardwire_native::{Class, Genesis, GenesisError, Native, bounds};
use std::{io, sync::Arc};

/// The classes' place while a genesis is edited: a class hash covers the order of its ABI's fields, which an edit would lose.
const PLACES: [&str; 2] = [r#""@probe""#, r#""@twin""#];

fn file() -> Value {
    let json = genesis_json("").replace(PROBE, PLACES[0]).replace(&twin(), PLACES[1]);
    serde_json::from_str(&json).unwrap()
}

fn refused(file: &[u8], code: &str, words: &str, step: &str) -> GenesisError {
    let mut missing = |_: &str| Err(io::Error::new(io::ErrorKind::NotFound, "no such file"));
    let error = Genesis::read(file, &mut missing, &mut Class::compile).unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(words), "{error}");
    assert!(error.next_step().contains(step), "{}", error.next_step());
    error
}

fn edited(edit: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut file = file();
    edit(&mut file);
    file.to_string().replace(PLACES[0], PROBE).replace(PLACES[1], &twin()).into_bytes()
}

#[test]
fn classes_may_be_files_beside_it() {
    let named = edited(|it| it["classes"][0]["sierra"] = json!("probe.json"));
    let mut asked = Vec::new();
    let mut open = |name: &str| {
        asked.push(name.to_string());
        Ok(PROBE.as_bytes().to_vec())
    };
    let genesis = Genesis::read(&named, &mut open, &mut Class::compile).unwrap();
    assert_eq!(asked, ["probe.json"]);
    assert!(genesis.classes().contains_key(&probe_hash()));
    assert_eq!(genesis.contracts().count(), 9);
    assert_eq!(genesis.storage(ContractId(CONTRACTS[0].into())).count(), 2);
    let words = "file probe.json, which the genesis names, can't be read: no such file";
    refused(&named, "SW-NATIVE-004", words, "beside the genesis");
}

/// As some editors save it.
#[test]
fn a_genesis_and_its_classes_may_have_a_byte_order_mark_and_utf_16_is_called_that() {
    let marked = |text: &[u8]| [b"\xef\xbb\xbf", text].concat();
    let utf_16 = |text: &[u8]| std::str::from_utf8(text).unwrap().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let named = edited(|it| it["classes"][0]["sierra"] = json!("probe.json"));
    let mut open = |_: &str| Ok(marked(PROBE.as_bytes()));
    let genesis = Genesis::read(&marked(&named), &mut open, &mut Class::compile).unwrap();
    assert!(genesis.classes().contains_key(&probe_hash()));

    let words = "the genesis can't be read: it is text in UTF-16, not in UTF-8: save it as UTF-8";
    let wide: Vec<u8> = utf_16(&named);
    refused(&wide, "SW-NATIVE-001", words, "");
    let wide: Vec<u8> = utf_16(PROBE.as_bytes());
    let error = Class::compile(&wide).unwrap_err();
    assert!(error.to_string().contains("it is text in UTF-16"), "{error}");
}

#[test]
fn hashes_that_are_said_are_compared() {
    let hash = probe_hash();
    let named = edited(|it| it["classes"][0]["class_hash"] = json!("0xbad"));
    let words = format!("class classes[0]: the class hashes to {hash:#x}, not to 0xbad");
    refused(&named, "SW-CLASS-009", &words, "Correct the class hash");
    let named = edited(|it| it["classes"][0]["compiled_class_hash"] = json!("0xbad"));
    let words = format!("class classes[0]: class {hash:#x} compiles to ");
    refused(&named, "SW-CLASS-010", &words, "version 2");
}

#[test]
fn what_is_no_genesis() {
    refused(b"{", "SW-NATIVE-001", "the genesis can't be read: EOF", "Correct the file");
    let odd = edited(|it| it["contracts"][0]["storge"] = json!({}));
    refused(&odd, "SW-NATIVE-001", "unknown field `storge`", "Correct the file");
    let odd = edited(|it| it["contracts"][0]["storage"] = json!({"7": "0x1"}));
    refused(&odd, "SW-NATIVE-001", "'7' is not a field element", "Correct the file");
    refused(
        &edited(|it| it["version"] = json!(2)),
        "SW-NATIVE-002",
        "of version 2, and this release reads version 1",
        "again",
    );
    let huge = vec![b' '; bounds::MAX_GENESIS_BYTES + 1];
    refused(&huge, "SW-NATIVE-003", "the genesis has 67108865 bytes, and 67108864 are allowed", "Split the game");
    let many = edited(|it| it["classes"] = json!(vec![json!({"sierra": "x"}); bounds::MAX_CLASSES + 1]));
    refused(&many, "SW-NATIVE-003", "the genesis has 65 classes, and 64 are allowed", "Split the game");
    let class = edited(|it| it["contracts"][0]["class_hash"] = json!("0xbad"));
    refused(
        &class,
        "SW-NATIVE-005",
        "contract 0x101 is of class 0xbad, which the genesis doesn't have",
        "Add the class",
    );
    let twice = edited(|it| it["contracts"][1]["address"] = json!("0x101"));
    refused(&twice, "SW-NATIVE-006", "address 0x101 is given twice", "Remove one");
    // The same key, written in two ways: what a reader of JSON into a map would forget.
    let slots = r#""0x7":"0x64","0x07":"0x1""#;
    let twice = String::from_utf8(edited(|_| ())).unwrap().replacen(r#""0x7":"0x64""#, slots, 1);
    refused(twice.as_bytes(), "SW-NATIVE-015", "slot 0x101/0x7 is given twice", "Remove one");
    let low = edited(|it| it["contracts"][0]["address"] = json!("0x1"));
    refused(&low, "SW-NATIVE-007", "0x1 can't be the address of a contract", "above 3");
    let key = format!("{:#x}", Felt::from(-1));
    let odd = edited(|it| it["contracts"][0]["storage"] = json!({key: "0x1"}));
    refused(&odd, "SW-NATIVE-008", "keys are below 2^251 - 256", "Correct the key");
}

#[test]
fn what_does_not_go_with_the_start_data() {
    let genesis: Arc<Genesis> = super::shard::read(&genesis_json("")).into();
    let refused = |start: &shardwire_contracts::Start, values: &[Felt], code: &str, words: &str| {
        let error = Native::open(genesis.clone(), start, values).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(!error.next_step().is_empty());
    };
    let good = start();
    let mut bad = good.clone();
    bad.classes.clear();
    refused(&bad, &[Felt::ZERO], "SW-CONTRACTS-001", "classes: 0 given");
    bad = good.clone();
    bad.first_block = 0;
    refused(&bad, &[Felt::ZERO], "SW-CONTRACTS-007", "the first transaction's block can't have the number 0");
    bad = good.clone();
    bad.contracts[8].address = Felt::from(0xbad0);
    refused(
        &bad,
        &[Felt::ZERO],
        "SW-NATIVE-009",
        "the start data lists contract 0xbad0, and there is none at this address",
    );
    bad = good.clone();
    bad.classes[0].class_hash = Felt::from(0xbad);
    refused(&bad, &[Felt::ZERO], "SW-NATIVE-013", "the start data lists class 0xbad, which isn't there");
    bad = good.clone();
    bad.classes[0].class_hash =
        Felt::from_hex_unchecked("0x1a736d6ed154502257f02b1ccdf4d9d1089f80811cd6acad48e6b6a9d1f2003");
    refused(
        &bad,
        &[Felt::ZERO],
        "SW-NATIVE-014",
        "one of the old accounts that Starknet shows their transactions in another version",
    );
    bad = good.clone();
    bad.classes[0].compiled_class_hash = Felt::from(0xbad);
    refused(&bad, &[Felt::ZERO], "SW-CLASS-010", "not to 0xbad");
    bad = good.clone();
    bad.contracts[0].class = bad.contracts[1].class;
    refused(&bad, &[Felt::ZERO], "SW-NATIVE-010", "the start data lists contract 0x101 with class ");
    refused(&good, &[], "SW-NATIVE-011", "there are 0 first values for 1 entries that settle");
    let words = "entry 0x106/0xb begins at 0xf4241, above its maximum 1000000";
    refused(&good, &[Felt::from(1_000_001)], "SW-NATIVE-012", words);
}

#[test]
fn the_worlds_values_go_over_the_genesis() {
    let shard = Shard::of(&start(), &[Felt::from(5)]);
    assert_eq!(shard.slot(CONTRACTS[5], SETTLED_SLOT), Felt::from(5));
    let (contract, key) = (ContractId(CONTRACTS[5].into()), Key(SETTLED_SLOT.into()));
    assert_eq!(shard.native.first_storage_at(contract, key).unwrap(), Felt::from(5));
}
