//! Classes: what is compiled, and what is refused with which words.

use super::shard::PROBE;
use serde_json::{Value, json};
use shardwire_model::{Coded, Felt};
use shardwire_native::{Class, ClassError, bounds};

fn file() -> Value {
    serde_json::from_str(PROBE).unwrap()
}

fn refused(file: &[u8], code: &str, words: &str, step: &str) -> ClassError {
    let error = Class::compile(file).unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(words), "{error}");
    assert!(error.next_step().contains(step), "{}", error.next_step());
    error
}

#[test]
fn a_class_has_its_hashes() {
    let class = Class::compile(PROBE.as_bytes()).unwrap();
    assert_eq!(class.sierra().external.len(), 3);
    assert_eq!(class.sierra().version, "0.1.0");
    // Computed by another implementation of each: the contracts' own reader of bytecode.
    let casm = serde_json::to_vec(class.casm()).unwrap();
    let other = shardwire_contracts::Class::from_casm(class.hash(), &casm).unwrap();
    assert_eq!(other.compiled_class_hash(), class.compiled_hash());
    // The ABI as JSON-RPC passes it, as text, is the same class.
    let mut passed = file();
    passed["abi"] = json!(class.sierra().abi);
    assert_eq!(Class::compile(passed.to_string().as_bytes()).unwrap().hash(), class.hash());
    passed["abi"] = json!("[]");
    assert_ne!(Class::compile(passed.to_string().as_bytes()).unwrap().hash(), class.hash());
}

#[test]
fn a_class_says_what_no_proof_covers() {
    let class = Class::compile(PROBE.as_bytes()).unwrap();
    let beyond: Vec<_> = class.beyond_proof().iter().map(String::as_str).collect();
    let expected = [
        "deploy_syscall",
        "get_block_hash_syscall",
        "keccak_syscall",
        "replace_class_syscall",
        "send_message_to_l1_syscall",
    ];
    assert_eq!(beyond, expected);
}

#[test]
fn what_is_no_class() {
    refused(b"{", "SW-CLASS-002", "the file is no Sierra class: EOF", "contract_class.json");
    refused(b"{}", "SW-CLASS-002", "it has no 'sierra_program'", "contract_class.json");
    refused(br#"{"program": {}, "abi": []}"#, "SW-CLASS-003", "of Cairo 0", "Cairo 1 or later");
    let mut huge = PROBE.as_bytes().to_vec();
    huge.resize(bounds::MAX_CLASS_BYTES + 1, b' ');
    refused(&huge, "SW-CLASS-001", "the class file has 8388609 bytes, and 8388608 are allowed", "Split the contract");
    let mut long = file();
    long["sierra_program"] = json!(vec!["0x1"; bounds::MAX_SIERRA_FELTS + 1]);
    let words = "the Sierra program has 81921 felts, and 81920 are allowed";
    refused(long.to_string().as_bytes(), "SW-CLASS-001", words, "Split the contract");
    let mut points = file();
    points["entry_points_by_type"]["EXTERNAL"] = json!(vec![json!({"selector": "0x1", "function_idx": 0}); 1_025]);
    let words = "the list of entry points has 1025 entries, and 1024 are allowed";
    refused(points.to_string().as_bytes(), "SW-CLASS-001", words, "Split the contract");
}

#[test]
fn a_sierra_version_that_is_too_new() {
    let mut new = file();
    new["sierra_program"][1] = json!("0x63");
    let words = "the class is of Sierra 1.99.0, and this release compiles up to 1.9.5";
    refused(new.to_string().as_bytes(), "SW-CLASS-004", words, "older Cairo");
}

#[test]
fn sierra_that_no_compiler_made() {
    // One felt after the other replaced: none may bring the compiler's panic further than its thread, or take long.
    let good = file();
    let length = good["sierra_program"].as_array().unwrap().len();
    let hash = Class::compile(PROBE.as_bytes()).unwrap().hash();
    for at in (6..length).step_by(length / 24) {
        let mut bad = good.clone();
        bad["sierra_program"][at] = json!("0x7ffffffffffff");
        match Class::compile(bad.to_string().as_bytes()) {
            Ok(class) => assert_ne!(class.hash(), hash),
            Err(error) => assert!(matches!(error, ClassError::Sierra(_) | ClassError::Builtin { .. }), "{error}"),
        }
    }
    let mut unsorted = good;
    let points = unsorted["entry_points_by_type"]["EXTERNAL"].as_array_mut().unwrap();
    points.reverse();
    let words = "the class can't be compiled: Entry points not sorted by selectors.";
    refused(unsorted.to_string().as_bytes(), "SW-CLASS-005", words, "released compiler");
}

#[test]
fn bytecode_beside_a_class_must_be_its_own() {
    let class = Class::compile(PROBE.as_bytes()).unwrap();
    let mut casm = serde_json::to_value(class.casm()).unwrap();
    class.check_casm(casm.to_string().as_bytes()).unwrap();
    let hints = std::mem::replace(&mut casm["hints"], json!([]));
    assert!(matches!(class.check_casm(casm.to_string().as_bytes()), Err(ClassError::OtherCasm { .. })), "other hints");
    casm["hints"] = hints;
    casm["bytecode"][3] = json!("0x1");
    let error = class.check_casm(casm.to_string().as_bytes()).unwrap_err();
    assert_eq!(error.code(), "SW-CLASS-007");
    assert!(error.to_string().ends_with(&format!("and the class compiles to {:#x}", class.compiled_hash())), "{error}");
    let error = class.check_casm(b"[]").unwrap_err();
    assert_eq!(error.code(), "SW-CLASS-006");
    assert!(error.next_step().contains("Leave the bytecode out"));
}

#[test]
fn builtins_are_named() {
    let (selector, name) = (Felt::from(5), "segment_arena".to_string());
    let errors = [
        ClassError::Builtin { builtin: name, selector },
        ClassError::Builtin { builtin: "add_mod".into(), selector },
        ClassError::Heavy { what: "bytes of memory", most: 9 },
        ClassError::Machine("…".into()),
    ];
    let read: Vec<_> = errors.iter().map(|it| format!("{} {it}. {}", it.code(), it.next_step())).collect();
    assert_eq!(
        read,
        [
            "SW-CLASS-008 entry point 0x5 needs builtin segment_arena, which no proof covers yet. Do without dictionaries (Felt252Dict) in what the shard runs.",
            "SW-CLASS-008 entry point 0x5 needs builtin add_mod, which no proof covers yet. Do without circuits (core::circuit) in what the shard runs.",
            "SW-CLASS-011 compiling the class takes more than 9 bytes of memory. Split the contract into several, or compile it again with a released compiler.",
            "SW-CLASS-012 the class can't be compiled at the moment: …. Free memory or raise the limits on threads and processes, and try again.",
        ]
    );
}
