//! A shard of contracts by the page, from the fields in `protocols/vectors/shard/contracts.json` alone: its id, start data, transactions and output. Of libraries also
//! Starknet's Pedersen.

use crate::{
    long_number, number,
    values::{
        amount, encoded_start, felt, felts, hash_of_felts, hash_of_parts, hex, is_put_out, kept, kind, list_of_felts,
        poseidon, position, small, wide,
    },
};
use serde_json::Value;
use starknet_types_core::{
    felt::Felt,
    hash::{Pedersen, StarkHash},
};

fn file() -> Value {
    kept("shard/contracts.json")
}

fn array(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

/// A text of at most 31 characters as a felt.
fn short(text: &str) -> [u8; 32] {
    let mut felt = [0; 32];
    felt[32 - text.len()..].copy_from_slice(text.as_bytes());
    felt
}

/// Contract and key of a slot, from its text.
fn slot(text: &Value) -> [[u8; 32]; 2] {
    let (contract, key) = text.as_str().unwrap().split_once('/').unwrap();
    [contract, key].map(|it| felt(&it.into()))
}

/// The terms by chapter 4: the second form.
fn encoded_terms(terms: &Value) -> Vec<u8> {
    let classes = array(&terms["classes"]).iter();
    let classes = classes.map(|it| ["class_hash", "compiled_class_hash"].map(|hash| felt(&it[hash])).concat());
    let instance = |it: &Value| {
        let rule = ["closed", "scratch"].iter().position(|rule| it["rule"] == *rule).unwrap();
        [&felt(&it["class"])[..], &[rule as u8]].concat()
    };
    let list = |elements: Vec<Vec<u8>>| crate::list(&elements);
    [
        vec![1],
        hex(&terms["genesis"]),
        number(terms["begins"].as_u64().unwrap()),
        number(terms["first_block"].as_u64().unwrap()),
        felt(&terms["sequencer"]).to_vec(),
        list(classes.collect()),
        list(array(&terms["instances"]).iter().map(instance).collect()),
        list(array(&terms["maxima"]).iter().map(|it| long_number(amount(it))).collect()),
        list(array(&terms["scratch"]).iter().map(|it| slot(it).concat()).collect()),
    ]
    .concat()
}

#[test]
fn the_id_of_a_shard_of_contracts_is_made_of_its_terms_as_well() {
    let file = file();
    let (request, terms) = (&file["request"], &file["request"]["terms"]["contracts"]);
    let (contracts, accounts) = (felts(&request["contracts"]), felts(&request["accounts"]));
    let end = ["from", "selector"].map(|part| felt(&request["end_event"][part])).concat();
    let (salt, program, operator) =
        (request["salt"].as_u64().unwrap(), felt(&request["program"]), hex(&request["operator"]));
    let entries = array(&request["entries"]);
    assert!(entries.iter().all(|entry| entry["owner"].is_null()), "its escrows are nobody's");
    let place = |entry: &Value| ["contract", "key"].map(|part| felt(&entry[part])).concat();
    let encoded = |entry: &Value| {
        [vec![kind(&entry["kind"])], place(entry), vec![0], long_number(amount(&entry["amount"]))].concat()
    };
    let bytes = [
        number(salt),
        program.to_vec(),
        operator.clone(),
        list_of_felts(&contracts),
        list_of_felts(&accounts),
        end.clone(),
        crate::list(&entries.iter().map(encoded).collect::<Vec<_>>()),
        encoded_terms(terms),
    ];
    assert_eq!(bytes.concat(), hex(&file["request_bytes"]));

    let hashed = |entry: &Value| {
        let number = small(u64::from(kind(&entry["kind"])) + 1);
        [&number[..], &place(entry), &[0; 32], &wide(amount(&entry["amount"]))].concat()
    };
    let little = |number: &Value| number.as_u64().unwrap().to_le_bytes();
    let fixed = [
        &hex(&terms["genesis"])[..],
        &little(&terms["begins"]),
        &little(&terms["first_block"]),
        &felt(&terms["sequencer"]),
    ];
    let class = |it: &Value| ["class_hash", "compiled_class_hash"].map(|hash| felt(&it[hash])).concat();
    let instance = |it: &Value| [&felt(&it["class"])[..], &[u8::from(it["rule"] == "closed")]].concat();
    let all = |list: &Value, of: &dyn Fn(&Value) -> Vec<u8>| array(list).iter().flat_map(of).collect::<Vec<u8>>();
    let mut shard = hash_of_parts(
        "shardwire shard",
        &[
            file["network"].as_str().unwrap().as_bytes(),
            &salt.to_le_bytes(),
            &program,
            &operator,
            &contracts.concat(),
            &accounts.concat(),
            &end,
            &entries.iter().flat_map(hashed).collect::<Vec<u8>>(),
            &fixed.concat(),
            &all(&terms["classes"], &class),
            &all(&terms["instances"], &instance),
            &all(&terms["maxima"], &|it| amount(it).to_le_bytes().to_vec()),
            &all(&terms["scratch"], &|it| slot(it).concat()),
        ],
    );
    shard[0] &= 0x03;
    assert_eq!(shard, felt(&file["shard"]));
}

/// `SW_` and the lowest 140 bits of the shard's id in base 32.
fn chain_id(shard: [u8; 32]) -> String {
    let bits: Vec<u8> = shard.iter().flat_map(|byte| (0..8).rev().map(move |place| byte >> place & 1)).collect();
    let digit = |five: &[u8]| five.iter().fold(0, |digit, bit| digit * 2 + usize::from(*bit));
    let digits =
        bits[256 - 140..].chunks_exact(5).map(|five| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[digit(five)]));
    "SW_".chars().chain(digits).collect()
}

