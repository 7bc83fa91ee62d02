//! What is computed by the page: ids, commitments, chains and outputs, from the fields in `protocols/vectors/shard` alone. Of libraries: Blake2s, and
//! Starknet's Poseidon and ECDSA.

use crate::{long_number, number};
use blake2::{Blake2s256, Digest};
use serde_json::Value;
use starknet_types_core::{
    felt::Felt,
    hash::{Poseidon, StarkHash},
};
use std::{fs, path::Path};

/// What the file of this name has.
pub(crate) fn kept(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name);
    json(&fs::read_to_string(path).unwrap())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn start() -> Value {
    kept("shard/start.json")
}

fn transactions() -> Value {
    kept("shard/transactions.json")
}

pub(crate) fn hex(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

/// 32 bytes, big-endian.
pub(crate) fn felt(value: &Value) -> [u8; 32] {
    let digits = value.as_str().unwrap().strip_prefix("0x").unwrap();
    hex::decode(format!("{digits:0>64}")).unwrap().try_into().unwrap()
}

pub(crate) fn felts(value: &Value) -> Vec<[u8; 32]> {
    value.as_array().unwrap().iter().map(felt).collect()
}

pub(crate) fn small(n: u64) -> [u8; 32] {
    wide(n.into())
}

pub(crate) fn wide(n: u128) -> [u8; 32] {
    let mut felt = [0; 32];
    felt[16..].copy_from_slice(&n.to_be_bytes());
    felt
}

fn reversed(mut felt: [u8; 32]) -> [u8; 32] {
    felt.reverse();
    felt
}

/// A number, or its decimal digits as text.
pub(crate) fn amount(value: &Value) -> u128 {
    value.as_str().map_or_else(|| value.as_u64().unwrap().into(), |digits| digits.parse().unwrap())
}

pub(crate) fn list_of_felts(felts: &[[u8; 32]]) -> Vec<u8> {
    [number(felts.len() as u64), felts.concat()].concat()
}

pub(crate) fn blake2s(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Blake2s256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// `H(context; parts)`.
pub(crate) fn hash_of_parts(context: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Blake2s256::new();
    for part in std::iter::once(&context.as_bytes()).chain(parts) {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

pub(crate) fn poseidon(felts: &[[u8; 32]]) -> [u8; 32] {
    let felts: Vec<Felt> = felts.iter().map(Felt::from_bytes_be).collect();
    Poseidon::hash_array(&felts).to_bytes_be()
}

/// A little-endian number modulo the prime, as 32 bytes big-endian.
pub(crate) fn reduced(bytes: [u8; 32]) -> [u8; 32] {
    Felt::from_bytes_le(&bytes).to_bytes_be()
}

/// 0 counter, 1 escrow, 2 lock on the wire; one more in what is hashed.
pub(crate) fn kind(value: &Value) -> u8 {
    ["counter", "escrow", "lock"].iter().position(|kind| value == kind).unwrap() as u8
}

pub(crate) fn position(list: &Value, element: &Value) -> u64 {
    list.as_array().unwrap().iter().position(|it| it == element).unwrap() as u64
}

/// Where an entry is in the settlement list.
fn entry_index(start: &Value, contract: &Value, key: &Value) -> u64 {
    let is = |entry: &Value| entry["contract"] == *contract && entry["key"] == *key;
    start["entries"].as_array().unwrap().iter().position(is).unwrap() as u64
}

#[test]
fn a_shards_id_is_made_of_its_request() {
    let file = start();
    let request = &file["request"];
    let (contracts, accounts) = (felts(&request["contracts"]), felts(&request["accounts"]));
    let end = [felt(&request["end_event"]["from"]), felt(&request["end_event"]["selector"])];
    let (salt, program, operator) =
        (request["salt"].as_u64().unwrap(), felt(&request["program"]), hex(&request["operator"]));
    let entries = request["entries"].as_array().unwrap();

    let encoded = |entry: &Value| {
        let owner = match &entry["owner"] {
            Value::Null => vec![0],
            owner => [vec![1], felt(owner).to_vec()].concat(),
        };
        let head = [vec![kind(&entry["kind"])], felt(&entry["contract"]).to_vec(), felt(&entry["key"]).to_vec()];
        [head.concat(), owner, long_number(amount(&entry["amount"]))].concat()
    };
    let bytes = [
        number(salt),
        program.to_vec(),
        operator.clone(),
        list_of_felts(&contracts),
        list_of_felts(&accounts),
        end.concat(),
        number(entries.len() as u64),
        entries.iter().flat_map(encoded).collect(),
        // The terms: those of the fixed rules.
        vec![0],
    ];
    assert_eq!(bytes.concat(), hex(&file["request_bytes"]));

    let hashed = |entry: &Value| {
        let owner = if entry["owner"].is_null() { [0; 32] } else { felt(&entry["owner"]) };
        let number = small(u64::from(kind(&entry["kind"])) + 1);
        [number, felt(&entry["contract"]), felt(&entry["key"]), owner, wide(amount(&entry["amount"]))].concat()
    };
    let mut shard = hash_of_parts(
        "shardwire shard",
        &[
            file["network"].as_str().unwrap().as_bytes(),
            &salt.to_le_bytes(),
            &program,
            &operator,
            &contracts.concat(),
            &accounts.concat(),
            &end.concat(),
            &entries.iter().flat_map(hashed).collect::<Vec<u8>>(),
        ],
    );
    shard[0] &= 0x03;
    assert_eq!(shard, felt(&file["shard"]));
}

/// Start data as it goes over the wire, with its terms as they do.
pub(crate) fn encoded_start(start: &Value, terms: Vec<u8>) -> Vec<u8> {
    let entries = start["entries"].as_array().unwrap();
    let encoded = |entry: &Value| {
        let felts = [felt(&entry["contract"]), felt(&entry["key"]), felt(&entry["guard"])];
        [vec![kind(&entry["kind"])], felts.concat()].concat()
    };
    let bytes = [
        felt(&start["shard"]).to_vec(),
        felt(&start["program"]).to_vec(),
        hex(&start["operator"]),
        list_of_felts(&felts(&start["contracts"])),
        list_of_felts(&felts(&start["accounts"])),
        [felt(&start["end_event"]["from"]), felt(&start["end_event"]["selector"])].concat(),
        number(start["deadline"].as_u64().unwrap()),
        number(entries.len() as u64),
        entries.iter().flat_map(encoded).collect(),
        terms,
    ];
    bytes.concat()
}

#[test]
fn a_start_commitment_is_of_all_that_the_page_lists() {
    let file = start();
    let start = &file["start"];
    let (contracts, accounts) = (felts(&start["contracts"]), felts(&start["accounts"]));
    let end = [felt(&start["end_event"]["from"]), felt(&start["end_event"]["selector"])];
    let (shard, program, operator) = (felt(&start["shard"]), felt(&start["program"]), hex(&start["operator"]));
    let (deadline, entries) = (start["deadline"].as_u64().unwrap(), start["entries"].as_array().unwrap());
    assert_eq!(encoded_start(start, vec![0]), hex(&file["start_bytes"]));

    let half = |half: &[u8]| wide(u128::from_be_bytes(half.try_into().unwrap()));
    let (high, low) = operator.split_at(16);
    let mut committed = vec![small(2), shard, program, half(low), half(high), end[0], end[1], small(deadline)];
    committed.extend([contracts.len(), accounts.len(), entries.len()].map(|count| small(count as u64)));
    committed.extend(contracts.iter().chain(&accounts));
    for entry in entries {
        let contract = position(&start["contracts"], &entry["contract"]);
        let number = small(u64::from(kind(&entry["kind"])) + 1);
        committed.extend([number, small(contract), felt(&entry["key"]), felt(&entry["guard"])]);
    }
    assert_eq!(committed, felts(&file["start_felts"]));
    let commitment = poseidon(&committed);
    assert_eq!(commitment, felt(&file["start_commitment"]));

    let before = poseidon(&[vec![commitment], felts(&file["values"])].concat());
    assert_eq!(before, felt(&file["state_commitment"]));
    let segment = (file["segment"].as_u64().unwrap() as u32).to_le_bytes();
    let job = hash_of_parts("shardwire job 1", &[&program, &commitment, &before, &segment]);
    assert_eq!(job.to_vec(), hex(&file["job"]));
}

/// Blake2s-256 of felts in words, as a felt: H as for programs.
pub(crate) fn hash_of_felts(felts: &[[u8; 32]]) -> [u8; 32] {
    let mut bytes = Vec::new();
    for felt in felts {
        let short = felt[..24] == [0; 24] && felt[24] < 0x80;
        let mut felt = *felt;
        if !short {
            felt[0] |= 0x80;
        }
        // The highest word first, each little-endian.
        for word in felt[if short { 24 } else { 0 }..].chunks_exact(4) {
            bytes.extend(word.iter().rev());
        }
    }
    reduced(blake2s(&[&bytes]))
}

#[test]
fn a_programs_hash_is_of_its_felts_in_words() {
    let file = start();
    assert_eq!(hash_of_felts(&felts(&file["program_data"])), felt(&file["program_hash_of_data"]));
}

/// The eight words of a transaction, and what its call is encoded as.
fn words(start: &Value, transaction: &Value) -> ([u32; 8], Vec<u8>) {
    let contract = &transaction["contract"];
    let entry = |key: &Value| entry_index(start, contract, key) as u32;
    let (call, fields) = match &transaction["call"] {
        Value::String(call) => (call.as_str(), &Value::Null),
        call => {
            let (name, fields) = call.as_object().unwrap().iter().next().unwrap();
            (name.as_str(), fields)
        }
    };
    let spent = if fields["amount"].is_null() { 0 } else { amount(&fields["amount"]) };
    let coded = |number: u8, keys: &[&str], amount: Vec<u8>| {
        let keys: Vec<u8> = keys.iter().flat_map(|key| felt(&fields[*key])).collect();
        [vec![number], keys, amount].concat()
    };
    let (action, entry, other, encoded) = match call {
        "add" => (1, entry(&fields["counter"]), 0, coded(0, &["counter"], long_number(spent))),
        "spend" => (2, entry(&fields["escrow"]), 0, coded(1, &["escrow"], long_number(spent))),
        "pass" => (3, entry(&fields["from"]), entry(&fields["to"]), coded(2, &["from", "to"], long_number(spent))),
        "give" => {
            let to = position(&start["accounts"], &fields["to"]) as u32;
            (4, entry(&fields["lock"]), to, coded(3, &["lock", "to"], vec![]))
        }
        "finish" => (5, position(&start["contracts"], contract) as u32, 0, coded(4, &[], vec![])),
        other => panic!("{other}"),
    };
    let part = |place: u32| (spent >> (32 * place)) as u32;
    let nonce = transaction["nonce"].as_u64().unwrap() as u32;
    ([nonce, action, entry, other, part(0), part(1), part(2), part(3)], encoded)
}

/// The head of each account's chain after its last transaction, and whose each transaction is.
fn chains() -> (Vec<[u8; 32]>, Vec<u32>) {
    let (start, file) = (start()["start"].clone(), transactions());
    let commitment = felt(&file["start_commitment"]);
    let accounts = felts(&start["accounts"]);
    let mut heads: Vec<[u8; 32]> =
        accounts.iter().map(|account| blake2s(&[&reversed(commitment), &reversed(*account)])).collect();
    for (head, listed) in heads.iter().zip(file["accounts"].as_array().unwrap()) {
        assert_eq!(head.to_vec(), hex(&listed["head"]));
    }
    let mut order = Vec::new();
    for it in file["transactions"].as_array().unwrap() {
        let (signed, transaction) = (&it["transaction"], &it["transaction"]["transaction"]);
        let account = position(&start["accounts"], &transaction["account"]) as usize;
        assert_eq!(Value::from(account), it["account"]);
        let (words, call) = words(&start, transaction);
        assert_eq!(Value::from(words.to_vec()), it["words"]);
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        heads[account] = blake2s(&[&heads[account], &bytes]);
        assert_eq!(heads[account].to_vec(), hex(&it["head"]));

        let message = reduced(heads[account]);
        assert_eq!(message, felt(&it["message"]));
        let (r, s) = (felt(&signed["signature"]["r"]), felt(&signed["signature"]["s"]));
        let [key, message, by_r, by_s] = [accounts[account], message, r, s].map(|it| Felt::from_bytes_be(&it));
        assert!(starknet_crypto::verify(&key, &message, &by_r, &by_s).unwrap());

        let nonce = number(transaction["nonce"].as_u64().unwrap());
        let encoded = [&accounts[account][..], &nonce, &felt(&transaction["contract"]), &call, &r, &s].concat();
        assert_eq!(encoded, hex(&it["bytes"]));
        // The first of the forms of `ShardTransaction`, with a signature of zeros.
        let unsigned = [&[0][..], &encoded[..encoded.len() - 64], &[0; 64]].concat();
        assert_eq!(hash_of_parts("shardwire transaction 2", &[&unsigned]).to_vec(), hex(&it["hash"]));
        order.push(account as u32);
    }
    (heads, order)
}

#[test]
fn transactions_are_words_in_chains_that_their_accounts_sign() {
    let (heads, order) = chains();
    assert_eq!((heads.len(), order), (2, vec![0, 1, 1, 0, 1]));
}

#[test]
fn an_output_commits_to_transactions_and_says_what_counters_grew_by() {
    let file = kept("shard/output.json");
    let (output, before) = (&file["output"], start());
    let (heads, order) = chains();
    let order: Vec<u8> = order.iter().flat_map(|account| account.to_le_bytes()).collect();
    assert_eq!(reduced(blake2s(&[&heads.concat(), &order])), felt(&output["transactions"]));
    assert_eq!(felt(&output["before"]), felt(&before["state_commitment"]));
    assert_eq!(felt(&output["reads"]), [0; 32]);

    is_put_out(output, &before, &file["felts"], &file["bytes"]);
}

/// What an output says of the state that it leaves, and its felts and bytes, are by the page. `before` has the values of before, and the start's commitment.
pub(crate) fn is_put_out(output: &Value, before: &Value, as_felts: &Value, as_bytes: &Value) {
    let updates = output["updates"].as_array().unwrap();
    let mut after = vec![felt(&before["start_commitment"])];
    for (update, value) in updates.iter().zip(felts(&before["values"])) {
        let grew = felt(&update["value"]);
        let low = |felt: [u8; 32]| u128::from_be_bytes(felt[16..].try_into().unwrap());
        after.push(if update["kind"] == "counter" { wide(low(value) + low(grew)) } else { grew });
    }
    assert_eq!(poseidon(&after), felt(&output["after"]));

    let head = ["program", "shard", "before", "after", "reads", "transactions"].map(|field| felt(&output[field]));
    let [program, shard, before, after, reads, transactions] = head;
    let [segment, count] = ["segment", "count"].map(|field| output[field].as_u64().unwrap());
    let (ended, n) = (u64::from(output["ended"] == true), updates.len() as u64);
    let mut put_out = vec![small(2), program, shard, small(segment), before, after, reads, transactions];
    put_out.extend([count, ended, n].map(small));
    let update = |update: &Value| ["contract", "key", "value"].map(|field| felt(&update[field]));
    for it in updates {
        put_out.push(small(u64::from(kind(&it["kind"])) + 1));
        put_out.extend(update(it));
    }
    assert_eq!(put_out, felts(as_felts));

    let encoded = |it: &Value| [vec![kind(&it["kind"])], update(it).concat()].concat();
    let bytes = [
        [program, shard].concat(),
        number(segment),
        [before, after, reads, transactions].concat(),
        number(count),
        vec![ended as u8],
        number(n),
        updates.iter().flat_map(encoded).collect(),
    ];
    assert_eq!(bytes.concat(), hex(as_bytes));
}

/// The block of the page that has this in it, between two fences.
fn block(part: &str) -> &'static str {
    crate::PAGE.split("```").find(|block| block.contains(part)).unwrap()
}

#[test]
fn the_pages_world_has_the_pages_name() {
    let shown = block("\"settlers\"");
    let world = json(shown.strip_prefix("json").unwrap_or(shown));
    let ids = |list: &Value| list.as_array().unwrap().iter().flat_map(hex).collect::<Vec<u8>>();
    let name = hash_of_parts(
        "shardwire world",
        &[
            world["network"].as_str().unwrap().as_bytes(),
            &hex(&world["genesis"]),
            &ids(&world["settlers"]),
            &felts(&world["programs"]).concat(),
        ],
    );
    assert!(crate::PAGE.contains(&format!("`{}`", hex::encode(name))), "{}", hex::encode(name));
}