#[test]
fn the_start_commitment_of_a_shard_of_contracts_is_of_all_that_the_page_lists() {
    let file = file();
    let (start, terms) = (&file["start"], &file["start"]["terms"]["contracts"]);
    let (contracts, accounts) = (felts(&start["contracts"]), felts(&start["accounts"]));
    let end = ["from", "selector"].map(|part| felt(&start["end_event"][part]));
    let (shard, program, operator) = (felt(&start["shard"]), felt(&start["program"]), hex(&start["operator"]));
    let (deadline, entries) = (start["deadline"].as_u64().unwrap(), array(&start["entries"]));
    assert_eq!(encoded_start(start, encoded_terms(terms)), hex(&file["start_bytes"]));

    let chain = chain_id(shard);
    assert_eq!(file["chain_id"], chain.as_str());
    let half = |half: &[u8]| wide(u128::from_be_bytes(half.try_into().unwrap()));
    let (high, low) = operator.split_at(16);
    let of_u64 = |number: &Value| small(number.as_u64().unwrap());
    let (classes, scratch) = (array(&terms["classes"]), array(&terms["scratch"]));
    let mut committed = vec![small(1), shard, program, half(low), half(high), end[0], end[1], short(&chain)];
    committed.extend([of_u64(&terms["begins"]), small(deadline / 1000), of_u64(&terms["first_block"])]);
    committed.push(felt(&terms["sequencer"]));
    let counts = [classes.len(), contracts.len(), entries.len() + scratch.len(), entries.len()];
    committed.extend(counts.map(|count| small(count as u64)));
    committed.extend(classes.iter().flat_map(|it| ["class_hash", "compiled_class_hash"].map(|hash| felt(&it[hash]))));
    for (contract, instance) in contracts.iter().zip(array(&terms["instances"])) {
        let class = classes.iter().position(|class| class["class_hash"] == instance["class"]).unwrap();
        let [is_closed, is_account] = [instance["rule"] == "closed", accounts.contains(contract)];
        committed.push(*contract);
        committed.extend([class as u64, is_closed.into(), is_account.into()].map(small));
    }
    // Where it stands, and what is said of it.
    let settled = entries.iter().zip(array(&terms["maxima"])).map(|(entry, maximum)| {
        let (place, key) = (position(&start["contracts"], &entry["contract"]), felt(&entry["key"]));
        (place, key, u64::from(kind(&entry["kind"])) + 1, felt(&entry["guard"]), wide(amount(maximum)))
    });
    let scratch = scratch.iter().map(|text| {
        let [contract, key] = slot(text);
        let place = contracts.iter().position(|it| *it == contract).unwrap();
        (place as u64, key, 4, small(0), small(0))
    });
    let mut listed: Vec<_> = settled.chain(scratch).collect();
    listed.sort();
    for (place, key, kind, guard, maximum) in listed {
        committed.extend([small(kind), small(place), key, guard, maximum]);
    }
    assert_eq!(committed, felts(&file["start_felts"]));
    let commitment = poseidon(&committed);
    assert_eq!(commitment, felt(&file["start_commitment"]));
    assert_eq!(poseidon(&[vec![commitment], felts(&file["values"])].concat()), felt(&file["state_commitment"]));
}

/// Starknet's hash of an INVOKE of version 3, of which all is zero or empty that a shard leaves out.
fn invoke_hash(invoke: &Value, chain: [u8; 32]) -> [u8; 32] {
    let bound = |name: &str, amount: &Value| {
        let mut felt = [0; 32];
        felt[8 - name.len()..8].copy_from_slice(name.as_bytes());
        felt[8..16].copy_from_slice(&amount.as_u64().unwrap().to_be_bytes());
        felt
    };
    let (bounds, nothing) = (&invoke["bounds"], poseidon(&[]));
    let fee = [
        small(0),
        bound("L1_GAS", &bounds["l1_gas"]),
        bound("L2_GAS", &bounds["l2_gas"]),
        bound("L1_DATA", &bounds["l1_data_gas"]),
    ];
    let (sender, nonce) = (felt(&invoke["sender"]), small(invoke["nonce"].as_u64().unwrap()));
    let calldata = poseidon(&felts(&invoke["calldata"]));
    let version = small(3);
    poseidon(&[short("invoke"), version, sender, poseidon(&fee), nothing, chain, nonce, small(0), nothing, calldata])
}

/// The encoding of an INVOKE with this signature.
fn encoded_invoke(invoke: &Value, signature: &[[u8; 32]]) -> Vec<u8> {
    let of_u64 = |value: &Value| number(value.as_u64().unwrap());
    let bounds = ["l1_gas", "l2_gas", "l1_data_gas"].map(|name| of_u64(&invoke["bounds"][name])).concat();
    let calldata = list_of_felts(&felts(&invoke["calldata"]));
    [vec![1], felt(&invoke["sender"]).to_vec(), of_u64(&invoke["nonce"]), calldata, list_of_felts(signature), bounds]
        .concat()
}

/// The encoding of a session call with this signature.
fn encoded_call(call: &Value, signature: [[u8; 32]; 2]) -> Vec<u8> {
    let fields = ["account", "key", "previous", "contract", "selector"].map(|field| felt(&call[field])).concat();
    [vec![2], fields, list_of_felts(&felts(&call["calldata"])), signature.concat()].concat()
}

#[test]
fn transactions_of_contracts_have_starknets_hash_or_a_link_and_the_output_commits_to_them_with_their_times() {
    let file = file();
    let chain = short(&chain_id(felt(&file["shard"])));
    let allowed = file["allowed"].as_str().unwrap();
    assert!(crate::PAGE.contains(&format!("`{allowed}`")), "the selector of `allowed` is {allowed}");
    let key = felt(&file["session_key"]);
    let mut link = hash_of_felts(&[short("SESSION"), chain, key]);
    assert_eq!(link, felt(&file["first_link"]));
    let (mut committed, mut calls) = (Vec::new(), 0);
    for it in array(&file["transactions"]) {
        let (encoded, unsigned, stands_for_it) = match it["transaction"].as_object().unwrap().iter().next().unwrap() {
            (form, invoke) if form == "invoke" => {
                let encoded = encoded_invoke(invoke, &felts(&invoke["signature"]));
                let hash = invoke_hash(invoke, chain);
                assert_eq!(hash, felt(&it["hash"]));
                (encoded, encoded_invoke(invoke, &[]), hash)
            }
            (form, call) => {
                assert_eq!(form, "session");
                assert_eq!((felt(&call["key"]), felt(&call["previous"])), (key, link), "it follows the key's last one");
                let names = ["account", "key", "contract", "selector"].map(|name| felt(&call[name]));
                let permission = names.iter().fold(Felt::from_bytes_be(&felt(&file["allowed"])), |slot, name| {
                    Pedersen::hash(&slot, &Felt::from_bytes_be(name))
                });
                link = hash_of_felts(&[vec![link, permission.to_bytes_be()], felts(&call["calldata"])].concat());
                assert_eq!(link, felt(&it["link"]));
                let signature = ["r", "s"].map(|part| felt(&call["signature"][part]));
                let [by, message, r, s] = [key, link, signature[0], signature[1]].map(|it| Felt::from_bytes_be(&it));
                assert!(starknet_crypto::verify(&by, &message, &r, &s).unwrap());
                calls += 1;
                (encoded_call(call, signature), encoded_call(call, [[0; 32]; 2]), link)
            }
        };
        assert_eq!(encoded, hex(&it["bytes"]));
        assert_eq!(hash_of_parts("shardwire transaction 2", &[&unsigned]).to_vec(), hex(&it["hash_in_receipts"]));
        committed.extend([stands_for_it, small(it["time"].as_u64().unwrap())]);
    }
    assert_eq!((committed.len() / 2, calls), (4, 2));

    let output = &file["output"];
    assert_eq!(hash_of_felts(&committed), felt(&output["transactions"]));
    assert_eq!(hash_of_felts(&felts(&file["reads"])), felt(&output["reads"]));
    assert_eq!(felt(&output["before"]), felt(&file["state_commitment"]));
    is_put_out(output, &file, &file["output_felts"], &file["output_bytes"]);
}
